/*
 * Answers to operators: messages one after the other, with what the scheduler knows of their
 * recipients, and why each of these waits.  The envelopes are read from the spool, some at a
 * time, and given out in order.
 *
 * Where only some recipients are asked for, a part of the queue is looked at for each answer,
 * and the answer says where to go on: nobody waits while an operator looks for something.
 */
#include "proc/queue/queue_internal.h"

#include <assert.h>

#include "base/check.h"
#include "proc/queue/queue_limits.h"

/* A page ends early when so much of it waits for admin to take it. */
enum {
	READS_MAX = 32,
	PAGE_BYTES = 1 << 20,
	RCPTS_SHOWN_MAX = 1000,
	LOOKS_MAX = 50000, /* at recipients, for one answer */
};

struct listed {
	struct listing *listing;
	uint64_t id;
	struct buf envelope;
	struct io_op read;
	bool done;
};

struct listing {
	struct queue *queue;
	struct list node; /* in queue->listings */
	uint64_t query, sent;
	uint32_t count;   /* messages to be given */
	uint32_t started; /* whose envelope is being read, or has been */
	uint32_t given;
	uint32_t reading;
	uint64_t last;    /* the message that was looked at last */
	bool more;        /* there are others behind it */
	bool stopped; /* nobody listens any more */
	struct span match; /* a selector of destinations; the bytes are behind the messages */
	bool from_start;
	uint32_t reasons;  /* bits of enum ipc_why; 0: all */
	char pool[IPC_POOL_MAX]; /* that messages name; none: all */
	size_t pool_bytes;
	struct listed messages[];
};

static_assert(SCHED_WHY_TIME == (int)IPC_WHY_TIME && SCHED_WHY_DOWN == (int)IPC_WHY_DOWN &&
	SCHED_WHY_PROBE == (int)IPC_WHY_PROBE &&
	SCHED_WHY_WINDOW == (int)IPC_WHY_WINDOW &&
	SCHED_WHY_RATE == (int)IPC_WHY_RATE && SCHED_WHY_TURN == (int)IPC_WHY_TURN &&
	SCHED_WHY_HELD == (int)IPC_WHY_HELD && SCHED_WHY_ASIDE == (int)IPC_WHY_ASIDE &&
	SCHED_WHY_SUSPECT == (int)IPC_WHY_SUSPECT &&
	SCHED_WHY_ACTIVE == (int)IPC_WHY_ACTIVE &&
	SCHED_WHY_BOUNCING == (int)IPC_WHY_BOUNCING &&
	SCHED_WHY_UNTIL == (int)IPC_WHY_UNTIL &&
	SCHED_WHY_SUSPENDED == (int)IPC_WHY_SUSPENDED &&
	SCHED_WHY_PAUSE == (int)IPC_WHY_PAUSE && SCHED_WHY_SITE == (int)IPC_WHY_SITE &&
	SCHED_WHY_SITE_RATE == (int)IPC_WHY_SITE_RATE &&
	SCHED_WHY_FULL == (int)IPC_WHY_FULL &&
	SCHED_WHY_COUNT == (int)IPC_WHY_SOURCE && IPC_WHY_SOURCE + 1 == IPC_WHY_COUNT,
    "the scheduler's reasons are those of the link, but for the last");

/* Why it waits; of shares the scheduler knows nothing but the time. */
static enum ipc_why
why_of(const struct sched *sched, uint32_t at, struct sched_why *why)
{
	struct sched_rcpt rcpt;
	struct sched_reply reply;

	sched_why(sched, at, why);
	if (why->reason != SCHED_WHY_TIME)
		return (enum ipc_why)why->reason;
	sched_rcpt_get(sched, at, &rcpt);
	reply = sched_reply_get(sched, rcpt.reply);
	return sources_is_put_off(&reply) ? IPC_WHY_SOURCE : IPC_WHY_TIME;
}

