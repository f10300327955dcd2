/*
 * Destinations that an operator suspends and resumes: kept in a file beside the spool's, replaced
 * as a whole, before the operator is told that it is done.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "proc/queue/queue_limits.h"

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
	const struct suspension *row =
	    suspensions_find(&queue->suspensions, queue_limits_name(key));

	limits->suspended = row != NULL;
	limits->suspended_until_wall_ms = row ? row->until_wall_ms : 0;
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
	sched_reload(queue->sched);
	dispatch(queue);
}

void
suspend_act(struct queue *queue, const struct ipc_aq_suspend *asked)
{
	struct ipc_qa_done done = {.query = asked->query, .total = queue->suspensions.count};
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	uint64_t until_wall_ms = asked->for_ms > 0 ? now_wall_ms + asked->for_ms : 0;

	if (asked->resume)
		done.count = suspensions_remove(&queue->suspensions, asked->match);
	else
		done.count = suspensions_add(&queue->suspensions, asked->match, asked->who,
		                 until_wall_ms, now_wall_ms) == OK;
	if (done.count > 0) {
		say(queue, asked->resume ? "resumed" : "suspended", asked->match, asked->who,
		    asked->resume ? 0 : until_wall_ms);
		done.lost = save(queue) != OK;
		sched_reload(queue->sched);
		dispatch(queue);
	}
	ipc_qa_done_send(queue->admin, &done);
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
