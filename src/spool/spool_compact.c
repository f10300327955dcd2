/*
 * Compaction: the live messages of the oldest segment are written again at
 * the head, each with all its marks in one MOVE record, until nothing lives in
 * it.  It runs when the log is more than about twice what lives, and moves few
 * messages at a time, so that puts hardly notice: while puts come, no more bytes than
 * their share (compact_percent); else as fast as it can.  With a share of 100 the
 * log stays below about twice what lives, whatever comes and goes.
 *
 * A MOVE replaces all that the log said of its message before, so it may be
 * written only if it has all: spool_copy_holds() is asked at the moment when it
 * gets its place, and a copy that a mark or a removal overtook is dropped.
 */
#include "spool/spool_internal.h"

#include "base/sim_point.h"
#include "base/wire.h"

static bool
is_worth_it(const struct spool *spool)
{
	uint64_t used = spool->used_count * spool->options.segment_bytes;

	return used >
	       2 * spool->live_bytes + SEGMENT_SLACK * spool->options.segment_bytes;
}

/* The message that is copied; NULL where it ended or moved meanwhile. */
static struct spool_message *
message_of(const struct spool_copy *copy)
{
	struct spool_message *message = spool_index_at(&copy->spool->index, copy->slot);

	if (message->id != copy->id || !(message->flags & SPOOL_COPYING) ||
	    message->segment != copy->segment || message->offset != copy->offset)
		return NULL;
	return message;
}

bool
spool_copy_holds(const struct spool_copy *copy)
{
	const struct spool_message *message = message_of(copy);

	if (message && message->last_mark != copy->last_mark)
		SIM_MARK("spool.copy_overtaken");
	return message && message->last_mark == copy->last_mark;
}

void
spool_copy_end(struct spool_copy *copy)
{
	struct spool_message *message = message_of(copy);

	if (message)
		message->flags &= (uint8_t)~SPOOL_COPYING;
	mem_free(copy->memory);
	mem_free(copy->mark_memory);
	copy->memory = copy->mark_memory = NULL;
	buf_fini(&copy->marks);
	copy->busy = false;
	copy->spool->running--;
}

void
spool_copy_moved(struct spool_copy *copy, const struct spool_write *write)
{
	struct spool *spool = copy->spool;
	struct spool_message *message = message_of(copy);

	if (message) {
		spool_segment_detach(spool, copy->slot);
		spool->live_bytes -= message->marks_bytes - message->merged_bytes;
		message->marks_bytes -= copy->marks_before;
		message->marks_bytes += write->record.marks_bytes;
		message->merged_bytes = write->record.marks_bytes;
		message->flags &= (uint8_t)~SPOOL_COPYING;
		message->offset = (uint32_t)write->offset;
		if (copy->last_mark)
			spool_index_unmark(&spool->index, message, copy->last_mark);
		spool_segment_attach(spool, write->segment, copy->slot);
		spool->live_bytes += message->marks_bytes - message->merged_bytes;
	}
	spool_copy_end(copy);
}

static void
give_up(struct spool_copy *copy)
{
	struct spool *spool = copy->spool;
	struct spool_message *message = message_of(copy);

	/* It stays where it is, and reading it says why; its segment isn't freed. */
	if (message)
		message->flags |= SPOOL_STUCK;
	spool_copy_end(copy);
	spool_settle(spool);
}

static void
write_move(struct spool_copy *copy)
{
	struct spool *spool = copy->spool;
	struct spool_write *write;
	struct span rest = span_of(
	    copy->memory + SPOOL_RECORD_HEAD, (size_t)spool_record_rest(&copy->record));

	if (!spool_copy_holds(copy) || spool->broken) {
		spool_copy_end(copy);
		spool_settle(spool);
		return;
	}
	write = mem_alloc(sizeof(*write));
	write->record = copy->record;
	write->record.type = SPOOL_MOVE;
	write->record.marks_bytes = (uint32_t)copy->marks.len;
	write->slot = copy->slot;
	write->copy = copy;
	write->envelope = spool_record_envelope(&copy->record, rest);
	write->marks = buf_span(&copy->marks);
	if (copy->record.flags & SPOOL_BODY_FILE)
		write->file = spool_record_file(&copy->record, rest);
	else
		write->body = spool_record_body(&copy->record, rest);
	spool_enqueue(spool, write);
}

static void mark_read(struct io_op *op);

static void
read_next_mark(struct spool_copy *copy)
{
	struct spool *spool = copy->spool;
	const struct spool_mark_place *place;
	const struct spool_message *message = message_of(copy);

	if (!message || !copy->mark) {
		write_move(copy);
		return;
	}
	place = spool_index_mark_at(&spool->index, copy->mark);
	mem_free(copy->mark_memory);
	copy->mark_memory = mem_alloc(SPOOL_RECORD_HEAD + place->bytes);
	copy->op = (struct io_op){.done = mark_read, .owner = copy};
	io_pread(spool->segments[place->segment]->file, &copy->op, copy->mark_memory,
	    SPOOL_RECORD_HEAD + place->bytes, place->offset);
}

