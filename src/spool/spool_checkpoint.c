/*
 * Checkpoints: what lives, written beside the log, so that a start-up replays
 * only what came after.  It is written in blocks, one at a time, while changes go
 * on: all that was durable when it began is in it or is undone or moved by a later record.
 * docs/spool-format.md says why that is enough.
 *
 *   IDLE ─► OPENING ─► WRITING ⇄ PACING ─► SYNCING ─► WAITING ─► RENAMING ─► NAMING ─► IDLE
 *
 * PACING leaves the disk to others between blocks; WAITING is for batches and for the
 * release of what the feed gave.  Whatever fails ends the attempt only: the
 * checkpoint before stays.
 */
#include "spool/spool_internal.h"

#include "base/sim_point.h"
#include "base/wire.h"
#include "spool/crc32c.h"
#include "spool/spool_block.h"

enum {
	BLOCK_BYTES = 256 << 10, /* a block is closed when it has so much */
	SYNC_BYTES = 8 << 20, /* written between syncs */
	GROWN_BYTES = SIM_SMALLER(256 << 20, 256 << 10), /* where options say nothing */
	LIVE_SHARE = 4, /* of what lives: as much, at least, between two */
	QUICK_MESSAGES = 100000, /* at a clean end, up to so many are written */
	QUICK_BYTES = 1 << 20, /* and only if the log has grown so much */
	RELEASE_MS = 500, /* at a clean end, the longest wait for a release */
	RETRY_MS = 10000, /* after a failure */
};

struct part {
	struct buf entries, digests, digest;
	struct spool_block block;
};

static const char final_name[] = "checkpoint";
static const char new_name[] = "checkpoint.new";

static void step(struct io_op *op);
static void finish(struct spool *spool, enum err err);

/* Where the log is durable up to now. */
static bool
durable_place(const struct spool *spool, struct segment **segment, uint64_t *offset)
{
	const struct spool_batch *batch = &spool->batches[spool->batch_first];

	if (spool->batch_count) {
		*segment = batch->segment;
		*offset = batch->start;
	} else if (spool->head) {
		*segment = spool->head;
		*offset = spool->head->end;
	} else if (!list_empty(&spool->used)) {
		*segment = container_of(spool->used.prev, struct segment, link);
		*offset = (*segment)->end;
	} else {
		return false;
	}
	return true;
}

static uint64_t
grown_needed(const struct spool *spool)
{
	uint64_t least = spool->options.checkpoint_log_bytes;

	if (least == 0)
		least = GROWN_BYTES;
	/* Writing checkpoints costs at most a half of what the log costs. */
	if (least < spool->checkpoint.last_bytes * 2)
		least = spool->checkpoint.last_bytes * 2;
	/*
	 * All that lives is gone through for each one: while a queue grows, only once it is larger
	 * by a share, so that what a message costs does not grow with the queue.
	 */
	if (spool->options.checkpoint_log_bytes == 0 && least < spool->live_bytes / LIVE_SHARE)
		least = spool->live_bytes / LIVE_SHARE;
	return least;
}

static void
write_part(struct spool *spool, struct part *part)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	struct span spans[3];
	char *head = checkpoint->head;

	part->block.entries_bytes = (uint32_t)part->entries.len;
	part->block.digests_bytes = (uint32_t)part->digests.len;
	part->block.entries_crc = crc32c(0, buf_span(&part->entries));
	part->block.digests_crc = crc32c(0, buf_span(&part->digests));
	spool_block_write(head, checkpoint->salt, checkpoint->written, &part->block);
	buf_fini(&checkpoint->entries);
	buf_fini(&checkpoint->digests);
	buf_fini(&part->digest);
	checkpoint->entries = part->entries;
	checkpoint->digests = part->digests;
	spans[0] = span_of(head, SPOOL_BLOCK_HEAD);
	spans[1] = buf_span(&checkpoint->entries);
	spans[2] = buf_span(&checkpoint->digests);
	checkpoint->op.done = step;
	checkpoint->began_ms = io_now_ms(spool->io);
	io_pwrite(checkpoint->file, &checkpoint->op, spans, 3, checkpoint->written);
	checkpoint->written += SPOOL_BLOCK_HEAD + spans[1].len + spans[2].len;
}

