/*
 * A growable run of bytes with a maximum that is set at birth.
 *
 * Adding is sticky: once an addition does not fit, the buffer is "full", adds
 * nothing more, and buf_finish() says so; check once, at the end.
 */
#pragma once

#include <stdarg.h>

#include "base/err.h"
#include "base/span.h"

struct buf {
	char *ptr;
	size_t len;
	size_t room; /* bytes allocated */
	size_t bytes_max;
	bool full; /* an addition did not fit */
	bool secret; /* of buf_init_secret: memory is wiped before it is given back or used again */
};

/* An empty buffer; memory is taken with the first addition. */
void buf_init(struct buf *buf, size_t bytes_max);
/* As buf_init, for what must not stay behind in memory. */
void buf_init_secret(struct buf *buf, size_t bytes_max);
/* Frees; the buffer is then as after buf_init. */
void buf_fini(struct buf *buf);
/* Empties, keeps the memory, and forgets that it was full. */
void buf_reset(struct buf *buf);

void buf_add(struct buf *buf, struct span span);
/*
 * Where so many bytes can be written by others, who then add to len what they wrote; NULL where
 * they do not fit, or are none.
 */
char *buf_room(struct buf *buf, size_t bytes);
void buf_add_str(struct buf *buf, const char *string);
void buf_add_char(struct buf *buf, char c);
/* With A to Z as a to z. */
void buf_add_lower(struct buf *buf, struct span span);
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_addf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Drops the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* OK, or ERR_TOO_LONG where an addition since the last reset did not fit. */
MUST_USE enum err buf_finish(const struct buf *buf);

static inline struct span
buf_span(const struct buf *buf)
{
	return (struct span){buf->ptr ? buf->ptr : "", buf->len};
}

static inline size_t
buf_space(const struct buf *buf)
{
	return buf->bytes_max - buf->len;
}
