/* Rate limits: never more in a period than allowed, and as soon as they may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "route/rate.h"

enum { HOUR_MS = 3600000 };

/* The times of the first tokens for whoever takes each as soon as it is there. */
static const struct {
	const char *name;
	struct rate_limit limit;
	uint64_t times_ms[6];
} cases[] = {
    {"no limit", {0, 0}, {5000, 5000, 5000, 5000, 5000, 5000}},
    {"one a second", {1, 1000}, {5000, 6000, 7000, 8000, 9000, 10000}},
    {"two a second are spread", {2, 1000}, {5000, 5500, 6000, 6500, 7000, 7500}},
    {"a third of a second, each rounded up", {3, 1000},
	{5000, 5334, 5668, 6002, 6336, 6670}},
    {"twenty: two at once", {20, 19000}, {5000, 5000, 6000, 7000, 8000, 9000}},
    {"many in a millisecond", {1000000, 1000}, {5000, 5000, 5000, 5000, 5000, 5000}},
    {"one in thirty days", {1, RATE_PERIOD_MS_MAX},
	{5000, 5000 + RATE_PERIOD_MS_MAX, 5000 + 2 * RATE_PERIOD_MS_MAX,
	    5000 + 3 * RATE_PERIOD_MS_MAX, 5000 + 4 * RATE_PERIOD_MS_MAX,
	    5000 + 5 * RATE_PERIOD_MS_MAX}},
};

static void
test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rate rate = {0};
		uint64_t now_ms = 5000;

		for (size_t at = 0; at < LEN(cases[i].times_ms); at++) {
			now_ms = rate_next_ms(&rate, &cases[i].limit, now_ms);
			if (now_ms != cases[i].times_ms[at])
				fail_msg("%s: %zu at %llu", cases[i].name, at,
				    (unsigned long long)now_ms);
			rate_take(&rate, &cases[i].limit, now_ms);
		}
	}
}

/* Whatever was taken when: no period holds more than the limit. */
static void
test_no_period_holds_more(void **state)
{
	static const struct rate_limit limits[] = {{1, 1000}, {3, 1000}, {7, 60000},
	    {20, 1000}, {100, 60000}, {1000, 1000}, {999, 7777}};
	uint64_t *taken_ms = mem_alloc(20000 * sizeof(*taken_ms));

	(void)state;
	for (size_t i = 0; i < LEN(limits); i++) {
		struct rate rate = {0};
		uint64_t now_ms = 1, chance = 42;
		size_t first = 0;

		for (size_t count = 0; count < 20000; count++) {
			chance =
			    chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
			/* Mostly in a hurry, at times after a pause. */
			if (chance >> 60 == 0)
				now_ms += (chance >> 32) % limits[i].period_ms;
			now_ms = rate_next_ms(&rate, &limits[i], now_ms);
			rate_take(&rate, &limits[i], now_ms);
			taken_ms[count] = now_ms;
			while (taken_ms[first] + limits[i].period_ms <= now_ms)
				first++;
			if (count - first + 1 > limits[i].count)
				fail_msg(
				    "limit %zu: %zu in a period", i, count - first + 1);
		}
	}
	mem_free(taken_ms);
}

/* In an hour of always wanting more, at least nine tenths of what is allowed. */
static void
test_most_of_it_is_given(void **state)
{
	static const struct rate_limit limits[] = {
	    {1, 1000}, {10, 60000}, {100, 60000}, {50, 1000}};

	(void)state;
	for (size_t i = 0; i < LEN(limits); i++) {
		struct rate rate = {0};
		uint64_t now_ms = 0, count = 0;
		uint64_t allowed = limits[i].count * (HOUR_MS / limits[i].period_ms);

		while ((now_ms = rate_next_ms(&rate, &limits[i], now_ms)) < HOUR_MS) {
			rate_take(&rate, &limits[i], now_ms);
			count++;
		}
		assert_in_range(count, allowed * 9 / 10, allowed);
	}
}

static void
test_full(void **state)
{
	const struct rate_limit limit = {60, 60000};
	struct rate rate = {0};

	(void)state;
	assert_true(rate_is_full(&rate, 0));
	rate_take(&rate, &limit, 1000);
	assert_false(rate_is_full(&rate, 1000));
	assert_true(rate_is_full(&rate, 1000 + 60000));
	/* After a pause of any length it holds no more than when it was new. */
	assert_int_equal(rate_next_ms(&rate, &limit, HOUR_MS), HOUR_MS);
}

/* What was charged past the limit is waited for, but never longer than a period. */
static void
charges_are_owed(void **state)
{
	const struct rate_limit limit = {10, 10000};
	struct rate rate = {0};

	(void)state;
	rate_charge(&rate, &limit, 5000);
	assert_int_equal(rate_next_ms(&rate, &limit, 5000), 6000);
	rate_charge(&rate, &limit, 5000);
	assert_int_equal(rate_next_ms(&rate, &limit, 5000), 7000);
	for (int i = 0; i < 1000; i++)
		rate_charge(&rate, &limit, 5000);
	assert_int_equal(rate_next_ms(&rate, &limit, 5000), 15000);
	assert_int_equal(rate_next_ms(&rate, &limit, 20000), 20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_no_period_holds_more),
	    cmocka_unit_test(test_most_of_it_is_given),
	    cmocka_unit_test(charges_are_owed),
	    cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
