/* See warmup.h. */
#include "route/warmup.h"

/* Shares are reckoned in thousandths, so that 1 times 1.5 grows at all. */
enum { PARTS = 1000 };

uint64_t
warmup_number(const struct conf_warmup *warmup, uint64_t day)
{
	return day < warmup->from_day ? 0 : day - warmup->from_day + 1;
}

uint64_t
warmup_share(const struct conf_warmup *warmup, uint64_t day)
{
	uint64_t parts = warmup->start * PARTS, end = warmup->end * PARTS, steps;

	if (day < warmup->from_day)
		return 0;
	steps = (day - warmup->from_day) / warmup->step_days;
	/* It grows by one hundredth at least, and the end is soon reached; or never. */
	for (; steps > 0 && parts < end && warmup->factor_percent > 100; steps--)
		parts = parts * warmup->factor_percent / 100;
	if (parts < end)
		return parts / PARTS;
	return warmup->is_limit ? warmup->end : WARMUP_NO_LIMIT;
}

uint64_t
warmup_next_change(const struct conf_warmup *warmup, uint64_t day)
{
	uint64_t now = warmup_share(warmup, day), next;

	if (day < warmup->from_day)
		return warmup->from_day;
	next = day + warmup->step_days - (day - warmup->from_day) % warmup->step_days;
	/* A small share may be the same for some steps. */
	for (; now != WARMUP_NO_LIMIT && (now < warmup->end || !warmup->is_limit) &&
	     warmup->factor_percent > 100; next += warmup->step_days)
		if (warmup_share(warmup, next) != now)
			return next;
	return 0;
}

uint64_t
warmup_burst(uint64_t share)
{
	uint64_t burst = share / 24;

	if (burst < WARMUP_BURST_MIN)
		burst = WARMUP_BURST_MIN;
	return burst < share ? burst : share;
}

uint64_t
warmup_released(uint64_t share, uint64_t into_day_ms)
{
	uint64_t burst = warmup_burst(share);

	return burst + (share - burst) * into_day_ms / WARMUP_DAY_MS;
}

uint64_t
warmup_release_ms(uint64_t share, uint64_t count)
{
	uint64_t burst = warmup_burst(share), even = share - burst;

	if (count > share)
		return WARMUP_DAY_MS;
	if (count <= burst)
		return 0;
	return ((count - burst) * WARMUP_DAY_MS + even - 1) / even;
}

uint64_t
warmup_interval_ns(uint64_t share)
{
	return WARMUP_DAY_MS * 1000000 / WARMUP_HASTE / share;
}
