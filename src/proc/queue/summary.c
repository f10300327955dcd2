/*
 * The queue by destination, for operators: how much waits for each, since when, and how each
 * does; and by reason (reasons.h).  All recipients are counted for it, a part of them at a time,
 * so that a large queue goes on with its work; what changes meanwhile may be counted as it was or
 * as it is.
 */
#include "proc/queue/queue_internal.h"

#include <stdlib.h>

#include "base/check.h"
#include "ipc/ages.h"
#include "proc/queue/queue_limits.h"
#include "proc/queue/reasons.h"

enum { LOOKS = 20000, REPLY_LOOKS = 200, SHOWN_MAX = 1000 };

/* Whether a destination is one of those that are asked for. */
enum { UNKNOWN, MATCHES, IS_OTHER };

struct tally {
	uint64_t oldest_id, oldest_wall_ms;
	uint64_t waiting, parked;
	struct ipc_ages ages;
	uint8_t asked;
};

struct summary {
	struct queue *queue;
	struct list node; /* in queue->summaries */
	uint64_t query;
	uint32_t limit;
	uint32_t slot;         /* the message that is counted next; SCHED_NONE: all are */
	struct tally *tallies; /* by destination */
	uint32_t tally_count;
	struct reasons reasons;
	struct io_timer timer;
	struct buf match_bytes;
	struct span match; /* a selector of destinations */
};

static struct tally *
tally_of(struct summary *summary, uint32_t destination)
{
	uint32_t count = summary->tally_count;

	if (destination >= count) {
		summary->tally_count = destination + 1 + destination / 2;
		summary->tallies = mem_realloc(summary->tallies,
		    summary->tally_count * sizeof(*summary->tallies));
		memset(summary->tallies + count, 0,
		    (summary->tally_count - count) * sizeof(*summary->tallies));
	}
	return &summary->tallies[destination];
}

static bool
is_asked_for(const struct summary *summary, struct tally *tally, uint32_t destination)
{
	struct sched_destination known;

	if (tally->asked == UNKNOWN) {
		sched_destination_get(summary->queue->sched, destination, &known);
		tally->asked =
		    names_fit(summary->queue, summary->match, &known) ? MATCHES : IS_OTHER;
	}
	return tally->asked == MATCHES;
}

/* Messages come by age: the first at a destination is the oldest there. */
static uint32_t
count_message(struct summary *summary, uint32_t slot)
{
	struct sched *sched = summary->queue->sched;
	struct sched_message message;
	unsigned age;

	sched_message_get(sched, slot, &message);
	age = ipc_ages_at(message.arrival_wall_ms, io_wall_ms(summary->queue->env->io));
	for (uint32_t i = 0; i < message.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(sched, slot, i);
		struct sched_rcpt rcpt;
		struct tally *tally;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(sched, at, &rcpt);
		tally = tally_of(summary, rcpt.destination);
		if (tally->oldest_id == 0) {
			tally->oldest_id = message.id;
			tally->oldest_wall_ms = message.arrival_wall_ms;
		}
		tally->ages.counts[age]++;
		if (is_asked_for(summary, tally, rcpt.destination))
			reasons_add(&summary->reasons, at, &message, age);
		if (rcpt.state != SCHED_WAITING)
			continue;
		if (message.flags & SCHED_PARKED)
			tally->parked++;
		else
			tally->waiting++;
	}
	return message.rcpt_count;
}

