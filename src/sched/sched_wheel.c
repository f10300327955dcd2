/* See sched_wheel.h. */
#include "sched/sched_wheel.h"

#include "base/check.h"

/* The numbers that stand for the spokes, where a first node has a node before it. */
enum { DIGIT_BITS = 8 };
#define SPOKE_BASE (POOL_SLOTS_MAX + 1)

static struct wheel_node *
node_at(const struct wheel *wheel, uint32_t slot)
{
	return sched_pool_at(wheel->pool, slot);
}

static unsigned
digit_of(uint64_t time_ms, unsigned level)
{
	return (unsigned)(time_ms >> (level * DIGIT_BITS)) & (WHEEL_SPOKES - 1);
}

static unsigned
level_of(uint64_t differing)
{
	return differing ? (63u - (unsigned)__builtin_clzll(differing)) / DIGIT_BITS : 0;
}

void
sched_wheel_init(struct wheel *wheel, struct pool *pool, uint64_t now_ms)
{
	*wheel = (struct wheel){.pool = pool, .now_ms = now_ms};
	memset(wheel->first, 0xff, sizeof(wheel->first));
}

static void
file(struct wheel *wheel, uint32_t slot)
{
	struct wheel_node *node = node_at(wheel, slot);
	uint64_t due_ms = node->due_ms > wheel->now_ms ? node->due_ms : wheel->now_ms;
	unsigned level, digit;

	if (due_ms > WHEEL_TIME_MAX)
		due_ms = WHEEL_TIME_MAX;
	level = level_of(due_ms ^ wheel->now_ms);
	digit = digit_of(due_ms, level);
	node->prev = SPOKE_BASE + level * WHEEL_SPOKES + digit;
	node->next = wheel->first[level][digit];
	if (node->next != POOL_NONE)
		node_at(wheel, node->next)->prev = slot;
	wheel->first[level][digit] = slot;
	wheel->used[level][digit / 64] |= UINT64_C(1) << digit % 64;
}

static void
unfile(struct wheel *wheel, uint32_t slot)
{
	struct wheel_node *node = node_at(wheel, slot);

	if (node->next != POOL_NONE)
		node_at(wheel, node->next)->prev = node->prev;
	if (node->prev < SPOKE_BASE) {
		node_at(wheel, node->prev)->next = node->next;
	} else {
		uint32_t spoke = node->prev - SPOKE_BASE;
		unsigned level = spoke / WHEEL_SPOKES, digit = spoke % WHEEL_SPOKES;

		check(level < WHEEL_LEVELS && wheel->first[level][digit] == slot);
		wheel->first[level][digit] = node->next;
		if (node->next == POOL_NONE)
			wheel->used[level][digit / 64] &= ~(UINT64_C(1) << digit % 64);
	}
	node->prev = node->next = POOL_NONE;
}

void
sched_wheel_add(struct wheel *wheel, uint32_t slot, uint64_t due_ms)
{
	node_at(wheel, slot)->due_ms = due_ms;
	file(wheel, slot);
	wheel->count++;
}

void
sched_wheel_remove(struct wheel *wheel, uint32_t slot)
{
	check(wheel->count > 0);
	unfile(wheel, slot);
	wheel->count--;
}

static bool
is_used(const struct wheel *wheel, unsigned level, unsigned digit)
{
	return wheel->used[level][digit / 64] >> digit % 64 & 1;
}

/* The first used spoke of a level after the present one; WHEEL_SPOKES: there is none. */
static unsigned
next_spoke(const struct wheel *wheel, unsigned level)
{
	unsigned from = digit_of(wheel->now_ms, level) + 1;

	for (unsigned word = from / 64; word < WHEEL_SPOKES / 64; word++) {
		uint64_t bits = wheel->used[level][word];

		if (word == from / 64)
			bits &= ~UINT64_C(0) << from % 64;
		if (bits)
			return word * 64 + (unsigned)__builtin_ctzll(bits);
	}
	return WHEEL_SPOKES;
}

uint64_t
sched_wheel_next_ms(const struct wheel *wheel)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		if (is_used(wheel, level, digit_of(wheel->now_ms, level)))
			return wheel->now_ms;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned digit = next_spoke(wheel, level);
		unsigned shift = level * DIGIT_BITS;

		if (digit < WHEEL_SPOKES)
			return (wheel->now_ms >> shift >> DIGIT_BITS << DIGIT_BITS | digit)
			    << shift;
	}
	return UINT64_MAX;
}

/* The clock was set back: all is filed by the new present. */
static void
set_back(struct wheel *wheel, uint64_t now_ms)
{
	uint32_t all = POOL_NONE;

	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned digit = 0; digit < WHEEL_SPOKES; digit++)
			while (wheel->first[level][digit] != POOL_NONE) {
				uint32_t slot = wheel->first[level][digit];

				unfile(wheel, slot);
				node_at(wheel, slot)->next = all;
				all = slot;
			}
	wheel->now_ms = now_ms;
	while (all != POOL_NONE) {
		uint32_t slot = all;

		all = node_at(wheel, slot)->next;
		file(wheel, slot);
	}
}

/* Files again what the present has reached, from the highest digit down. */
static bool
bring_down(struct wheel *wheel, unsigned *budget)
{
	for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
		unsigned digit = digit_of(wheel->now_ms, level);

		while (is_used(wheel, level, digit)) {
			uint32_t slot = wheel->first[level][digit];

			if (*budget == 0)
				return false;
			--*budget;
			unfile(wheel, slot);
			file(wheel, slot);
		}
	}
	return true;
}

uint32_t
sched_wheel_pop(struct wheel *wheel, uint64_t now_ms, unsigned *budget)
{
	if (now_ms > WHEEL_TIME_MAX)
		now_ms = WHEEL_TIME_MAX;
	if (now_ms < wheel->now_ms)
		set_back(wheel, now_ms);
	for (;;) {
		uint32_t slot;
		uint64_t next_ms;

		if (!bring_down(wheel, budget))
			return POOL_NONE;
		slot = wheel->first[0][digit_of(wheel->now_ms, 0)];
		if (slot != POOL_NONE) {
			if (*budget == 0)
				return POOL_NONE;
			--*budget;
			sched_wheel_remove(wheel, slot);
			return slot;
		}
		next_ms = sched_wheel_next_ms(wheel);
		if (next_ms > now_ms) {
			wheel->now_ms = now_ms;
			return POOL_NONE;
		}
		wheel->now_ms = next_ms;
	}
}
