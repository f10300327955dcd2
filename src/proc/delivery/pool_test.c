/* The pool of kept connections: which is taken, and that every way out of it leaves it sound. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/delivery/pool.h"

enum { ENTRIES = 40, WAYS = 5, STEPS = 20000 };

static const uint64_t seed[2] = {1, 2};

static struct pool_entry
entry_of(const char *key)
{
	return (struct pool_entry){.key = span_str(key)};
}

static void
newest_of_a_key_first(void **state)
{
	struct pool pool;
	struct pool_entry a = entry_of("x"), b = entry_of("x"), c = entry_of("y");

	(void)state;
	pool_init(&pool, seed);
	assert_null(pool_take(&pool, SPAN("x")));
	assert_null(pool_oldest(&pool));
	pool_put(&pool, &a, 10);
	pool_put(&pool, &b, 20);
	pool_put(&pool, &c, 30);
	assert_int_equal(pool.count, 3);
	assert_ptr_equal(pool_oldest(&pool), &a);
	assert_ptr_equal(pool_take(&pool, SPAN("x")), &b);
	assert_ptr_equal(pool_take(&pool, SPAN("x")), &a);
	assert_null(pool_take(&pool, SPAN("x")));
	assert_ptr_equal(pool_oldest(&pool), &c);
	assert_int_equal(pool_oldest(&pool)->since_ms, 30);
	assert_ptr_equal(pool_take(&pool, SPAN("y")), &c);
	pool_fini(&pool);
}

static void
any_of_a_key_can_go(void **state)
{
	struct pool pool;

	(void)state;
	for (size_t gone = 0; gone < 3; gone++) {
		struct pool_entry all[3] = {entry_of("x"), entry_of("x"), entry_of("x")};

		pool_init(&pool, seed);
		for (size_t i = 0; i < 3; i++)
			pool_put(&pool, &all[i], i);
		pool_remove(&pool, &all[gone]);
		pool_remove(&pool, &all[gone]);
		for (size_t i = 3; i-- > 0;)
			if (i != gone)
				assert_ptr_equal(pool_take(&pool, SPAN("x")), &all[i]);
		assert_null(pool_take(&pool, SPAN("x")));
		pool_fini(&pool);
	}
}

/* The entry of a way that was put last, by the model. */
static size_t
newest_of(const uint64_t put_at[ENTRIES], size_t way)
{
	size_t newest = way;

	for (size_t i = way; i < ENTRIES; i += WAYS)
		if (put_at[i] > put_at[newest])
			newest = i;
	return newest;
}

/* Many steps at random, beside a model: when each was put, 0 where it is not in. */
static void
as_a_model_does(void **state)
{
	static const char *const keys[WAYS] = {"a", "b", "c", "d", "e"};
	struct pool_entry entries[ENTRIES];
	struct pool pool;
	uint32_t chance = 7;
	uint64_t put_at[ENTRIES] = {0};
	size_t count = 0;

	(void)state;
	pool_init(&pool, seed);
	for (size_t i = 0; i < ENTRIES; i++)
		entries[i] = entry_of(keys[i % WAYS]);
	for (uint64_t step = 1; step <= STEPS; step++) {
		size_t i;

		chance = chance * 1664525 + 1013904223;
		i = (chance >> 8) % ENTRIES;
		if (put_at[i] == 0) {
			pool_put(&pool, &entries[i], step);
			put_at[i] = step;
			count++;
		} else {
			bool any = (chance >> 20) & 1;
			size_t gone = any ? i : newest_of(put_at, i % WAYS);

			if (any)
				pool_remove(&pool, &entries[i]);
			else
				assert_ptr_equal(
				    pool_take(&pool, entries[i].key), &entries[gone]);
			put_at[gone] = 0;
			count--;
		}
		assert_int_equal(pool.count, count);
	}
	while (pool_oldest(&pool))
		pool_remove(&pool, pool_oldest(&pool));
	pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(newest_of_a_key_first),
	    cmocka_unit_test(any_of_a_key_can_go),
	    cmocka_unit_test(as_a_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
