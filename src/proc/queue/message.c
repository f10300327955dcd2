/*
 * What the scheduler knows of a message, and what is kept of it while something is done about
 * it.  Marks say what became of recipients since the message was put; they are read back here.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

/* It needs no attempt: its sender is told, and it ends. */
static void
add_alias(struct queue *queue, uint32_t slot, uint32_t index)
{
	uint32_t at =
	    sched_rcpt_add(queue->sched, slot, index, IPC_TARGET_REMOTE, SPAN("alias"));
	struct sched_rcpt rcpt;

	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.succeeded = true;
	sched_rcpt_note(queue->sched, at, &rcpt);
}

uint32_t
message_add(struct queue *queue, uint64_t id, const struct envelope *envelope,
    uint64_t body_bytes)
{
	const struct sched_message message = {
	    .id = id,
	    .arrival_wall_ms = envelope_due_wall_ms(envelope),
	    .body_bytes = body_bytes,
	    .sender = envelope_sender(envelope),
	    .rcpt_count = envelope->rcpt_count,
	    .priority = envelope->extras.priority,
	};
	uint32_t slot = sched_message_add(queue->sched, &message);
	struct buf key;

	buf_init(&key, 2 * IPC_PATH_MAX);
	for (uint32_t i = 0; i < envelope->rcpt_count; i++) {
		const struct envelope_rcpt *rcpt = &envelope->rcpts[i];
		uint32_t at;

		buf_reset(&key);
		if (rcpt->kind == IPC_TARGET_ALIAS) {
			add_alias(queue, slot, i);
			continue;
		}
		schedule_key(queue, &key, envelope->reverse_path, rcpt->kind, rcpt->address);
		at = sched_rcpt_add(queue->sched, slot, i,
		    schedule_kind(queue, buf_span(&key), rcpt->kind), buf_span(&key));
		sched_rcpt_due(queue->sched, at, envelope->extras.hold_until_wall_ms);
	}
	buf_fini(&key);
	watch_add(queue, id, envelope);
	return slot;
}

struct message *
message_open(struct queue *queue, uint32_t slot)
{
	struct sched_message known;
	struct message *message;

	sched_message_get(queue->sched, slot, &known);
	message = map_get_u64(&queue->message_map, known.id);
	if (!message) {
		message = mem_alloc(sizeof(*message));
		message->queue = queue;
		message->id = known.id;
		message->arrival_wall_ms = known.arrival_wall_ms;
		message->body_bytes = known.body_bytes;
		message->slot = slot;
		buf_init(&message->body, STORE_INLINE_BYTES_MAX);
		buf_init(&message->why, MARK_BYTES_MAX);
		map_set_u64(&queue->message_map, message->id, message);
	}
	message->users++;
	return message;
}

void
message_close(struct message *message)
{
	check(message->users > 0);
	if (--message->users > 0)
		return;
	check(message->active_count == 0 && !message->bounce && message->why.len == 0);
	map_remove_u64(&message->queue->message_map, message->id);
	envelope_free(message->envelope);
	buf_fini(&message->body);
	buf_fini(&message->why);
	mem_free(message);
}

enum err
message_envelope(struct message *message, struct buf *bytes)
{
	struct sched_message known;

	/* Whoever else does something about the message may have read it meanwhile. */
	if (message->envelope) {
		buf_fini(bytes);
		return OK;
	}
	if (envelope_read(bytes, &message->envelope))
		return ERR_CORRUPT;
	sched_message_get(message->queue->sched, message->slot, &known);
	if (message->envelope->rcpt_count == known.rcpt_count)
		return OK;
	envelope_free(message->envelope);
	message->envelope = NULL;
	return ERR_CORRUPT;
}

static size_t
fresh_bytes(const struct message *message)
{
	return sizeof(*message) + message->envelope->bytes.room + message->body.room +
	    message->envelope->rcpt_count * sizeof(message->envelope->rcpts[0]);
}

void
message_forget_fresh(struct message *message)
{
	struct queue *queue = message->queue;

	if (!list_linked(&message->fresh))
		return;
	list_remove(&message->fresh);
	check(queue->fresh_bytes >= fresh_bytes(message));
	queue->fresh_bytes -= fresh_bytes(message);
	buf_fini(&message->body);
	message_close(message);
}

void
message_keep_fresh(struct queue *queue, uint32_t slot, struct envelope *envelope,
    struct buf *body)
{
	struct message *message = message_open(queue, slot);

