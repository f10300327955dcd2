/* What a new address may send, day by day. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/warmup.h"

static struct conf_warmup
course(uint64_t start, uint64_t percent, uint64_t step, uint64_t end, bool is_limit)
{
	return (struct conf_warmup){.from_day = 1000, .start = start, .factor_percent = percent,
	    .step_days = step, .end = end, .is_limit = is_limit};
}

static void
a_share_grows_to_its_end(void **state)
{
	const struct conf_warmup doubled = course(50, 200, 1, 400, false);
	const struct conf_warmup kept = course(50, 200, 1, 300, true);

	(void)state;
	assert_int_equal(warmup_share(&doubled, 999), 0);
	assert_int_equal(warmup_share(&doubled, 1000), 50);
	assert_int_equal(warmup_share(&doubled, 1001), 100);
	assert_int_equal(warmup_share(&doubled, 1002), 200);
	/* The day that reaches the end is the first without a limit. */
	assert_true(warmup_share(&doubled, 1003) == WARMUP_NO_LIMIT);
	assert_true(warmup_share(&doubled, UINT64_MAX / 2) == WARMUP_NO_LIMIT);
	assert_int_equal(warmup_share(&kept, 1002), 200);
	assert_int_equal(warmup_share(&kept, 1003), 300);
	assert_int_equal(warmup_share(&kept, UINT64_MAX / 2), 300);
}

static void
it_grows_by_steps_and_fractions(void **state)
{
	const struct conf_warmup steps = course(10, 150, 3, 1000, true);
	const struct conf_warmup one = course(1, 101, 1, 1000000000, true);
	const struct conf_warmup same = course(20, 100, 1, 1000, true);

	(void)state;
	assert_int_equal(warmup_share(&steps, 1002), 10);
	assert_int_equal(warmup_share(&steps, 1003), 15);
	assert_int_equal(warmup_share(&steps, 1006), 22);
	assert_int_equal(warmup_share(&steps, 1009), 33);
	/* 1 times 1.01 is more than 1 some day, and ends. */
	assert_int_equal(warmup_share(&one, 1050), 1);
	assert_int_equal(warmup_share(&one, 1100), 2);
	assert_int_equal(warmup_share(&one, 1000 + 3000), 1000000000);
	assert_int_equal(warmup_share(&same, UINT64_MAX / 2), 20);
}

static void
one_knows_the_day_and_what_comes(void **state)
{
	const struct conf_warmup doubled = course(50, 200, 2, 200, false);
	const struct conf_warmup kept = course(50, 200, 1, 100, true);
	const struct conf_warmup one = course(1, 110, 1, 10, false);

	(void)state;
	assert_int_equal(warmup_number(&doubled, 999), 0);
	assert_int_equal(warmup_number(&doubled, 1000), 1);
	assert_int_equal(warmup_number(&doubled, 1004), 5);
	assert_int_equal(warmup_next_change(&doubled, 0), 1000);
	assert_int_equal(warmup_next_change(&doubled, 1000), 1002);
	assert_int_equal(warmup_next_change(&doubled, 1001), 1002);
	assert_int_equal(warmup_next_change(&doubled, 1002), 1004);
	assert_int_equal(warmup_next_change(&doubled, 1004), 0);
	assert_int_equal(warmup_next_change(&kept, 1000), 1001);
	assert_int_equal(warmup_next_change(&kept, 1001), 0);
	/* 1, 1.1, ... 1.9, 2.1 */
	assert_int_equal(warmup_next_change(&one, 1000), 1008);
}

static void
a_share_is_spread_over_its_day(void **state)
{
	const uint64_t hour = WARMUP_DAY_MS / 24;

	(void)state;
	/* A low one goes at once. */
	assert_int_equal(warmup_burst(3), 3);
	assert_int_equal(warmup_released(3, 0), 3);
	assert_int_equal(warmup_release_ms(3, 3), 0);
	assert_int_equal(warmup_burst(100), 20);
	assert_int_equal(warmup_burst(24000), 1000);
	assert_int_equal(warmup_released(100, 0), 20);
	assert_int_equal(warmup_released(100, 12 * hour), 60);
	assert_int_equal(warmup_released(100, 24 * hour - 1), 99);
	assert_int_equal(warmup_release_ms(100, 20), 0);
	assert_int_equal(warmup_release_ms(100, 60), 12 * hour);
	assert_int_equal(warmup_release_ms(100, 100), 24 * hour);
	assert_int_equal(warmup_release_ms(100, 101), 24 * hour);
	/* Four times as fast: a share in six hours. */
	assert_int_equal(warmup_interval_ns(6), hour * 1000000);
}

static void
what_is_released_then_was_not_a_moment_before(void **state)
{
	static const uint64_t shares[] = {21, 50, 333, 20000, CONF_SHARE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t share = shares[i], step = share / 17 + 1;

		for (uint64_t n = warmup_burst(share) + 1; n < share; n += step) {
			uint64_t ms = warmup_release_ms(share, n);

			assert_true(ms < WARMUP_DAY_MS);
			assert_true(warmup_released(share, ms) >= n);
			assert_true(warmup_released(share, ms - 1) < n);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_share_grows_to_its_end),
	    cmocka_unit_test(it_grows_by_steps_and_fractions),
	    cmocka_unit_test(one_knows_the_day_and_what_comes),
	    cmocka_unit_test(a_share_is_spread_over_its_day),
	    cmocka_unit_test(what_is_released_then_was_not_a_moment_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
