/*
 * Segments are made ahead of their use, or taken again.
 *
 * A file is written over or unlinked only when it is free and the reads from
 * it have ended.  Freed segments are used again in the order of their
 * sequence, one at a time, each made durable before the next; what is
 * unlinked is first known as old by a durable header (spool_head.oldest).  So
 * a removal never goes before the message that it removes.
 */
#include "spool/spool_internal.h"

#include "base/sim_point.h"

#include <stdio.h>

/* The free segment to be used next: the oldest, as all before it were. */
static struct segment *
take_free(struct spool *spool)
{
	struct segment *segment = spool_segment_first(&spool->free);

	return segment && segment->pins == 0 ? segment : NULL;
}

static struct segment *
make_new(struct spool *spool)
{
	uint64_t free_bytes;
	size_t number = 0;

	if (io_now_ms(spool->io) < spool->full_until_ms)
		return NULL;
	spool->full_until_ms = io_now_ms(spool->io) + SPACE_CHECK_MS;
	if (io_dir_space(spool->dir, &free_bytes) != OK ||
	    free_bytes < spool->options.segment_bytes + spool->options.disk_reserve_bytes)
		return NULL;
	while (number < spool->segment_count && spool->segments[number])
		number++;
	if (number >= SEGMENTS_MAX)
		return NULL;
	spool->full_until_ms = 0;
	return spool_segment_add(spool, (uint16_t)number);
}

/* Gives a segment its next life; nothing is written yet. */
static void
begin_life(struct spool *spool, struct segment *segment)
{
	struct segment *oldest = spool_segment_first(&spool->used);

	segment->head = (struct spool_head){
	    .sequence = ++spool->sequence,
	    .oldest = oldest ? oldest->head.sequence : spool->sequence,
	    .epoch = spool->epoch,
	    .version = SPOOL_FORMAT_VERSION,
	};
	if (!oldest && spool_segment_first(&spool->ready))
		segment->head.oldest = spool_segment_first(&spool->ready)->head.sequence;
	io_random(spool->io, &segment->head.salt, sizeof(segment->head.salt));
	segment->key = spool_key_of(&segment->head);
	segment->end = segment->durable = SPOOL_SEGMENT_DATA;
	segment->live_bytes = segment->fed = segment->gap = 0;
	spool_head_write(spool->prepare.head, &segment->head);
}

/* Chooses the segment to be made ready; false where there is none. */
static bool
choose(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct segment *segment = take_free(spool);

	prepare->created = segment == NULL;
	if (segment)
		SIM_MARK("spool.segment_again");
	if (!segment)
		segment = make_new(spool);
	if (!segment)
		return false;
	prepare->segment = segment;
	spool_segment_name(prepare->name, segment->number);
	spool_segment_move(spool, segment, SEGMENT_PREPARING);
	return true;
}

struct unlinking {
	struct spool *spool;
	struct segment *segment;
	char name[NAME_BYTES];
	struct io_op op;
};

static void
unlinked(struct io_op *op)
{
	struct unlinking *unlinking = op->owner;
	struct spool *spool = unlinking->spool;

	/* Where that fails the file stays, and its number stays taken. */
	if (op->err == OK)
		spool_segment_drop(spool, unlinking->segment);
	mem_free(unlinking);
	spool->running--;
	spool_settle(spool);
}

static void
unlink_segment(struct spool *spool, struct segment *segment)
{
	struct unlinking *unlinking = mem_alloc(sizeof(*unlinking));

	*unlinking = (struct unlinking){
	    .spool = spool,
	    .segment = segment,
	    .op = {.done = unlinked, .owner = unlinking},
	};
	spool_segment_name(unlinking->name, segment->number);
	spool_segment_move(spool, segment, SEGMENT_DEAD);
	spool->running++;
	io_unlink(spool->dir, &unlinking->op, unlinking->name);
}