static void
part_init(struct part *part, enum spool_block_kind kind)
{
	*part = (struct part){.block.kind = kind};
	buf_init(&part->entries, SPOOL_BLOCK_BYTES_MAX);
	buf_init(&part->digests, SPOOL_BLOCK_BYTES_MAX);
	buf_init(&part->digest, SPOOL_DIGEST_BYTES_MAX);
}

static void
write_head(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	const struct spool_checkpoint_head head = {
	    .epoch = spool->epoch,
	    .begin = checkpoint->begin,
	    .fed = checkpoint->fed,
	    .salt = checkpoint->salt,
	    .messages = spool->index.count,
	};
	struct span span = span_of(checkpoint->head, SPOOL_CHECKPOINT_HEAD);

	spool_checkpoint_head_write(checkpoint->head, &head);
	checkpoint->op.done = step;
	checkpoint->began_ms = io_now_ms(spool->io);
	io_pwrite(checkpoint->file, &checkpoint->op, &span, 1, 0);
	checkpoint->written = SPOOL_CHECKPOINT_HEAD;
}

static void
write_segments(struct spool *spool)
{
	struct part part;

	part_init(&part, SPOOL_BLOCK_SEGMENTS);
	list_for_each (node, &spool->used) {
		const struct segment *segment = container_of(node, struct segment, link);
		struct spool_segment_entry entry = {
		    .sequence = segment->head.sequence,
		    .salt = segment->head.salt,
		    .end = (uint32_t)segment->end,
		};

		if (entry.sequence > spool->checkpoint.begin >> 32)
			break;
		if (entry.sequence == spool->checkpoint.begin >> 32)
			entry.end = (uint32_t)spool->checkpoint.begin;
		spool_segment_entry_write(&part.entries, &entry);
		part.block.count++;
	}
	write_part(spool, &part);
}

/* The marks of a message in records of their own, as far as they have a place. */
static uint32_t
count_marks(const struct spool *spool, const struct spool_message *message)
{
	uint32_t count = 0;

	for (uint32_t at = message->first_mark; at;
	     at = spool_index_mark_at(&spool->index, at)->next)
		count++;
	return count;
}

/* What the owner wants to find again; nothing where a mark of it has no place yet. */
static void
add_digest(struct spool *spool, struct part *part, const struct spool_message *message)
{
	buf_reset(&part->digest);
	if (spool->options.digest && message->pending == 0)
		spool->options.digest(
		    spool->options.digest_owner, message->id, &part->digest);
	if (buf_finish(&part->digest))
		buf_reset(&part->digest);
	buf_add(&part->digests, buf_span(&part->digest));
}

static void
add_message(struct spool *spool, struct part *part, const struct spool_message *message)
{
	struct spool_entry entry = {
	    .id = message->id,
	    .offset = message->offset,
	    .body_crc = message->body_crc,
	    .envelope_bytes = message->envelope_bytes,
	    .body_bytes = spool_message_body_bytes(message),
	    .merged_bytes = message->merged_bytes,
	    .mark_count = count_marks(spool, message),
	};

	if (message->flags & SPOOL_IN_FILE) {
		entry.flags |= SPOOL_ENTRY_IN_FILE;
		entry.file = message->body.file->number;
	}
	if (entry.mark_count || entry.merged_bytes)
		entry.flags |= SPOOL_ENTRY_MARKED;
	add_digest(spool, part, message);
	entry.digest_bytes = (uint16_t)part->digest.len;
	spool_entry_write(&part->entries, &entry);
	for (uint32_t at = message->first_mark; at;) {
		const struct spool_mark_place *place =
		    spool_index_mark_at(&spool->index, at);
		const struct spool_entry_mark mark = {
		    .sequence = spool->segments[place->segment]->head.sequence,
		    .offset = place->offset,
		    .bytes = place->bytes,
		};

		spool_entry_mark_write(&part->entries, &mark);
		at = place->next;
	}
	part->block.count++;
	spool->checkpoint.count++;
}

