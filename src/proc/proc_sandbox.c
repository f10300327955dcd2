/*
 * What a role gives up once it holds what it needs, in the order that each step needs: paths are
 * looked up before the root directory changes, memory is locked while root may, and seccomp,
 * which forbids all of this, is last.
 *
 * The root directory becomes a directory that is removed at once: nothing can be found or made
 * in it.
 */
#include "proc/proc_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

enum {
	/* Roles without files write only their last words, and to the log. */
	FILE_BYTES_MAX = 4096,
	LINKS_OF_ONE_THREAD = 3, /* of /proc/self/task: itself, its parent, the thread */
};

struct proc_sandbox_support
proc_sandbox_probe(void)
{
	const uint32_t trap = SECCOMP_RET_TRAP;

	return (struct proc_sandbox_support){
	    .calls = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0,
	    .landlock_abi = proc_files_abi(),
	};
}

struct proc_sandbox_parts
proc_sandbox_parts(const struct conf *conf)
{
	return (struct proc_sandbox_parts){conf->sandbox_calls, conf->sandbox_files};
}

const char *
proc_sandbox_lacks(const struct proc_sandbox_support *support)
{
	bool files = support->landlock_abi >= PROC_LANDLOCK_FILES;

	if (!support->calls && !files)
		return "this kernel, or the container, has neither seccomp nor Landlock: roles "
		       "are held by their users and root directories alone";
	if (!support->calls)
		return "this kernel, or the container, does not let us use seccomp: roles may "
		       "make any call";
	if (!files)
		return "this kernel, or the container, has no Landlock (Linux 5.19): a role that "
		       "uses a directory may leave it as far as its user can";
	if (support->landlock_abi < PROC_LANDLOCK_TCP)
		return "Landlock does not know of TCP here (Linux 6.7): seccomp alone keeps "
		       "roles from connecting";
	if (support->landlock_abi < PROC_LANDLOCK_SIGNALS)
		return "Landlock does not know of signals here (Linux 6.12): seccomp alone keeps "
		       "roles from signalling others";
	return NULL;
}

size_t
proc_sandbox_close_others(const struct proc_def *def)
{
	size_t listeners = 0;

	while (def->may & MAY_ACCEPT && listeners < CONF_SOCKETS_MAX &&
	    fcntl(PROC_FD_LISTENERS + (int)listeners, F_GETFD) >= 0)
		listeners++;
	err_ignore(close_range(PROC_FD_LISTENERS + (unsigned)listeners, ~0U, 0) ? ERR_UNSUPPORTED
										: OK,
	    "an old kernel does not know it; the supervisor opens nothing that is inherited");
	for (int fd = PROC_FD_SUPERVISOR; fd < PROC_FD_LISTENERS + (int)listeners; fd++)
		err_ignore(fcntl(fd, F_SETFD, FD_CLOEXEC) ? ERR_NOT_FOUND : OK,
		    "not every role has each of them");
	return listeners;
}

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

