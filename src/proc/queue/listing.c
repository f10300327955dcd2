/*
 * Answers to operators: messages one after the other, with what the scheduler knows of their
 * recipients.  The envelopes are read from the spool, some at a time, and given out in order.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

/* A page ends early when so much of it waits for admin to take it. */
enum { READS_MAX = 32, PAGE_BYTES = 1 << 20, RCPTS_SHOWN_MAX = 1000 };

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
	bool stopped; /* nobody listens any more */
	struct listed messages[];
};

static void
send_message(const struct listing *listing, const struct sched_message *message,
    const struct envelope *envelope)
{
	struct queue *queue = listing->queue;
	struct ipc_qa_message answer = {
	    .query = listing->query,
	    .id = message->id,
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .expire_wall_ms = message->arrival_wall_ms + queue->conf->limits.expire_ms,
	    .body_bytes = message->body_bytes,
	    .held = (message->flags & SCHED_PARKED) != 0,
	    .rcpt_count = message->open_count,
	};

	if (envelope) {
		answer.reverse_path = envelope->reverse_path;
		answer.client = envelope->client;
		answer.login = envelope->login;
	}
	ipc_qa_message_send(queue->admin, &answer);
}

static void
send_rcpt(const struct listing *listing, uint64_t id, uint32_t at,
    const struct envelope *envelope)
{
	struct sched *sched = listing->queue->sched;
	struct ipc_qa_rcpt answer = {.query = listing->query, .id = id};
	struct sched_destination destination;
	struct sched_reply reply;
	struct sched_rcpt rcpt;
	struct sched_why why;

	sched_rcpt_get(sched, at, &rcpt);
	sched_destination_get(sched, rcpt.destination, &destination);
	sched_why(sched, at, &why);
	reply = sched_reply_get(sched, rcpt.reply);
	answer.destination = span_first(destination.key, IPC_DOMAIN_MAX);
	answer.state = (uint8_t)rcpt.state;
	answer.tries = rcpt.tries;
	answer.next_wall_ms = rcpt.next_wall_ms;
	answer.ahead = (uint32_t)(why.ahead < UINT32_MAX ? why.ahead : UINT32_MAX);
	answer.code = (uint16_t)rcpt.code;
	answer.remote = reply.remote;
	answer.text = reply.text;
	if (envelope && rcpt.index < envelope->rcpt_count) {
		answer.address = envelope->rcpts[rcpt.index].address;
		answer.original = envelope->rcpts[rcpt.index].original;
	}
	ipc_qa_rcpt_send(listing->queue->admin, &answer);
}

/* False: it is gone meanwhile. */
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
	send_message(listing, &message, envelope);
	for (uint32_t i = 0; i < message.rcpt_count && shown < RCPTS_SHOWN_MAX; i++) {
		uint32_t at = sched_rcpt_find(sched, slot, i);

		if (at == SCHED_NONE)
			continue;
		send_rcpt(listing, message.id, at, envelope);
		shown++;
	}
	envelope_free(envelope);
	return true;
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

static void
go_on(struct listing *listing)
{
	struct queue *queue = listing->queue;

	while (!listing->stopped && listing->given < listing->started &&
	    listing->messages[listing->given].done) {
		if (io_pending(ipc_channel_stream(queue->admin)) >= PAGE_BYTES)
			listing->count = listing->started;
		listing->sent += send_whole(listing, &listing->messages[listing->given++]);
	}
	if (!listing->stopped)
		start_reads(listing);
	if (listing->reading > 0)
		return;
	if (!listing->stopped)
		control_send_done(queue, listing->query, listing->sent, false);
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

void
listing_start(struct queue *queue, uint64_t query, uint32_t slot, uint32_t count)
{
	struct listing *listing =
	    mem_alloc(sizeof(*listing) + count * sizeof(listing->messages[0]));

	listing->queue = queue;
	listing->query = query;
	list_push(&queue->listings, &listing->node);
	queue->listing_count++;
	for (; slot != SCHED_NONE && listing->count < count;
	     slot = sched_message_next(queue->sched, slot)) {
		struct listed *listed = &listing->messages[listing->count++];
		struct sched_message message;

		sched_message_get(queue->sched, slot, &message);
		listed->listing = listing;
		listed->id = message.id;
		buf_init(&listed->envelope, STORE_ENVELOPE_BYTES_MAX);
	}
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
