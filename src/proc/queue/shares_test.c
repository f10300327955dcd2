/* What addresses have sent today, and the file of it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/queue/shares.h"
#include "route/warmup.h"

/* 2026-11-27 */
enum { TODAY = 20784 };

static struct share *
row(struct shares *shares, uint8_t last)
{
	const struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, last}};

	return shares_take(shares, &addr, SPAN(""));
}

#define HOUR_MS (WARMUP_DAY_MS / 24)
#define MIDNIGHT (TODAY * WARMUP_DAY_MS)

/* So long after midnight, by both clocks. */
static struct share_time
at(uint64_t into_day_ms)
{
	return (struct share_time){MIDNIGHT + into_day_ms, 5000 + into_day_ms};
}

static void
places_are_taken_and_given_back(void **state)
{
	const struct share_time time = at(HOUR_MS);
	struct shares shares = {0};
	struct share *share;

	(void)state;
	shares_begin(&shares, TODAY);
	share = row(&shares, 1);
	assert_ptr_equal(row(&shares, 1), share);
	assert_true(share_left(share, &time) == WARMUP_NO_LIMIT);
	share->max = 10;
	share->used = 4;
	share_keep(share, 5, &time);
	assert_int_equal(share_left(share, &time), 1);
	share_give_back(share, 3);
	assert_int_equal(share_left(share, &time), 4);
	share_keep(share, 3, &time);
	/* A reload may leave less than is under way. */
	share->max = 3;
	assert_int_equal(share_left(share, &time), 0);
	assert_int_equal(share_next_wall_ms(share, &time), MIDNIGHT + WARMUP_DAY_MS);
	share->max = 0;
	assert_int_equal(share_left(share, &time), 0);
	assert_false(shares_begin(&shares, TODAY));
	assert_true(shares_begin(&shares, TODAY + 1));
	assert_int_equal(share->used, 0);
	assert_int_equal(share->pending, 5);
	assert_true(shares.is_changed);
	shares_fini(&shares);
}

static void
use(struct share *share, uint64_t places, const struct share_time *time)
{
	share_keep(share, places, time);
	share->pending -= places;
	share->used += places;
}

/* 20 at once, and 5 an hour. */
static void
a_share_goes_evenly(void **state)
{
	struct share_time time = at(0);
	struct shares shares = {0};
	struct share *share;

	(void)state;
	shares_begin(&shares, TODAY);
	share = row(&shares, 1);
	share->max = 140;
	assert_int_equal(share_left(share, &time), 20);
	use(share, 20, &time);
	assert_int_equal(share_left(share, &time), 0);
	assert_int_equal(share_next_wall_ms(share, &time), MIDNIGHT + HOUR_MS / 5);
	/* No hour has more than its part, to the last. */
	for (unsigned hour = 1; hour < 24; hour++) {
		time = at(hour * HOUR_MS);
		assert_int_equal(share_left(share, &time), 5);
		use(share, 5, &time);
	}
	time = at(24 * HOUR_MS - 1);
	use(share, share_left(share, &time), &time);
	assert_int_equal(share->used, 139);
	assert_int_equal(share_next_wall_ms(share, &time), MIDNIGHT + 24 * HOUR_MS);
	shares_fini(&shares);
}

static void
what_nobody_used_goes_later_but_not_at_once(void **state)
{
	struct share_time time = at(12 * HOUR_MS);
	struct shares shares = {0};
	struct share *share;

	(void)state;
	shares_begin(&shares, TODAY);
	share = row(&shares, 1);
	share->max = 240;
	/* 130 have been released; 20 go, and then one in 90 s: 240 in 6 h. */
	assert_int_equal(share_left(share, &time), 20);
	use(share, 20, &time);
	assert_int_equal(share_left(share, &time), 0);
	assert_int_equal(share_next_wall_ms(share, &time), time.wall_ms + 90000);
	time = at(12 * HOUR_MS + 89999);
	assert_int_equal(share_left(share, &time), 0);
	time = at(12 * HOUR_MS + 90000);
	assert_int_equal(share_left(share, &time), 1);
	time = at(12 * HOUR_MS + 900000);
	assert_int_equal(share_left(share, &time), 10);
	/* Until it has caught up with the clock. */
	for (unsigned hour = 13; hour < 24; hour++) {
		time = at(hour * HOUR_MS);
		use(share, share_left(share, &time), &time);
	}
	assert_int_equal(share->used, warmup_released(240, 23 * HOUR_MS));
	shares_fini(&shares);
}

