/*
 * What an operator does to messages: tries them now, holds, releases, deletes; one, or all that
 * there are, a part of them at a time.  Every act is said in the log with who asked for it.
 *
 * The operator is answered when all of it is durable.  Each record that says what was done has an
 * operation of its own: one may fail where a later one does not.  A flush of the store would do
 * less and cost more: it ends only when nobody's records are under way, and no checkpoint is
 * written until then.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

enum {
	LOOKS = 1000, /* at recipients, before others have their turn */
	RECORDS_MAX = 4000, /* on their way to the disk, before more messages are looked at */
	READ_LOOKS = 20, /* what reading an envelope counts for */
};

struct act {
	struct queue *queue;
	struct list node; /* in queue->acts; none: nobody listens */
	uint64_t query, count, under_way;
	enum ipc_act kind;
	bool one;
	uint32_t slot; /* the message that is next; SCHED_NONE: none is */
	uint64_t left; /* messages, at most: what comes meanwhile is not meant */
	struct buf who;
	size_t records; /* that are not durable yet */
	enum err err;   /* of the first that never will be */
	struct io_timer timer;
};

static void settle(struct act *act);

static void
record_done(struct store_op *op)
{
	struct act *act = op->owner;

	check(act->records > 0);
	act->records--;
	if (op->err && !act->err)
		act->err = op->err;
	mem_free(op);
	settle(act);
}

/* For a record that the operator's answer waits for. */
static struct store_op *
record(struct act *act)
{
	struct store_op *op;

	if (SIM_BUG(ACT_NOT_DURABLE))
		return NULL;
	op = mem_alloc(sizeof(*op));
	*op = (struct store_op){.done = record_done, .owner = act};
	act->records++;
	return op;
}

/*
 * What is so already is recorded again, as nobody knows whether that is durable; but for what
 * was never on hold.
 */
static void
hold(struct act *act, uint32_t slot, const struct sched_message *known)
{
	struct queue *queue = act->queue;
	bool held = act->kind == IPC_ACT_HOLD;
	struct mark mark = {
	    .kind = held ? MARK_HELD : MARK_RELEASED,
	    .wall_ms = io_wall_ms(queue->env->io),
	    .text = buf_span(&act->who),
	};
	struct message *message;

	if (!held && !(known->flags & (SCHED_PARKED | SCHED_RELEASED)))
		return;
	outcome_mark_durably(queue, record(act), known->id, &mark);
	if (held) {
		sched_message_flags(queue->sched, slot, SCHED_HELD, SCHED_RELEASED);
		return;
	}
	if (!(known->flags & SCHED_PARKED))
		return;
	message_acquit(queue, slot);
	poison_forget(queue, known->id);
	sched_message_flags(queue->sched, slot, SCHED_RELEASED, SCHED_PARKED);
	message = message_open(queue, slot);
	outcome_settle(message);
	message_close(message);
}

static void
retry(struct queue *queue, uint32_t slot, const struct sched_message *known)
{
	for (uint32_t i = 0; i < known->rcpt_count && !(known->flags & SCHED_PARKED); i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, &rcpt);
		if (rcpt.state == SCHED_ACTIVE)
			continue;
		polite_forget(queue, rcpt.destination);
		sched_destination_up(queue->sched, rcpt.destination);
		if (rcpt.state == SCHED_WAITING)
			sched_rcpt_ready(queue->sched, at, true);
	}
}

/* SCHED_NONE: it has ended, or is under way or bouncing, which can't be called back. */
static uint32_t
waiting(const struct queue *queue, uint32_t slot, uint32_t index)
{
	uint32_t at = sched_rcpt_find(queue->sched, slot, index);
	enum sched_state state =
	    at == SCHED_NONE ? SCHED_ENDED : sched_rcpt_state(queue->sched, at);

	return state == SCHED_WAITING || state == SCHED_READY ? at : SCHED_NONE;
}

/*
 * A message that all waits of goes as a whole: one record.  Where an attempt or a bounce keeps it,
 * each end is recorded by itself, the last one too, which would else go with the removal.
 */
static void
delete_waiting(struct act *act, uint32_t slot, const struct sched_message *known)
{
	struct queue *queue = act->queue;
	struct message *message = message_open(queue, slot);
	uint32_t count = 0;
	bool whole;

	sched_message_flags(queue->sched, slot, SCHED_DELETING, 0);
	for (uint32_t i = 0; i < known->rcpt_count; i++)
		count += waiting(queue, slot, i) != SCHED_NONE;
	whole = count == known->open_count && message->active_count == 0 && !message->bounce;
	for (uint32_t i = 0; i < known->rcpt_count && count > 0; i++) {
		struct mark mark = {.end = END_DELETED, .text = buf_span(&act->who)};

		if (waiting(queue, slot, i) == SCHED_NONE)
			continue;
		if (whole)
			outcome_end(message, i, &mark);
		else
			outcome_end_durably(message, i, &mark, record(act));
	}
	act->under_way += known->open_count - count;
	if (whole)
		message_remove(message, record(act));
	else
		outcome_settle(message);
	message_close(message);
}

