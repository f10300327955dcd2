/*
 * Who is next: turns between destinations, senders, fresh and tried mail; windows, rates, back-off;
 * clocks that jump; and what it says about those who wait.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/test_sched.h"

static void
destinations_take_turns(void **state)
{
	struct test_sched test;
	uint32_t a[3], b[2], c;

	(void)state;
	test_sched_init(&test);
	for (size_t i = 0; i < LEN(a); i++)
		a[i] = test_sched_add(&test, "a", 1);
	for (size_t i = 0; i < LEN(b); i++)
		b[i] = test_sched_add(&test, "b", 1);
	c = test_sched_add(&test, "c", 1);
	serve(&test, a[0]);
	serve(&test, b[0]);
	serve(&test, c);
	serve(&test, a[1]);
	serve(&test, b[1]);
	serve(&test, a[2]);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(sched_destination_count(test.sched), 0);
	test_sched_fini(&test);
}

static void
one_that_waits_can_go_elsewhere(void **state)
{
	struct test_sched test;
	uint32_t first, second, held;
	struct sched_rcpt rcpt;

	(void)state;
	test_sched_init(&test);
	first = test_sched_add(&test, "a", 1);
	second = test_sched_add(&test, "a", 1);
	held = test_sched_add(&test, "a", 1);
	sched_rcpt_get(test.sched, held, &rcpt);
	sched_message_flags(test.sched, rcpt.message, SCHED_HELD, 0);
	sched_rcpt_reroute(test.sched, first, 0, SPAN("b"));
	assert_int_equal(sched_destination_count(test.sched), 2);
	sched_rcpt_reroute(test.sched, held, 0, SPAN("b"));
	sched_rcpt_get(test.sched, held, &rcpt);
	assert_int_equal(rcpt.state, SCHED_WAITING);
	serve(&test, second);
	/* Nobody waits for the old one any more. */
	assert_int_equal(sched_destination_count(test.sched), 1);
	serve(&test, first);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	sched_message_flags(test.sched, rcpt.message, 0, SCHED_HELD);
	serve(&test, held);
	assert_int_equal(sched_destination_count(test.sched), 0);
	test_sched_fini(&test);
}

static void
senders_take_turns_at_a_destination(void **state)
{
	struct test_sched test;
	uint32_t many[4], few[2], one;

	(void)state;
	test_sched_init(&test);
	for (size_t i = 0; i < LEN(many); i++)
		many[i] = test_sched_add(&test, "a", 1);
	for (size_t i = 0; i < LEN(few); i++)
		few[i] = test_sched_add(&test, "a", 2);
	assert_int_equal(test_sched_why(&test, many[3]).ahead, 5);
	assert_int_equal(test_sched_why(&test, few[1]).ahead, 2);
	serve(&test, many[0]);
	serve(&test, few[0]);
	one = test_sched_add(&test, "a", 3);
	serve(&test, many[1]);
	serve(&test, few[1]);
	serve(&test, one);
	serve(&test, many[2]);
	assert_int_equal(test_sched_why(&test, many[3]).ahead, 0);
	serve(&test, many[3]);
	test_sched_fini(&test);
}

/* Fresh mail goes first, but every eighth turn is one for what was tried before. */
static void
fresh_mail_goes_before_tried_mail(void **state)
{
	struct test_sched test;
	uint32_t fresh[30], tried[4];
	size_t fresh_next = 0, tried_next = 0;

	(void)state;
	test_sched_init(&test);
	for (size_t i = 0; i < LEN(tried); i++) {
		tried[i] = test_sched_add(&test, "a", 1);
		test_sched_defer(&test, tried[i], 10 + i);
	}
	for (size_t i = 0; i < LEN(fresh); i++)
		fresh[i] = test_sched_add(&test, "a", 1);
	test_sched_pass(&test, 100);
	assert_int_equal(test_sched_why(&test, tried[0]).ahead, 7);
	assert_int_equal(test_sched_why(&test, tried[1]).ahead, 15);
	assert_int_equal(test_sched_why(&test, fresh[20]).ahead, 22);
	for (size_t i = 1; i <= LEN(fresh) + LEN(tried); i++) {
		bool turn = (i % 8 == 0 && tried_next < LEN(tried)) ||
		    fresh_next == LEN(fresh);

		serve(&test, turn ? tried[tried_next++] : fresh[fresh_next++]);
	}
	/* What an operator wants tried now is in line with what is fresh. */
	tried[0] = test_sched_add(&test, "a", 1);
	test_sched_defer(&test, tried[0], 1000);
	fresh[0] = test_sched_add(&test, "a", 1);
	fresh[1] = test_sched_add(&test, "a", 2);
	sched_rcpt_ready(test.sched, tried[0], true);
	serve(&test, fresh[0]);
	serve(&test, fresh[1]);
	serve(&test, tried[0]);
	test_sched_fini(&test);
}

