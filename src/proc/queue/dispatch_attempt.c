/*
 * An attempt: a message, one destination, the recipients there, given to a delivery process, to
 * the mailbox process, or to one that runs programs.
 *
 *   start: the scheduler's recipient, and the others of its message that may come along
 *   read:  the envelope and the first piece of the body from the spool, at once; nothing where
 *          the message was just accepted and is still at hand
 *   order: who is the way of the first one; the piece goes along, the rest is asked for
 *   end:   each recipient has a result
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "proc/queue/queue_limits.h"
#include "route/site.h"
#include "route/verp.h"

static void read_done(struct io_op *op);

/* The others of the message that are ready at the same destination. */
static void
gather(struct attempt *attempt, uint32_t first, uint32_t rcpt_count, size_t count_max)
{
	struct sched *sched = attempt->queue->sched;
	uint32_t slot = attempt->message->slot;

	attempt->rcpts = mem_alloc(count_max * sizeof(*attempt->rcpts));
	attempt->rcpts[attempt->rcpt_count++] = first;
	for (uint32_t i = 0; i < rcpt_count && attempt->rcpt_count < count_max; i++) {
		uint32_t at = sched_rcpt_find(sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE || sched_rcpt_state(sched, at) != SCHED_READY)
			continue;
		sched_rcpt_get(sched, at, &rcpt);
		if (rcpt.destination != attempt->destination)
			continue;
		attempt->rcpts[attempt->rcpt_count++] = i;
		sched_join(sched, at);
	}
	attempt->told = mem_alloc(attempt->rcpt_count * sizeof(*attempt->told));
	attempt->doubted = mem_alloc(attempt->rcpt_count * sizeof(*attempt->doubted));
}

static uint32_t
slot_of(const struct attempt *attempt, uint32_t at)
{
	return sched_rcpt_find(
	    attempt->queue->sched, attempt->message->slot, attempt->rcpts[at]);
}

void
dispatch_again(struct attempt *attempt, uint32_t at)
{
	struct sched *sched = attempt->queue->sched;
	struct sched_message known;

	sched_message_get(sched, attempt->message->slot, &known);
	if (known.flags & SCHED_PARKED)
		sched_rcpt_wait(sched, slot_of(attempt, at), 0);
	else
		sched_rcpt_ready(sched, slot_of(attempt, at), true);
}

void
dispatch_trim(struct attempt *attempt, uint32_t count)
{
	check(!attempt->ordered);
	for (; attempt->rcpt_count > count; attempt->rcpt_count--) {
		dispatch_again(attempt, attempt->rcpt_count - 1);
		attempt->trimmed = true;
	}
}

/*
 * Those whose routes lead another way than the first one's have a turn of their own, and all where
 * the reverse-path names the recipient: true.
 */
static bool
part_ways(struct attempt *attempt)
{
	const struct conf *conf = attempt->queue->conf;
	struct span reverse_path = attempt->message->envelope->reverse_path;
	uint32_t count = attempt->rcpt_count, kept = 1;
	bool alone = verp_find(conf, reverse_path) != NULL;
	bool rerouted = dispatch_is_rerouted(attempt);

	for (uint32_t i = 1; i < count; i++) {
		if (!alone &&
		    (rerouted ||
		        schedule_same_way(conf, reverse_path, dispatch_rcpt(attempt, 0),
		            dispatch_rcpt(attempt, i))))
			attempt->rcpts[kept++] = attempt->rcpts[i];
		else
			dispatch_again(attempt, i);
	}
	attempt->rcpt_count = kept;
	return kept < count;
}

/* True: others became ready by it. */
static bool
send_order(struct attempt *attempt)
{
	bool parted = part_ways(attempt) || attempt->trimmed;

	attempt->ordered = true;
	dispatch_send_order(attempt);
	return parted;
}

static const struct conf_route *
route_of(const struct attempt *attempt)
{
	return schedule_rcpt_route(attempt->queue->conf,
	    attempt->message->envelope->reverse_path, dispatch_rcpt(attempt, 0));
}

/* Nobody has to be asked: a rule says what becomes of it, or there is no way. */
static bool
is_answered_here(const struct attempt *attempt)
{
	const struct conf_route *route = route_of(attempt);

	/* Whoever runs programs knows by itself whether one is still to be run. */
	if (attempt->peer->proc != PROC_DELIVERY || dispatch_is_rerouted(attempt))
		return false;
	return route ? route->kind >= CONF_ROUTE_PIPE
	             : dispatch_rcpt(attempt, 0)->kind == IPC_TARGET_MAILBOX;
}

