/*
 * On a long line: the next attempt's transaction begins behind the end of the message at hand,
 * before the other server has answered that, so that a message costs one round trip instead of two.
 *
 * The connection has room once all of a message is sent.  The queue is told, for the attempt at
 * hand needs no connection of its own any more, and gives another; who waits for a connection takes
 * the room.  What is behind can be taken back as long as its turn has not come: nothing of its body
 * is sent before that.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

enum {
	LINE_MS_MIN = 10,        /* of a shorter line nothing is to be gained */
	END_MS_MAX = 1000,       /* who takes longer for a message is not waited for */
	BEHIND_MS_MAX = 3 * 1000, /* the longest wait behind a message; then it goes elsewhere */
};

static uint64_t
now_ms(const struct talk *talk)
{
	return io_now_ms(talk->delivery->env->io);
}

static bool
has_room(struct talk *talk)
{
	const struct attempt *attempt = talk->attempt;
	const struct net_addr to = attempt_to(attempt, attempt->addr_index);
	uint64_t quickest_ms = smtp_client_quickest_ms(talk->smtp);

	return talk->is_quick && quickest_ms >= LINE_MS_MIN && quickest_ms < UINT64_MAX &&
	    smtp_client_may_send_ahead(talk->smtp) && talk_may_go_on(talk) &&
	    health_wait_ms(&talk->delivery->in_turn, &to, now_ms(talk)) == 0;
}

void
talk_end_sent(struct talk *talk)
{
	const struct ipc_dq_room room = {.attempt = talk->attempt->number};

	talk->end_ms = now_ms(talk);
	if (!has_room(talk))
		return;
	pool_room(&talk->delivery->pool, &talk->entry);
	if (talk->delivery->queue)
		ipc_dq_room_send(talk->delivery->queue, &room);
	talk_serve(talk->delivery, talk->entry.way);
}

bool
talk_go_behind(struct talk *talk, struct attempt *attempt)
{
	check(!talk->behind && !attempt->ahead);
	talk->saying = attempt;
	recorder_address(attempt, "behind another message, on a connection to ",
	    attempt_port(attempt));
	if (attempt->conversion.survey || !talk_send_ahead(talk, attempt)) {
		talk->saying = NULL;
		recorder_fact(attempt, "it cannot go there so", SPAN(""));
		return false;
	}
	talk->saying = NULL;
	SIM_MARK("delivery.behind_another");
	talk->behind = attempt;
	talk->behind_ms = now_ms(talk);
	attempt->ahead = talk;
	talk_flush(talk);
	talk_settle(talk);
	return true;
}

/* Its turn on that connection does not come, or has come. */
struct attempt *
talk_part(struct talk *talk)
{
	struct attempt *attempt = talk->behind;

	if (attempt)
		attempt->ahead = NULL;
	talk->behind = NULL;
	return attempt;
}

void
talk_mail_over(struct talk *talk, const struct smtp_client_event *event)
{
	struct attempt *attempt;

	pool_no_room(&talk->delivery->pool, &talk->entry);
	if (event->stage == SMTP_CLIENT_BODY_SENT)
		talk->is_quick = now_ms(talk) - talk->end_ms <= END_MS_MAX;
	/* Where the session ends with this message, talk_close() sees to it. */
	if (!talk->behind || !smtp_client_was_ahead(talk->smtp))
		return;
	attempt = talk_part(talk);
	talk->mails++;
	talk_have(talk, attempt);
	attempt->mail_sent = true;
	if (SIM_BUG(BEHIND_SHARES_REPLY)) {
		for (size_t i = 0; i < attempt->rcpt_count; i++)
			attempt_tell(attempt, i, IPC_DELIVERED, &event->reply);
		attempt_finish(attempt);
		return;
	}
	recorder_fact(attempt, "its turn has come", SPAN(""));
}

static bool
stumbles(const struct talk *talk, const struct smtp_client_event *event)
{
	if (event->kind == SMTP_CLIENT_FAILED && event->stage == SMTP_CLIENT_BODY_SENT)
		return talk->behind && smtp_client_in_doubt(talk->smtp);
	return event->stage == SMTP_CLIENT_MAIL && smtp_client_was_ahead(talk->smtp) &&
	    (event->err == ERR_TIMEOUT || event->reply.code >= 500);
}

bool
talk_stumbles(const struct talk *talk, const struct smtp_client_event *event)
{
	const struct attempt *attempt = talk->attempt;
	const struct net_addr to = attempt_to(attempt, attempt->addr_index);

	if (!stumbles(talk, event))
		return false;
	SIM_MARK("delivery.stumbles");
	health_silent(&talk->delivery->in_turn, &to, now_ms(talk), UINT64_MAX);
	return true;
}

void
talk_take_back(struct attempt *attempt)
{
	struct talk *talk = attempt->ahead;

	if (!talk)
		return;
	smtp_client_drop_ahead(talk->smtp);
	talk->spent = true;
	talk_part(talk);
}

void
talk_go_elsewhere(struct attempt *attempt, const char *why)
{
	/* Without a queue, or at the end, it is dropped with all others. */
	if (!attempt || attempt->delivery->stopping || !attempt->delivery->queue)
		return;
	SIM_MARK("delivery.not_behind");
	recorder_fact(attempt, why, SPAN(""));
	attempt->want.alone = true;
	talk_start(attempt);
}

void
talk_check_behind(struct talk *talk)
{
	struct attempt *attempt = talk->behind;

	if (!attempt || now_ms(talk) < talk_behind_deadline_ms(talk))
		return;
	talk_take_back(attempt);
	talk_go_elsewhere(attempt, "the message before it takes too long");
}

uint64_t
talk_behind_deadline_ms(const struct talk *talk)
{
	return talk->behind ? talk->behind_ms + BEHIND_MS_MAX : UINT64_MAX;
}
