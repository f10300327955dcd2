/* What keeps mail, counted by reason and by age. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "proc/queue/reasons.h"
#include "proc/queue/test_queue.h"

static const char *const addresses[] = {"a@one.example", "b@two.example"};

static void
said(struct test_queue *test, uint32_t slot, uint32_t index, const struct sched_reply *reply)
{
	struct sched_rcpt rcpt = test_queue_rcpt(test, slot, index);
	uint32_t at = sched_rcpt_find(test->queue.sched, slot, index);

	rcpt.tries = 1;
	rcpt.code = reply->code;
	sched_rcpt_note(test->queue.sched, at, &rcpt);
	sched_rcpt_reply(test->queue.sched, at, sched_reply_keep(test->queue.sched, reply));
}

static void
count(struct test_queue *test, struct reasons *reasons, uint32_t slot, unsigned age)
{
	struct sched_message message;

	sched_message_get(test->queue.sched, slot, &message);
	for (uint32_t i = 0; i < message.rcpt_count; i++)
		reasons_add(reasons, sched_rcpt_find(test->queue.sched, slot, i), &message, age);
}

static uint64_t
found(const struct reasons *reasons, const char *name, unsigned age)
{
	for (size_t i = 0; i < reasons->count; i++)
		if (strcmp(reasons->rows[i].name, name) == 0)
			return reasons->rows[i].ages.counts[age];
	return 0;
}

static void
replies_are_told_apart_by_rules_and_codes(void **state)
{
	const struct sched_reply full = {452, SPAN("4.2.2"), SPAN("mx.one.example[192.0.2.1]"),
	    SPAN("4.2.2 Mailbox is full")};
	const struct sched_reply own = {0, SPAN("4.4.1"), SPAN(""), SPAN("cannot connect")};
	struct test_queue test;
	struct reasons reasons = {0};
	uint32_t slots[4];
	size_t bytes;

	(void)state;
	test_queue_init(&test);
	reasons.sched = test.queue.sched;
	for (size_t i = 0; i < LEN(slots); i++) {
		slots[i] = test_queue_message(&test, 7 + i, addresses, LEN(addresses));
		schedule_message(&test.queue, slots[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		said(&test, slots[i], 0, &full);
		said(&test, slots[i], 1, &own);
	}
	sched_message_flags(test.queue.sched, slots[3], SCHED_HELD, 0);
	for (size_t i = 0; i < LEN(slots); i++)
		count(&test, &reasons, slots[i], (unsigned)i);
	/* What was counted stays known until it was looked at. */
	bytes = sched_reply_bytes(test.queue.sched);
	sched_message_remove(test.queue.sched, slots[0]);
	sched_message_remove(test.queue.sched, slots[1]);
	assert_int_equal(sched_reply_bytes(test.queue.sched), bytes);
	assert_true(reasons_look(&reasons, 1));
	while (reasons_look(&reasons, 1))
		continue;
	assert_int_equal(sched_reply_bytes(test.queue.sched), 0);
	reasons_sort(&reasons);
	assert_int_equal(found(&reasons, "mailbox-full", 0), 1);
	assert_int_equal(found(&reasons, "mailbox-full", 1), 1);
	assert_int_equal(found(&reasons, "4.4.1", 1), 1);
	assert_int_equal(found(&reasons, "not tried yet", 2), 2);
	assert_int_equal(found(&reasons, "held", 3), 2);
	assert_int_equal(reasons.count, 4);
	assert_int_equal(reasons.rows[3].total, 2);
	reasons_fini(&reasons);
	test_queue_fini(&test);
}

static void
one_that_is_given_up_lets_go_of_all(void **state)
{
	const struct sched_reply reply = {450, SPAN("4.2.1"), SPAN("mx"), SPAN("no")};
	struct test_queue test;
	struct reasons reasons = {0};
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	reasons.sched = test.queue.sched;
	slot = test_queue_message(&test, 7, addresses, LEN(addresses));
	schedule_message(&test.queue, slot);
	said(&test, slot, 0, &reply);
	count(&test, &reasons, slot, 0);
	reasons_fini(&reasons);
	/* Checks that no reply is kept. */
	test_queue_fini(&test);
}

static void
more_reasons_than_fit_are_summed_up(void **state)
{
	struct test_queue test;
	struct reasons reasons = {0};

	(void)state;
	test_queue_init(&test);
	reasons.sched = test.queue.sched;
	for (unsigned i = 0; i < REASONS_MAX + 5; i++) {
		uint32_t slot = test_queue_message(&test, 7 + i, addresses, 1);
		char status[16];

		snprintf(status, sizeof(status), "4.9.%u", 100 + i);
		schedule_message(&test.queue, slot);
		said(&test, slot, 0,
		    &(struct sched_reply){0, span_str(status), SPAN(""), SPAN("x")});
		count(&test, &reasons, slot, 5);
	}
	while (reasons_look(&reasons, 10))
		continue;
	assert_int_equal(reasons.count, REASONS_MAX);
	assert_int_equal(reasons.others.counts[5], 5);
	reasons_fini(&reasons);
	test_queue_fini(&test);
}

static void
ages_have_their_counts(void **state)
{
	const uint64_t minute = 60000, now = UINT64_C(10000000) * 1000;
	struct ipc_ages ages = {{1, 2, 3, 4, 5, UINT64_MAX}}, same;
	struct buf bytes;

	(void)state;
	assert_int_equal(ipc_ages_at(now + 1, now), 0);
	assert_int_equal(ipc_ages_at(now - 5 * minute + 1, now), 0);
	assert_int_equal(ipc_ages_at(now - 5 * minute, now), 1);
	assert_int_equal(ipc_ages_at(now - 59 * minute, now), 2);
	assert_int_equal(ipc_ages_at(now - 60 * minute, now), 3);
	assert_int_equal(ipc_ages_at(now - 24 * 60 * minute, now), 5);
	assert_int_equal(ipc_ages_at(0, now), 5);
	buf_init(&bytes, IPC_AGES_MAX);
	ipc_ages_write(&bytes, &ages);
	assert_int_equal(ipc_ages_read(buf_span(&bytes), &same), OK);
	assert_memory_equal(&same, &ages, sizeof(ages));
	assert_int_equal(ipc_ages_read(span_skip(buf_span(&bytes), 1), &same), ERR_SYNTAX);
	buf_fini(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_told_apart_by_rules_and_codes),
	    cmocka_unit_test(one_that_is_given_up_lets_go_of_all),
	    cmocka_unit_test(more_reasons_than_fit_are_summed_up),
	    cmocka_unit_test(ages_have_their_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
