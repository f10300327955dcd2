/*
 * Files that are replaced as a whole: written beside, synced, renamed.  One after the other; a file
 * that waits to be written and is given again is written once, with what it holds last.
 */
#pragma once

#include "base/list.h"
#include "event/event.h"
#include "io/io.h"

struct keep {
	struct io *io;
	struct io_dir *dir; /* NULL: nothing is kept */
	struct event_log *log;
	struct list jobs; /* the first one is under way where busy */
	bool busy, failing;
	struct io_op op;
	void (*idle)(void *owner); /* all is written; may be NULL */
	void *owner;
};

void keep_init(struct keep *keep, struct io *io, struct io_dir *dir, struct event_log *log);
void keep_file(struct keep *keep, const char *name, struct span bytes);
/* Adds a whole file to out, at once: at a start only.  ERR_TOO_LONG. */
MUST_USE enum err keep_read(struct keep *keep, const char *name, struct buf *out);
/* At once: at a start only. */
void keep_remove(struct keep *keep, const char *name);
