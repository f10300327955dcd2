/* Chance spreads what failed together, so that it does not come back together. */
#include "route/retry.h"

#include "base/check.h"

uint64_t
retry_wait_ms(const uint64_t *schedule_ms, size_t schedule_count, unsigned tries,
    uint64_t jitter_percent, uint64_t chance)
{
	size_t at = tries > 0 ? tries - 1 : 0;
	uint64_t wait_ms, spread_ms;

	check(jitter_percent <= 100);
	if (schedule_count == 0)
		return 0;
	wait_ms = schedule_ms[at < schedule_count ? at : schedule_count - 1];
	/* The rest of the hundred first: a wait of any length does not overflow. */
	spread_ms = wait_ms / 100 * jitter_percent + wait_ms % 100 * jitter_percent / 100;
	return wait_ms - spread_ms + (spread_ms ? chance % (2 * spread_ms + 1) : 0);
}
