/*
 * Reading notifications of any server: delivery reports (RFC 3464, RFC 6533), wherever they are in
 * a message, and the texts that servers without reports write (qmail, Exim, sendmail, Postfix,
 * OpenSMTPD, Exchange, Gmail, Yahoo and others).  Pure; never fails: what nothing is found in has
 * no recipients.
 *
 * Bounded whatever comes in: bytes, parts, depth, recipients and decoded text each have a limit
 * below, and what is behind it is left out.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum {
	DSN_READ_BYTES_MAX = 4 << 20,
	DSN_READ_PARTS_MAX = 64,
	DSN_READ_DEPTH_MAX = 8, /* multiparts and messages in each other */
	DSN_READ_RCPTS_MAX = 100,
	DSN_READ_TEXT_BYTES_MAX = 64 << 10,    /* the part for people, decoded */
	DSN_READ_FIELDS_BYTES_MAX = 256 << 10, /* the part for programs, decoded */
	DSN_READ_WORDS_BYTES_MAX = 4096,       /* of one recipient's diagnostic */
};

enum dsn_read_action {
	DSN_READ_FAILED,
	DSN_READ_DELAYED,
	DSN_READ_DELIVERED,
	DSN_READ_RELAYED,
	DSN_READ_EXPANDED,
};

/* All spans are of the reader; "" is what was not there. */
struct dsn_read_rcpt {
	struct span address;  /* final recipient, else the original one */
	enum dsn_read_action action;
	struct span status;   /* "5.1.1" */
	struct span words;    /* what was said: in one line, or with "\n" between lines */
	bool said_by_server;  /* the words are a reply that another server gave */
	struct span remote;   /* the host that said it */
	struct span last_attempt, retry_until; /* dates, as written */
};

struct dsn_read {
	bool report; /* there were fields for programs */
	bool notice; /* it is a notification, with or without such fields */
	bool auto_reply; /* an answer that a program wrote, no notification */
	const char *writer; /* "Postfix"; NULL where that is not clear */
	struct span reporter; /* the server that wrote it */
	struct span text;   /* the part for people, decoded, its lines end with "\n" */
	struct dsn_read_rcpt *rcpts;
	size_t rcpt_count;
	size_t more; /* recipients that were left out */

	/* For the reader alone. */
	struct arena arena;
	struct buf text_buf;
	size_t part_count;
	struct span failed; /* X-Failed-Recipients */
	struct span subject, from;
};

/* Reads a message (or what somebody copied of one), its lines ended by CRLF or LF. */
void dsn_read(struct dsn_read *read, struct span message);
void dsn_read_fini(struct dsn_read *read);
