/*
 * The writer: one batch at a time, one write and one sync each.
 *
 * Records get their places in the order in which they were asked for, and
 * operations end in that order, after their batch is durable.  A batch stays
 * within one segment, and begins only when the one before is durable.  After
 * a write or a sync that failed nothing is written or synced any more.
 */
#include "spool/spool_internal.h"

#include "base/wire.h"
#include "spool/crc32c.h"

void
spool_write_free(struct spool_write *write)
{
	mem_free(write->memory);
	mem_free(write);
}

/* Forgets a message that never became durable. */
static void
take_back(struct spool *spool, struct spool_write *write)
{
	if (write->segment)
		spool_segment_detach(spool, write->slot);
	if (write->record.flags & SPOOL_BODY_FILE) {
		spool->file_bytes -= write->record.body_bytes;
		spool_body_unlink(spool, write->file);
	}
	spool_index_remove(&spool->index, write->slot);
}

static void
fail(struct spool *spool, struct spool_write *write, enum err err)
{
	if (write->record.type == SPOOL_PUT)
		take_back(spool, write);
	if (write->copy)
		spool_copy_end(write->copy);
	if (write->op)
		spool_finish_op(spool, write->op, err);
	spool_write_free(write);
}

void
spool_break(struct spool *spool)
{
	struct list *node;

	spool->broken = true;
	/* A batch under way still reads from its callers' memory: it fails when it ends. */
	while (!spool->batch.busy && (node = list_pop(&spool->batch.writes)))
		fail(spool, container_of(node, struct spool_write, link), ERR_IO);
	while ((node = list_pop(&spool->waiting)))
		fail(spool, container_of(node, struct spool_write, link), ERR_BROKEN);
}

/* Adds bytes to the batch: small ones are copied, large ones stay where they are. */
static void
add_span(struct spool_batch *batch, struct span span)
{
	struct span *last =
	    batch->span_count ? &batch->spans[batch->span_count - 1] : NULL;

	if (span.len == 0)
		return;
	batch->bytes += span.len;
	if (span.len <= BATCH_SMALL) {
		char *at = batch->heads + batch->heads_used;

		check(batch->heads_used + span.len <= BATCH_HEADS);
		memcpy(at, span.ptr, span.len);
		batch->heads_used += span.len;
		if (last && last->ptr + last->len == at) {
			last->len += span.len;
			return;
		}
		span.ptr = at;
	}
	check(batch->span_count < IO_WRITE_SPANS_MAX);
	batch->spans[batch->span_count++] = span;
}

static void
add_record(struct spool *spool, struct spool_write *write)
{
	static const char zeros[8] = {0};
	struct spool_batch *batch = &spool->batch;
	struct spool_record *record = &write->record;
	char head[SPOOL_RECORD_HEAD], number[8];
	bool file = record->flags & SPOOL_BODY_FILE;

	write->segment = spool->head;
	write->offset = spool->head->end;
	record->batch_start = (uint32_t)batch->start;
	record->payload_crc = crc32c(crc32c(0, write->envelope), write->marks);
	wire_put_u64(number, write->file);
	if (file)
		record->payload_crc = crc32c(record->payload_crc, span_of(number, 8));
	else
		record->body_crc = crc32c(0, write->body);
	spool_record_write(head, spool->head->key, write->offset, record);
	add_span(batch, span_of(head, sizeof(head)));
	add_span(batch, write->envelope);
	add_span(batch, write->marks);
	add_span(batch, file ? span_of(number, 8) : write->body);
	add_span(batch, span_of(zeros, -batch->bytes & 7));
	spool->head->end += spool_record_bytes(record);
	check(batch->start + batch->bytes == spool->head->end);
}

/* The first record of a segment: how the one before ended. */
static void
add_seal(struct spool *spool)
{
	char bytes[SPOOL_SEAL_BYTES];
	struct spool_write seal = {
	    .record = {.type = SPOOL_SEAL, .envelope_bytes = SPOOL_SEAL_BYTES},
	    .envelope = {bytes, sizeof(bytes)},
	};

	spool_seal_write(bytes, &spool->seal);
	add_record(spool, &seal);
}

static bool
batch_has_room(const struct spool_batch *batch, uint64_t bytes)
{
	if (list_empty(&batch->writes))
		return true;
	return batch->bytes + bytes <= BATCH_BYTES &&
	       batch->span_count + 8 <= IO_WRITE_SPANS_MAX &&
	       batch->heads_used + 4 * BATCH_SMALL <= BATCH_HEADS;
}

static bool
head_has_room(const struct spool *spool, uint64_t bytes)
{
	const struct segment *head = spool->head;

	/* What is too large for any segment makes an empty one grow. */
	return head && (head->end == SPOOL_SEGMENT_DATA ||
			   head->end + bytes <= spool->options.segment_bytes);
}

/* How many ready segments must be there before a record may take one. */
static size_t
ready_needed(const struct spool *spool, const struct spool_write *write)
{
	const struct segment *oldest;

	if (write->record.type == SPOOL_MARK || write->record.type == SPOOL_REMOVE ||
	    list_empty(&spool->used))
		return 1;
	/* A copy may take the last one where it surely gains more than it takes. */
	oldest = container_of(spool->used.next, struct segment, link);
	if (write->copy && oldest->live_bytes <= spool->options.segment_bytes / 2)
		return 1;
	return 2;
}

enum place { PLACED, FULL, WAIT, NO_PLACE };

