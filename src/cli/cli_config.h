/* "postrider config check | show | manual": the configuration, for people and programs. */
#pragma once

/* argv[0] is "config", or whatever stood for it.  An exit code of <sysexits.h>. */
int cli_config(int argc, char **argv);
