/*
 * The writer: batches, one write and one sync each.
 *
 * Records get their places in the order in which they were asked for, and
 * operations end in that order, after their batch and all before it are
 * durable.  A batch stays within one segment.  Up to BATCHES_MAX are under way:
 * where a sync takes long, the next batch is written and synced meanwhile.
 * spool_overlap.h says when there is a use in that.  Marks and removals that
 * nobody waits for wait for LAZY_MS, as a put often comes right after them.
 *
 * After a write or a sync that failed nothing is written or synced any more, and
 * all batches under way fail with it, whatever their own syncs say.  The kernel tells of
 * a failed write-back once for each open file, so each batch of the ring
 * is synced by a handle of its own: no sync can swallow the error of another.
 */
#include "spool/spool_internal.h"

#include "base/sim_point.h"
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
	if (write->from)
		write->from->removals--;
	if (write->op)
		spool_finish_op(spool, write->op, err);
	spool_write_free(write);
}

void
spool_break(struct spool *spool)
{
	struct list *node;

	/* Batches under way still read from their callers' memory: they fail when they end. */
	spool->broken = true;
	io_timer_stop(spool->io, &spool->ripe);
	spool->waiting_bytes = spool->eager = 0;
	while ((node = list_pop(&spool->waiting))) {
		SIM_MARK("spool.broken_while_some_wait");
		fail(spool, container_of(node, struct spool_write, link), ERR_BROKEN);
	}
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
add_record(struct spool *spool, struct spool_batch *batch, struct spool_write *write)
{
	static const char zeros[8] = {0};
	struct spool_record *record = &write->record;
	char head[SPOOL_RECORD_HEAD], number[8];
	bool file = record->flags & SPOOL_BODY_FILE;

	write->segment = spool->head;
	write->offset = spool->head->end;
	record->durable = (uint32_t)spool_segment_proven(spool->head);
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
	spool->log_bytes += spool_record_bytes(record);
	check(batch->start + batch->bytes == spool->head->end);
}

/* The first record of a segment: how the one before ended. */
static void
add_seal(struct spool *spool, struct spool_batch *batch)
{
	char bytes[SPOOL_SEAL_BYTES];
	struct spool_write seal = {
	    .record = {.type = SPOOL_SEAL, .envelope_bytes = SPOOL_SEAL_BYTES},
	    .envelope = {bytes, sizeof(bytes)},
	};

	if (spool->seal.torn)
		seal.record.flags = SPOOL_TORN;
	spool_seal_write(bytes, &spool->seal);
	add_record(spool, batch, &seal);
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
find_place(struct spool *spool, const struct spool_batch *batch,
    const struct spool_write *write)
{
	uint64_t bytes = spool_record_bytes(&write->record);

	/* Without one ready the head is what marks and removals have left. */
	if (spool->ready_count + 1 < ready_needed(spool, write))
		return spool_segment_prepare(spool) ? WAIT : NO_PLACE;
	if (!head_has_room(spool, bytes)) {
		if (!list_empty(&batch->writes))
			return FULL;
		if (spool->ready_count < ready_needed(spool, write))
			return spool_segment_prepare(spool) ? WAIT : NO_PLACE;
		if (container_of(spool->ready.next, struct segment, link)->filling)
			return WAIT;
		spool_segment_advance(spool);
	}
	return batch_has_room(batch, bytes) ? PLACED : FULL;
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
		/* It was removed meanwhile, and its id is used again. */
		if (message->flags & SPOOL_UNWRITTEN)
			return;
		spool_index_mark(&spool->index, message, &place);
		if (message->pending && message->pending < UINT8_MAX)
			message->pending--;
	}
}

static void
unqueue(struct spool *spool, struct spool_write *write)
{
	uint64_t bytes = spool_record_bytes(&write->record);

	check(spool->waiting_bytes >= bytes);
	spool->waiting_bytes -= bytes;
	spool->eager -= write->op != NULL;
	list_remove(&write->link);
}

static void
place(struct spool *spool, struct spool_batch *batch, struct spool_write *write)
{
	if (batch->bytes == 0) {
		batch->segment = spool->head;
		batch->start = spool->head->end;
		if (batch->start == SPOOL_SEGMENT_DATA)
			add_seal(spool, batch);
	}
	add_record(spool, batch, write);
	unqueue(spool, write);
	list_push(&batch->writes, &write->link);
	note_place(spool, write);
}

/* Gathers what waits into the batch, as far as there is room. */
static void
gather(struct spool *spool, struct spool_batch *batch)
{
	batch->bytes = batch->span_count = batch->heads_used = 0;
	while (!list_empty(&spool->waiting)) {
		struct spool_write *write =
		    container_of(spool->waiting.next, struct spool_write, link);

		/* The message ended, or was marked, since it was read for copying. */
		if (write->copy && !spool_copy_holds(write->copy)) {
			unqueue(spool, write);
			fail(spool, write, ERR_NOT_FOUND);
			continue;
		}
		switch (find_place(spool, batch, write)) {
		case PLACED:
			place(spool, batch, write);
			break;
		case NO_PLACE:
			SIM_MARK("spool.no_place");
			unqueue(spool, write);
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

	uint64_t position =
	    spool_position(write->segment, write->offset + spool_record_bytes(record));

	if (record->type == SPOOL_MOVE)
		return;
	spool->fed = write->segment->fed = position;
	if (to->record)
		to->record(to->owner, position, record->type, record->id,
		    write->envelope, record->body_bytes);
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
		    (uint8_t)~SPOOL_UNWRITTEN;
		spool->numbers.puts++;
		spool_compact_pay(spool, spool_record_bytes(&write->record));
		break;
	case SPOOL_MOVE:
		SIM_MARK("spool.moved");
		spool_copy_moved(write->copy, write);
		break;
	case SPOOL_MARK:
		spool->numbers.marks++;
		break;
	case SPOOL_REMOVE:
		spool->numbers.removes++;
		write->from->removals--;
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

static struct spool_batch *
oldest_batch(struct spool *spool)
{
	return spool->batch_count ? &spool->batches[spool->batch_first] : NULL;
}

static void
retire(struct spool *spool, struct spool_batch *batch)
{
	batch->state = BATCH_IDLE;
	spool->batch_first = (spool->batch_first + 1) % BATCHES_MAX;
	spool->batch_count--;
}

static void
end_well(struct spool *spool, struct spool_batch *batch)
{
	struct list done;
	struct list *node;

	spool->numbers.batches++;
	spool->log_bytes_durable += batch->bytes;
	batch->segment->durable = batch->start + batch->bytes;
	list_init(&done);
	while ((node = list_pop(&batch->writes)))
		list_push(&done, node);
	retire(spool, batch);
	if (batch->segment != spool->head &&
	    batch->segment->durable == batch->segment->end)
		spool_segment_close_syncs(batch->segment);
	/* Whoever is called now may ask for more: that is another batch. */
	spool->finishing = true;
	while ((node = list_pop(&done)))
		finish(spool, container_of(node, struct spool_write, link));
	spool->finishing = false;
}

/* Ends batches in their order: those that are synced; after a failure, all that came back. */
static void
end_batches(struct spool *spool)
{
	struct spool_batch *batch;
	struct list *node;

	while ((batch = oldest_batch(spool)) && batch->state == BATCH_SYNCED) {
		if (!spool->broken) {
			end_well(spool, batch);
			continue;
		}
		while ((node = list_pop(&batch->writes)))
			fail(spool, container_of(node, struct spool_write, link), ERR_IO);
		retire(spool, batch);
	}
	if (!spool->broken)
		spool_segment_free_oldest(spool);
	spool_write_kick(spool);
	spool_settle(spool);
}

static void
time_batch(const struct spool_batch *batch)
{
	struct spool *spool = batch->spool;
	uint64_t took_us = (io_now_ms(spool->io) - batch->began_ms) * 1000;

	if (batch->beside)
		spool_overlap_beside(&spool->overlap, took_us);
	else if (!batch->mixed)
		spool_overlap_alone(&spool->overlap, took_us);
}

static void
synced(struct io_op *op)
{
	struct spool_batch *batch = op->owner;

	if (op->err && SIM_BUG(SYNC_AGAIN)) {
		io_sync(batch->segment->syncs[batch->number], op);
		return;
	}
	if (op->err)
		SIM_MARK("spool.sync_failed");
	batch->state = BATCH_SYNCED;
	time_batch(batch);
	if (op->err)
		spool_break(batch->spool);
	end_batches(batch->spool);
}

/* A deliberate bug: what the batch puts is said to be durable. */
static void
reply_early(struct spool_batch *batch)
{
	list_for_each(node, &batch->writes)
	{
		struct spool_write *write = container_of(node, struct spool_write, link);
		struct spool_op *op = write->op;

		if (write->record.type != SPOOL_PUT || !op)
			continue;
		write->op = NULL;
		op->err = OK;
		op->done(op);
	}
}

static void
written(struct io_op *op)
{
	struct spool_batch *batch = op->owner;

	if (op->err)
		SIM_MARK("spool.write_failed");
	if (op->err || batch->spool->broken) {
		batch->state = BATCH_SYNCED;
		spool_break(batch->spool);
		end_batches(batch->spool);
		return;
	}
	batch->state = BATCH_SYNCING;
	op->done = synced;
	if (SIM_BUG(REPLY_BEFORE_SYNC))
		reply_early(batch);
	if (SIM_BUG(SYNC_NOTHING)) {
		synced(op);
		return;
	}
	io_sync(batch->segment->syncs[batch->number], op);
}

/* Whether another batch may begin now; where it only must wait a little, sees to that. */
static bool
is_ripe(struct spool *spool)
{
	uint64_t wait_ms = spool_overlap_wait_ms(&spool->overlap);
	const struct spool_batch *newest;
	uint64_t age_ms;

	if (spool->batch_count == 0) {
		age_ms = io_now_ms(spool->io) - spool->lazy_since_ms;
		if (spool->eager || spool->flushes || age_ms >= LAZY_MS)
			return true;
		io_timer_start(spool->io, &spool->ripe, LAZY_MS - age_ms);
		return false;
	}
	if (spool->batch_count == BATCHES_MAX || wait_ms == 0)
		return false;
	newest = &spool->batches[(spool->batch_first + spool->batch_count - 1) %
				 BATCHES_MAX];
	age_ms = io_now_ms(spool->io) - newest->began_ms;
	if (age_ms >= wait_ms || spool->waiting_bytes >= BATCH_BYTES)
		return true;
	io_timer_start(spool->io, &spool->ripe, wait_ms - age_ms);
	return false;
}

void
spool_write_kick(struct spool *spool)
{
	/* Whoever is told of the end of a batch goes on at once: all of them share the next. */
	if (spool->finishing)
		return;
	while (!spool->broken && !list_empty(&spool->waiting) && is_ripe(spool)) {
		size_t number = (spool->batch_first + spool->batch_count) % BATCHES_MAX;
		struct spool_batch *batch = &spool->batches[number];

		check(batch->state == BATCH_IDLE && list_empty(&batch->writes));
		gather(spool, batch);
		if (list_empty(&batch->writes))
			return;
		for (size_t i = 0; i < BATCHES_MAX; i++)
			spool->batches[i].mixed = true;
		batch->beside = spool->batch_count > 0;
		batch->mixed = false;
		spool->batch_count++;
		batch->state = BATCH_WRITING;
		batch->began_ms = io_now_ms(spool->io);
		batch->op = (struct io_op){.done = written, .owner = batch};
		io_pwrite(batch->segment->file, &batch->op, batch->spans,
		    batch->span_count, batch->start);
	}
}

static void
ripened(struct io_timer *timer)
{
	spool_write_kick(timer->owner);
}

void
spool_write_init(struct spool *spool)
{
	spool_overlap_init(&spool->overlap);
	spool->ripe = (struct io_timer){.fired = ripened, .owner = spool};
	for (size_t i = 0; i < BATCHES_MAX; i++) {
		spool->batches[i].spool = spool;
		spool->batches[i].number = i;
		spool->batches[i].heads = mem_alloc(BATCH_HEADS);
		list_init(&spool->batches[i].writes);
	}
}

void
spool_write_fini(struct spool *spool)
{
	io_timer_stop(spool->io, &spool->ripe);
	for (size_t i = 0; i < BATCHES_MAX; i++)
		mem_free(spool->batches[i].heads);
}