static enum place
find_place(struct spool *spool, const struct spool_write *write)
{
	uint64_t bytes = spool_record_bytes(&write->record);

	/* Without one ready the head is what marks and removals have left. */
	if (spool->ready_count + 1 < ready_needed(spool, write))
		return spool_segment_prepare(spool) ? WAIT : NO_PLACE;
	if (!head_has_room(spool, bytes)) {
		if (!list_empty(&spool->batch.writes))
			return FULL;
		if (spool->ready_count < ready_needed(spool, write))
			return spool_segment_prepare(spool) ? WAIT : NO_PLACE;
		spool_segment_advance(spool);
	}
	return batch_has_room(&spool->batch, bytes) ? PLACED : FULL;
}

/* What the index says of a record that has got its place. */
static void
note_place(struct spool *spool, struct spool_write *write)
{
	struct spool_message *message;
	uint32_t slot;

	if (write->record.type == SPOOL_PUT) {
		message = spool_index_at(&spool->index, write->slot);
		message->offset = (uint32_t)write->offset;
		message->body_crc = write->record.body_crc;
		spool_segment_attach(spool, write->segment, write->slot);
	} else if (write->record.type == SPOOL_MARK) {
		struct spool_mark_place place = {
		    .offset = (uint32_t)write->offset,
		    .bytes = write->record.envelope_bytes,
		    .segment = write->segment->number,
		};

		slot = spool_index_find(&spool->index, write->record.id);
		if (!slot)
			return;
		message = spool_index_at(&spool->index, slot);
		spool_index_mark(&spool->index, message, &place);
	}
}

static void
place(struct spool *spool, struct spool_write *write)
{
	struct spool_batch *batch = &spool->batch;

	if (batch->bytes == 0) {
		batch->start = spool->head->end;
		if (batch->start == SPOOL_SEGMENT_DATA)
			add_seal(spool);
	}
	add_record(spool, write);
	list_remove(&write->link);
	list_push(&batch->writes, &write->link);
	note_place(spool, write);
}

/* Gathers what waits into the batch, as far as there is room. */
static void
gather(struct spool *spool)
{
	struct spool_batch *batch = &spool->batch;

	batch->bytes = batch->span_count = batch->heads_used = 0;
	while (!list_empty(&spool->waiting)) {
		struct spool_write *write =
		    container_of(spool->waiting.next, struct spool_write, link);

		/* The message ended, or was marked, since it was read for copying. */
		if (write->copy && !spool_copy_holds(write->copy)) {
			list_remove(&write->link);
			fail(spool, write, ERR_NOT_FOUND);
			continue;
		}
		switch (find_place(spool, write)) {
		case PLACED:
			place(spool, write);
			break;
		case NO_PLACE:
			list_remove(&write->link);
			fail(spool, write, ERR_NO_SPACE);
			break;
		case FULL:
		case WAIT:
			return;
		}
	}
}

static void
feed(struct spool *spool, const struct spool_write *write)
{
	const struct spool_feed *to = &spool->options.feed;
	const struct spool_record *record = &write->record;

	if (to->record && record->type != SPOOL_MOVE)
		to->record(to->owner,
		    spool_position(
			write->segment, write->offset + spool_record_bytes(record)),
		    record->type, record->id, write->envelope, record->body_bytes);
}

/* A durable record takes effect; its operation ends. */
static void
finish(struct spool *spool, struct spool_write *write)
{
	struct spool_op *op = write->op;

	feed(spool, write);

	switch (write->record.type) {
	case SPOOL_PUT:
		spool_index_at(&spool->index, write->slot)->flags &=
		    (uint16_t)~SPOOL_UNWRITTEN;
		spool->numbers.puts++;
		break;
	case SPOOL_MOVE:
		spool_copy_moved(write->copy, write);
		break;
	case SPOOL_MARK:
		spool->numbers.marks++;
		break;
	case SPOOL_REMOVE:
		spool->numbers.removes++;
		if (write->file)
			spool_body_unlink(spool, write->file);
		break;
	case SPOOL_SEAL:
		check(false);
	}
	spool_write_free(write);
	if (op) {
		op->err = OK;
		op->done(op);
	}
}

static void
synced(struct io_op *op)
{
	struct spool *spool = op->owner;
	struct list done;
	struct list *node;

	if (op->err) {
		spool->batch.busy = false;
		spool_break(spool);
	} else {
		/* Whoever is called now may ask for more: that is the next batch. */
		spool->numbers.batches++;
		spool->head->durable = spool->head->end;
		list_init(&done);
		while ((node = list_pop(&spool->batch.writes)))
			list_push(&done, node);
		while ((node = list_pop(&done)))
			finish(spool, container_of(node, struct spool_write, link));
	}
	spool->batch.busy = false;
	spool_segment_free_oldest(spool);
	spool_write_kick(spool);
	spool_settle(spool);
}

static void
written(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (op->err || spool->broken) {
		spool->batch.busy = false;
		spool_break(spool);
		spool_settle(spool);
		return;
	}
	op->done = synced;
	io_sync(spool->head->file, op);
}

void
spool_write_kick(struct spool *spool)
{
	struct spool_batch *batch = &spool->batch;

	if (batch->busy || spool->broken || list_empty(&spool->waiting))
		return;
	gather(spool);
	if (list_empty(&batch->writes))
		return;
	batch->busy = true;
	batch->op = (struct io_op){.done = written, .owner = spool};
	io_pwrite(
	    spool->head->file, &batch->op, batch->spans, batch->span_count, batch->start);
}
