/*
 * Encoding and decoding.  Nothing that is read here is believed before its
 * checksum was right and its lengths are within their limits.
 */
#include "spool/spool_record.h"

#include "base/check.h"
#include "base/wire.h"
#include "spool/crc32c.h"

enum { PAGE = 4096 };

static const char head_magic[8] = {'P', 'R', 's', 'p', 'o', 'o', 'l', '\n'};
static const char epoch_magic[8] = {'P', 'R', 'e', 'p', 'o', 'c', 'h', '\n'};

/*
 * Magic, version and checksum stand at the same places in every version to
 * come, so that an old program can tell "newer" from "damaged".
 */
void
spool_file_head_seal(char *at, size_t bytes, const char magic[8])
{
	memcpy(at, magic, 8);
	wire_put_u32(at + 8, SPOOL_FORMAT_VERSION);
	wire_put_u32(at + 12, 0);
	wire_put_u32(at + 12, crc32c(0, span_of(at, bytes)));
}

enum err
spool_file_head_check(struct span bytes, size_t expected, const char magic[8])
{
	static const char zero[4] = {0};
	uint32_t crc;

	if (bytes.len < expected || memcmp(bytes.ptr, magic, 8) != 0)
		return ERR_CORRUPT;
	crc = crc32c(0, span_of(bytes.ptr, 12));
	crc = crc32c(crc, span_of(zero, 4));
	crc = crc32c(crc, span_of(bytes.ptr + 16, expected - 16));
	if (crc != wire_get_u32(bytes.ptr + 12))
		return ERR_CORRUPT;
	if (wire_get_u32(bytes.ptr + 8) > SPOOL_FORMAT_VERSION)
		return ERR_VERSION;
	return wire_get_u32(bytes.ptr + 8) == 0 ? ERR_CORRUPT : OK;
}

void
spool_head_write(char at[SPOOL_HEAD_BYTES], const struct spool_head *head)
{
	check(head->sequence != 0);
	memset(at, 0, SPOOL_HEAD_BYTES);
	wire_put_u64(at + 16, head->sequence);
	wire_put_u64(at + 24, head->oldest);
	wire_put_u64(at + 32, head->epoch);
	wire_put_u64(at + 40, head->salt);
	spool_file_head_seal(at, SPOOL_HEAD_BYTES, head_magic);
}

enum err
spool_head_read(struct span bytes, struct spool_head *head)
{
	enum err err = spool_file_head_check(bytes, SPOOL_HEAD_BYTES, head_magic);

	if (err)
		return err;
	*head = (struct spool_head){
	    .sequence = wire_get_u64(bytes.ptr + 16),
	    .oldest = wire_get_u64(bytes.ptr + 24),
	    .epoch = wire_get_u64(bytes.ptr + 32),
	    .salt = wire_get_u64(bytes.ptr + 40),
	    .version = wire_get_u32(bytes.ptr + 8),
	};
	return head->sequence ? OK : ERR_CORRUPT;
}

struct spool_key
spool_key_of(const struct spool_head *head)
{
	char bytes[16];

	wire_put_u64(bytes, head->sequence);
	wire_put_u64(bytes + 8, head->salt);
	/* Never 0, so that a page of zeros is passed over quickly. */
	return (struct spool_key){
	    .magic = (uint32_t)head->salt | 1,
	    .seed = crc32c(0, span_of(bytes, sizeof(bytes))),
	};
}

void
spool_epoch_write(char at[SPOOL_EPOCH_BYTES], uint64_t epoch)
{
	memset(at, 0, SPOOL_EPOCH_BYTES);
	wire_put_u64(at + 16, epoch);
	spool_file_head_seal(at, SPOOL_EPOCH_BYTES, epoch_magic);
}

enum err
spool_epoch_read(struct span bytes, uint64_t *epoch)
{
	enum err err = spool_file_head_check(bytes, SPOOL_EPOCH_BYTES, epoch_magic);

	if (!err)
		*epoch = wire_get_u64(bytes.ptr + 16);
	return err;
}

static uint64_t
body_part(const struct spool_record *record)
{
	return record->flags & SPOOL_BODY_FILE ? 8 : record->body_bytes;
}

uint64_t
spool_record_rest(const struct spool_record *record)
{
	return (uint64_t)record->envelope_bytes + record->marks_bytes + body_part(record);
}

