/* Encoding and decoding of checkpoints.  See spool_block.h. */
#include "spool/spool_block.h"

#include "base/check.h"
#include "spool/crc32c.h"
#include "spool/spool_record.h"

enum { BLOCK_MAGIC = 0x6b626350 };

static const char checkpoint_magic[8] = {'P', 'R', 'c', 'h', 'e', 'c', 'k', '\n'};

void
spool_checkpoint_head_write(
    char at[SPOOL_CHECKPOINT_HEAD], const struct spool_checkpoint_head *head)
{
	memset(at, 0, SPOOL_CHECKPOINT_HEAD);
	wire_put_u64(at + 16, head->epoch);
	wire_put_u64(at + 24, head->begin);
	wire_put_u64(at + 32, head->fed);
	wire_put_u64(at + 40, head->salt);
	wire_put_u64(at + 48, head->messages);
	spool_file_head_seal(at, SPOOL_CHECKPOINT_HEAD, checkpoint_magic);
}

enum err
spool_checkpoint_head_read(struct span bytes, struct spool_checkpoint_head *head)
{
	enum err err =
	    spool_file_head_check(bytes, SPOOL_CHECKPOINT_HEAD, checkpoint_magic);

	if (err)
		return err;
	*head = (struct spool_checkpoint_head){
	    .epoch = wire_get_u64(bytes.ptr + 16),
	    .begin = wire_get_u64(bytes.ptr + 24),
	    .fed = wire_get_u64(bytes.ptr + 32),
	    .salt = wire_get_u64(bytes.ptr + 40),
	    .messages = wire_get_u64(bytes.ptr + 48),
	};
	return OK;
}

static uint32_t
block_crc(const char *at, uint64_t salt, uint64_t offset)
{
	char place[16];

	wire_put_u64(place, salt);
	wire_put_u64(place + 8, offset);
	return crc32c(crc32c(0, span_of(place, sizeof(place))), span_of(at, 28));
}

void
spool_block_write(char at[SPOOL_BLOCK_HEAD], uint64_t salt, uint64_t offset,
    const struct spool_block *block)
{
	wire_put_u32(at, BLOCK_MAGIC);
	wire_put_u32(at + 4, (uint32_t)block->kind);
	wire_put_u32(at + 8, block->count);
	wire_put_u32(at + 12, block->entries_bytes);
	wire_put_u32(at + 16, block->digests_bytes);
	wire_put_u32(at + 20, block->entries_crc);
	wire_put_u32(at + 24, block->digests_crc);
	wire_put_u32(at + 28, block_crc(at, salt, offset));
}

enum err
spool_block_read(
    struct span bytes, uint64_t salt, uint64_t offset, struct spool_block *block)
{
	const char *at = bytes.ptr;
	uint32_t kind;

	if (bytes.len < SPOOL_BLOCK_HEAD || wire_get_u32(at) != BLOCK_MAGIC ||
	    wire_get_u32(at + 28) != block_crc(at, salt, offset))
		return ERR_CORRUPT;
	kind = wire_get_u32(at + 4);
	if (kind < SPOOL_BLOCK_SEGMENTS || kind > SPOOL_BLOCK_END)
		return ERR_CORRUPT;
	*block = (struct spool_block){
	    .kind = (enum spool_block_kind)kind,
	    .count = wire_get_u32(at + 8),
	    .entries_bytes = wire_get_u32(at + 12),
	    .digests_bytes = wire_get_u32(at + 16),
	    .entries_crc = wire_get_u32(at + 20),
	    .digests_crc = wire_get_u32(at + 24),
	};
	return block->entries_bytes <= SPOOL_BLOCK_BYTES_MAX &&
		       block->digests_bytes <= SPOOL_BLOCK_BYTES_MAX
		   ? OK
		   : ERR_CORRUPT;
}

void
spool_segment_entry_write(struct buf *out, const struct spool_segment_entry *entry)
{
	wire_u64(out, entry->sequence);
	wire_u64(out, entry->salt);
	wire_u32(out, entry->end);
}

bool
spool_segment_entry_read(struct reader *reader, struct spool_segment_entry *entry)
{
	entry->sequence = reader_u64(reader);
	entry->salt = reader_u64(reader);
	entry->end = reader_u32(reader);
	return !reader->failed;
}

void
spool_entry_write(struct buf *out, const struct spool_entry *entry)
{
	wire_u64(out, entry->id);
	wire_u32(out, entry->offset);
	wire_u8(out, entry->flags);
	wire_u32(out, entry->body_crc);
	wire_u32(out, entry->envelope_bytes);
	wire_u16(out, entry->digest_bytes);
	if (entry->flags & SPOOL_ENTRY_IN_FILE) {
		wire_u64(out, entry->body_bytes);
		wire_u64(out, entry->file);
	} else {
		wire_u32(out, (uint32_t)entry->body_bytes);
	}
	if (entry->flags & SPOOL_ENTRY_MARKED) {
		wire_u32(out, entry->merged_bytes);
		wire_u32(out, entry->mark_count);
	}
}

/* Whether a message may have these lengths. */
static bool
is_sound(const struct spool_entry *entry)
{
	return entry->id != 0 && entry->offset >= SPOOL_SEGMENT_DATA &&
	       entry->offset % 8 == 0 &&
	       !(entry->flags & ~(SPOOL_ENTRY_IN_FILE | SPOOL_ENTRY_MARKED)) &&
	       entry->envelope_bytes <= SPOOL_ENVELOPE_BYTES_MAX &&
	       entry->merged_bytes <= SPOOL_MARKS_BYTES_MAX &&
	       (entry->flags & SPOOL_ENTRY_IN_FILE ||
		   entry->body_bytes <= SPOOL_INLINE_BYTES_MAX);
}

bool
spool_entry_read(struct reader *reader, struct spool_entry *entry)
{
	*entry = (struct spool_entry){.id = reader_u64(reader)};
	entry->offset = reader_u32(reader);
	entry->flags = reader_u8(reader);
	entry->body_crc = reader_u32(reader);
	entry->envelope_bytes = reader_u32(reader);
	entry->digest_bytes = reader_u16(reader);
	if (entry->flags & SPOOL_ENTRY_IN_FILE) {
		entry->body_bytes = reader_u64(reader);
		entry->file = reader_u64(reader);
	} else {
		entry->body_bytes = reader_u32(reader);
	}
	if (entry->flags & SPOOL_ENTRY_MARKED) {
		entry->merged_bytes = reader_u32(reader);
		entry->mark_count = reader_u32(reader);
	}
	if (!reader->failed && (!is_sound(entry) || entry->mark_count >
							reader->rest.len / SPOOL_ENTRY_MARK_BYTES))
		reader->failed = true;
	return !reader->failed;
}

void
spool_entry_mark_write(struct buf *out, const struct spool_entry_mark *mark)
{
	wire_u64(out, mark->sequence);
	wire_u32(out, mark->offset);
	wire_u32(out, mark->bytes);
}

bool
spool_entry_mark_read(struct reader *reader, struct spool_entry_mark *mark)
{
	mark->sequence = reader_u64(reader);
	mark->offset = reader_u32(reader);
	mark->bytes = reader_u32(reader);
	if (mark->bytes > SPOOL_MARK_BYTES_MAX || mark->offset < SPOOL_SEGMENT_DATA)
		reader->failed = true;
	return !reader->failed;
}