/* As sched_why has it for a recipient that is ready. */
struct summary_standing
summary_standing(const struct sched_destination *known, const struct sched_site *site,
    uint64_t now_ms)
{
	uint64_t pause_ms = known->limits.pause_until_ms;
	bool ready = known->ready_count > 0;

	if (site && site->limits.pause_until_ms > pause_ms)
		pause_ms = site->limits.pause_until_ms;
	if (known->limits.suspended)
		return (struct summary_standing){
		    IPC_DESTINATION_SUSPENDED, IPC_WHY_SUSPENDED, 0};
	if (pause_ms > now_ms)
		return (struct summary_standing){
		    IPC_DESTINATION_PAUSED, IPC_WHY_PAUSE, pause_ms};
	if (known->down_count > 0 && known->down_until_ms <= now_ms && known->active > 0)
		return (struct summary_standing){IPC_DESTINATION_DOWN, IPC_WHY_PROBE, 0};
	if (known->down_count > 0)
		return (struct summary_standing){IPC_DESTINATION_DOWN, IPC_WHY_DOWN,
		    known->down_until_ms > now_ms ? known->down_until_ms : 0};
	if (ready && known->active >= known->window)
		return (struct summary_standing){
		    IPC_DESTINATION_LIMITED, IPC_WHY_WINDOW, 0};
	if (ready && site && site->active >= site->window)
		return (struct summary_standing){IPC_DESTINATION_LIMITED, IPC_WHY_SITE, 0};
	if (ready && known->token_ms > now_ms)
		return (struct summary_standing){
		    IPC_DESTINATION_LIMITED, IPC_WHY_RATE, known->token_ms};
	if (ready && site && site->token_ms > now_ms)
		return (struct summary_standing){
		    IPC_DESTINATION_LIMITED, IPC_WHY_SITE_RATE, site->token_ms};
	if (ready && known->full)
		return (struct summary_standing){IPC_DESTINATION_LIMITED, IPC_WHY_FULL, 0};
	return (struct summary_standing){
	    IPC_DESTINATION_OK, ready ? IPC_WHY_TURN : IPC_WHY_TIME, 0};
}

static void
send_destination(struct summary *summary, uint32_t at)
{
	struct queue *queue = summary->queue;
	uint64_t now_ms = io_now_ms(queue->env->io);
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	const struct tally *tally = tally_of(summary, at);
	struct ipc_qa_destination answer = {.query = summary->query};
	struct sched_destination known;
	struct sched_site space;
	const struct sched_site *site;
	const struct backoff *backoff;
	struct summary_standing standing;
	struct sched_reply reply;
	struct buf limit, ages, words;

	sched_destination_get(queue->sched, at, &known);
	site = schedule_site(queue, &known, &space);
	standing = summary_standing(&known, site, now_ms);
	reply = sched_reply_get(queue->sched,
	    standing.why == IPC_WHY_PAUSE ? known.last_reply : known.reply);
	if (standing.at_ms > 0)
		answer.at_wall_ms = now_wall_ms + standing.at_ms - now_ms;
	if (standing.why == IPC_WHY_SUSPENDED)
		answer.at_wall_ms = known.limits.suspended_until_wall_ms;
	if (site)
		answer.site = span_first(site->name, IPC_DOMAIN_MAX);
	buf_init(&limit, IPC_LIMIT_MAX);
	if (standing.state != IPC_DESTINATION_OK)
		queue_limits_write(&limit, queue->conf, known.key, answer.site, known.far,
		    standing.why);
	buf_init(&words, IPC_RULE_MAX);
	backoff = polite_backoff(queue, known.key, site);
	if (standing.why == IPC_WHY_PAUSE && backoff)
		backoffs_write_rule(&words, backoff->rule);
	answer.rule = buf_span(&words);
	answer.destination = span_first(known.key, IPC_DOMAIN_MAX);
	answer.state = (uint8_t)standing.state;
	answer.why = (uint8_t)standing.why;
	answer.limit = buf_span(&limit);
	answer.rcpt_count = known.rcpt_count;
	answer.ready = known.ready_count;
	answer.waiting = tally->waiting;
	answer.parked = tally->parked;
	answer.active = known.active;
	answer.window = known.window;
	answer.oldest_wall_ms = tally->oldest_wall_ms;
	answer.oldest_id = tally->oldest_id;
	answer.failures = known.down_count;
	answer.code = (uint16_t)reply.code;
	answer.status = reply.status;
	answer.remote = reply.remote;
	answer.text = reply.text;
	buf_init(&ages, IPC_AGES_MAX);
	ipc_ages_write(&ages, &tally->ages);
	answer.ages = buf_span(&ages);
	ipc_qa_destination_send(queue->admin, &answer);
	buf_fini(&words);
	buf_fini(&limit);
	buf_fini(&ages);
}

struct row {
	size_t rcpt_count;
	uint32_t destination;
};

static int
compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (a->rcpt_count != b->rcpt_count)
		return a->rcpt_count < b->rcpt_count ? 1 : -1;
	return a->destination < b->destination ? -1 : 1;
}

static void
free_summary(struct summary *summary)
{
	list_remove(&summary->node);
	io_timer_stop(summary->queue->env->io, &summary->timer);
	reasons_fini(&summary->reasons);
	buf_fini(&summary->match_bytes);
	mem_free(summary->tallies);
	mem_free(summary);
}

