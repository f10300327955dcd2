/* "postrider route": which way mail for an address goes, and which line of which file says so. */
#pragma once

int cli_route(int argc, char **argv);