static void
the_window_opens_with_success_and_closes_with_failure(void **state)
{
	struct test_sched test;
	uint32_t under_way[30];
	size_t count = 0;

	(void)state;
	test_sched_init(&test);
	test.limits.concurrency_max = 5;
	for (int i = 0; i < 40; i++)
		test_sched_add(&test, "a", 1);
	while ((under_way[count] = test_sched_take(&test)) != SCHED_NONE)
		count++;
	assert_int_equal(count, 2);
	/* Each that succeeds makes room for itself and one more, up to the maximum. */
	for (int i = 0; i < 4; i++) {
		test_sched_over(&test, under_way[--count], SCHED_SERVED, true);
		while ((under_way[count] = test_sched_take(&test)) != SCHED_NONE)
			count++;
	}
	assert_int_equal(count, 5);
	assert_int_equal(
	    test_sched_why(&test, sched_rcpt_find(test.sched,
	        sched_message_first(test.sched), 0)).reason, SCHED_WHY_ACTIVE);
	/* A failure closes it to half, and a second one of the same time does no more. */
	test_sched_over(&test, under_way[--count], SCHED_REFUSED, true);
	test_sched_over(&test, under_way[--count], SCHED_REFUSED, true);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, under_way[--count], SCHED_UNTRIED, true);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, under_way[--count], SCHED_UNTRIED, true);
	under_way[count] = test_sched_take(&test);
	assert_int_not_equal(under_way[count++], SCHED_NONE);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	while (count > 0)
		test_sched_over(&test, under_way[--count], SCHED_SERVED, true);
	test_sched_fini(&test);
}

static void
a_destination_that_is_down_is_probed_by_one(void **state)
{
	struct test_sched test;
	uint32_t rcpts[5], other, one, two;
	struct sched_why why;

	(void)state;
	test_sched_init(&test);
	test.limits.down_ms_max = 60000;
	for (size_t i = 0; i < LEN(rcpts); i++)
		rcpts[i] = test_sched_add(&test, "a", 1);
	other = test_sched_add(&test, "b", 1);
	one = test_sched_take(&test);
	assert_int_equal(test_sched_take(&test), other);
	two = test_sched_take(&test);
	assert_int_equal(one, rcpts[0]);
	assert_int_equal(two, rcpts[1]);
	fail_to_reach(&test, one);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	/* What was under way with it tells the same once more, which is no news. */
	fail_to_reach(&test, two);
	assert_int_equal(test_sched_destination(&test, one).down_count, 1);
	assert_int_equal(test_sched_destination(&test, one).down_until_ms, test.now_ms + 30000);
	assert_true(span_eq(
	    sched_reply_get(test.sched, test_sched_destination(&test, one).reply).text,
	    SPAN("connection refused")));
	why = test_sched_why(&test, rcpts[3]);
	assert_int_equal(why.reason, SCHED_WHY_DOWN);
	assert_int_equal(why.at_wall_ms, test.now_wall_ms + 30000);
	test_sched_pass(&test, 29999);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 1);
	one = test_sched_take(&test);
	assert_int_equal(one, rcpts[2]);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(test_sched_why(&test, rcpts[3]).reason, SCHED_WHY_PROBE);
	/* Mail that is new does not get round it either. */
	test_sched_add(&test, "a", 2);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);

	/* It is still down: the wait grows, but not past its maximum. */
	for (uint32_t times = 2; times < 5; times++) {
		fail_to_reach(&test, one);
		assert_int_equal(test_sched_destination(&test, one).down_count, times);
		assert_int_equal(
		    test_sched_destination(&test, one).down_until_ms, test.now_ms + 60000);
		test_sched_pass(&test, 60000);
		one = test_sched_take(&test);
		assert_int_equal(test_sched_take(&test), SCHED_NONE);
	}
	/* The probe gets through: as many as at first may go at once. */
	test_sched_over(&test, one, SCHED_UNTRIED, true);
	one = test_sched_take(&test);
	test_sched_over(&test, one, SCHED_SERVED, true);
	one = test_sched_take(&test);
	assert_int_equal(test_sched_destination(&test, one).down_count, 0);
	assert_int_equal(test_sched_destination(&test, one).reply, 0);
	two = test_sched_take(&test);
	assert_int_not_equal(two, SCHED_NONE);
	test_sched_over(&test, one, SCHED_SERVED, true);
	test_sched_over(&test, two, SCHED_SERVED, true);
	test_sched_over(&test, other, SCHED_SERVED, true);
	test_sched_fini(&test);
}

/* One that cannot be reached while others get through is no dead destination. */
static void
too_many_connections_close_the_window_first(void **state)
{
	struct test_sched test;
	uint32_t one, two;

	(void)state;
	test_sched_init(&test);
	test.limits.concurrency_start = 8;
	for (int i = 0; i < 12; i++)
		test_sched_add(&test, "a", 1);
	one = test_sched_take(&test);
	test_sched_over(&test, one, SCHED_SERVED, true);
	one = test_sched_take(&test);
	two = test_sched_take(&test);
	fail_to_reach(&test, two);
	assert_int_equal(test_sched_destination(&test, one).down_count, 0);
	assert_int_equal(test_sched_destination(&test, one).window, 4);
	fail_to_reach(&test, one);
	assert_int_equal(test_sched_destination(&test, one).down_count, 1);
	test_sched_fini(&test);
}

