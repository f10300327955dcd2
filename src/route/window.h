/*
 * The concurrency window of a destination: how many attempts it may have at a time.  It opens
 * with success and closes with failure.  Pure, and small enough for a million destinations.
 *
 *   opens:  by one with each success, until the first failure (a destination that takes
 *           mail well is soon used to the full); after that by one for each window full of
 *           successes, so that it feels its way back to where it failed
 *   closes: to half with a failure, and never below one.  Attempts that began before it
 *           closed tell of the same trouble: their failures do not close it again, and
 *           their successes do not open it.
 *
 * A failure is one of the connection or of the destination as a whole (no connection, 421,
 * a time-out), not a recipient that is refused.
 */
#pragma once

#include "base/span.h"

enum { WINDOW_MAX = 10000 };

struct window {
	uint16_t size; /* attempts at a time; from 1 to the maximum */
	uint16_t opened; /* successes since it last changed, once it opens slowly */
	uint16_t before; /* attempts that began before it closed, and have not ended */
	bool slow; /* there was a failure: it opens slowly */
};

/* start and max as configured; both are brought into 1 ... WINDOW_MAX, start to at most max. */
void window_init(struct window *window, unsigned start, unsigned max);
/* An attempt succeeded.  max: as configured now; a window that is wider shrinks to it. */
void window_succeed(struct window *window, unsigned max);
/* An attempt failed; active: how many others are under way. */
void window_fail(struct window *window, unsigned active);
/* Another maximum, from a new configuration. */
void window_limit(struct window *window, unsigned max);

static inline bool
window_has_room(const struct window *window, unsigned active)
{
	return active < window->size;
}
