/*
 * Which process makes the next attempt, and what these processes say.  Attempts themselves are in
 * dispatch_attempt.c.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

/* A line is long where not even the quickest reply comes sooner. */
enum { FAR_MS_MIN = 100 };

static void
drained(struct io_op *op)
{
	struct peer *peer = op->owner;

	peer->draining = false;
	if (!op->err)
		dispatch_start_reads(peer);
}

void
dispatch_peer_init(struct queue *queue, struct peer *peer, enum proc proc)
{
	peer->queue = queue;
	peer->proc = proc;
	peer->attempt_max = proc == PROC_MAILBOX ? QUEUE_MAILBOX_ATTEMPTS_MAX
	    : proc == PROC_PIPE                  ? QUEUE_PIPE_ATTEMPTS_MAX
						 : QUEUE_ATTEMPTS_MAX;
	list_init(&peer->attempts);
	list_init(&peer->reads);
	peer->drain = (struct io_op){.done = drained, .owner = peer};
}

struct peer *
dispatch_only_peer(struct queue *queue, unsigned kind)
{
	if (kind == IPC_TARGET_MAILBOX)
		return &queue->mailbox;
	return kind >= QUEUE_KIND_PIPE ? &queue->pipes[kind - QUEUE_KIND_PIPE] : NULL;
}

static bool
is_open(const struct peer *peer)
{
	return peer->channel && !peer->reserved;
}

/* How many attempts of a kind the processes that are there can take. */
static void
say_room(struct queue *queue, unsigned kind)
{
	const struct peer *only = dispatch_only_peer(queue, kind);
	unsigned free = 0, spare = 0;

	for (unsigned i = 0; !only && i < queue->delivery_count; i++) {
		const struct peer *peer = &queue->deliveries[i];

		if (!is_open(peer))
			continue;
		free += peer->attempt_max - peer->attempt_count;
		spare += QUEUE_ATTEMPTS_SPARE;
	}
	if (only && is_open(only))
		free = only->attempt_max - only->attempt_count;
	sched_room(queue->sched, kind, free, spare);
}

/*
 * The process for an attempt; there is one that has room.  A destination, and all of a site, goes
 * to the same one as long as that has room: there are the connections that are kept to it.
 */
static struct peer *
choose_peer(struct queue *queue, unsigned kind, uint32_t rcpt)
{
	static const uint64_t seed[2] = {0};
	struct peer *only = dispatch_only_peer(queue, kind);
	struct sched_rcpt known;
	struct sched_destination destination;
	const struct sched_site *site;
	struct sched_site space;
	unsigned first;

	if (only)
		return only;
	sched_rcpt_get(queue->sched, rcpt, &known);
	sched_destination_get(queue->sched, known.destination, &destination);
	site = schedule_site(queue, &destination, &space);
	first = (unsigned)(map_hash(seed, site ? site->name : destination.key) %
	    (queue->delivery_count ? queue->delivery_count : 1));
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++) {
		struct peer *peer = &queue->deliveries[(first + i) % QUEUE_PEERS_MAX];

		if (is_open(peer) && peer->attempt_count < peer->attempt_max)
			return peer;
	}
	check(false);
	return NULL;
}

static void
dispatch_kind(struct queue *queue, unsigned kind)
{
	uint32_t rcpt;

	poison_dispatch(queue, kind);
	say_room(queue, kind);
	while ((rcpt = sched_take(queue->sched, kind, io_now_ms(queue->env->io))) != SCHED_NONE)
		dispatch_start(queue, rcpt, choose_peer(queue, kind, rcpt));
}

void
dispatch(struct queue *queue)
{
	if (queue->stopping)
		return;
	/* Where one kind of process is busy or away, the other goes on. */
	for (unsigned kind = 0; kind < QUEUE_KINDS; kind++)
		dispatch_kind(queue, kind);
	schedule_arm_sooner(queue);
}

