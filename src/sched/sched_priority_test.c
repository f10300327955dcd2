/* Priority: which line a message's recipients are in, and that nobody waits for ever behind it. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/test_sched.h"

/* As test_sched_add, with a priority and a time before which it is not sent. */
static uint32_t
add(struct test_sched *test, uint32_t sender, int priority, uint64_t due_wall_ms)
{
	const struct sched_message message = {.id = ++test->next_id,
	    .arrival_wall_ms = test->now_wall_ms,
	    .sender = sender,
	    .rcpt_count = 1,
	    .priority = priority};
	uint32_t slot = sched_message_add(test->sched, &message);
	uint32_t rcpt = sched_rcpt_add(test->sched, slot, 0, 0, SPAN("mx:a"));

	sched_rcpt_due(test->sched, rcpt, due_wall_ms);
	sched_message_start(test->sched, slot);
	return rcpt;
}

static int
take(struct test_sched *test)
{
	uint32_t at = test_sched_take(test);
	struct sched_message message;

	assert_int_not_equal(at, SCHED_NONE);
	sched_message_get(test->sched, test_sched_rcpt(test, at).message, &message);
	test_sched_over(test, at, SCHED_SERVED, true);
	return message.priority;
}

static void
the_most_urgent_goes_first(void **state)
{
	static const int in[] = {0, -5, 2, 9, 0, 4}, out[] = {9, 4, 2, 0, 0, -5};
	struct test_sched test;

	(void)state;
	test_sched_init(&test);
	for (size_t i = 0; i < LEN(in); i++)
		add(&test, (uint32_t)i, in[i], 0);
	/* 9 and 4 are one class, so they go by who came first. */
	for (size_t i = 0; i < LEN(out); i++)
		assert_int_equal(take(&test), out[i]);
	test_sched_fini(&test);
}

/* Of many turns, those without a priority and those that failed have their part. */
static void
urgent_mail_holds_up_nobody_for_ever(void **state)
{
	enum { EACH = 200, TURNS = 128 };
	static const int priorities[] = {9, 1, 0, -1};
	unsigned taken[LEN(priorities)] = {0};
	struct test_sched test;

	(void)state;
	test_sched_init(&test);
	for (unsigned i = 0; i < EACH * LEN(priorities); i++)
		add(&test, i % 7, priorities[i % LEN(priorities)], 0);
	for (unsigned i = 0; i < TURNS; i++) {
		int priority = take(&test);

		for (size_t k = 0; k < LEN(priorities); k++)
			taken[k] += priority == priorities[k];
	}
	assert_int_equal(taken[3], TURNS / 8);
	assert_int_equal(taken[2], TURNS * 7 / 8 / 8);
	assert_in_range(taken[1], TURNS / 6, TURNS / 4);
	assert_in_range(taken[0], TURNS / 2, TURNS * 2 / 3);
	test_sched_fini(&test);
}

static void
what_is_held_waits_for_its_time(void **state)
{
	struct test_sched test;
	uint32_t at;

	(void)state;
	test_sched_init(&test);
	at = add(&test, 1, 0, test.now_wall_ms + 60000);
	assert_int_equal(test_sched_why(&test, at).reason, SCHED_WHY_UNTIL);
	assert_int_equal(test_sched_why(&test, at).at_wall_ms, test.now_wall_ms + 60000);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	/* Neither does an operator's hold that ends send it early. */
	sched_message_flags(test.sched, test_sched_rcpt(&test, at).message, SCHED_HELD, 0);
	test_sched_pass(&test, 1000);
	sched_message_flags(test.sched, test_sched_rcpt(&test, at).message, 0, SCHED_HELD);
	assert_int_equal(test_sched_rcpt(&test, at).state, SCHED_WAITING);
	test_sched_pass(&test, 58999);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 1);
	assert_int_equal(test_sched_take(&test), at);
	test_sched_over(&test, at, SCHED_SERVED, true);
	test_sched_fini(&test);
}

/* It was delivered before a restart: it is not tried, its sender is told. */
static void
what_succeeded_is_never_tried_again(void **state)
{
	const struct sched_message message = {
	    .id = 1, .arrival_wall_ms = TEST_WALL_MS, .rcpt_count = 2};
	struct test_sched test;
	struct sched_rcpt rcpt;
	uint32_t slot, first, second;

	(void)state;
	test_sched_init(&test);
	slot = sched_message_add(test.sched, &message);
	first = sched_rcpt_add(test.sched, slot, 0, 0, SPAN("mx:a"));
	second = sched_rcpt_add(test.sched, slot, 1, 0, SPAN("mx:a"));
	rcpt = test_sched_rcpt(&test, first);
	rcpt.succeeded = true;
	sched_rcpt_note(test.sched, first, &rcpt);
	assert_true(sched_message_start(test.sched, slot));
	assert_int_equal(test_sched_rcpt(&test, first).state, SCHED_BOUNCING);
	assert_int_equal(test_sched_take(&test), second);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, second, SCHED_UNTRIED, false);
	sched_rcpt_end(test.sched, second);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_most_urgent_goes_first),
	    cmocka_unit_test(urgent_mail_holds_up_nobody_for_ever),
	    cmocka_unit_test(what_is_held_waits_for_its_time),
	    cmocka_unit_test(what_succeeded_is_never_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
