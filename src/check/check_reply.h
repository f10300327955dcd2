/*
 * Replies of a server that nobody vouches for, taken one by one off what it has
 * sent; and what a peer is that says something else.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum {
	CHECK_REPLY_BYTES_MAX = 16384, /* of a whole reply */
	CHECK_REPLY_LINE_MAX = 2048,   /* RFC 5321 has 512; many are less strict */
	CHECK_REPLY_KEPT_MAX = 8192,
};

struct check_reply {
	unsigned code; /* 0: there was none */
	char text[CHECK_REPLY_KEPT_MAX + 1]; /* its lines without codes, parted by '\n' */
	size_t text_bytes;
};

/*
 * Takes a reply off the start of bytes.  OK: *used bytes were it.  ERR_AGAIN: more must come;
 * ERR_SYNTAX: it is none; ERR_TOO_LONG: it, or a line of it, is longer than we read.
 */
MUST_USE enum err check_reply_take(struct span bytes, struct check_reply *reply, size_t *used);
struct span check_reply_text(const struct check_reply *reply);
/* The first line, with the code before it: "220 mx.example.org ESMTP", for people. */
void check_reply_first(const struct check_reply *reply, char *out, size_t room);

enum check_protocol {
	CHECK_PROTOCOL_UNKNOWN,
	CHECK_PROTOCOL_SMTP,
	CHECK_PROTOCOL_SSH,
	CHECK_PROTOCOL_HTTP,
	CHECK_PROTOCOL_IMAP,
	CHECK_PROTOCOL_POP3,
	CHECK_PROTOCOL_FTP,
	CHECK_PROTOCOL_TLS, /* a record of it */
	CHECK_PROTOCOL_COUNT
};

/* By the first bytes that a server sends, whether asked or not. */
enum check_protocol check_protocol_of(struct span bytes);
/* "SSH" */
const char *check_protocol_name(enum check_protocol protocol);

/* What a server offers after EHLO. */
struct check_offer {
	bool starttls, pipelining, enhanced, size, auth, utf8, bits8;
	uint64_t size_bytes; /* 0: no limit is told */
};
void check_offer_read(const struct check_reply *ehlo, struct check_offer *offer);
/* The first word of the greeting, where it may be a host's name; else empty. */
struct span check_greeting_name(const struct check_reply *greeting);
