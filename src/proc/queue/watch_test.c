/* What is due about a message at a time: from its envelope, over marks, over a restart. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

enum { DELAY_MS = 60000 };
#define ARRIVAL_MS UINT64_C(1764000000000)

/* The second recipient has this notify. */
static struct envelope *
make_envelope(const struct ipc_extras *asked, unsigned notify, const char *reverse_path)
{
	struct envelope_head head = {.arrival_wall_ms = ARRIVAL_MS,
	    .reverse_path = span_str(reverse_path),
	    .rcpts_ask = notify != 0,
	    .rcpt_count = 2};
	struct envelope_rcpt rcpt = {.kind = IPC_TARGET_REMOTE, .address = SPAN("a@far.example")};
	struct envelope *envelope;
	struct buf bytes, extras;

	buf_init(&extras, IPC_EXTRAS_MAX);
	ipc_extras_write(&extras, asked);
	head.extras = buf_span(&extras);
	buf_init(&bytes, STORE_ENVELOPE_BYTES_MAX);
	envelope_write_head(&bytes, &head);
	envelope_write_rcpt(&bytes, &rcpt);
	rcpt.notify = notify;
	envelope_write_rcpt(&bytes, &rcpt);
	buf_fini(&extras);
	assert_int_equal(envelope_read(&bytes, &envelope), OK);
	return envelope;
}

static uint32_t
add(struct test_queue *test, const struct ipc_extras *asked, unsigned notify)
{
	struct envelope *envelope = make_envelope(asked, notify, "ann@example.org");
	uint32_t slot = message_add(&test->queue, 7, envelope, 100);

	envelope_free(envelope);
	return slot;
}

static struct watch_times
times_of(const struct test_queue *test)
{
	struct watch_times times;

	watch_get(&test->queue, 7, &times);
	return times;
}

static void
what_is_due_follows_from_the_envelope(void **state)
{
	static const struct {
		struct ipc_extras asked;
		unsigned notify;
		const char *reverse_path;
		uint64_t after_ms, delay, by;
		bool returns, all;
	} cases[] = {
	    {{0}, 0, "a@b", DELAY_MS, 0, 0, false, false},
	    {{0}, IPC_NOTIFY_FAILURE, "a@b", DELAY_MS, 0, 0, false, false},
	    {{0}, IPC_NOTIFY_DELAY, "a@b", DELAY_MS, ARRIVAL_MS + DELAY_MS, 0, false, false},
	    {{0}, IPC_NOTIFY_DELAY, "a@b", 0, 0, 0, false, false},
	    {{0}, IPC_NOTIFY_DELAY, "", DELAY_MS, 0, 0, false, false},
	    {{.hold_until_wall_ms = ARRIVAL_MS + 5}, IPC_NOTIFY_DELAY, "a@b", DELAY_MS,
		ARRIVAL_MS + 5 + DELAY_MS, 0, false, false},
	    {{.by = IPC_BY_RETURN, .by_wall_ms = 9}, 0, "", DELAY_MS, 0, 9, true, false},
	    {{.by = IPC_BY_NOTIFY, .by_wall_ms = 9}, 0, "a@b", DELAY_MS, 0, 9, false, false},
	    {{.by = IPC_BY_NOTIFY, .by_wall_ms = 0}, 0, "a@b", DELAY_MS, 0, 1, false, false},
	    {{.by = IPC_BY_NOTIFY, .by_wall_ms = 9}, 0, "", DELAY_MS, 0, 0, false, false},
	    {{0}, 0, "a@b", DELAY_MS, ARRIVAL_MS + DELAY_MS, 0, false, true},
	    {{0}, 0, "", DELAY_MS, 0, 0, false, true},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct test_queue test;
		struct envelope *envelope = make_envelope(
		    &cases[i].asked, cases[i].notify, cases[i].reverse_path);

		test_queue_init(&test);
		test.conf.delay_notice_ms = cases[i].after_ms;
		test.conf.delay_notice_all = cases[i].all;
		watch_add(&test.queue, 7, envelope);
		assert_int_equal(times_of(&test).delay_wall_ms, cases[i].delay);
		assert_int_equal(times_of(&test).by_wall_ms, cases[i].by);
		assert_int_equal(times_of(&test).by_returns, cases[i].returns);
		envelope_free(envelope);
		test_queue_fini(&test);
	}
}

static void
apply(struct test_queue *test, uint32_t slot, const struct mark *mark)
{
	struct buf bytes;

	buf_init(&bytes, MARK_BYTES_MAX);
	mark_write(&bytes, mark);
	assert_int_equal(message_apply(&test->queue, slot, buf_span(&bytes)), OK);
	buf_fini(&bytes);
}

