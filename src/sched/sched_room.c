/*
 * Who may start an attempt while there are only so many for all.
 *
 * Three kinds of attempts share them: the first one at a destination, for light mail; the first
 * one at a destination, for other mail or because it is down; and a further one where others are
 * under way.  Of each so many (spare) can be had whatever the other two have, and none of the three
 * can fill all: not some slow destinations with many attempts each, nor very many dead ones with
 * one each.
 *
 * What keeps the further ones off is that some places stay free, for first ones that may come at
 * any time.  Where firsts have all that they may have, no place is kept for them.
 */
#include "sched/sched_internal.h"

#include "base/check.h"
#include "base/sim_point.h"

void
sched_room_init(struct sched *sched)
{
	for (unsigned kind = 0; kind < SCHED_KINDS; kind++) {
		struct turns *turns = &sched->turns[kind];

		turns->max = UINT32_MAX;
		for (unsigned which = 0; which < RING_COUNT; which++)
			for (unsigned level = 0; level < LEVEL_COUNT; level++)
				sched_ring_init(&turns->rings[which][level]);
	}
}

void
sched_room(struct sched *sched, unsigned kind, uint32_t free, uint32_t spare)
{
	struct turns *turns = &sched->turns[kind];

	turns->max = turns->active + free;
	turns->spare = spare;
}

void
sched_room_count(struct sched *sched, uint32_t turn, int64_t change)
{
	struct turn *of = turn_at(sched, turn);
	struct turns *turns = &sched->turns[of->kind];
	uint32_t before = of->active;

	check(change >= 0 || before >= (uint64_t)-change);
	of->active = (uint32_t)(before + change);
	turns->active = (uint32_t)(turns->active + change);
	if (before == 0 && of->active > 0)
		turns->firsts[of->began]++;
	if (before > 0 && of->active == 0) {
		turns->firsts[of->began]--;
		of->began = RING_ALL;
	}
}

static uint32_t
less(uint32_t value, uint32_t by)
{
	return value > by ? value - by : 0;
}

static uint32_t
free_of(const struct turns *turns)
{
	return less(turns->max, turns->active);
}

/* How many that have nothing under way may begin. */
static uint32_t
firsts_left(const struct turns *turns)
{
	return less(less(turns->max, turns->spare),
	    turns->firsts[RING_LIGHT] + turns->firsts[RING_ALL]);
}

/* All of that level have less than what each would have if all who have any had the same. */
static bool
has_little(const struct turns *turns, unsigned level)
{
	uint32_t count = turns->firsts[RING_LIGHT] + turns->firsts[RING_ALL];

	return level >= LEVEL_BUSY && level < LEVEL_COUNT - 1 && count > 0 &&
	    (2u << (level - LEVEL_BUSY)) - 1 < turns->max / count;
}

static bool
may_start(const struct turns *turns, unsigned which, unsigned level)
{
	bool light = which == RING_LIGHT && level == LEVEL_IDLE;
	uint32_t left = firsts_left(turns);
	uint32_t kept = left < turns->spare ? left : turns->spare;

	if (level < LEVEL_BUSY &&
	    (left == 0 ||
	        turns->firsts[light ? RING_LIGHT : RING_ALL] >=
	            less(less(turns->max, turns->spare), turns->spare)))
		return false;
	if (light)
		return free_of(turns) > 0;
	if (level == LEVEL_IDLE || has_little(turns, level))
		return free_of(turns) > kept / 2;
	return free_of(turns) > kept;
}

static bool
has_one(const struct turns *turns, unsigned which, unsigned level)
{
	return turns->filled[which] >> level & 1 && may_start(turns, which, level);
}

/* Whose turn it is in a ring; LEVEL_COUNT: nobody may start. */
static unsigned
level_next(const struct turns *turns, unsigned which)
{
	unsigned busy = turns->filled[which] & ~((1u << LEVEL_BUSY) - 1), level;
	bool probe = has_one(turns, which, LEVEL_PROBE);

	if (has_one(turns, which, LEVEL_IDLE) &&
	    !(probe && turns->idle_run[which] == IDLE_RUN))
		return LEVEL_IDLE;
	if (probe)
		return LEVEL_PROBE;
	if (busy == 0)
		return LEVEL_COUNT;
	level = (unsigned)__builtin_ctz(busy);
	return may_start(turns, which, level) ? level : LEVEL_COUNT;
}

bool
sched_has_turn(const struct sched *sched, unsigned kind)
{
	const struct turns *turns = &sched->turns[kind];

	return level_next(turns, RING_LIGHT) < LEVEL_COUNT ||
	    level_next(turns, RING_ALL) < LEVEL_COUNT;
}

/* Light mail goes first, but one turn in four is one for all. */
uint32_t
sched_room_next(struct sched *sched, unsigned kind, unsigned *which)
{
	struct turns *turns = &sched->turns[kind];
	unsigned light = level_next(turns, RING_LIGHT), all = level_next(turns, RING_ALL);
	unsigned level;
	uint32_t next;

	if (light == LEVEL_COUNT && all == LEVEL_COUNT) {
		if (turns->filled[RING_ALL] && free_of(turns) > 0)
			SIM_MARK("sched.room_kept");
		else if (turns->filled[RING_ALL])
			SIM_MARK("sched.no_room");
		return SCHED_NONE;
	}
	if (light == LEVEL_COUNT)
		*which = RING_ALL;
	else if (all == LEVEL_COUNT)
		*which = RING_LIGHT;
	else
		*which = goes_first(&turns->light_run, LIGHT_RUN) ? RING_LIGHT : RING_ALL;
	level = *which == RING_LIGHT ? light : all;
	if (level == LEVEL_PROBE)
		turns->idle_run[*which] = 0;
	else if (level == LEVEL_IDLE && turns->filled[*which] >> LEVEL_PROBE & 1 &&
	    turns->idle_run[*which] < IDLE_RUN)
		turns->idle_run[*which]++;
	next = turns->rings[*which][level].first;
	if (level == LEVEL_IDLE)
		turn_at(sched, next)->began = (uint8_t)*which;
	return next;
}

bool
sched_room_lacks(const struct sched *sched, uint32_t at)
{
	const struct destination *destination = destination_at(sched, at);
	const struct turn *turn = destination->site != SCHED_NONE
	    ? &site_at(sched, destination->site)->turn
	    : &destination->turn;
	const struct turns *turns = &sched->turns[turn->kind];

	if (turns->active == 0)
		return false;
	for (unsigned which = 0; which < RING_COUNT; which++)
		if (turn->rings[which].in && may_start(turns, which, turn->rings[which].level))
			return false;
	return turn->rings[RING_ALL].in;
}
