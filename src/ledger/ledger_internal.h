/* The ledger while it is written. */
#pragma once

#include "base/arena.h"
#include "base/list.h"
#include "ledger/ledger.h"
#include "ledger/ledger_files.h"

enum {
	LEDGER_WRITE_BLOCKS_MAX = 64, /* with one write */
	LEDGER_HOUR_MS = 3600 * 1000,
	LEDGER_DAY_MS = 24 * LEDGER_HOUR_MS,
	LEDGER_NUMBERS_TRIED_MAX = 100,
};

/* A sealed block.  It is kept until it is durable. */
struct ledger_sealed {
	struct list node; /* in ledger->blocks, oldest first */
	struct buf bytes;
	uint64_t from, reached, serial;
	bool anew;    /* the first after the log began anew */
	bool written; /* to ledger->file, perhaps not durable */
};

struct ledger_file_known {
	uint32_t number;
	uint64_t created_ms, bytes;
};

/* What is done with files, one at a time; ledger_step.c. */
enum ledger_step {
	LEDGER_NOTHING,
	LEDGER_MAKE_DIR,
	LEDGER_CREATE,
	LEDGER_WRITE,
	LEDGER_SYNC,
	LEDGER_SYNC_DIR, /* the names in it */
	LEDGER_SYNC_TOP, /* its own name */
	LEDGER_UNLINK,
};

enum ledger_state {
	LEDGER_READY,
	LEDGER_BUSY,    /* a step is under way */
	LEDGER_PAUSED,  /* it failed, and is tried again */
	LEDGER_STOPPED, /* until the next start */
};

struct ledger {
	struct io *io;
	struct io_dir *dir;
	struct ledger_options options;
	struct ledger_builder *builder;
	enum ledger_state state;
	enum ledger_step step;
	bool running, failing;
	bool anew;      /* the next block is the first of another log */
	bool idle_runs; /* the timer */

	uint64_t given;   /* position of the last record */
	uint64_t sealed;  /* what the last block reaches */
	uint64_t durable; /* what the last durable block reaches */
	uint64_t serial, durable_serial; /* of blocks */
	uint64_t sync_serial; /* blocks up to this one are wanted durable */
	struct list blocks;
	size_t waiting_bytes, unsynced_bytes;

	struct io_file *file; /* being appended to; NULL: the next block begins one */
	struct ledger_file_head head;
	uint64_t file_bytes;
	uint32_t next_number;
	bool has_dir, names_dirty, top_dirty;

	struct ledger_file_known *files; /* ascending; the last one is being written */
	size_t file_count, file_room;
	bool retention_due;

	struct io_op op;
	uint64_t op_serial; /* SYNC: of the last block that it makes durable */
	unsigned numbers_tried;
	char head_bytes[LEDGER_FILE_BYTES];
	char name[LEDGER_NAME_BYTES];
	struct io_timer idle, retry, hourly;
	struct ledger_op *flushes;
};

/* ledger_step.c: starts what is to be done next, until nothing is, or it is under way. */
void ledger_pump(struct ledger *ledger);
/* ledger.c */
void ledger_failed(struct ledger *ledger, enum err err);
void ledger_made_durable(struct ledger *ledger, uint64_t serial);
/* ledger_recover.c: how far the files reach; the newest is opened where it can be appended to. */
MUST_USE enum err ledger_recover(struct ledger *ledger);
void ledger_know_file(struct ledger *ledger, const struct ledger_file_known *file);
