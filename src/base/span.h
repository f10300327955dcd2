/*
 * A span is a run of bytes that somebody else owns.  Bytes from the network,
 * from files and from other processes are always spans, never NUL-terminated
 * strings: they may hold any byte, NUL included.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *ptr;
	size_t len;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})

/* For printf's "%.*s". */
#define SPAN_ARGS(span) (int)(span).len, (span).ptr

static inline struct span
span_of(const char *ptr, size_t len)
{
	return (struct span){ptr, len};
}

/* A span over a NUL-terminated string; NULL gives the empty span. */
static inline struct span
span_str(const char *string)
{
	return (struct span){string ? string : "", string ? strlen(string) : 0};
}

/* The rest after the first n bytes; n past the end gives the empty span. */
static inline struct span
span_skip(struct span span, size_t n)
{
	if (n > span.len)
		n = span.len;
	/* Adding even 0 to NULL is undefined. */
	return (struct span){n ? span.ptr + n : span.ptr, span.len - n};
}

/* The first n bytes, or all where there are fewer. */
static inline struct span
span_first(struct span span, size_t n)
{
	return (struct span){span.ptr, n < span.len ? n : span.len};
}

bool span_eq(struct span a, struct span b);
/* Equal but for the case of ASCII letters. */
bool span_eq_nocase(struct span a, struct span b);
bool span_starts(struct span span, struct span prefix);
bool span_starts_nocase(struct span span, struct span prefix);
bool span_ends_nocase(struct span span, struct span suffix);
/* The offset of the first (last) byte c, or span.len where there is none. */
size_t span_find(struct span span, char c);
size_t span_find_last(struct span span, char c);
/* Whether phrase, which is not empty, stands in text; then what is behind its first place. */
bool span_seek(struct span text, struct span phrase, struct span *behind);
/* Whether all bytes are below 0x80. */
bool span_is_ascii(struct span span);
/* Without spaces and tabs (and CR, LF) at both ends. */
struct span span_trim(struct span span);
/* Cuts the part before the first c off *rest; without c, all of it.  False when *rest is empty. */
bool span_cut(struct span *rest, char c, struct span *part);
/* Less than, equal to or greater than zero, byte by byte. */
int span_compare(struct span a, struct span b);
/* A decimal number of digits only, at most max; false for anything else. */
bool span_u64(struct span span, uint64_t max, uint64_t *value);

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

/* Writes text with A to Z as a to z (nothing else changes); into may be the text itself. */
static inline struct span
span_lower(char *into, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		into[i] = ascii_lower(text.ptr[i]);
	return span_of(into, text.len);
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* What a hexadecimal digit, in either case, stands for; -1 for anything else. */
static inline int
ascii_hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
