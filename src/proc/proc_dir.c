/* What roles ask of the system beside io.h, while they have rights: directories, and cores. */
#include "proc/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static enum err
give_to(const char *path, const char *user)
{
	const struct passwd *entry;

	if (geteuid() != 0)
		return OK;
	entry = getpwnam(user);
	if (!entry)
		return ERR_NOT_FOUND;
	return chown(path, entry->pw_uid, entry->pw_gid) ? err_from_errno(errno) : OK;
}

/*
 * It appears as a whole, with its owner: another role may find it in the same moment, and give up
 * its rights.
 */
static enum err
make_one(const char *path, const char *user)
{
	char beside[PROC_PATH_BYTES + 32];
	int len = snprintf(beside, sizeof(beside), "%s.%ld.new", path, (long)getpid());
	bool unsupported;
	enum err err;

	if (len < 0 || (size_t)len >= sizeof(beside))
		return ERR_TOO_LONG;
	if (mkdir(beside, 0700))
		return err_from_errno(errno);
	err = give_to(beside, user);
	if (!err && renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return sync_parent(path);
	if (!err)
		err = err_from_errno(errno);
	unsupported = errno == EINVAL;
	rmdir(beside);
	if (!unsupported)
		return err;
	/* A file system that cannot do that. */
	if (mkdir(path, 0700))
		return err_from_errno(errno);
	err = give_to(path, user);
	return err ? err : sync_parent(path);
}

/* Makes the directory, and its parent where that is missing too. */
static enum err
make_both(const char *path, const char *user)
{
	char parent[PROC_PATH_BYTES];
	char *slash;
	int len = snprintf(parent, sizeof(parent), "%s", path);
	enum err err;

	if (len < 0 || (size_t)len >= sizeof(parent))
		return ERR_TOO_LONG;
	err = make_one(path, user);
	slash = strrchr(parent, '/');
	if (err != ERR_NOT_FOUND || !slash || slash == parent)
		return err;
	*slash = '\0';
	if (mkdir(parent, 0755) && errno != EEXIST)
		return err_from_errno(errno);
	err = sync_parent(parent);
	return err ? err : make_one(path, user);
}

enum err
proc_make_dir(const char *path, const char *user)
{
	struct stat status;
	enum err err;

	/* What is there already keeps its owner; whoever can't use it says so. */
	if (stat(path, &status) == 0)
		return OK;
	err = make_both(path, user);
	return err == ERR_EXISTS ? OK : err;
}
