/* Retries: the schedule, its last entry repeating, a share of chance either way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "route/retry.h"

static const uint64_t schedule_ms[] = {1000, 60000, 5};

static const struct {
	unsigned tries;
	uint64_t jitter_percent, chance, wait_ms;
} cases[] = {
    {1, 10, 0, 900},
    {1, 10, 100, 1000},
    {1, 10, 200, 1100},
    {1, 10, 201, 900},
    {1, 0, 12345, 1000},
    {1, 20, 0, 800},
    {1, 20, 400, 1200},
    {1, 100, 0, 0},
    {2, 10, 0, 54000},
    {2, 10, 12000, 66000},
    {3, 10, 12345, 5},
    {3, 50, 0, 3},
    {4, 10, 12345, 5},
    {4294967295u, 10, UINT64_MAX, 5},
    {0, 10, 100, 1000},
};

static void
test_schedule(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		uint64_t wait_ms = retry_wait_ms(schedule_ms, LEN(schedule_ms),
		    cases[i].tries, cases[i].jitter_percent, cases[i].chance);

		if (wait_ms != cases[i].wait_ms)
			fail_msg("case %zu: %llu", i, (unsigned long long)wait_ms);
	}
}

static void
test_the_longest_wait_there_is(void **state)
{
	const uint64_t forever[] = {UINT64_MAX / 2};

	(void)state;
	for (uint64_t chance = 0; chance < 64; chance++) {
		uint64_t wait_ms = retry_wait_ms(forever, 1, 1, 10, UINT64_MAX >> chance);

		assert_true(wait_ms >= forever[0] - forever[0] / 10);
		assert_true(wait_ms <= forever[0] + forever[0] / 10);
	}
}

static void
test_without_a_schedule(void **state)
{
	(void)state;
	assert_int_equal(retry_wait_ms(schedule_ms, 0, 1, 10, 7), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_schedule),
	    cmocka_unit_test(test_the_longest_wait_there_is),
	    cmocka_unit_test(test_without_a_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
