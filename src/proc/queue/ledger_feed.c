/*
 * The spool's feed becomes the ledger's entries.  Nothing that goes wrong with the ledger is in
 * the way of mail: what it lacks stays in the spool's segments until it has it, and if that is
 * more than the disk holds, new mail gets 452.
 */
#include "proc/queue/ledger_feed.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "ledger/ledger.h"
#include "proc/queue/ledger_record.h"
#include "proc/queue/queue_internal.h"

struct ledger_feed {
	struct queue *queue;
	struct ledger *ledger;
	struct ledger_recorder recorder;
	bool first; /* recovering, and the ledger has nothing yet: what it meets is older than it */
	bool recovering;
	struct map put; /* first: the ids whose PUT was fed */
	struct io_timer release;
};

/* A question that waits until the ledger is durable. */
struct flush {
	struct ledger_op op;
	void (*done)(void *owner, uint64_t query, enum err err);
	void *owner;
	uint64_t query;
};

static void
add(void *owner, const struct ledger_entry *entry)
{
	struct ledger_feed *feed = owner;

	if (SIM_BUG(LEDGER_FORGETS) && entry->kind == LEDGER_ENDED && entry->index > 0)
		return;
	ledger_add(feed->ledger, entry);
}

static void
record(void *owner, uint64_t position, enum store_change type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct ledger_feed *feed = owner;

	if (position <= ledger_reached(feed->ledger)) {
		event_note(&feed->queue->env->log, "ledger_anew",
		    "the spool's log is another one than the ledger knows: it was made anew, "
		    "or brought back; the ledger goes on with it");
		ledger_begin_anew(feed->ledger);
	}
	if (feed->first && type == STORE_PUT)
		map_set_u64(&feed->put, id, feed);
	/* Of an older message all but what it is now is gone, or may be. */
	if (!feed->first || map_get_u64(&feed->put, id))
		ledger_record(&feed->recorder, type, id, payload, body_bytes,
		    (feed->first ? LEDGER_BEFORE : 0) |
			(feed->recovering ? LEDGER_READ_BACK : 0));
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
		store_release(feed->queue->store, position);
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
	feed->recorder = (struct ledger_recorder){
	    .io = queue->env->io, .owner = feed, .add = add};
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
    struct ledger_feed *feed, struct store_options *options, struct store_scan *scan)
{
	options->record = record;
	options->record_owner = feed;
	options->want_release = want_release;
	options->release_owner = feed;
	scan->since = ledger_reached(feed->ledger);
}

/* A message that was in the spool before there was a ledger: it is accepted now, as it is. */
static void
adopt(struct ledger_feed *feed, uint32_t slot)
{
	struct queue *queue = feed->queue;
	struct sched_message message;
	struct buf envelope;

	sched_message_get(queue->sched, slot, &message);
	if (map_get_u64(&feed->put, message.id))
		return;
	buf_init(&envelope, STORE_ENVELOPE_BYTES_MAX);
	if (store_read_envelope(queue->store, message.id, &envelope) == OK)
		ledger_record(&feed->recorder, STORE_PUT, message.id, buf_span(&envelope),
		    message.body_bytes, LEDGER_BEFORE | LEDGER_FOUND);
	buf_fini(&envelope);
	for (uint32_t i = 0; i < message.rcpt_count; i++) {
		const struct ledger_entry entry = {.kind = LEDGER_ENDED,
		    .id = message.id,
		    .wall_ms = io_wall_ms(queue->env->io),
		    .index = i,
		    .end = LEDGER_UNKNOWN};

		if (sched_rcpt_find(queue->sched, slot, i) == SCHED_NONE)
			ledger_add(feed->ledger, &entry);
	}
}

void
ledger_feed_run(struct ledger_feed *feed)
{
	struct sched *sched = feed->queue->sched;

	for (uint32_t slot = sched_message_first(sched); feed->first && slot != SCHED_NONE;
	     slot = sched_message_next(sched, slot))
		adopt(feed, slot);
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
