/*
 * Takes one field out of a header, as the message comes in, and keeps its value.  Bytes come in any
 * pieces, and what is to stay goes out as they come.  The field is known by its name in any case,
 * with the blanks before the colon that RFC 5322 section 4.5 has; lines end with CRLF alone.  The
 * header ends with the empty line, or with a line that is no field.  Pure.
 */
#pragma once

#include "base/buf.h"

enum {
	HEADER_CUT_NAME_MAX = 40,
	HEADER_CUT_HELD_MAX = HEADER_CUT_NAME_MAX + 80, /* what comes may go out later by so much */
	HEADER_CUT_VALUE_MAX = 100,
};

struct header_cut {
	struct span name; /* at most HEADER_CUT_NAME_MAX */
	unsigned state;
	bool after_cr, is_field; /* the line before is the field, which a blank goes on with */
	char held[HEADER_CUT_HELD_MAX]; /* of a line that may be the field's first */
	size_t held_bytes;
	char value[HEADER_CUT_VALUE_MAX];
	size_t value_bytes;
	bool value_is_cut; /* it is longer */
	unsigned count;    /* of such fields */
};

/* name lives as long. */
struct header_cut header_cut_init(struct span name);
/* Takes bytes of the header, adds what stays to out, and gives how many it took: all, or those in
   front of the body, which stays as it is. */
size_t header_cut_take(struct header_cut *cut, struct span bytes, struct buf *out);
/* The message is whole: adds what is still held. */
void header_cut_finish(struct header_cut *cut, struct buf *out);
/* Whether the header has ended. */
bool header_cut_is_over(const struct header_cut *cut);
/* What all such fields said, trimmed, one behind the other. */
struct span header_cut_value(const struct header_cut *cut);
