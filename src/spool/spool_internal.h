/*
 * What the files of src/spool/ share; nobody else includes it.
 *
 * A segment's life (the state is its list, moved by spool_segment_* only):
 *
 *   FREE ──prepare──► PREPARING ──header durable──► READY ──advance──► USED
 *    ▲                                                                  │
 *    └────────────── oldest, and no live message in it ─────────────────┘
 */
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "spool/spool_block.h"
#include "spool/spool_index.h"
#include "spool/spool_overlap.h"
#include "spool/spool_record.h"

enum {
	BATCHES_MAX = 4, /* written or being synced at a time */
	LAZY_MS = 2, /* what nobody waits for waits so long for company */
	SEGMENTS_READY = 2, /* prepared ahead; the last is kept for marks and removes */
	SEGMENTS_UNSYNCED = 8, /* a kill may leave so many with writes not yet synced */
	SEGMENTS_MAX = 65535, /* a segment's number is 16 bits */
	SEGMENT_SLACK = 4, /* segments beyond twice what lives, before compaction */
	BATCH_BYTES = 4 << 20, /* a batch is closed when it has so much */
	BATCH_HEADS = 512 << 10, /* memory for its headers and small parts */
	BATCH_SMALL = 2048, /* parts up to here are copied there */
	COMPACT_PERCENT = 100, /* bytes that compaction moves for 100 that are put */
	COMPACT_CREDIT_MAX = 8 << 20, /* what it may save up */
	COMPACT_IDLE_MS = 20, /* without puts for so long it goes as fast as it can */
	COPIES_MAX = 16, /* messages that compaction moves at a time */
	FILES_KEPT = 16, /* open body files kept for the next read */
	SPACE_CHECK_MS = 1000,
	NAME_BYTES = 40,
};

enum segment_state {
	SEGMENT_FREE,
	SEGMENT_PREPARING,
	SEGMENT_READY,
	SEGMENT_USED,
	SEGMENT_DEAD, /* header unreadable: kept as it is, never written */
};

struct segment {
	struct list link;
	enum segment_state state;
	uint16_t number; /* of the file */
	struct io_file *file;
	struct io_file *syncs[BATCHES_MAX]; /* the same file again; see spool_write.c */
	struct spool_head head;
	struct spool_key key;
	uint64_t end; /* after the last record given a place */
	uint64_t durable; /* after the last durable one */
	uint64_t message_count, live_bytes;
	uint32_t first, last; /* its messages */
	unsigned pins; /* reads under way: not to be used again */
	bool filled; /* all of it was written before, so that it is only written over */
	bool filling; /* zeros are being written: not to become the head */
	uint64_t fill_at;
	bool listed; /* at start-up: a checkpoint names it */
	bool second_torn; /* the header's second copy; the first is whole */
	uint64_t fed; /* position of its last record that the feed gave */
	unsigned removals; /* of its messages, not durable yet: not to be freed */
	uint64_t gap; /* a torn batch left one here, and records go on behind it; 0: none */
};

/* A record that waits for a batch or is in one. */
struct spool_write {
	struct list link;
	struct spool_op *op; /* or NULL */
	struct spool_record record;
	struct span envelope, marks, body;
	uint64_t file; /* SPOOL_BODY_FILE: its number; of a REMOVE: to be unlinked */
	uint32_t slot; /* PUT, MOVE: the message */
	struct spool_copy *copy; /* MOVE: who wants it */
	void *memory; /* freed with this */
	struct segment *from; /* REMOVE: where its message was */
	struct segment *segment;
	uint64_t offset;
};

/* IDLE → WRITING → SYNCING → SYNCED, and IDLE when all before it are. */
enum batch_state { BATCH_IDLE, BATCH_WRITING, BATCH_SYNCING, BATCH_SYNCED };

struct spool_batch {
	struct spool *spool;
	enum batch_state state;
	size_t number;
	struct list writes;
	struct segment *segment;
	uint64_t start, bytes;
	uint64_t began_ms;
	bool beside; /* others were under way when it began */
	bool mixed; /* one began while it was */
	struct span spans[IO_WRITE_SPANS_MAX];
	size_t span_count;
	char *heads;
	size_t heads_used;
	struct io_op op;
};

