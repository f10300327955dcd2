/*
 * How a destination, or all that one provider serves, is spared after it asked for that: for how
 * long nothing is started, how many attempts go at a time afterwards, and how far apart.  Pure.
 *
 *   strike:  the server said so.  Each doubles the pause, up to a bound; what was under way
 *            together, and is told the same, is one strike
 *   pass:    after a time without a strike there is one less, and twice as much may go; with
 *            none left it is over
 */
#pragma once

#include "base/span.h"

/* From the mildest to the gravest. */
enum ease_kind {
	EASE_CONNECTIONS, /* too many at a time */
	EASE_SLOW,        /* too much in a time */
	EASE_PAUSE,       /* nothing is taken until something changes */
	EASE_KIND_COUNT
};

enum { EASE_STRIKES_MAX = 16 }; /* more are as many */

/* No words of a server make mail wait longer than this at a time. */
#define EASE_PAUSE_MS_MAX UINT64_C(14400000)

struct ease {
	enum ease_kind kind;     /* the last strike's */
	uint32_t strikes;        /* 0: it is over */
	uint32_t connections;    /* at a time, at most */
	uint64_t interval_ms;    /* from one attempt to the next; 0: no limit */
	uint64_t pause_until_ms; /* 0: there was no pause */
	uint64_t until_ms;       /* when there is a strike less */
	uint64_t struck_ms;
};

/*
 * active: attempts that are under way there still; stated_ms: the time that the server gave, 0 for
 * none.  False: it tells of what is known already.
 */
bool ease_strike(struct ease *ease, enum ease_kind kind, uint32_t active, uint64_t stated_ms,
    uint64_t now_ms);
/* Time has passed; true: something changed. */
bool ease_pass(struct ease *ease, uint64_t now_ms);
const char *ease_name(enum ease_kind kind);
