/* Counts of failures: pauses that grow, and memory that does not. */
#include "sasl/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint64_t seed[2] = {1, 2};

enum { MINUTE_MS = 60000 };

static void
pauses_grow(void **state)
{
	struct guard *guard = guard_create(seed);
	struct span key = SPAN("key");
	uint64_t now_ms = 1000;

	(void)state;
	assert_int_equal(guard_wait_ms(guard, key, 3, MINUTE_MS, now_ms), 0);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(guard_count(guard, key, now_ms), i);
	assert_int_equal(guard_wait_ms(guard, key, 3, MINUTE_MS, now_ms), MINUTE_MS);
	assert_int_equal(guard_wait_ms(guard, key, 4, MINUTE_MS, now_ms), 0);
	assert_int_equal(guard_wait_ms(guard, key, 0, MINUTE_MS, now_ms), 0);
	assert_int_equal(guard_wait_ms(guard, SPAN("other"), 3, MINUTE_MS, now_ms), 0);
	now_ms += MINUTE_MS;
	assert_int_equal(guard_wait_ms(guard, key, 3, MINUTE_MS, now_ms), 0);
	guard_count(guard, key, now_ms);
	assert_int_equal(guard_wait_ms(guard, key, 3, MINUTE_MS, now_ms), 2 * MINUTE_MS);
	for (int i = 0; i < 100; i++)
		guard_count(guard, key, now_ms);
	assert_int_equal(
	    guard_wait_ms(guard, key, 3, MINUTE_MS, now_ms), GUARD_PAUSE_MAX_MS);
	now_ms += GUARD_FORGET_MS;
	assert_int_equal(guard_count(guard, key, now_ms), 1);
	guard_destroy(guard);
}

static void
shared_memory_keeps_counts(void **state)
{
	void *memory = calloc(1, guard_bytes());
	struct guard *old, *new;
	struct span key = SPAN("key");

	(void)state;
	assert_non_null(memory);
	guard_format(memory, seed);
	old = guard_open(memory);
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(guard_count(old, key, 1000), i);
	/* Whose clock is a little behind forgets nothing, and lets nobody in. */
	new = guard_open(memory);
	assert_int_equal(guard_wait_ms(new, key, 3, MINUTE_MS, 999), MINUTE_MS);
	assert_true(guard_knows(new, key, 999));
	assert_int_equal(guard_count(new, key, 999), 4);
	free(memory);
}

static void
success_is_taken_back(void **state)
{
	struct guard *guard = guard_create(seed);

	(void)state;
	guard_count(guard, SPAN("a"), 5);
	guard_count(guard, SPAN("a"), 5);
	guard_take_back(guard, SPAN("a"));
	assert_int_equal(guard_count(guard, SPAN("a"), 5), 2);
	guard_forget(guard, SPAN("a"));
	assert_false(guard_knows(guard, SPAN("a"), 5));
	assert_int_equal(guard_count(guard, SPAN("a"), 5), 1);
	assert_true(guard_knows(guard, SPAN("a"), 5));
	assert_false(guard_knows(guard, SPAN("a"), 5 + GUARD_FORGET_MS));
	guard_take_back(guard, SPAN("unknown"));
	guard_destroy(guard);
}

/* A flood of new keys pushes out its own kind, not the one that failed often. */
static void
a_flood_does_not_forgive(void **state)
{
	struct guard *guard = guard_create(seed);
	char key[24];

	(void)state;
	for (int i = 0; i < 10; i++)
		guard_count(guard, SPAN("guesser"), 5);
	for (int i = 0; i < 10 * GUARD_SETS * GUARD_WAYS; i++) {
		int len = snprintf(key, sizeof(key), "%d", i);

		guard_count(guard, span_of(key, (size_t)len), 6);
	}
	assert_int_equal(guard_count(guard, SPAN("guesser"), 7), 11);
	guard_destroy(guard);
}

static void
answers_come_later_and_later(void **state)
{
	(void)state;
	assert_int_equal(guard_delay_ms(1, 1000), 1000);
	assert_int_equal(guard_delay_ms(2, 1000), 2000);
	assert_int_equal(guard_delay_ms(5, 1000), 16000);
	assert_int_equal(guard_delay_ms(500, 1000), 16000);
	assert_int_equal(guard_delay_ms(500, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pauses_grow),
	    cmocka_unit_test(shared_memory_keeps_counts),
	    cmocka_unit_test(success_is_taken_back),
	    cmocka_unit_test(a_flood_does_not_forgive),
	    cmocka_unit_test(answers_come_later_and_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
