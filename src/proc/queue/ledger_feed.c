/*
 * The spool's feed becomes the ledger's entries.  Nothing that goes wrong with the ledger is in the
 * way of mail: what it lacks stays in the spool's segments until it has it, and if that is more than
 * the disk holds, new mail gets 452.
 */
#include "proc/queue/ledger_feed.h"

#include "base/check.h"
#include "ledger/ledger.h"
#include "proc/queue/queue_internal.h"

struct ledger_feed {
	struct queue *queue;
	struct ledger *ledger;
	struct ledger_rcpt *rcpts; /* room for those of one message */
	uint32_t rcpt_room;
	bool first;      /* the ledger has nothing yet: what it meets may be older than it */
	bool recovering;
	struct map put;  /* first, recovering: the ids whose PUT was fed */
	struct io_timer release;
};

/* The end of a recipient in marks of the first format, which message.c reads. */
enum { FIRST_ENDED = 1 };

/* A question that waits until the ledger is durable. */
struct flush {
	struct ledger_op op;
	void (*done)(void *owner, uint64_t query, enum err err);
	void *owner;
	uint64_t query;
};

static void
add_envelope(struct ledger_feed *feed, uint64_t id, const struct envelope *envelope,
    uint64_t body_bytes, uint8_t flags)
{
	struct ledger_entry entry = {
	    .kind = LEDGER_ACCEPTED,
	    .id = id,
	    .wall_ms = envelope->arrival_wall_ms,
	    .reverse_path = envelope->reverse_path,
	    .client = envelope->client,
	    .login = envelope->login,
	    .body_bytes = body_bytes,
	    .flags = flags,
	    .rcpt_count = envelope->rcpt_count,
	};

	if (envelope->flags & IPC_MESSAGE_BOUNCE)
		entry.flags |= LEDGER_IS_BOUNCE;
	if (envelope->rcpt_count > feed->rcpt_room) {
		feed->rcpt_room = envelope->rcpt_count;
		feed->rcpts =
		    mem_realloc(feed->rcpts, feed->rcpt_room * sizeof(*feed->rcpts));
	}
	for (uint32_t i = 0; i < envelope->rcpt_count; i++) {
		const struct envelope_rcpt *rcpt = &envelope->rcpts[i];

		feed->rcpts[i] = (struct ledger_rcpt){.address = rcpt->address,
		    .original = rcpt->original.len ? rcpt->original : rcpt->address,
		    .mailbox =
		        rcpt->kind == IPC_TARGET_MAILBOX ? rcpt->mailbox : SPAN("")};
	}
	entry.rcpts = feed->rcpts;
	ledger_add(feed->ledger, &entry);
}

/* False: the bytes are no envelope, which found_message says. */
static bool
add_message(struct ledger_feed *feed, uint64_t id, struct span bytes, uint64_t body_bytes,
    uint8_t flags)
{
	struct envelope *envelope;
	struct buf copy;

	buf_init(&copy, SPOOL_ENVELOPE_BYTES_MAX);
	buf_add(&copy, bytes);
	if (buf_finish(&copy) || envelope_read(&copy, &envelope)) {
		buf_fini(&copy);
		return false;
	}
	add_envelope(feed, id, envelope, body_bytes, flags);
	envelope_free(envelope);
	return true;
}

