/*
 * The timer wheel: what is due comes out, in the order of time, none too early and none lost,
 * over all its levels, with clocks that jump and budgets that end.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "sched/sched_wheel.h"

enum { SLOTS = 2000, STEPS = 20000 };

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static uint64_t
due_of(struct pool *pool, uint32_t slot)
{
	const struct wheel_node *node = sched_pool_at(pool, slot);

	return node->due_ms;
}

static uint32_t
pop(struct wheel *wheel, uint64_t now_ms)
{
	unsigned budget = UINT32_MAX;

	return sched_wheel_pop(wheel, now_ms, &budget);
}

static void
each_level_gives_back_what_is_due(void **state)
{
	static const uint64_t waits_ms[] = {0, 1, 255, 256, 257, 65535, 65536, 70000, 16777215,
	    16777216, UINT64_C(1) << 32, UINT64_C(1) << 40, (UINT64_C(1) << 40) + 3};
	const uint64_t start_ms = UINT64_C(1764000000123);

	(void)state;
	for (size_t i = 0; i < LEN(waits_ms); i++) {
		struct wheel wheel;
		struct pool pool;
		uint32_t slot;

		sched_pool_init(&pool, sizeof(struct wheel_node));
		sched_wheel_init(&wheel, &pool, start_ms);
		assert_true(sched_wheel_next_ms(&wheel) == UINT64_MAX);
		slot = sched_pool_take(&pool);
		sched_wheel_add(&wheel, slot, start_ms + waits_ms[i]);
		assert_true(sched_wheel_next_ms(&wheel) <= start_ms + waits_ms[i]);
		if (waits_ms[i] > 0)
			assert_int_equal(pop(&wheel, start_ms + waits_ms[i] - 1), POOL_NONE);
		assert_int_equal(pop(&wheel, start_ms + waits_ms[i]), slot);
		assert_int_equal(pop(&wheel, start_ms + waits_ms[i]), POOL_NONE);
		assert_int_equal(wheel.count, 0);
		sched_pool_fini(&pool);
	}
}

static void
what_is_far_away_is_kept(void **state)
{
	struct wheel wheel;
	struct pool pool;
	uint32_t slot;

	(void)state;
	sched_pool_init(&pool, sizeof(struct wheel_node));
	sched_wheel_init(&wheel, &pool, 1000);
	slot = sched_pool_take(&pool);
	sched_wheel_add(&wheel, slot, UINT64_MAX);
	assert_int_equal(pop(&wheel, UINT64_C(1) << 47), POOL_NONE);
	assert_int_equal(wheel.count, 1);
	assert_int_equal(pop(&wheel, UINT64_MAX), slot);
	sched_pool_fini(&pool);
}

struct world {
	struct wheel wheel;
	struct pool pool;
	uint32_t slots[SLOTS];
	bool waits[SLOTS];
	uint64_t now_ms, seed;
};

static void
add(struct world *world, size_t at)
{
	static const unsigned bits[] = {4, 10, 18, 28, 36};
	uint64_t wait_ms =
	    chance(&world->seed) & ((UINT64_C(1) << bits[chance(&world->seed) % 5]) - 1);

	sched_wheel_add(&world->wheel, world->slots[at], world->now_ms + wait_ms);
	world->waits[at] = true;
}

/* All that is due comes, in the order of time; with a small budget in many calls. */
static void
take_due(struct world *world)
{
	uint64_t before_ms = 0;
	unsigned budget = 0;

	for (int calls = 0; calls < 1000000; calls++) {
		uint32_t slot;

		budget = 1 + (unsigned)(chance(&world->seed) % 7);
		slot = sched_wheel_pop(&world->wheel, world->now_ms, &budget);
		if (slot == POOL_NONE && budget > 0)
			break;
		if (slot == POOL_NONE)
			continue;
		assert_true(due_of(&world->pool, slot) <= world->now_ms);
		assert_true(due_of(&world->pool, slot) >= before_ms);
		before_ms = due_of(&world->pool, slot);
		assert_true(world->waits[slot]);
		world->waits[slot] = false;
	}
	assert_true(budget > 0);
}

static void
assert_right(const struct world *world)
{
	uint64_t first_ms = UINT64_MAX;
	size_t count = 0;

	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct wheel_node *node = sched_pool_at(&world->pool, i);

		if (!world->waits[i])
			continue;
		count++;
		assert_true(node->due_ms > world->now_ms);
		if (node->due_ms < first_ms)
			first_ms = node->due_ms;
	}
	assert_int_equal(world->wheel.count, count);
	assert_true(sched_wheel_next_ms(&world->wheel) <= first_ms);
	assert_true(sched_wheel_next_ms(&world->wheel) > world->now_ms);
}

/* Forwards by any step, now and then backwards. */
static void
nothing_comes_early_and_nothing_is_lost(void **state)
{
	static struct world world;

	(void)state;
	world = (struct world){.now_ms = UINT64_C(1764000000000), .seed = 88172645463325252};
	sched_pool_init(&world.pool, sizeof(struct wheel_node));
	sched_wheel_init(&world.wheel, &world.pool, world.now_ms);
	for (uint32_t i = 0; i < SLOTS; i++)
		world.slots[i] = sched_pool_take(&world.pool);
	for (int step = 0; step < STEPS; step++) {
		size_t at = chance(&world.seed) % SLOTS;

		if (world.waits[at] && chance(&world.seed) % 2) {
			sched_wheel_remove(&world.wheel, world.slots[at]);
			world.waits[at] = false;
		} else if (!world.waits[at]) {
			add(&world, at);
		}
		if (chance(&world.seed) % 16 > 0)
			continue;
		world.now_ms += chance(&world.seed) &
		    ((UINT64_C(1) << chance(&world.seed) % 24) - 1);
		if (chance(&world.seed) % 16 == 0)
			world.now_ms -= chance(&world.seed) % (1 << 24);
		take_due(&world);
		assert_right(&world);
	}
	world.now_ms += UINT64_C(1) << 40;
	take_due(&world);
	assert_int_equal(world.wheel.count, 0);
	sched_pool_fini(&world.pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_level_gives_back_what_is_due),
	    cmocka_unit_test(what_is_far_away_is_kept),
	    cmocka_unit_test(nothing_comes_early_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