static size_t
piece_bytes(const struct attempt *attempt)
{
	uint64_t left = attempt->message->body_bytes - attempt->offset;

	return left < QUEUE_PUSH_BYTES ? (size_t)left : QUEUE_PUSH_BYTES;
}

static void
start_read(struct attempt *attempt)
{
	struct store *store = attempt->queue->store;
	struct message *message = attempt->message;

	if (!attempt->body)
		attempt->body = mem_alloc(piece_bytes(attempt));
	attempt->reading = true;
	attempt->peer->reading += QUEUE_PUSH_BYTES;
	attempt->read = (struct io_op){.done = read_done, .owner = attempt};
	if (message->envelope)
		store_read_body(store, &attempt->read, message->id, attempt->body,
		    piece_bytes(attempt), attempt->offset);
	else
		store_read_message(store, &attempt->read, message->id, &attempt->envelope,
		    attempt->body, piece_bytes(attempt));
}

void
dispatch_start_reads(struct peer *peer)
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

void
dispatch_read(struct attempt *attempt)
{
	list_push(&attempt->peer->reads, &attempt->wait);
	dispatch_start_reads(attempt->peer);
}

static void
free_attempt(struct attempt *attempt)
{
	buf_fini(&attempt->envelope);
	mem_free(attempt->rcpts);
	mem_free(attempt->told);
	mem_free(attempt->doubted);
	mem_free(attempt->body);
	mem_free(attempt);
}

/* Every recipient of the attempt was told about. */
static void
end_attempt(struct attempt *attempt, enum sched_feedback feedback)
{
	struct queue *queue = attempt->queue;
	struct message *message = attempt->message;

	map_remove_u64(&queue->attempt_map, attempt->number);
	list_remove(&attempt->node);
	list_remove(&attempt->wait);
	attempt->peer->attempt_count--;
	message->active_count--;
	polite_strike(attempt);
	sources_over(attempt);
	if (attempt->has_room)
		sched_attempt_yields(queue->sched, attempt->destination, false);
	sched_attempt_over(queue->sched, attempt->destination, feedback, attempt->reply,
	    io_now_ms(queue->env->io));
	sched_reply_drop(queue->sched, attempt->reply);
	sched_reply_drop(queue->sched, attempt->obstacle);
	if (!attempt->lost)
		poison_ended(message);
	outcome_settle(message);
	message_close(message);
	attempt->message = NULL;
	if (attempt->reading)
		attempt->over = true;
	else
		free_attempt(attempt);
}

/* The message was just accepted: nothing needs to be read. */
static bool
send_fresh(struct attempt *attempt)
{
	struct message *message = attempt->message;
	struct peer *peer = attempt->peer;

	if (!message->envelope || is_answered_here(attempt) ||
	    message->body.len < message->body_bytes || message->body_bytes > QUEUE_PUSH_BYTES ||
	    !list_empty(&peer->reads) ||
	    io_pending(ipc_channel_stream(peer->channel)) + peer->reading > QUEUE_PEER_BYTES)
		return false;
	if (suppress_attempt(attempt) || sources_attempt(attempt)) {
		end_attempt(attempt, SCHED_UNTRIED);
		return true;
	}
	send_order(attempt);
	dispatch_send_body(attempt, 0, buf_span(&message->body), false);
	attempt->offset = message->body_bytes;
	return true;
}

/* The mark is durable, or never will be: the spool takes nothing more, and mail still goes. */
static void
begun(struct store_op *op)
{
	struct attempt *attempt = op->owner;

	attempt->reading = false;
	if (attempt->over)
		free_attempt(attempt);
	else
		dispatch_read(attempt);
}

static uint64_t
rcpts_max(const struct queue *queue, uint32_t destination)
{
	struct sched_destination to;
	const struct sched_site *site;
	struct sched_site space;

	sched_destination_get(queue->sched, destination, &to);
	site = schedule_site(queue, &to, &space);
	return route_rcpts_max(
	    queue->conf, queue_limits_name(to.key), site ? site->name : SPAN(""));
}

