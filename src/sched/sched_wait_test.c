/*
 * Who waits: until when, whatever the clocks do, for whom no longer, for an operator, and what is
 * said about them.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/test_sched.h"

/* The clock on the wall jumps: what is due by it is due, and nothing is lost. */
static void
clocks_may_jump_either_way(void **state)
{
	struct test_sched test;
	uint32_t soon, later;

	(void)state;
	test_sched_init(&test);
	soon = test_sched_add(&test, "a", 1);
	later = test_sched_add(&test, "a", 1);
	test_sched_defer(&test, soon, 5000);
	test_sched_defer(&test, later, 3600000);
	/* An hour back: what was due at a time is due at that time. */
	test.now_wall_ms -= 3600000;
	test_sched_pass(&test, 1000);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 3600000);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 4000);
	serve(&test, soon);
	/* What is deferred while the clock is back waits by it. */
	test.now_wall_ms -= 86400000;
	soon = test_sched_add(&test, "a", 1);
	test_sched_defer(&test, soon, 5000);
	test_sched_pass(&test, 4999);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 1);
	serve(&test, soon);
	/* Ten years on, all of it is due. */
	test.now_wall_ms += UINT64_C(315576000000);
	test_sched_pass(&test, 1);
	serve(&test, later);
	test_sched_fini(&test);
}

/* A clock that once was a year ahead must not hold for a year what was tried then. */
static void
what_was_tried_later_than_now_waits_as_long(void **state)
{
	struct test_sched test;
	struct sched_rcpt rcpt;
	uint32_t soon;

	(void)state;
	test_sched_init(&test);
	soon = test_sched_add(&test, "a", 1);
	test.now_wall_ms += UINT64_C(31557600000);
	rcpt = test_sched_rcpt(&test, soon);
	rcpt.tried_wall_s = (uint32_t)(test.now_wall_ms / 1000);
	sched_rcpt_note(test.sched, soon, &rcpt);
	test_sched_pass(&test, 0);
	test_sched_defer(&test, soon, 5000);
	test.now_wall_ms -= UINT64_C(31557600000);
	test_sched_pass(&test, 3000);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 6000);
	serve(&test, soon);
	test_sched_fini(&test);
}

static void
it_says_how_long_nothing_happens(void **state)
{
	struct test_sched test;
	uint32_t rcpt;

	(void)state;
	test_sched_init(&test);
	assert_int_equal(test_sched_idle(&test, 1000), 1000);
	rcpt = test_sched_add(&test, "a", 1);
	test_sched_defer(&test, rcpt, 200);
	assert_in_range(test_sched_idle(&test, 1000), 1, 200);
	test_sched_pass(&test, test_sched_idle(&test, 1000));
	while (test.now_wall_ms < TEST_WALL_MS + 200)
		test_sched_pass(&test, test_sched_idle(&test, 1000));
	assert_int_equal(test.now_wall_ms, TEST_WALL_MS + 200);
	serve(&test, rcpt);
	test_sched_fini(&test);
}

static void
messages_are_listed_by_age(void **state)
{
	struct test_sched test;
	struct sched_message message;
	uint32_t at;

	(void)state;
	test_sched_init(&test);
	for (int i = 0; i < 5; i++)
		test_sched_add(&test, "a", 1);
	sched_message_remove(test.sched, sched_message_find(test.sched, 3));
	sched_message_remove(test.sched, sched_message_find(test.sched, 1));
	test_sched_add(&test, "a", 1);
	at = sched_message_first(test.sched);
	for (uint64_t id = 2; id <= 6; id++) {
		if (id == 3)
			continue;
		sched_message_get(test.sched, at, &message);
		assert_int_equal(message.id, id);
		at = sched_message_next(test.sched, at);
	}
	assert_int_equal(at, SCHED_NONE);
	assert_int_equal(sched_message_find(test.sched, 3), SCHED_NONE);
	assert_int_equal(sched_message_count(test.sched), 4);
	test_sched_fini(&test);
}