/* Compaction of one message. */
struct spool_copy {
	struct spool *spool;
	bool busy;
	uint32_t slot;
	uint64_t id;
	uint16_t segment;
	uint32_t offset, bytes;
	uint32_t mark, last_mark; /* being read; the last that is taken along */
	uint32_t marks_before;
	struct spool_record record;
	char *memory, *mark_memory;
	struct buf marks;
	struct io_op op;
};

struct spool_prepare {
	struct segment *segment; /* NULL: nothing under way */
	bool created;
	size_t sync; /* the handle being opened */
	char head[SPOOL_HEAD_BYTES];
	char name[NAME_BYTES];
	struct io_op op;
};

enum checkpoint_state {
	CHECKPOINT_IDLE,
	CHECKPOINT_OPENING,
	CHECKPOINT_WRITING,
	CHECKPOINT_PACING,
	CHECKPOINT_SYNCING,
	CHECKPOINT_WAITING,
	CHECKPOINT_RENAMING,
	CHECKPOINT_NAMING,
};

/* See spool_checkpoint.c. */
struct spool_checkpoint {
	enum checkpoint_state state;
	bool final; /* at a clean end: in a hurry */
	bool ended; /* the last block is written */
	struct io_file *file;
	uint64_t salt, begin, fed, count;
	uint64_t sequence; /* the segment that is written down */
	uint32_t slot; /* its next message; 0: none */
	uint64_t written, synced;
	uint64_t until; /* of log_bytes: must be durable before it is published */
	uint64_t began_log_bytes, at_log_bytes; /* log_bytes at its begin; of the last one */
	uint64_t last_bytes; /* size of the last one */
	uint64_t began_ms, retry_ms;
	char head[SPOOL_CHECKPOINT_HEAD];
	struct buf entries, digests;
	struct io_timer pace;
	struct io_op op;
};

struct spool {
	struct io *io;
	struct io_dir *dir;
	struct spool_options options;
	uint64_t epoch;
	uint64_t files_made; /* body files of this run */
	bool broken;
	struct spool_index index;

	struct segment **segments; /* by number; NULL: no such file */
	size_t segment_count;
	struct list used, ready, free; /* by sequence */
	size_t used_count, ready_count, free_count;
	struct segment *head; /* takes records; NULL: the first write takes one */
	struct spool_seal seal; /* what the next head will say of the one before */
	uint64_t sequence; /* the last given out */
	uint64_t durable_oldest;
	uint64_t live_bytes, file_bytes;
	struct spool_prepare prepare;
	struct segment *fill; /* a segment that is filled; NULL: none */
	uint64_t fill_began_ms, fill_synced;
	struct io_timer fill_pace;
	struct io_op fill_op;
	uint64_t full_until_ms; /* no try to allocate before */
	uint64_t space_checked_ms;
	bool space_known, space_enough;

	struct list waiting; /* writes without a batch */
	struct spool_batch batches[BATCHES_MAX]; /* a ring */
	size_t batch_first, batch_count; /* those under way, oldest first */
	struct spool_overlap overlap;
	uint64_t waiting_bytes;
	size_t eager; /* how many of those that wait have somebody who waits for them */
	uint64_t lazy_since_ms; /* when the first came */
	struct io_timer ripe; /* when the next batch may begin beside those under way */
	struct spool_copy copies[COPIES_MAX];

	struct spool_op *finished, **finished_end; /* done is owed */
	struct list reads_finished;
	struct spool_kept_file {
		uint64_t number; /* 0: nothing */
		struct io_file *file;
	} kept[FILES_KEPT];
	size_t kept_next;
	struct io_timer soon;
	struct io_timer later; /* looks again what may start */
	struct spool_op *flushes, **flushes_end;
	bool quiet; /* nothing is begun beside writes */
	unsigned running; /* chains of operations under way beside the batch */
	struct spool_numbers numbers;
	uint64_t compact_credit; /* bytes that compaction may move beside puts */
	uint64_t put_ms; /* when the last put came */
	uint64_t log_bytes, log_bytes_durable; /* put into the log since some time */
	bool finishing; /* operations of a batch are being ended */
	struct spool_checkpoint checkpoint;
	uint64_t fed; /* position of the last record that the feed gave */
	uint64_t wanted; /* position that the last want_release asked for */
	uint64_t released; /* position up to which the feed is durable elsewhere */
};

/* Up to where what is written into the segment now may say that it is durable. */
static inline uint64_t
spool_segment_proven(const struct segment *segment)
{
	return segment->gap && segment->gap < segment->durable ? segment->gap
							       : segment->durable;
}

