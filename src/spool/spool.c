/*
 * The spool's face: checks what is asked, keeps the index, queues records,
 * and pays back operations that ended without a batch.
 *
 * The index follows what is asked at once: an id is taken with its put and
 * free again with its removal.  A caller marks or removes a message only after
 * its put has ended.
 */
#include "spool/spool_internal.h"

static void
call_finished(struct io_timer *timer)
{
	struct spool *spool = timer->owner;
	struct spool_op *op = spool->finished;

	spool->finished = NULL;
	spool->finished_end = &spool->finished;
	spool_reads_call(spool);
	spool_settle(spool);
	/* Last, as who waited for a flush may close the spool. */
	while (op) {
		struct spool_op *next = op->next;

		op->next = NULL;
		op->done(op);
		op = next;
	}
}

void
spool_finish_op(struct spool *spool, struct spool_op *op, enum err err)
{
	op->err = err;
	op->next = NULL;
	*spool->finished_end = op;
	spool->finished_end = &op->next;
	io_timer_start(spool->io, &spool->soon, 0);
}

static bool
is_idle(const struct spool *spool)
{
	return list_empty(&spool->waiting) && spool->batch_count == 0 && spool->running == 0;
}

void
spool_want_release(struct spool *spool, uint64_t position)
{
	if (!spool->options.want_release || spool->released >= position ||
	    spool->wanted >= position)
		return;
	/* All until now in one go. */
	spool->wanted = spool->fed;
	spool->options.want_release(spool->options.release_owner, spool->fed);
}

/* Where only a release is missing to use the oldest segment again. */
static void
ask_release(struct spool *spool)
{
	const struct segment *oldest;

	if (list_empty(&spool->used))
		return;
	oldest = container_of(spool->used.next, struct segment, link);
	if (oldest != spool->head && oldest->message_count == 0)
		spool_want_release(spool, oldest->fed);
}

void
spool_settle(struct spool *spool)
{
	struct spool_op *op;

	/* It is called again when all operations of the batch have ended. */
	if (spool->finishing)
		return;
	/* From a flush until the next write nothing is begun that isn't needed. */
	if (!spool->quiet && !spool->broken) {
		ask_release(spool);
		spool_segment_free_oldest(spool);
		spool_checkpoint_kick(spool);
		(void)spool_segment_prepare(spool);
		spool_segment_trim(spool);
		spool_fill_kick(spool);
		spool_compact(spool);
	}
	if (!spool->flushes || !is_idle(spool) || spool_checkpoint_final(spool))
		return;
	op = spool->flushes;
	spool->flushes = NULL;
	spool->flushes_end = &spool->flushes;
	while (op) {
		struct spool_op *next = op->next;

		spool_finish_op(spool, op, spool->broken ? ERR_BROKEN : OK);
		op = next;
	}
}

void
spool_flush(struct spool *spool, struct spool_op *op)
{
	op->next = NULL;
	*spool->flushes_end = op;
	spool->flushes_end = &op->next;
	spool->quiet = true;
	spool_write_kick(spool);
	spool_settle(spool);
}

void
spool_enqueue(struct spool *spool, struct spool_write *write)
{
	if (list_empty(&spool->waiting))
		spool->lazy_since_ms = io_now_ms(spool->io);
	spool->eager += write->op != NULL;
	list_push(&spool->waiting, &write->link);
	spool->waiting_bytes += spool_record_bytes(&write->record);
	spool->quiet = spool->flushes != NULL;
	spool_write_kick(spool);
}

bool
spool_has_space(struct spool *spool)
{
	uint64_t now = io_now_ms(spool->io);
	uint64_t free_bytes;

	if (spool->options.disk_reserve_bytes == 0)
		return true;
	if (!spool->space_known || now - spool->space_checked_ms >= SPACE_CHECK_MS) {
		spool->space_known = true;
		spool->space_checked_ms = now;
		spool->space_enough = io_dir_space(spool->dir, &free_bytes) != OK ||
				      free_bytes >= spool->options.disk_reserve_bytes;
	}
	return spool->space_enough;
}

/* Why a message cannot be taken; OK where it can. */
static enum err
refusal(struct spool *spool, uint64_t id, struct span envelope)
{
	if (spool->broken)
		return ERR_BROKEN;
	if (envelope.len > SPOOL_ENVELOPE_BYTES_MAX)
		return ERR_TOO_LONG;
	if (spool_index_find(&spool->index, id))
		return ERR_EXISTS;
	return spool_has_space(spool) ? OK : ERR_NO_SPACE;
}