void
dispatch_start(struct queue *queue, uint32_t first, struct peer *peer)
{
	struct attempt *attempt = mem_alloc(sizeof(*attempt));
	uint64_t count_max = 1;
	struct sched_message known;
	struct sched_rcpt rcpt;

	sched_rcpt_get(queue->sched, first, &rcpt);
	sched_message_get(queue->sched, rcpt.message, &known);
	attempt->number = ++queue->next_attempt;
	attempt->queue = queue;
	attempt->message = message_open(queue, rcpt.message);
	attempt->message->active_count++;
	attempt->destination = rcpt.destination;
	attempt->peer = peer;
	buf_init(&attempt->envelope, STORE_ENVELOPE_BYTES_MAX);
	if (peer->proc == PROC_DELIVERY && known.open_count > 1) {
		count_max = rcpts_max(queue, rcpt.destination);
		if (count_max > known.open_count)
			count_max = known.open_count;
	}
	peer->attempt_count++;
	list_push(&peer->attempts, &attempt->node);
	map_set_u64(&queue->attempt_map, attempt->number, attempt);
	gather(attempt, rcpt.index, known.rcpt_count, (size_t)count_max);
	if (poison_is_careful(attempt->message, rcpt.index)) {
		attempt->reading = true;
		attempt->begin = (struct store_op){.done = begun, .owner = attempt};
		poison_begin(attempt->message, rcpt.index, &attempt->begin);
	} else if (!send_fresh(attempt)) {
		dispatch_read(attempt);
	}
}

/* All that has no result yet gets this one. */
static void
fail_rest(struct attempt *attempt, const struct outcome *outcome)
{
	for (uint32_t i = 0; i < attempt->rcpt_count; i++) {
		if (attempt->told[i])
			continue;
		attempt->told[i] = true;
		outcome_apply(attempt->message, attempt->rcpts[i], outcome);
	}
}

/* Those of an attempt who may have the message in spite of how it ended. */
static void
say_doubts(struct attempt *attempt)
{
	struct event event;
	uint32_t count = 0;

	for (uint32_t i = 0; i < attempt->rcpt_count; i++) {
		if (!attempt->doubted[i])
			continue;
		outcome_doubt(attempt->message, attempt->rcpts[i]);
		count++;
	}
	if (count == 0)
		return;
	queue_event_begin(&event, attempt->queue, "in_doubt", attempt->message->id);
	event_str(&event, "text",
	    attempt->peer->proc == PROC_PIPE
		? "the program was ended before it said what became of the message; it may arrive "
		  "twice"
		: "the connection was lost after the message was sent; it may arrive twice");
	event_end(&event);
}

void
dispatch_lose(struct attempt *attempt)
{
	const struct outcome outcome = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("a process of this server ended while it delivered the message"),
	};
	struct sched *sched = attempt->queue->sched;
	/* Its program may have run, and even be running. */
	bool doubt = attempt->peer->proc == PROC_PIPE && attempt->ordered &&
	    attempt->offset == attempt->message->body_bytes;
	struct sched_message known;
	bool again;

	sched_message_get(sched, attempt->message->slot, &known);
	again = !(known.flags & SCHED_DELETING) &&
	    (!attempt->ordered || poison_lost(attempt->message));
	for (uint32_t i = 0; i < attempt->rcpt_count && again; i++) {
		struct sched_rcpt rcpt;

		if (attempt->told[i])
			continue;
		attempt->told[i] = true;
		if (SIM_BUG(LOSE_ATTEMPT))
			continue;
		SIM_MARK("queue.attempt_lost");
		sched_rcpt_get(sched, slot_of(attempt, i), &rcpt);
		rcpt.lost += attempt->ordered;
		attempt->doubted[i] = doubt;
		rcpt.in_doubt |= doubt;
		sched_rcpt_note(sched, slot_of(attempt, i), &rcpt);
		dispatch_again(attempt, i);
	}
	fail_rest(attempt, &outcome);
	say_doubts(attempt);
	attempt->lost = true;
	end_attempt(attempt, SCHED_UNTRIED);
}

/* Nothing is delivered in part. */
static void
cannot_read(struct attempt *attempt, enum err err)
{
	bool aside = !poison_may_pass(err);
	const struct outcome outcome = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("the message cannot be read from the spool"),
	};
	struct event event;

	queue_event_begin(
	    &event, attempt->queue, "spool_read_failed", attempt->message->id);
	event_err(&event, err);
	event_end(&event);
	if (aside)
		poison_unreadable(attempt->message, err);
	if (attempt->offset > 0) {
		/* The other side waits for it: tell it to give up. */
		dispatch_send_body(attempt, 0, SPAN(""), true);
		return;
	}
	for (uint32_t i = 0; i < attempt->rcpt_count && aside; i++) {
		attempt->told[i] = true;
		dispatch_again(attempt, i);
	}
	fail_rest(attempt, &outcome);
	end_attempt(attempt, SCHED_UNTRIED);
}

