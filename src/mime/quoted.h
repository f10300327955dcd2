/*
 * Quoted-printable (RFC 2045 section 6.7), written octet by octet: a CR with its LF is the end of
 * a line, and goes as itself; every other octet is decoded to what it was.  No line is longer than
 * 76 octets, ends with a blank, or begins with a hyphen that the text has not at the beginning of
 * one (so that none becomes a MIME boundary).
 */
#pragma once

#include "base/buf.h"

enum {
	QUOTED_LINE_BYTES_MAX = 76,
	/* A full line keeps at least so many of the encoded octets of the text. */
	QUOTED_LINE_BYTES_MIN = 71,
};

struct quoted {
	struct buf *out;
	size_t bytes;  /* on the line, as encoded */
	bool broken;   /* the line goes on with one of the text */
	bool after_cr; /* a CR came, of which the next octet says what it is */
	char blank;    /* owed, in front of that CR: encoded at the end of a line; 0: none */
};

/* All begins with {.out = out}. */
void quoted_add(struct quoted *quoted, struct span bytes);
/* Ends the line. */
void quoted_end_line(struct quoted *quoted);
/*
 * The text is over.  What follows in out is the end of the line, or, where mid_line is told, there
 * was none in the text: then it gets a line end that is not the text's.
 */
void quoted_finish(struct quoted *quoted, bool mid_line);
/* Whether the octet goes as three. */
static inline bool
quoted_escapes(char c)
{
	return (unsigned char)c >= 127 || c == '=' || (c < ' ' && c != '\t');
}