enum err
dispatch_more(struct peer *peer, uint64_t number, uint64_t offset)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, number);

	if (!attempt || attempt->peer != peer)
		return OK;
	if (attempt->reading || list_linked(&attempt->wait) || offset > attempt->offset ||
	    offset == 0 || offset >= attempt->message->body_bytes)
		return ERR_SYNTAX;
	/* Delivery read it to see whether it can be converted, and now it sends it. */
	if (offset < attempt->offset && ++attempt->rewinds > QUEUE_REWINDS_MAX)
		return ERR_SYNTAX;
	attempt->offset = offset;
	dispatch_read(attempt);
	return OK;
}

static enum err
take_result(struct peer *peer, const struct ipc_dq_result *result)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, result->attempt);
	struct outcome outcome = {
	    .kind = (enum ipc_outcome)result->outcome,
	    .code = result->code,
	    .status = result->status,
	    .remote = result->remote,
	    .text = result->text,
	    .passed = result->passed,
	    .source = result->source,
	    .tls = result->tls,
	    .in_doubt = result->in_doubt,
	};

	if (!attempt || attempt->peer != peer)
		return OK;
	if (result->index >= attempt->rcpt_count || attempt->told[result->index] ||
	    result->outcome >= IPC_OUTCOME_COUNT || result->passed > IPC_PASSED_ALL)
		return ERR_SYNTAX;
	if (result->outcome == IPC_UNSENT) {
		if (peer->proc != PROC_DELIVERY || !attempt->ordered)
			return ERR_SYNTAX;
		sources_unsent(attempt, result->index);
		return OK;
	}
	if (result->outcome == IPC_SUSPENDED) {
		if (peer->proc != PROC_DELIVERY || !attempt->ordered)
			return ERR_SYNTAX;
		suspend_found(attempt, result->index, &outcome);
		return OK;
	}
	if (peer->proc == PROC_DELIVERY) {
		sources_used(attempt, &outcome);
		outcome.rule = polite_rule(peer->queue, &outcome);
		polite_note(attempt, &outcome);
	}
	dispatch_result(attempt, result->index, &outcome);
	return OK;
}

static enum err
take_source(struct peer *peer, const struct ipc_dq_source *source)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, source->attempt);

	if (attempt && attempt->peer == peer)
		sources_failed(attempt, source->address, source->text);
	return OK;
}

static enum err
take_transcript(struct peer *peer, const struct ipc_dq_transcript *told)
{
	struct queue *queue = peer->queue;
	struct attempt *attempt = map_get_u64(&queue->attempt_map, told->attempt);
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	struct transcript_kept kept = {
	    .took_ms = told->took_ms, .slow = told->slow, .steps = told->steps};
	struct sched_destination destination;

	if (!attempt || attempt->peer != peer)
		return OK;
	sched_destination_get(queue->sched, attempt->destination, &destination);
	kept.id = attempt->message->id;
	kept.began_wall_ms = now_wall_ms > told->took_ms ? now_wall_ms - told->took_ms : 0;
	kept.destination = span_first(destination.key, IPC_DOMAIN_MAX);
	transcripts_keep(&queue->transcripts, &kept, queue->conf->transcripts_max,
	    queue->conf->transcript_memory_bytes);
	return OK;
}

static enum err
take_room(struct peer *peer, const struct ipc_dq_room *room)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, room->attempt);

	if (!attempt || attempt->peer != peer)
		return OK;
	if (attempt->has_room)
		return ERR_SYNTAX;
	attempt->has_room = true;
	sched_attempt_yields(peer->queue->sched, attempt->destination, true);
	dispatch(peer->queue);
	return OK;
}

static enum err
take_done(struct peer *peer, const struct ipc_dq_done *done)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, done->attempt);

	if (!attempt || attempt->peer != peer)
		return OK;
	if (done->quickest_ms < UINT32_MAX)
		sched_destination_far(peer->queue->sched, attempt->destination,
		    done->quickest_ms >= FAR_MS_MIN);
	dispatch_done(attempt, done->destination_down);
	dispatch(peer->queue);
	return OK;
}

