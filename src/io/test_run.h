/* A real loop that runs for some time, whatever is under way. */
#pragma once

#include "io/io_internal.h"

static inline void
test_run_stop(struct io_timer *timer)
{
	io_stop(timer->owner);
}

/*
 * Looks at least once for each of the milliseconds at what has happened: on a busy machine the
 * whole time may be over before the loop has run once.
 */
static inline void
run_for(struct io *io, uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i++) {
		struct io_timer timer = {.fired = test_run_stop, .owner = io};

		/* From now on, not from when it last ran. */
		uv_update_time(&io->loop);
		io_timer_start(io, &timer, 1);
		io_run(io);
		io_timer_stop(io, &timer);
	}
}
