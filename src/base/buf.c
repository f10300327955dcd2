/* Growable bytes; growth doubles, so that adding n bytes costs O(n) in all. */
#include "base/buf.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"

enum { BUF_ROOM_MIN = 128 };

void
buf_init(struct buf *buf, size_t bytes_max)
{
	*buf = (struct buf){.bytes_max = bytes_max};
}

void
buf_fini(struct buf *buf)
{
	if (!buf)
		return;
	mem_free(buf->ptr);
	buf_init(buf, buf->bytes_max);
}

void
buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->full = false;
}

/* True where more bytes fit; then there is memory for them. */
static bool
reserve(struct buf *buf, size_t more)
{
	size_t room;

	if (buf->full || more > buf->bytes_max - buf->len) {
		buf->full = true;
		return false;
	}
	if (buf->len + more <= buf->room)
		return true;
	room = buf->room ? buf->room : BUF_ROOM_MIN;
	while (room < buf->len + more)
		room *= 2;
	if (room > buf->bytes_max)
		room = buf->bytes_max;
	/* One byte more, for the NUL that vsnprintf puts behind the text. */
	buf->ptr = mem_realloc(buf->ptr, room + 1);
	buf->room = room;
	return true;
}

void
buf_add(struct buf *buf, struct span span)
{
	if (span.len == 0 || !reserve(buf, span.len))
		return;
	memcpy(buf->ptr + buf->len, span.ptr, span.len);
	buf->len += span.len;
}

void
buf_add_str(struct buf *buf, const char *string)
{
	buf_add(buf, span_str(string));
}

void
buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, span_of(&c, 1));
}

void
buf_add_u64(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(buf, span_of(digits + at, sizeof(digits) - at));
}

void
buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	check(len >= 0);
	if (len == 0 || !reserve(buf, (size_t)len))
		return;
	va_start(args, format);
	len = vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
}

void
buf_consume(struct buf *buf, size_t n)
{
	check(n <= buf->len);
	buf->len -= n;
	if (buf->len)
		memmove(buf->ptr, buf->ptr + n, buf->len);
}

enum err
buf_finish(const struct buf *buf)
{
	return buf->full ? ERR_TOO_LONG : OK;
}
