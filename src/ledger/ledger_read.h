/*
 * Reads the ledger, also while a server writes it: what was flushed is there.  Blocks that
 * can't hold what is asked for are passed over by their headers.
 */
#pragma once

#include "io/io.h"
#include "ledger/ledger_entry.h"

/* What is looked for; zeroed: everything. */
struct ledger_query {
	uint64_t since_ms, until_ms; /* when it happened; until 0: no end */
	uint64_t id;
	struct span domain; /* of a recipient of an accepted message */
};

struct ledger_reader;

/* What was seen while reading; more becomes known with each entry. */
struct ledger_seen {
	uint64_t begin_ms; /* the ledger is complete since then; UINT64_MAX: there is none */
	bool from_the_start; /* nothing older was removed */
	uint64_t reached; /* position of the spool's log, by the blocks until now */
	uint64_t files, blocks, entries;
	uint64_t blocks_skipped;
	uint64_t gaps; /* places where blocks are missing or damaged */
	uint64_t gap_after_ms; /* the first: after an entry of this time */
	uint32_t gap_file;     /* ... in this file */
};

/* ERR_VERSION, ERR_DENIED, ERR_IO.  No directory is an empty ledger. */
MUST_USE enum err ledger_reader_open(struct io *io, struct io_dir *dir,
    const struct ledger_query *query, struct ledger_reader **reader);
void ledger_reader_close(struct ledger_reader *reader);
/*
 * The next entry, in the order of the log, good until the next call.  Only ids are sorted out
 * exactly: an entry of another time or domain may come as well.  ERR_END: no more for now; asked
 * again it gives what was written since.  ERR_AGAIN: what was read last was replaced by the server,
 * after a failure: begin again with another reader.
 */
MUST_USE enum err ledger_reader_next(struct ledger_reader *reader, struct ledger_entry *entry);
const struct ledger_seen *ledger_reader_seen(const struct ledger_reader *reader);
