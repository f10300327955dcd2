/*
 * Delivery status notifications (RFC 3461 section 6, RFC 3464): the message
 * that tells a sender what became of a mail.  Pure: bytes and time in, bytes out.
 */
#pragma once

#include "replies/language.h"

enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,   /* it is tried further */
	DSN_DELIVERED, /* it is in its mailbox */
	DSN_RELAYED,   /* to a server that tells nothing more */
	DSN_EXPANDED,  /* it goes on to each of the addresses that this one stands for */
	DSN_ACTION_COUNT,
};

struct dsn_recipient {
	enum dsn_action action;
	struct span address;        /* final forward-path */
	struct span orcpt;          /* original address, "" where it is the same */
	struct span asked_orcpt;    /* what came with ORCPT, "rfc822;xtext"; goes before orcpt */
	bool expired;               /* gave up after trying; else refused */
	struct span status;         /* "5.1.1"; "" is made from the code */
	unsigned code;              /* reply code of the other server; 0: there was none */
	struct span remote;         /* host that said it, "" where it was us */
	struct span text;           /* its words, raw bytes, or ours */
	uint64_t last_attempt_wall_ms;
	uint64_t retry_until_wall_ms; /* DELAYED */
	const char *explanation;    /* a text of the catalogue: what to do; or NULL */
	const char *meaning;        /* the same: what the other server's words mean; or NULL */
};

struct dsn {
	struct span hostname;        /* Reporting-MTA */
	struct span to;              /* the reverse-path of the message */
	struct span id;              /* queue id of the message */
	struct span envelope_helo;   /* Received-From-MTA, "" where unknown */
	struct span envid;           /* xtext, as it came with ENVID; "" none */
	uint64_t arrival_wall_ms, now_wall_ms;
	uint64_t by_wall_ms;         /* when it was to be there (RFC 2852); 0: nothing was said */
	bool notice;                 /* it is for postmaster, and no answer to the sender */
	struct span sender;          /* then: the reverse-path; "" none */
	const char *lost;            /* then: why the sender is not told; NULL: he is */
	uint64_t unique;             /* for boundary and Message-ID */
	const struct language *language; /* of the part for people; English stands there anyway */
	const struct dsn_recipient *recipients;
	size_t recipient_count;
	struct span header;          /* the original header, as much as is known; "" none */
	struct span whole;           /* the original message, instead; its lines end with CRLF */
};

/*
 * The worst that it tells of, as a word for logs: "failed", "delayed", "relayed", "expanded",
 * "delivered".
 */
const char *dsn_action_name(enum dsn_action action);
enum dsn_action dsn_worst(const struct dsn *dsn);
/*
 * The language that a message is written in, or that its sender reads: Content-Language, else
 * Accept-Language, of its header.  NULL: English, or not known.
 */
const struct language *dsn_language(struct span header);
/* Whether the original message can be returned whole: it does not hold what ends its part. */
bool dsn_takes_whole(const struct dsn *dsn, struct span whole);
/*
 * Adds the whole message (RFC 5322, CRLF lines, no bare CR or LF whatever comes in; 7bit, but for
 * what is returned whole, which is as it was).
 */
void dsn_write(struct buf *out, const struct dsn *dsn);
