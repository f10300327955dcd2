#include "mime/local.h"

#include "mime/trace.h"

enum { FIELDS_BYTES_MAX = 2048 };

void
local_write_body(struct buf *out, struct span bytes, bool binary)
{
	if (binary) {
		buf_add(out, bytes);
		return;
	}
	while (bytes.len > 0) {
		size_t at = span_find(bytes, '\r');

		buf_add(out, span_first(bytes, at));
		bytes = span_skip(bytes, at + 1);
	}
}

void
local_write_fields(
    struct buf *out, struct span reverse_path, struct span recipient, bool binary)
{
	struct buf fields;

	buf_init(&fields, FIELDS_BYTES_MAX);
	trace_write_return_path(&fields, reverse_path);
	buf_add_str(&fields, "Delivered-To: ");
	buf_add(&fields, recipient);
	buf_add_str(&fields, "\r\n");
	local_write_body(out, buf_span(&fields), binary);
	buf_fini(&fields);
}
