/*
 * What became of recipients: recorded in the spool, said in the log, and, for a failure, the start
 * of a bounce.  A recipient ends exactly once.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "route/verp.h"

/* A recipient whose outcome is known. */
struct told {
	struct message *message;
	struct queue *queue;
	uint32_t at; /* in the scheduler */
	struct sched_rcpt rcpt;
	const struct envelope_rcpt *address; /* NULL: the envelope could not be read */
	bool final; /* who takes it keeps it */
};

static struct told
tell(struct message *message, uint32_t index)
{
	struct sched *sched = message->queue->sched;
	struct told told = {.message = message, .queue = message->queue};
	struct sched_destination destination;

	told.at = sched_rcpt_find(sched, message->slot, index);
	check(told.at != SCHED_NONE);
	sched_rcpt_get(sched, told.at, &told.rcpt);
	sched_destination_get(sched, told.rcpt.destination, &destination);
	told.final = schedule_is_final(&destination);
	if (message->envelope && index < message->envelope->rcpt_count)
		told.address = &message->envelope->rcpts[index];
	return told;
}

void
outcome_mark_durably(
    struct queue *queue, struct store_op *op, uint64_t id, const struct mark *mark)
{
	struct buf bytes;

	buf_init(&bytes, MARK_BYTES_MAX);
	mark_write(&bytes, mark);
	check(buf_finish(&bytes) == OK);
	store_mark(queue->store, op, id, buf_span(&bytes));
	buf_fini(&bytes);
}

void
outcome_mark(struct queue *queue, uint64_t id, const struct mark *mark)
{
	outcome_mark_durably(queue, NULL, id, mark);
}

static bool
is_local(const struct told *told)
{
	return told->address && told->address->kind == IPC_TARGET_MAILBOX;
}

/* Whom a bounce to such a reverse-path speaks of. */
static void
say_about(struct event *event, const struct told *told)
{
	const struct conf_verp *verp = verp_find(told->queue->conf, told->address->original);
	struct buf about;

	buf_init(&about, IPC_PATH_MAX);
	if (verp && verp_read(&about, verp, told->address->original))
		event_span(event, "about", buf_span(&about));
	buf_fini(&about);
}

static void
say(const char *name, const struct told *told, const struct outcome *outcome,
    uint64_t next_wall_ms)
{
	struct queue *queue = told->queue;
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	struct event event;

	queue_event_begin(&event, queue, name, told->message->id);
	if (told->address) {
		event_span(&event, "to", told->address->address);
		if (!span_eq(told->address->original, told->address->address))
			event_span(&event, "original", told->address->original);
	}
	if (is_local(told)) {
		event_span(&event, "mailbox", told->address->mailbox);
		say_about(&event, told);
	}
	if (outcome->remote.len > 0)
		event_span(&event, "host", outcome->remote);
	if (outcome->code > 0)
		event_u64(&event, "code", outcome->code);
	if (outcome->status.len > 0)
		event_span(&event, "status", outcome->status);
	if (outcome->source.len > 0)
		event_span(&event, "source", outcome->source);
	if (outcome->tls.len > 0)
		event_span(&event, "tls", outcome->tls);
	if (outcome->text.len > 0)
		event_span(&event, "text", outcome->text);
	if (outcome->rule)
		event_str(&event, "reason", outcome->rule->reason);
	/* The clock may have been set back meanwhile. */
	event_u64(&event, "delay_ms",
	    now_wall_ms > told->message->arrival_wall_ms
	        ? now_wall_ms - told->message->arrival_wall_ms
	        : 0);
	if (next_wall_ms > 0)
		event_u64(&event, "retry_ms", next_wall_ms - now_wall_ms);
	event_end(&event);
}

static void
fill_in(const struct told *told, struct mark *mark)
{
	mark->kind = MARK_ENDED;
	mark->index = told->rcpt.index;
	mark->wall_ms = io_wall_ms(told->queue->env->io);
	mark->in_doubt = told->rcpt.in_doubt;
}

void
outcome_end(struct message *message, uint32_t index, struct mark *mark)
{
	struct queue *queue = message->queue;
	struct told told = tell(message, index);
	struct sched_message known;

	fill_in(&told, mark);
	sched_message_get(queue->sched, message->slot, &known);
	/* The last one's end is the removal of the message. */
	if (known.open_count > 1)
		outcome_mark(queue, message->id, mark);
	else
		mark_write(&message->why, mark);
	sched_rcpt_end(queue->sched, told.at);
}

void
outcome_end_durably(
    struct message *message, uint32_t index, struct mark *mark, struct store_op *op)
{
	struct told told = tell(message, index);

	fill_in(&told, mark);
	outcome_mark_durably(message->queue, op, message->id, mark);
	sched_rcpt_end(message->queue->sched, told.at);
}