uint64_t
spool_record_bytes(const struct spool_record *record)
{
	return (SPOOL_RECORD_HEAD + spool_record_rest(record) + 7) & ~(uint64_t)7;
}

static uint32_t
record_crc(const char *at, struct spool_key key, uint64_t offset)
{
	char place[8];

	wire_put_u64(place, offset);
	return crc32c(crc32c(key.seed, span_of(place, 8)), span_of(at, 44));
}

void
spool_record_write(char at[SPOOL_RECORD_HEAD], struct spool_key key, uint64_t offset,
    const struct spool_record *record)
{
	wire_put_u32(at, key.magic);
	wire_put_u32(at + 4, (uint32_t)record->type | (uint32_t)record->flags << 8);
	wire_put_u64(at + 8, record->id);
	wire_put_u64(at + 16, record->body_bytes);
	wire_put_u32(at + 24, record->body_crc);
	wire_put_u32(at + 28, record->payload_crc);
	wire_put_u32(at + 32, record->envelope_bytes);
	wire_put_u32(at + 36, record->marks_bytes);
	wire_put_u32(at + 40, record->durable);
	wire_put_u32(at + 44, record_crc(at, key, offset));
}

/* Whether a record of this type may have these lengths. */
static bool
is_sound(const struct spool_record *record)
{
	bool file = record->flags & SPOOL_BODY_FILE;

	if (record->durable < SPOOL_SEGMENT_DATA ||
	    record->flags & ~(record->type == SPOOL_SEAL ? SPOOL_TORN : SPOOL_BODY_FILE))
		return false;
	switch (record->type) {
	case SPOOL_PUT:
	case SPOOL_MOVE:
		return record->envelope_bytes <= SPOOL_ENVELOPE_BYTES_MAX &&
		       record->marks_bytes <= SPOOL_MARKS_BYTES_MAX &&
		       (file || record->body_bytes <= SPOOL_INLINE_BYTES_MAX);
	case SPOOL_MARK:
	case SPOOL_REMOVE:
		return record->envelope_bytes <= SPOOL_MARK_BYTES_MAX &&
		       record->marks_bytes == 0 && record->body_bytes == 0 && !file;
	case SPOOL_SEAL:
		return record->envelope_bytes == SPOOL_SEAL_BYTES &&
		       record->marks_bytes == 0 && record->body_bytes == 0 && !file;
	}
	return false;
}

enum err
spool_record_read(
    struct span bytes, struct spool_key key, uint64_t offset, struct spool_record *record)
{
	const char *at = bytes.ptr;
	uint32_t kind;

	if (bytes.len < SPOOL_RECORD_HEAD || wire_get_u32(at) != key.magic ||
	    wire_get_u32(at + 44) != record_crc(at, key, offset))
		return ERR_CORRUPT;
	kind = wire_get_u32(at + 4);
	if (kind >> 16)
		return ERR_CORRUPT;
	*record = (struct spool_record){
	    .type = (enum spool_record_type)(kind & 0xff),
	    .flags = (uint8_t)(kind >> 8),
	    .id = wire_get_u64(at + 8),
	    .body_bytes = wire_get_u64(at + 16),
	    .body_crc = wire_get_u32(at + 24),
	    .payload_crc = wire_get_u32(at + 28),
	    .envelope_bytes = wire_get_u32(at + 32),
	    .marks_bytes = wire_get_u32(at + 36),
	    .durable = wire_get_u32(at + 40),
	};
	return is_sound(record) ? OK : ERR_CORRUPT;
}

uint64_t
spool_record_payload(const struct spool_record *record)
{
	return (uint64_t)record->envelope_bytes + record->marks_bytes +
	       (record->flags & SPOOL_BODY_FILE ? 8 : 0);
}

enum err
spool_record_check_payload(const struct spool_record *record, struct span payload)
{
	check(payload.len == spool_record_payload(record));
	return crc32c(0, payload) == record->payload_crc ? OK : ERR_CORRUPT;
}

enum err
spool_record_check(const struct spool_record *record, struct span rest)
{
	size_t payload = (size_t)spool_record_payload(record);
	enum err err;

	check(rest.len == spool_record_rest(record));
	err = spool_record_check_payload(record, span_first(rest, payload));
	if (err || record->flags & SPOOL_BODY_FILE)
		return err;
	return crc32c(0, span_skip(rest, payload)) == record->body_crc ? OK : ERR_CORRUPT;
}

struct span
spool_record_envelope(const struct spool_record *record, struct span rest)
{
	return span_first(rest, record->envelope_bytes);
}