static void
send_tally(const struct summary *summary, enum ipc_tally kind, const char *name,
    const struct ipc_ages *counts)
{
	struct ipc_qa_tally answer = {
	    .query = summary->query, .kind = (uint8_t)kind, .name = span_str(name)};
	struct buf ages;

	if (ipc_ages_total(counts) == 0)
		return;
	buf_init(&ages, IPC_AGES_MAX);
	ipc_ages_write(&ages, counts);
	answer.ages = buf_span(&ages);
	ipc_qa_tally_send(summary->queue->admin, &answer);
	buf_fini(&ages);
}

static void
send_reasons(struct summary *summary)
{
	reasons_sort(&summary->reasons);
	for (size_t i = 0; i < summary->reasons.count; i++)
		send_tally(summary, IPC_TALLY_REASON, summary->reasons.rows[i].name,
		    &summary->reasons.rows[i].ages);
	send_tally(summary, IPC_TALLY_OTHER_REASONS, "", &summary->reasons.others);
}

static void
finish(struct summary *summary)
{
	struct sched *sched = summary->queue->sched;
	struct row *rows = mem_alloc(sched_destination_count(sched) * sizeof(*rows));
	struct ipc_qa_done done = {.query = summary->query};
	struct ipc_ages others = {0};
	size_t count = 0;

	for (uint32_t at = sched_destination_next(sched, SCHED_NONE); at != SCHED_NONE;
	     at = sched_destination_next(sched, at)) {
		struct sched_destination known;

		sched_destination_get(sched, at, &known);
		if (known.rcpt_count == 0 || !names_fit(summary->queue, summary->match, &known))
			continue;
		rows[count++] = (struct row){known.rcpt_count, at};
		done.rcpts += known.rcpt_count;
	}
	qsort(rows, count, sizeof(*rows), compare);
	for (; done.count < count && done.count < summary->limit; done.count++)
		send_destination(summary, rows[done.count].destination);
	for (size_t i = done.count; i < count; i++)
		ipc_ages_add(&others, &tally_of(summary, rows[i].destination)->ages);
	send_tally(summary, IPC_TALLY_OTHER_DESTINATIONS, "", &others);
	send_reasons(summary);
	done.total = count;
	mem_free(rows);
	if (count == 0 && summary->match.len > 0)
		names_send_none(summary->queue, &done, summary->match);
	else
		ipc_qa_done_send(summary->queue->admin, &done);
	free_summary(summary);
}

static void
go_on(struct io_timer *timer)
{
	struct summary *summary = timer->owner;
	uint32_t looks = 0;

	while (summary->slot != SCHED_NONE && looks < LOOKS) {
		uint32_t next =
		    sched_message_next(summary->queue->sched, summary->slot);

		looks += count_message(summary, summary->slot);
		summary->slot = next;
	}
	/* What was said is looked at only when all is counted: each reply once. */
	if (summary->slot == SCHED_NONE && looks == 0 &&
	    !reasons_look(&summary->reasons, REPLY_LOOKS))
		finish(summary);
	else
		io_timer_start(summary->queue->env->io, &summary->timer, 0);
}

void
summary_start(struct queue *queue, const struct ipc_aq_summary *asked)
{
	struct summary *summary = mem_alloc(sizeof(*summary));

	buf_init(&summary->match_bytes, IPC_NAME_MAX);
	if (!names_take(queue, asked->query, asked->match, &summary->match_bytes)) {
		buf_fini(&summary->match_bytes);
		mem_free(summary);
		return;
	}
	summary->match = buf_span(&summary->match_bytes);
	summary->queue = queue;
	summary->query = asked->query;
	summary->reasons.sched = queue->sched;
	summary->limit = asked->limit < SHOWN_MAX ? asked->limit : SHOWN_MAX;
	summary->slot = sched_message_first(queue->sched);
	summary->timer = (struct io_timer){.fired = go_on, .owner = summary};
	list_push(&queue->summaries, &summary->node);
	io_timer_start(queue->env->io, &summary->timer, 0);
}

void
summary_forget(struct queue *queue, uint32_t slot)
{
	list_for_each (node, &queue->summaries) {
		struct summary *summary = container_of(node, struct summary, node);

		if (summary->slot == slot)
			summary->slot = sched_message_next(queue->sched, slot);
	}
}

void
summary_stop(struct queue *queue)
{
	list_for_each_safe (node, &queue->summaries)
		free_summary(container_of(node, struct summary, node));
}
