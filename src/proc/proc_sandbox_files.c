/*
 * Landlock: which files a role may touch, and whether it may bind or connect.  It needs no root,
 * and what a descriptor of a directory leads to is held as well, so that "../" through the
 * spool's descriptor ends where the empty root directory alone does not.
 *
 * The numbers stand here since the headers of the system may be older than its kernel.
 */
#include "proc/proc_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

enum {
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	FS_ALL = (1 << 16) - 1,
	FS_USED = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |
		  FS_MAKE_REG | FS_REFER | FS_TRUNCATE,
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_SOCKETS = 1 << 0,
	SCOPE_SIGNALS = 1 << 1,
	CREATE_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2,
	ABI_TRUNCATE = 3,
	ABI_IOCTL_DEV = 5,
};

struct ruleset {
	uint64_t files, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct net_port {
	uint64_t allowed, port;
};

int
proc_files_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* Which of the rights to files this kernel knows of. */
static uint64_t
known_files(int abi)
{
	uint64_t known = FS_ALL;

	if (abi < ABI_TRUNCATE)
		known &= ~(uint64_t)FS_TRUNCATE;
	if (abi < ABI_IOCTL_DEV)
		known &= ~(uint64_t)FS_IOCTL_DEV;
	return known;
}

void
proc_files_directory(unsigned may, const struct conf *conf, char path[PROC_PATH_BYTES])
{
	struct span found = {0};

	if (may & MAY_USE_SPOOL)
		found = conf->spool_path;
	else if (may & MAY_USE_MAILDIRS)
		found = conf->maildir_path;
	snprintf(path, PROC_PATH_BYTES, "%.*s", SPAN_ARGS(found));
	if (may & MAY_USE_POLICIES)
		proc_policies_path(conf, path);
}

static enum err
allow_below(int rules, const char *directory, uint64_t rights)
{
	struct path_beneath beneath = {.allowed = rights};
	enum err err;

	beneath.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (beneath.fd < 0)
		return err_from_errno(errno);
	err = syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &beneath, 0)
	    ? err_from_errno(errno)
	    : OK;
	close(beneath.fd);
	return err;
}

/* To an address, with a port that the kernel chooses: nobody can be waited for there. */
static enum err
allow_bind_any(int rules)
{
	const struct net_port any = {.allowed = NET_BIND_TCP};

	return syscall(SYS_landlock_add_rule, rules, RULE_NET_PORT, &any, 0)
	    ? err_from_errno(errno)
	    : OK;
}

enum err
proc_files_prepare(unsigned may, const struct conf *conf, int *rules)
{
	const int abi = proc_files_abi();
	char directory[PROC_PATH_BYTES];
	struct ruleset set = {.files = known_files(abi)};
	enum err err = OK;

	proc_files_directory(may, conf, directory);
	*rules = -1;
	if (abi < PROC_LANDLOCK_FILES)
		return OK;
	if (abi >= PROC_LANDLOCK_TCP)
		set.net = NET_BIND_TCP;
	/* Where a role may connect it may do so to any port: routes name them. */
	if (abi >= PROC_LANDLOCK_TCP && !(may & (MAY_CONNECT_TCP | MAY_ASK_DNS)))
		set.net |= NET_CONNECT_TCP;
	if (abi >= PROC_LANDLOCK_SIGNALS)
		set.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	/* What lies behind what an older kernel knows is zero, which it accepts. */
	*rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	if (*rules < 0)
		return err_from_errno(errno);
	if (directory[0])
		err = allow_below(*rules, directory, FS_USED & set.files);
	if (!err && abi >= PROC_LANDLOCK_TCP && may & MAY_CONNECT_FROM)
		err = allow_bind_any(*rules);
	if (err) {
		close(*rules);
		*rules = -1;
	}
	return err;
}

enum err
proc_files_forbid(int rules)
{
	if (syscall(SYS_landlock_restrict_self, rules, 0))
		return err_from_errno(errno);
	close(rules);
	return OK;
}
