/* One role's process, as the supervisor sees it. */
#pragma once

#include "proc/proc.h"

struct supervisor;

enum child_state {
	CHILD_DEAD,     /* no process; the timer starts one */
	CHILD_STARTING, /* a process that has not said ready */
	CHILD_RUNNING,
	CHILD_STOPPING, /* was told to finish */
	CHILD_GONE,     /* ended after it was told to; starts no more */
};

struct child {
	struct supervisor *supervisor;
	enum proc proc;
	unsigned instance;
	enum child_state state;
	int pid;
	int words_fd; /* its last words; 0 or -1: none */
	bool died;    /* the process before this one ended without being told to */
	bool candidate; /* shows whether it can start with another configuration; has no links */
	bool spare; /* no candidate so far, and nobody misses it */
	bool again; /* told to end, to be started for another user (pipe) */
	char user[CONF_USER_BYTES_MAX + 1]; /* pipe: whom it runs programs for */
	struct io_op exited;
	struct io_timer respawn;
	struct ipc_channel *link;
	uint64_t started_ms, wait_ms;
	bool was_ready; /* once, ever */
};

/* What children share: descriptors, and whom to tell. */
struct child_world {
	struct io *io;
	struct event_log *log;
	const char *program;
	int conf_fd, log_fd;
	int limits_fd; /* what the receptions share */
	int guards_fd; /* what keyrings share, one after the other */
	const int *listeners;
	size_t listener_count;
	int control_fd;
	const int *http; /* listening sockets of admin, beside that one */
	size_t http_count;
};

/* Starts the process; on an error it stays dead. */
MUST_USE enum err child_start(struct child *child, const struct child_world *world,
    const struct ipc_handlers *handlers, io_done *exited);
/* Makes a pair of sockets and gives each child its end. */
void child_wire(struct child *a, struct child *b, enum proc_link_kind kind);
void child_stop(struct child *child);
void child_kill(struct child *child, struct io *io);
bool child_is_alive(const struct child *child);
