/* Maps: held against a plain array through many random steps. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

enum { KEYS = 300, STEPS = 20000 };

static uint64_t
next_random(uint64_t *x)
{
	*x = *x * 6364136223846793005 + 1442695040888963407;
	return *x >> 33;
}

/* The same steps on a map and on an array, with numbers or with bytes as keys. */
static void
walk(bool numbers)
{
	static const char values[KEYS];
	char texts[KEYS][16];
	const void *model[KEYS] = {NULL};
	uint64_t x = 1;
	struct map map;

	map_init(&map, seed);
	for (int i = 0; i < KEYS; i++)
		snprintf(texts[i], sizeof(texts[i]), "key-%d", i);
	for (int step = 0; step < STEPS; step++) {
		size_t k = next_random(&x) % KEYS;
		size_t v = next_random(&x) % KEYS;
		struct span key = span_str(texts[k]);
		void *value = (void *)(uintptr_t)&values[v];

		if (next_random(&x) % 2) {
			numbers ? map_set_u64(&map, k, value) : map_set(&map, key, value);
			model[k] = value;
		} else {
			assert_ptr_equal(
			    numbers ? map_remove_u64(&map, k) : map_remove(&map, key),
			    model[k]);
			model[k] = NULL;
		}
		/* Without free slots a search would not end. */
		assert_true((map.count + map.deleted) * 4 <= map.room * 3);
		k = next_random(&x) % KEYS;
		key = span_str(texts[k]);
		assert_ptr_equal(
		    numbers ? map_get_u64(&map, k) : map_get(&map, key), model[k]);
	}
	map_fini(&map);
}

static void
numbers_behave_as_an_array(void **state)
{
	(void)state;
	walk(true);
}

static void
bytes_behave_as_an_array(void **state)
{
	(void)state;
	walk(false);
}

static void
a_map_does_not_grow_from_removals(void **state)
{
	int value;
	struct map map;

	(void)state;
	map_init(&map, seed);
	for (uint64_t i = 0; i < 100000; i++) {
		map_set_u64(&map, i, &value);
		assert_ptr_equal(map_remove_u64(&map, i), &value);
	}
	assert_int_equal(map.count, 0);
	assert_true(map.room <= 16);
	map_fini(&map);
}

static void
walking_visits_each_once_and_may_remove(void **state)
{
	static const struct span keys[] = {
	    SPAN("a"), SPAN("b"), SPAN("c"), SPAN("d"), SPAN("e")};
	int visits[LEN(keys)] = {0};
	struct map map;
	size_t at = 0;
	int *visit;

	(void)state;
	map_init(&map, seed);
	assert_null(map_next(&map, &at));
	for (size_t i = 0; i < LEN(keys); i++)
		map_set(&map, keys[i], &visits[i]);
	at = 0;
	while ((visit = map_next(&map, &at)) != NULL) {
		++*visit;
		assert_ptr_equal(map_remove(&map, keys[visit - visits]), visit);
	}
	for (size_t i = 0; i < LEN(keys); i++)
		assert_int_equal(visits[i], 1);
	assert_int_equal(map.count, 0);
	map_fini(&map);
	map_fini(NULL);
}

static void
the_empty_key_is_a_key(void **state)
{
	int one, two;
	struct map map;

	(void)state;
	map_init(&map, seed);
	assert_null(map_get(&map, SPAN("")));
	map_set(&map, (struct span){NULL, 0}, &one);
	assert_ptr_equal(map_get(&map, SPAN("")), &one);
	map_set(&map, SPAN(""), &two);
	assert_int_equal(map.count, 1);
	assert_ptr_equal(map_remove(&map, (struct span){NULL, 0}), &two);
	assert_null(map_remove(&map, SPAN("")));
	map_fini(&map);
}

/* Vectors computed from the reference implementation of SipHash-1-3. */
static void
hashes_are_siphash_1_3(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
	    {0, 0xabac0158050fc4dc},
	    {1, 0xc9f49bf37d57ca93},
	    {7, 0xd3927d989bb11140},
	    {8, 0x369095118d299a8e},
	    {9, 0x25a48eb36c063de4},
	    {15, 0xd320d86d2a519956},
	    {16, 0xcc4fdd1a7d908b66},
	    {63, 0x9d199062b7bbb3a8},
	};
	char bytes[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_true(map_hash(seed, span_of(bytes, rows[i].len)) == rows[i].hash);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_behave_as_an_array),
	    cmocka_unit_test(bytes_behave_as_an_array),
	    cmocka_unit_test(a_map_does_not_grow_from_removals),
	    cmocka_unit_test(walking_visits_each_once_and_may_remove),
	    cmocka_unit_test(the_empty_key_is_a_key),
	    cmocka_unit_test(hashes_are_siphash_1_3),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
