/*
 * How a destination stands, for operators: which limit binds it, what it said last, what it asked
 * for, and when it will be empty if all goes on as in the last minutes.
 */
#include "proc/queue/queue_internal.h"

#include "proc/queue/queue_limits.h"
#include "route/name.h"

enum { TOLD_MAX = 100 };

uint64_t
standing_empty_wall_ms(
    size_t rcpt_count, uint64_t left, uint64_t left_ms, uint64_t from_wall_ms)
{
	if (left == 0 || left_ms < 1000 || rcpt_count == 0)
		return 0;
	return from_wall_ms + rcpt_count * left_ms / left;
}

void
standing_tell_backoff(const struct queue *queue, struct span key,
    const struct sched_site *site, struct ipc_qa_standing *answer, struct buf *rule)
{
	const struct backoff *backoff = polite_backoff(queue, key, site);
	uint64_t now_ms = io_now_ms(queue->env->io);

	if (!backoff)
		return;
	backoffs_write_rule(rule, backoff->rule);
	answer->asked = (uint8_t)(backoff->ease.kind + 1);
	answer->strikes = backoff->ease.strikes;
	answer->since_wall_ms = backoff->since_wall_ms;
	answer->until_wall_ms = io_wall_ms(queue->env->io) +
	    (backoff->ease.until_ms > now_ms ? backoff->ease.until_ms - now_ms : 0);
	answer->asked_of_site = backoff->is_site;
	if (answer->code > 0 || answer->text.len > 0)
		return;
	/* It may have been said to another domain of the site. */
	answer->code = (uint16_t)backoff->code;
	answer->status = span_str(backoff->status);
	answer->remote = span_str(backoff->host);
	answer->text = span_str(backoff->text);
}

/* What all that the same servers take mail for have together. */
void
standing_tell_site(const struct sched_site *site, struct ipc_qa_standing *answer)
{
	answer->site = span_first(site->name, IPC_DOMAIN_MAX);
	answer->site_destinations = site->destination_count;
	answer->site_active = site->active;
	answer->site_window = site->window;
	answer->site_connections_max = site->limits.concurrency_max;
	if (site->limits.rate.count > 0)
		answer->site_interval_ms =
		    site->limits.rate.period_ms / site->limits.rate.count;
}

static void
tell(struct queue *queue, uint64_t query, const struct sched_destination *known,
    const struct sched_site *site)
{
	uint64_t now_ms = io_now_ms(queue->env->io), now_wall_ms = io_wall_ms(queue->env->io);
	struct ipc_qa_standing answer = {.query = query};
	struct sched_reply reply = sched_reply_get(queue->sched, known->last_reply);
	struct summary_standing standing = summary_standing(known, site, now_ms);
	struct buf limit, rule;

	buf_init(&limit, IPC_LIMIT_MAX);
	buf_init(&rule, IPC_RULE_MAX);
	if (standing.why == IPC_WHY_TIME && known->rcpt_count > 0 && sources_is_put_off(&reply)) {
		standing.why = IPC_WHY_SOURCE;
		standing.state = IPC_DESTINATION_LIMITED;
	}
	if (site)
		standing_tell_site(site, &answer);
	if (standing.at_ms > 0)
		answer.at_wall_ms = now_wall_ms + standing.at_ms - now_ms;
	if (standing.why == IPC_WHY_SUSPENDED)
		answer.at_wall_ms = known->limits.suspended_until_wall_ms;
	if (standing.state != IPC_DESTINATION_OK)
		queue_limits_write(
		    &limit, queue->conf, known->key, answer.site, known->far, standing.why);
	if (standing.state != IPC_DESTINATION_DOWN &&
	    (standing.why != IPC_WHY_SUSPENDED || answer.at_wall_ms > 0))
		answer.empty_wall_ms = standing_empty_wall_ms(known->rcpt_count, known->left_count,
		    known->left_ms,
		    answer.at_wall_ms > now_wall_ms ? answer.at_wall_ms : now_wall_ms);
	answer.destination = span_first(known->key, IPC_DOMAIN_MAX);
	answer.state = (uint8_t)standing.state;
	answer.why = (uint8_t)standing.why;
	answer.limit = buf_span(&limit);
	answer.rcpt_count = known->rcpt_count;
	answer.ready = known->ready_count;
	answer.active = known->active;
	answer.window = known->window;
	answer.connections_max = known->window_max;
	if (known->limits.rate.count > 0)
		answer.interval_ms = known->limits.rate.period_ms / known->limits.rate.count;
	answer.failures = known->down_count;
	answer.left = known->left_count;
	answer.left_ms = known->left_ms;
	answer.replied_wall_ms = (uint64_t)known->last_reply_wall_s * 1000;
	answer.code = (uint16_t)reply.code;
	answer.status = reply.status;
	answer.remote = reply.remote;
	answer.text = reply.text;
	standing_tell_backoff(queue, known->key, site, &answer, &rule);
	answer.rule = buf_span(&rule);
	ipc_qa_standing_send(queue->admin, &answer);
	buf_fini(&rule);
	buf_fini(&limit);
}

