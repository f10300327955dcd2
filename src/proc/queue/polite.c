/*
 * Heeds what other servers' words ask for.  Each reply that is no success is held against the
 * provider rules (src/rules); a rule that says "slow down" or "pause" spares the destination, or
 * all that the same servers take mail for, as src/route/ease.h decides.  A reply that is about a
 * recipient is no fault of the destination.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "route/site.h"

enum {
	GREYLIST_MS = 5 * 60 * 1000,
	GREYLIST_MS_MAX = 60 * 60 * 1000, /* where the server says how long */
	GREYLIST_LATER_MS = 2000,         /* after the time that it says */
	GREYLIST_TRIES = 3,               /* then it waits as after any other reply */
};

const struct rule *
polite_rule(const struct queue *queue, const struct outcome *outcome)
{
	if (outcome->kind == IPC_DELIVERED || outcome->code < 400 || !queue->conf->heed_replies)
		return NULL;
	return rules_match(&(struct rules_reply){.text = outcome->text,
	    .code = outcome->code,
	    .status = outcome->status,
	    .host = backoffs_host(outcome->remote)});
}

static bool
is_greylisted(const struct rule *rule)
{
	return rule && strcmp(rule->reason, "greylisted") == 0;
}

bool
polite_is_recipients(const struct rule *rule)
{
	return is_greylisted(rule) || (rule && strcmp(rule->reason, "mailbox-full") == 0);
}

uint64_t
polite_wait_ms(const struct outcome *outcome, uint32_t tries, uint64_t wait_ms)
{
	uint64_t stated_ms;

	if (!is_greylisted(outcome->rule) || tries > GREYLIST_TRIES)
		return wait_ms;
	stated_ms = rules_stated_ms(outcome->text);
	if (stated_ms == 0)
		return wait_ms < GREYLIST_MS ? wait_ms : GREYLIST_MS;
	stated_ms += GREYLIST_LATER_MS;
	return stated_ms < GREYLIST_MS_MAX ? stated_ms : GREYLIST_MS_MAX;
}

/* Mail through a smart host has that as its destination, and nobody shares it. */
static bool
has_site(struct span key, struct span remote)
{
	return span_starts(key, SPAN("mx:")) && backoffs_host(remote).len > 0;
}

static bool
is_graver(const struct rule *rule, const struct rule *than)
{
	enum ease_kind kind, other;

	if (!rule || !backoffs_kind(rule, &kind))
		return false;
	return !than || !backoffs_kind(than, &other) || kind > other;
}

/* A domain with hosts of several names stays with the site that asked to be spared. */
static void
learn_site(struct attempt *attempt, const struct sched_destination *known, struct span remote)
{
	struct queue *queue = attempt->queue;
	char bytes[ROUTE_SITE_NAME_MAX];
	struct span name = route_site_name(queue->conf, backoffs_host(remote), bytes);
	struct sched_site was;

	if (known->site != SCHED_NONE) {
		sched_site_get(queue->sched, known->site, &was);
		if (span_eq(was.name, name) ||
		    (!attempt->rule && backoffs_find(&queue->backoffs,
		                           backoffs_site_id(&queue->backoffs, was.name))))
			return;
	}
	if (sites_learn(&queue->sites, known->key, name) || known->site == SCHED_NONE)
		sched_ask(queue->sched, attempt->destination);
}

void
polite_learn_site(struct attempt *attempt, struct span remote)
{
	struct sched_destination known;

	sched_destination_get(attempt->queue->sched, attempt->destination, &known);
	if (has_site(known.key, remote))
		learn_site(attempt, &known, remote);
}

void
polite_note(struct attempt *attempt, const struct outcome *outcome)
{
	struct sched *sched = attempt->queue->sched;
	const struct sched_reply reply = {
	    outcome->code, outcome->status, outcome->remote, outcome->text};

	if (is_graver(outcome->rule, attempt->rule)) {
		attempt->rule = outcome->rule;
		sched_reply_drop(sched, attempt->rule_reply);
		attempt->rule_reply = sched_reply_keep(sched, &reply);
	}
	if (outcome->code > 0)
		polite_learn_site(attempt, outcome->remote);
}

static void
say(struct queue *queue, const struct backoff *row, const char *what, const char *why)
{
	uint64_t now_ms = io_now_ms(queue->env->io);
	struct event event;

	event_begin(&event, &queue->env->log, what);
	event_str(&event, row->is_site ? "site" : "destination", row->name);
	event_str(&event, "kind", ease_name(row->ease.kind));
	event_str(&event, "provider", row->rule->provider);
	event_str(&event, "reason", row->rule->reason);
	if (why) {
		event_str(&event, "text", why);
		event_end(&event);
		return;
	}
	event_str(&event, "action", rule_action_name(row->rule->action));
	event_u64(&event, "strikes", row->ease.strikes);
	event_u64(&event, "connections", row->ease.connections);
	if (row->ease.pause_until_ms > now_ms)
		event_u64(&event, "pause_ms", row->ease.pause_until_ms - now_ms);
	if (row->ease.interval_ms > 0)
		event_u64(&event, "interval_ms", row->ease.interval_ms);
	event_str(&event, "host", row->host);
	event_u64(&event, "code", row->code);
	if (row->status[0])
		event_str(&event, "status", row->status);
	event_str(&event, "text", row->text);
	event_end(&event);
}

static void
ask(struct queue *queue, const struct backoff *row)
{
	uint32_t destination;

	queue->backoffs_changed = true;
	if (row->is_site) {
		uint32_t site =
		    sched_site_find(queue->sched, IPC_TARGET_REMOTE, span_str(row->name));

		if (site != SCHED_NONE)
			sched_ask_site(queue->sched, site);
		return;
	}
	destination =
	    sched_destination_find(queue->sched, IPC_TARGET_REMOTE, span_str(row->name));
	if (destination != SCHED_NONE)
		sched_ask(queue->sched, destination);
}