static enum err
receive_delivery(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct peer *peer = owner;
	struct ipc_dq_more more;
	struct ipc_dq_result result;
	struct ipc_dq_source source;
	struct ipc_dq_transcript transcript;
	struct ipc_dq_room room;
	struct ipc_dq_done done;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_dq_MORE:
		return ipc_dq_more_decode(payload, &more)
		    ? ERR_SYNTAX
		    : dispatch_more(peer, more.attempt, more.offset);
	case IPC_dq_RESULT:
		return ipc_dq_result_decode(payload, &result) ? ERR_SYNTAX
		                                              : take_result(peer, &result);
	case IPC_dq_SOURCE:
		return ipc_dq_source_decode(payload, &source) ? ERR_SYNTAX
		                                              : take_source(peer, &source);
	case IPC_dq_TRANSCRIPT:
		return ipc_dq_transcript_decode(payload, &transcript)
		    ? ERR_SYNTAX
		    : take_transcript(peer, &transcript);
	case IPC_dq_ROOM:
		return ipc_dq_room_decode(payload, &room) ? ERR_SYNTAX
		                                          : take_room(peer, &room);
	case IPC_dq_DONE:
		return ipc_dq_done_decode(payload, &done) ? ERR_SYNTAX
		                                          : take_done(peer, &done);
	default:
		return ERR_SYNTAX;
	}
}

/* The result of an attempt that has one recipient, and so is over. */
enum err
dispatch_one_result(struct peer *peer, const struct ipc_dq_result *result)
{
	enum err err = take_result(peer, result);

	if (err)
		return err;
	return take_done(peer,
	    &(struct ipc_dq_done){.attempt = result->attempt, .quickest_ms = UINT32_MAX});
}

static enum err
take_mailbox_result(struct peer *peer, const struct ipc_mq_result *local)
{
	return dispatch_one_result(peer,
	    &(struct ipc_dq_result){
		.attempt = local->attempt,
		.outcome = local->outcome,
		.code = local->code,
		.status = local->status,
		.text = local->text,
	    });
}

static enum err
receive_mailbox(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct peer *peer = owner;
	struct ipc_mq_more more;
	struct ipc_mq_result result;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_mq_MORE:
		return ipc_mq_more_decode(payload, &more)
		    ? ERR_SYNTAX
		    : dispatch_more(peer, more.attempt, more.offset);
	case IPC_mq_RESULT:
		return ipc_mq_result_decode(payload, &result)
		    ? ERR_SYNTAX
		    : take_mailbox_result(peer, &result);
	default:
		return ERR_SYNTAX;
	}
}

static unsigned
instance_of(const struct peer *peer)
{
	return peer->proc == PROC_DELIVERY ? (unsigned)(peer - peer->queue->deliveries)
					   : peer->instance;
}

void
dispatch_peer_gone(struct peer *peer, enum err err)
{
	struct event event;

	if (err != ERR_CLOSED)
		proc_bad_peer(peer->queue->env, peer->proc, instance_of(peer), err);
	if (peer->attempt_count > 0) {
		event_begin(&event, &peer->queue->env->log, "attempts_lost");
		event_str(&event, "peer", proc_def(peer->proc)->name);
		event_u64(&event, "attempts", peer->attempt_count);
		event_end(&event);
	}
	ipc_channel_destroy(peer->channel);
	peer->channel = NULL;
	peer->draining = false;
	poison_peer_ended(peer);
	list_for_each_safe(node, &peer->attempts)
		dispatch_lose(container_of(node, struct attempt, node));
	dispatch(peer->queue);
}

static void
peer_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct peer *peer = owner;

	check(channel == peer->channel);
	dispatch_peer_gone(peer, err);
}

void
dispatch_peer_link(struct queue *queue, struct peer *peer, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {
	    .owner = peer,
	    .receive = peer->proc == PROC_MAILBOX ? receive_mailbox : receive_delivery,
	    .closed = peer_closed,
	};

	if (peer->channel)
		peer_closed(peer, peer->channel, ERR_CLOSED);
	peer->channel = ipc_channel_create(stream, &handlers);
	if (peer->proc == PROC_DELIVERY && instance_of(peer) >= queue->delivery_count)
		queue->delivery_count = instance_of(peer) + 1;
	if (peer->proc == PROC_DELIVERY)
		suspend_tell(queue, peer->channel);
	dispatch(queue);
}
