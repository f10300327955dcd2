/*
 * What an audit asks of the queue: that the ledger has all, and what waits.  What waits comes from
 * the scheduler's memory, so that it bears witness by itself.
 */
#include "proc/queue/ledger_feed.h"

#include "base/check.h"
#include "proc/queue/queue_internal.h"

enum { WAITING_BYTES = 8 + 8 + 4, PAGE_MAX = IPC_WAITING_MAX / WAITING_BYTES };

static void
flushed(void *owner, uint64_t query, enum err err)
{
	struct queue *queue = owner;
	const struct ipc_qa_ledger_flushed answer = {.query = query, .done = err == OK};

	if (queue->admin)
		ipc_qa_ledger_flushed_send(queue->admin, &answer);
}

static void
give_waiting(struct queue *queue, const struct ipc_aq_waiting *asked)
{
	uint32_t slot = sched_message_first(queue->sched);
	struct ipc_qa_still_waiting answer = {.query = asked->query};
	struct buf messages;

	if (asked->after) {
		slot = sched_message_find(queue->sched, asked->after);
		answer.lost = slot == SCHED_NONE;
		if (slot != SCHED_NONE)
			slot = sched_message_next(queue->sched, slot);
	}
	buf_init(&messages, IPC_WAITING_MAX);
	for (uint32_t i = 0; i < asked->limit && i < PAGE_MAX && slot != SCHED_NONE; i++) {
		struct sched_message message;

		sched_message_get(queue->sched, slot, &message);
		wire_u64(&messages, message.id);
		wire_u64(&messages, message.arrival_wall_ms);
		wire_u32(&messages, message.open_count);
		slot = sched_message_next(queue->sched, slot);
	}
	answer.messages = buf_span(&messages);
	ipc_qa_still_waiting_send(queue->admin, &answer);
	buf_fini(&messages);
}

enum err
ledger_answer(struct queue *queue, unsigned type, struct span payload)
{
	struct ipc_aq_flush_ledger flush;
	struct ipc_aq_waiting waiting;

	switch (type) {
	case IPC_aq_FLUSH_LEDGER:
		if (ipc_aq_flush_ledger_decode(payload, &flush))
			return ERR_SYNTAX;
		ledger_feed_flush(queue->ledger, flushed, queue, flush.query);
		return OK;
	case IPC_aq_WAITING:
		if (ipc_aq_waiting_decode(payload, &waiting))
			return ERR_SYNTAX;
		give_waiting(queue, &waiting);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}
