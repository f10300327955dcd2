/*
 * Reply lines (RFC 5321 section 4.2).  Every line that this server says comes
 * from the list in reply_list.h through reply_write(); there is no other way
 * to make one.  The explanations of codes are in catalogue.h.
 */
#pragma once

#include "base/buf.h"

enum { REPLY_ARGS_MAX = 3, REPLY_LINE_BYTES_MAX = 512 };

enum reply_id {
#define REPLY_ENUM(name, code, enhanced, text) name,
#include "replies/reply_list.h"
#undef REPLY_ENUM
	REPLY_COUNT
};

struct reply {
	enum reply_id id;
	struct span args[REPLY_ARGS_MAX]; /* for %1, %2, %3 of the text */
};

/*
 * Adds the reply, CRLF included.  Control characters and bytes that are not ASCII (unless
 * utf8, and then only where they are UTF-8) in arguments become "?", and each line is cut at
 * REPLY_LINE_BYTES_MAX.  enhanced says whether the enhanced status code (RFC 2034) is put in
 * front of each line's text.
 *
 * A text with "\n" in it makes a multi-line reply.  So does an argument with "\n", but only
 * where a 2xx reply's text is nothing but "%1" (EHLO, HELP): anywhere else an argument may
 * come from a peer, and a peer must not be able to make a reply line.
 */
void reply_write(struct buf *out, const struct reply *reply, bool enhanced, bool utf8);

/* The three digits of a reply: 250. */
unsigned reply_code(enum reply_id id);
/* Its enhanced status code, "2.1.5", or "" where it has none. */
const char *reply_enhanced(enum reply_id id);
/* The text with its arguments filled in (as above, UTF-8 kept), without code and CRLF. */
void reply_text(struct buf *out, const struct reply *reply);

/* A reply of another server (or an old one of ours), taken apart. */
struct reply_parts {
	unsigned code;        /* 200 to 599 */
	unsigned short status[3]; /* the enhanced code, 5.7.606; all 0 where there is none */
	struct span text;     /* what follows, of one line */
	bool more;            /* "250-": another line follows */
};

/*
 * Takes one reply line, without CRLF, apart.  ERR_SYNTAX where it does not begin with a code of
 * three digits.  A code without text is right; NULs and other controls may be in the text.  An
 * enhanced code whose class is not the first digit of the reply is text.
 */
MUST_USE enum err reply_parse(struct span line, struct reply_parts *parts);
/*
 * Takes an enhanced code of any class off the start of text, with the blank behind it, as in
 * the Status field of a bounce.  False where there is none, and then nothing is touched.
 */
bool reply_status_cut(struct span *text, unsigned short status[3]);
/* Adds text that a peer may have made: what is not printable UTF-8 becomes "?". */
void reply_clean(struct buf *out, struct span text);
