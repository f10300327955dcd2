/* A text as a string of C, for the programs here that write tables. */
#pragma once

#include "base/buf.h"

static inline void
c_string_add(struct buf *out, struct span text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\n') {
			buf_add_str(out, "\\n");
			continue;
		}
		if (c == '"' || c == '\\' || c == '?')
			buf_add_char(out, '\\');
		buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}
