/* "postrider send": a small SMTP client, for trying servers and for scripts. */
#pragma once

/* argv[0] is "send".  An exit code of <sysexits.h>. */
int cli_send(int argc, char **argv);