void
polite_strike(struct attempt *attempt)
{
	struct queue *queue = attempt->queue;
	uint64_t now_ms = io_now_ms(queue->env->io);
	struct sched_destination known;
	struct sched_site site;
	struct sched_reply reply;
	struct backoff *row;
	enum ease_kind kind;
	uint32_t active;

	if (!attempt->rule || !backoffs_kind(attempt->rule, &kind))
		return;
	sched_destination_get(queue->sched, attempt->destination, &known);
	reply = sched_reply_get(queue->sched, attempt->rule_reply);
	if (attempt->rule->scope == RULE_PROVIDER && known.site != SCHED_NONE) {
		sched_site_get(queue->sched, known.site, &site);
		active = site.active;
		row = backoffs_take(&queue->backoffs,
		    backoffs_site_id(&queue->backoffs, site.name), site.name);
	} else {
		active = known.active;
		row = backoffs_take(&queue->backoffs,
		    backoffs_destination_id(&queue->backoffs, known.key), known.key);
	}
	if (ease_strike(&row->ease, kind, active - 1, rules_stated_ms(reply.text), now_ms)) {
		SIM_MARK("queue.backoff");
		if (!row->rule)
			row->since_wall_ms = io_wall_ms(queue->env->io);
		row->rule = attempt->rule;
		backoffs_said(row, reply.code, reply.status, backoffs_host(reply.remote),
		    reply.text);
		say(queue, row, "backoff", NULL);
		ask(queue, row);
	}
	sched_reply_drop(queue->sched, attempt->rule_reply);
	attempt->rule_reply = 0;
}

static void
limit_rate(const struct backoff *row, struct rate_limit *rate)
{
	if (row->ease.interval_ms > 0 &&
	    (rate->count == 0 || rate->period_ms / rate->count < row->ease.interval_ms))
		*rate = (struct rate_limit){1, row->ease.interval_ms};
}

/* What is allowed beside a back-off; NULL: all that it says now. */
static void
spare(const struct backoff *row, uint64_t *pause_until_ms, uint32_t *concurrency_start,
    uint32_t *concurrency_max, struct rate_limit *rate)
{
	if (!row)
		return;
	*pause_until_ms = row->ease.pause_until_ms;
	if (row->ease.connections < *concurrency_max)
		*concurrency_max = row->ease.connections;
	if (*concurrency_max < *concurrency_start)
		*concurrency_start = *concurrency_max;
	limit_rate(row, rate);
}

void
polite_limits(const struct queue *queue, struct span key, struct sched_limits *limits)
{
	const struct backoffs *backoffs = &queue->backoffs;
	const struct backoff *row =
	    backoffs_find(backoffs, backoffs_destination_id(backoffs, key));

	spare(row, &limits->pause_until_ms, &limits->concurrency_start,
	    &limits->concurrency_max, &limits->rate);
	if (row && row->ease.connections < limits->concurrency_far_max)
		limits->concurrency_far_max = row->ease.connections;
}

void
polite_site_limits(
    const struct queue *queue, struct span name, struct sched_site_limits *limits)
{
	const struct backoffs *backoffs = &queue->backoffs;

	spare(backoffs_find(backoffs, backoffs_site_id(backoffs, name)),
	    &limits->pause_until_ms, &limits->concurrency_start, &limits->concurrency_max,
	    &limits->rate);
}

const struct backoff *
polite_backoff(
    const struct queue *queue, struct span key, const struct sched_site *site)
{
	const struct backoff *own = backoffs_find(
	    &queue->backoffs, backoffs_destination_id(&queue->backoffs, key));
	const struct backoff *shared = site ? backoffs_find(&queue->backoffs,
	                                          backoffs_site_id(&queue->backoffs, site->name))
	                                    : NULL;

	if (!own || !shared)
		return own ? own : shared;
	return own->ease.pause_until_ms > shared->ease.pause_until_ms ? own : shared;
}

static void
end(struct queue *queue, struct backoff *row, const char *why)
{
	struct backoff was = *row;

	say(queue, row, "backoff_over", why);
	backoffs_remove(&queue->backoffs, row);
	ask(queue, &was);
}

void
polite_expire(struct queue *queue)
{
	uint64_t now_ms = io_now_ms(queue->env->io);
	bool changed = false;

	list_for_each_safe (node, &queue->backoffs.rows) {
		struct backoff *row = container_of(node, struct backoff, node);

		if (!ease_pass(&row->ease, now_ms))
			continue;
		changed = true;
		if (row->ease.strikes == 0)
			end(queue, row, "it has asked for nothing any more");
		else
			ask(queue, row);
	}
	if (changed)
		dispatch(queue);
}

void
polite_forget(struct queue *queue, uint32_t destination)
{
	struct sched_destination known;
	struct sched_site site;
	struct backoff *row;

	if (queue->backoffs.count == 0)
		return;
	sched_destination_get(queue->sched, destination, &known);
	row = backoffs_find(
	    &queue->backoffs, backoffs_destination_id(&queue->backoffs, known.key));
	if (row)
		end(queue, row, "an operator wants it tried now");
	if (known.site == SCHED_NONE)
		return;
	sched_site_get(queue->sched, known.site, &site);
	row = backoffs_find(
	    &queue->backoffs, backoffs_site_id(&queue->backoffs, site.name));
	if (row)
		end(queue, row, "an operator wants it tried now");
}
