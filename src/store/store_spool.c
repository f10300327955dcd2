/*
 * The spool behind the table of a store.  Nothing is kept or decided here: calls go through, and
 * operations and reports come back as the store's own types.
 */
#include "store/store_spool.h"

#include "base/arena.h"
#include "base/check.h"
#include "spool/spool.h"

struct store_spool {
	struct store store; /* first: a struct store is cast to this */
	struct spool *spool;
	struct store_options options;
};

_Static_assert(sizeof(struct spool_op) <= sizeof(((struct store_op *)0)->room),
    "the spool's operation has room in the store's");
_Static_assert((int)STORE_PUT == SPOOL_PUT && (int)STORE_MARK == SPOOL_MARK &&
		   (int)STORE_REMOVE == SPOOL_REMOVE,
    "changes have the numbers of records");
_Static_assert((int)STORE_ID_EPOCH_SHIFT == SPOOL_ID_EPOCH_SHIFT, "both are the id's");
_Static_assert((int)STORE_ENVELOPE_BYTES_MAX == SPOOL_ENVELOPE_BYTES_MAX &&
		   (int)STORE_INLINE_BYTES_MAX == SPOOL_INLINE_BYTES_MAX &&
		   (int)STORE_MARK_BYTES_MAX == SPOOL_MARK_BYTES_MAX,
    "the limits are those of the spool");

static struct spool *
spool_of(const struct store *store)
{
	return ((const struct store_spool *)(const void *)store)->spool;
}

static void
op_done(struct spool_op *done)
{
	struct store_op *op = done->owner;

	op->err = done->err;
	op->done(op);
}

/* The spool's operation within the store's; NULL stays NULL. */
static struct spool_op *
inner(struct store_op *op)
{
	struct spool_op *inner;

	if (!op)
		return NULL;
	inner = (struct spool_op *)(void *)op->room;
	*inner = (struct spool_op){.done = op_done, .owner = op};
	return inner;
}

static void
close_spool(struct store *store)
{
	spool_close(spool_of(store));
	mem_free(store);
}

static uint64_t
epoch(const struct store *store)
{
	return spool_epoch(spool_of(store));
}

static void
put(struct store *store, struct store_op *op, uint64_t id, struct span envelope,
    struct span body)
{
	spool_put(spool_of(store), inner(op), id, envelope, body);
}

static void
mark(struct store *store, struct store_op *op, uint64_t id, struct span bytes)
{
	spool_mark(spool_of(store), inner(op), id, bytes);
}

static void
remove_message(struct store *store, struct store_op *op, uint64_t id, struct span why)
{
	spool_remove(spool_of(store), inner(op), id, why);
}

static void
release(struct store *store, uint64_t position)
{
	spool_release(spool_of(store), position);
}

/* A struct store_body is a struct spool_body. */
static struct store_body *
body_begin(struct store *store)
{
	return (struct store_body *)(void *)spool_body_begin(spool_of(store));
}

static void
body_add(struct store_body *body, struct span bytes)
{
	spool_body_add((struct spool_body *)(void *)body, bytes);
}

static size_t
body_pending(const struct store_body *body)
{
	return spool_body_pending((const struct spool_body *)(const void *)body);
}

static void
body_drop(struct store_body *body)
{
	spool_body_drop((struct spool_body *)(void *)body);
}

static void
put_body(struct store *store, struct store_op *op, uint64_t id, struct span envelope,
    struct store_body *body)
{
	spool_put_body(spool_of(store), inner(op), id, envelope,
	    (struct spool_body *)(void *)body);
}

static void
read_body(struct store *store, struct io_op *op, uint64_t id, void *into, size_t count,
    uint64_t offset)
{
	spool_read_body(spool_of(store), op, id, into, count, offset);
}

static void
read_message(struct store *store, struct io_op *op, uint64_t id, struct buf *envelope,
    void *into, size_t count)
{
	spool_read_message(spool_of(store), op, id, envelope, into, count);
}

static enum err
read_envelope(struct store *store, uint64_t id, struct buf *out)
{
	return spool_read_envelope(spool_of(store), id, out);
}

static bool
is_broken(const struct store *store)
{
	return spool_is_broken(spool_of(store));
}

static void
numbers(const struct store *store, struct store_numbers *out)
{
	struct spool_numbers found;

	spool_numbers(spool_of(store), &found);
	*out = (struct store_numbers){
	    .messages = found.messages,
	    .live_bytes = found.live_bytes,
	    .disk_bytes = found.disk_bytes,
	    .puts = found.puts,
	    .marks = found.marks,
	    .removes = found.removes,
	};
}

static void
flush(struct store *store, struct store_op *op)
{
	spool_flush(spool_of(store), inner(op));
}

static const struct store_methods methods = {
    .close = close_spool,
    .epoch = epoch,
    .put = put,
    .mark = mark,
    .remove = remove_message,
    .release = release,
    .body_begin = body_begin,
    .body_add = body_add,
    .body_pending = body_pending,
    .body_drop = body_drop,
    .put_body = put_body,
    .read_body = read_body,
    .read_message = read_message,
    .read_envelope = read_envelope,
    .is_broken = is_broken,
    .numbers = numbers,
    .flush = flush,
};

static void
record(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	const struct store_options *options = &((struct store_spool *)owner)->options;

	check(type == SPOOL_PUT || type == SPOOL_MARK || type == SPOOL_REMOVE);
	options->record(options->record_owner, position, (enum store_change)type, id,
	    payload, body_bytes);
}

enum err
store_spool_open(struct io *io, struct io_dir *dir,
    const struct store_spool_options *spool_options, const struct store_options *options,
    const struct store_scan *scan, struct store **store)
{
	struct store_spool *made = mem_alloc(sizeof(*made));
	const struct spool_options inner_options = {
	    .segment_bytes = spool_options->segment_bytes,
	    .disk_reserve_bytes = spool_options->disk_reserve_bytes,
	    .feed = {.owner = made, .record = options->record ? record : NULL},
	    .digest = options->digest,
	    .digest_owner = options->digest_owner,
	    .want_release = options->want_release,
	    .release_owner = options->release_owner,
	};
	const struct spool_scan inner_scan = {
	    .owner = scan->owner,
	    .message = scan->message,
	    .mark = scan->mark,
	    .damaged = scan->damaged,
	    .digest = scan->digest,
	    .count = scan->count,
	    .since = scan->since,
	};
	enum err err;

	made->store.methods = &methods;
	made->options = *options;
	err = spool_open(io, dir, &inner_options, &inner_scan, &made->spool);
	if (err) {
		mem_free(made);
		return err;
	}
	*store = &made->store;
	return OK;
}