static bool
entry_of(const struct mark *mark, struct ledger_entry *entry)
{
	static const enum ledger_kind kinds[MARK_KIND_END] = {
	    [MARK_ENDED] = LEDGER_ENDED,
	    [MARK_DEFERRED] = LEDGER_DEFERRED,
	    [MARK_HELD] = LEDGER_HELD,
	    [MARK_RELEASED] = LEDGER_RELEASED,
	    [MARK_ASIDE] = LEDGER_ASIDE,
	};
	static const enum ledger_end ends[END_KIND_END] = {
	    [END_DELIVERED] = LEDGER_DELIVERED,
	    [END_RELAYED] = LEDGER_RELAYED,
	    [END_BOUNCED] = LEDGER_BOUNCED,
	    [END_EXPIRED] = LEDGER_EXPIRED,
	    [END_DISCARDED] = LEDGER_DISCARDED,
	    [END_DELETED] = LEDGER_DELETED,
	};

	*entry = (struct ledger_entry){
	    .kind = kinds[mark->kind],
	    .wall_ms = mark->wall_ms,
	    .index = mark->index,
	    .in_doubt = mark->in_doubt,
	    .tries = mark->tries,
	    .next_wall_ms = mark->next_wall_ms,
	    .code = mark->code,
	    .status = mark->status,
	    .host = mark->remote,
	    .text = mark->text,
	    .bounce_id = mark->bounce_id,
	};
	if (mark->kind == MARK_ENDED)
		entry->end = ends[mark->end];
	return mark->kind != MARK_BEGUN;
}

/*
 * Marks of the first format were written before there was a ledger: an end is known, not which.
 * They are never longer than one mark; only what a new ledger meets at its first start has any.
 */
static void
add_old_mark(struct ledger_feed *feed, uint64_t id, struct span bytes)
{
	struct reader reader = reader_init(bytes);
	struct ledger_entry entry = {.kind = LEDGER_ENDED, .id = id, .end = LEDGER_UNKNOWN};

	if (reader_u8(&reader) != FIRST_ENDED)
		return;
	entry.index = reader_u32(&reader);
	entry.wall_ms = io_wall_ms(feed->queue->env->io);
	if (!reader.failed && entry.index < LEDGER_RCPTS_MAX)
		ledger_add(feed->ledger, &entry);
}

/* Gives whether an end was among them. */
static bool
add_marks(struct ledger_feed *feed, uint64_t id, struct span bytes)
{
	struct reader reader = reader_init(bytes);
	struct ledger_entry entry;
	struct mark mark;
	bool ended = false;

	if (bytes.len > 0 && (uint8_t)bytes.ptr[0] < MARK_ENDED) {
		add_old_mark(feed, id, bytes);
		return false;
	}
	while (reader.rest.len > 0 && mark_read(&reader, &mark)) {
		if (!entry_of(&mark, &entry) || mark.index >= LEDGER_RCPTS_MAX)
			continue;
		entry.id = id;
		ended |= entry.kind == LEDGER_ENDED;
		ledger_add(feed->ledger, &entry);
	}
	return ended;
}

static void
add_removed(struct ledger_feed *feed, uint64_t id, struct span why)
{
	const struct ledger_entry entry = {.kind = LEDGER_REMOVED,
	    .id = id,
	    .wall_ms = io_wall_ms(feed->queue->env->io),
	    .flags = feed->first && feed->recovering ? LEDGER_ADOPTED : 0};

	/* Usually the end of the last recipient says it all. */
	if (!add_marks(feed, id, why))
		ledger_add(feed->ledger, &entry);
}

static void
record(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct ledger_feed *feed = owner;

	if (position <= ledger_reached(feed->ledger)) {
		event_note(&feed->queue->env->log, "ledger_anew",
		    "the spool's log is another one than the ledger knows: it was made anew, "
		    "or brought back; the ledger goes on with it");
		ledger_begin_anew(feed->ledger);
	}
	switch (type) {
	case SPOOL_PUT:
		if (add_message(feed, id, payload, body_bytes, 0) && feed->first &&
		    feed->recovering)
			map_set_u64(&feed->put, id, feed);
		break;
	case SPOOL_MARK:
		(void)add_marks(feed, id, payload);
		break;
	case SPOOL_REMOVE:
		add_removed(feed, id, payload);
		break;
	case SPOOL_MOVE:
	case SPOOL_SEAL:
		break;
	}
	ledger_reach(feed->ledger, position);
}

/* Not in the spool's call: it may not be told inside of it. */
static void
want_release(void *owner, uint64_t position)
{
	struct ledger_feed *feed = owner;

	(void)position;
	if (!feed->recovering)
		io_timer_start(feed->queue->env->io, &feed->release, 0);
}