/* Takes the id and queues the record, which has its spans, body length and flags. */
void
spool_put_record(struct spool *spool, struct spool_op *op, struct spool_write *write)
{
	enum err err = refusal(spool, write->record.id, write->envelope);
	struct spool_message *message;

	if (err) {
		if (write->record.flags & SPOOL_BODY_FILE)
			spool_body_unlink(spool, write->file);
		spool_write_free(write);
		spool_finish_op(spool, op, err);
		return;
	}
	write->op = op;
	write->record.type = SPOOL_PUT;
	write->record.envelope_bytes = (uint32_t)write->envelope.len;
	write->slot = spool_index_add(&spool->index, write->record.id);
	message = spool_index_at(&spool->index, write->slot);
	message->flags = SPOOL_UNWRITTEN;
	message->envelope_bytes = write->record.envelope_bytes;
	if (write->record.flags & SPOOL_BODY_FILE) {
		message->flags |= SPOOL_IN_FILE;
		message->body.file = mem_alloc(sizeof(*message->body.file));
		message->body.file->number = write->file;
		message->body.file->bytes = write->record.body_bytes;
		spool->file_bytes += write->record.body_bytes;
	} else {
		message->body.bytes = write->record.body_bytes;
	}
	spool_enqueue(spool, write);
}

void
spool_put(struct spool *spool, struct spool_op *op, uint64_t id, struct span envelope,
    struct span body)
{
	struct spool_write *write;
	enum err err;

	check(op && id != 0);
	if (body.len > SPOOL_INLINE_BYTES_MAX) {
		struct spool_body *large;

		err = refusal(spool, id, envelope);
		if (err) {
			spool_finish_op(spool, op, err);
			return;
		}
		large = spool_body_begin(spool);
		spool_body_add(large, body);
		spool_put_body(spool, op, id, envelope, large);
		return;
	}
	write = mem_alloc(sizeof(*write));
	write->record.id = id;
	write->record.body_bytes = body.len;
	write->envelope = envelope;
	write->body = body;
	spool_put_record(spool, op, write);
}

/* The message that a mark or a removal may speak of; 0 and a reason where there is none. */
static uint32_t
find_written(struct spool *spool, uint64_t id, enum err *err)
{
	uint32_t slot = spool_index_find(&spool->index, id);

	*err = spool->broken ? ERR_BROKEN : ERR_NOT_FOUND;
	if (spool->broken || !slot ||
	    spool_index_at(&spool->index, slot)->flags & SPOOL_UNWRITTEN)
		return 0;
	return slot;
}

void
spool_mark(struct spool *spool, struct spool_op *op, uint64_t id, struct span mark)
{
	enum err err;
	uint32_t slot = find_written(spool, id, &err);
	struct spool_message *message = slot ? spool_index_at(&spool->index, slot) : NULL;
	struct spool_write *write;
	uint32_t bytes = SPOOL_RECORD_HEAD + (uint32_t)mark.len;

	if (message && mark.len > SPOOL_MARK_BYTES_MAX)
		err = ERR_TOO_LONG;
	else if (message && message->marks_bytes + bytes > SPOOL_MARKS_BYTES_MAX)
		err = ERR_LIMIT;
	else if (message)
		err = OK;
	if (err) {
		if (op)
			spool_finish_op(spool, op, err);
		return;
	}
	message->marks_bytes += bytes;
	if (message->pending < UINT8_MAX)
		message->pending++;
	spool->live_bytes += bytes;
	write = mem_alloc(sizeof(*write));
	write->memory = mem_copy(mark);
	write->op = op;
	write->record.type = SPOOL_MARK;
	write->record.id = id;
	write->record.envelope_bytes = (uint32_t)mark.len;
	write->envelope = span_of(write->memory, mark.len);
	spool_enqueue(spool, write);
}