static void
prepare_failed(struct spool *spool, enum err err)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct segment *segment = prepare->segment;

	prepare->segment = NULL;
	if (err == ERR_NO_SPACE)
		SIM_MARK("spool.segment_no_space");
	if (err != ERR_NO_SPACE && err != ERR_DESCRIPTORS) {
		spool_break(spool);
		return;
	}
	/* A full disk: what was half made goes, and we try again later. */
	if (prepare->created)
		unlink_segment(spool, segment);
	else
		spool_segment_move(spool, segment, SEGMENT_FREE);
	spool->full_until_ms = io_now_ms(spool->io) + SPACE_CHECK_MS;
}

static void
prepared(struct spool *spool)
{
	struct segment *segment = spool->prepare.segment;

	spool->prepare.segment = NULL;
	if (segment->head.oldest > spool->durable_oldest)
		spool->durable_oldest = segment->head.oldest;
	spool_segment_move(spool, segment, SEGMENT_READY);
}

static void
prepare_end(struct spool *spool, enum err err)
{
	spool->running--;
	if (err)
		prepare_failed(spool, err);
	else
		prepared(spool);
	spool_write_kick(spool);
	spool_settle(spool);
}

/* How a step ended.  Where something else failed meanwhile, no other may follow it. */
static enum err
step_err(const struct io_op *op)
{
	const struct spool *spool = op->owner;

	return op->err == OK && spool->broken ? ERR_BROKEN : op->err;
}

/*
 * The steps.  The second copy of the header is written when the first is
 * durable, so that one of them is whole at any moment; it need not be synced:
 * the first batch in the segment does that.
 */
static void sync_opened(struct io_op *op);

static void
open_next_sync(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;

	for (prepare->sync = 0; prepare->sync < BATCHES_MAX; prepare->sync++) {
		if (prepare->segment->syncs[prepare->sync])
			continue;
		prepare->op.done = sync_opened;
		io_open(spool->dir, &prepare->op, prepare->name,
		    IO_OPEN_READ | IO_OPEN_WRITE);
		return;
	}
	prepare_end(spool, OK);
}

static void
sync_opened(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (op->err) {
		prepare_end(spool, op->err);
		return;
	}
	spool->prepare.segment->syncs[spool->prepare.sync] = op->file;
	open_next_sync(spool);
}

static void
second_written(struct io_op *op)
{
	if (op->err)
		prepare_end(op->owner, op->err);
	else
		open_next_sync(op->owner);
}

static void
write_second(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct span span = span_of(prepare->head, SPOOL_HEAD_BYTES);

	prepare->op.done = second_written;
	io_pwrite(prepare->segment->file, &prepare->op, &span, 1, SPOOL_HEAD_SECOND);
}

static void
directory_synced(struct io_op *op)
{
	if (step_err(op))
		prepare_end(op->owner, step_err(op));
	else
		write_second(op->owner);
}

static void
head_synced(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (op->err) {
		/* Not "full", whatever it says: never a second try after a sync. */
		prepare_end(spool, ERR_IO);
	} else if (step_err(op)) {
		prepare_end(spool, step_err(op));
	} else if (spool->prepare.created && !SIM_BUG(NO_DIRECTORY_SYNC)) {
		op->done = directory_synced;
		io_dir_sync(spool->dir, op, NULL);
	} else {
		write_second(spool);
	}
}

static void
head_written(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (step_err(op)) {
		prepare_end(spool, step_err(op));
		return;
	}
	op->done = head_synced;
	io_sync(spool->prepare.segment->file, op);
}

static void
write_first(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct span span = span_of(prepare->head, SPOOL_HEAD_BYTES);

	prepare->op.done = head_written;
	io_pwrite(prepare->segment->file, &prepare->op, &span, 1, 0);
}

static void
mended_synced(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (op->err) {
		prepare_end(spool, ERR_IO);
	} else if (step_err(op)) {
		prepare_end(spool, step_err(op));
	} else {
		spool->prepare.segment->second_torn = false;
		write_first(spool);
	}
}

static void
mended(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (step_err(op)) {
		prepare_end(spool, step_err(op));
		return;
	}
	op->done = mended_synced;
	io_sync(spool->prepare.segment->file, op);
}

