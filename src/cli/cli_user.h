/* postrider user: see cli_user.c. */
#pragma once

int cli_user(int argc, char **argv);