/* The used segment where the cursor is, or the next; NULL behind the last. */
static struct segment *
segment_at_cursor(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;

	list_for_each (node, &spool->used) {
		struct segment *segment = container_of(node, struct segment, link);

		if (segment->head.sequence < checkpoint->sequence)
			continue;
		if (segment->head.sequence > checkpoint->begin >> 32)
			return NULL;
		if (segment->head.sequence > checkpoint->sequence) {
			checkpoint->sequence = segment->head.sequence;
			checkpoint->slot = segment->first;
		}
		if (checkpoint->slot)
			return segment;
	}
	return NULL;
}

/* The next messages, of one segment; false where there are no more. */
static bool
write_messages(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	struct segment *segment = segment_at_cursor(spool);
	struct part part;

	if (!segment)
		return false;
	part_init(&part, SPOOL_BLOCK_MESSAGES);
	wire_u64(&part.entries, segment->head.sequence);
	while (checkpoint->slot && part.entries.len + part.digests.len < BLOCK_BYTES) {
		const struct spool_message *message =
		    spool_index_at(&spool->index, checkpoint->slot);

		/*
		 * What came later is found by the replay.  It isn't the end: a MOVE takes its place
		 * in the list only when it is durable, so it may stand behind later PUTs.
		 */
		checkpoint->slot = message->newer;
		if (spool_position(segment, message->offset) >= checkpoint->begin)
			continue;
		check(!(message->flags & SPOOL_UNWRITTEN));
		add_message(spool, &part, message);
	}
	write_part(spool, &part);
	return true;
}

static void
write_end(struct spool *spool)
{
	struct part part;

	part_init(&part, SPOOL_BLOCK_END);
	wire_u64(&part.entries, spool->checkpoint.count);
	write_part(spool, &part);
	/* Marks that were named must be durable before the file takes its name. */
	spool->checkpoint.until = spool->log_bytes;
}

/* A message leaves the list of its segment: the cursor steps on. */
void
spool_checkpoint_detach(struct spool *spool, uint32_t slot)
{
	if (spool->checkpoint.state != CHECKPOINT_IDLE && spool->checkpoint.slot == slot)
		spool->checkpoint.slot = spool_index_at(&spool->index, slot)->newer;
}

static bool
may_publish(struct spool *spool)
{
	const struct spool_checkpoint *checkpoint = &spool->checkpoint;
	bool durable = spool->log_bytes_durable >= checkpoint->until;

	if (!durable)
		SIM_MARK("spool.checkpoint_waits_for_marks");
	return durable && (!spool->options.want_release || spool->released >= checkpoint->fed);
}

static void
publish(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;

	/* A batch that failed is never durable, and so neither is what this tells of it. */
	check(!spool->broken);
	if (!checkpoint->final)
		SIM_MARK("spool.checkpoint_published");
	checkpoint->state = CHECKPOINT_RENAMING;
	spool->running++;
	checkpoint->op = (struct io_op){.done = step, .owner = spool};
	io_rename(spool->dir, &checkpoint->op, new_name, final_name);
}

static void
wait_or_publish(struct spool *spool)
{
	spool->checkpoint.state = CHECKPOINT_WAITING;
	spool->checkpoint.began_ms = io_now_ms(spool->io);
	spool_checkpoint_kick(spool);
	/* A clean end looks after it from then on. */
	io_timer_start(spool->io, &spool->later, 0);
}

