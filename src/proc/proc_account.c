#include "proc/proc_account.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum err
proc_account(const char *user, struct proc_account *account)
{
	const struct passwd *entry = geteuid() == 0 ? getpwnam(user) : getpwuid(geteuid());
	const char *timezone = getenv("TZ");

	*account = (struct proc_account){.home = "/", .shell = "/bin/sh"};
	snprintf(account->timezone, sizeof(account->timezone), "%s", timezone ? timezone : "");
	snprintf(account->name, sizeof(account->name), "%s", entry ? entry->pw_name : user);
	/* Whoever started us may be a number without a name. */
	if (!entry)
		return geteuid() == 0 ? ERR_NOT_FOUND : OK;
	snprintf(account->home, sizeof(account->home), "%s", entry->pw_dir);
	if (entry->pw_shell[0] == '/')
		snprintf(account->shell, sizeof(account->shell), "%s", entry->pw_shell);
	return OK;
}

enum err
proc_may_run(const char *path)
{
	return access(path, X_OK) ? err_from_errno(errno) : OK;
}
