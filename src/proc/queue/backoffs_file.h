/*
 * Back-offs as bytes, for the file that outlives a restart.  Times are wall-clock times there; what
 * a clock that jumped makes of them is held within what ease.h ever decides.  Pure.
 *
 *   postrider backoffs 1
 *   row TAB site|destination TAB KIND TAB STRIKES TAB CONNECTIONS TAB INTERVAL(ms) TAB PAUSE TAB
 *       UNTIL TAB STRUCK TAB SINCE(ms since 1970, 0: none) TAB RULE TAB CODE TAB STATUS TAB
 *       HOST TAB NAME TAB TEXT
 *   of TAB SITE TAB DESTINATION
 *
 * RULE is a number made of what a provider rule says; a row whose rule is gone is not read.  The
 * lines "of" say which destinations had mail waiting for a site that has a row.
 */
#pragma once

#include "proc/queue/backoffs.h"
#include "proc/queue/sites.h"

#define BACKOFFS_NAME "backoffs" /* of the file */

enum {
	BACKOFFS_OF_MAX = 10000, /* lines "of"; others are learned again */
	BACKOFFS_ROW_BYTES = 2 * BACKOFF_NAME_MAX + BACKOFF_TEXT_MAX + 250,
	BACKOFFS_OF_BYTES = 2 * BACKOFF_NAME_MAX + 10,
	BACKOFFS_BYTES_MAX =
	    100 + BACKOFFS_MAX * BACKOFFS_ROW_BYTES + BACKOFFS_OF_MAX * BACKOFFS_OF_BYTES,
};

struct backoffs_clock {
	uint64_t now_ms, now_wall_ms;
};

/* The first line and the rows. */
void backoffs_write(
    const struct backoffs *backoffs, struct backoffs_clock clock, struct buf *out);
/* A line "of"; nothing where a name does not fit into one. */
void backoffs_write_of(struct buf *out, struct span site, struct span destination);
/* Adds what the file says, to empty ones.  ERR_SYNTAX: it is damaged, and nothing is added. */
MUST_USE enum err backoffs_read(struct backoffs *backoffs, struct sites *sites,
    struct backoffs_clock clock, struct span text);