	check(!message->envelope);
	message->envelope = envelope;
	message->body = *body;
	buf_init(body, body->bytes_max);
	list_push(&queue->fresh, &message->fresh);
	queue->fresh_bytes += fresh_bytes(message);
	while (queue->fresh_bytes > QUEUE_FRESH_BYTES)
		message_forget_fresh(container_of(queue->fresh.next, struct message, fresh));
}

void
message_remove(struct message *message, struct store_op *op)
{
	struct queue *queue = message->queue;

	check(message->active_count == 0 && !message->bounce);
	store_remove(queue->store, op, message->id, buf_span(&message->why));
	buf_reset(&message->why);
	poison_forget(queue, message->id);
	watch_forget(queue, message->id);
	summary_forget(queue, message->slot);
	reroute_forget(queue, message->slot);
	act_forget(queue, message->slot);
	sched_message_remove(queue->sched, message->slot);
	message->slot = SCHED_NONE;
	message_forget_fresh(message);
}

void
message_acquit(struct queue *queue, uint32_t slot)
{
	struct sched_message known;

	sched_message_get(queue->sched, slot, &known);
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(queue->sched, slot, i);
		struct sched_rcpt rcpt;

		if (at == SCHED_NONE)
			continue;
		sched_rcpt_get(queue->sched, at, &rcpt);
		rcpt.lost = rcpt.begun = 0;
		sched_rcpt_note(queue->sched, at, &rcpt);
	}
}

/* The recipient that a mark speaks of; SCHED_NONE: it has ended, or the mark is malformed. */
static uint32_t
marked(struct reader *reader, const struct queue *queue, uint32_t slot, uint32_t index)
{
	struct sched_message message;

	sched_message_get(queue->sched, slot, &message);
	if (index >= message.rcpt_count)
		reader->failed = true;
	return reader->failed ? SCHED_NONE : sched_rcpt_find(queue->sched, slot, index);
}

static void
apply_deferred(struct reader *reader, struct queue *queue, uint32_t slot,
    const struct mark *mark)
{
	uint32_t at = marked(reader, queue, slot, mark->index);
	struct sched_rcpt rcpt;

	if (at == SCHED_NONE)
		return;
	if (SIM_BUG(FORGET_DEFERRED)) {
		sched_rcpt_end(queue->sched, at);
		return;
	}
	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.tries = mark->tries;
	rcpt.code = mark->code;
	rcpt.tried_wall_s = (uint32_t)(mark->wall_ms / 1000);
	rcpt.in_doubt |= mark->in_doubt;
	rcpt.begun = 0;
	sched_rcpt_note(queue->sched, at, &rcpt);
	sched_rcpt_reply(queue->sched, at,
	    sched_reply_keep(queue->sched,
	        &(struct sched_reply){mark->code, mark->status, mark->remote, mark->text}));
	sched_rcpt_due(queue->sched, at, mark->next_wall_ms);
}

static void
apply_ended(struct reader *reader, struct queue *queue, uint32_t slot, uint32_t index)
{
	uint32_t at = marked(reader, queue, slot, index);

	if (at != SCHED_NONE)
		sched_rcpt_end(queue->sched, at);
}

/* It is not tried again: its sender is told, and it ends. */
static void
apply_succeeded(struct reader *reader, struct queue *queue, uint32_t slot,
    const struct mark *mark)
{
	uint32_t at = marked(reader, queue, slot, mark->index);
	struct sched_rcpt rcpt;

	if (at == SCHED_NONE)
		return;
	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.code = mark->code;
	rcpt.tried_wall_s = (uint32_t)(mark->wall_ms / 1000);
	rcpt.in_doubt |= mark->in_doubt;
	rcpt.begun = 0;
	rcpt.succeeded = true;
	sched_rcpt_note(queue->sched, at, &rcpt);
	sched_rcpt_reply(queue->sched, at,
	    sched_reply_keep(queue->sched,
	        &(struct sched_reply){mark->code, mark->status, mark->remote, mark->text}));
}

static void
apply_begun(struct reader *reader, struct queue *queue, uint32_t slot, uint32_t index,
    unsigned begun)
{
	uint32_t at = marked(reader, queue, slot, index);
	struct sched_rcpt rcpt;

	if (at == SCHED_NONE)
		return;
	if (SIM_BUG(FORGET_BEGUN)) {
		sched_rcpt_end(queue->sched, at);
		return;
	}
	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.begun = begun;
	sched_rcpt_note(queue->sched, at, &rcpt);
	poison_found(queue, slot);
}

