/* See shares.h. */
#include "proc/queue/shares.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/date.h"
#include "route/warmup.h"

enum {
	FAILED_MS_MIN = 30 * 1000,
	FAILED_MS_MAX = 600 * 1000,
};

#define MS_NS UINT64_C(1000000)

void
shares_fini(struct shares *shares)
{
	mem_free(shares->rows);
	*shares = (struct shares){0};
}

struct share *
shares_find(const struct shares *shares, const struct net_addr *addr, struct span provider)
{
	for (size_t i = 0; i < shares->count; i++)
		if (net_addr_same_host(&shares->rows[i].addr, addr) &&
		    span_eq(span_str(shares->rows[i].provider), provider))
			return &shares->rows[i];
	return NULL;
}

struct share *
shares_take(struct shares *shares, const struct net_addr *addr, struct span provider)
{
	struct share *share = shares_find(shares, addr, provider);

	if (share || shares->count == SHARES_MAX || provider.len >= SHARE_PROVIDER_MAX)
		return share;
	if (!shares->rows)
		shares->rows = mem_alloc(SHARES_MAX * sizeof(*shares->rows));
	share = &shares->rows[shares->count++];
	*share = (struct share){.addr = *addr, .max = WARMUP_NO_LIMIT};
	if (provider.len > 0)
		memcpy(share->provider, provider.ptr, provider.len);
	return share;
}

bool
shares_begin(struct shares *shares, uint64_t day)
{
	if (shares->day == day)
		return false;
	shares->day = day;
	for (size_t i = 0; i < shares->count; i++) {
		shares->is_changed |= shares->rows[i].used > 0;
		shares->rows[i].used = shares->rows[i].promised = 0;
	}
	return true;
}

/* How many may go at once, after those that just went. */
static uint64_t
at_once(const struct share *share, uint64_t now_ms)
{
	uint64_t interval_ns = warmup_interval_ns(share->max), now_ns = now_ms * MS_NS;
	uint64_t owed_ns = share->even_ns > now_ns ? share->even_ns - now_ns : 0;
	uint64_t burst = warmup_burst(share->max), owed = (owed_ns + interval_ns - 1) / interval_ns;

	return owed < burst ? burst - owed : 0;
}

uint64_t
share_left(const struct share *share, const struct share_time *time)
{
	uint64_t taken = share->used + share->pending, released, most;

	if (share->max == WARMUP_NO_LIMIT || share->max == 0)
		return share->max;
	released = warmup_released(share->max, time->wall_ms % WARMUP_DAY_MS);
	if (taken >= released)
		return 0;
	most = at_once(share, time->now_ms);
	return released - taken < most ? released - taken : most;
}

void
share_keep(struct share *share, uint64_t places, const struct share_time *time)
{
	share->pending += places;
	if (share->max == WARMUP_NO_LIMIT || share->max == 0)
		return;
	if (share->even_ns < time->now_ms * MS_NS)
		share->even_ns = time->now_ms * MS_NS;
	share->even_ns += places * warmup_interval_ns(share->max);
}

void
share_give_back(struct share *share, uint64_t places)
{
	uint64_t ns;

	check(places <= share->pending);
	share->pending -= places;
	if (share->max == WARMUP_NO_LIMIT || share->max == 0)
		return;
	ns = places * warmup_interval_ns(share->max);
	share->even_ns -= ns < share->even_ns ? ns : share->even_ns;
	share->promised -= places < share->promised ? places : share->promised;
}

