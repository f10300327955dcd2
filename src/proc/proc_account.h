/* The user that a role's programs run as, and whether they can be run: the pipe role's. */
#pragma once

#include "proc/proc.h"

struct proc_account {
	char name[64], home[256], shell[256];
	char timezone[64]; /* "": of the system */
};

/* That user where started as root, else whoever this process is.  ERR_NOT_FOUND. */
MUST_USE enum err proc_account(const char *user, struct proc_account *account);
/* Whether this process may run the file. */
MUST_USE enum err proc_may_run(const char *path);