/* Whether it is one of the recipients that are asked for. */
static bool
fits(const struct listing *listing, uint32_t at)
{
	struct sched *sched = listing->queue->sched;
	struct sched_destination destination;
	struct sched_rcpt rcpt;
	struct sched_why why;

	if (listing->match.len > 0) {
		sched_rcpt_get(sched, at, &rcpt);
		sched_destination_get(sched, rcpt.destination, &destination);
		if (!names_fit(listing->queue, listing->match, &destination))
			return false;
	}
	if (listing->reasons == 0)
		return true;
	return listing->reasons & UINT32_C(1) << why_of(sched, at, &why);
}

/* When the last of its recipients that are still there expires. */
static uint64_t
expire_wall_ms(const struct queue *queue, uint32_t slot, const struct sched_message *message)
{
	uint64_t latest_ms = 0;

	for (uint32_t i = 0; i < message->rcpt_count && i < RCPTS_SHOWN_MAX; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;
		uint64_t expire_ms;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, &rcpt);
		expire_ms =
		    schedule_destination_limits(queue, rcpt.destination)->expire_ms;
		if (expire_ms > latest_ms)
			latest_ms = expire_ms;
	}
	return message->arrival_wall_ms + latest_ms;
}

static void
send_message(const struct listing *listing, uint32_t slot,
    const struct sched_message *message, const struct envelope *envelope)
{
	struct queue *queue = listing->queue;
	struct ipc_qa_message answer = {
	    .query = listing->query,
	    .id = message->id,
	    .arrival_wall_ms = envelope ? envelope->arrival_wall_ms : message->arrival_wall_ms,
	    .expire_wall_ms = expire_wall_ms(queue, slot, message),
	    .body_bytes = message->body_bytes,
	    .held = (message->flags & (SCHED_HELD | SCHED_HELD_ALL)) != 0,
	    .aside = (message->flags & SCHED_ASIDE) != 0,
	    .aside_text = poison_text(queue, message->id),
	    .rcpt_count = message->open_count,
	};

	if (envelope) {
		answer.reverse_path = envelope->reverse_path;
		answer.client = envelope->client;
		answer.login = envelope->login;
		answer.pool = envelope->extras.pool;
	}
	ipc_qa_message_send(queue->admin, &answer);
}

/* The statement, or the line of a table, that chooses its way now. */
static void
write_route(const struct queue *queue, const struct envelope *envelope,
    const struct envelope_rcpt *rcpt, struct span key, struct buf *out)
{
	struct route_place place;
	const struct conf_route *route;

	if (rcpt->kind != IPC_TARGET_REMOTE || schedule_is_rerouted(key))
		return;
	route = route_find_place(
	    queue->conf, envelope->reverse_path, rcpt->address, &place);
	if (route)
		route_write(out, route, &place);
}

