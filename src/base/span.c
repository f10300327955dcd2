/* Comparing, searching and cutting runs of bytes; nothing here allocates. */
#include "base/span.h"

bool
span_eq(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
span_eq_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	return true;
}

bool
span_starts(struct span span, struct span prefix)
{
	return span.len >= prefix.len && span_eq(span_first(span, prefix.len), prefix);
}

bool
span_starts_nocase(struct span span, struct span prefix)
{
	return span.len >= prefix.len &&
	    span_eq_nocase(span_first(span, prefix.len), prefix);
}

bool
span_ends_nocase(struct span span, struct span suffix)
{
	return span.len >= suffix.len &&
	    span_eq_nocase(span_skip(span, span.len - suffix.len), suffix);
}

size_t
span_find(struct span span, char c)
{
	const char *found = span.len ? memchr(span.ptr, c, span.len) : NULL;

	return found ? (size_t)(found - span.ptr) : span.len;
}

size_t
span_find_last(struct span span, char c)
{
	for (size_t i = span.len; i > 0; i--)
		if (span.ptr[i - 1] == c)
			return i - 1;
	return span.len;
}

bool
span_seek(struct span text, struct span phrase, struct span *behind)
{
	const char *at = text.len ? memmem(text.ptr, text.len, phrase.ptr, phrase.len) : NULL;

	if (!at)
		return false;
	*behind = span_skip(text, (size_t)(at - text.ptr) + phrase.len);
	return true;
}

bool
span_is_ascii(struct span span)
{
	const uint64_t highest = 0x8080808080808080;
	uint64_t all = 0, eight;
	size_t i = 0;

	for (; i + sizeof(eight) <= span.len; i += sizeof(eight)) {
		memcpy(&eight, span.ptr + i, sizeof(eight));
		all |= eight;
	}
	for (; i < span.len; i++)
		all |= (unsigned char)span.ptr[i];
	return (all & highest) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span span)
{
	while (span.len > 0 && is_blank(span.ptr[0]))
		span = span_skip(span, 1);
	while (span.len > 0 && is_blank(span.ptr[span.len - 1]))
		span.len--;
	return span;
}

bool
span_cut(struct span *rest, char c, struct span *part)
{
	size_t at;

	if (rest->len == 0)
		return false;
	at = span_find(*rest, c);
	*part = span_first(*rest, at);
	*rest = span_skip(*rest, at + 1);
	return true;
}

int
span_compare(struct span a, struct span b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool
span_u64(struct span span, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	if (span.len == 0)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		uint64_t digit = (uint64_t)(span.ptr[i] - '0');

		if (!ascii_is_digit(span.ptr[i]) || digit > max ||
		    sum > (max - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return true;
}
