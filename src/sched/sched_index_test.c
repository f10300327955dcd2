/* Tables from keys to slots: compared with a plain array, also where hashes are all alike. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "sched/sched_index.h"
#include "sched/sched_pool.h"

enum { KEYS = 5000, STEPS = 60000 };

struct keys {
	bool alike; /* every eighth hash is the same */
	bool in[KEYS];
};

static uint32_t
hash_of(const void *owner, uint32_t slot)
{
	const struct keys *keys = owner;

	return keys->alike && slot % 8 == 0 ? 7 : sched_index_mix(1, slot, 2);
}

static bool
is(const void *owner, uint32_t slot, const void *key)
{
	(void)owner;
	return slot == *(const uint32_t *)key;
}

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
assert_all(const struct index *index, const struct keys *keys)
{
	size_t count = 0;

	for (uint32_t key = 0; key < KEYS; key++) {
		uint32_t found = sched_index_find(index, hash_of(keys, key), is, &key);

		assert_int_equal(found, keys->in[key] ? key : POOL_NONE);
		count += keys->in[key];
	}
	assert_int_equal(index->count, count);
}

static void
it_holds_what_was_added_and_not_removed(void **state)
{
	static struct keys keys;
	uint64_t seed = 88172645463325252;
	struct index index;

	(void)state;
	for (int alike = 0; alike < 2; alike++) {
		keys = (struct keys){.alike = alike};
		sched_index_init(&index, &keys, hash_of);
		assert_all(&index, &keys);
		for (int step = 0; step < STEPS; step++) {
			/* It grows for a while, then shrinks. */
			bool adds = chance(&seed) % 4 < (step < STEPS / 2 ? 3 : 1);
			uint32_t key = (uint32_t)(chance(&seed) % KEYS);

			if (adds && !keys.in[key])
				sched_index_add(&index, key);
			else if (!adds && keys.in[key])
				sched_index_remove(&index, key);
			keys.in[key] = adds;
			if (step % 6000 == 0)
				assert_all(&index, &keys);
		}
		assert_all(&index, &keys);
		for (uint32_t key = 0; key < KEYS; key++)
			if (keys.in[key]) {
				sched_index_remove(&index, key);
				keys.in[key] = false;
			}
		assert_all(&index, &keys);
		/* Little is left of its memory. */
		assert_true(sched_index_bytes(&index) < 64 * 64 * sizeof(uint32_t));
		sched_index_fini(&index);
	}
}

static void
what_is_reserved_need_not_grow(void **state)
{
	static struct keys keys;
	size_t bytes = 0;
	struct index index;

	(void)state;
	keys = (struct keys){0};
	sched_index_init(&index, &keys, hash_of);
	sched_index_add(&index, 0);
	keys.in[0] = true;
	/* Shards differ by chance: so few keys find room in what is made for twice as many. */
	sched_index_reserve(&index, 2 * KEYS);
	bytes = sched_index_bytes(&index);
	assert_all(&index, &keys);
	for (uint32_t key = 1; key < KEYS; key++) {
		sched_index_add(&index, key);
		keys.in[key] = true;
	}
	assert_all(&index, &keys);
	assert_int_equal(sched_index_bytes(&index), bytes);
	assert_in_range(bytes, 2 * KEYS * 5, 2 * KEYS * 8);
	/* Less than there is: nothing changes. */
	sched_index_reserve(&index, 10);
	assert_int_equal(sched_index_bytes(&index), bytes);
	sched_index_fini(&index);
}

static void
a_place_costs_few_bytes(void **state)
{
	static struct keys keys;
	struct index index;

	(void)state;
	keys = (struct keys){0};
	sched_index_init(&index, &keys, hash_of);
	for (uint32_t key = 0; key < KEYS; key++)
		sched_index_add(&index, key);
	assert_in_range(sched_index_bytes(&index), 4 * KEYS, 8 * KEYS);
	sched_index_fini(&index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_holds_what_was_added_and_not_removed),
	    cmocka_unit_test(what_is_reserved_need_not_grow),
	    cmocka_unit_test(a_place_costs_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
