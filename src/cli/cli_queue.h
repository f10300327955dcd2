/* "postrider queue": asks the running server's queue through its control socket. */
#pragma once

/* argv[0] is "queue".  Gives an exit status of <sysexits.h>. */
int cli_queue(int argc, char **argv);
