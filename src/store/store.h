/*
 * Where the queue keeps its messages: what it asks of a store, and nothing of how it is done.
 * The spool on this machine's disk is one store (store_spool.h); a database can be another.
 *
 * A message is put once (its envelope and body), marked as its recipients end or wait, and removed.
 * A store looks into none of these.  It makes them durable in the order of the calls,
 * finds them again at the next start, and gives what it made durable as a feed.
 *
 * An implementation's struct begins with a struct store, whose methods are its table.  No
 * operation ends inside the call that started it.
 */
#pragma once

#include "base/buf.h"
#include "io/io.h"

enum {
	STORE_ID_EPOCH_SHIFT = 40, /* above so many bits an id has the epoch in which it was made */
	STORE_ENVELOPE_BYTES_MAX = 4 << 20,
	STORE_INLINE_BYTES_MAX = 1 << 20, /* larger bodies come in pieces: store_body_begin */
	STORE_MARK_BYTES_MAX = 64 << 10, /* also of a removal's why */
};

struct store;
struct store_body; /* a large body being written */

/* A write under way.  The caller owns it until done is called. */
struct store_op {
	void (*done)(struct store_op *op);
	void *owner;
	enum err err;
	void *room[4]; /* the implementation's, while under way */
};

/* The numbers are those of the spool's records. */
enum store_change { STORE_PUT = 1, STORE_MARK = 3, STORE_REMOVE = 4 };

/* What a store is asked to do besides: told once, when it is opened. */
struct store_options {
	/*
	 * The feed: each change once it is durable, in order: live, before its operation ends; and
	 * when it is opened, before the first message is reported, those with a position above
	 * store_scan.since.  Positions grow.  payload is the envelope, the mark, or why the message
	 * was removed; body_bytes is of a PUT.  NULL: no feed.
	 */
	void (*record)(void *owner, uint64_t position, enum store_change change, uint64_t id,
	    struct span payload, uint64_t body_bytes);
	void *record_owner;
	/*
	 * Writes into out what the owner needs to know of a live message without its envelope and
	 * marks, to be told so at a later opening; nothing: there all is read.  NULL: as nothing.
	 */
	void (*digest)(void *owner, uint64_t id, struct buf *out);
	void *digest_owner;
	/*
	 * The store would forget what the feed gave up to here: store_release is to follow when
	 * that is durable elsewhere.  NULL: nothing waits for it.
	 */
	void (*want_release)(void *owner, uint64_t position);
	void *release_owner;
};

/* What is found when it is opened: each live message, oldest first, then its marks in order. */
struct store_scan {
	void *owner;
	/* Before the first: about how many there are.  NULL: nobody wants to know. */
	void (*count)(void *owner, uint64_t messages);
	void (*message)(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes);
	void (*mark)(void *owner, uint64_t id, struct span mark);
	/* What is damaged: where, and which message if that can be told (else 0). */
	void (*damaged)(void *owner, const char *place, uint64_t offset, uint64_t id);
	/*
	 * A live message by its digest; marks since then follow by mark().  Not OK: the digest is
	 * not understood, and message() and all marks follow.  NULL: none is.
	 */
	enum err (*digest)(
	    void *owner, uint64_t id, struct span digest, uint64_t body_bytes);
	uint64_t since;
};

struct store_numbers {
	uint64_t messages, live_bytes, disk_bytes;
	uint64_t puts, marks, removes; /* since the opening */
};

struct store_methods {
	void (*close)(struct store *store);
	uint64_t (*epoch)(const struct store *store);
	void (*put)(struct store *store, struct store_op *op, uint64_t id,
	    struct span envelope, struct span body);
	void (*mark)(
	    struct store *store, struct store_op *op, uint64_t id, struct span mark);
	void (*remove)(
	    struct store *store, struct store_op *op, uint64_t id, struct span why);
	void (*release)(struct store *store, uint64_t position);
	struct store_body *(*body_begin)(struct store *store);
	void (*body_add)(struct store_body *body, struct span bytes);
	size_t (*body_pending)(const struct store_body *body);
	void (*body_drop)(struct store_body *body);
	void (*put_body)(struct store *store, struct store_op *op, uint64_t id,
	    struct span envelope, struct store_body *body);
	void (*read_body)(struct store *store, struct io_op *op, uint64_t id, void *into,
	    size_t count, uint64_t offset);
	void (*read_message)(struct store *store, struct io_op *op, uint64_t id,
	    struct buf *envelope, void *into, size_t count);
	enum err (*read_envelope)(struct store *store, uint64_t id, struct buf *out);
	bool (*is_broken)(const struct store *store);
	void (*numbers)(const struct store *store, struct store_numbers *numbers);
	void (*flush)(struct store *store, struct store_op *op);
};

