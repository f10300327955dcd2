/*
 * The ledger's files in its directory, and the blocks of one of them.  Reading is at once;
 * nothing is changed.
 */
#pragma once

#include "io/io.h"
#include "ledger/ledger_block.h"

#define LEDGER_DIR "ledger"

enum {
	LEDGER_NAME_BYTES = 32,
	LEDGER_WINDOW_BYTES = 8192, /* read at a time while headers are looked for */
	LEDGER_FILES_MAX = 1 << 20,
};

/* "ledger/0000002a.led" */
void ledger_file_name(char name[LEDGER_NAME_BYTES], uint32_t number);

/* The numbers of the files, ascending, for mem_free.  Without a directory there are none. */
struct ledger_numbers {
	uint32_t *numbers;
	size_t count, room;
	bool too_many;
};
MUST_USE enum err ledger_list(struct io_dir *dir, struct ledger_numbers *list);

/* A walk through the blocks of a file. */
struct ledger_walk {
	struct io_file *file;
	uint32_t number;
	struct ledger_file_head head; /* where it is damaged: what the first block says */
	uint64_t offset;              /* of the next block */
	uint64_t block;               /* of the one given last */
	uint64_t window_at;
	struct buf window;
};

/* ERR_VERSION, ERR_CORRUPT (neither a head nor a block where it should be), ERR_NOT_FOUND, ... */
MUST_USE enum err ledger_walk_open(
    struct ledger_walk *walk, struct io_dir *dir, uint32_t number);
void ledger_walk_close(struct ledger_walk *walk);
/*
 * The next block whose header is sound; what is between is passed over.  filter is good until the
 * next call.  ERR_END: there is none yet, and walk->offset is where the next would begin.
 */
MUST_USE enum err ledger_walk_next(
    struct ledger_walk *walk, struct ledger_block_head *head, struct span *filter);
/* The payload of the block given last, into out (emptied first).  ERR_CORRUPT: damaged. */
MUST_USE enum err ledger_walk_payload(
    struct ledger_walk *walk, const struct ledger_block_head *head, struct buf *out);
