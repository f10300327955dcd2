/* "postrider audit". */
#pragma once

int cli_audit(int argc, char **argv);
