/*
 * Blocks of the ledger, as bytes.  Pure.
 *
 * A block is a header, a filter and entries.  It can be read by itself: words that come again
 * (domains, hosts, replies, clients) are written once in each block and referred to afterwards.
 * The header says which ids, times and positions of the spool's log the block covers; the
 * filter says which ids and recipients' domains may be in it.  docs/ledger-format.md has the bytes.
 */
#pragma once

#include "base/wire.h"
#include "ledger/ledger_entry.h"

enum {
	LEDGER_VERSION = 1,
	LEDGER_FILE_BYTES = 64,  /* header of a file */
	LEDGER_HEADER_BYTES = 96, /* header of a block */
	LEDGER_FILTER_BYTES_MIN = 8,
	LEDGER_FILTER_BYTES_MAX = 4096,
	LEDGER_BLOCK_BYTES = 64 << 10, /* of entries: a block with more is closed */
	/* The most that a record of the spool can add, and so the longest block. */
	LEDGER_PAYLOAD_BYTES_MAX = 16 << 20,
	LEDGER_ALIGN = 8,
};

/* The head of a file. */
struct ledger_file_head {
	uint32_t version;
	uint32_t flags;
	uint64_t number, salt;
	uint64_t created_ms;
	uint64_t from; /* position: what came before is in earlier files */
};
enum { LEDGER_BEGAN_ANEW = 1 }; /* the spool's log is another one: earlier positions mean nothing */

void ledger_file_write(char bytes[LEDGER_FILE_BYTES], const struct ledger_file_head *head);
/* ERR_VERSION: newer; ERR_CORRUPT: no head of a file. */
MUST_USE enum err ledger_file_read(struct span bytes, struct ledger_file_head *head);

struct ledger_block_head {
	uint64_t salt;           /* of the file */
	uint64_t from, reached;  /* positions: all of (from, reached] is in this block */
	uint64_t durable;        /* positions until here were durable when it was written */
	uint64_t time_min, time_max;
	uint64_t id_min, id_max;
	uint32_t filter_bytes, payload_bytes, payload_crc;
	uint32_t entry_count;
};

/* The bytes of the whole block in its file, header and padding included. */
uint64_t ledger_block_bytes(const struct ledger_block_head *head);
/*
 * Reads the header of the block at an offset of its file, and checks it with its filter, which
 * follows it in bytes.  ERR_AGAIN: bytes holds less than both; ERR_CORRUPT: none is there.
 */
MUST_USE enum err ledger_block_read(
    struct span bytes, uint64_t offset, struct ledger_block_head *head, struct span *filter);
/* Whether the payload is what the header says. */
bool ledger_block_is_whole(const struct ledger_block_head *head, struct span payload);
/* False: there is no such id, or domain (any case), in the block. */
bool ledger_block_may_hold_id(
    const struct ledger_block_head *head, struct span filter, uint64_t id);
bool ledger_block_may_hold_domain(
    const struct ledger_block_head *head, struct span filter, struct span domain);

/* The domain of an address; "" where it has none. */
struct span ledger_domain(struct span address);

/* A block being made. */
struct ledger_builder;
/* seed: any two numbers, in production random ones. */
struct ledger_builder *ledger_builder_create(const uint64_t seed[2]);
void ledger_builder_destroy(struct ledger_builder *builder);
/* Begins a block with nothing in it. */
void ledger_builder_reset(struct ledger_builder *builder);
void ledger_builder_add(struct ledger_builder *builder, const struct ledger_entry *entry);
uint32_t ledger_builder_count(const struct ledger_builder *builder);
size_t ledger_builder_bytes(const struct ledger_builder *builder);
/* Adds the whole block, of which there is an entry at least, to out; it needs its place yet. */
void ledger_builder_seal(
    struct ledger_builder *builder, uint64_t from, uint64_t reached, struct buf *out);
/* Makes a sealed block ready for its place in a file; again, for a place in another. */
void ledger_block_place(
    struct buf *block, uint64_t salt, uint64_t offset, uint64_t durable);

/* Reads the entries of a payload. */
struct ledger_parser;
struct ledger_parser *ledger_parser_create(void);
void ledger_parser_destroy(struct ledger_parser *parser);
/* The payload must live while entries are taken from it. */
void ledger_parser_begin(struct ledger_parser *parser, struct span payload);
/*
 * The next entry, which is good until the next call.  ERR_END; ERR_SYNTAX, after which there is
 * nothing more to take.
 */
MUST_USE enum err ledger_parser_next(struct ledger_parser *parser, struct ledger_entry *entry);
