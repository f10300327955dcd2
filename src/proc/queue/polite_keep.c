/*
 * Back-offs outlive a restart: kept in a file beside the spool's, which is replaced as a whole some
 * seconds after something changed, and at a stop.  A crash may forget what was learned in between.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"
#include "proc/queue/backoffs_file.h"

enum {
	KEEP_MS = 5 * 1000,       /* at most once in so long */
	KEEP_SITES_MS = 60 * 1000, /* who waits for a site changes all the time */
};

static struct backoffs_clock
clock_of(const struct queue *queue)
{
	return (struct backoffs_clock){
	    io_now_ms(queue->env->io), io_wall_ms(queue->env->io)};
}

void
polite_load(struct queue *queue)
{
	struct event event;
	struct buf bytes;
	enum err err;

	buf_init(&bytes, BACKOFFS_BYTES_MAX);
	err = kept_read(queue, KEPT_BACKOFFS, &bytes);
	if (!err && queue->conf->heed_replies)
		err = backoffs_read(
		    &queue->backoffs, &queue->sites, clock_of(queue), buf_span(&bytes));
	buf_fini(&bytes);
	kept_loaded(queue, KEPT_BACKOFFS, err);
	if (err)
		return;
	queue->backoffs_filed = true;
	if (queue->backoffs.count == 0)
		return;
	SIM_MARK("queue.backoffs_kept");
	event_begin(&event, &queue->env->log, "backoffs_kept");
	event_u64(&event, "count", queue->backoffs.count);
	event_str(&event, "text", "those who asked for less mail are spared as before");
	event_end(&event);
}

/* Which destinations wait for the sites that are spared: nobody knows that at a start. */
static void
write_waiting(const struct queue *queue, struct buf *out)
{
	struct sched *sched = queue->sched;
	unsigned count = 0;

	for (uint32_t at = sched_destination_next(sched, SCHED_NONE);
	     at != SCHED_NONE && count < BACKOFFS_OF_MAX;
	     at = sched_destination_next(sched, at)) {
		struct sched_destination known;
		struct sched_site site;

		sched_destination_get(sched, at, &known);
		if (!schedule_site(queue, &known, &site) ||
		    !backoffs_find(&queue->backoffs,
		        backoffs_site_id(&queue->backoffs, site.name)))
			continue;
		backoffs_write_of(out, site.name, known.key);
		count++;
	}
}

static void
keep(struct queue *queue)
{
	struct buf bytes;

	/* Nothing is written where there is nothing, and was nothing. */
	if (queue->backoffs.count == 0 && !queue->backoffs_filed)
		return;
	buf_init(&bytes, BACKOFFS_BYTES_MAX);
	backoffs_write(&queue->backoffs, clock_of(queue), &bytes);
	write_waiting(queue, &bytes);
	check(buf_finish(&bytes) == OK);
	err_ignore(kept_replace(queue, KEPT_BACKOFFS, buf_span(&bytes)),
	    "the next change tries again");
	buf_fini(&bytes);
	queue->backoffs_filed = true;
}

void
polite_keep(struct queue *queue, bool now)
{
	uint64_t now_ms = io_now_ms(queue->env->io);
	uint64_t wait_ms = queue->backoffs_changed ? KEEP_MS : KEEP_SITES_MS;

	if (queue->backoffs.count == 0 && !queue->backoffs_changed)
		return;
	if (!now && now_ms < queue->backoffs_kept_ms + wait_ms)
		return;
	queue->backoffs_changed = false;
	queue->backoffs_kept_ms = now_ms;
	keep(queue);
}
