/*
 * The structure of a message (RFC 2045, RFC 2046), walked while it passes: headers, contents of
 * parts, and what stands around them.  Bytes come in any pieces; all of them go out again, in
 * order, each in one event.  What is held is bounded: a line of a header, a line that may be a
 * boundary, and the boundaries of the multiparts that are open.
 *
 * What readers may understand in different ways ends the walk: a multipart that is not closed, a
 * line that only begins like a boundary, two Content-Type fields, a line in a header that is no
 * field.
 *
 * Lines end with CRLF and with nothing else.
 */
#pragma once

#include "base/buf.h"

enum {
	WALK_DEPTH_MAX = 50,           /* multiparts and messages in one another */
	WALK_LINE_BYTES_MAX = 16 << 10, /* of a header */
	WALK_FIELD_BYTES_MAX = 4 << 10, /* of one that is read here */
	WALK_BOUNDARY_BYTES_MAX = 200, /* RFC 2046: 70 */
};

struct walk;

enum walk_kind {
	WALK_TEXT,
	WALK_OTHER,
	WALK_OPAQUE,    /* nothing in it may be changed: a signature, or the rules of its type */
	WALK_MULTIPART, /* others are in it */
	WALK_MESSAGE,   /* another is in it */
};

enum walk_encoding {
	WALK_7BIT, /* or nothing is said */
	WALK_8BIT,
	WALK_BINARY,
	WALK_ENCODED, /* quoted-printable, base64 */
	WALK_UNKNOWN,
};

/* What has a header: the message, a part of it, a message in it. */
struct walk_entity {
	enum walk_kind kind;
	enum walk_encoding encoding;
	bool is_message; /* not a part: the fields of a whole message are its own */
	bool has_type, has_encoding, has_version; /* which fields its header has */
	const char *opaque; /* OPAQUE: what it is, "multipart/signed" */
};

enum walk_event_kind {
	WALK_WAIT,    /* all input is used up */
	WALK_HEADER,  /* bytes: a line of a header */
	WALK_ENTITY,  /* the header is over.  bytes: the empty line; "" where there is none */
	WALK_CONTENT, /* bytes of what is neither multipart nor message */
	WALK_CONTENT_END, /* that is over; also where it had no bytes */
	WALK_FRAME,   /* bytes of boundary lines, with the line end in front of them */
	WALK_AROUND,  /* bytes in front of the first or behind the last boundary, for nobody */
	WALK_WRONG,   /* see walk_wrong(); no other event comes after it */
};

struct walk_event {
	enum walk_event_kind kind;
	struct span bytes;       /* valid until the next call */
	bool is_encoding;        /* HEADER: of a Content-Transfer-Encoding field */
	const struct walk_entity *entity; /* ENTITY, CONTENT, CONTENT_END */
	bool at_end; /* CONTENT_END: the message ends there, not a boundary line */
};

struct walk *walk_create(void);
void walk_destroy(struct walk *walk);
/* After WAIT.  The bytes must stay until the next WAIT. */
void walk_input(struct walk *walk, struct span bytes);
/* After WAIT: no more bytes come.  The last events are pulled then. */
void walk_finish(struct walk *walk);
struct walk_event walk_next(struct walk *walk);
/* What is wrong, for people: "the message has a line in its header that is no field". */
const char *walk_wrong(const struct walk *walk);
