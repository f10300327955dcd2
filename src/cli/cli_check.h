/* "postrider check": what is wrong with a mail server, a domain, or this machine. */
#pragma once
int cli_check(int argc, char **argv);
