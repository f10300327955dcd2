/*
 * What the ledger tells: one entry for each thing that happened to a message.
 */
#pragma once

#include "base/span.h"

enum {
	LEDGER_ADDRESS_MAX = 1024, /* of an address, a mailbox, a login, a client */
	LEDGER_STATUS_MAX = 15,
	LEDGER_HOST_MAX = 300,
	LEDGER_TEXT_MAX = 500,
	LEDGER_RCPTS_MAX = 100000,
};

/* Kinds and ends keep their numbers: files hold them. */
enum ledger_kind {
	LEDGER_ACCEPTED = 1, /* a message, with all of its recipients */
	LEDGER_ENDED = 2,    /* a recipient has its end */
	LEDGER_DEFERRED = 3,
	LEDGER_HELD = 4,
	LEDGER_RELEASED = 5,
	LEDGER_ASIDE = 6,   /* set aside: an operator decides */
	LEDGER_REMOVED = 7, /* the message left the queue, and it was not said how its rest ended */
	LEDGER_KIND_END,
};

enum ledger_end {
	LEDGER_DELIVERED = 1,
	LEDGER_RELAYED = 2,
	LEDGER_BOUNCED = 3,
	LEDGER_EXPIRED = 4,
	LEDGER_DISCARDED = 5,
	LEDGER_DELETED = 6,
	LEDGER_UNKNOWN = 7, /* ended before there was a ledger */
	LEDGER_EXPANDED = 8, /* an alias that stands for others, of which its sender was told */
	LEDGER_END_END,
};

/* Flags of an accepted or removed message. */
enum {
	LEDGER_IS_BOUNCE = 1, /* a notification, made here */
	LEDGER_ADOPTED = 2,   /* it was in the spool's log already when the ledger began */
};

struct ledger_rcpt {
	struct span address;
	struct span original; /* as it was given; equal to address where nothing rewrote it */
	struct span mailbox;  /* here; "" for other servers */
};

struct ledger_entry {
	enum ledger_kind kind;
	uint64_t id, wall_ms;

	uint8_t flags; /* ACCEPTED, REMOVED */
	/* ACCEPTED */
	struct span reverse_path, client, login;
	uint64_t body_bytes;
	const struct ledger_rcpt *rcpts;
	uint32_t rcpt_count;

	/* ENDED, DEFERRED */
	uint32_t index;       /* of the recipient */
	enum ledger_end end;  /* ENDED */
	bool in_doubt;        /* a connection was lost after the final dot */
	uint32_t tries;       /* DEFERRED */
	uint64_t next_wall_ms; /* DEFERRED */
	uint32_t code;        /* of the last reply; 0: none */
	struct span status, host;
	uint64_t bounce_id;   /* BOUNCED, EXPIRED: the notification, or 0 */
	struct span text;     /* HELD, RELEASED, ASIDE as well */
};