static void
what_was_told_is_not_told_again(void **state)
{
	const struct ipc_extras asked = {.by = IPC_BY_NOTIFY, .by_wall_ms = 9};
	const struct ipc_extras returned = {.by = IPC_BY_RETURN, .by_wall_ms = 9};
	struct test_queue test;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.conf.delay_notice_ms = DELAY_MS;
	slot = add(&test, &asked, IPC_NOTIFY_DELAY);
	apply(&test, slot, &(struct mark){.kind = MARK_TOLD, .told = WATCH_DELAY});
	assert_int_equal(times_of(&test).delay_wall_ms, 0);
	assert_int_equal(times_of(&test).by_wall_ms, 9);
	apply(&test, slot, &(struct mark){.kind = MARK_TOLD, .told = WATCH_BY});
	assert_int_equal(test.queue.watch_map.count, 0);
	sched_message_remove(test.queue.sched, slot);
	/* What is to come back in time stays to be looked at. */
	slot = add(&test, &returned, IPC_NOTIFY_DELAY);
	apply(&test, slot, &(struct mark){.kind = MARK_TOLD, .told = WATCH_DELAY | WATCH_BY});
	assert_int_equal(times_of(&test).by_wall_ms, 9);
	test_queue_fini(&test);
}

static void
all_of_it_is_in_the_digest(void **state)
{
	const struct ipc_extras asked = {.hold_until_wall_ms = ARRIVAL_MS + 5,
	    .by = IPC_BY_RETURN,
	    .by_wall_ms = ARRIVAL_MS + 9,
	    .has_priority = true,
	    .priority = -3};
	struct sched_message known;
	struct test_queue test;
	struct buf digest;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.conf.delay_notice_ms = DELAY_MS;
	buf_init(&digest, STORE_ENVELOPE_BYTES_MAX);
	slot = add(&test, &asked, IPC_NOTIFY_DELAY);
	digest_write(&test.queue, slot, &digest);
	sched_message_remove(test.queue.sched, slot);
	watch_forget(&test.queue, 7);
	for (size_t len = 0; len < digest.len; len++)
		assert_int_equal(
		    digest_read(&test.queue, 7, span_first(buf_span(&digest), len), 100),
		    ERR_SYNTAX);
	assert_int_equal(digest_read(&test.queue, 7, buf_span(&digest), 100), OK);
	slot = sched_message_find(test.queue.sched, 7);
	sched_message_get(test.queue.sched, slot, &known);
	assert_int_equal(known.priority, -3);
	assert_int_equal(known.arrival_wall_ms, ARRIVAL_MS + 5);
	assert_int_equal(test_queue_rcpt(&test, slot, 1).next_wall_ms, ARRIVAL_MS + 5);
	assert_int_equal(times_of(&test).delay_wall_ms, ARRIVAL_MS + 5 + DELAY_MS);
	assert_int_equal(times_of(&test).by_wall_ms, ARRIVAL_MS + 9);
	assert_true(times_of(&test).by_returns);
	buf_fini(&digest);
	test_queue_fini(&test);
}

/* Only marks say that a recipient has it, so the message has no digest until its sender knows. */
static void
what_succeeded_is_read_from_marks(void **state)
{
	const struct mark succeeded = {.kind = MARK_SUCCEEDED,
	    .wall_ms = ARRIVAL_MS,
	    .index = 1,
	    .code = 250,
	    .status = SPAN("2.0.0"),
	    .remote = SPAN("mx"),
	    .text = SPAN("taken")};
	const struct ipc_extras asked = {0};
	struct sched_reply reply;
	struct test_queue test;
	struct sched_rcpt rcpt;
	struct buf digest;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	buf_init(&digest, STORE_ENVELOPE_BYTES_MAX);
	slot = add(&test, &asked, IPC_NOTIFY_SUCCESS);
	apply(&test, slot, &succeeded);
	rcpt = test_queue_rcpt(&test, slot, 1);
	reply = sched_reply_get(test.queue.sched, rcpt.reply);
	assert_true(rcpt.succeeded);
	assert_int_equal(rcpt.code, 250);
	assert_true(span_eq(reply.text, SPAN("taken")));
	assert_false(test_queue_rcpt(&test, slot, 0).succeeded);
	digest_write(&test.queue, slot, &digest);
	assert_int_equal(digest.len, 0);
	apply(&test, slot, &(struct mark){.kind = MARK_ENDED, .index = 1, .end = END_RELAYED});
	digest_write(&test.queue, slot, &digest);
	assert_int_not_equal(digest.len, 0);
	buf_fini(&digest);
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_due_follows_from_the_envelope),
	    cmocka_unit_test(what_was_told_is_not_told_again),
	    cmocka_unit_test(all_of_it_is_in_the_digest),
	    cmocka_unit_test(what_succeeded_is_read_from_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