static void
write_head(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct span span = span_of(prepare->head, SPOOL_HEAD_BYTES);

	begin_life(spool, prepare->segment);
	if (!prepare->segment->second_torn) {
		write_first(spool);
		return;
	}
	/* A start-up before this one could not write it: the first is the only whole one. */
	prepare->op.done = mended;
	io_pwrite(prepare->segment->file, &prepare->op, &span, 1, SPOOL_HEAD_SECOND);
}

static void
allocated(struct io_op *op)
{
	if (step_err(op))
		prepare_end(op->owner, step_err(op));
	else
		write_head(op->owner);
}

/* A file may be too short: new, or from a time of smaller segments. */
static void
allocate(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;

	if (io_file_bytes(prepare->segment->file) >= spool->options.segment_bytes) {
		write_head(spool);
		return;
	}
	prepare->op.done = allocated;
	io_allocate(prepare->segment->file, &prepare->op, spool->options.segment_bytes);
}

static void
created(struct io_op *op)
{
	struct spool *spool = op->owner;

	if (op->err) {
		prepare_end(spool, op->err);
		return;
	}
	spool->prepare.segment->file = op->file;
	if (spool->broken)
		prepare_end(spool, ERR_BROKEN);
	else
		allocate(spool);
}

bool
spool_segment_prepare(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;

	if (prepare->segment)
		return true;
	if (spool->broken || spool->ready_count >= SEGMENTS_READY || !choose(spool))
		return false;
	spool->running++;
	prepare->op = (struct io_op){.done = created, .owner = spool};
	if (prepare->created)
		io_open(spool->dir, &prepare->op, prepare->name,
		    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	else
		allocate(spool);
	return true;
}

/* One of the steps above after the other, without completions. */
static enum err
prepare_steps(struct spool *spool)
{
	struct spool_prepare *prepare = &spool->prepare;
	struct span span = span_of(prepare->head, SPOOL_HEAD_BYTES);
	struct io_op op = {0};

	if (prepare->created) {
		io_open(spool->dir, &op, prepare->name,
		    IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
		if (op.err)
			return op.err;
		prepare->segment->file = op.file;
	}
	if (io_file_bytes(prepare->segment->file) < spool->options.segment_bytes)
		io_allocate(prepare->segment->file, &op, spool->options.segment_bytes);
	if (op.err)
		return op.err;
	begin_life(spool, prepare->segment);
	if (prepare->segment->second_torn) {
		io_pwrite(prepare->segment->file, &op, &span, 1, SPOOL_HEAD_SECOND);
		if (!op.err)
			io_sync(prepare->segment->file, &op);
		if (op.err)
			return op.err == ERR_NO_SPACE ? ERR_IO : op.err;
		prepare->segment->second_torn = false;
	}
	io_pwrite(prepare->segment->file, &op, &span, 1, 0);
	if (!op.err)
		io_sync(prepare->segment->file, &op);
	if (!op.err && prepare->created && !SIM_BUG(NO_DIRECTORY_SYNC))
		io_dir_sync(spool->dir, &op, NULL);
	if (!op.err)
		io_pwrite(prepare->segment->file, &op, &span, 1, SPOOL_HEAD_SECOND);
	return op.err ? op.err : spool_segment_open_syncs(spool, prepare->segment);
}

enum err
spool_segment_prepare_now(struct spool *spool)
{
	enum err err;

	while (spool->ready_count < SEGMENTS_READY) {
		if (!choose(spool))
			return ERR_NO_SPACE;
		err = prepare_steps(spool);
		if (err) {
			prepare_failed(spool, err);
			return err;
		}
		prepared(spool);
	}
	return OK;
}

/* Gives back files that a past peak has left. */
void
spool_segment_trim(struct spool *spool)
{
	while (spool->free_count > SEGMENT_SLACK + spool->used_count / 4) {
		struct segment *segment = take_free(spool);

		if (!segment || segment->head.sequence >= spool->durable_oldest)
			return;
		unlink_segment(spool, segment);
	}
}
