/*
 * Destinations that an operator has suspended: nothing is sent there until they are resumed, or
 * until a time.  Kept in a file of the spool's directory, so that a restart changes nothing.
 *
 *   postrider suspensions 1
 *   UNTIL(ms since 1970, 0: until resumed) SINCE WHO SELECTOR
 *
 * A selector is as route/name.h has it; that of a provider may have blanks in it.
 */
#pragma once

#include "base/buf.h"

#define SUSPENSIONS_NAME "suspensions" /* of the file */

enum {
	SUSPENSIONS_MAX = 1000,
	SUSPENSION_PATTERN_MAX = 320,
	SUSPENSION_WHO_MAX = 100,
	SUSPENSION_LINE_MAX = SUSPENSION_PATTERN_MAX + SUSPENSION_WHO_MAX + 50,
	SUSPENSIONS_BYTES_MAX = (SUSPENSIONS_MAX + 1) * SUSPENSION_LINE_MAX,
};

struct suspension {
	uint64_t until_wall_ms, since_wall_ms;
	char who[SUSPENSION_WHO_MAX + 1];
	char pattern[SUSPENSION_PATTERN_MAX + 1]; /* "far.example", "provider:Gmail" */
};

struct suspensions {
	struct suspension *rows;
	size_t count;
};

void suspensions_fini(struct suspensions *suspensions);
/* ERR_LIMIT: there are too many; ERR_SYNTAX: the pattern is none. */
MUST_USE enum err suspensions_add(struct suspensions *suspensions, struct span pattern,
    struct span who, uint64_t until_wall_ms, uint64_t now_wall_ms);
/* False: there is no such. */
bool suspensions_remove(struct suspensions *suspensions, struct span pattern);
/* Ends those whose time has come; gives how many. */
size_t suspensions_expire(struct suspensions *suspensions, uint64_t now_wall_ms);
/* The one that holds for the destination with that key, of that site ("": not known); NULL. */
const struct suspension *suspensions_find(
    const struct suspensions *suspensions, struct span key, struct span site);
void suspensions_write(const struct suspensions *suspensions, struct buf *out);
/* Replaces what there was.  ERR_SYNTAX: nothing is changed. */
MUST_USE enum err suspensions_read(struct suspensions *suspensions, struct span text);
