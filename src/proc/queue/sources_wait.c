/*
 * Mail that no address of its pool may send just now: until when it waits, why, and when it is
 * looked at again.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/date.h"
#include "base/sim_point.h"
#include "route/source.h"
#include "route/warmup.h"

enum {
	UNDER_WAY_MS = 60 * 1000, /* until attempts have ended that keep the rest of a share */
	PACE_MS_MAX = 3600 * 1000, /* what others are promised may not be used: one looks again */
	TEXT_MAX = 500,
};

static const char put_off_status[] = "4.4.5";

/* Why addresses of the attempt's pool may not send just now, and when that is over. */
struct obstacle {
	struct share_time time;  /* now */
	bool spent, paced, early, failed, under_way;
	bool of_provider;        /* spent, paced: what goes to that */
	uint64_t share;          /* spent, paced: of all of them, today */
	uint64_t again_wall_ms;  /* 0: there is none */
	const struct share *row; /* failed: one of them */
	struct share *next;      /* paced: whose turn that is; or NULL */
};

/* When the share has places again, which is known; 0: it has some. */
static uint64_t
again_wall_ms(const struct queue *queue, const struct share *share, struct obstacle *obstacle)
{
	const struct share_time *time = &obstacle->time;

	if (share_left(share, time) > 0)
		return 0;
	if (share->max == 0) {
		obstacle->early = true;
		return sources_warmup(queue->conf, share)->from_day * WARMUP_DAY_MS;
	}
	if (share->used < share->max && share->used + share->pending >= share->max) {
		obstacle->under_way = true;
		return time->wall_ms + UNDER_WAY_MS;
	}
	obstacle->spent |= share->used >= share->max;
	obstacle->paced |= share->used < share->max;
	obstacle->of_provider |= share->provider[0] != '\0';
	obstacle->share += share->max;
	return share_next_wall_ms(share, time);
}

static void
add_obstacle(const struct attempt *attempt, const struct conf_source *source,
    struct obstacle *obstacle)
{
	const struct queue *queue = attempt->queue;
	const struct share_time *time = &obstacle->time;
	struct share *shares[ATTEMPT_SHARES], *next = NULL;
	uint64_t again_ms = 0;

	sources_shares(queue, source, sources_provider(attempt), shares);
	if (shares[0] && share_is_failed(shares[0], time->now_ms)) {
		obstacle->failed = true;
		obstacle->row = shares[0];
		again_ms = time->wall_ms + shares[0]->failed_until_ms - time->now_ms;
	}
	for (size_t i = 0; i < ATTEMPT_SHARES && again_ms == 0; i++) {
		next = shares[i];
		if (next)
			again_ms = again_wall_ms(queue, next, obstacle);
	}
	if (again_ms > 0 &&
	    (obstacle->again_wall_ms == 0 || again_ms < obstacle->again_wall_ms)) {
		obstacle->again_wall_ms = again_ms;
		obstacle->next = next && next->max > next->used + next->pending ? next : NULL;
	}
}

/* Each who waits for a place has a time of its own, so that not all look again for each place. */
static void
promise(const struct attempt *attempt, struct obstacle *obstacle)
{
	uint64_t until_wall_ms = obstacle->time.wall_ms + PACE_MS_MAX, places = 0;

	if (!obstacle->next)
		return;
	SIM_MARK("queue.paced");
	for (uint32_t i = 0; i < attempt->rcpt_count; i++)
		places += !attempt->told[i];
	obstacle->again_wall_ms =
	    share_promise(obstacle->next, places, &obstacle->time, until_wall_ms);
	if (obstacle->again_wall_ms > until_wall_ms)
		obstacle->again_wall_ms = until_wall_ms;
}

static void
write_pool(const struct attempt *attempt, struct buf *out)
{
	const struct conf *conf = attempt->queue->conf;
	const struct route_source_asked asked = sources_asked(attempt, 0);

	if (route_pool_is_known(conf, asked.pool)) {
		buf_addf(out, "of pool %.*s", SPAN_ARGS(asked.pool));
		return;
	}
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++) {
		const struct route_source_asked of = sources_asked(attempt, sources_families[f]);

		for (size_t i = 0; i < conf->source_count; i++)
			if (conf->sources[i].sender.len > 0 &&
			    route_source_fits(conf, &of, &conf->sources[i])) {
				buf_addf(out, "for senders at %.*s",
				    SPAN_ARGS(conf->sources[i].sender));
				return;
			}
	}
	buf_add_str(out, "that mail leaves from");
}