static void
send_rcpt(const struct listing *listing, uint32_t at, const struct sched_message *message,
    const struct envelope *envelope)
{
	struct queue *queue = listing->queue;
	struct ipc_qa_rcpt answer = {.query = listing->query, .id = message->id};
	struct sched_destination destination;
	struct sched_reply reply;
	struct sched_rcpt rcpt;
	const struct backoff *backoff;
	const struct rule *rule;
	const struct sched_site *site;
	struct sched_site space;
	struct sched_why why;
	struct buf limit, words, route;

	sched_rcpt_get(queue->sched, at, &rcpt);
	sched_destination_get(queue->sched, rcpt.destination, &destination);
	site = schedule_site(queue, &destination, &space);
	if (site)
		answer.site = span_first(site->name, IPC_DOMAIN_MAX);
	answer.why = (uint8_t)why_of(queue->sched, at, &why);
	/* Where the destination is down it matters what that said, not what this one got. */
	if (why.reason == SCHED_WHY_DOWN && destination.reply && !rcpt.reply)
		rcpt.reply = destination.reply;
	reply = sched_reply_get(queue->sched, rcpt.reply);
	buf_init(&limit, IPC_LIMIT_MAX);
	queue_limits_write(&limit, queue->conf, destination.key, answer.site,
	    destination.far, (enum ipc_why)answer.why);
	buf_init(&words, IPC_RULE_MAX);
	backoff = polite_backoff(queue, destination.key, site);
	rule = why.reason == SCHED_WHY_PAUSE && backoff
	    ? backoff->rule
	    : polite_rule(queue, &(struct outcome){.kind = IPC_DEFERRED, .code = reply.code,
			  .status = reply.status, .remote = reply.remote, .text = reply.text});
	if (rule)
		backoffs_write_rule(&words, rule);
	answer.rule = buf_span(&words);
	answer.destination = span_first(destination.key, IPC_DOMAIN_MAX);
	answer.state = (uint8_t)rcpt.state;
	answer.at_wall_ms = why.at_wall_ms;
	answer.ahead = why.ahead;
	answer.limit = buf_span(&limit);
	answer.active = destination.active;
	answer.window = destination.window;
	if (why.reason == SCHED_WHY_SITE) {
		answer.active = site->active;
		answer.window = site->window;
		answer.site_destinations = site->destination_count;
	}
	answer.expire_wall_ms = message->arrival_wall_ms +
				queue_limits_of(queue->conf, destination.key)->expire_ms;
	answer.tries = rcpt.tries;
	answer.tried_wall_ms = (uint64_t)rcpt.tried_wall_s * 1000;
	answer.in_doubt = rcpt.in_doubt;
	answer.code = (uint16_t)(reply.code ? reply.code : rcpt.code);
	answer.status = reply.status;
	answer.remote = reply.remote;
	answer.text = reply.text;
	buf_init(&route, IPC_LIMIT_MAX);
	if (envelope && rcpt.index < envelope->rcpt_count) {
		write_route(queue, envelope, &envelope->rcpts[rcpt.index], destination.key, &route);
		answer.route = buf_span(&route);
		answer.address = envelope->rcpts[rcpt.index].address;
		answer.original = envelope->rcpts[rcpt.index].original;
	}
	ipc_qa_rcpt_send(queue->admin, &answer);
	buf_fini(&route);
	buf_fini(&words);
	buf_fini(&limit);
}

/* Only the envelope knows, which is read for the answer. */
static bool
is_of_pool(const struct listing *listing, const struct envelope *envelope)
{
	return listing->pool_bytes == 0 ||
	    (envelope && span_eq_nocase(envelope->extras.pool,
			     span_of(listing->pool, listing->pool_bytes)));
}

/* False: it is gone meanwhile, or nothing of it is asked for any more. */
static bool
send_whole(struct listing *listing, struct listed *listed)
{
	struct sched *sched = listing->queue->sched;
	uint32_t slot = sched_message_find(sched, listed->id), shown = 0;
	struct envelope *envelope = NULL;
	struct sched_message message;

	if (slot == SCHED_NONE)
		return false;
	/* One that cannot be read is shown all the same, without addresses. */
	if (listed->read.err || envelope_read(&listed->envelope, &envelope))
		envelope = NULL;
	sched_message_get(sched, slot, &message);
	if (!is_of_pool(listing, envelope)) {
		envelope_free(envelope);
		return false;
	}
	for (uint32_t i = 0; i < message.rcpt_count && shown < RCPTS_SHOWN_MAX; i++) {
		uint32_t at = sched_rcpt_find(sched, slot, i);

		if (at == SCHED_NONE || !fits(listing, at))
			continue;
		if (shown++ == 0)
			send_message(listing, slot, &message, envelope);
		send_rcpt(listing, at, &message, envelope);
	}
	envelope_free(envelope);
	return shown > 0;
}

static void read_done(struct io_op *op);

static void
start_reads(struct listing *listing)
{
	struct queue *queue = listing->queue;

	while (listing->started < listing->count && listing->reading < READS_MAX) {
		struct listed *listed = &listing->messages[listing->started++];

		listing->reading++;
		listed->read = (struct io_op){.done = read_done, .owner = listed};
		store_read_message(
		    queue->store, &listed->read, listed->id, &listed->envelope, NULL, 0);
	}
}

static void
free_listing(struct listing *listing)
{
	for (uint32_t i = 0; i < listing->count; i++)
		buf_fini(&listing->messages[i].envelope);
	list_remove(&listing->node);
	listing->queue->listing_count--;
	mem_free(listing);
}