void
spool_remove(struct spool *spool, struct spool_op *op, uint64_t id, struct span why)
{
	enum err err;
	uint32_t slot = find_written(spool, id, &err);
	struct spool_message *message;
	struct spool_write *write;

	check(why.len <= SPOOL_MARK_BYTES_MAX);
	if (!slot) {
		if (op)
			spool_finish_op(spool, op, err);
		return;
	}
	write = mem_alloc(sizeof(*write));
	write->op = op;
	write->record.type = SPOOL_REMOVE;
	write->record.id = id;
	write->record.envelope_bytes = (uint32_t)why.len;
	write->memory = why.len ? mem_copy(why) : NULL;
	write->envelope = span_of(write->memory, why.len);
	message = spool_index_at(&spool->index, slot);
	if (message->flags & SPOOL_IN_FILE) {
		write->file = message->body.file->number;
		spool->file_bytes -= message->body.file->bytes;
	}
	spool->live_bytes -= message->marks_bytes - message->merged_bytes;
	write->from = spool->segments[message->segment];
	write->from->removals++;
	spool_segment_detach(spool, slot);
	spool_index_remove(&spool->index, slot);
	spool_enqueue(spool, write);
}

void
spool_release(struct spool *spool, uint64_t position)
{
	if (position <= spool->released)
		return;
	spool->released = position;
	/* What waited for it goes on, but not inside this call. */
	io_timer_start(spool->io, &spool->soon, 0);
}

static void
look_again(struct io_timer *timer)
{
	spool_settle(timer->owner);
}

static struct spool *
create(struct io *io, struct io_dir *dir, const struct spool_options *options)
{
	struct spool *spool = mem_alloc(sizeof(*spool));

	spool->io = io;
	spool->dir = dir;
	spool->options = *options;
	spool_index_init(&spool->index);
	list_init(&spool->used);
	list_init(&spool->ready);
	list_init(&spool->free);
	list_init(&spool->waiting);
	list_init(&spool->reads_finished);
	spool_write_init(spool);
	spool_checkpoint_init(spool);
	spool_fill_init(spool);
	spool->finished_end = &spool->finished;
	spool->flushes_end = &spool->flushes;
	spool->later = (struct io_timer){.fired = look_again, .owner = spool};
	spool->soon = (struct io_timer){.fired = call_finished, .owner = spool};
	for (size_t i = 0; i < COPIES_MAX; i++)
		spool->copies[i].spool = spool;
	return spool;
}

enum err
spool_open(struct io *io, struct io_dir *dir, const struct spool_options *options,
    const struct spool_scan *scan, struct spool **spool)
{
	struct spool *opened;
	enum err err;

	check(options->segment_bytes >= 1 << 20 && options->segment_bytes <= 1 << 30);
	err = io_dir_lock(dir, "spool.lock");
	if (err)
		return err;
	opened = create(io, dir, options);
	err = spool_recover(opened, scan);
	if (err) {
		spool_close(opened);
		return err;
	}
	*spool = opened;
	return OK;
}

void
spool_close(struct spool *spool)
{
	if (!spool)
		return;
	check(list_empty(&spool->waiting) && spool->batch_count == 0 && spool->running == 0);
	check(!spool->finished && !spool->flushes && list_empty(&spool->reads_finished));
	io_timer_stop(spool->io, &spool->soon);
	io_timer_stop(spool->io, &spool->later);
	spool_read_forget(spool, 0);
	for (size_t i = 0; i < spool->segment_count; i++) {
		if (!spool->segments[i])
			continue;
		spool_segment_close_syncs(spool->segments[i]);
		io_file_close(spool->segments[i]->file);
		mem_free(spool->segments[i]);
	}
	mem_free(spool->segments);
	spool_index_fini(&spool->index);
	spool_write_fini(spool);
	spool_checkpoint_fini(spool);
	spool_fill_fini(spool);
	mem_free(spool);
}

uint64_t
spool_epoch(const struct spool *spool)
{
	return spool->epoch;
}

bool
spool_is_broken(const struct spool *spool)
{
	return spool->broken;
}

void
spool_numbers(const struct spool *spool, struct spool_numbers *numbers)
{
	*numbers = spool->numbers;
	numbers->messages = spool->index.count;
	numbers->live_bytes = spool->live_bytes + spool->file_bytes;
	numbers->disk_bytes = spool->file_bytes;
	numbers->segments = 0;
	for (size_t i = 0; i < spool->segment_count; i++) {
		if (!spool->segments[i] || !spool->segments[i]->file)
			continue;
		numbers->segments++;
		numbers->disk_bytes += io_file_bytes(spool->segments[i]->file);
	}
}
