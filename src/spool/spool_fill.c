/*
 * New segments are filled with zeros ahead of their use.  What io_allocate gave has
 * blocks, but the file system notes with the first write to each that it holds something,
 * which costs its journal a write at each sync.  A segment that was written before, by a
 * use of it or by this, is only written over.
 *
 * Only the last ready segment is filled, never the one that becomes the head next, in small
 * pieces with pauses; and only when the head is in use by a good part, so that a
 * server with little to do doesn't write what it may never need.
 */
#include "spool/spool_internal.h"

enum { PIECE_BYTES = 256 << 10, FILL_SYNC_BYTES = 4 << 20, HEAD_PART = 4 };

static const char zeros[PIECE_BYTES];

static void step(struct io_op *op);

/* The segment to be filled; NULL where there is none, or no need. */
static struct segment *
candidate(const struct spool *spool)
{
	struct segment *segment;

	if (spool->ready_count < 2 || !spool->head ||
	    spool->head->end < spool->options.segment_bytes / HEAD_PART)
		return NULL;
	segment = container_of(spool->ready.prev, struct segment, link);
	return segment->filled ? NULL : segment;
}

static void
end(struct spool *spool)
{
	spool->fill = NULL;
	spool_write_kick(spool);
	spool_settle(spool);
}

/* The next piece, or a sync; nothing is under way. */
static void
next(struct spool *spool)
{
	struct segment *segment = spool->fill;
	uint64_t bytes = spool->options.segment_bytes;
	struct span span = span_of(zeros, PIECE_BYTES);

	if (spool->quiet || spool->broken || segment != candidate(spool)) {
		/* What isn't done now is done by the records themselves. */
		segment->filled |= segment->state != SEGMENT_READY || spool->ready_count < 2;
		end(spool);
		return;
	}
	spool->fill_op = (struct io_op){.done = step, .owner = spool};
	spool->fill_began_ms = io_now_ms(spool->io);
	spool->running++;
	segment->filling = true;
	if (segment->fill_at - spool->fill_synced >= FILL_SYNC_BYTES ||
	    segment->fill_at >= bytes) {
		segment->filled = segment->fill_at >= bytes;
		spool->fill_synced = segment->fill_at;
		io_sync(segment->file, &spool->fill_op);
		return;
	}
	if (span.len > bytes - segment->fill_at)
		span.len = (size_t)(bytes - segment->fill_at);
	io_pwrite(segment->file, &spool->fill_op, &span, 1, segment->fill_at);
	segment->fill_at += span.len;
}

static void
step(struct io_op *op)
{
	struct spool *spool = op->owner;
	struct segment *segment = spool->fill;
	uint64_t took_ms = io_now_ms(spool->io) - spool->fill_began_ms;

	spool->running--;
	segment->filling = false;
	if (op->err)
		spool_break(spool);
	if (op->err || segment->filled) {
		end(spool);
		return;
	}
	spool_write_kick(spool);
	io_timer_start(spool->io, &spool->fill_pace, took_ms + 1);
	if (spool->flushes)
		spool_settle(spool);
}

static void
paced(struct io_timer *timer)
{
	struct spool *spool = timer->owner;

	if (spool->fill)
		next(spool);
}

void
spool_fill_kick(struct spool *spool)
{
	struct segment *segment = candidate(spool);

	if (spool->fill || !segment || spool->broken)
		return;
	spool->fill = segment;
	if (segment->fill_at < SPOOL_SEGMENT_DATA)
		segment->fill_at = SPOOL_SEGMENT_DATA;
	spool->fill_synced = segment->fill_at;
	/* Not from here: somebody may be in the middle of a change. */
	io_timer_start(spool->io, &spool->fill_pace, 1);
}

void
spool_fill_init(struct spool *spool)
{
	spool->fill_pace = (struct io_timer){.fired = paced, .owner = spool};
}

void
spool_fill_fini(struct spool *spool)
{
	io_timer_stop(spool->io, &spool->fill_pace);
}
