/*
 * Addresses that do not exist, as another server said or an operator knows: mail to them from that
 * domain of senders ends before an attempt.  Kept in a file of the spool's directory, which grows
 * by a line for each, and is replaced as a whole now and then.  Pure.
 *
 *   postrider suppressions 1
 *   SINCE UNTIL CODE WHO SENDER ADDRESS REPLY
 *
 * with tabs between them; times in ms since 1970, UNTIL 0 is until it is removed.
 * SENDER is a domain, or "*" for all.  A line that is the same but for its times takes the place of
 * the one before it; a last line without its end was never told of, and does not count.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"

enum {
	SUPPRESSIONS_MAX = 100000, /* the oldest one makes room */
	SUPPRESSION_ADDRESS_MAX = 320,
	SUPPRESSION_SENDER_MAX = 255,
	SUPPRESSION_WHO_MAX = 100,
	SUPPRESSION_REPLY_MAX = 200,
	SUPPRESSION_LINE_MAX = SUPPRESSION_ADDRESS_MAX + SUPPRESSION_SENDER_MAX +
	    SUPPRESSION_WHO_MAX + SUPPRESSION_REPLY_MAX + 100,
	SUPPRESSIONS_BYTES_MAX = 128 << 20,
};

struct suppression {
	struct list node; /* by age */
	uint64_t number;  /* grows with age */
	uint64_t since_wall_ms, until_wall_ms;
	unsigned code;
	struct span key; /* SENDER TAB ADDRESS, in lower case */
	struct span sender, address, who, reply;
	bool written;
	char bytes[];
};

struct suppressions {
	struct list rows; /* the oldest first */
	struct map map;   /* by key */
	size_t count, unwritten;
	uint64_t last_number;
	/* Told of each row that comes or goes; may be NULL. */
	void (*changed)(void *owner, const struct suppression *row, bool gone);
	void *owner;
};

/* What is known of one, before it is kept. */
struct suppression_told {
	uint64_t since_wall_ms, until_wall_ms;
	unsigned code;
	struct span sender, address, who, reply;
};

void suppressions_init(struct suppressions *suppressions, const uint64_t seed[2]);
void suppressions_fini(struct suppressions *suppressions);
/* ERR_SYNTAX: it is no address, or no domain of senders. */
MUST_USE enum err suppressions_add(
    struct suppressions *suppressions, const struct suppression_told *told);
/* False: there is no such. */
bool suppressions_remove(
    struct suppressions *suppressions, struct span sender, struct span address);
/* The one that holds for mail from the domain, or for all; NULL. */
const struct suppression *suppressions_find(const struct suppressions *suppressions,
    struct span sender, struct span address, uint64_t now_wall_ms);
/* Drops those whose time is over; at most budget are looked at, from the oldest on. */
size_t suppressions_expire(
    struct suppressions *suppressions, uint64_t now_wall_ms, size_t budget);
/* All of it, or only what is not written yet. */
void suppressions_write(struct suppressions *suppressions, struct buf *out, bool all);
/* Takes what there is; ERR_SYNTAX: it is no such file; lines that are none are left out. */
MUST_USE enum err suppressions_read(
    struct suppressions *suppressions, struct span text, uint64_t now_wall_ms);