/* The last recipient may go while its destination is down, or has an attempt. */
static void
a_destination_is_forgotten_whatever_its_state(void **state)
{
	struct test_sched test;
	uint32_t one, two, destination;

	(void)state;
	test_sched_init(&test);
	one = test_sched_add(&test, "a", 1);
	two = test_sched_add(&test, "a", 1);
	assert_int_equal(test_sched_take(&test), one);
	assert_int_equal(test_sched_take(&test), two);
	destination = test_sched_rcpt(&test, one).destination;
	sched_rcpt_end(test.sched, one);
	sched_rcpt_end(test.sched, two);
	sched_attempt_over(test.sched, destination, SCHED_NO_ANSWER, 0, test.now_ms);
	assert_int_equal(sched_destination_count(test.sched), 1);
	sched_attempt_over(test.sched, destination, SCHED_NO_ANSWER, 0, test.now_ms);
	assert_int_equal(sched_destination_count(test.sched), 0);
	assert_int_equal(test_sched_idle(&test, 1000), 1000);
	test_sched_fini(&test);
}

static void
a_rate_is_kept_even_by_one_that_comes_back(void **state)
{
	struct test_sched test;
	struct sched_why why;
	unsigned served = 0;
	uint32_t rcpt;

	(void)state;
	test_sched_init(&test);
	test.limits.rate = (struct rate_limit){.count = 6, .period_ms = 60000};
	/* Each comes alone, and its destination has nothing to do in between. */
	for (int second = 0; second < 60; second++) {
		rcpt = test_sched_add(&test, "a", 1);
		while ((rcpt = test_sched_take(&test)) != SCHED_NONE) {
			test_sched_over(&test, rcpt, SCHED_SERVED, true);
			served++;
		}
		test_sched_pass(&test, 1000);
	}
	assert_in_range(served, 5, 6);
	rcpt = test_sched_add(&test, "a", 2);
	why = test_sched_why(&test, rcpt);
	if (why.reason == SCHED_WHY_RATE)
		assert_in_range(why.at_wall_ms, test.now_wall_ms, test.now_wall_ms + 10000);
	test_sched_fini(&test);
	assert_true(why.ahead <= 1);
}

static void
a_limited_destination_is_remembered_until_its_share_is_back(void **state)
{
	struct test_sched test;
	uint32_t rcpt;

	(void)state;
	test_sched_init(&test);
	test.limits.rate = (struct rate_limit){.count = 1, .period_ms = 10000};
	serve(&test, test_sched_add(&test, "a", 1));
	assert_int_equal(sched_destination_count(test.sched), 1);
	test_sched_pass(&test, 9000);
	rcpt = test_sched_add(&test, "a", 1);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_in_range(test_sched_idle(&test, 100000), 1, 1000);
	test_sched_pass(&test, 1000);
	serve(&test, rcpt);
	test_sched_pass(&test, 10000);
	assert_int_equal(sched_destination_count(test.sched), 0);
	test_sched_fini(&test);
}

static void
new_limits_are_in_force_at_once(void **state)
{
	struct test_sched test;
	uint32_t one, two;

	(void)state;
	test_sched_init(&test);
	test.limits.rate = (struct rate_limit){.count = 1, .period_ms = 3600000};
	test_sched_add(&test, "a", 1);
	test_sched_add(&test, "a", 1);
	test_sched_add(&test, "a", 1);
	one = test_sched_take(&test);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test.limits.rate.count = 0;
	sched_reload(test.sched);
	two = test_sched_take(&test);
	assert_int_not_equal(two, SCHED_NONE);
	test.limits.concurrency_max = 1;
	sched_reload(test.sched);
	test_sched_over(&test, one, SCHED_SERVED, true);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, two, SCHED_SERVED, true);
	serve(&test, sched_rcpt_find(test.sched, sched_message_first(test.sched), 0));
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(destinations_take_turns),
	    cmocka_unit_test(one_that_waits_can_go_elsewhere),
	    cmocka_unit_test(senders_take_turns_at_a_destination),
	    cmocka_unit_test(fresh_mail_goes_before_tried_mail),
	    cmocka_unit_test(the_window_opens_with_success_and_closes_with_failure),
	    cmocka_unit_test(a_destination_that_is_down_is_probed_by_one),
	    cmocka_unit_test(too_many_connections_close_the_window_first),
	    cmocka_unit_test(a_destination_is_forgotten_whatever_its_state),
	    cmocka_unit_test(a_rate_is_kept_even_by_one_that_comes_back),
	    cmocka_unit_test(a_limited_destination_is_remembered_until_its_share_is_back),
	    cmocka_unit_test(new_limits_are_in_force_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
