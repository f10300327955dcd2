/*
 * The header of a message that a user submits (RFC 6409): what is missing is added, what is nobody
 * else's business goes, and whom it names as its author is found.
 *
 * Bytes come in any pieces, and what is to be kept goes out as they come; only a field's name and
 * the fields that name authors are held, within bounds.  Pure: time and chance are arguments.
 *
 * The header ends with the first empty line.  What is no field in front of that is refused, never
 * guessed at: a Bcc behind it would else be read by everybody as text.
 */
#pragma once

#include "base/buf.h"

enum {
	SUBMISSION_UNIQUE_BYTES = 16,
	SUBMISSION_NAME_BYTES_MAX = 900,     /* of a field's name, blanks behind it included */
	SUBMISSION_FIELD_BYTES_MAX = 8 << 10, /* of a field that names authors */
	SUBMISSION_ADDRESSES_BYTES_MAX = 2 * SUBMISSION_FIELD_BYTES_MAX + 400,
	/* What goes out may be longer by this than what comes in. */
	SUBMISSION_ADDED_BYTES_MAX = SUBMISSION_NAME_BYTES_MAX + 1200,
};

struct submission_rules {
	struct span hostname; /* for the Message-ID */
	struct span author;   /* for a From field where there is none; "": that is refused */
	bool sender_vouches;  /* see submission_addresses() */
	uint64_t wall_ms;
	uint8_t unique[SUBMISSION_UNIQUE_BYTES]; /* by chance */
};

struct submission;

/* The rules' spans must live as long. */
struct submission *submission_create(const struct submission_rules *rules);
void submission_destroy(struct submission *submission);

/*
 * Takes bytes of the header and adds what is to be kept to out.  Gives how many it took: all, or
 * those up to the body, which stays as it is.  After something wrong nothing is added any more.
 */
size_t submission_take(struct submission *submission, struct span bytes, struct buf *out);
/* The message is whole; adds what is still owed where it has no body. */
void submission_finish(struct submission *submission, struct buf *out);
/* What is wrong with the header, for people; "": nothing so far. */
struct span submission_wrong(const struct submission *submission);
/*
 * After the end: the addresses that the message claims to be from, each with a line feed behind
 * it, as they stand in the header.  Those of From and Sender; where the sender vouches, only
 * those of the first of Resent-Sender, Resent-From, Sender and From that is there.
 */
struct span submission_addresses(const struct submission *submission);
