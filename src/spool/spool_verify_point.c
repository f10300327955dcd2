/*
 * The read-only scan: a checkpoint against the log.  A start-up believes a checkpoint whose
 * checksums are right, so what it leaves out would be lost; the scan has read all of the log
 * and knows better.
 */
#include <stdlib.h>

#include "spool/crc32c.h"
#include "spool/spool_block.h"
#include "spool/spool_verify_internal.h"

struct point {
	struct spool_verify *verify;
	struct io_file *file;
	struct spool_checkpoint_head head;
	uint64_t told;
	char *part;
	uint32_t part_room;
};

static const char name[] = "checkpoint";

static void
note(struct point *point, uint64_t id, enum spool_loss loss, enum err err)
{
	struct spool_problem *problem =
	    spool_verify_note(point->verify, SPOOL_BAD_CHECKPOINT, name, 0);

	if (!problem)
		return;
	problem->id = id;
	problem->loss = loss;
	if (err != ERR_CORRUPT)
		problem->err = err;
}

static const struct verify_segment *
find_segment(const struct spool_verify *verify, uint64_t sequence)
{
	size_t low = 0, high = verify->log_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (verify->log[middle]->head.sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low < verify->log_count && verify->log[low]->head.sequence == sequence
		   ? verify->log[low]
		   : NULL;
}

static enum err
read_part(struct point *point, uint64_t offset, uint32_t bytes, uint32_t crc,
    struct span *out)
{
	struct io_op op = {0};

	if (bytes > point->part_room) {
		point->part = mem_realloc(point->part, bytes);
		point->part_room = bytes;
	}
	if (bytes)
		io_pread(point->file, &op, point->part, bytes, offset);
	if (op.err)
		return op.err;
	*out = span_of(point->part, bytes);
	return (bytes == 0 || op.count == bytes) && crc32c(0, *out) == crc ? OK
									   : ERR_CORRUPT;
}

/* The marks that the checkpoint knows must be the first ones that the log has. */
static bool
same_marks(const struct spool_verify *verify, const struct spool_message *message,
    struct reader *reader, uint32_t count)
{
	uint32_t at = message ? message->first_mark : 0;
	bool same = true;

	while (count--) {
		const struct spool_mark_place *place =
		    at ? spool_index_mark_at(&verify->index, at) : NULL;
		struct spool_entry_mark mark;

		if (!spool_entry_mark_read(reader, &mark))
			return false;
		same &= place && place->offset == mark.offset &&
			place->bytes == mark.bytes &&
			verify->segments[place->segment]->head.sequence == mark.sequence;
		at = place ? place->next : 0;
	}
	return same || !message;
}

/* One message.  What is not at this place any more was moved or removed later. */
static void
compare(struct point *point, const struct verify_segment *segment,
    const struct spool_entry *entry, struct reader *reader)
{
	struct spool_verify *verify = point->verify;
	uint32_t slot = spool_index_find(&verify->index, entry->id);
	struct spool_message *message = slot ? spool_index_at(&verify->index, slot) : NULL;
	bool same;

	if (message && (!segment || message->segment != segment->number ||
			   message->offset != entry->offset))
		message = NULL;
	same = same_marks(verify, message, reader, entry->mark_count);
	if (!message)
		return;
	message->flags |= SPOOL_TOLD;
	if (message->body_crc != entry->body_crc ||
	    message->envelope_bytes != entry->envelope_bytes ||
	    message->merged_bytes != entry->merged_bytes ||
	    spool_message_body_bytes(message) != entry->body_bytes ||
	    (message->flags & SPOOL_IN_FILE && message->body.file->number != entry->file))
		note(point, entry->id, SPOOL_LOST_MESSAGE, ERR_CORRUPT);
	else if (!same)
		note(point, entry->id, SPOOL_LOST_MARK, ERR_CORRUPT);
}

static enum err
read_messages(struct point *point, struct reader *reader, uint32_t count)
{
	const struct verify_segment *segment =
	    find_segment(point->verify, reader_u64(reader));
	struct spool_entry entry;

	point->told += count;
	while (count--) {
		if (!spool_entry_read(reader, &entry))
			return ERR_CORRUPT;
		compare(point, segment, &entry, reader);
	}
	return reader_finish(reader) ? ERR_CORRUPT : OK;
}

static enum err
read_segments(struct point *point, struct reader *reader, uint32_t count)
{
	while (count--) {
		const struct verify_segment *segment;
		struct spool_segment_entry entry;

		if (!spool_segment_entry_read(reader, &entry))
			return ERR_CORRUPT;
		segment = find_segment(point->verify, entry.sequence);
		if (segment && segment->head.salt != entry.salt)
			return ERR_CORRUPT;
	}
	return reader_finish(reader) ? ERR_CORRUPT : OK;
}

static enum err
read_block(struct point *point, uint64_t *offset, bool *ended)
{
	char bytes[SPOOL_BLOCK_HEAD];
	struct io_op op = {0};
	struct spool_block block;
	struct reader reader;
	struct span part;
	enum err err;

	io_pread(point->file, &op, bytes, sizeof(bytes), *offset);
	err = op.err ? op.err
		     : spool_block_read(span_of(bytes, op.count), point->head.salt,
			   *offset, &block);
	if (err)
		return err;
	*offset += SPOOL_BLOCK_HEAD;
	err = read_part(point, *offset + block.entries_bytes, block.digests_bytes,
	    block.digests_crc, &part);
	if (!err)
		err = read_part(
		    point, *offset, block.entries_bytes, block.entries_crc, &part);
	if (err)
		return err;
	*offset += (uint64_t)block.entries_bytes + block.digests_bytes;
	reader = reader_init(part);
	switch (block.kind) {
	case SPOOL_BLOCK_SEGMENTS:
		return read_segments(point, &reader, block.count);
	case SPOOL_BLOCK_MESSAGES:
		return read_messages(point, &reader, block.count);
	case SPOOL_BLOCK_END:
		*ended = true;
		return reader_u64(&reader) == point->told ? OK : ERR_CORRUPT;
	}
	return ERR_CORRUPT;
}

/* What lives at a place from before the checkpoint must be in it. */
static void
note_left_out(struct point *point)
{
	struct spool_index *index = &point->verify->index;

	for (uint32_t slot = 0; (slot = spool_index_next(index, slot)) != 0;) {
		const struct spool_message *message = spool_index_at(index, slot);
		uint64_t sequence =
		    point->verify->segments[message->segment]->head.sequence;

		if ((sequence << 32 | message->offset) < point->head.begin &&
		    !(message->flags & SPOOL_TOLD))
			note(point, message->id, SPOOL_LOST_MESSAGE, ERR_CORRUPT);
	}
}

static void
forget_told(struct spool_verify *verify)
{
	struct spool_index *index = &verify->index;

	for (uint32_t slot = 0; (slot = spool_index_next(index, slot)) != 0;)
		spool_index_at(index, slot)->flags &= (uint8_t)~SPOOL_TOLD;
}

static enum err
read_all(struct point *point)
{
	char bytes[SPOOL_CHECKPOINT_HEAD];
	uint64_t offset = SPOOL_CHECKPOINT_HEAD;
	struct io_op op = {0};
	bool ended = false;
	enum err err;

	io_pread(point->file, &op, bytes, sizeof(bytes), 0);
	err = op.err ? op.err
		     : spool_checkpoint_head_read(span_of(bytes, op.count), &point->head);
	while (!err && !ended)
		err = read_block(point, &offset, &ended);
	return err;
}

enum err
spool_verify_checkpoint(struct spool_verify *verify)
{
	struct point point = {.verify = verify};
	struct io_op op = {0};
	enum err err = OK;

	io_open(verify->dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return op.err == ERR_NOT_FOUND ? OK : op.err;
	point.file = op.file;
	/* The log that is compared must be read at least as far as the checkpoint knows it. */
	if (verify->options.running)
		err = spool_verify_pass(verify);
	if (!err || err == ERR_AGAIN) {
		forget_told(verify);
		err = read_all(&point);
		if (!err)
			note_left_out(&point);
		else if (err != ERR_VERSION)
			note(&point, 0, SPOOL_LOST_NOTHING, err);
		verify->numbers.checkpoint_messages = point.told;
		if (err != ERR_VERSION)
			err = OK;
	}
	io_file_close(point.file);
	mem_free(point.part);
	return err;
}
