/*
 * Attempts: a message, one destination, the recipients there, given to a delivery process or
 * to the mailbox process.  The first piece of the body goes along; the rest is asked for.
 */
#include "proc/queue/queue_internal.h"

#include <unistd.h>

#include "base/check.h"

static void body_read(struct io_op *op);
static void drained(struct io_op *op);

void
dispatch_peer_init(struct queue *queue, struct peer *peer, enum proc proc)
{
	peer->queue = queue;
	peer->proc = proc;
	peer->attempt_max =
	    proc == PROC_MAILBOX ? QUEUE_MAILBOX_ATTEMPTS_MAX : QUEUE_ATTEMPTS_MAX;
	list_init(&peer->attempts);
	list_init(&peer->reads);
	peer->drain = (struct io_op){.done = drained, .owner = peer};
}

static bool
has_room(const struct peer *peer)
{
	return peer->channel && peer->attempt_count < peer->attempt_max;
}

/*
 * The process for the next attempt; NULL: all are busy or away.  A destination goes to the same
 * one as long as that has room: there are the connections that are kept to it.
 */
static struct peer *
choose_peer(struct queue *queue, const struct destination *destination)
{
	uint64_t first;

	if (destination->kind == IPC_TARGET_MAILBOX)
		return has_room(&queue->mailbox) ? &queue->mailbox : NULL;
	if (queue->delivery_count == 0)
		return NULL;
	first = map_hash(queue->destination_map.seed, destination->key) % queue->delivery_count;
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++) {
		struct peer *peer = &queue->deliveries[(first + i) % QUEUE_PEERS_MAX];

		if (has_room(peer))
			return peer;
	}
	return NULL;
}

/* Rules for different domains may lead the same way. */
static bool
same_way(const struct conf_route *a, const struct conf_route *b)
{
	if (a == b || !a || !b)
		return a == b;
	return span_eq(a->host, b->host) && a->port == b->port && a->tls == b->tls &&
	    span_eq(a->credential, b->credential);
}

/* Takes ready recipients of one message at one destination that go the same way. */
static void
gather(struct attempt *attempt, struct recipient *first, size_t count_max)
{
	struct message *message = first->message;
	const struct conf *conf = attempt->queue->conf;
	const struct conf_route *route = schedule_route(conf, first->address);

	attempt->rcpts = mem_alloc(count_max * sizeof(*attempt->rcpts));
	attempt->rcpts[attempt->rcpt_count++] = first;
	recipient_move(attempt->queue, first, RECIPIENT_ACTIVE);
	for (uint32_t i = 0; i < message->rcpt_count && attempt->rcpt_count < count_max; i++) {
		struct recipient *rcpt = &message->rcpts[i];

		if (rcpt->state != RECIPIENT_READY || rcpt->destination != first->destination ||
		    !same_way(schedule_route(conf, rcpt->address), route))
			continue;
		attempt->rcpts[attempt->rcpt_count++] = rcpt;
		recipient_move(attempt->queue, rcpt, RECIPIENT_ACTIVE);
	}
	attempt->told = mem_alloc(attempt->rcpt_count * sizeof(*attempt->told));
}

static void
start_read(struct attempt *attempt)
{
	struct message *message = attempt->message;
	uint64_t left = message->body_bytes - attempt->offset;

	attempt->reading = true;
	attempt->peer->reading += QUEUE_PUSH_BYTES;
	attempt->read = (struct io_op){.done = body_read, .owner = attempt};
	spool_read_body(attempt->queue->spool, &attempt->read, message->id, attempt->body,
	    left < QUEUE_PUSH_BYTES ? (size_t)left : QUEUE_PUSH_BYTES, attempt->offset);
}

/* Reads for those who wait, as long as the peer keeps up with what it is sent. */
static void
start_reads(struct peer *peer)
{
	struct list *node;

	while (peer->channel && !list_empty(&peer->reads)) {
		struct io_stream *stream = ipc_channel_stream(peer->channel);

		if (io_pending(stream) + peer->reading > QUEUE_PEER_BYTES) {
			if (!peer->draining && peer->reading == 0) {
				peer->draining = true;
				io_drain(stream, &peer->drain, QUEUE_PEER_BYTES / 2);
			}
			return;
		}
		node = list_pop(&peer->reads);
		start_read(container_of(node, struct attempt, wait));
	}
}

