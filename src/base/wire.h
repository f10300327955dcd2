/*
 * Numbers and bytes on a wire or disk: little-endian, explicit widths, byte
 * strings with a 32-bit length in front.
 *
 * Reading is sticky: after the first fault every read gives zero or the empty
 * span, and reader_finish() tells.  A reader never looks past its span.
 */
#pragma once

#include "base/buf.h"

struct reader {
	struct span rest;
	bool failed;
};

static inline struct reader
reader_init(struct span wire)
{
	return (struct reader){.rest = wire};
}

uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
/* A length and that many bytes; longer than bytes_max is a fault. */
struct span reader_bytes(struct reader *reader, size_t bytes_max);
/*
 * A number of one to ten bytes, seven bits in each, the lowest first; the highest bit says that
 * another byte follows.  More than max, or a spelling that is not the shortest, is a fault.
 */
uint64_t reader_var(struct reader *reader, uint64_t max);
/* As reader_bytes, with a length of that kind. */
struct span reader_var_bytes(struct reader *reader, size_t bytes_max);
/* Exactly n bytes, without a length. */
struct span reader_raw(struct reader *reader, size_t n);
/* OK where all was read without a fault and nothing is left; else ERR_SYNTAX. */
MUST_USE enum err reader_finish(const struct reader *reader);

/* Writers add to a buf; its sticky fullness tells of a lack of room. */
void wire_u8(struct buf *buf, uint8_t value);
void wire_u16(struct buf *buf, uint16_t value);
void wire_u32(struct buf *buf, uint32_t value);
void wire_u64(struct buf *buf, uint64_t value);
void wire_bytes(struct buf *buf, struct span bytes);
void wire_var(struct buf *buf, uint64_t value);
void wire_var_bytes(struct buf *buf, struct span bytes);

/* The same for memory that is known to be there. */
void wire_put_u32(char *at, uint32_t value);
void wire_put_u64(char *at, uint64_t value);
uint32_t wire_get_u32(const char *at);
uint64_t wire_get_u64(const char *at);