static void
write_next(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;

	checkpoint->state = CHECKPOINT_WRITING;
	spool->running++;
	if (checkpoint->written == 0) {
		write_head(spool);
	} else if (checkpoint->written == SPOOL_CHECKPOINT_HEAD) {
		write_segments(spool);
	} else if (checkpoint->written - checkpoint->synced >= SYNC_BYTES ||
		   checkpoint->ended) {
		checkpoint->state = CHECKPOINT_SYNCING;
		checkpoint->synced = checkpoint->written;
		checkpoint->op.done = step;
		io_sync(checkpoint->file, &checkpoint->op);
	} else if (!write_messages(spool)) {
		checkpoint->ended = true;
		write_end(spool);
	}
}

static void
paced(struct io_timer *timer)
{
	struct spool *spool = timer->owner;

	if (spool->checkpoint.state != CHECKPOINT_PACING)
		return;
	if (spool->broken)
		finish(spool, ERR_BROKEN);
	else
		write_next(spool);
}

/* A block is written: the next comes at once at a clean end, else after a while. */
static void
pace(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	uint64_t took_ms = io_now_ms(spool->io) - checkpoint->began_ms;

	checkpoint->state = CHECKPOINT_PACING;
	if (checkpoint->final)
		write_next(spool);
	else
		io_timer_start(spool->io, &checkpoint->pace, took_ms + 1);
}

static void
step(struct io_op *op)
{
	struct spool *spool = op->owner;
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	bool unwanted = spool->broken || (spool->flushes && !checkpoint->final);

	spool->running--;
	if (op->err || (unwanted && checkpoint->state < CHECKPOINT_RENAMING)) {
		if (checkpoint->state == CHECKPOINT_OPENING && !op->err)
			checkpoint->file = op->file;
		finish(spool, op->err ? op->err : ERR_BUSY);
		return;
	}
	switch (checkpoint->state) {
	case CHECKPOINT_OPENING:
		checkpoint->file = op->file;
		write_next(spool);
		break;
	case CHECKPOINT_WRITING:
		pace(spool);
		break;
	case CHECKPOINT_SYNCING:
		if (checkpoint->ended)
			wait_or_publish(spool);
		else
			pace(spool);
		break;
	case CHECKPOINT_RENAMING:
		checkpoint->state = CHECKPOINT_NAMING;
		spool->running++;
		io_dir_sync(spool->dir, op, NULL);
		break;
	case CHECKPOINT_NAMING:
		finish(spool, OK);
		break;
	case CHECKPOINT_IDLE:
	case CHECKPOINT_PACING:
	case CHECKPOINT_WAITING:
		check(false);
	}
}

/* Also after a failure: the next attempt comes when the log has grown again, or later. */
static void
finish(struct spool *spool, enum err err)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	bool naming = checkpoint->state == CHECKPOINT_NAMING;

	io_file_close(checkpoint->file);
	io_timer_stop(spool->io, &checkpoint->pace);
	buf_fini(&checkpoint->entries);
	buf_fini(&checkpoint->digests);
	checkpoint->file = NULL;
	checkpoint->state = CHECKPOINT_IDLE;
	checkpoint->slot = 0;
	if (err == ERR_BUSY && !checkpoint->final) {
		/* A clean end came in between, which tries it in its own way. */
	} else if (err) {
		checkpoint->retry_ms = io_now_ms(spool->io) + RETRY_MS;
		/* The directory's sync failed: as that of a new segment's name. */
		if (naming)
			spool_break(spool);
	} else {
		checkpoint->last_bytes = checkpoint->written;
		checkpoint->at_log_bytes = checkpoint->began_log_bytes;
		spool->numbers.checkpoints++;
	}
	spool_settle(spool);
}

/* Room for about as much as the last one, without what is kept for state changes. */
static bool
has_space(struct spool *spool)
{
	uint64_t needed = 2 * spool->checkpoint.last_bytes +
			  spool->options.segment_bytes + spool->options.disk_reserve_bytes;
	uint64_t free_bytes;

	if (io_dir_space(spool->dir, &free_bytes) || free_bytes >= needed)
		return true;
	spool->checkpoint.retry_ms = io_now_ms(spool->io) + RETRY_MS;
	return false;
}

