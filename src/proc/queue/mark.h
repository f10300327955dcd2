/*
 * Marks: what became of a message and its recipients, as bytes of the spool.  Pure.
 *
 * A mark is one byte that says its kind, and then the fields of that kind.  Bytes hold any number
 * of marks, one after the other.  Kinds are never given another meaning: what changes gets a
 * new number.  1 to 4 are the first format, which only message.c still reads.
 */
#pragma once

#include "base/wire.h"

enum {
	MARK_STATUS_MAX = 15,
	MARK_REMOTE_MAX = 300,
	MARK_TEXT_MAX = 500,
	MARK_CODE_MAX = 999,
	MARK_BYTES_MAX = 1024, /* no mark is longer */
};

enum mark_kind {
	MARK_ENDED = 16, /* a recipient has its end: the only one */
	MARK_DEFERRED,   /* a try failed for now */
	MARK_HELD,
	MARK_RELEASED,
	MARK_BEGUN, /* a try is about to be made */
	MARK_ASIDE, /* the message is left alone until an operator decides */
	MARK_SUCCEEDED, /* a recipient has it, and its sender is yet to be told: then it ends */
	MARK_TOLD,      /* the sender was told that it takes longer */
	MARK_REROUTED,  /* an operator sends a recipient another way; text: its destination's key */
	MARK_KIND_END,
};

enum end_kind {
	END_DELIVERED = 1, /* to a mailbox here */
	END_RELAYED,       /* to the next server */
	END_BOUNCED,
	END_EXPIRED,
	END_DISCARDED,
	END_DELETED, /* by an operator */
	END_EXPANDED, /* an alias: its sender was told that it stands for others */
	END_KIND_END,
};

struct mark {
	enum mark_kind kind;
	uint64_t wall_ms;  /* when it happened */
	uint32_t index;    /* ENDED, DEFERRED, BEGUN, SUCCEEDED, REROUTED: the recipient */
	enum end_kind end; /* ENDED */
	/*
	 * ENDED, DEFERRED, SUCCEEDED: the connection was lost after the final dot (of this try
	 * or, for ENDED, of an earlier one).
	 */
	bool in_doubt;
	uint32_t tries;        /* DEFERRED, BEGUN: made so far */
	uint32_t told;         /* TOLD: of what, bits of enum watch_due */
	uint64_t next_wall_ms; /* DEFERRED */
	uint32_t code;         /* ENDED, DEFERRED, SUCCEEDED: of the last reply; 0: none */
	/*
	 * ENDED, DEFERRED, SUCCEEDED: of the last reply.  text alone: with ENDED by an operator,
	 * HELD, RELEASED and ASIDE it says who and why.
	 */
	struct span status, remote, text;
	uint64_t bounce_id; /* BOUNCED, EXPIRED: the notification; 0: none was due */
};

/* The word for an end in logs and to people: "delivered", "relayed", ... */
const char *end_name(enum end_kind end);
/* Adds the mark.  What is longer than its maximum is cut; a code that is none is left out. */
void mark_write(struct buf *out, const struct mark *mark);
/*
 * Takes the next mark; its spans point into what the reader reads.  Fields that the kind does not
 * have are 0.  False: it is malformed (reader->failed).
 */
bool mark_read(struct reader *reader, struct mark *mark);