/* When it has so many places more than those that are taken, and promised to others. */
static uint64_t
place_wall_ms(const struct share *share, uint64_t promised, uint64_t places,
    const struct share_time *time)
{
	uint64_t taken = share->used + share->pending, burst = warmup_burst(share->max);
	uint64_t day_wall_ms = time->wall_ms - time->wall_ms % WARMUP_DAY_MS;
	uint64_t before = promised > taken ? promised : taken, wall_ms, even_ns, all_ns;

	wall_ms = day_wall_ms + warmup_release_ms(share->max, before + places);
	if (wall_ms >= day_wall_ms + WARMUP_DAY_MS)
		return day_wall_ms + WARMUP_DAY_MS;
	/* They go no faster than any may. */
	even_ns = share->even_ns > time->now_ms * MS_NS ? share->even_ns - time->now_ms * MS_NS : 0;
	even_ns += (before - taken + places) * warmup_interval_ns(share->max);
	all_ns = burst * warmup_interval_ns(share->max);
	if (even_ns > all_ns && wall_ms < time->wall_ms + (even_ns - all_ns + MS_NS - 1) / MS_NS)
		wall_ms = time->wall_ms + (even_ns - all_ns + MS_NS - 1) / MS_NS;
	return wall_ms < day_wall_ms + WARMUP_DAY_MS ? wall_ms : day_wall_ms + WARMUP_DAY_MS;
}

uint64_t
share_next_wall_ms(const struct share *share, const struct share_time *time)
{
	return place_wall_ms(share, 0, 1, time);
}

uint64_t
share_promise(struct share *share, uint64_t places, const struct share_time *time,
    uint64_t until_wall_ms)
{
	uint64_t taken = share->used + share->pending, burst = warmup_burst(share->max), wall_ms;

	if (places > burst)
		places = burst;
	wall_ms = place_wall_ms(share, share->promised, places, time);
	if (wall_ms <= until_wall_ms)
		share->promised = (share->promised > taken ? share->promised : taken) + places;
	return wall_ms;
}

bool
share_is_failed(const struct share *share, uint64_t now_ms)
{
	return share->failures > 0 && share->failed_until_ms > now_ms;
}

bool
share_fail(struct share *share, uint64_t now_ms, const char *why)
{
	unsigned doubled = share->failures < 10 ? share->failures : 10;
	uint64_t wait_ms = (uint64_t)FAILED_MS_MIN << doubled;

	/* What was under way at the same time says nothing new. */
	if (share_is_failed(share, now_ms) && !share->trying)
		return false;
	share->trying = false;
	snprintf(share->why, sizeof(share->why), "%s", why);
	share->failed_until_ms = now_ms + (wait_ms < FAILED_MS_MAX ? wait_ms : FAILED_MS_MAX);
	return share->failures++ == 0;
}

void
share_try(struct share *share, uint64_t now_ms)
{
	share->trying = share->failures > 0;
	if (share->trying)
		share->failed_until_ms = now_ms + FAILED_MS_MIN;
}

void
shares_write(const struct shares *shares, struct buf *out)
{
	for (size_t i = 0; i < shares->count; i++) {
		const struct share *share = &shares->rows[i];

		if (share->used == 0)
			continue;
		date_write_day(out, shares->day * WARMUP_DAY_MS);
		buf_add_char(out, ' ');
		net_addr_write(out, &share->addr);
		buf_addf(out, " %llu%s%s\n", (unsigned long long)share->used,
		    share->provider[0] ? " " : "", share->provider);
	}
}

static bool
read_line(struct shares *shares, struct span line, uint64_t day)
{
	struct span date, addr, count;
	struct net_addr at;
	uint64_t used, wall_ms;
	struct share *share;

	if (!span_cut(&line, ' ', &date) || !date_read_day(date, &wall_ms) ||
	    !span_cut(&line, ' ', &addr) || net_addr_parse(addr, &at) ||
	    !span_cut(&line, ' ', &count) || !span_u64(count, UINT64_MAX, &used) ||
	    span_find(line, '\0') < line.len)
		return false;
	if (wall_ms / WARMUP_DAY_MS != day)
		return true;
	share = shares_take(shares, &at, line);
	if (!share || share->used > 0)
		return false;
	share->used = used;
	return true;
}

enum err
shares_read(struct shares *shares, struct span text, uint64_t day)
{
	struct span line;

	shares_begin(shares, day);
	while (text.len > 0) {
		if (span_find(text, '\n') == text.len)
			return ERR_SYNTAX;
		if (!span_cut(&text, '\n', &line) || !read_line(shares, line, day))
			return ERR_SYNTAX;
	}
	return OK;
}