static void
end(const struct told *told, enum end_kind kind, const struct outcome *outcome)
{
	struct mark mark = {
	    .end = kind,
	    .code = outcome->code,
	    .status = outcome->status,
	    .remote = outcome->remote,
	    .text = outcome->text,
	};

	outcome_end(told->message, told->rcpt.index, &mark);
}

/* The recipient keeps what was said, and that it was tried. */
static void
keep_reply(struct told *told, const struct outcome *outcome)
{
	struct sched *sched = told->queue->sched;
	const struct sched_reply reply = {
	    outcome->code, outcome->status, outcome->remote, outcome->text};

	told->rcpt.code = outcome->code;
	told->rcpt.tried_wall_s = (uint32_t)(io_wall_ms(told->queue->env->io) / 1000);
	sched_rcpt_note(sched, told->at, &told->rcpt);
	sched_rcpt_reply(sched, told->at, sched_reply_keep(sched, &reply));
}

static void
mark_deferred(const struct told *told, const struct outcome *outcome, uint64_t next_wall_ms)
{
	const struct mark mark = {
	    .kind = MARK_DEFERRED,
	    .wall_ms = io_wall_ms(told->queue->env->io),
	    .index = told->rcpt.index,
	    .in_doubt = told->rcpt.in_doubt,
	    .tries = told->rcpt.tries,
	    .next_wall_ms = next_wall_ms,
	    .code = outcome->code,
	    .status = outcome->status,
	    .remote = outcome->remote,
	    .text = outcome->text,
	};

	outcome_mark(told->queue, told->message->id, &mark);
}

/* The sender wants it back when it is not there in time. */
static bool
is_over_time(const struct told *told, uint64_t now_wall_ms)
{
	const struct envelope *envelope = told->message->envelope;

	return envelope && envelope->extras.by == IPC_BY_RETURN &&
	    now_wall_ms >= envelope->extras.by_wall_ms;
}

static bool
is_given_up(const struct told *told)
{
	uint64_t expire_ms =
	    schedule_destination_limits(told->queue, told->rcpt.destination)->expire_ms;
	uint64_t now_wall_ms = io_wall_ms(told->queue->env->io);

	return now_wall_ms >= told->message->arrival_wall_ms + expire_ms ||
	    is_over_time(told, now_wall_ms);
}

static void
wait_until(struct told *told, const struct outcome *outcome, uint64_t next_wall_ms)
{
	told->rcpt.begun = 0;
	keep_reply(told, outcome);
	mark_deferred(told, outcome, next_wall_ms);
	sched_rcpt_wait(told->queue->sched, told->at, next_wall_ms);
	say("deferred", told, outcome, next_wall_ms);
}

static void
defer(struct told *told, const struct outcome *outcome)
{
	struct queue *queue = told->queue;
	const struct conf_limits *limits =
	    schedule_destination_limits(queue, told->rcpt.destination);
	uint64_t next_wall_ms, chance;

	io_random(queue->env->io, &chance, sizeof(chance));
	told->rcpt.tries++;
	told->rcpt.lost = 0;
	if (is_given_up(told)) {
		told->rcpt.expired = true;
		keep_reply(told, outcome);
		say("expired", told, outcome, 0);
		sched_rcpt_bounce(queue->sched, told->at);
		return;
	}
	next_wall_ms = io_wall_ms(queue->env->io) +
	    polite_wait_ms(outcome, told->rcpt.tries,
	        retry_wait_ms(limits->retry_ms, limits->retry_count, told->rcpt.tries,
	            limits->jitter_percent, chance));
	wait_until(told, outcome, next_wall_ms);
}

/*
 * Whether the sender is to be told by us that the recipient has it: as asked for with NOTIFY, where
 * no next server does; and where the time that was given is no longer seen to, or each step was to
 * be told (RFC 2852).
 */
static bool
tells_success(const struct told *told, const struct outcome *outcome)
{
	const struct envelope *envelope = told->message->envelope;
	const struct ipc_extras *extras = &envelope->extras;
	unsigned notify = told->address->notify;

	if (envelope->reverse_path.len == 0 || notify & IPC_NOTIFY_NEVER)
		return false;
	if (told->final)
		return notify & IPC_NOTIFY_SUCCESS && !(outcome->passed & IPC_PASSED_DSN);
	return (notify & IPC_NOTIFY_SUCCESS && !(outcome->passed & IPC_PASSED_DSN)) ||
	    (extras->by != IPC_BY_NONE &&
	        (extras->by_trace || !(outcome->passed & IPC_PASSED_BY)));
}

/* It is never tried again, and ends when what tells its sender is durable. */
static void
succeed(struct told *told, const struct outcome *outcome)
{
	const struct mark mark = {
	    .kind = MARK_SUCCEEDED,
	    .wall_ms = io_wall_ms(told->queue->env->io),
	    .index = told->rcpt.index,
	    .in_doubt = told->rcpt.in_doubt,
	    .code = outcome->code,
	    .status = outcome->status,
	    .remote = outcome->remote,
	    .text = outcome->text,
	};

	outcome_mark(told->queue, told->message->id, &mark);
	told->rcpt.lost = 0;
	told->rcpt.succeeded = true;
	keep_reply(told, outcome);
	sched_rcpt_bounce(told->queue->sched, told->at);
}

