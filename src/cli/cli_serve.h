/* "postrider serve": runs the server. */
#pragma once

/* argv[0] is "serve".  Gives an exit status of <sysexits.h>. */
int cli_serve(int argc, char **argv);
