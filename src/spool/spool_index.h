/*
 * What the spool knows of each live message, in about 64 bytes: where its
 * record is, how long its parts are, and where its marks are.  Messages and
 * marks are known by small numbers ("slots", 0 is none) that stay the same for
 * as long as they live.
 */
#pragma once

#include "base/span.h"

enum spool_message_flags {
	SPOOL_UNWRITTEN = 1, /* not durable yet: only its id is taken */
	SPOOL_IN_FILE = 2, /* the body is in a file: body.file */
	SPOOL_CHECKED = 4, /* the body was read once and its checksum was right */
	SPOOL_COPYING = 8, /* compaction reads or moves it */
	SPOOL_STUCK = 16, /* cannot be read, so cannot be moved */
	SPOOL_TOLD = 32, /* at start-up: the owner knows of it */
};

struct spool_file_body {
	uint64_t number, bytes;
};

struct spool_message {
	uint64_t id;
	union {
		uint64_t bytes;
		struct spool_file_body *file; /* freed with the message */
	} body;
	uint16_t segment;
	uint8_t flags;
	uint8_t pending; /* marks asked for that have no place yet; 255: many, for good */
	uint32_t offset;
	uint32_t body_crc;
	uint32_t envelope_bytes;
	uint32_t merged_bytes; /* marks within the record */
	uint32_t marks_bytes; /* marks in all */
	uint32_t first_mark, last_mark; /* marks in records of their own */
	uint32_t older, newer; /* neighbours in the same segment */
};

struct spool_mark_place {
	uint32_t next;
	uint32_t offset;
	uint32_t bytes;
	uint16_t segment;
};

/* Memory for many small things of one size, in blocks that never move. */
struct spool_pool {
	char **blocks;
	uint32_t block_count, item_bytes;
	uint32_t used; /* slots handed out at some time */
	uint32_t free; /* first of those that came back */
};

struct spool_index {
	struct spool_pool messages, marks;
	struct spool_table {
		uint32_t *slots; /* of messages, with open addressing */
		uint32_t room; /* a power of two, or 0 */
		uint32_t count;
	} table, old; /* old: what is left of a smaller one, moved over bit by bit */
	uint32_t moved; /* places of old that are empty now */
	uint32_t count;
};

void spool_index_init(struct spool_index *index);
void spool_index_fini(struct spool_index *index);

/* Takes the table for so many at once; only while the index is empty. */
void spool_index_reserve(struct spool_index *index, uint32_t count);
/* Whether a slot was ever given to a message. */
bool spool_index_is_slot(const struct spool_index *index, uint32_t slot);
/* The slot of a message that comes after this one, from 0 on, in no order; 0: that was the last. */
uint32_t spool_index_next(const struct spool_index *index, uint32_t slot);
/* The slot of a message; 0 where there is none. */
uint32_t spool_index_find(const struct spool_index *index, uint64_t id);
/* Adds a zeroed message; the id must not be there. */
uint32_t spool_index_add(struct spool_index *index, uint64_t id);
/* Forgets a message, its marks and its file. */
void spool_index_remove(struct spool_index *index, uint32_t slot);
struct spool_message *spool_index_at(const struct spool_index *index, uint32_t slot);

/* Adds a mark at the end of a message's. */
void spool_index_mark(struct spool_index *index, struct spool_message *message,
    const struct spool_mark_place *place);
/* Forgets a message's marks up to and with last. */
void spool_index_unmark(
    struct spool_index *index, struct spool_message *message, uint32_t last);
struct spool_mark_place *
spool_index_mark_at(const struct spool_index *index, uint32_t slot);

uint64_t spool_message_body_bytes(const struct spool_message *message);
