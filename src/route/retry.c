/* Chance spreads what failed together, so that it does not come back together. */
#include "route/retry.h"

uint64_t
retry_wait_ms(
    const uint64_t *schedule_ms, size_t schedule_count, unsigned tries, uint64_t chance)
{
	size_t at = tries > 0 ? tries - 1 : 0;
	uint64_t wait_ms, tenth;

	if (schedule_count == 0)
		return 0;
	wait_ms = schedule_ms[at < schedule_count ? at : schedule_count - 1];
	tenth = wait_ms / 10;
	return wait_ms - tenth + (tenth ? chance % (2 * tenth + 1) : 0);
}
