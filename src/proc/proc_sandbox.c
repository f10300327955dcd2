/*
 * What a role gives up once it holds what it needs.  The root directory becomes
 * a directory that is removed at once: nothing can be found or made in it.
 */
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the process live in a directory that has no name any more. */
static int
enter_empty_root(void)
{
	static const char parent[] = "/tmp";
	char path[] = "/tmp/postrider-empty-XXXXXX";
	int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = -1;

	if (dir < 0)
		return -1;
	if (mkdtemp(path)) {
		failed = chroot(path) || chdir("/");
		if (unlinkat(dir, path + sizeof(parent), AT_REMOVEDIR))
			failed = -1;
	}
	close(dir);
	return failed;
}

enum err
proc_sandbox(const struct proc_def *def, const char *user, const char **what)
{
	const struct rlimit none = {0, 0};

	if (geteuid() == 0) {
		const struct passwd *entry = getpwnam(user);

		*what = "find the user";
		if (!entry)
			return ERR_NOT_FOUND;
		*what = "change the root directory";
		if (def->empty_root && enter_empty_root())
			return err_from_errno(errno);
		*what = "change the user";
		if (setgroups(0, NULL) ||
		    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
		    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
			return err_from_errno(errno);
	}
	*what = "give up new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_from_errno(errno);
	*what = "forbid core files";
	if (setrlimit(RLIMIT_CORE, &none))
		return err_from_errno(errno);
	return OK;
}

enum err
proc_make_dir(const char *path, const char *user)
{
	const struct passwd *entry;
	char parent[4096];
	char *slash;

	if (mkdir(path, 0700)) {
		int len = snprintf(parent, sizeof(parent), "%s", path);

		/* What is there already keeps its owner; whoever can't use it says so. */
		if (errno == EEXIST)
			return OK;
		if (errno != ENOENT || len < 0 || (size_t)len >= sizeof(parent))
			return err_from_errno(errno);
		slash = strrchr(parent, '/');
		if (!slash || slash == parent)
			return ERR_NOT_FOUND;
		*slash = '\0';
		if (mkdir(parent, 0755) || mkdir(path, 0700))
			return err_from_errno(errno);
	}
	if (geteuid() != 0)
		return OK;
	entry = getpwnam(user);
	if (!entry)
		return ERR_NOT_FOUND;
	if (chown(path, entry->pw_uid, entry->pw_gid))
		return err_from_errno(errno);
	return OK;
}
