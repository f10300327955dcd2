/* What the files of "postrider sandbox" share. */
#pragma once

#include <sys/types.h>

#include "proc/proc_sandbox.h"

/* Where acts happen: files that everybody may read and write, so that only a sandbox refuses. */
struct cli_sandbox_world {
	char dir[64];
	char spool[96], policies[128], mail[96], key[96], unix_socket[96];
	struct conf *conf;
	struct conf_bundle *bundle;
	int tcp, unix_listener; /* both listen */
	uint16_t port;
	int other_link; /* an end of a link that belongs to nobody here */
	pid_t victim;   /* another process of the same user */
	int dir_fd;     /* in the process that acts: the role's own directory, or -1 */
};

enum cli_sandbox_outside {
	OUTSIDE_WORKS,      /* without a sandbox it succeeds, or the test proves nothing */
	OUTSIDE_NEEDS_ROOT, /* the same, for root */
	OUTSIDE_DEPENDS,    /* on the system's settings */
};

/* 0 where the kernel let it happen, else an errno. */
typedef int cli_sandbox_act_run(const struct cli_sandbox_world *world);

struct cli_sandbox_act {
	const char *name;
	cli_sandbox_act_run *run;
	unsigned may; /* roles with one of these must be able to; 0: nobody may */
	enum cli_sandbox_outside outside;
	bool supervisor_too; /* not even the supervisor may */
	bool programs_too;   /* nor a role that runs programs */
	bool in_directory;   /* only roles that have a directory are asked */
	bool by_path;        /* who may is not asked: it works where the root is the system's */
};

enum { CLI_SANDBOX_ALL = ~0U >> 1 };

/* NULL past the end. */
const struct cli_sandbox_act *cli_sandbox_act(size_t index);

/* False: it has said why. */
bool cli_sandbox_world_make(struct cli_sandbox_world *world);
void cli_sandbox_world_remove(struct cli_sandbox_world *world);
/* A socket that listens on a port of its own; -1. */
int cli_sandbox_listen(uint16_t *port);
/* Starts the victim, as the user of a role; -1. */
pid_t cli_sandbox_victim_start(const char *user);

struct cli_sandbox_wanted {
	struct proc_sandbox_parts parts;
	enum proc only; /* PROC_COUNT: all */
	bool json;
};
/* 0: no forbidden act succeeded and no allowed one failed; 1; or an exit code of sysexits.h. */
int cli_sandbox_try(const struct cli_sandbox_wanted *wanted);
