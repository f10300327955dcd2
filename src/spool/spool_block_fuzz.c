/*
 * The decoders of a checkpoint over arbitrary bytes: whatever an entry is read from, written
 * again it gives the same bytes.
 */
#include "base/arena.h"
#include "base/check.h"
#include "spool/spool_block.h"
#include "spool/spool_record.h"

static void
check_same(struct buf *out, struct span from, const struct reader *reader)
{
	check(out->len == from.len - reader->rest.len);
	check(memcmp(out->ptr, from.ptr, out->len) == 0);
	buf_reset(out);
}

static void
read_entries(struct span input)
{
	struct reader reader = reader_init(input);
	struct spool_entry_mark mark;
	struct spool_entry entry;
	struct span from = input;
	struct buf out;

	buf_init(&out, 1 << 20);
	while (spool_entry_read(&reader, &entry)) {
		check(entry.id != 0 && entry.offset >= SPOOL_SEGMENT_DATA);
		spool_entry_write(&out, &entry);
		check_same(&out, from, &reader);
		from = reader.rest;
		while (entry.mark_count-- && spool_entry_mark_read(&reader, &mark)) {
			spool_entry_mark_write(&out, &mark);
			check_same(&out, from, &reader);
			from = reader.rest;
		}
	}
	buf_fini(&out);
}

static void
read_segments(struct span input)
{
	struct reader reader = reader_init(input);
	struct spool_segment_entry entry;
	struct span from = input;
	struct buf out;

	buf_init(&out, 1 << 20);
	while (spool_segment_entry_read(&reader, &entry)) {
		spool_segment_entry_write(&out, &entry);
		check_same(&out, from, &reader);
		from = reader.rest;
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of((const char *)data, size);
	char head[SPOOL_CHECKPOINT_HEAD], block_head[SPOOL_BLOCK_HEAD];
	struct spool_checkpoint_head checkpoint;
	struct spool_block block;

	if (spool_checkpoint_head_read(input, &checkpoint) == OK) {
		spool_checkpoint_head_write(head, &checkpoint);
		check(memcmp(head + 16, data + 16, 40) == 0);
		input = span_skip(input, SPOOL_CHECKPOINT_HEAD);
	}
	if (spool_block_read(input, 1, SPOOL_CHECKPOINT_HEAD, &block) == OK) {
		spool_block_write(block_head, 1, SPOOL_CHECKPOINT_HEAD, &block);
		check(memcmp(block_head, input.ptr, SPOOL_BLOCK_HEAD) == 0);
		input = span_skip(input, SPOOL_BLOCK_HEAD);
	}
	read_entries(input);
	read_segments(input);
	return 0;
}
