/*
 * Start-up from a checkpoint: it is read block by block into the index, before the log
 * after it is replayed; then it is read once more for the digests, as there is no room to
 * keep them meanwhile.  Whatever isn't right makes it unusable, which is reported,
 * and the whole log is scanned as if there were none.
 */
#include "spool/spool_recovery.h"

#include <stdlib.h>

#include "spool/crc32c.h"

static const char name[] = "checkpoint";

/* Reads a part of a block into memory that is kept for the next. */
static enum err
read_part(struct recovery *recovery, uint64_t offset, uint32_t bytes, struct span *out)
{
	struct io_op op = {0};

	if (bytes > recovery->part_room) {
		recovery->part = mem_realloc(recovery->part, bytes);
		recovery->part_room = bytes;
	}
	io_pread(recovery->checkpoint, &op, recovery->part, bytes, offset);
	if (op.err)
		return op.err;
	*out = span_of(recovery->part, bytes);
	return op.count == bytes ? OK : ERR_CORRUPT;
}

static enum err
read_block(struct recovery *recovery, uint64_t offset, struct spool_block *block)
{
	char bytes[SPOOL_BLOCK_HEAD];
	struct io_op op = {0};

	io_pread(recovery->checkpoint, &op, bytes, sizeof(bytes), offset);
	return op.err ? op.err
		      : spool_block_read(span_of(bytes, op.count), recovery->head.salt,
			    offset, block);
}

static struct segment *
find_segment(const struct recovery *recovery, uint64_t sequence)
{
	struct segment wanted = {.head.sequence = sequence}, *key = &wanted;
	struct segment *const *found = bsearch(&key, recovery->log, recovery->log_count,
	    sizeof(*recovery->log), spool_recovery_by_sequence);

	return found ? *found : NULL;
}

/* Whether a segment was freed since: nothing lives in it. */
static bool
is_gone(const struct recovery *recovery, uint64_t sequence)
{
	return sequence < recovery->oldest;
}

static enum err
load_segments(struct recovery *recovery, struct reader *reader, uint32_t count)
{
	while (count--) {
		struct spool_segment_entry entry;
		struct segment *segment;

		if (!spool_segment_entry_read(reader, &entry))
			return ERR_CORRUPT;
		if (is_gone(recovery, entry.sequence))
			continue;
		segment = find_segment(recovery, entry.sequence);
		if (!segment || segment->head.salt != entry.salt ||
		    entry.end < SPOOL_SEGMENT_DATA ||
		    entry.end > io_file_bytes(segment->file))
			return ERR_CORRUPT;
		segment->end = entry.end;
		segment->listed = true;
	}
	return OK;
}

static enum err
load_marks(struct recovery *recovery, struct spool_message *message,
    struct reader *reader, uint32_t count)
{
	struct spool *spool = recovery->spool;

	while (count--) {
		struct spool_entry_mark mark;
		const struct segment *segment;
		struct spool_mark_place place;

		if (!spool_entry_mark_read(reader, &mark))
			return ERR_CORRUPT;
		segment = find_segment(recovery, mark.sequence);
		if (!segment)
			return ERR_CORRUPT;
		place = (struct spool_mark_place){
		    .offset = mark.offset,
		    .bytes = mark.bytes,
		    .segment = segment->number,
		};
		spool_index_mark(&spool->index, message, &place);
		message->marks_bytes += SPOOL_RECORD_HEAD + mark.bytes;
		spool->live_bytes += SPOOL_RECORD_HEAD + mark.bytes;
	}
	return OK;
}

static enum err
load_message(struct recovery *recovery, struct segment *segment,
    const struct spool_entry *entry, struct reader *reader)
{
	struct spool *spool = recovery->spool;
	struct spool_message *message;
	uint32_t slot;

	if (spool_index_find(&spool->index, entry->id) || entry->offset >= segment->end)
		return ERR_CORRUPT;
	spool_recovery_saw(recovery, entry->id);
	slot = spool_index_add(&spool->index, entry->id);
	message = spool_index_at(&spool->index, slot);
	message->offset = entry->offset;
	message->body_crc = entry->body_crc;
	message->envelope_bytes = entry->envelope_bytes;
	message->merged_bytes = message->marks_bytes = entry->merged_bytes;
	message->body.bytes = entry->body_bytes;
	if (entry->flags & SPOOL_ENTRY_IN_FILE) {
		message->flags |= SPOOL_IN_FILE;
		message->body.file = mem_alloc(sizeof(*message->body.file));
		message->body.file->number = entry->file;
		message->body.file->bytes = entry->body_bytes;
		spool->file_bytes += entry->body_bytes;
	}
	spool_segment_attach(spool, segment, slot);
	return load_marks(recovery, message, reader, entry->mark_count);
}

