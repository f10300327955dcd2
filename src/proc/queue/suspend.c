/*
 * Destinations that an operator suspends and resumes: kept in a file beside the spool's, replaced
 * as a whole, before the operator is told that it is done.
 *
 * Whose servers a domain has is known from its mail only, and forgotten at a stop.  So delivery is
 * told which providers are suspended: it asks none of their servers, and says which it found.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "route/name.h"

static void
say(struct queue *queue, const char *what, struct span pattern, struct span who,
    uint64_t until_wall_ms)
{
	struct event event;

	event_begin(&event, &queue->env->log, what);
	event_span(&event, "destination", pattern);
	if (who.len > 0)
		event_span(&event, "who", who);
	if (until_wall_ms > 0)
		event_u64(&event, "for_ms", until_wall_ms - io_wall_ms(queue->env->io));
	event_end(&event);
}

static enum err
save(struct queue *queue)
{
	struct buf bytes;
	enum err err;

	buf_init(&bytes, SUSPENSIONS_BYTES_MAX);
	suspensions_write(&queue->suspensions, &bytes);
	check(buf_finish(&bytes) == OK);
	err = kept_replace(queue, KEPT_SUSPENSIONS, buf_span(&bytes));
	buf_fini(&bytes);
	return err;
}

void
suspend_load(struct queue *queue)
{
	struct buf bytes;
	enum err err;

	buf_init(&bytes, SUSPENSIONS_BYTES_MAX);
	err = kept_read(queue, KEPT_SUSPENSIONS, &bytes);
	if (!err)
		err = suspensions_read(&queue->suspensions, buf_span(&bytes));
	buf_fini(&bytes);
	kept_loaded(queue, KEPT_SUSPENSIONS, err);
}

void
suspend_limits(const struct queue *queue, struct span key, struct sched_limits *limits)
{
	const struct suspension *row = queue->suspensions.count > 0
	    ? suspensions_find(&queue->suspensions, key, sites_of(&queue->sites, key))
	    : NULL;

	limits->suspended = row != NULL;
	limits->suspended_until_wall_ms = row ? row->until_wall_ms : 0;
}

void
suspend_tell(const struct queue *queue, struct ipc_channel *delivery)
{
	struct ipc_qd_suspended told = {.first = true};
	struct span site;

	for (size_t i = 0; i < queue->suspensions.count; i++) {
		if (!route_name_site(span_str(queue->suspensions.rows[i].pattern), &site))
			continue;
		told.site = site;
		ipc_qd_suspended_send(delivery, &told);
		told.first = false;
	}
	if (told.first)
		ipc_qd_suspended_send(delivery, &told);
}

/* What is suspended has changed. */
static void
heed(struct queue *queue)
{
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		if (queue->deliveries[i].channel)
			suspend_tell(queue, queue->deliveries[i].channel);
	sched_reload(queue->sched);
	dispatch(queue);
}

void
suspend_found(struct attempt *attempt, uint32_t index, const struct outcome *outcome)
{
	struct sched *sched = attempt->queue->sched;
	const struct outcome later = {.kind = IPC_DEFERRED,
	    .status = outcome->status,
	    .remote = outcome->remote,
	    .text = outcome->text};
	struct sched_destination known;
	struct sched_message message;

	polite_learn_site(attempt, outcome->remote);
	sched_destination_get(sched, attempt->destination, &known);
	sched_message_get(sched, attempt->message->slot, &message);
	if (known.limits.suspended && !(message.flags & SCHED_DELETING)) {
		SIM_MARK("queue.suspended_site");
		attempt->told[index] = true;
		dispatch_again(attempt, index);
		return;
	}
	/* It belongs to another site, or was resumed meanwhile. */
	dispatch_result(attempt, index, &later);
}

void
suspend_expire(struct queue *queue)
{
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);

	if (queue->suspensions.count == 0)
		return;
	for (size_t i = 0; i < queue->suspensions.count; i++) {
		const struct suspension *row = &queue->suspensions.rows[i];

		if (row->until_wall_ms > 0 && row->until_wall_ms <= now_wall_ms)
			say(queue, "resumed", span_str(row->pattern), SPAN(""), 0);
	}
	if (suspensions_expire(&queue->suspensions, now_wall_ms) == 0)
		return;
	err_ignore(save(queue), "its time is over after a restart too");
	heed(queue);
}

/* By what the words mean, or as they stand: a former version had other names. */
static bool
resume(struct queue *queue, struct span words, struct buf *selector)
{
	if (route_name_read(selector, words, queue->conf) && buf_finish(selector) == OK &&
	    suspensions_remove(&queue->suspensions, buf_span(selector)))
		return true;
	/* An MX host by its name alone. */
	buf_reset(selector);
	buf_addf(selector, "provider:%.*s", SPAN_ARGS(words));
	if (suspensions_remove(&queue->suspensions, buf_span(selector)))
		return true;
	buf_reset(selector);
	buf_add(selector, words);
	return suspensions_remove(&queue->suspensions, words);
}

void
suspend_act(struct queue *queue, const struct ipc_aq_suspend *asked)
{
	struct ipc_qa_done done = {.query = asked->query};
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	uint64_t until_wall_ms = asked->for_ms > 0 ? now_wall_ms + asked->for_ms : 0;
	struct span selector;
	struct buf bytes;

	buf_init(&bytes, IPC_NAME_MAX);
	if (asked->resume) {
		done.count = resume(queue, asked->match, &bytes);
	} else if (!names_take_known(queue, asked->query, asked->match, &bytes)) {
		buf_fini(&bytes);
		return;
	} else {
		done.count = suspensions_add(&queue->suspensions, buf_span(&bytes), asked->who,
		                 until_wall_ms, now_wall_ms) == OK;
		done.total = names_waiting(queue, buf_span(&bytes));
	}
	selector = buf_span(&bytes);
	if (done.count > 0) {
		say(queue, asked->resume ? "resumed" : "suspended", selector, asked->who,
		    asked->resume ? 0 : until_wall_ms);
		done.lost = save(queue) != OK;
		heed(queue);
	}
	if (asked->resume && done.count == 0)
		names_send_not_suspended(queue, &done, asked->match);
	else if (!asked->resume && done.total == 0)
		names_send_none(queue, &done, selector);
	else
		ipc_qa_done_send(queue->admin, &done);
	buf_fini(&bytes);
}

void
suspend_list(struct queue *queue, const struct ipc_aq_suspended *asked)
{
	const struct ipc_qa_done done = {.query = asked->query,
	    .count = queue->suspensions.count,
	    .total = queue->suspensions.count};

	for (size_t i = 0; i < queue->suspensions.count; i++) {
		const struct suspension *row = &queue->suspensions.rows[i];
		const struct ipc_qa_suspension answer = {asked->query, span_str(row->pattern),
		    span_str(row->who), row->since_wall_ms, row->until_wall_ms};

		ipc_qa_suspension_send(queue->admin, &answer);
	}
	ipc_qa_done_send(queue->admin, &done);
}
