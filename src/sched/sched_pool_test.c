/* Pools: slots are zeroed and stay where they are; memory that nobody uses is given back. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "sched/sched_pool.h"

enum { COUNT = 10 * POOL_CHUNK_SLOTS };

static unsigned
chunks_there(const struct pool *pool)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < pool->chunk_count; i++)
		count += pool->chunks[i].slots != NULL;
	return count;
}

static void
slots_are_zeroed_and_do_not_move(void **state)
{
	static const uint64_t nothing[2];
	uint64_t *addresses[COUNT];
	struct pool pool;

	(void)state;
	sched_pool_init(&pool, sizeof(nothing));
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t slot = sched_pool_take(&pool);

		assert_int_equal(slot, i);
		addresses[i] = sched_pool_at(&pool, slot);
		assert_memory_equal(addresses[i], nothing, sizeof(nothing));
		memset(addresses[i], 0xff, sizeof(nothing));
	}
	for (uint32_t i = 0; i < COUNT; i++)
		assert_ptr_equal(sched_pool_at(&pool, i), addresses[i]);
	for (uint32_t i = 0; i < COUNT; i += 2)
		sched_pool_give(&pool, i);
	assert_int_equal(pool.count, COUNT / 2);
	for (uint32_t i = 0; i < COUNT / 2; i++) {
		uint32_t slot = sched_pool_take(&pool);

		assert_true(slot < COUNT && slot % 2 == 0);
		assert_memory_equal(sched_pool_at(&pool, slot), nothing, sizeof(nothing));
	}
	assert_int_equal(sched_pool_end(&pool), COUNT);
	sched_pool_fini(&pool);
}

static void
memory_comes_back_and_is_taken_again(void **state)
{
	struct pool pool;

	(void)state;
	sched_pool_init(&pool, 40);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < COUNT; i++)
			sched_pool_take(&pool);
		assert_int_equal(chunks_there(&pool), COUNT / POOL_CHUNK_SLOTS);
		assert_int_equal(sched_pool_end(&pool), COUNT);
		for (uint32_t i = 0; i < COUNT; i++)
			sched_pool_give(&pool, i);
		assert_int_equal(pool.count, 0);
		assert_int_equal(chunks_there(&pool), 1);
	}
	sched_pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_are_zeroed_and_do_not_move),
	    cmocka_unit_test(memory_comes_back_and_is_taken_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