struct span
spool_record_marks(const struct spool_record *record, struct span rest)
{
	return span_first(span_skip(rest, record->envelope_bytes), record->marks_bytes);
}

struct span
spool_record_body(const struct spool_record *record, struct span rest)
{
	return span_skip(rest, (size_t)record->envelope_bytes + record->marks_bytes);
}

uint64_t
spool_record_file(const struct spool_record *record, struct span rest)
{
	check(record->flags & SPOOL_BODY_FILE);
	return wire_get_u64(spool_record_body(record, rest).ptr);
}

void
spool_seal_write(char at[SPOOL_SEAL_BYTES], const struct spool_seal *seal)
{
	wire_put_u64(at, seal->sequence);
	wire_put_u64(at + 8, seal->end);
	wire_put_u64(at + 16, seal->proven);
}

enum err
spool_seal_read(struct span bytes, struct spool_seal *seal)
{
	if (bytes.len != SPOOL_SEAL_BYTES)
		return ERR_CORRUPT;
	*seal = (struct spool_seal){
	    .sequence = wire_get_u64(bytes.ptr),
	    .end = wire_get_u64(bytes.ptr + 8),
	    .proven = wire_get_u64(bytes.ptr + 16),
	};
	return seal->proven <= seal->end ? OK : ERR_CORRUPT;
}

bool
spool_marks_next(struct span *rest, struct span *mark)
{
	uint32_t bytes;

	if (rest->len < 4)
		return false;
	bytes = wire_get_u32(rest->ptr);
	if (bytes > rest->len - 4)
		return false;
	*mark = span_of(rest->ptr + 4, bytes);
	*rest = span_skip(*rest, 4 + (size_t)bytes);
	return true;
}

/* Steps over what holds no magic, within one load. */
static uint64_t
next_magic(const struct spool_record_scan *scan, uint64_t at)
{
	uint64_t bytes = scan->end - at < PAGE ? scan->end - at : PAGE;
	uint64_t passed = 0;
	struct span page;

	if (scan->load(scan->owner, at, bytes, &page))
		return at + bytes;
	while (
	    passed + 4 <= page.len && wire_get_u32(page.ptr + passed) != scan->key.magic)
		passed += 8;
	return at + (passed < bytes ? passed : bytes);
}

/* The record at an offset: its header, and what follows if that is sound too. */
static enum err
record_at(const struct spool_record_scan *scan, uint64_t at, struct spool_record *record,
    struct span *rest)
{
	struct span bytes;
	uint64_t whole;
	bool with_body;
	enum err err;

	*record = (struct spool_record){0};
	if (scan->end - at < SPOOL_RECORD_HEAD)
		return ERR_CORRUPT;
	err = scan->load(scan->owner, at, SPOOL_RECORD_HEAD, &bytes);
	if (!err)
		err = spool_record_read(bytes, scan->key, at, record);
	/* Without its padding, which says nothing. */
	whole = SPOOL_RECORD_HEAD + spool_record_rest(record);
	if (!err && whole > scan->end - at)
		err = ERR_CORRUPT;
	if (err) {
		*record = (struct spool_record){0};
		return err;
	}
	with_body = at + spool_record_bytes(record) > scan->bodies_from;
	if (!with_body)
		whole = SPOOL_RECORD_HEAD + spool_record_payload(record);
	err = scan->load(scan->owner, at, whole, &bytes);
	if (err)
		return err;
	*rest = span_skip(bytes, SPOOL_RECORD_HEAD);
	return with_body ? spool_record_check(record, *rest)
			 : spool_record_check_payload(record, *rest);
}

void
spool_record_scan(struct spool_record_scan *scan)
{
	struct spool_record record;
	struct span rest;
	uint64_t at = scan->start;
	bool lost = false; /* within a run that was reported */

	while (at < scan->end && !scan->stop) {
		if (record_at(scan, at, &record, &rest) == OK) {
			scan->found(scan->owner, at, &record, rest);
			at += spool_record_bytes(&record);
			lost = false;
			continue;
		}
		/* A sound header gives id and length although what follows is damaged. */
		if (!lost || record.type)
			scan->damaged(scan->owner, at, record.id);
		if (record.type) {
			at += spool_record_bytes(&record);
			lost = false;
			continue;
		}
		lost = true;
		at += 8;
		if (at < scan->end)
			at = next_magic(scan, at);
	}
}