/* For people; the same for all mail of a pool, as long as it is so. */
static void
write_obstacle(const struct attempt *attempt, const struct obstacle *is, struct buf *out)
{
	if (is->again_wall_ms == 0) {
		buf_addf(out, "the servers have %s addresses only, and there is none to send from ",
		    attempt->avoid & ATTEMPT_AVOID_4 ? "IPv4" : "IPv6");
		write_pool(attempt, out);
		return;
	}
	buf_add_str(out, "the addresses ");
	write_pool(attempt, out);
	if (is->paced || is->spent)
		buf_addf(out, " have sent %stheir share of today%s%.*s (%llu)",
		    is->paced ? "what may go by now of " : "",
		    is->of_provider ? " to " : "",
		    SPAN_ARGS(is->of_provider ? sources_provider(attempt) : SPAN("")),
		    (unsigned long long)is->share);
	else if (is->early)
		buf_add_str(out, " do not send yet");
	else if (is->failed)
		buf_addf(out, " cannot be used: %s", is->row->why);
	else
		buf_add_str(out, " are just sending the rest of their share of today");
	if (((is->spent && !is->paced) || is->early) && is->again_wall_ms % WARMUP_DAY_MS == 0) {
		buf_add_str(out, "; it goes on ");
		date_write_day(out, is->again_wall_ms);
		buf_add_str(out, " 00:00 UTC");
	}
}

/* Nothing can be sent just now from any address of those families. */
static void
find_obstacle(const struct attempt *attempt, struct obstacle *obstacle)
{
	const struct conf *conf = attempt->queue->conf;

	*obstacle = (struct obstacle){.time = sources_time(attempt->queue)};
	for (size_t f = 0; f < ATTEMPT_FAMILIES; f++) {
		const struct route_source_asked asked = sources_asked(attempt, sources_families[f]);

		for (size_t i = 0; i < conf->source_count && attempt->avoid & 1u << f; i++)
			if (route_source_fits(conf, &asked, &conf->sources[i]))
				add_obstacle(attempt, &conf->sources[i], obstacle);
	}
	promise(attempt, obstacle);
}

/* Once for all recipients of the attempt. */
static void
obstruct(struct attempt *attempt)
{
	struct sched *sched = attempt->queue->sched;
	struct sched_reply reply = {.status = span_str(put_off_status)};
	struct obstacle obstacle;
	struct buf text;

	if (attempt->obstructed)
		return;
	find_obstacle(attempt, &obstacle);
	buf_init(&text, TEXT_MAX);
	write_obstacle(attempt, &obstacle, &text);
	reply.text = buf_span(&text);
	attempt->obstacle = sched_reply_keep(sched, &reply);
	if (attempt->reply == 0) {
		attempt->reply = attempt->obstacle;
		sched_reply_hold(sched, attempt->reply);
	}
	attempt->obstacle_wall_ms = obstacle.again_wall_ms;
	attempt->obstructed = true;
	buf_fini(&text);
}

void
sources_put_off(struct attempt *attempt, uint32_t index)
{
	struct outcome outcome = {.kind = IPC_DEFERRED};
	struct sched_reply reply;

	SIM_MARK("queue.put_off");
	obstruct(attempt);
	attempt->told[index] = true;
	reply = sched_reply_get(attempt->queue->sched, attempt->obstacle);
	outcome.status = reply.status;
	outcome.text = reply.text;
	if (attempt->obstacle_wall_ms > 0)
		outcome_put_off(attempt->message, attempt->rcpts[index], &outcome,
		    attempt->obstacle_wall_ms);
	else
		outcome_apply(attempt->message, attempt->rcpts[index], &outcome);
}

bool
sources_is_put_off(const struct sched_reply *reply)
{
	return reply->code == 0 && reply->remote.len == 0 &&
	    span_eq(reply->status, span_str(put_off_status));
}

void
sources_wake(struct queue *queue)
{
	struct sched *sched = queue->sched;

	for (uint32_t slot = sched_message_first(sched); slot != SCHED_NONE;
	     slot = sched_message_next(sched, slot)) {
		struct sched_message known;

		sched_message_get(sched, slot, &known);
		for (uint32_t i = 0; i < known.rcpt_count && !(known.flags & SCHED_PARKED); i++) {
			uint32_t at = sched_rcpt_find(sched, slot, i);
			struct sched_rcpt rcpt;
			struct sched_reply reply;

			if (at == SCHED_NONE || sched_rcpt_state(sched, at) != SCHED_WAITING)
				continue;
			sched_rcpt_get(sched, at, &rcpt);
			reply = sched_reply_get(sched, rcpt.reply);
			if (sources_is_put_off(&reply))
				sched_rcpt_ready(sched, at, false);
		}
	}
}