/* Of a million messages the envelopes are not read; the log has them from when they came. */
static void
say_from(struct act *act, struct event *event, uint64_t id)
{
	struct envelope *envelope = NULL;
	struct buf bytes;

	buf_init(&bytes, STORE_ENVELOPE_BYTES_MAX);
	if (store_read_envelope(act->queue->store, id, &bytes) == OK &&
	    envelope_read(&bytes, &envelope) == OK)
		event_span(event, "from", envelope->reverse_path);
	envelope_free(envelope);
	buf_fini(&bytes);
}

/* The message behind that one is next, if any is. */
static void
advance(struct act *act, uint32_t slot)
{
	act->slot = --act->left > 0 ? sched_message_next(act->queue->sched, slot) : SCHED_NONE;
}

static void
do_to(struct act *act, uint32_t slot, const struct sched_message *known)
{
	static const char *const names[IPC_ACT_COUNT] = {
	    "operator_retry", "held", "released", "deleted"};
	struct event event;

	queue_event_begin(&event, act->queue, names[act->kind], known->id);
	event_span(&event, "who", buf_span(&act->who));
	if (act->one)
		say_from(act, &event, known->id);
	event_end(&event);
	switch (act->kind) {
	case IPC_ACT_RETRY:
		retry(act->queue, slot, known);
		return;
	case IPC_ACT_HOLD:
	case IPC_ACT_RELEASE:
		hold(act, slot, known);
		return;
	case IPC_ACT_DELETE:
		delete_waiting(act, slot, known);
		return;
	case IPC_ACT_COUNT:
		check(false);
	}
}

static void
free_act(struct act *act)
{
	check(act->records == 0);
	list_remove(&act->node);
	io_timer_stop(act->queue->env->io, &act->timer);
	buf_fini(&act->who);
	mem_free(act);
}

/* Nobody waits for its answer; what is on its way to the disk comes back yet. */
static void
drop(struct act *act)
{
	list_remove(&act->node);
	io_timer_stop(act->queue->env->io, &act->timer);
	act->slot = SCHED_NONE;
	if (act->records == 0)
		free_act(act);
}

static void
say_not_kept(const struct act *act)
{
	struct event event;

	event_begin(&event, &act->queue->env->log, "act_not_kept");
	event_span(&event, "who", buf_span(&act->who));
	event_err(&event, act->err);
	event_str(&event, "text",
	    "what was held, released or deleted may not be so after a restart");
	event_end(&event);
}

static void
finish(struct act *act)
{
	struct ipc_qa_done done = {.query = act->query,
	    .count = act->count,
	    .rcpts = act->under_way,
	    .lost = act->err != OK};

	if (act->err)
		say_not_kept(act);
	if (list_linked(&act->node))
		control_send_done(act->queue, &done);
	free_act(act);
}

/* Goes on, waits for the disk, or ends. */
static void
settle(struct act *act)
{
	if (act->slot == SCHED_NONE && act->records == 0)
		finish(act);
	else if (act->slot != SCHED_NONE && act->records < RECORDS_MAX)
		io_timer_start(act->queue->env->io, &act->timer, 0);
}

static void
go_on(struct io_timer *timer)
{
	struct act *act = timer->owner;
	struct queue *queue = act->queue;
	uint32_t looks = 0;

	while (act->slot != SCHED_NONE && looks < LOOKS && act->records < RECORDS_MAX) {
		uint32_t slot = act->slot;
		struct sched_message known;

		sched_message_get(queue->sched, slot, &known);
		advance(act, slot);
		do_to(act, slot, &known);
		act->count++;
		looks += 1 + known.rcpt_count + (act->one ? READ_LOOKS : 0);
	}
	dispatch(queue);
	settle(act);
}

void
act_start(struct queue *queue, const struct ipc_aq_act *asked)
{
	struct act *act = mem_alloc(sizeof(*act));

	act->queue = queue;
	act->query = asked->query;
	act->kind = (enum ipc_act)asked->act;
	act->one = asked->id != 0;
	act->left = act->one ? 1 : sched_message_count(queue->sched);
	act->slot = act->one ? sched_message_find(queue->sched, asked->id)
	                     : sched_message_first(queue->sched);
	buf_init(&act->who, MARK_TEXT_MAX);
	buf_add(&act->who, span_first(asked->who, MARK_TEXT_MAX));
	act->timer = (struct io_timer){.fired = go_on, .owner = act};
	list_push(&queue->acts, &act->node);
	io_timer_start(queue->env->io, &act->timer, 0);
}

void
act_forget(struct queue *queue, uint32_t slot)
{
	list_for_each (node, &queue->acts) {
		struct act *act = container_of(node, struct act, node);

		if (act->slot == slot)
			advance(act, slot);
	}
}

void
act_stop(struct queue *queue)
{
	list_for_each_safe (node, &queue->acts)
		drop(container_of(node, struct act, node));
}

void
act_leave_off(struct queue *queue)
{
	list_for_each_safe (node, &queue->acts) {
		struct act *act = container_of(node, struct act, node);

		if (act->slot != SCHED_NONE)
			drop(act);
	}
}