static void
created(struct io_op *op)
{
	struct spool *spool = op->owner;

	/* What an attempt before left is gone now. */
	err_ignore(op->err, "there is none, as a rule");
	op->done = step;
	io_open(spool->dir, op, new_name, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
}

static void
begin(struct spool *spool, bool final)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	struct segment *segment;
	uint64_t offset;

	if (!durable_place(spool, &segment, &offset))
		return;
	checkpoint->state = CHECKPOINT_OPENING;
	checkpoint->final = final;
	checkpoint->ended = false;
	checkpoint->begin = spool_position(segment, offset);
	checkpoint->fed = spool->fed;
	checkpoint->began_log_bytes = spool->log_bytes_durable;
	checkpoint->sequence = 0;
	checkpoint->slot = 0;
	checkpoint->count = checkpoint->written = checkpoint->synced = 0;
	io_random(spool->io, &checkpoint->salt, sizeof(checkpoint->salt));
	buf_init(&checkpoint->entries, 0);
	buf_init(&checkpoint->digests, 0);
	checkpoint->op = (struct io_op){.done = created, .owner = spool};
	spool->running++;
	io_unlink(spool->dir, &checkpoint->op, new_name);
}

void
spool_checkpoint_kick(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	uint64_t grown = spool->log_bytes_durable - checkpoint->at_log_bytes;

	if (spool->broken || spool->finishing)
		return;
	if (checkpoint->state == CHECKPOINT_WAITING) {
		if (may_publish(spool))
			publish(spool);
		else
			spool_want_release(spool, checkpoint->fed);
		return;
	}
	if (checkpoint->state != CHECKPOINT_IDLE || spool->quiet ||
	    grown < grown_needed(spool) || io_now_ms(spool->io) < checkpoint->retry_ms ||
	    !has_space(spool))
		return;
	begin(spool, false);
}

/*
 * At a clean end, when nothing else is under way: true while a checkpoint is still to be
 * waited for.  One that cannot be published in a while is given up.
 */
bool
spool_checkpoint_final(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;
	uint64_t grown = spool->log_bytes_durable - checkpoint->at_log_bytes;

	if (spool->finishing)
		return false;
	if (spool->broken) {
		/* What stands between two steps is not to go on by itself. */
		if (checkpoint->state == CHECKPOINT_PACING ||
		    checkpoint->state == CHECKPOINT_WAITING)
			finish(spool, ERR_BROKEN);
		return false;
	}
	if (checkpoint->state == CHECKPOINT_PACING) {
		finish(spool, ERR_BUSY);
		return checkpoint->state != CHECKPOINT_IDLE;
	}
	if (checkpoint->state == CHECKPOINT_WAITING) {
		if (!checkpoint->final ||
		    io_now_ms(spool->io) - checkpoint->began_ms >= RELEASE_MS) {
			finish(spool, ERR_BUSY);
			return checkpoint->state != CHECKPOINT_IDLE;
		}
		io_timer_start(spool->io, &spool->later, 10);
		spool_checkpoint_kick(spool);
		return true;
	}
	if (checkpoint->state == CHECKPOINT_IDLE && grown >= QUICK_BYTES &&
	    spool->index.count <= QUICK_MESSAGES &&
	    io_now_ms(spool->io) >= checkpoint->retry_ms)
		begin(spool, true);
	return checkpoint->state != CHECKPOINT_IDLE;
}

void
spool_checkpoint_init(struct spool *spool)
{
	spool->checkpoint.pace = (struct io_timer){.fired = paced, .owner = spool};
}

void
spool_checkpoint_fini(struct spool *spool)
{
	struct spool_checkpoint *checkpoint = &spool->checkpoint;

	io_timer_stop(spool->io, &checkpoint->pace);
	io_file_close(checkpoint->file);
	if (checkpoint->state != CHECKPOINT_IDLE) {
		buf_fini(&checkpoint->entries);
		buf_fini(&checkpoint->digests);
	}
}
