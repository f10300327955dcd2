/*
 * What became of recipients: recorded in the spool, said in the log, and, for a failure, the start
 * of a bounce.  A recipient ends exactly once.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

enum { MARK_BYTES_MAX = 2048 };

static void
mark(struct queue *queue, enum old_mark_kind kind, const struct recipient *rcpt)
{
	struct buf bytes;

	buf_init(&bytes, MARK_BYTES_MAX);
	old_mark_write(&bytes, kind, rcpt);
	check(buf_finish(&bytes) == OK);
	spool_mark(queue->spool, NULL, rcpt->message->id, buf_span(&bytes));
	buf_fini(&bytes);
}

static void
say(struct queue *queue, const char *name, const struct recipient *rcpt,
    const struct outcome *outcome)
{
	struct event event;

	queue_event_begin(&event, queue, name, rcpt->message);
	event_span(&event, "to", rcpt->address);
	if (!span_eq(rcpt->original, rcpt->address))
		event_span(&event, "original", rcpt->original);
	if (rcpt->kind == IPC_TARGET_MAILBOX)
		event_span(&event, "mailbox", rcpt->mailbox);
	if (outcome->remote.len > 0)
		event_span(&event, "host", outcome->remote);
	if (outcome->code > 0)
		event_u64(&event, "code", outcome->code);
	if (outcome->status.len > 0)
		event_span(&event, "status", outcome->status);
	if (outcome->text.len > 0)
		event_span(&event, "text", outcome->text);
	event_u64(&event, "delay_ms",
	    io_wall_ms(queue->env->io) - rcpt->message->arrival_wall_ms);
	if (outcome->kind == IPC_DEFERRED && rcpt->state == RECIPIENT_WAITING)
		event_u64(&event, "retry_ms",
		    rcpt->next_wall_ms - io_wall_ms(queue->env->io));
	event_end(&event);
}

void
outcome_end(struct queue *queue, struct recipient *rcpt)
{
	recipient_move(queue, rcpt, RECIPIENT_ENDED);
	/* The last one's end is the removal of the message. */
	if (rcpt->message->open_count > 0)
		mark(queue, OLD_MARK_ENDED, rcpt);
}

static void
keep_reply(struct queue *queue, struct recipient *rcpt, const struct outcome *outcome,
    bool expired)
{
	struct last_reply last = {
	    .code = outcome->code,
	    .remote = outcome->remote,
	    .text = outcome->text,
	    .wall_ms = io_wall_ms(queue->env->io),
	    .expired = expired,
	};
	struct span status = span_first(outcome->status, sizeof(last.status) - 1);

	if (status.len)
		memcpy(last.status, status.ptr, status.len);
	recipient_set_last(rcpt, &last);
}

static void
defer(struct queue *queue, struct recipient *rcpt, const struct outcome *outcome)
{
	const struct conf_limits *limits = &queue->conf->limits;
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	uint64_t chance;

	io_random(queue->env->io, &chance, sizeof(chance));
	rcpt->tries++;
	if (now_wall_ms >= rcpt->message->arrival_wall_ms + limits->expire_ms) {
		keep_reply(queue, rcpt, outcome, true);
		say(queue, "expired", rcpt, outcome);
		recipient_move(queue, rcpt, RECIPIENT_BOUNCING);
		return;
	}
	keep_reply(queue, rcpt, outcome, false);
	rcpt->next_wall_ms = now_wall_ms +
	    retry_wait_ms(limits->retry_ms, limits->retry_count, rcpt->tries,
	limits->jitter_percent, chance);
	mark(queue, OLD_MARK_DEFERRED, rcpt);
	recipient_move(queue, rcpt, RECIPIENT_WAITING);
	say(queue, "deferred", rcpt, outcome);
}

void
outcome_expire(struct queue *queue, struct recipient *rcpt)
{
	const struct outcome outcome = {
	    .kind = IPC_FAILED,
	    .code = rcpt->last ? rcpt->last->code : 0,
	    .status = rcpt->last ? span_str(rcpt->last->status) : SPAN("4.4.1"),
	    .remote = rcpt->last ? rcpt->last->remote : SPAN(""),
	    .text = rcpt->last ? rcpt->last->text : SPAN("no server of the destination answers"),
	};

	say(queue, "expired", rcpt, &outcome);
	keep_reply(queue, rcpt, &outcome, true);
	recipient_move(queue, rcpt, RECIPIENT_BOUNCING);
	outcome_settle(queue, rcpt->message);
}

void
outcome_apply(struct queue *queue, struct recipient *rcpt, const struct outcome *outcome)
{
	check(rcpt->state == RECIPIENT_ACTIVE);
	switch (outcome->kind) {
	case IPC_DELIVERED:
		say(queue, rcpt->kind == IPC_TARGET_MAILBOX ? "delivered" : "relayed", rcpt,
		    outcome);
		outcome_end(queue, rcpt);
		return;
	case IPC_DEFERRED:
		if (rcpt->message->deleting)
			break;
		defer(queue, rcpt, outcome);
		return;
	case IPC_FAILED:
		if (rcpt->message->deleting)
			break;
		keep_reply(queue, rcpt, outcome, false);
		say(queue, "bounced", rcpt, outcome);
		recipient_move(queue, rcpt, RECIPIENT_BOUNCING);
		return;
	case IPC_OUTCOME_COUNT:
		check(false);
	}
	say(queue, "deleted", rcpt, outcome);
	outcome_end(queue, rcpt);
}

static bool
has_bouncing(const struct message *message)
{
	for (uint32_t i = 0; i < message->rcpt_count; i++)
		if (message->rcpts[i].state == RECIPIENT_BOUNCING)
			return true;
	return false;
}

void
outcome_settle(struct queue *queue, struct message *message)
{
	/* Failures of attempts that end together go into one bounce. */
	if (message->active_count > 0 || message->bounce)
		return;
	if (has_bouncing(message)) {
		bounce_start(queue, message);
		return;
	}
	if (message->open_count > 0)
		return;
	spool_remove(queue->spool, NULL, message->id, SPAN(""));
	message_destroy(queue, message);
}
