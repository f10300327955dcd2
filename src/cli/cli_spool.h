#pragma once

/* "postrider spool ...": the files of a spool; argv[0] is "spool". */
int cli_spool(int argc, char **argv);
