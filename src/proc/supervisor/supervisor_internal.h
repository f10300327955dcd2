/* What the files of the supervisor share. */
#pragma once

#include "proc/supervisor/child.h"
#include "proc/supervisor/supervisor.h"

enum {
	CHILDREN_MAX = 2 * PROC_INSTANCES_MAX + CONF_PIPE_USERS_MAX + 2 * PROC_COUNT,
	PROBLEM_BYTES_MAX = 64 << 10,
};

/*
 * Another configuration under way: roles that read files at their start are started with it as
 * candidates, beside those that work.  When all are ready they take their places.
 */
struct reload {
	bool under_way, again; /* again: SIGHUP came meanwhile */
	struct conf_bundle *bundle;
	struct conf *conf;
	int conf_fd;
	struct io_timer late;    /* a candidate takes too long */
	struct io_timer retired; /* those whose places were taken may go */
};

struct supervisor {
	struct io *io;
	struct event_log log;
	const char *conf_path;
	struct conf_bundle *bundle;
	struct conf *conf;
	struct child children[CHILDREN_MAX];
	size_t child_count;
	struct child_world world;
	int listeners[CONF_SOCKETS_MAX];
	int http[CONF_HTTP_MAX];
	struct reload reload;
	bool ready_said;
	bool dovecot_failed; /* and it was said why */
	bool stopping;
	int rank; /* that is being stopped */
	struct io_timer rank_timer;
	int status;
};

/* opening.c: before the first child.  EX_OK, or how to exit; standard error has been told why. */
/* Listeners, the control socket, and where the log goes. */
int opening_sockets(struct supervisor *supervisor);
/* The users that roles and programs need. */
int opening_users(const struct supervisor *supervisor);
void opening_descriptors(void);
/* The supervisor's own part, and what this machine lacks for those of the roles. */
int opening_sandbox(struct supervisor *supervisor);

/* reload.c */
/*
 * The bundle in a memory file, for the children; -1 where it can't be made.  It loses the text of
 * its tables.
 */
int reload_memory_file(struct conf_bundle *bundle);
/* Memory for the limits that hold over all receptions; -1 where it can't be made. */
int reload_limits_memory(struct io *io, const struct conf *conf);
/* Memory for the counts of failed authentications, which outlive a keyring; -1 as well. */
int reload_guards_memory(struct io *io);
void reload_init(struct supervisor *supervisor);
/* SIGHUP: a good configuration replaces the one in use, a bad one does not. */
void reload_told(void *owner);
/* A candidate is ready; a candidate, or one whose place was taken, has ended. */
void reload_candidate_ready(struct supervisor *supervisor);
void reload_spare_ended(struct supervisor *supervisor);

/* dovecot.c */
/*
 * Connects to the socket that the child's configuration names, and hands it over; where that fails
 * the child hears nothing, and the log why, once in a row.
 */
void dovecot_connect(struct child *child);
/* Connects delivery to a socket that takes LMTP, or tells it why not. */
void lmtp_connect(struct child *child, struct span path);

/* programs.c */
/* Users are there and none is root, programs are there; else says what is wrong into problems. */
MUST_USE bool programs_are_good(const struct conf *conf, struct buf *problems);
/* Another configuration is in use: its users have processes, others none. */
void programs_reload(struct supervisor *supervisor);
/* One that was told to has ended. */
void programs_ended(struct child *child);

/* supervisor.c */
/* Adds a child that is not started; spare: nobody misses it. */
struct child *supervisor_list(
    struct supervisor *supervisor, enum proc proc, unsigned instance, bool spare);
/* Starts and wires it, now or as soon as that can be. */
void supervisor_start_child(struct child *child);
/* Wires a child with all that its row allows. */
void supervisor_wire(struct supervisor *supervisor, struct child *child);
/* Starts a process from the descriptors of a world, which need not be the supervisor's. */
MUST_USE enum err supervisor_start(struct child *child, const struct child_world *world);