static void
release(struct io_timer *timer)
{
	struct ledger_feed *feed = timer->owner;

	ledger_sync(feed->ledger);
}

static void
made_durable(void *owner, uint64_t position)
{
	struct ledger_feed *feed = owner;

	if (!feed->recovering)
		spool_release(feed->queue->spool, position);
}

static void
failed(void *owner, enum err err, bool stopped)
{
	struct ledger_feed *feed = owner;
	struct event event;

	event_begin(&event, &feed->queue->env->log,
	    stopped ? "ledger_stopped" : "ledger_failed");
	event_err(&event, err);
	event_str(&event, "text", stopped
	        ? "the ledger could not be written for too long; what it lacks stays in the "
	          "spool, whose disk fills up, until postrider is started again; check the disk"
	        : "the ledger cannot be written, and is tried again; mail goes on; check the disk");
	event_end(&event);
}

static void
works(void *owner)
{
	struct ledger_feed *feed = owner;

	event_note(&feed->queue->env->log, "ledger_works",
	    "the ledger is written again, and lacks nothing");
}

struct ledger_feed *
ledger_feed_create(struct queue *queue)
{
	struct ledger_feed *feed = mem_alloc(sizeof(*feed));
	const struct ledger_options options = {
	    .keep_ms = queue->conf->ledger_keep_ms,
	    .bytes_max = queue->conf->ledger_bytes_max,
	    .idle_ms = LEDGER_IDLE_MS,
	    .retry_ms = LEDGER_RETRY_MS,
	    .owner = feed,
	    .durable = made_durable,
	    .failed = failed,
	    .works = works,
	};
	uint64_t seed[2];
	struct event event;
	enum err err;

	feed->queue = queue;
	feed->recovering = true;
	feed->release = (struct io_timer){.fired = release, .owner = feed};
	io_random(queue->env->io, seed, sizeof(seed));
	map_init(&feed->put, seed);
	err = ledger_open(queue->env->io, queue->dir, &options, &feed->ledger);
	if (!err) {
		feed->first = ledger_reached(feed->ledger) == 0;
		return feed;
	}
	map_fini(&feed->put);
	mem_free(feed);
	event_begin(&event, &queue->env->log, "ledger_not_opened");
	event_err(&event, err);
	event_str(&event, "text", err == ERR_VERSION
	        ? "it was written by a newer version of postrider, which is needed to go on "
	          "with it; nothing was changed"
	        : "its files, in ledger/ in the spool's directory, cannot be used");
	event_end(&event);
	return NULL;
}

void
ledger_feed_spool(
    struct ledger_feed *feed, struct spool_options *options, struct spool_scan *scan)
{
	options->feed = (struct spool_feed){feed, record};
	options->want_release = want_release;
	options->release_owner = feed;
	scan->since = ledger_reached(feed->ledger);
}

void
ledger_feed_found(
    struct ledger_feed *feed, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	if (feed->first && !map_get_u64(&feed->put, id))
		(void)add_message(feed, id, envelope, body_bytes, LEDGER_ADOPTED);
}

void
ledger_feed_run(struct ledger_feed *feed)
{
	feed->recovering = feed->first = false;
	map_fini(&feed->put);
	ledger_run(feed->ledger);
}

void
ledger_feed_reload(struct ledger_feed *feed)
{
	ledger_limits(feed->ledger, feed->queue->conf->ledger_keep_ms,
	    feed->queue->conf->ledger_bytes_max);
}

static void
flushed(struct ledger_op *op)
{
	struct flush *flush = op->owner;

	flush->done(flush->owner, flush->query, op->err);
	mem_free(flush);
}

void
ledger_feed_flush(struct ledger_feed *feed,
    void (*done)(void *owner, uint64_t query, enum err err), void *owner, uint64_t query)
{
	struct flush *flush = mem_alloc(sizeof(*flush));

	*flush = (struct flush){.done = done, .owner = owner, .query = query};
	flush->op = (struct ledger_op){.done = flushed, .owner = flush};
	ledger_flush(feed->ledger, &flush->op);
}
