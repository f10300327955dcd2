/*
 * Walking a header.  A field is a name, a colon and a value that goes on as
 * long as lines begin with a blank; each step looks at its own bytes only, so a
 * walk costs what the header is long.
 */
#include "mime/header.h"

#include "base/check.h"

/* Bytes up to the next CRLF, or all. */
static size_t
line_bytes(struct span rest)
{
	const char *end = rest.len ? memmem(rest.ptr, rest.len, "\r\n", 2) : NULL;

	return end ? (size_t)(end - rest.ptr) : rest.len;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The name in front of the colon, as RFC 5322 section 4.5 still has it: "Subject :". */
static bool
find_name(struct span line, struct span *name, size_t *colon)
{
	size_t bytes = 0;

	while (bytes < line.len && line.ptr[bytes] > ' ' && line.ptr[bytes] < 127 &&
	       line.ptr[bytes] != ':')
		bytes++;
	*name = span_first(line, bytes);
	*colon = bytes;
	while (*colon < line.len && is_blank(line.ptr[*colon]))
		++*colon;
	return bytes > 0 && *colon < line.len && line.ptr[*colon] == ':';
}

bool
header_next(struct span *rest, struct header_field *field)
{
	size_t end = line_bytes(*rest);
	size_t colon;

	if (!find_name(span_first(*rest, end), &field->name, &colon))
		return false;
	while (end + 2 < rest->len && is_blank(rest->ptr[end + 2]))
		end += 2 + line_bytes(span_skip(*rest, end + 2));
	field->value = span_skip(span_first(*rest, end), colon + 1);
	*rest = span_skip(*rest, end + 2);
	return true;
}

size_t
header_bytes(struct span message)
{
	struct span rest = message;
	struct header_field field;

	while (header_next(&rest, &field))
		;
	if (span_starts(rest, SPAN("\r\n")))
		rest = span_skip(rest, 2);
	return message.len - rest.len;
}

bool
header_has(struct span message, struct span name)
{
	struct header_field field;

	while (header_next(&message, &field)) {
		if (span_eq_nocase(field.name, name))
			return true;
	}
	return false;
}

struct span
header_find(struct span message, struct span name)
{
	struct header_field field;

	while (header_next(&message, &field)) {
		if (span_eq_nocase(field.name, name))
			return span_trim(field.value);
	}
	return SPAN("");
}

void
header_write_text(struct buf *out, struct span text, size_t bytes_max)
{
	text = span_first(text, bytes_max);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\t')
			c = ' ';
		buf_add_char(out, c >= ' ' && c < 127 ? c : '?');
	}
}
