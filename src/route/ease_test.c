#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/ease.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static uint64_t
pause_of(const struct ease *ease, uint64_t now_ms)
{
	return ease->pause_until_ms > now_ms ? ease->pause_until_ms - now_ms : 0;
}

static void
pauses_double_up_to_their_bound(void **state)
{
	static const struct {
		enum ease_kind kind;
		uint64_t first_ms, second_ms, last_ms;
	} cases[] = {
	    {EASE_SLOW, MINUTE, 2 * MINUTE, HOUR},
	    {EASE_PAUSE, 30 * MINUTE, HOUR, EASE_PAUSE_MS_MAX},
	    {EASE_CONNECTIONS, 30 * SECOND, MINUTE, 10 * MINUTE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t now_ms = 1000;
		struct ease ease = {0};

		assert_true(ease_strike(&ease, cases[i].kind, 0, 0, now_ms));
		assert_int_equal(pause_of(&ease, now_ms), cases[i].first_ms);
		now_ms = ease.pause_until_ms;
		assert_true(ease_strike(&ease, cases[i].kind, 0, 0, now_ms));
		assert_int_equal(pause_of(&ease, now_ms), cases[i].second_ms);
		for (int k = 0; k < 40; k++) {
			now_ms = ease.pause_until_ms;
			assert_true(ease_strike(&ease, cases[i].kind, 0, UINT64_MAX / 4, now_ms));
			assert_true(pause_of(&ease, now_ms) <= EASE_PAUSE_MS_MAX);
		}
		assert_int_equal(pause_of(&ease, now_ms), cases[i].last_ms);
	}
}

static void
what_was_under_way_together_is_one_strike(void **state)
{
	struct ease ease = {0};

	(void)state;
	assert_true(ease_strike(&ease, EASE_SLOW, 9, 0, 1000));
	assert_int_equal(ease.connections, 5);
	assert_false(ease_strike(&ease, EASE_SLOW, 8, 0, 1010));
	assert_false(ease_strike(&ease, EASE_CONNECTIONS, 8, 0, 30000));
	assert_int_equal(ease.strikes, 1);
	/* But one that is graver counts, and is the first of its kind. */
	assert_true(ease_strike(&ease, EASE_PAUSE, 7, 0, 30000));
	assert_int_equal(ease.strikes, 1);
	assert_int_equal(pause_of(&ease, 30000), 30 * MINUTE);
	assert_int_equal(ease.connections, 1);
}

static void
a_server_may_say_how_long(void **state)
{
	struct ease ease = {0};

	(void)state;
	assert_true(ease_strike(&ease, EASE_SLOW, 0, 5000, 1000));
	assert_int_equal(pause_of(&ease, 1000), 5000);
	/* It did not suffice. */
	assert_true(ease_strike(&ease, EASE_SLOW, 0, 5000, 6000));
	assert_int_equal(pause_of(&ease, 6000), 2 * MINUTE);
	assert_true(ease_strike(&ease, EASE_SLOW, 0, 30 * MINUTE, 6000 + 2 * MINUTE));
	assert_int_equal(pause_of(&ease, 6000 + 2 * MINUTE), 30 * MINUTE);
}

/* Too many at a time: as many as there are, without a pause while others get through. */
static void
connections_shrink_to_what_works(void **state)
{
	struct ease ease = {0};

	(void)state;
	assert_true(ease_strike(&ease, EASE_CONNECTIONS, 4, 0, 1000));
	assert_int_equal(ease.connections, 4);
	assert_int_equal(pause_of(&ease, 1000), 0);
	assert_true(ease_strike(&ease, EASE_CONNECTIONS, 2, 0, 9000));
	assert_int_equal(ease.connections, 2);
	assert_true(ease_strike(&ease, EASE_CONNECTIONS, 0, 0, 20000));
	assert_int_equal(ease.connections, 1);
	assert_true(pause_of(&ease, 20000) > 0);
}

static void
calm_takes_it_back_step_by_step(void **state)
{
	struct ease ease = {0};
	uint64_t now_ms = 1000;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(ease_strike(&ease, EASE_SLOW, 15, 0, now_ms));
		now_ms = ease.pause_until_ms;
	}
	assert_int_equal(ease.connections, 2);
	assert_int_equal(ease.interval_ms, 2 * SECOND);
	assert_false(ease_pass(&ease, ease.until_ms - 1));
	for (uint32_t left = 2; left < 3; left--) {
		now_ms = ease.until_ms;
		assert_true(ease_pass(&ease, now_ms));
		assert_int_equal(ease.strikes, left);
		assert_int_equal(pause_of(&ease, now_ms), 0);
	}
	assert_int_equal(ease.connections, 16);
	assert_int_equal(ease.interval_ms, 0);
	assert_false(ease_pass(&ease, now_ms + HOUR));
	assert_string_equal(ease_name(EASE_SLOW), "slow");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pauses_double_up_to_their_bound),
	    cmocka_unit_test(what_was_under_way_together_is_one_strike),
	    cmocka_unit_test(a_server_may_say_how_long),
	    cmocka_unit_test(connections_shrink_to_what_works),
	    cmocka_unit_test(calm_takes_it_back_step_by_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
