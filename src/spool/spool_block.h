/*
 * The bytes of a checkpoint file, without any I/O: its header, its blocks, and
 * what a block says of segments and messages.  docs/spool-format.md draws them.
 */
#pragma once

#include "base/wire.h"

enum {
	SPOOL_CHECKPOINT_HEAD = 64, /* at the start of the file */
	SPOOL_BLOCK_HEAD = 32, /* of each block; the first follows the file's header */
	SPOOL_BLOCK_BYTES_MAX = 48 << 20, /* of entries, or of digests */
	SPOOL_DIGEST_BYTES_MAX = 65535,
	SPOOL_ENTRY_BYTES_MIN = 27,
	SPOOL_ENTRY_MARK_BYTES = 16,
};

struct spool_checkpoint_head {
	uint64_t epoch; /* the run that wrote this */
	uint64_t begin; /* position: what the log says after it is to be replayed */
	uint64_t fed; /* position of the last record of the feed up to there */
	uint64_t salt; /* random; in the checksum of each block */
	uint64_t messages; /* about how many there are */
};

enum spool_block_kind {
	SPOOL_BLOCK_SEGMENTS = 1,
	SPOOL_BLOCK_MESSAGES = 2, /* all in one segment, in the order of the log */
	SPOOL_BLOCK_END = 3, /* the last; entries: the count of all messages */
};

struct spool_block {
	enum spool_block_kind kind;
	uint32_t count; /* of entries */
	uint32_t entries_bytes, digests_bytes;
	uint32_t entries_crc, digests_crc;
};

/* A used segment when the checkpoint began. */
struct spool_segment_entry {
	uint64_t sequence, salt;
	uint32_t end;
};

enum spool_entry_flags { SPOOL_ENTRY_IN_FILE = 1, SPOOL_ENTRY_MARKED = 2 };

struct spool_entry {
	uint64_t id;
	uint32_t offset; /* of its record in the block's segment */
	uint8_t flags;
	uint32_t body_crc, envelope_bytes;
	uint64_t body_bytes;
	uint64_t file; /* SPOOL_ENTRY_IN_FILE */
	uint32_t merged_bytes, mark_count; /* SPOOL_ENTRY_MARKED; its marks follow it */
	uint16_t digest_bytes; /* 0: it has none */
};

struct spool_entry_mark {
	uint64_t sequence;
	uint32_t offset, bytes;
};

void spool_checkpoint_head_write(
    char at[SPOOL_CHECKPOINT_HEAD], const struct spool_checkpoint_head *head);
/* ERR_CORRUPT: not a header; ERR_VERSION: a newer one. */
MUST_USE enum err spool_checkpoint_head_read(
    struct span bytes, struct spool_checkpoint_head *head);

/* offset is that of the block in the file. */
void spool_block_write(char at[SPOOL_BLOCK_HEAD], uint64_t salt, uint64_t offset,
    const struct spool_block *block);
MUST_USE enum err spool_block_read(
    struct span bytes, uint64_t salt, uint64_t offset, struct spool_block *block);

void spool_segment_entry_write(struct buf *out, const struct spool_segment_entry *entry);
bool spool_segment_entry_read(struct reader *reader, struct spool_segment_entry *entry);
void spool_entry_write(struct buf *out, const struct spool_entry *entry);
/* False: malformed, or at the end (reader->failed tells). */
bool spool_entry_read(struct reader *reader, struct spool_entry *entry);
void spool_entry_mark_write(struct buf *out, const struct spool_entry_mark *mark);
bool spool_entry_mark_read(struct reader *reader, struct spool_entry_mark *mark);
