/*
 * The one place that knows how records become entries.  Marks of the first format and removals
 * without a mark were written by servers that had no ledger.
 */
#include "proc/queue/ledger_record.h"

#include "base/check.h"
#include "proc/queue/queue_internal.h"

/* The end of a recipient in marks of the first format, which message.c reads. */
enum { FIRST_ENDED = 1 };

static void
add_envelope(struct ledger_recorder *recorder, uint64_t id, const struct envelope *envelope,
    uint64_t body_bytes, uint8_t flags)
{
	struct ledger_entry entry = {
	    .kind = LEDGER_ACCEPTED,
	    .id = id,
	    .wall_ms = envelope->arrival_wall_ms,
	    .reverse_path = envelope->reverse_path,
	    .client = envelope->client,
	    .login = envelope->login,
	    .body_bytes = body_bytes,
	    .flags = flags,
	    .rcpt_count = envelope->rcpt_count,
	};

	if (envelope->flags & IPC_MESSAGE_BOUNCE)
		entry.flags |= LEDGER_IS_BOUNCE;
	if (envelope->rcpt_count > recorder->rcpt_room) {
		recorder->rcpt_room = envelope->rcpt_count;
		recorder->rcpts =
		    mem_realloc(recorder->rcpts, recorder->rcpt_room * sizeof(*recorder->rcpts));
	}
	for (uint32_t i = 0; i < envelope->rcpt_count; i++) {
		const struct envelope_rcpt *rcpt = &envelope->rcpts[i];

		recorder->rcpts[i] = (struct ledger_rcpt){.address = rcpt->address,
		    .original = rcpt->original.len ? rcpt->original : rcpt->address,
		    .mailbox =
		        rcpt->kind == IPC_TARGET_MAILBOX ? rcpt->mailbox : SPAN("")};
	}
	entry.rcpts = recorder->rcpts;
	recorder->add(recorder->owner, &entry);
}

/* Bytes that are no envelope are said to be damaged elsewhere. */
static void
add_message(struct ledger_recorder *recorder, uint64_t id, struct span bytes, uint64_t body_bytes,
    uint8_t flags)
{
	struct envelope *envelope;
	struct buf copy;

	buf_init(&copy, STORE_ENVELOPE_BYTES_MAX);
	buf_add(&copy, bytes);
	if (buf_finish(&copy) || envelope_read(&copy, &envelope)) {
		buf_fini(&copy);
		return;
	}
	add_envelope(recorder, id, envelope, body_bytes, flags);
	envelope_free(envelope);
}

static bool
entry_of(const struct mark *mark, struct ledger_entry *entry)
{
	static const enum ledger_kind kinds[MARK_KIND_END] = {
	    [MARK_ENDED] = LEDGER_ENDED,
	    [MARK_DEFERRED] = LEDGER_DEFERRED,
	    [MARK_HELD] = LEDGER_HELD,
	    [MARK_RELEASED] = LEDGER_RELEASED,
	    [MARK_ASIDE] = LEDGER_ASIDE,
	};
	static const enum ledger_end ends[END_KIND_END] = {
	    [END_DELIVERED] = LEDGER_DELIVERED,
	    [END_RELAYED] = LEDGER_RELAYED,
	    [END_BOUNCED] = LEDGER_BOUNCED,
	    [END_EXPIRED] = LEDGER_EXPIRED,
	    [END_DISCARDED] = LEDGER_DISCARDED,
	    [END_DELETED] = LEDGER_DELETED,
	    [END_EXPANDED] = LEDGER_EXPANDED,
	};

	*entry = (struct ledger_entry){
	    .kind = kinds[mark->kind],
	    .wall_ms = mark->wall_ms,
	    .index = mark->index,
	    .in_doubt = mark->in_doubt,
	    .tries = mark->tries,
	    .next_wall_ms = mark->next_wall_ms,
	    .code = mark->code,
	    .status = mark->status,
	    .host = mark->remote,
	    .text = mark->text,
	    .bounce_id = mark->bounce_id,
	};
	if (mark->kind == MARK_ENDED)
		entry->end = ends[mark->end];
	return mark->kind != MARK_BEGUN && mark->kind != MARK_SUCCEEDED &&
	    mark->kind != MARK_TOLD && mark->kind != MARK_REROUTED;
}

/*
 * Marks of the first format were written before there was a ledger: an end is known, not which.
 * They are never longer than one mark; only what a new ledger meets at its first start has any.
 */
static void
add_old_mark(struct ledger_recorder *recorder, uint64_t id, struct span bytes)
{
	struct reader reader = reader_init(bytes);
	struct ledger_entry entry = {.kind = LEDGER_ENDED, .id = id, .end = LEDGER_UNKNOWN};

	if (reader_u8(&reader) != FIRST_ENDED)
		return;
	entry.index = reader_u32(&reader);
	entry.wall_ms = io_wall_ms(recorder->io);
	if (!reader.failed && entry.index < LEDGER_RCPTS_MAX)
		recorder->add(recorder->owner, &entry);
}

/* Gives whether an end was among them. */
static bool
add_marks(struct ledger_recorder *recorder, uint64_t id, struct span bytes)
{
	struct reader reader = reader_init(bytes);
	struct ledger_entry entry;
	struct mark mark;
	bool ended = false;

	if (bytes.len > 0 && (uint8_t)bytes.ptr[0] < MARK_ENDED) {
		add_old_mark(recorder, id, bytes);
		return false;
	}
	while (reader.rest.len > 0 && mark_read(&reader, &mark)) {
		if (!entry_of(&mark, &entry) || mark.index >= LEDGER_RCPTS_MAX)
			continue;
		entry.id = id;
		ended |= entry.kind == LEDGER_ENDED;
		recorder->add(recorder->owner, &entry);
	}
	return ended;
}

static void
add_removed(struct ledger_recorder *recorder, uint64_t id, struct span why, unsigned flags)
{
	const struct ledger_entry entry = {.kind = LEDGER_REMOVED,
	    .id = id,
	    .wall_ms = io_wall_ms(recorder->io),
	    .flags = flags & (LEDGER_BEFORE | LEDGER_READ_BACK) ? LEDGER_ADOPTED : 0};

	/*
	 * Usually the end of the last recipient says it all.  A batch that was torn may have
	 * taken the ends of others with it; then it is known that they ended, not how.
	 */
	if (!add_marks(recorder, id, why) || flags & LEDGER_READ_BACK)
		recorder->add(recorder->owner, &entry);
}

void
ledger_record(struct ledger_recorder *recorder, enum store_change type, uint64_t id,
    struct span payload, uint64_t body_bytes, unsigned flags)
{
	switch (type) {
	case STORE_PUT:
		add_message(recorder, id, payload, body_bytes,
		    flags & LEDGER_FOUND ? LEDGER_ADOPTED : 0);
		return;
	case STORE_MARK:
		(void)add_marks(recorder, id, payload);
		return;
	case STORE_REMOVE:
		add_removed(recorder, id, payload, flags);
		return;
	}
}