static void
drained(struct io_op *op)
{
	struct peer *peer = op->owner;

	peer->draining = false;
	if (!op->err)
		start_reads(peer);
}

static void
read_body(struct attempt *attempt)
{
	list_push(&attempt->peer->reads, &attempt->wait);
	start_reads(attempt->peer);
}

static void
start_attempt(struct queue *queue, struct destination *destination, struct peer *peer)
{
	struct recipient *first = container_of(destination->ready.next, struct recipient, node);
	struct message *message = first->message;
	struct attempt *attempt = mem_alloc(sizeof(*attempt));
	uint64_t count_max = queue->conf->rcpt_per_transaction_max;

	attempt->number = ++queue->next_attempt;
	attempt->queue = queue;
	attempt->message = message;
	attempt->destination = destination;
	attempt->peer = peer;
	if (peer->proc == PROC_MAILBOX)
		count_max = 1;
	else if (count_max > message->rcpt_count)
		count_max = message->rcpt_count;
	destination->active++;
	message->active_count++;
	peer->attempt_count++;
	list_push(&peer->attempts, &attempt->node);
	map_set_u64(&queue->attempt_map, attempt->number, attempt);
	gather(attempt, first, (size_t)count_max);
	attempt->body = mem_alloc(
	    message->body_bytes < QUEUE_PUSH_BYTES ? message->body_bytes : QUEUE_PUSH_BYTES);
	read_body(attempt);
}

static void
dispatch_kind(struct queue *queue, enum ipc_target kind)
{
	struct destination *destination;

	while ((destination = schedule_next(queue, kind)) != NULL) {
		struct peer *peer = choose_peer(queue, destination);

		if (!peer) {
			list_push_front(&queue->turns[kind], &destination->node);
			return;
		}
		start_attempt(queue, destination, peer);
	}
}

void
dispatch(struct queue *queue)
{
	if (queue->stopping)
		return;
	/* Where one kind of process is busy or away, the other goes on. */
	dispatch_kind(queue, IPC_TARGET_MAILBOX);
	dispatch_kind(queue, IPC_TARGET_REMOTE);
}

static void
free_attempt(struct attempt *attempt)
{
	mem_free(attempt->rcpts);
	mem_free(attempt->told);
	mem_free(attempt->body);
	mem_free(attempt);
}

/* Every recipient of the attempt was told about. */
static void
end_attempt(struct attempt *attempt)
{
	struct queue *queue = attempt->queue;
	struct message *message = attempt->message;

	map_remove_u64(&queue->attempt_map, attempt->number);
	list_remove(&attempt->node);
	list_remove(&attempt->wait);
	attempt->peer->attempt_count--;
	message->active_count--;
	schedule_attempt_over(queue, attempt->destination);
	outcome_settle(queue, message);
	if (attempt->reading)
		attempt->over = true;
	else
		free_attempt(attempt);
}

/* All that has no result yet gets this one. */
static void
fail_rest(struct attempt *attempt, const struct outcome *outcome)
{
	for (size_t i = 0; i < attempt->rcpt_count; i++) {
		if (attempt->told[i])
			continue;
		attempt->told[i] = true;
		outcome_apply(attempt->queue, attempt->rcpts[i], outcome);
	}
}

/* The process is gone: what it had is tried again, the second time only after a wait. */
static void
lose_attempt(struct attempt *attempt)
{
	const struct outcome outcome = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("a process of this server ended while it delivered the message"),
	};

	for (size_t i = 0; i < attempt->rcpt_count; i++) {
		struct recipient *rcpt = attempt->rcpts[i];

		if (attempt->told[i] || rcpt->lost++ > 0 || rcpt->message->deleting ||
		    rcpt->message->held)
			continue;
		attempt->told[i] = true;
		recipient_move(attempt->queue, rcpt, RECIPIENT_READY);
	}
	fail_rest(attempt, &outcome);
	end_attempt(attempt);
}

