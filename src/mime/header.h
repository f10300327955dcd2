/*
 * The header of a message (RFC 5322 section 2.2), walked field by field
 * without copying.
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
/* Bytes of the header in front of the body, its blank line included; all where there is none. */
size_t header_bytes(struct span message);