static enum err
load_messages(struct recovery *recovery, struct reader *reader, uint32_t count)
{
	uint64_t sequence = reader_u64(reader);
	struct segment *segment = find_segment(recovery, sequence);
	struct spool_entry entry;
	enum err err = OK;

	recovery->told += count;
	if (is_gone(recovery, sequence))
		return OK;
	if (!segment || !segment->listed)
		return ERR_CORRUPT;
	while (count-- && !err)
		err = spool_entry_read(reader, &entry)
			  ? load_message(recovery, segment, &entry, reader)
			  : ERR_CORRUPT;
	return err ? err : reader_finish(reader);
}

static enum err
load_block(struct recovery *recovery, uint64_t offset, const struct spool_block *block)
{
	struct reader reader;
	struct span entries;
	enum err err = read_part(recovery, offset + SPOOL_BLOCK_HEAD,
	    block->entries_bytes, &entries);

	if (err)
		return err;
	if (crc32c(0, entries) != block->entries_crc)
		return ERR_CORRUPT;
	reader = reader_init(entries);
	switch (block->kind) {
	case SPOOL_BLOCK_SEGMENTS:
		return load_segments(recovery, &reader, block->count);
	case SPOOL_BLOCK_MESSAGES:
		return load_messages(recovery, &reader, block->count);
	case SPOOL_BLOCK_END:
		return reader_u64(&reader) == recovery->told ? OK : ERR_CORRUPT;
	}
	return ERR_CORRUPT;
}

static uint64_t
block_bytes(const struct spool_block *block)
{
	return SPOOL_BLOCK_HEAD + (uint64_t)block->entries_bytes + block->digests_bytes;
}

/* Whether the checkpoint may be of this spool, and leaves the feed whole. */
static enum err
load_head(struct recovery *recovery)
{
	char bytes[SPOOL_CHECKPOINT_HEAD];
	struct io_op op = {0};
	enum err err;

	io_pread(recovery->checkpoint, &op, bytes, sizeof(bytes), 0);
	if (op.err)
		return op.err;
	err = spool_checkpoint_head_read(span_of(bytes, op.count), &recovery->head);
	if (err)
		return err;
	if (recovery->head.epoch > recovery->epoch)
		return ERR_CORRUPT;
	/* The feed wants what came before: only a scan of all can give it. */
	if (recovery->spool->options.feed.record &&
	    recovery->scan->since < recovery->head.fed)
		return ERR_NOT_FOUND;
	return OK;
}

static enum err
load(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;
	uint64_t bytes = io_file_bytes(recovery->checkpoint);
	uint64_t offset = SPOOL_CHECKPOINT_HEAD;
	struct spool_block block = {0};
	enum err err = load_head(recovery);

	if (err)
		return err;
	if (recovery->head.messages <= bytes / SPOOL_ENTRY_BYTES_MIN)
		spool_index_reserve(&spool->index, (uint32_t)recovery->head.messages);
	while (!err && block.kind != SPOOL_BLOCK_END) {
		err = read_block(recovery, offset, &block);
		if (!err)
			err = load_block(recovery, offset, &block);
		offset += block_bytes(&block);
	}
	spool->checkpoint.last_bytes = offset;
	spool->fed = recovery->head.fed;
	return err;
}

/* Forgets all that was loaded. */
static void
unload(struct recovery *recovery)
{
	struct spool *spool = recovery->spool;

	spool_index_fini(&spool->index);
	spool->live_bytes = spool->file_bytes = spool->fed = 0;
	spool->checkpoint.last_bytes = 0;
	recovery->head = (struct spool_checkpoint_head){0};
	for (size_t i = 0; i < recovery->log_count; i++) {
		struct segment *segment = recovery->log[i];

		segment->first = segment->last = 0;
		segment->message_count = segment->live_bytes = segment->end = 0;
		segment->listed = false;
	}
	io_file_close(recovery->checkpoint);
	recovery->checkpoint = NULL;
}