/* Nothing waits for it: what new mail would meet.  False: it is no domain, and not configured. */
static bool
tell_empty(struct queue *queue, uint64_t query, struct span selector)
{
	struct sched_destination known = {.site = SCHED_NONE};
	struct sched_site site = {0};
	uint32_t at;
	struct buf key;

	buf_init(&key, 2 * ROUTE_NAME_BYTES_MAX);
	if (!names_configured(queue, selector, &key)) {
		if (!span_starts_nocase(selector, SPAN("mx:")))
			buf_add_str(&key, "mx:");
		buf_add_lower(&key, selector);
	}
	known.key = buf_span(&key);
	known.kind = schedule_kind(queue, known.key,
	    span_eq(known.key, SPAN("mailbox")) ? IPC_TARGET_MAILBOX : IPC_TARGET_REMOTE);
	if (!route_name_fits(selector, known.key, SPAN(""))) {
		buf_fini(&key);
		return false;
	}
	schedule_sched_limits(queue, known.kind, known.key, &known.limits);
	known.window = known.limits.concurrency_start;
	known.window_max = known.limits.concurrency_max;
	site.name = sites_of(&queue->sites, known.key);
	at = sched_site_find(queue->sched, IPC_TARGET_REMOTE, site.name);
	if (at != SCHED_NONE) {
		sched_site_get(queue->sched, at, &site);
	} else if (site.name.len > 0) {
		schedule_site_limits(queue, site.name, &site.limits);
		site.window = site.limits.concurrency_start;
	}
	tell(queue, query, &known, site.name.len > 0 ? &site : NULL);
	buf_fini(&key);
	return true;
}

static void
tell_destinations(struct queue *queue, struct span selector, struct ipc_qa_done *done)
{
	struct sched *sched = queue->sched;

	for (uint32_t at = sched_destination_next(sched, SCHED_NONE); at != SCHED_NONE;
	     at = sched_destination_next(sched, at)) {
		struct sched_destination known;
		struct sched_site site;

		sched_destination_get(sched, at, &known);
		if (known.rcpt_count == 0 || !names_fit(queue, selector, &known))
			continue;
		done->total++;
		if (done->count < TOLD_MAX) {
			tell(queue, done->query, &known, schedule_site(queue, &known, &site));
			done->count++;
		}
	}
}

void
standing_tell(struct queue *queue, const struct ipc_aq_why *asked)
{
	struct ipc_qa_done done = {.query = asked->query};
	struct span selector, site;
	struct buf bytes;

	buf_init(&bytes, IPC_NAME_MAX);
	if (!names_take_known(queue, asked->query, asked->match, &bytes)) {
		buf_fini(&bytes);
		return;
	}
	selector = buf_span(&bytes);
	if (route_name_site(selector, &site)) {
		done.count = standing_tell_sites(queue, asked->query, site);
		ipc_qa_done_send(queue->admin, &done);
		buf_fini(&bytes);
		return;
	}
	tell_destinations(queue, selector, &done);
	if (done.count > 0) {
		ipc_qa_done_send(queue->admin, &done);
	} else {
		done.count = selector.ptr[0] != '.' && tell_empty(queue, asked->query, selector);
		names_send_none(queue, &done, selector);
	}
	buf_fini(&bytes);
}
