/*
 * Messages about which something is due at a time, whatever their recipients do: their sender is
 * to be told that they take long (NOTIFY=DELAY, or "tell everybody of delay"), or gave a time until
 * which they must be there (DELIVERBY).  All others cost nothing here.
 *
 * A sweep looks at some of them each second.  What an operator, or a suspicion, holds back is left
 * alone until it is released.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"

enum {
	SWEEP_SECONDS = 10, /* in so long all are looked at, if they are many */
	SWEEP_MIN = 10000,
	TEXT_MAX = 300,
};

struct watch {
	uint64_t id;
	uint64_t delay_wall_ms, by_wall_ms; /* 0: nothing is due */
	bool by_returns;
};

void
watch_init(struct queue *queue, const uint64_t seed[2])
{
	map_init(&queue->watch_map, seed);
}

void
watch_forget(struct queue *queue, uint64_t id)
{
	mem_free(map_remove_u64(&queue->watch_map, id));
}

void
watch_fini(struct queue *queue)
{
	struct watch *watch;
	size_t at = 0;

	while ((watch = map_next(&queue->watch_map, &at)) != NULL)
		mem_free(watch);
	map_fini(&queue->watch_map);
}

void
watch_set(struct queue *queue, uint64_t id, const struct watch_times *times)
{
	struct watch *watch;

	if (times->delay_wall_ms == 0 && times->by_wall_ms == 0)
		return;
	watch = mem_alloc(sizeof(*watch));
	*watch = (struct watch){
	    id, times->delay_wall_ms, times->by_wall_ms, times->by_returns};
	mem_free(map_remove_u64(&queue->watch_map, id));
	map_set_u64(&queue->watch_map, id, watch);
}

void
watch_get(const struct queue *queue, uint64_t id, struct watch_times *times)
{
	const struct watch *watch = map_get_u64(&queue->watch_map, id);

	*times = (struct watch_times){0};
	if (watch)
		*times = (struct watch_times){
		    watch->delay_wall_ms, watch->by_wall_ms, watch->by_returns};
}

bool
watch_tells_delay(const struct queue *queue, const struct envelope_rcpt *rcpt)
{
	return rcpt->notify & IPC_NOTIFY_DELAY ||
	    (rcpt->notify == 0 && queue->conf->delay_notice_all);
}

void
watch_add(struct queue *queue, uint64_t id, const struct envelope *envelope)
{
	const struct ipc_extras *extras = &envelope->extras;
	uint64_t after_ms = queue->conf->delay_notice_ms;
	struct watch_times times = {0};
	bool wanted = false;

	for (uint32_t i = 0; i < envelope->rcpt_count && !wanted; i++)
		wanted = watch_tells_delay(queue, &envelope->rcpts[i]);
	if (envelope->reverse_path.len > 0 && wanted && after_ms > 0)
		times.delay_wall_ms = envelope_due_wall_ms(envelope) + after_ms;
	if (extras->by == IPC_BY_RETURN ||
	    (extras->by == IPC_BY_NOTIFY && envelope->reverse_path.len > 0))
		times.by_wall_ms = extras->by_wall_ms > 0 ? extras->by_wall_ms : 1;
	times.by_returns = extras->by == IPC_BY_RETURN;
	watch_set(queue, id, &times);
}

void
watch_told(struct queue *queue, uint64_t id, unsigned what)
{
	struct watch *watch = map_get_u64(&queue->watch_map, id);

	if (!watch)
		return;
	if (what & WATCH_DELAY)
		watch->delay_wall_ms = 0;
	if (what & WATCH_BY && !watch->by_returns)
		watch->by_wall_ms = 0;
	if (watch->delay_wall_ms == 0 && watch->by_wall_ms == 0)
		watch_forget(queue, id);
}

/* The time is over: it fails with that, and with what was said of it last. */
static void
give_up(struct queue *queue, uint32_t at)
{
	struct sched_reply reply = {.status = SPAN("5.4.7")}, last;
	struct sched_rcpt rcpt;
	struct buf text;

	sched_rcpt_get(queue->sched, at, &rcpt);
	last = sched_reply_get(queue->sched, rcpt.reply);
	buf_init(&text, TEXT_MAX);
	buf_add_str(&text, "it could not be delivered in the time that its sender gave");
	if (rcpt.reply) {
		buf_addf(&text, "; the last try: %u ", last.code);
		buf_add(&text, span_first(last.text, buf_space(&text)));
	}
	reply.text = buf_span(&text);
	rcpt.expired = rcpt.unsaid = true;
	rcpt.code = 0;
	sched_rcpt_note(queue->sched, at, &rcpt);
	sched_rcpt_reply(queue->sched, at, sched_reply_keep(queue->sched, &reply));
	sched_rcpt_bounce(queue->sched, at);
	buf_fini(&text);
}

/* Those under way have their end, or are found here again. */
static void
return_message(struct queue *queue, uint32_t slot)
{
	struct message *message = message_open(queue, slot);
	struct sched_message known;

	sched_message_get(queue->sched, slot, &known);
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);

		if (at != SCHED_NONE && (sched_rcpt_state(queue->sched, at) == SCHED_WAITING ||
		        sched_rcpt_state(queue->sched, at) == SCHED_READY))
			give_up(queue, at);
	}
	outcome_settle(message);
	message_close(message);
}

static void
tell(struct queue *queue, uint32_t slot, unsigned what)
{
	struct message *message = message_open(queue, slot);

	/* While its sender is being told of something else it waits. */
	if (!message->bounce)
		bounce_tell(message, what);
	message_close(message);
}

static bool
is_due(uint64_t wall_ms, uint64_t now_wall_ms)
{
	return wall_ms > 0 && wall_ms <= now_wall_ms;
}

/* It may be gone after this. */
static void
look(struct queue *queue, const struct watch *watch)
{
	uint64_t now_wall_ms = io_wall_ms(queue->env->io);
	bool by = is_due(watch->by_wall_ms, now_wall_ms);
	unsigned what = is_due(watch->delay_wall_ms, now_wall_ms) ? WATCH_DELAY : 0;
	uint32_t slot = sched_message_find(queue->sched, watch->id);
	struct sched_message known;

	if (slot == SCHED_NONE) {
		watch_forget(queue, watch->id);
		return;
	}
	if (!by && !what)
		return;
	sched_message_get(queue->sched, slot, &known);
	if (known.flags & (SCHED_PARKED | SCHED_DELETING) || known.open_count == 0)
		return;
	if (by && watch->by_returns)
		return_message(queue, slot);
	else
		tell(queue, slot, what | (by ? WATCH_BY : 0));
}

void
watch_sweep(struct queue *queue)
{
	size_t looks = queue->watch_map.count / SWEEP_SECONDS;
	struct watch *watch;

	looks = looks > SWEEP_MIN ? looks : SWEEP_MIN;
	while (looks-- > 0) {
		watch = map_next(&queue->watch_map, &queue->watch_at);
		if (!watch) {
			queue->watch_at = 0;
			return;
		}
		look(queue, watch);
	}
}
