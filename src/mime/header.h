/*
 * The header of a message (RFC 5322 section 2.2), walked field by field
 * without copying.  Lines end with CRLF and with nothing else.
 */
#pragma once

#include "base/buf.h"

struct header_field {
	struct span name;
	struct span value; /* folded, without the last CRLF */
};

/*
 * Cuts the next field off *rest.  False at the blank line or at the end; a line that is no field
 * ends the header too.
 */
bool header_next(struct span *rest, struct header_field *field);
/*
 * Bytes of the header in front of the body, its blank line included; all where there is none.
 * A line that is no field belongs to the body already.
 */
size_t header_bytes(struct span message);
/* Whether a field of this name is there, in any case of its letters. */
bool header_has(struct span message, struct span name);
/* The value of the first field of this name, trimmed; "" where there is none. */
struct span header_find(struct span message, struct span name);
/*
 * Adds at most bytes_max bytes of text for a header line: a blank for a tab, "?" for whatever
 * else is not printable ASCII.
 */
void header_write_text(struct buf *out, struct span text, size_t bytes_max);