static void
what_waits_for_a_dead_destination_expires(void **state)
{
	struct test_sched test;
	uint32_t dead, alive, waiting, young;
	unsigned budget = 10000;

	(void)state;
	test_sched_init(&test);
	waiting = test_sched_add(&test, "dead", 1);
	test_sched_defer(&test, waiting, 7200000);
	dead = test_sched_add(&test, "dead", 1);
	alive = test_sched_add(&test, "alive", 1);
	assert_int_equal(test_sched_take(&test), dead);
	fail_to_reach(&test, dead);
	assert_int_equal(sched_expired(test.sched, &budget), SCHED_NONE);
	test_sched_pass(&test, 3600000);
	young = test_sched_add(&test, "dead", 1);
	budget = 10000;
	assert_int_equal(sched_expired(test.sched, &budget), dead);
	sched_rcpt_bounce(test.sched, dead);
	assert_int_equal(test_sched_why(&test, dead).reason, SCHED_WHY_BOUNCING);
	assert_int_equal(sched_expired(test.sched, &budget), SCHED_NONE);
	assert_int_equal(budget, 0);
	assert_int_equal(test_sched_rcpt(&test, alive).state, SCHED_READY);
	assert_int_equal(test_sched_rcpt(&test, young).state, SCHED_READY);
	test_sched_fini(&test);
}

static void
parked_mail_is_left_alone(void **state)
{
	struct test_sched test;
	uint32_t rcpt;

	(void)state;
	test_sched_init(&test);
	rcpt = test_sched_add(&test, "a", 1);
	sched_message_flags(test.sched, test_sched_rcpt(&test, rcpt).message, SCHED_ASIDE, 0);
	assert_int_equal(test_sched_why(&test, rcpt).reason, SCHED_WHY_ASIDE);
	sched_message_flags(test.sched, test_sched_rcpt(&test, rcpt).message, SCHED_HELD, 0);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	sched_message_flags(test.sched, test_sched_rcpt(&test, rcpt).message, 0, SCHED_ASIDE);
	assert_int_equal(test_sched_why(&test, rcpt).reason, SCHED_WHY_HELD);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	sched_message_flags(test.sched, test_sched_rcpt(&test, rcpt).message, 0, SCHED_HELD);
	assert_int_equal(test_sched_why(&test, rcpt).reason, SCHED_WHY_TURN);
	serve(&test, rcpt);
	test_sched_fini(&test);
}

/* Neither the window, nor the rate, nor a destination that is down is asked. */
static void
a_suspect_is_tried_by_itself(void **state)
{
	struct test_sched test;
	uint32_t first, suspect, message;

	(void)state;
	test_sched_init(&test);
	test.limits.concurrency_start = test.limits.concurrency_max = 1;
	first = test_sched_add(&test, "a", 1);
	suspect = test_sched_add(&test, "a", 2);
	message = test_sched_rcpt(&test, suspect).message;
	assert_int_equal(test_sched_take(&test), first);
	sched_message_flags(test.sched, message, SCHED_SUSPECT, 0);
	assert_int_equal(test_sched_why(&test, suspect).reason, SCHED_WHY_SUSPECT);
	sched_message_flags(test.sched, message, SCHED_HELD, 0);
	assert_int_equal(test_sched_why(&test, suspect).reason, SCHED_WHY_HELD);
	sched_message_flags(test.sched, message, 0, SCHED_HELD);
	test_sched_over(&test, first, SCHED_NO_ANSWER, true);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	sched_message_flags(test.sched, message, 0, SCHED_SUSPECT);
	sched_take_this(test.sched, suspect);
	sched_message_flags(test.sched, message, SCHED_SUSPECT, 0);
	assert_int_equal(test_sched_why(&test, suspect).reason, SCHED_WHY_ACTIVE);
	test_sched_over(&test, suspect, SCHED_SERVED, true);
	test_sched_fini(&test);
}