static enum err
change_user(const struct proc_def *def, const char *user, const char **what)
{
	const struct passwd *entry = getpwnam(user);

	*what = "find the user";
	if (!entry)
		return ERR_NOT_FOUND;
	*what = "change the root directory";
	if (def->empty_root && enter_empty_root())
		return err_from_errno(errno);
	*what = "change the user";
	/* Programs have the groups that they would have without us. */
	if ((def->may & MAY_RUN_PROGRAMS ? initgroups(user, entry->pw_gid) : setgroups(0, NULL)) ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
		return err_from_errno(errno);
	return OK;
}

/* The limit that holds where a lower one of the system does not. */
static int
limit(__rlimit_resource_t resource, uint64_t most)
{
	struct rlimit now;

	if (getrlimit(resource, &now))
		return -1;
	if (now.rlim_max > most)
		now.rlim_max = most;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	return setrlimit(resource, &now);
}

/* Bytes of memory of its own that the process has; 0 where that cannot be known. */
static uint64_t
memory_held(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool
is_regular_file(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static int
limit_resources(const struct proc_def *def, uint64_t held)
{
	const uint64_t more = (uint64_t)def->memory_mb_more << 20;
	/* The log may be a file, and as long as it likes. */
	bool writes = def->may &
		(MAY_USE_SPOOL | MAY_USE_MAILDIRS | MAY_USE_POLICIES | MAY_RUN_PROGRAMS) ||
	    is_regular_file(PROC_FD_LOG) || is_regular_file(STDERR_FILENO);

	if (limit(RLIMIT_CORE, 0))
		return -1;
	if (!writes && limit(RLIMIT_FSIZE, FILE_BYTES_MAX))
		return -1;
	if (!(def->may & (MAY_THREADS | MAY_RUN_PROGRAMS)) && limit(RLIMIT_NPROC, 0))
		return -1;
	if (def->descriptors_max > 0 && limit(RLIMIT_NOFILE, def->descriptors_max))
		return -1;
#ifndef POSTRIDER_SANITIZE
	if (more > 0 && held > 0 && limit(RLIMIT_DATA, held + more))
		return -1;
#else
	(void)more;
	(void)held;
#endif
	return 0;
}

/* Secrets that were read stay in memory; best effort, since an ordinary user has little. */
static void
keep_out_of_swap(void)
{
#ifndef POSTRIDER_SANITIZE
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	err_ignore(setrlimit(RLIMIT_MEMLOCK, &all) || mlockall(MCL_CURRENT) ? ERR_DENIED : OK,
	    "without root there is a limit; what is swapped is as safe as the disk");
#endif
}

/* Landlock holds the thread that asks for it, and those that it starts. */
static bool
is_alone(void)
{
	struct stat tasks;

	return stat("/proc/self/task", &tasks) || tasks.st_nlink <= LINKS_OF_ONE_THREAD;
}

/* What needs no root. */
static enum err
give_up_rest(const struct proc_def *def, bool calls, int rules, uint64_t held,
    const char **what)
{
	enum err err = OK;

	*what = "give up new privileges";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_from_errno(errno);
	*what = "forbid core files and tracing";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return err_from_errno(errno);
	*what = "limit resources";
	if (limit_resources(def, held))
		return err_from_errno(errno);
	*what = "give up files (Landlock)";
	if (rules >= 0)
		err = proc_files_forbid(rules);
	if (!err && calls) {
		*what = "give up calls (seccomp)";
		err = proc_words_listen();
		if (!err)
			err = proc_calls_forbid(def->may);
	}
	return err;
}

enum err
proc_sandbox(enum proc proc, unsigned instance, const struct conf *conf,
    struct proc_sandbox_parts parts, const char **what)
{
	const struct proc_def *def = proc_def(proc);
	const struct proc_sandbox_support support = proc_sandbox_probe();
	bool files = parts.files && support.landlock_abi >= PROC_LANDLOCK_FILES;
	bool calls = parts.calls && support.calls;
	uint64_t held;
	int rules = -1;
	enum err err = OK;

	*what = "have what \"sandbox required\" asks for";
	if (conf->sandbox_required && (!files || !calls))
		return ERR_UNSUPPORTED;
	*what = "be one thread";
	if (!is_alone())
		return ERR_BUSY;
	/* Programs would inherit both, and need what no list of ours can know. */
	if (def->may & MAY_RUN_PROGRAMS)
		files = calls = false;
	*what = "name its files (Landlock)";
	if (files)
		err = proc_files_prepare(def->may, conf, &rules);
	if (err)
		return err;
	if (def->may & MAY_KEEP_SECRETS)
		keep_out_of_swap();
	held = memory_held();
	if (geteuid() == 0)
		err = change_user(def, proc_user(proc, instance, conf), what);
	return err ? err : give_up_rest(def, calls, rules, held, what);
}

enum err
proc_sandbox_supervisor(const struct conf *conf)
{
	const struct proc_sandbox_support support = proc_sandbox_probe();

	if (!conf->sandbox_calls || !support.calls)
		return OK;
	return proc_calls_forbid_supervisor();
}