static void
send_order_to_mailbox(struct attempt *attempt)
{
	const struct recipient *rcpt = attempt->rcpts[0];
	const struct ipc_qm_deliver deliver = {
	    .attempt = attempt->number,
	    .id = attempt->message->id,
	    .mailbox = rcpt->mailbox,
	    .address = rcpt->address,
	    .reverse_path = attempt->message->reverse_path,
	    .body_bytes = attempt->message->body_bytes,
	};

	ipc_qm_deliver_send(attempt->peer->channel, &deliver);
}

static void
send_order_to_delivery(struct attempt *attempt)
{
	struct destination *destination = attempt->destination;
	const struct conf_route *route =
	    schedule_route(attempt->queue->conf, attempt->rcpts[0]->address);
	struct ipc_qd_attempt order = {
	    .attempt = attempt->number,
	    .id = attempt->message->id,
	    .domain = destination->domain,
	    .reverse_path = attempt->message->reverse_path,
	    .body_bytes = attempt->message->body_bytes,
	    .flags = attempt->message->flags,
	    .rcpt_count = (uint32_t)attempt->rcpt_count,
	};

	if (route) {
		order.host = route->host;
		order.port = route->port;
		order.tls = (uint8_t)route->tls;
		order.credential = route->credential;
	}
	ipc_qd_attempt_send(attempt->peer->channel, &order);
	for (uint32_t i = 0; i < attempt->rcpt_count; i++) {
		const struct ipc_qd_rcpt rcpt = {
		    .attempt = attempt->number,
		    .index = i,
		    .address = attempt->rcpts[i]->address,
		};

		ipc_qd_rcpt_send(attempt->peer->channel, &rcpt);
	}
}

/* Both bodies are alike, but for the link that they go by. */
static void
send_body(struct attempt *attempt, struct span bytes)
{
	const struct ipc_qd_body body = {
	    .attempt = attempt->number, .offset = attempt->offset, .bytes = bytes};
	const struct ipc_qm_body local = {
	    .attempt = attempt->number, .offset = attempt->offset, .bytes = bytes};

	if (attempt->peer->proc == PROC_MAILBOX)
		ipc_qm_body_send(attempt->peer->channel, &local);
	else
		ipc_qd_body_send(attempt->peer->channel, &body);
}

/* The body can't be read: nothing is delivered in part. */
static void
body_unreadable(struct attempt *attempt, enum err err)
{
	const struct outcome outcome = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("the message cannot be read from the spool"),
	};
	struct event event;

	queue_event_begin(&event, attempt->queue, "spool_read_failed", attempt->message);
	event_err(&event, err);
	event_end(&event);
	if (attempt->offset > 0) {
		/* The other side waits for it: tell it to give up. */
		if (attempt->peer->proc == PROC_MAILBOX)
			ipc_qm_body_send(attempt->peer->channel,
			    &(struct ipc_qm_body){.attempt = attempt->number, .error = 1});
		else
			ipc_qd_body_send(attempt->peer->channel,
			    &(struct ipc_qd_body){.attempt = attempt->number, .error = 1});
		return;
	}
	fail_rest(attempt, &outcome);
	end_attempt(attempt);
}

static void
body_read(struct io_op *op)
{
	struct attempt *attempt = op->owner;
	struct queue *queue = attempt->queue;
	struct peer *peer = attempt->peer;

	attempt->reading = false;
	peer->reading -= QUEUE_PUSH_BYTES;
	if (attempt->over) {
		free_attempt(attempt);
		start_reads(peer);
		return;
	}
	if (op->err) {
		/* This may end the attempt, and free it. */
		body_unreadable(attempt, op->err);
		start_reads(peer);
		dispatch(queue);
		return;
	}
	if (attempt->offset == 0) {
		if (attempt->peer->proc == PROC_MAILBOX)
			send_order_to_mailbox(attempt);
		else
			send_order_to_delivery(attempt);
	}
	send_body(attempt, span_of(attempt->body, op->count));
	attempt->offset += op->count;
	if (attempt->offset == attempt->message->body_bytes) {
		mem_free(attempt->body);
		attempt->body = NULL;
	}
	start_reads(peer);
}