static void
mark_read(struct io_op *op)
{
	struct spool_copy *copy = op->owner;
	struct spool *spool = copy->spool;
	const struct spool_mark_place *place;
	struct spool_record record;
	struct span bytes = span_of(copy->mark_memory, op->count);

	if (!message_of(copy)) {
		write_move(copy);
		return;
	}
	place = spool_index_mark_at(&spool->index, copy->mark);
	if (op->err ||
	    spool_record_read(
		bytes, spool->segments[place->segment]->key, place->offset, &record) ||
	    record.id != copy->id || record.type != SPOOL_MARK ||
	    bytes.len != SPOOL_RECORD_HEAD + record.envelope_bytes ||
	    spool_record_check(&record, span_skip(bytes, SPOOL_RECORD_HEAD))) {
		give_up(copy);
		return;
	}
	wire_bytes(&copy->marks, span_skip(bytes, SPOOL_RECORD_HEAD));
	copy->mark = copy->mark == copy->last_mark ? 0 : place->next;
	read_next_mark(copy);
}

static void
record_read(struct io_op *op)
{
	struct spool_copy *copy = op->owner;
	struct spool *spool = copy->spool;
	struct span bytes = span_of(copy->memory, op->count);
	struct span rest = span_skip(bytes, SPOOL_RECORD_HEAD);

	if (!message_of(copy)) {
		write_move(copy);
		return;
	}
	if (op->err ||
	    spool_record_read(bytes, spool->segments[copy->segment]->key, copy->offset,
		&copy->record) ||
	    copy->record.id != copy->id || rest.len != spool_record_rest(&copy->record) ||
	    spool_record_check(&copy->record, rest)) {
		give_up(copy);
		return;
	}
	buf_add(&copy->marks, spool_record_marks(&copy->record, rest));
	read_next_mark(copy);
}

static void
start(struct spool_copy *copy, uint32_t slot)
{
	struct spool *spool = copy->spool;
	struct spool_message *message = spool_index_at(&spool->index, slot);

	message->flags |= SPOOL_COPYING;
	copy->busy = true;
	copy->slot = slot;
	copy->id = message->id;
	copy->segment = message->segment;
	copy->offset = message->offset;
	copy->bytes = (uint32_t)(SPOOL_RECORD_HEAD + spool_message_rest_bytes(message));
	copy->mark = message->first_mark;
	copy->last_mark = message->last_mark;
	copy->marks_before = message->marks_bytes;
	buf_init(&copy->marks, SPOOL_MARKS_BYTES_MAX);
	copy->memory = mem_alloc(copy->bytes);
	copy->op = (struct io_op){.done = record_read, .owner = copy};
	spool->running++;
	io_pread(spool->segments[message->segment]->file, &copy->op, copy->memory,
	    copy->bytes, message->offset);
}

/* Whether all marks of a message can be read: none is in the batch under way. */
static bool
is_settled(const struct spool *spool, const struct spool_message *message)
{
	const struct spool_mark_place *last;
	const struct segment *segment;

	if (message->flags & (SPOOL_UNWRITTEN | SPOOL_COPYING | SPOOL_STUCK))
		return false;
	if (!message->last_mark)
		return true;
	last = spool_index_mark_at(&spool->index, message->last_mark);
	segment = spool->segments[last->segment];
	return last->offset < segment->durable;
}

/* What is put pays for what is moved; on an idle disk moves are free. */
static bool
may_move(struct spool *spool, uint64_t bytes)
{
	if (io_now_ms(spool->io) - spool->put_ms >= COMPACT_IDLE_MS)
		return true;
	if (spool->compact_credit < bytes) {
		io_timer_start(spool->io, &spool->later, COMPACT_IDLE_MS);
		return false;
	}
	spool->compact_credit -= bytes;
	return true;
}

void
spool_compact_pay(struct spool *spool, uint64_t bytes)
{
	unsigned percent = spool->options.compact_percent;

	spool->put_ms = io_now_ms(spool->io);
	spool->compact_credit += bytes * (percent ? percent : COMPACT_PERCENT) / 100;
	if (spool->compact_credit > COMPACT_CREDIT_MAX)
		spool->compact_credit = COMPACT_CREDIT_MAX;
}

static struct spool_copy *
find_free(struct spool *spool)
{
	for (size_t i = 0; i < COPIES_MAX; i++)
		if (!spool->copies[i].busy)
			return &spool->copies[i];
	return NULL;
}

static uint64_t
bytes_under_way(const struct spool *spool)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < COPIES_MAX; i++)
		if (spool->copies[i].busy)
			bytes += spool->copies[i].bytes;
	return bytes;
}

void
spool_compact(struct spool *spool)
{
	struct spool_copy *copy;
	const struct segment *oldest;
	uint32_t slot, next;

	if (!is_worth_it(spool) || list_empty(&spool->used))
		return;
	oldest = container_of(spool->used.next, struct segment, link);
	if (oldest == spool->head)
		return;
	for (slot = oldest->first; slot && (copy = find_free(spool)); slot = next) {
		const struct spool_message *message = spool_index_at(&spool->index, slot);

		next = message->newer;
		if (!is_settled(spool, message))
			continue;
		if (bytes_under_way(spool) > BATCH_BYTES ||
		    !may_move(spool, spool_message_record_bytes(message)))
			return;
		start(copy, slot);
	}
}
