/*
 * The bytes of the spool's files, without any I/O: segment headers, records,
 * and the scan that finds records between damage.  docs/spool-format.md draws
 * them and says why they are as they are.
 */
#pragma once

#include "base/err.h"
#include "spool/spool.h"

enum {
	SPOOL_FORMAT_VERSION = 2,
	SPOOL_HEAD_BYTES = 64, /* a segment's header, as written */
	SPOOL_HEAD_SECOND = 4096, /* where its second copy is */
	SPOOL_SEGMENT_DATA = 8192, /* where its records begin */
	SPOOL_RECORD_HEAD = 48, /* a record's header */
	SPOOL_MARKS_BYTES_MAX = 32 << 20, /* all marks of one message */
	SPOOL_EPOCH_BYTES = 32,
};

struct spool_head {
	uint64_t sequence; /* of this use of the file; never 0 */
	uint64_t oldest; /* segments with a lower sequence hold nothing any more */
	uint64_t epoch; /* the run that wrote this */
	uint64_t salt; /* random: what is in a body cannot look like a record */
	uint32_t version; /* of what was read; what is written is of this program's */
};

/* What ties a record to one use of one segment; made from its header. */
struct spool_key {
	uint32_t magic;
	uint32_t seed;
};

enum spool_record_flags {
	SPOOL_BODY_FILE = 1, /* the body is in body/NUMBER, and the number in the record */
	SPOOL_TORN = 2, /* SEAL: see struct spool_seal */
};

struct spool_record {
	enum spool_record_type type;
	uint8_t flags;
	uint64_t id;
	uint64_t body_bytes;
	uint32_t body_crc;
	uint32_t payload_crc;
	uint32_t envelope_bytes; /* of a mark or a seal: its own bytes */
	uint32_t marks_bytes;
	uint32_t durable; /* all before this offset was durable when this was written */
};

/* What a seal says of the segment before. */
struct spool_seal {
	uint64_t sequence;
	uint64_t end; /* after its last record */
	uint64_t
	    proven; /* before this all was durable, so what cannot be read is damage */
	bool torn; /* a start-up found the rest torn: it never was durable (SPOOL_TORN) */
};
enum { SPOOL_SEAL_BYTES = 24 };

/* Puts magic, version and checksum where they stand in every version of every file. */
void spool_file_head_seal(char *at, size_t bytes, const char magic[8]);
/* ERR_CORRUPT: not such a header; ERR_VERSION: a newer one. */
MUST_USE enum err spool_file_head_check(
    struct span bytes, size_t expected, const char magic[8]);
void spool_head_write(char at[SPOOL_HEAD_BYTES], const struct spool_head *head);
/* ERR_CORRUPT: not a header; ERR_VERSION: a newer one. */
MUST_USE enum err spool_head_read(struct span bytes, struct spool_head *head);
struct spool_key spool_key_of(const struct spool_head *head);

void spool_epoch_write(char at[SPOOL_EPOCH_BYTES], uint64_t epoch);
MUST_USE enum err spool_epoch_read(struct span bytes, uint64_t *epoch);

/* Bytes after the header, without padding; and in all, with it. */
uint64_t spool_record_rest(const struct spool_record *record);
uint64_t spool_record_bytes(const struct spool_record *record);
/* offset is that of the record in its segment. */
void spool_record_write(char at[SPOOL_RECORD_HEAD], struct spool_key key, uint64_t offset,
    const struct spool_record *record);
/* The header alone; ERR_CORRUPT. */
MUST_USE enum err spool_record_read(struct span bytes, struct spool_key key,
    uint64_t offset, struct spool_record *record);
/* What follows the header, against its checksums; rest is spool_record_rest() long. */
MUST_USE enum err spool_record_check(const struct spool_record *record, struct span rest);
/* The same without an inline body: payload is spool_record_payload() long. */
uint64_t spool_record_payload(const struct spool_record *record);
MUST_USE enum err
spool_record_check_payload(const struct spool_record *record, struct span payload);
/* The parts of what follows. */
struct span spool_record_envelope(const struct spool_record *record, struct span rest);
struct span spool_record_marks(const struct spool_record *record, struct span rest);
struct span spool_record_body(const struct spool_record *record, struct span rest);
uint64_t spool_record_file(const struct spool_record *record, struct span rest);

void spool_seal_write(char at[SPOOL_SEAL_BYTES], const struct spool_seal *seal);
MUST_USE enum err spool_seal_read(struct span bytes, struct spool_seal *seal);
/* The next of merged marks; false at the end (or where the rest makes no sense). */
bool spool_marks_next(struct span *rest, struct span *mark);

struct spool_record_scan {
	struct spool_key key;
	uint64_t start, end;
	uint64_t bodies_from; /* of records that end at most here bodies are passed over */
	bool stop; /* set by a callback: enough is known */
	void *owner;
	/* Gives bytes of the segment, valid until the next call; an error skips a page. */
	enum err (*load)(void *owner, uint64_t offset, uint64_t bytes, struct span *out);
	/* rest is spool_record_rest() long; where the body is passed over, as the payload. */
	void (*found)(void *owner, uint64_t offset, const struct spool_record *record,
	    struct span rest);
	/* A run of bytes that holds no record; id is 0 where that cannot be told. */
	void (*damaged)(void *owner, uint64_t offset, uint64_t id);
};

/* Goes through the bytes from start to end; a run that reaches end is reported too. */
void spool_record_scan(struct spool_record_scan *scan);