void
spool_recovery_load(struct recovery *recovery)
{
	struct io_op op = {0};
	enum err err;

	io_unlink(recovery->spool->dir, &op, "checkpoint.new");
	err_ignore(op.err, "there is one only after a crash");
	io_open(recovery->spool->dir, &op, name, IO_OPEN_READ);
	if (op.err)
		return;
	recovery->checkpoint = op.file;
	err = load(recovery);
	if (!err)
		return;
	if (err != ERR_NOT_FOUND)
		recovery->scan->damaged(recovery->scan->owner, name, 0, 0);
	unload(recovery);
}

/* The live message of an entry, if that is still all that was said of it but marks. */
static uint32_t
find_message(const struct recovery *recovery, const struct segment *segment,
    const struct spool_entry *entry, uint32_t likely)
{
	const struct spool_index *index = &recovery->spool->index;
	const struct spool_message *message;
	uint32_t slot = likely;

	if (!spool_index_is_slot(index, slot) ||
	    spool_index_at(index, slot)->id != entry->id)
		slot = spool_index_find(index, entry->id);
	if (!slot)
		return 0;
	message = spool_index_at(index, slot);
	return message->segment == segment->number && message->offset == entry->offset
		   ? slot
		   : 0;
}

/* Gives one message by its digest, then the marks that came after. */
static void
tell_digest(struct recovery *recovery, uint32_t slot, const struct spool_entry *entry,
    struct span digest)
{
	struct spool_message *message = spool_index_at(&recovery->spool->index, slot);
	uint32_t mark = message->first_mark;

	if (recovery->scan->digest(recovery->scan->owner, entry->id, digest,
		spool_message_body_bytes(message)))
		return;
	message->flags |= SPOOL_TOLD;
	for (uint32_t i = 0; i < entry->mark_count && mark; i++)
		mark = spool_index_mark_at(&recovery->spool->index, mark)->next;
	spool_recovery_tell_marks(recovery, message, mark);
}

static void
tell_block(struct recovery *recovery, struct reader *reader, uint32_t count,
    struct span digests, uint32_t *likely)
{
	struct segment *segment = find_segment(recovery, reader_u64(reader));
	struct spool_entry entry;

	if (!segment || !segment->listed)
		return;
	while (count-- && spool_entry_read(reader, &entry)) {
		struct span digest = span_first(digests, entry.digest_bytes);
		uint32_t slot = find_message(recovery, segment, &entry, ++*likely);

		digests = span_skip(digests, entry.digest_bytes);
		reader_raw(reader, (size_t)entry.mark_count * SPOOL_ENTRY_MARK_BYTES);
		if (slot)
			*likely = slot;
		if (slot && entry.digest_bytes && digest.len == entry.digest_bytes)
			tell_digest(recovery, slot, &entry, digest);
	}
}

/*
 * The second reading, entries and digests of a block in one.  A block that can't be read
 * now is no loss: its messages are told from the log.
 */
void
spool_recovery_tell_digests(struct recovery *recovery)
{
	uint64_t offset = SPOOL_CHECKPOINT_HEAD;
	struct spool_block block = {0};
	uint32_t likely = 0;

	if (!recovery->checkpoint || !recovery->scan->digest)
		return;
	while (read_block(recovery, offset, &block) == OK &&
	       block.kind != SPOOL_BLOCK_END) {
		uint32_t bytes = block.entries_bytes + block.digests_bytes;
		struct span all = {0}, entries, digests;
		enum err err =
		    read_part(recovery, offset + SPOOL_BLOCK_HEAD, bytes, &all);
		struct reader reader;

		entries = span_first(all, block.entries_bytes);
		digests = span_skip(all, block.entries_bytes);
		reader = reader_init(entries);
		if (!err && block.kind == SPOOL_BLOCK_MESSAGES && block.digests_bytes &&
		    crc32c(0, entries) == block.entries_crc &&
		    crc32c(0, digests) == block.digests_crc)
			tell_block(recovery, &reader, block.count, digests, &likely);
		offset += block_bytes(&block);
	}
}