struct store {
	const struct store_methods *methods;
};

/* Nothing may be under way.  NULL is nothing. */
static inline void
store_close(struct store *store)
{
	if (store)
		store->methods->close(store);
}

/* A number that grows with each opening; durable before that ends. */
static inline uint64_t
store_epoch(const struct store *store)
{
	return store->methods->epoch(store);
}

/*
 * Makes a message durable; OK in op->err means that it survives a power cut.  envelope and body
 * must live until then.  ERR_NO_SPACE, ERR_EXISTS: not taken.  ERR_BROKEN: the store takes
 * nothing more until it is opened again; reading goes on.
 */
static inline void
store_put(struct store *store, struct store_op *op, uint64_t id, struct span envelope,
    struct span body)
{
	store->methods->put(store, op, id, envelope, body);
}

/* Adds a state change (copied).  op may be NULL: durable before any later put is. */
static inline void
store_mark(struct store *store, struct store_op *op, uint64_t id, struct span mark)
{
	store->methods->mark(store, op, id, mark);
}

/* The message is over; why (copied) is for the feed alone.  op may be NULL, as above. */
static inline void
store_remove(struct store *store, struct store_op *op, uint64_t id, struct span why)
{
	store->methods->remove(store, op, id, why);
}

/* What the feed gave up to this position is durable elsewhere. */
static inline void
store_release(struct store *store, uint64_t position)
{
	store->methods->release(store, position);
}

/*
 * Large bodies.  add keeps the bytes (copied); put_body makes body and message durable, and ends
 * body in every case.  Errors on the way come with put_body.  drop forgets all.
 */
static inline struct store_body *
store_body_begin(struct store *store)
{
	return store->methods->body_begin(store);
}

static inline void
store_body_add(struct store *store, struct store_body *body, struct span bytes)
{
	store->methods->body_add(body, bytes);
}

/* Bytes that add has kept and not yet passed on: stop feeding when it is much. */
static inline size_t
store_body_pending(const struct store *store, const struct store_body *body)
{
	return store->methods->body_pending(body);
}

static inline void
store_body_drop(struct store *store, struct store_body *body)
{
	store->methods->body_drop(body);
}

static inline void
store_put_body(struct store *store, struct store_op *op, uint64_t id,
    struct span envelope, struct store_body *body)
{
	store->methods->put_body(store, op, id, envelope, body);
}

/*
 * Reads up to count bytes of a message's body at offset into memory of the caller; op->count is
 * less than that only at its end.  ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO.
 */
static inline void
store_read_body(struct store *store, struct io_op *op, uint64_t id, void *into,
    size_t count, uint64_t offset)
{
	store->methods->read_body(store, op, id, into, count, offset);
}

/* Reads the envelope (added to envelope) and up to count bytes from the body's start. */
static inline void
store_read_message(struct store *store, struct io_op *op, uint64_t id,
    struct buf *envelope, void *into, size_t count)
{
	store->methods->read_message(store, op, id, envelope, into, count);
}

/* The envelope, at once: only for what an operator asks about one message. */
MUST_USE static inline enum err
store_read_envelope(struct store *store, uint64_t id, struct buf *out)
{
	return store->methods->read_envelope(store, id, out);
}

static inline bool
store_is_broken(const struct store *store)
{
	return store->methods->is_broken(store);
}

static inline void
store_numbers(const struct store *store, struct store_numbers *numbers)
{
	store->methods->numbers(store, numbers);
}

/* Ends when nothing is under way any more: all that was given is durable. */
static inline void
store_flush(struct store *store, struct store_op *op)
{
	store->methods->flush(store, op);
}
