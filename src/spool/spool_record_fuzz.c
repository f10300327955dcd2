/*
 * The record decoder and the scan of a whole segment over arbitrary bytes.
 *
 * Of what the scan finds, all must lie within the bytes, in order, and be what
 * was written: encoding it again gives the same header.  So that the fuzzer gets
 * past the checksums, a second pass takes the input as a list of records to be
 * written, damages one byte, and expects the others to be found.
 */
#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "spool/crc32c.h"
#include "spool/spool_record.h"

enum { SEGMENT_BYTES_MAX = 1 << 16, WRITTEN_MAX = 64 };

struct view {
	struct span bytes; /* of the segment, from SPOOL_SEGMENT_DATA on */
	struct spool_key key;
	uint64_t after; /* the end of the last record found */
	size_t found, damaged;
	uint64_t found_at[WRITTEN_MAX * 2];
};

static enum err
load(void *owner, uint64_t offset, uint64_t bytes, struct span *out)
{
	struct view *view = owner;
	uint64_t at = offset - SPOOL_SEGMENT_DATA;

	check(offset >= SPOOL_SEGMENT_DATA && at + bytes <= view->bytes.len);
	*out = span_of(view->bytes.ptr + at, (size_t)bytes);
	return OK;
}

static void
found(void *owner, uint64_t offset, const struct spool_record *record, struct span rest)
{
	struct view *view = owner;
	char again[SPOOL_RECORD_HEAD];
	struct span marks = spool_record_marks(record, rest);
	struct span mark;
	struct spool_seal seal;

	check(offset >= view->after && offset % 8 == 0);
	check(rest.len == spool_record_rest(record));
	check(rest.ptr + rest.len <= view->bytes.ptr + view->bytes.len);
	spool_record_write(again, view->key, offset, record);
	check(memcmp(again, rest.ptr - SPOOL_RECORD_HEAD, SPOOL_RECORD_HEAD) == 0);
	while (spool_marks_next(&marks, &mark))
		check(mark.ptr + mark.len <= rest.ptr + rest.len);
	if (record->type == SPOOL_SEAL)
		err_ignore(spool_seal_read(rest, &seal), "any bytes may be in it");
	view->after = offset + spool_record_bytes(record);
	if (view->found < LEN(view->found_at))
		view->found_at[view->found] = offset;
	view->found++;
}

static void
damaged(void *owner, uint64_t offset, uint64_t id)
{
	struct view *view = owner;

	(void)id;
	check(offset >= view->after);
	view->damaged++;
}

static void
scan(struct view *view)
{
	struct spool_record_scan all = {
	    .key = view->key,
	    .start = SPOOL_SEGMENT_DATA,
	    .end = SPOOL_SEGMENT_DATA + view->bytes.len,
	    .owner = view,
	    .load = load,
	    .found = found,
	    .damaged = damaged,
	};

	spool_record_scan(&all);
}

/* Writes a record whose shape the input chooses; false when there is no room. */
static bool
write_one(struct buf *out, struct spool_key key, struct span *input)
{
	struct spool_record record = {.durable = SPOOL_SEGMENT_DATA};
	uint64_t offset = SPOOL_SEGMENT_DATA + out->len;
	char head[SPOOL_RECORD_HEAD] = {0};
	struct span rest;
	uint8_t shape;

	if (input->len < 2 || out->len + 1024 > SEGMENT_BYTES_MAX)
		return false;
	shape = (uint8_t)input->ptr[0];
	record.id = (uint8_t)input->ptr[1];
	*input = span_skip(*input, 2);
	record.type = (enum spool_record_type)(shape % 4 + 1);
	record.envelope_bytes = shape / 4 % 16;
	if (record.type == SPOOL_MOVE)
		record.marks_bytes = shape / 16;
	if (record.type <= SPOOL_MOVE)
		record.body_bytes = shape / 8;
	if (spool_record_rest(&record) > input->len)
		return false;
	rest = span_first(*input, (size_t)spool_record_rest(&record));
	*input = span_skip(*input, rest.len);
	record.payload_crc =
	    crc32c(0, span_first(rest, (size_t)spool_record_payload(&record)));
	record.body_crc = crc32c(0, spool_record_body(&record, rest));
	spool_record_write(head, key, offset, &record);
	buf_add(out, span_of(head, sizeof(head)));
	buf_add(out, rest);
	while (out->len % 8)
		buf_add_char(out, 0);
	return true;
}

/* What is written is found; a damaged byte costs one record. */
static void
round_trip(struct span input)
{
	struct spool_key key = {.magic = 0x51e9a2c7, .seed = 0x1234567};
	struct view view = {.key = key};
	struct buf out;
	size_t written = 0, broken;

	buf_init(&out, SEGMENT_BYTES_MAX);
	while (written < WRITTEN_MAX && write_one(&out, key, &input))
		written++;
	view.bytes = buf_span(&out);
	scan(&view);
	check(view.found == written && view.damaged == 0);
	if (written && input.len >= 2) {
		broken = (uint8_t)input.ptr[0] * 256u + (uint8_t)input.ptr[1];
		out.ptr[broken % out.len] ^= 0x40;
		view = (struct view){.key = key, .bytes = buf_span(&out)};
		scan(&view);
		/* Where padding was hit nothing is lost. */
		check(view.found + 1 >= written && view.found <= written);
		check(view.damaged == written - view.found);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of((const char *)data, size);
	struct spool_head head;
	struct view view = {0};
	uint64_t epoch;

	err_ignore(spool_epoch_read(input, &epoch), "only that it does not crash");
	if (spool_head_read(input, &head) == OK) {
		view.key = spool_key_of(&head);
		input = span_skip(input, SPOOL_HEAD_BYTES);
	} else if (size >= 8) {
		view.key = (struct spool_key){
		    wire_get_u32(input.ptr), wire_get_u32(input.ptr + 4)};
		input = span_skip(input, 8);
	}
	view.bytes = input;
	scan(&view);
	round_trip(input);
	return 0;
}
