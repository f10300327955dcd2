/* Byte order is spelled out, so that files move between machines. */
#include "base/wire.h"

static uint64_t
get(const char *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = bytes; i > 0; i--)
		value = value << 8 | (uint8_t)at[i - 1];
	return value;
}

static void
put(char *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++, value >>= 8)
		at[i] = (char)(value & 0xff);
}

struct span
reader_raw(struct reader *reader, size_t n)
{
	struct span span;

	if (reader->failed || reader->rest.len < n) {
		reader->failed = true;
		return SPAN("");
	}
	span = span_first(reader->rest, n);
	reader->rest = span_skip(reader->rest, n);
	return span;
}

static uint64_t
read_number(struct reader *reader, size_t bytes)
{
	struct span span = reader_raw(reader, bytes);

	return span.len == bytes ? get(span.ptr, bytes) : 0;
}

uint8_t
reader_u8(struct reader *reader)
{
	return (uint8_t)read_number(reader, 1);
}

uint16_t
reader_u16(struct reader *reader)
{
	return (uint16_t)read_number(reader, 2);
}

uint32_t
reader_u32(struct reader *reader)
{
	return (uint32_t)read_number(reader, 4);
}

uint64_t
reader_u64(struct reader *reader)
{
	return read_number(reader, 8);
}

struct span
reader_bytes(struct reader *reader, size_t bytes_max)
{
	size_t len = reader_u32(reader);

	if (len > bytes_max) {
		reader->failed = true;
		return SPAN("");
	}
	return reader_raw(reader, len);
}

uint64_t
reader_var(struct reader *reader, uint64_t max)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = reader_u8(reader);
		/* A tenth byte has room for one bit; a last byte of 0 says nothing. */
		if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
			reader->failed = true;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) && !reader->failed);
	if (value > max)
		reader->failed = true;
	return reader->failed ? 0 : value;
}

struct span
reader_var_bytes(struct reader *reader, size_t bytes_max)
{
	return reader_raw(reader, (size_t)reader_var(reader, bytes_max));
}

enum err
reader_finish(const struct reader *reader)
{
	return reader->failed || reader->rest.len > 0 ? ERR_SYNTAX : OK;
}

static void
add_number(struct buf *buf, uint64_t value, size_t bytes)
{
	char wire[8];

	put(wire, value, bytes);
	buf_add(buf, span_of(wire, bytes));
}

void
wire_u8(struct buf *buf, uint8_t value)
{
	add_number(buf, value, 1);
}

void
wire_u16(struct buf *buf, uint16_t value)
{
	add_number(buf, value, 2);
}

void
wire_u32(struct buf *buf, uint32_t value)
{
	add_number(buf, value, 4);
}

void
wire_u64(struct buf *buf, uint64_t value)
{
	add_number(buf, value, 8);
}

void
wire_bytes(struct buf *buf, struct span bytes)
{
	wire_u32(buf, (uint32_t)bytes.len);
	buf_add(buf, bytes);
}

void
wire_var(struct buf *buf, uint64_t value)
{
	char wire[10];
	size_t len = 0;

	for (; value > 0x7f; value >>= 7)
		wire[len++] = (char)(0x80 | (value & 0x7f));
	wire[len++] = (char)value;
	buf_add(buf, span_of(wire, len));
}

void
wire_var_bytes(struct buf *buf, struct span bytes)
{
	wire_var(buf, bytes.len);
	buf_add(buf, bytes);
}

void
wire_put_u32(char *at, uint32_t value)
{
	put(at, value, 4);
}

void
wire_put_u64(char *at, uint64_t value)
{
	put(at, value, 8);
}

uint32_t
wire_get_u32(const char *at)
{
	return (uint32_t)get(at, 4);
}

uint64_t
wire_get_u64(const char *at)
{
	return get(at, 8);
}
