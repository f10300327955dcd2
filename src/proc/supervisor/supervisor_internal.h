/* What the files of the supervisor share. */
#pragma once

#include "proc/supervisor/child.h"
#include "proc/supervisor/supervisor.h"

enum { CHILDREN_MAX = 2 * PROC_INSTANCES_MAX + PROC_COUNT };

struct supervisor {
	struct io *io;
	struct event_log log;
	const char *conf_path;
	struct conf_bundle *bundle;
	struct conf *conf;
	struct child children[CHILDREN_MAX];
	size_t child_count;
	struct child_world world;
	int listeners[CONF_LISTENERS_MAX];
	bool ready_said;
	bool stopping;
	int rank; /* that is being stopped */
	struct io_timer rank_timer;
	int status;
};

/* reload.c */
/* The bundle in a memory file, for the children; -1 where it can't be made. */
int reload_memory_file(const struct conf_bundle *bundle);
/* Memory for the limits that hold over all receptions; -1 where it can't be made. */
int reload_limits_memory(struct io *io, const struct conf *conf);
/* SIGHUP: a good configuration replaces the one in use, a bad one does not. */
void reload_told(void *owner);
