/*
 * With a burst of b tokens and one more each interval, a period sees at most
 * b + period / interval, so the interval is period / (count - b + 1), and the last of them
 * falls just outside.
 */
#include "route/rate.h"

#include "base/check.h"

static const uint64_t ns_per_ms = 1000000;

static uint64_t
burst_of(const struct rate_limit *limit)
{
	return limit->count / 10 > 0 ? limit->count / 10 : 1;
}

/* Rounded up, so that many small errors never make a token too many. */
static uint64_t
interval_ns(const struct rate_limit *limit)
{
	uint64_t spread = limit->count - burst_of(limit) + 1;

	check(limit->count <= RATE_COUNT_MAX && limit->period_ms <= RATE_PERIOD_MS_MAX);
	return (limit->period_ms * ns_per_ms + spread - 1) / spread;
}

uint64_t
rate_next_ms(const struct rate *rate, const struct rate_limit *limit, uint64_t now_ms)
{
	uint64_t depth_ns, wait_ns;

	if (limit->count == 0)
		return now_ms;
	/* One token is there as long as all but one of the burst may be missing. */
	depth_ns = interval_ns(limit) * (burst_of(limit) - 1);
	if (rate->full_ns <= now_ms * ns_per_ms + depth_ns)
		return now_ms;
	wait_ns = rate->full_ns - depth_ns;
	return (wait_ns + ns_per_ms - 1) / ns_per_ms;
}

void
rate_take(struct rate *rate, const struct rate_limit *limit, uint64_t now_ms)
{
	if (limit->count == 0)
		return;
	check(rate_next_ms(rate, limit, now_ms) == now_ms);
	if (rate->full_ns < now_ms * ns_per_ms)
		rate->full_ns = now_ms * ns_per_ms;
	rate->full_ns += interval_ns(limit);
}

void
rate_charge(struct rate *rate, const struct rate_limit *limit, uint64_t now_ms)
{
	uint64_t latest_ns = (now_ms + limit->period_ms) * ns_per_ms;

	if (limit->count == 0)
		return;
	if (rate->full_ns < now_ms * ns_per_ms)
		rate->full_ns = now_ms * ns_per_ms;
	rate->full_ns += interval_ns(limit);
	if (rate->full_ns > latest_ns)
		rate->full_ns = latest_ns;
}

bool
rate_is_full(const struct rate *rate, uint64_t now_ms)
{
	return rate->full_ns <= now_ms * ns_per_ms;
}

uint64_t
rate_full_ms(const struct rate *rate)
{
	return (rate->full_ns + ns_per_ms - 1) / ns_per_ms;
}