static void
destinations_are_listed(void **state)
{
	struct test_sched test;
	uint32_t gone, at;
	size_t count = 0;

	(void)state;
	test_sched_init(&test);
	assert_int_equal(sched_destination_next(test.sched, SCHED_NONE), SCHED_NONE);
	test_sched_add(&test, "a", 1);
	gone = test_sched_add(&test, "b", 1);
	test_sched_add(&test, "c", 1);
	sched_message_remove(test.sched, test_sched_rcpt(&test, gone).message);
	for (at = sched_destination_next(test.sched, SCHED_NONE); at != SCHED_NONE;
	     at = sched_destination_next(test.sched, at)) {
		struct sched_destination destination;

		sched_destination_get(test.sched, at, &destination);
		assert_true(span_eq(destination.key, count == 0 ? SPAN("a") : SPAN("c")));
		count++;
	}
	assert_int_equal(count, 2);
	test_sched_fini(&test);
}

static void
a_suspended_destination_has_no_turn(void **state)
{
	struct test_sched test;
	uint32_t first, other;

	(void)state;
	test_sched_init(&test);
	test.limits.suspended = true;
	test.limits.suspended_until_wall_ms = TEST_WALL_MS + 60000;
	first = test_sched_add(&test, "a", 1);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(test_sched_why(&test, first).reason, SCHED_WHY_SUSPENDED);
	assert_int_equal(test_sched_why(&test, first).at_wall_ms, TEST_WALL_MS + 60000);
	/* Nor has it because an operator wants it tried, or by time. */
	sched_destination_up(test.sched, 0);
	test_sched_pass(&test, 3600000);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	/* Another, which is made after it was resumed, does not wait for it. */
	test.limits.suspended = false;
	other = test_sched_add(&test, "b", 1);
	serve(&test, other);
	sched_reload(test.sched);
	serve(&test, first);
	test_sched_fini(&test);
}

static void
a_destination_tells_how_fast_it_empties_and_what_it_said(void **state)
{
	const struct sched_reply said = {421, SPAN("4.7.28"), SPAN("mx"), SPAN("slow down")};
	struct sched_destination known;
	struct test_sched test;
	uint32_t rcpts[4], reply;

	(void)state;
	test_sched_init(&test);
	for (size_t i = 0; i < 4; i++)
		rcpts[i] = test_sched_add(&test, "a", 1);
	sched_destination_get(test.sched, 0, &known);
	assert_int_equal(known.left_ms, 0);
	serve(&test, rcpts[0]);
	test_sched_pass(&test, 60000);
	serve(&test, rcpts[1]);
	sched_destination_get(test.sched, 0, &known);
	assert_int_equal(known.left_count, 2);
	assert_int_equal(known.left_ms, 60000);
	test_sched_pass(&test, 300000);
	serve(&test, rcpts[2]);
	sched_destination_get(test.sched, 0, &known);
	assert_int_equal(known.left_count, 3);
	assert_int_equal(known.left_ms, 300000);
	assert_int_equal(test_sched_take(&test), rcpts[3]);
	reply = sched_reply_keep(test.sched, &said);
	sched_rcpt_end(test.sched, rcpts[3]);
	sched_attempt_over(test.sched, 0, SCHED_REFUSED, reply, test.now_ms);
	sched_reply_drop(test.sched, reply);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clocks_may_jump_either_way),
	    cmocka_unit_test(what_was_tried_later_than_now_waits_as_long),
	    cmocka_unit_test(it_says_how_long_nothing_happens),
	    cmocka_unit_test(messages_are_listed_by_age),
	    cmocka_unit_test(what_waits_for_a_dead_destination_expires),
	    cmocka_unit_test(parked_mail_is_left_alone),
	    cmocka_unit_test(a_suspect_is_tried_by_itself),
	    cmocka_unit_test(destinations_are_listed),
	    cmocka_unit_test(a_suspended_destination_has_no_turn),
	    cmocka_unit_test(a_destination_tells_how_fast_it_empties_and_what_it_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