static inline uint64_t
spool_position(const struct segment *segment, uint64_t offset)
{
	return segment->head.sequence << 32 | offset;
}

/* spool.c: the queue of what waits, and what is owed to callers. */
void spool_enqueue(struct spool *spool, struct spool_write *write);
void spool_finish_op(struct spool *spool, struct spool_op *op, enum err err);
void
spool_put_record(struct spool *spool, struct spool_op *op, struct spool_write *write);
/* Something ended: starts what may start now, and ends flushes. */
void spool_settle(struct spool *spool);
bool spool_has_space(struct spool *spool);

/* Asks for the release of what the feed gave up to a position, once for each. */
void spool_want_release(struct spool *spool, uint64_t position);

/* spool_checkpoint.c */
void spool_checkpoint_init(struct spool *spool);
void spool_checkpoint_fini(struct spool *spool);
/* Begins one if it is time, and goes on with one that waited. */
void spool_checkpoint_kick(struct spool *spool);
bool spool_checkpoint_final(struct spool *spool);
void spool_checkpoint_detach(struct spool *spool, uint32_t slot);

/* spool_write.c */
void spool_write_init(struct spool *spool);
void spool_write_fini(struct spool *spool);
void spool_write_kick(struct spool *spool);
void spool_write_free(struct spool_write *write);
void spool_break(struct spool *spool);

/* spool_segment.c */
struct segment *spool_segment_add(struct spool *spool, uint16_t number);
void spool_segment_drop(struct spool *spool, struct segment *segment);
void spool_segment_move(
    struct spool *spool, struct segment *segment, enum segment_state state);
void spool_segment_name(char name[NAME_BYTES], uint16_t number);
/* Opens the handles that batches are synced by, at once; for start-up. */
enum err spool_segment_open_syncs(struct spool *spool, struct segment *segment);
void spool_segment_close_syncs(struct segment *segment);
/* Takes the next ready segment as head. */
void spool_segment_advance(struct spool *spool);
void spool_segment_free_oldest(struct spool *spool);
void spool_segment_attach(struct spool *spool, struct segment *segment, uint32_t slot);
void spool_segment_detach(struct spool *spool, uint32_t slot);
/* The first of a list of them; NULL: it is empty. */
struct segment *spool_segment_first(struct list *list);
/* Bytes of a message's record, without marks in records of their own. */
uint64_t spool_message_record_bytes(const struct spool_message *message);
uint64_t spool_message_rest_bytes(const struct spool_message *message);

/* spool_prepare.c */
/* Starts to make a segment ready if there are too few; false where that is impossible. */
bool spool_segment_prepare(struct spool *spool);
/* The same at once, for start-up. */
enum err spool_segment_prepare_now(struct spool *spool);
void spool_segment_trim(struct spool *spool);

/* spool_fill.c: fills a new segment ahead of its use; no more is begun after fini. */
void spool_fill_init(struct spool *spool);
void spool_fill_fini(struct spool *spool);
void spool_fill_kick(struct spool *spool);

/* spool_compact.c */
void spool_compact(struct spool *spool);
/* So many bytes were put. */
void spool_compact_pay(struct spool *spool, uint64_t bytes);
bool spool_copy_holds(const struct spool_copy *copy);
void spool_copy_moved(struct spool_copy *copy, const struct spool_write *write);
void spool_copy_end(struct spool_copy *copy);

/* spool_body.c */
void spool_body_name(char name[NAME_BYTES], uint64_t number);
void spool_body_unlink(struct spool *spool, uint64_t number);

/* spool_read.c */
void spool_reads_call(struct spool *spool);
/* Closes a body file that is kept open; 0: all of them. */
void spool_read_forget(struct spool *spool, uint64_t number);
/*
 * Reads at once and checks: a message's record without its inline body, or a
 * mark's record.  *memory is the caller's to free in every case.
 */
MUST_USE enum err
spool_read_head(struct spool *spool, const struct spool_message *message, char **memory,
    struct spool_record *record, struct span *payload);
MUST_USE enum err spool_read_mark(struct spool *spool,
    const struct spool_mark_place *place, uint64_t id, char **memory, struct span *mark);

/* spool_recover.c */
enum err spool_recover(struct spool *spool, const struct spool_scan *scan);
