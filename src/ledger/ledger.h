/*
 * The ledger: what became of every message, kept after the message has left the spool.
 *
 * It is a projection of the spool's feed: whoever owns it adds entries for each record of the
 * feed and then says the record's position.  Each block in its files names the positions that
 * it covers, so that after a crash the spool feeds again exactly what is missing.  Writing is
 * lazy: nothing here is waited for before a 250.  What could not be written stays in memory and
 * is written again, to a new file; when that is too much the ledger stops until the next start,
 * and the spool still has it all, since nothing of it was released.
 */
#pragma once

#include "io/io.h"
#include "ledger/ledger_entry.h"

enum {
	LEDGER_IDLE_MS = 5000,        /* what waits becomes durable after so long at most */
	LEDGER_RETRY_MS = 10000,      /* after a failure */
	LEDGER_SYNC_BYTES = 4 << 20,  /* ... or when so much is written and not yet durable */
	LEDGER_FILE_BYTES_MAX = 16 << 20, /* then the next file begins; and each day */
	LEDGER_WAITING_BYTES_MAX = 64 << 20, /* kept in memory while it cannot be written */
};

struct ledger;

struct ledger_options {
	/* Older files go, and the oldest when there is more; 0: no limit. */
	uint64_t keep_ms, bytes_max;
	uint64_t idle_ms, retry_ms;  /* LEDGER_IDLE_MS, LEDGER_RETRY_MS */
	void *owner;
	/* What was given up to this position is durable. */
	void (*durable)(void *owner, uint64_t position);
	/* It cannot be written; stopped: and is not tried again before the next start. */
	void (*failed)(void *owner, enum err err, bool stopped);
	/* It can be written again. */
	void (*works)(void *owner);
};

struct ledger_op {
	void (*done)(struct ledger_op *op);
	void *owner;
	enum err err;
	struct ledger_op *next; /* the ledger's */
	uint64_t position;
};

/*
 * Finds how far the ledger in the directory reaches, and makes sure that this much is durable;
 * changes nothing.  ERR_VERSION: a newer version wrote it.  Until ledger_run writing is at
 * once, in the calls.
 */
MUST_USE enum err ledger_open(struct io *io, struct io_dir *dir,
    const struct ledger_options *options, struct ledger **ledger);
/* What is not durable is given up; nothing may be under way.  NULL is nothing. */
void ledger_close(struct ledger *ledger);
/* From now on writing is done beside the caller's work. */
void ledger_run(struct ledger *ledger);
/* Other limits, at a reload. */
void ledger_limits(struct ledger *ledger, uint64_t keep_ms, uint64_t bytes_max);

/* The position that was given last: feed what is above. */
uint64_t ledger_reached(const struct ledger *ledger);
/* The spool's log is another one, whose positions begin anew. */
void ledger_begin_anew(struct ledger *ledger);

void ledger_add(struct ledger *ledger, const struct ledger_entry *entry);
/* All entries up to this position of the log are added. */
void ledger_reach(struct ledger *ledger, uint64_t position);

/* Makes what was given durable soon; options->durable tells. */
void ledger_sync(struct ledger *ledger);
/*
 * The same; op ends when it is, or with an error when that cannot be for now, and perhaps inside
 * the call.
 */
void ledger_flush(struct ledger *ledger, struct ledger_op *op);