void
outcome_apply(struct message *message, uint32_t index, const struct outcome *outcome)
{
	struct told told = tell(message, index);
	struct sched_message known;

	check(told.rcpt.state == SCHED_ACTIVE);
	sched_message_get(message->queue->sched, message->slot, &known);
	if (outcome->kind == IPC_DELIVERED) {
		say(outcome->discarded ? "discarded"
		        : told.final     ? "delivered"
		                         : "relayed",
		    &told, outcome, 0);
		if (outcome->discarded)
			end(&told, END_DISCARDED, outcome);
		else if (told.address && tells_success(&told, outcome))
			succeed(&told, outcome);
		else
			end(&told, told.final ? END_DELIVERED : END_RELAYED, outcome);
	} else if (known.flags & SCHED_DELETING) {
		say("deleted", &told, outcome, 0);
		end(&told, END_DELETED, outcome);
	} else if (outcome->kind == IPC_DEFERRED) {
		defer(&told, outcome);
	} else {
		check(outcome->kind == IPC_FAILED);
		told.rcpt.lost = 0;
		keep_reply(&told, outcome);
		suppress_learn(message, told.address, outcome);
		say("bounced", &told, outcome, 0);
		sched_rcpt_bounce(message->queue->sched, told.at);
	}
}

void
outcome_put_off(struct message *message, uint32_t index, const struct outcome *outcome,
    uint64_t next_wall_ms)
{
	struct told told = tell(message, index);
	struct sched_message known;

	check(told.rcpt.state == SCHED_ACTIVE && outcome->kind == IPC_DEFERRED);
	sched_message_get(message->queue->sched, message->slot, &known);
	if (known.flags & SCHED_DELETING || is_given_up(&told)) {
		outcome_apply(message, index, outcome);
		return;
	}
	/* One that was never tried waits for what its sender said. */
	if (told.rcpt.tries == 0)
		told.rcpt.tries = 1;
	wait_until(&told, outcome, next_wall_ms);
}

void
outcome_doubt(struct message *message, uint32_t index)
{
	struct sched *sched = message->queue->sched;
	struct sched_reply reply;
	struct told told;

	if (sched_rcpt_find(sched, message->slot, index) == SCHED_NONE)
		return;
	told = tell(message, index);
	told.rcpt.in_doubt = true;
	sched_rcpt_note(sched, told.at, &told.rcpt);
	if (told.rcpt.state != SCHED_WAITING)
		return;
	reply = sched_reply_get(sched, told.rcpt.reply);
	mark_deferred(&told,
	    &(struct outcome){.kind = IPC_DEFERRED,
	        .code = told.rcpt.code,
	        .status = reply.status,
	        .remote = reply.remote,
	        .text = reply.text},
	    told.rcpt.next_wall_ms);
}

void
outcome_say_expired(struct message *message)
{
	struct sched *sched = message->queue->sched;
	struct sched_message known;

	sched_message_get(sched, message->slot, &known);
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		struct outcome outcome = {
		    .kind = IPC_FAILED,
		    .status = SPAN("4.4.1"),
		    .text = SPAN("no server of the destination answers"),
		};
		struct sched_reply reply;
		struct told told;

		if (sched_rcpt_find(sched, message->slot, i) == SCHED_NONE)
			continue;
		told = tell(message, i);
		if (!told.rcpt.unsaid)
			continue;
		reply = sched_reply_get(sched, told.rcpt.reply);
		if (told.rcpt.reply)
			outcome = (struct outcome){.kind = IPC_FAILED,
			    .code = reply.code,
			    .status = reply.status,
			    .remote = reply.remote,
			    .text = reply.text};
		told.rcpt.unsaid = false;
		keep_reply(&told, &outcome);
		say("expired", &told, &outcome, 0);
	}
}

static bool
has_bouncing(const struct message *message, const struct sched_message *known)
{
	struct sched *sched = message->queue->sched;

	for (uint32_t i = 0; i < known->rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(sched, message->slot, i);

		if (at != SCHED_NONE && sched_rcpt_state(sched, at) == SCHED_BOUNCING)
			return true;
	}
	return false;
}

void
outcome_settle(struct message *message)
{
	struct sched_message known;

	/* Failures of attempts that end together go into one bounce. */
	if (message->active_count > 0 || message->bounce)
		return;
	sched_message_get(message->queue->sched, message->slot, &known);
	if (known.open_count == 0)
		message_remove(message, NULL);
	else if (has_bouncing(message, &known))
		bounce_start(message);
}
