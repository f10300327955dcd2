/* "postrider suppression": addresses that do not exist, to which nothing is sent. */
#pragma once

int cli_suppression(int argc, char **argv);