/* See is_answered_here; ends the attempt. */
static void
answer_here(struct attempt *attempt)
{
	const struct conf_route *route = route_of(attempt);
	struct outcome outcome = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.5"),
	    .text = SPAN("this mail goes another way than when the message was queued; a "
	                 "restart sends it there"),
	};

	part_ways(attempt);
	if (route &&
	    (route->kind == CONF_ROUTE_DISCARD ||
	        (route->kind == CONF_ROUTE_REFUSE && SIM_BUG(REFUSED_IS_DISCARDED)))) {
		SIM_MARK("queue.discarded");
		outcome = (struct outcome){.kind = IPC_DELIVERED,
		    .discarded = true,
		    .text = SPAN("discarded by rule")};
	} else if (route && route->kind == CONF_ROUTE_REFUSE) {
		SIM_MARK("queue.refused");
		outcome = (struct outcome){.kind = IPC_FAILED,
		    .code = route->code,
		    .status = route->status,
		    .text = route->text};
	}
	fail_rest(attempt, &outcome);
	end_attempt(attempt, SCHED_SERVED);
}

static void
read_done(struct io_op *op)
{
	struct attempt *attempt = op->owner;
	struct queue *queue = attempt->queue;
	struct peer *peer = attempt->peer;
	enum err err = op->err;
	bool parted = false;

	attempt->reading = false;
	peer->reading -= QUEUE_PUSH_BYTES;
	if (attempt->over) {
		free_attempt(attempt);
		dispatch_start_reads(peer);
		return;
	}
	if (!err && attempt->offset == 0)
		err = message_envelope(attempt->message, &attempt->envelope);
	if (err) {
		/* This may end the attempt, and free it. */
		cannot_read(attempt, err);
		dispatch_start_reads(peer);
		dispatch(queue);
		return;
	}
	if (attempt->offset == 0 && is_answered_here(attempt)) {
		answer_here(attempt);
		dispatch_start_reads(peer);
		dispatch(queue);
		return;
	}
	if (attempt->offset == 0 && (suppress_attempt(attempt) || sources_attempt(attempt))) {
		end_attempt(attempt, SCHED_UNTRIED);
		dispatch_start_reads(peer);
		dispatch(queue);
		return;
	}
	if (attempt->offset == 0)
		parted = send_order(attempt);
	dispatch_send_body(attempt, attempt->offset, span_of(attempt->body, op->count), false);
	attempt->offset += op->count;
	if (attempt->offset == attempt->message->body_bytes) {
		mem_free(attempt->body);
		attempt->body = NULL;
	}
	dispatch_start_reads(peer);
	if (parted)
		dispatch(queue);
}

void
dispatch_result(struct attempt *attempt, uint32_t at, const struct outcome *outcome)
{
	struct sched *sched = attempt->queue->sched;
	const struct sched_reply reply = {
	    outcome->code, outcome->status, outcome->remote, outcome->text};

	check(at < attempt->rcpt_count && !attempt->told[at]);
	attempt->told[at] = true;
	attempt->doubted[at] = outcome->in_doubt;
	if (outcome->kind == IPC_DELIVERED || outcome->code > 0)
		attempt->answered = true;
	if ((outcome->code == 421 && !polite_is_recipients(outcome->rule)) ||
	    (outcome->code == 0 && span_eq(outcome->status, SPAN("4.4.2"))))
		attempt->busy = true;
	if (outcome->kind != IPC_DELIVERED) {
		sched_reply_drop(sched, attempt->reply);
		attempt->reply = sched_reply_keep(sched, &reply);
	}
	outcome_apply(attempt->message, attempt->rcpts[at], outcome);
}

static enum sched_feedback
feedback_of(const struct attempt *attempt, bool destination_down)
{
	struct sched_destination destination;
	enum ease_kind kind;

	/* It answered, and its words say better what to do than that it took nothing. */
	if (attempt->rule && backoffs_kind(attempt->rule, &kind))
		return SCHED_REFUSED;
	if (destination_down)
		return SCHED_NO_ANSWER;
	if (attempt->busy)
		return SCHED_REFUSED;
	if (attempt->answered)
		return SCHED_SERVED;
	/* A probe that did not even get there: the next one waits too. */
	sched_destination_get(attempt->queue->sched, attempt->destination, &destination);
	return destination.down_count > 0 ? SCHED_NO_ANSWER : SCHED_UNTRIED;
}

void
dispatch_done(struct attempt *attempt, bool destination_down)
{
	const struct outcome untold = {
	    .kind = IPC_DEFERRED,
	    .status = SPAN("4.3.0"),
	    .text = SPAN("delivery gave no result"),
	};

	fail_rest(attempt, &untold);
	say_doubts(attempt);
	end_attempt(attempt, feedback_of(attempt, destination_down));
}
