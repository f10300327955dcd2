/*
 * Who is suspected when a process ends, and who is cleared: in memory, without any process.
 * What is tried where, and what is set aside, needs these: test/e2e/test_poison.py.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

static const char *const addresses[] = {"a@one.example", "bob"};

static uint32_t
add(struct test_queue *test, uint64_t id)
{
	uint32_t slot = test_queue_message(test, id, addresses, LEN(addresses));

	schedule_message(&test->queue, slot);
	return slot;
}

static unsigned
flags_of(const struct test_queue *test, uint32_t slot)
{
	struct sched_message known;

	sched_message_get(test->queue.sched, slot, &known);
	return known.flags;
}

static void
set_lost(struct test_queue *test, uint32_t slot, uint32_t index, unsigned lost)
{
	struct sched_rcpt rcpt = test_queue_rcpt(test, slot, index);

	rcpt.lost = lost;
	sched_rcpt_note(test->queue.sched, sched_rcpt_find(test->queue.sched, slot, index),
	    &rcpt);
}

/* Its process ended with an attempt for the first recipient. */
static bool
lose(struct test_queue *test, uint32_t slot)
{
	struct message *message = message_open(&test->queue, slot);
	bool again = poison_lost(message);

	set_lost(test, slot, 0, again ? 1 : 0);
	message_close(message);
	return again;
}

/* An attempt for the first recipient ended with a result. */
static void
end(struct test_queue *test, uint32_t slot)
{
	struct message *message = message_open(&test->queue, slot);

	set_lost(test, slot, 0, 0);
	poison_ended(message);
	message_close(message);
}

static void
what_was_lost_together_is_suspected(void **state)
{
	struct test_queue test;
	uint32_t slots[3];

	(void)state;
	test_queue_init(&test);
	test.conf.crashes_max = 3;
	for (size_t i = 0; i < LEN(slots); i++)
		slots[i] = add(&test, 7 + i);
	poison_peer_ended(&test.queue.mailbox);
	assert_true(lose(&test, slots[0]));
	assert_true(lose(&test, slots[1]));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(flags_of(&test, slots[i]), SCHED_SUSPECT);
		/* Its other recipients wait too. */
		assert_int_equal(test_queue_rcpt(&test, slots[i], 0).state, SCHED_WAITING);
		assert_int_equal(test_queue_rcpt(&test, slots[i], 1).state, SCHED_WAITING);
	}
	assert_int_equal(flags_of(&test, slots[2]), 0);
	assert_int_equal(test_queue_rcpt(&test, slots[2], 0).state, SCHED_READY);
	/* One is cleared by any other end; then all of it goes on. */
	end(&test, slots[0]);
	assert_int_equal(flags_of(&test, slots[0]), 0);
	assert_int_equal(test_queue_rcpt(&test, slots[0], 1).state, SCHED_READY);
	assert_int_equal(flags_of(&test, slots[1]), SCHED_SUSPECT);
	poison_forget(&test.queue, 8);
	assert_int_equal(flags_of(&test, slots[1]), 0);
	test_queue_fini(&test);
}

static void
one_whose_other_recipient_was_lost_stays_suspected(void **state)
{
	struct test_queue test;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.conf.crashes_max = 3;
	slot = add(&test, 7);
	poison_peer_ended(&test.queue.mailbox);
	assert_true(lose(&test, slot));
	set_lost(&test, slot, 1, 1);
	end(&test, slot);
	assert_int_equal(flags_of(&test, slot), SCHED_SUSPECT);
	set_lost(&test, slot, 1, 0);
	end(&test, slot);
	assert_int_equal(flags_of(&test, slot), 0);
	poison_forget(&test.queue, 7);
	test_queue_fini(&test);
}

/* Where nothing is ever set aside, the second loss is a failure as any other. */
static void
without_a_limit_it_waits(void **state)
{
	struct test_queue test;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	slot = add(&test, 7);
	poison_peer_ended(&test.queue.mailbox);
	assert_true(lose(&test, slot));
	/* A second attempt in the same process is the same loss. */
	assert_true(lose(&test, slot));
	assert_int_equal(flags_of(&test, slot), SCHED_SUSPECT);
	poison_peer_ended(&test.queue.mailbox);
	assert_false(lose(&test, slot));
	assert_int_equal(flags_of(&test, slot), 0);
	assert_int_equal(test.queue.poison.suspect_map.count, 0);
	test_queue_fini(&test);
}

static void
a_hold_outlasts_suspicion(void **state)
{
	struct test_queue test;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.conf.crashes_max = 3;
	slot = add(&test, 7);
	sched_message_flags(test.queue.sched, slot, SCHED_HELD, 0);
	poison_peer_ended(&test.queue.mailbox);
	assert_true(lose(&test, slot));
	end(&test, slot);
	assert_int_equal(flags_of(&test, slot), SCHED_HELD);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).state, SCHED_WAITING);
	test_queue_fini(&test);
}

static void
only_one_that_takes_the_place_of_a_dead_queue_is_careful(void **state)
{
	const struct mark begun = {.kind = MARK_BEGUN, .index = 0, .tries = 1};
	struct test_queue test;
	struct message *message;
	struct buf mark;
	uint32_t slot;

	(void)state;
	for (unsigned died = 0; died < 2; died++) {
		test_queue_init(&test);
		test.conf.crashes_max = 3;
		slot = test_queue_message(&test, 7, addresses, LEN(addresses));
		buf_init(&mark, MARK_BYTES_MAX);
		mark_write(&mark, &begun);
		assert_int_equal(message_apply(&test.queue, slot, buf_span(&mark)), OK);
		buf_fini(&mark);
		test.env.died = died;
		test.queue.poison.first_id = 8;
		poison_start(&test.queue);
		assert_int_equal(flags_of(&test, slot), died ? SCHED_SUSPECT : 0);
		message = message_open(&test.queue, slot);
		assert_int_equal(poison_is_careful(message, 0), died);
		/* What came in since needs no mark. */
		test.queue.poison.first_id = 7;
		assert_false(poison_is_careful(message, 0));
		message_close(message);
		poison_forget(&test.queue, 7);
		test_queue_fini(&test);
	}
}

static void
reasons_are_kept(void **state)
{
	struct test_queue test;

	(void)state;
	test_queue_init(&test);
	assert_int_equal(poison_text(&test.queue, 7).len, 0);
	poison_keep_text(&test.queue, 7, SPAN("one"));
	poison_keep_text(&test.queue, 7, SPAN("two"));
	assert_true(span_eq(poison_text(&test.queue, 7), SPAN("two")));
	poison_forget(&test.queue, 7);
	assert_int_equal(poison_text(&test.queue, 7).len, 0);
	poison_keep_text(&test.queue, 8, SPAN(""));
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_lost_together_is_suspected),
	    cmocka_unit_test(one_whose_other_recipient_was_lost_stays_suspected),
	    cmocka_unit_test(without_a_limit_it_waits),
	    cmocka_unit_test(a_hold_outlasts_suspicion),
	    cmocka_unit_test(only_one_that_takes_the_place_of_a_dead_queue_is_careful),
	    cmocka_unit_test(reasons_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
