/*
 * What the roles have in common: which there are, who may talk to whom, what
 * each is given at its start.
 */
#pragma once

#include "conf/conf.h"
#include "event/event.h"
#include "ipc/ipc.h"

enum proc {
	PROC_SUPERVISOR,
	PROC_RECEPTION,
	PROC_QUEUE,
	PROC_DELIVERY,
	PROC_MAILBOX,
	PROC_PIPE,
	PROC_LOOKUP,
	PROC_RESOLVER,
	PROC_FETCHER,
	PROC_KEYRING,
	PROC_ADMIN,
	PROC_COUNT,
};

enum { PROC_INSTANCES_MAX = 64 };

/* Descriptors that a role is born with. */
enum {
	PROC_FD_SUPERVISOR = 3, /* its link to the supervisor */
	PROC_FD_CONF = 4,       /* a memory file with the configuration's bundle */
	PROC_FD_LOG = 5,
	PROC_FD_WORDS = 6,     /* a memory file for its last words, see proc_sandbox.h */
	PROC_FD_LIMITS = 7,    /* reception: memory that all receptions share, see limit_table.h;
				* keyring: counts of failures that outlive it, see guard.h */
	PROC_FD_LISTENERS = 8, /* the first of its listening sockets: of reception;
				* of admin the control socket, then those for HTTP */
};

/*
 * What a role may ask of the kernel, beside memory, clocks, and reading and writing through the
 * descriptors that it holds.  proc_sandbox_calls.c and proc_sandbox_files.c turn these into
 * seccomp and Landlock; docs/sandbox.md says how to find out which one is missing.
 */
enum proc_may {
	MAY_THREADS = 1 << 0,      /* start threads, never processes */
	MAY_ACCEPT = 1 << 1,       /* take connections from the listening sockets it was given */
	MAY_CONNECT_TCP = 1 << 2,  /* connect to other machines */
	MAY_CONNECT_UNIX = 1 << 3, /* connect to the Unix sockets of other programs */
	MAY_ASK_DNS = 1 << 4,      /* UDP and TCP sockets of its own, as a DNS resolver has them */
	MAY_USE_SPOOL = 1 << 5,    /* files below the spool's directory */
	MAY_USE_MAILDIRS = 1 << 6, /* files below the Maildirs' directory */
	MAY_KEEP_SECRETS = 1 << 7, /* its memory stays out of the swap */
	MAY_USE_POLICIES = 1 << 8, /* files below the directory of TLS policies */
	MAY_CONNECT_FROM = 1 << 9, /* choose the address that a connection comes from */
	MAY_RUN_PROGRAMS = 1 << 10, /* start programs, and all that these may */
	MAY_BITS = 11,
};

/*
 * A link carries frames, or the blocking calls for signatures; or it is none but a connection to
 * Dovecot, made by the supervisor for lookup, or to a socket that takes LMTP, for delivery.
 */
enum proc_link_kind {
	PROC_LINK_FRAMES,
	PROC_LINK_SIGN,
	PROC_LINK_DOVECOT,
	PROC_LINK_LMTP,
	PROC_LINK_KIND_COUNT
};

/* What a role is given.  It lives as long as the role. */
struct proc_env {
	struct io *io;
	const struct conf *conf;
	struct event_log log;
	struct ipc_channel *supervisor; /* NULL: it is gone */
	unsigned instance;
	size_t listener_count;
	void *limits;        /* PROC_FD_LIMITS as memory; NULL: none */
	size_t limits_bytes;
	bool privileged; /* started as root: rights are given up after create */
	bool looks_only; /* it keeps nothing: for a look, beside a server that runs */
	bool died;       /* the process before this one ended without being told to */
};

struct proc_role {
	/*
	 * Makes the role and opens what it needs, with all rights still there.  NULL: it has said
	 * why in the log.
	 */
	void *(*create)(struct proc_env *env);
	/* Rights are given up; the work begins.  False: it can't, and said why.  May be NULL. */
	bool (*start)(void *role);
	/* A link to a peer; the role owns the stream.  A new one replaces an old one. */
	void (*link)(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
	    struct io_stream *stream);
	/* There is no link of that kind, which the role asked for.  May be NULL. */
	void (*no_link)(void *role, enum proc_link_kind kind, enum err err);
	/* Finish what is under way, then call proc_stopped. */
	void (*stop)(void *role);
	/* Another configuration from now on; the old one stays valid.  May be NULL. */
	void (*reload)(void *role, const struct conf *conf);
};

/* One row for each role: the authority that it has. */
struct proc_def {
	const char *name;
	const char *user; /* its own when started as root; NULL: those of the configuration */
	bool per_core;       /* as many as there are cores, unless configured */
	bool empty_root;     /* chroot to an empty directory */
	bool routes;         /* chooses ways of mail, so it has the tables of routes */
	unsigned may;        /* of enum proc_may: seccomp and Landlock are made from it */
	unsigned descriptors_max; /* 0: as many as whoever started us allows */
	unsigned memory_mb_more;  /* than it holds when its work begins; 0: no limit */
	const struct proc_role *role; /* NULL: the supervisor */
};

struct proc_link_def {
	enum proc a, b;
	enum proc_link_kind kind;
};

const struct proc_def *proc_def(enum proc proc);
/* The links that exist; NULL past the end. */
const struct proc_link_def *proc_link_def(size_t index);

/* Asks for a new link to a peer, in the place of one that no longer serves. */
void proc_ask_link(struct proc_env *env, enum proc peer);
/*
 * A peer broke the rules of its link, which was ended: says so, and has the peer started again.
 * The supervisor believes only roles that do not parse what comes from the Internet.
 */
void proc_bad_peer(struct proc_env *env, enum proc peer, unsigned instance, enum err err);
/* Ends the role's process: its work is finished. */
void proc_stopped(struct proc_env *env);
enum { PROC_PATH_BYTES = CONF_PATH_BYTES_MAX + 32 };
/* Where the fetcher keeps policies and results: a directory in that of the spool. */
void proc_policies_path(const struct conf *conf, char path[PROC_PATH_BYTES]);
/* The user of a role's process under a configuration. */
const char *proc_user(enum proc proc, unsigned instance, const struct conf *conf);
/* Of this machine; at least 1. */
unsigned proc_cores(void);
/* How many of a role run under a configuration. */
unsigned proc_instances(enum proc proc, const struct conf *conf);

/*
 * The whole life of a role's process, after re-execution: "postrider role NAME INSTANCE", and
 * "died"
 * where it takes the place of one that ended without being told to.
 */
int proc_main(int argc, char **argv);

/*
 * Makes a directory (and its parent) where there is none, and gives it to the user when running
 * as root.  One that is there already is left as it is.
 */
MUST_USE enum err proc_make_dir(const char *path, const char *user);