static void
apply_rerouted(struct reader *reader, struct queue *queue, uint32_t slot,
    const struct mark *mark)
{
	uint32_t at = marked(reader, queue, slot, mark->index);

	if (mark->text.len == 0)
		reader->failed = true;
	else if (at != SCHED_NONE)
		sched_rcpt_reroute(queue->sched, at, IPC_TARGET_REMOTE, mark->text);
}

static uint64_t
id_of(const struct queue *queue, uint32_t slot)
{
	struct sched_message known;

	sched_message_get(queue->sched, slot, &known);
	return known.id;
}

static void
apply_mark(struct reader *reader, struct queue *queue, uint32_t slot)
{
	struct mark mark;

	if (!mark_read(reader, &mark))
		return;
	switch (mark.kind) {
	case MARK_ENDED:
		apply_ended(reader, queue, slot, mark.index);
		return;
	case MARK_DEFERRED:
		apply_deferred(reader, queue, slot, &mark);
		return;
	case MARK_HELD:
		sched_message_flags(queue->sched, slot, SCHED_HELD, SCHED_RELEASED);
		return;
	case MARK_RELEASED:
		poison_forget(queue, id_of(queue, slot));
		message_acquit(queue, slot);
		sched_message_flags(
		    queue->sched, slot, SCHED_RELEASED, SCHED_HELD | SCHED_ASIDE);
		return;
	case MARK_ASIDE:
		sched_message_flags(queue->sched, slot, SCHED_ASIDE, 0);
		poison_keep_text(queue, id_of(queue, slot), mark.text);
		return;
	case MARK_SUCCEEDED:
		apply_succeeded(reader, queue, slot, &mark);
		return;
	case MARK_TOLD:
		watch_told(queue, id_of(queue, slot), mark.told);
		return;
	case MARK_REROUTED:
		apply_rerouted(reader, queue, slot, &mark);
		return;
	case MARK_BEGUN:
		apply_begun(reader, queue, slot, mark.index, mark.tries);
		return;
	case MARK_KIND_END:
		check(false);
	}
}

/* Marks of the first format, which are not written any more. */
enum { FIRST_ENDED = 1, FIRST_DEFERRED, FIRST_HELD, FIRST_RELEASED };

static void
apply_first_deferred(struct reader *reader, struct queue *queue, uint32_t slot)
{
	struct mark mark = {.kind = MARK_DEFERRED};

	mark.index = reader_u32(reader);
	mark.tries = reader_u32(reader);
	mark.next_wall_ms = reader_u64(reader);
	mark.wall_ms = reader_u64(reader);
	mark.code = reader_u16(reader);
	mark.status = reader_bytes(reader, MARK_STATUS_MAX);
	mark.remote = reader_bytes(reader, MARK_REMOTE_MAX);
	mark.text = reader_bytes(reader, MARK_TEXT_MAX);
	apply_deferred(reader, queue, slot, &mark);
}

static bool
apply_first(struct reader *reader, struct queue *queue, uint32_t slot)
{
	switch (reader->rest.ptr[0]) {
	case FIRST_ENDED:
		reader_u8(reader);
		apply_ended(reader, queue, slot, reader_u32(reader));
		return true;
	case FIRST_DEFERRED:
		reader_u8(reader);
		apply_first_deferred(reader, queue, slot);
		return true;
	case FIRST_HELD:
		reader_u8(reader);
		sched_message_flags(queue->sched, slot, SCHED_HELD, SCHED_RELEASED);
		return true;
	case FIRST_RELEASED:
		reader_u8(reader);
		sched_message_flags(queue->sched, slot, SCHED_RELEASED, SCHED_HELD);
		return true;
	default:
		return false;
	}
}

void
message_forget(struct queue *queue, uint64_t id, uint32_t index)
{
	uint32_t slot = sched_message_find(queue->sched, id);

	if (slot != SCHED_NONE)
		sched_rcpt_end(queue->sched, sched_rcpt_find(queue->sched, slot, index));
}

enum err
message_apply(struct queue *queue, uint32_t slot, struct span marks)
{
	struct reader reader = reader_init(marks);

	while (!reader.failed && reader.rest.len > 0)
		if (!apply_first(&reader, queue, slot))
			apply_mark(&reader, queue, slot);
	return reader_finish(&reader);
}