static void
who_waits_has_a_time_of_its_own(void **state)
{
	const struct share_time time = at(0);
	const uint64_t hour = MIDNIGHT + HOUR_MS, step = HOUR_MS / 5;
	struct shares shares = {0};
	struct share *share;

	(void)state;
	shares_begin(&shares, TODAY);
	share = row(&shares, 1);
	share->max = 140;
	use(share, 20, &time);
	assert_int_equal(share_promise(share, 1, &time, hour), MIDNIGHT + step);
	assert_int_equal(share_promise(share, 3, &time, hour), MIDNIGHT + 4 * step);
	/* What is too late is not promised, and others may still have that place. */
	assert_int_equal(share_promise(share, 2, &time, hour), MIDNIGHT + 6 * step);
	assert_int_equal(share_promise(share, 1, &time, hour), MIDNIGHT + 5 * step);
	/* More than ever go at once do not wait for it. */
	assert_int_equal(share_promise(share, 1000, &time, hour), MIDNIGHT + 25 * step);
	/* The first of all that are promised comes when it would for anybody. */
	assert_int_equal(share_next_wall_ms(share, &time), MIDNIGHT + step);
	shares_fini(&shares);
}

static void
one_that_is_lacking_is_left_alone(void **state)
{
	struct shares shares = {0};
	struct share *share = row(&shares, 1);

	(void)state;
	assert_false(share_is_failed(share, 1000));
	assert_true(share_fail(share, 1000, "192.0.2.1: not here"));
	assert_string_equal(share->why, "192.0.2.1: not here");
	/* What was under way at the same time says nothing new. */
	assert_false(share_fail(share, 1500, "192.0.2.1: not here"));
	assert_true(share_is_failed(share, 30999));
	assert_false(share_is_failed(share, 31000));
	/* One tries it, and others wait; then it is left alone for longer. */
	share_try(share, 31000);
	assert_true(share_is_failed(share, 31001));
	assert_false(share_fail(share, 32000, "192.0.2.1: not here"));
	assert_true(share_is_failed(share, 32000 + 59999));
	assert_false(share_is_failed(share, 32000 + 60000));
	for (unsigned i = 0; i < 50; i++) {
		share_try(share, 100000);
		(void)share_fail(share, 100000, "");
	}
	assert_false(share_is_failed(share, 100000 + 600000));
	/* One that works is not touched by a try. */
	share->failures = 0;
	share_try(share, 0);
	assert_false(share_is_failed(share, 1));
	shares_fini(&shares);
}

static void
the_file_brings_back_today(void **state)
{
	static const char text[] = "2026-11-27 192.0.2.1 45\n2026-11-27 2001:db8::1 7\n"
				   "2026-11-27 192.0.2.1 5 GMX and WEB.DE\n";
	struct shares shares = {0}, again = {0};
	struct buf out;

	(void)state;
	assert_int_equal(shares_read(&shares, span_str(text), TODAY), OK);
	assert_int_equal(shares.count, 3);
	assert_int_equal(row(&shares, 1)->used, 45);
	(void)row(&shares, 2);
	buf_init(&out, SHARES_BYTES_MAX);
	shares_write(&shares, &out);
	assert_int_equal(buf_finish(&out), OK);
	assert_true(span_eq(buf_span(&out), span_str(text)));
	buf_fini(&out);
	/* Of another day nothing counts. */
	assert_int_equal(shares_read(&again, span_str(text), TODAY + 1), OK);
	assert_int_equal(again.count, 0);
	shares_fini(&again);
	shares_fini(&shares);
}

static void
what_is_no_line_is_refused(void **state)
{
	static const char *const texts[] = {"x", "\n", "2026-11-27 192.0.2.1 45",
	    "2026-11-27 192.0.2.1\n", "2026-11-27 192.0.2.1 x\n",
	    "2026-11-27 192.0.2.1 4 0123456789012345678901234567890123456789\n",
	    "2026-11-32 192.0.2.1 45\n", "2026-11-27 192.0.2 45\n",
	    "2026-11-27 192.0.2.1 45\n2026-11-27 192.0.2.1 45\n",
	    "2026-11-27 192.0.2.1 45 a\n2026-11-27 192.0.2.1 45 a\n"};

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		struct shares shares = {0};

		assert_int_equal(shares_read(&shares, span_str(texts[i]), TODAY), ERR_SYNTAX);
		shares_fini(&shares);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(places_are_taken_and_given_back),
	    cmocka_unit_test(a_share_goes_evenly),
	    cmocka_unit_test(what_nobody_used_goes_later_but_not_at_once),
	    cmocka_unit_test(who_waits_has_a_time_of_its_own),
	    cmocka_unit_test(one_that_is_lacking_is_left_alone),
	    cmocka_unit_test(the_file_brings_back_today),
	    cmocka_unit_test(what_is_no_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
