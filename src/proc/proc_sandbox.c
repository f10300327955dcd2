/*
 * What roles ask of the system beside io.h, and what a role gives up once it holds what it
 * needs.  The root directory becomes a directory that is removed at once: nothing can be found or
 * made in it.
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

unsigned
proc_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores > 0 ? (unsigned)cores : 1;
}

/* A directory's name outlives a power cut only once its parent is synced. */
static enum err
sync_parent(const char *path)
{
	char parent[4096];
	char *slash;
	enum err err;
	int fd;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (!slash)
		snprintf(parent, sizeof(parent), ".");
	else
		slash[slash == parent] = '\0';
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_from_errno(errno);
	err = fsync(fd) ? err_from_errno(errno) : OK;
	close(fd);
	return err;
}

/* Makes the directory, and its parent where that is missing too. */
static enum err
make_both(const char *path)
{
	char parent[4096];
	char *slash;
	int len = snprintf(parent, sizeof(parent), "%s", path);
	enum err err;

	if (len < 0 || (size_t)len >= sizeof(parent))
		return ERR_TOO_LONG;
	if (mkdir(path, 0700) == 0)
		return sync_parent(path);
	slash = strrchr(parent, '/');
	if (errno != ENOENT || !slash || slash == parent)
		return err_from_errno(errno);
	*slash = '\0';
	if (mkdir(parent, 0755))
		return err_from_errno(errno);
	err = sync_parent(parent);
	if (err)
		return err;
	return mkdir(path, 0700) ? err_from_errno(errno) : sync_parent(path);
}

enum err
proc_make_dir(const char *path, const char *user)
{
	const struct passwd *entry;
	enum err err = make_both(path);

	/* What is there already keeps its owner; whoever can't use it says so. */
	if (err == ERR_EXISTS)
		return OK;
	if (err)
		return err;
	if (geteuid() != 0)
		return OK;
	entry = getpwnam(user);
	if (!entry)
		return ERR_NOT_FOUND;
	if (chown(path, entry->pw_uid, entry->pw_gid))
		return err_from_errno(errno);
	return OK;
}
