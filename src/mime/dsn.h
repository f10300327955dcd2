/*
 * Delivery status notifications (RFC 3461 section 6, RFC 3464): the message
 * that tells a sender what became of a mail.  Pure: bytes and time in, bytes out.
 */
#pragma once

#include "base/buf.h"

struct dsn_recipient {
	struct span address;        /* final forward-path */
	struct span orcpt;          /* original address, "" where it is the same */
	bool expired;               /* gave up after trying; else refused */
	struct span status;         /* "5.1.1"; "" is made from the code */
	unsigned code;              /* reply code of the other server; 0: there was none */
	struct span remote;         /* host that said it, "" where it was us */
	struct span text;           /* its words, raw bytes, or ours */
	uint64_t last_attempt_wall_ms;
	struct span explanation;    /* a sentence or more for people: what it means, what to do */
};

struct dsn {
	struct span hostname;        /* Reporting-MTA */
	struct span to;              /* the reverse-path of the message */
	struct span id;              /* queue id of the message */
	struct span envelope_helo;   /* Received-From-MTA, "" where unknown */
	uint64_t arrival_wall_ms, now_wall_ms;
	uint64_t unique;             /* for boundary and Message-ID */
	const struct dsn_recipient *recipients;
	size_t recipient_count;
	struct span header;          /* the original header, as much as is known; "" none */
};

/* Adds the whole message (RFC 5322, CRLF lines, 7bit; no bare CR or LF whatever comes in). */
void dsn_write(struct buf *out, const struct dsn *dsn);
