/*
 * The spool: messages on stable storage, in append-only segment files.
 *
 * A message is put once (its envelope and body), marked as its recipients end
 * or wait, and removed.  The spool doesn't look into envelopes, marks or
 * bodies; it makes them durable, finds them again after a crash, and says which
 * are damaged.  docs/spool-format.md has the bytes and the invariants.
 *
 * Writers are batched: what waits is written with one write and made durable
 * with one fdatasync, while the next batch gathers.  A lone writer never waits
 * for company.  After a failed write or sync the spool is broken for good: it takes
 * nothing more (ERR_BROKEN); reading goes on.
 */
#pragma once

#include "base/buf.h"
#include "io/io.h"

enum {
	SPOOL_ID_EPOCH_SHIFT = 40,
	SPOOL_ENVELOPE_BYTES_MAX = 4 << 20,
	SPOOL_INLINE_BYTES_MAX = 1 << 20, /* larger bodies go to files of their own */
	SPOOL_MARK_BYTES_MAX = 64 << 10,
};

struct spool;
struct spool_body; /* a large body being written */

enum spool_record_type {
	SPOOL_PUT = 1,
	SPOOL_MOVE = 2, /* a PUT again, with the marks until then: replaces what was */
	SPOOL_MARK = 3,
	SPOOL_REMOVE = 4,
	SPOOL_SEAL = 5, /* first in each segment: how the one before ended */
};

/*
 * The feed gives each PUT, MARK and REMOVE once it is durable, in the order of the log: live,
 * before the operation ends; and at recovery, before the first message is reported, those whose
 * position is above scan->since.  A position grows with the log: segment sequence << 32 | end
 * of the record.  payload is the envelope, the mark, or why it was removed; body_bytes is of a
 * PUT.
 */
struct spool_feed {
	void *owner;
	void (*record)(void *owner, uint64_t position, enum spool_record_type type,
	    uint64_t id, struct span payload, uint64_t body_bytes);
};

struct spool_options {
	uint64_t segment_bytes;      /* 1 MB to 1 GB */
	uint64_t disk_reserve_bytes; /* spool_put says ERR_NO_SPACE when less would be free */
	struct spool_feed feed;      /* record NULL: no feed */
	/*
	 * Writes into out what the owner needs to know of a live message without its envelope and
	 * marks, for a checkpoint; nothing: read them from the log.  Called at any time, outside
	 * of the owner's calls.  NULL: as if it wrote nothing.
	 */
	void (*digest)(void *owner, uint64_t id, struct buf *out);
	void *digest_owner;
	/*
	 * The spool would use segments again, or publish a checkpoint, up to here: spool_release is
	 * to follow when what the feed gave until then is durable elsewhere.  NULL: nothing waits.
	 */
	void (*want_release)(void *owner, uint64_t position);
	void *release_owner;
	/* A checkpoint is due when the log has grown by so much since the last; 0: 256 MB. */
	uint64_t checkpoint_log_bytes;
	/* While puts come, compaction moves so many bytes for 100 of theirs; 0: 100. */
	unsigned compact_percent;
};

/* A write under way.  The caller owns it until done is called (never inside the call). */
struct spool_op {
	void (*done)(struct spool_op *op);
	void *owner;
	enum err err;
	struct spool_op *next; /* the spool's */
};

/* What start-up found: called for each live message, oldest first, then for its marks in order. */
struct spool_scan {
	void *owner;
	/* Before the first: about how many there are.  NULL: nobody wants to know. */
	void (*count)(void *owner, uint64_t messages);
	void (*message)(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes);
	void (*mark)(void *owner, uint64_t id, struct span mark);
	/* A record that is damaged: where, and which message if that can be told (else 0). */
	void (*damaged)(void *owner, const char *segment, uint64_t offset, uint64_t id);
	uint64_t since; /* the feed gives what has a position above this again */
	/*
	 * A live message known from a checkpoint; its marks after that follow by mark().  Not OK:
	 * the digest is not understood, and message() and all marks follow.  NULL: none is.
	 */
	enum err (*digest)(
	    void *owner, uint64_t id, struct span digest, uint64_t body_bytes);
};

/*
 * Opens (or makes) the spool in a directory, recovers, and reports what is live.  ERR_BUSY:
 * another server has it.  ERR_VERSION: it is from a newer version; nothing was changed.
 */
MUST_USE enum err spool_open(struct io *io, struct io_dir *dir,
    const struct spool_options *options, const struct spool_scan *scan,
    struct spool **spool);
/* Nothing may be under way.  NULL is nothing. */
void spool_close(struct spool *spool);
/*
 * A number that grows with each opening of this spool; durable before spool_open returns.  An id
 * has the epoch in which it was made above SPOOL_ID_EPOCH_SHIFT bits: where the disk has lost the
 * epoch, what lies in the log still tells which ones must not come again.
 */
uint64_t spool_epoch(const struct spool *spool);

/*
 * Makes a message durable; OK in op->err means that it survives a power cut.  envelope and body
 * must live until then.  ERR_NO_SPACE, ERR_BROKEN, ERR_EXISTS (id is in the spool): not taken.
 */
void spool_put(struct spool *spool, struct spool_op *op, uint64_t id, struct span envelope,
    struct span body);
/* Adds a state change.  op may be NULL: durable with a later batch, before any later put is. */
void spool_mark(struct spool *spool, struct spool_op *op, uint64_t id, struct span mark);
/* The message is over; why (copied) is for the feed alone.  op may be NULL, as above. */
void spool_remove(
    struct spool *spool, struct spool_op *op, uint64_t id, struct span why);
/* What the feed gave up to this position is durable elsewhere. */
void spool_release(struct spool *spool, uint64_t position);

/*
 * Large bodies.  begin makes a file; add keeps the bytes (copied) and writes them; put_body makes
 * the file durable, then the message that refers to it, and ends body in every case.  Errors
 * on the way come with put_body.  drop forgets all.
 */
struct spool_body *spool_body_begin(struct spool *spool);
void spool_body_add(struct spool_body *body, struct span bytes);
/* Bytes that add has kept and not yet written: stop feeding when it is much. */
size_t spool_body_pending(const struct spool_body *body);
void spool_body_drop(struct spool_body *body);
void spool_put_body(struct spool *spool, struct spool_op *op, uint64_t id,
    struct span envelope, struct spool_body *body);

/*
 * Reads up to count bytes of a message's body at offset into memory of the caller; op->count is
 * less than that only at its end.  ERR_NOT_FOUND, ERR_CORRUPT (checksum), ERR_IO.  The body
 * is checked as a whole before its first byte and again before its last one is given.
 */
void spool_read_body(struct spool *spool, struct io_op *op, uint64_t id, void *into,
    size_t count, uint64_t offset);
/*
 * Reads the envelope (added to envelope) and up to count bytes from the start of the body
 * (op->count) with one read where it can.  Errors as above.
 */
void spool_read_message(struct spool *spool, struct io_op *op, uint64_t id,
    struct buf *envelope, void *into, size_t count);
/* The envelope as it was put, into out; at once, from disk. */
MUST_USE enum err spool_read_envelope(struct spool *spool, uint64_t id, struct buf *out);

/* Observers. */
bool spool_is_broken(const struct spool *spool);
struct spool_numbers {
	uint64_t messages, live_bytes, disk_bytes, segments;
	uint64_t puts, marks, removes, batches, checkpoints; /* since the opening */
};
void spool_numbers(const struct spool *spool, struct spool_numbers *numbers);
/* Calls after(owner) when nothing is under way any more: all that was given is durable. */
void spool_flush(struct spool *spool, struct spool_op *op);
