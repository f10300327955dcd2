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