/* The rest is for another answer. */
static void
end_early(struct listing *listing)
{
	for (uint32_t i = listing->started; i < listing->count; i++)
		buf_fini(&listing->messages[i].envelope);
	if (listing->started == listing->count)
		return;
	listing->count = listing->started;
	listing->last = listing->messages[listing->count - 1].id;
	listing->more = true;
}

static void
end(const struct listing *listing)
{
	struct queue *queue = listing->queue;
	struct ipc_qa_done done = {.query = listing->query,
	    .count = listing->sent,
	    .total = sched_message_count(queue->sched),
	    .more = listing->more,
	    .last = listing->last};

	/* It may be a slip. */
	if (listing->sent == 0 && !listing->more && listing->from_start &&
	    listing->match.len > 0 && names_waiting(queue, listing->match) == 0)
		names_send_none(queue, &done, listing->match);
	else
		ipc_qa_done_send(queue->admin, &done);
}

static void
go_on(struct listing *listing)
{
	struct queue *queue = listing->queue;

	while (!listing->stopped && listing->given < listing->started &&
	    listing->messages[listing->given].done) {
		if (io_pending(ipc_channel_stream(queue->admin)) >= PAGE_BYTES)
			end_early(listing);
		listing->sent += send_whole(listing, &listing->messages[listing->given++]);
	}
	if (!listing->stopped)
		start_reads(listing);
	if (listing->reading > 0)
		return;
	if (!listing->stopped)
		end(listing);
	free_listing(listing);
}

static void
read_done(struct io_op *op)
{
	struct listed *listed = op->owner;
	struct listing *listing = listed->listing;

	listed->done = true;
	listing->reading--;
	go_on(listing);
}

/* Whether any recipient of the message is asked for; looks counts down. */
static bool
wanted(const struct listing *listing, uint32_t slot, const struct sched_message *message,
    uint32_t *looks)
{
	if (listing->match.len == 0 && listing->reasons == 0)
		return true;
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(listing->queue->sched, slot, i);

		*looks -= *looks > 0;
		if (at != SCHED_NONE && fits(listing, at))
			return true;
	}
	return false;
}

/* Looks for count messages from this one on. */
static void
choose(struct listing *listing, uint32_t slot, uint32_t count)
{
	struct sched *sched = listing->queue->sched;
	uint32_t looks = LOOKS_MAX;

	for (; slot != SCHED_NONE && listing->count < count && looks > 0;
	     slot = sched_message_next(sched, slot)) {
		struct listed *listed = &listing->messages[listing->count];
		struct sched_message message;

		sched_message_get(sched, slot, &message);
		listing->last = message.id;
		if (!wanted(listing, slot, &message, &looks))
			continue;
		listed->listing = listing;
		listed->id = message.id;
		buf_init(&listed->envelope, STORE_ENVELOPE_BYTES_MAX);
		listing->count++;
	}
	listing->more = slot != SCHED_NONE;
}

void
listing_start(struct queue *queue, const struct ipc_aq_list *asked, uint32_t slot)
{
	size_t bytes = asked->limit * sizeof(struct listed) + asked->match.len;
	struct listing *listing = mem_alloc(sizeof(*listing) + bytes);
	char *match = (char *)&listing->messages[asked->limit];

	listing->queue = queue;
	listing->query = asked->query;
	listing->reasons = asked->reasons;
	listing->from_start = asked->after == 0;
	listing->pool_bytes = asked->pool.len;
	if (asked->pool.len)
		memcpy(listing->pool, asked->pool.ptr, asked->pool.len);
	if (asked->match.len)
		memcpy(match, asked->match.ptr, asked->match.len);
	listing->match = span_of(match, asked->match.len);
	list_push(&queue->listings, &listing->node);
	queue->listing_count++;
	choose(listing, slot, asked->limit);
	go_on(listing);
}

void
listing_stop(struct queue *queue)
{
	list_for_each_safe (node, &queue->listings) {
		struct listing *listing = container_of(node, struct listing, node);

		listing->stopped = true;
		if (listing->reading == 0)
			free_listing(listing);
	}
}
