/*
 * A message made into what a server without 8BITMIME or BINARYMIME takes (RFC 6152 section 3,
 * RFC 3030 section 3), as a survey found it: contents of parts become quoted-printable or base64,
 * and their Content-Transfer-Encoding fields say so; all else stays as it is, octet by octet.
 *
 * A message without MIME fields gets them, with the charset "unknown-8bit" (RFC 1428).  In what
 * stands around the parts of a multipart, which nobody reads, octets above 127 become "?".
 */
#pragma once

#include "base/buf.h"
#include "mime/survey.h"

struct convert;

enum {
	CONVERT_PIECE_BYTES_MAX = 64 << 10,
	/* What a piece adds to the output at most: a part may become four times as long. */
	CONVERT_OUT_BYTES_MAX = 4 * CONVERT_PIECE_BYTES_MAX + (64 << 10),
};

/* The survey is of the same message, finished, with a verdict of CONVERT; it must live as long. */
struct convert *convert_create(const struct survey *survey, enum survey_target target);
void convert_destroy(struct convert *convert);
/* Takes a piece, of at most CONVERT_PIECE_BYTES_MAX, and adds what is ready of the output. */
void convert_take(struct convert *convert, struct span bytes, struct buf *out);
/*
 * The message is whole; adds the rest.  ERR_SYNTAX where it is not the one that the survey was of:
 * what was added is of no use then.
 */
MUST_USE enum err convert_finish(struct convert *convert, struct buf *out);
