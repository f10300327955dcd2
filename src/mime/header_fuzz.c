/*
 * Any bytes as a message: fields lie inside it, in order, each with a name, and
 * header_bytes() agrees with the walk.
 */
#include "base/check.h"
#include "mime/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span message = {(const char *)data, size};
	struct span rest = message;
	struct header_field field;
	struct buf text;

	buf_init(&text, 1000);
	while (true) {
		const char *from = rest.ptr;

		if (!header_next(&rest, &field))
			break;
		check(field.name.ptr == from && field.name.len > 0);
		check(span_find(field.name, ':') == field.name.len);
		check(field.value.ptr > from + field.name.len);
		check(field.value.ptr + field.value.len <= message.ptr + message.len);
		check(rest.ptr >= field.value.ptr + field.value.len);
		check(header_has(message, field.name) || size > 4096);
		buf_reset(&text);
		header_write_text(&text, field.value, text.bytes_max);
		check(!memchr(buf_span(&text).ptr, '\r', text.len));
		check(!memchr(buf_span(&text).ptr, '\n', text.len));
	}
	if (span_starts(rest, SPAN("\r\n")))
		rest = span_skip(rest, 2);
	check(header_bytes(message) == size - rest.len);
	buf_fini(&text);
	return 0;
}
