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
buf_init_secret(struct buf *buf, size_t bytes_max)
{
	*buf = (struct buf){.bytes_max = bytes_max, .secret = true};
}

void
buf_fini(struct buf *buf)
{
	if (!buf)
		return;
	if (buf->secret)
		mem_wipe(buf->ptr, buf->room);
	mem_free(buf->ptr);
	*buf = (struct buf){.bytes_max = buf->bytes_max, .secret = buf->secret};
}

void
buf_reset(struct buf *buf)
{
	if (buf->secret)
		mem_wipe(buf->ptr, buf->len);
	buf->len = 0;
	buf->full = false;
}

/* One byte more than the room, for the NUL that vsnprintf puts behind the text. */
static void
grow(struct buf *buf, size_t room)
{
	char *old = buf->ptr;

	if (!buf->secret || !old) {
		buf->ptr = mem_realloc(old, room + 1);
		return;
	}
	/* realloc would leave a copy behind. */
	buf->ptr = mem_realloc(NULL, room + 1);
	memcpy(buf->ptr, old, buf->len);
	mem_wipe(old, buf->room);
	mem_free(old);
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
	grow(buf, room);
	buf->room = room;
	return true;
}

char *
buf_room(struct buf *buf, size_t bytes)
{
	return bytes > 0 && reserve(buf, bytes) ? buf->ptr + buf->len : NULL;
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
buf_add_lower(struct buf *buf, struct span span)
{
	for (size_t i = 0; i < span.len; i++)
		buf_add_char(buf, ascii_lower(span.ptr[i]));
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
	if (buf->secret && n > 0)
		mem_wipe(buf->ptr + buf->len, n);
}

enum err
buf_finish(const struct buf *buf)
{
	return buf->full ? ERR_TOO_LONG : OK;
}