static enum err
take_more(struct peer *peer, uint64_t number, uint64_t offset)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, number);

	if (!attempt || attempt->peer != peer)
		return OK;
	if (attempt->reading || list_linked(&attempt->wait) || offset != attempt->offset ||
	    offset >= attempt->message->body_bytes)
		return ERR_SYNTAX;
	read_body(attempt);
	return OK;
}

static enum err
take_result(struct peer *peer, const struct ipc_dq_result *result)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, result->attempt);
	const struct outcome outcome = {
	    .kind = (enum ipc_outcome)result->outcome,
	    .code = result->code,
	    .status = result->status,
	    .remote = result->remote,
	    .text = result->text,
	};

	if (!attempt || attempt->peer != peer)
		return OK;
	if (result->index >= attempt->rcpt_count || attempt->told[result->index] ||
	    result->outcome >= IPC_OUTCOME_COUNT)
		return ERR_SYNTAX;
	attempt->told[result->index] = true;
	outcome_apply(peer->queue, attempt->rcpts[result->index], &outcome);
	return OK;
}

static enum err
take_done(struct peer *peer, const struct ipc_dq_done *done)
{
	struct attempt *attempt = map_get_u64(&peer->queue->attempt_map, done->attempt);
	const struct outcome untold = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("delivery gave no result"),
	};
	struct event event;

	if (!attempt || attempt->peer != peer)
		return OK;
	if (done->in_doubt) {
		queue_event_begin(&event, peer->queue, "in_doubt", attempt->message);
		event_str(&event, "text", "the connection was lost after the message was sent; "
		                          "it may arrive twice");
		event_end(&event);
	}
	fail_rest(attempt, &untold);
	if (done->destination_down)
		schedule_down(peer->queue, attempt->destination);
	else if (attempt->destination->down_count > 0)
		schedule_up(peer->queue, attempt->destination);
	end_attempt(attempt);
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
	struct ipc_dq_done done;

	(void)channel;
	if (fd >= 0)
		close(fd);
	switch (type) {
	case IPC_dq_MORE:
		return ipc_dq_more_decode(payload, &more)
		    ? ERR_SYNTAX
		    : take_more(peer, more.attempt, more.offset);
	case IPC_dq_RESULT:
		return ipc_dq_result_decode(payload, &result) ? ERR_SYNTAX
		                                              : take_result(peer, &result);
	case IPC_dq_DONE:
		return ipc_dq_done_decode(payload, &done) ? ERR_SYNTAX
		                                          : take_done(peer, &done);
	default:
		return ERR_SYNTAX;
	}
}

static enum err
take_mailbox_result(struct peer *peer, const struct ipc_mq_result *local)
{
	const struct ipc_dq_result result = {
	    .attempt = local->attempt,
	    .outcome = local->outcome,
	    .code = local->code,
	    .status = local->status,
	    .text = local->text,
	};
	enum err err = take_result(peer, &result);

	if (err)
		return err;
	return take_done(peer, &(struct ipc_dq_done){.attempt = local->attempt});
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
		close(fd);
	switch (type) {
	case IPC_mq_MORE:
		return ipc_mq_more_decode(payload, &more)
		    ? ERR_SYNTAX
		    : take_more(peer, more.attempt, more.offset);
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
	return peer->proc == PROC_MAILBOX ? 0 : (unsigned)(peer - peer->queue->deliveries);
}

static void
peer_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct peer *peer = owner;
	struct event event;

	if (err != ERR_CLOSED)
		proc_bad_peer(peer->queue->env, peer->proc, instance_of(peer), err);
	if (peer->attempt_count > 0) {
		event_begin(&event, &peer->queue->env->log, "attempts_lost");
		event_str(&event, "peer", proc_def(peer->proc)->name);
		event_u64(&event, "attempts", peer->attempt_count);
		event_end(&event);
	}
	ipc_channel_destroy(channel);
	peer->channel = NULL;
	peer->draining = false;
	list_for_each_safe(node, &peer->attempts)
		lose_attempt(container_of(node, struct attempt, node));
	dispatch(peer->queue);
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
	dispatch(queue);
}
