/*
 * Marks: what they say is known to the scheduler again after a start, whichever format they are
 * of; and what is kept of a message while something is done about it.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

enum { BYTES_MAX = 64 << 10 };

static const char *const addresses[] = {"bob", "carol@example.net", "dan@example.com"};

static uint32_t
make(struct test_queue *test)
{
	return test_queue_message(test, 7, addresses, LEN(addresses));
}

static const struct mark released = {.kind = MARK_RELEASED};

static const struct mark deferred = {
    .kind = MARK_DEFERRED,
    .wall_ms = 0x1122334455,
    .index = 1,
    .tries = 3,
    .next_wall_ms = 0x5544332211,
    .code = 451,
    .status = SPAN("4.7.1"),
    .remote = SPAN("mx.example.net[192.0.2.2]"),
    .text = SPAN("come back later"),
};

/* The same as it was written in the first format. */
static void
write_first(struct buf *out)
{
	wire_u8(out, 2);
	wire_u32(out, deferred.index);
	wire_u32(out, deferred.tries);
	wire_u64(out, deferred.next_wall_ms);
	wire_u64(out, deferred.wall_ms);
	wire_u16(out, (uint16_t)deferred.code);
	wire_bytes(out, deferred.status);
	wire_bytes(out, deferred.remote);
	wire_bytes(out, deferred.text);
}

static void
assert_deferred(const struct test_queue *test, uint32_t slot)
{
	struct sched_rcpt rcpt = test_queue_rcpt(test, slot, deferred.index);
	struct sched_reply reply = sched_reply_get(test->queue.sched, rcpt.reply);

	assert_int_equal(rcpt.state, SCHED_NEW);
	assert_int_equal(rcpt.tries, deferred.tries);
	assert_int_equal(rcpt.next_wall_ms, deferred.next_wall_ms);
	assert_int_equal(rcpt.tried_wall_s, deferred.wall_ms / 1000);
	assert_int_equal(rcpt.code, deferred.code);
	assert_int_equal(reply.code, deferred.code);
	assert_true(span_eq(reply.status, deferred.status));
	assert_true(span_eq(reply.remote, deferred.remote));
	assert_true(span_eq(reply.text, deferred.text));
}

static struct sched_message
known(const struct test_queue *test, uint32_t slot)
{
	struct sched_message message;

	sched_message_get(test->queue.sched, slot, &message);
	return message;
}

static void
a_message_is_known_by_its_envelope(void **state)
{
	struct test_queue test;
	struct sched_message message;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	message = known(&test, slot);
	assert_int_equal(sched_message_find(test.queue.sched, 7), slot);
	assert_int_equal(message.id, 7);
	assert_int_equal(message.body_bytes, 100);
	assert_in_range(message.arrival_wall_ms, io_wall_ms(test.env.io) - 60000,
	    io_wall_ms(test.env.io) + 60000);
	assert_int_equal(message.rcpt_count, LEN(addresses));
	assert_int_equal(message.open_count, LEN(addresses));
	for (uint32_t i = 0; i < LEN(addresses); i++) {
		struct sched_rcpt rcpt = test_queue_rcpt(&test, slot, i);

		assert_int_equal(rcpt.message, slot);
		assert_int_equal(rcpt.index, i);
		assert_int_equal(rcpt.state, SCHED_NEW);
		assert_int_equal(rcpt.tries, 0);
		assert_int_equal(rcpt.reply, 0);
	}
	test_queue_fini(&test);
}

static void
write_marks(struct buf *marks, bool first)
{
	const struct mark ended = {.kind = MARK_ENDED, .index = 2, .end = END_RELAYED};
	const struct mark held = {.kind = MARK_HELD};

	buf_init(marks, BYTES_MAX);
	if (first) {
		write_first(marks);
		buf_add(marks, SPAN("\1\2\0\0\0\3"));
		return;
	}
	mark_write(marks, &deferred);
	mark_write(marks, &ended);
	mark_write(marks, &held);
}

static void
marks_come_back(void **state)
{

	(void)state;
	for (int first = 0; first < 2; first++) {
		struct test_queue test;
		struct buf marks;
		uint32_t slot;

		test_queue_init(&test);
		slot = make(&test);
		write_marks(&marks, first);
		assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
		assert_deferred(&test, slot);
		assert_int_equal(test_queue_rcpt(&test, slot, 0).reply, 0);
		assert_int_equal(sched_rcpt_find(test.queue.sched, slot, 2), SCHED_NONE);
		assert_int_equal(known(&test, slot).open_count, 2);
		assert_int_equal(known(&test, slot).flags, SCHED_HELD);
		/* Marks may come twice: a crash repeats, and nothing ends twice. */
		assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
		assert_int_equal(known(&test, slot).open_count, 2);
		assert_deferred(&test, slot);
		buf_reset(&marks);
		if (first)
			buf_add_char(&marks, 4);
		else
			mark_write(&marks, &released);
		assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
		assert_int_equal(known(&test, slot).flags, SCHED_RELEASED);
		assert_int_equal(message_apply(&test.queue, slot, SPAN("")), OK);
		buf_fini(&marks);
		test_queue_fini(&test);
	}
}

static void
what_a_crash_interrupted_is_counted(void **state)
{
	struct mark begun = {.kind = MARK_BEGUN, .index = 1, .tries = 1};
	const struct mark aside = {.kind = MARK_ASIDE, .text = SPAN("three crashes")};
	struct test_queue test;
	struct buf marks;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	buf_init(&marks, BYTES_MAX);
	mark_write(&marks, &begun);
	begun.tries = 2;
	mark_write(&marks, &begun);
	assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
	assert_int_equal(test_queue_rcpt(&test, slot, 1).begun, 2);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).begun, 0);
	/* A try that came to its end is no crash. */
	buf_reset(&marks);
	begun.tries = 1;
	mark_write(&marks, &deferred);
	mark_write(&marks, &begun);
	mark_write(&marks, &aside);
	assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
	assert_int_equal(test_queue_rcpt(&test, slot, 1).begun, 1);
	assert_int_equal(known(&test, slot).flags, SCHED_ASIDE);
	assert_true(span_eq(poison_text(&test.queue, 7), SPAN("three crashes")));
	/* Whom an operator released begins anew. */
	buf_reset(&marks);
	mark_write(&marks, &released);
	assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
	assert_int_equal(known(&test, slot).flags, SCHED_RELEASED);
	assert_int_equal(test_queue_rcpt(&test, slot, 1).begun, 0);
	assert_int_equal(poison_text(&test.queue, 7).len, 0);
	buf_fini(&marks);
	test_queue_fini(&test);
}

static enum err
try_mark(struct span mark)
{
	struct test_queue test;
	enum err err;

	test_queue_init(&test);
	err = message_apply(&test.queue, make(&test), mark);
	test_queue_fini(&test);
	return err;
}

static void
marks_that_are_malformed_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct span mark;
	} cases[] = {
	    {"kind 0", SPAN("\0")},
	    {"kind 5", SPAN("\5")},
	    {"kind 255", SPAN("\xff")},
	    {"an end without an index", SPAN("\1")},
	    {"an index cut", SPAN("\1\0\0\0")},
	    {"an index one too high", SPAN("\1\3\0\0\0")},
	    {"an index far too high", SPAN("\1\xff\xff\xff\xff")},
	    {"a deferral one too high", SPAN("\2\3\0\0\0")},
	    {"something after it", SPAN("\3\0")},
	};
	struct mark too_high = deferred;
	struct buf marks;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		if (try_mark(cases[i].mark) != ERR_SYNTAX)
			fail_msg("%s", cases[i].name);
	for (int first = 0; first < 2; first++) {
		buf_init(&marks, BYTES_MAX);
		if (first)
			write_first(&marks);
		else
			mark_write(&marks, &deferred);
		for (size_t len = 1; len < marks.len; len++)
			assert_int_equal(
			    try_mark(span_first(buf_span(&marks), len)), ERR_SYNTAX);
		buf_fini(&marks);
	}
	too_high.index = LEN(addresses);
	buf_init(&marks, BYTES_MAX);
	mark_write(&marks, &too_high);
	assert_int_equal(try_mark(buf_span(&marks)), ERR_SYNTAX);
	buf_fini(&marks);
}

/* What a server said is kept up to a limit, and its mark can always be read back. */
static void
a_reply_has_bounds(void **state)
{
	static const char bytes[5000];
	const struct mark mark = {
	    .kind = MARK_DEFERRED,
	    .code = 999,
	    .status = SPAN("5.999.999"),
	    .remote = span_of(bytes, sizeof(bytes)),
	    .text = span_of(bytes, sizeof(bytes)),
	};
	struct test_queue test;
	struct sched_rcpt rcpt;
	struct buf marks;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	buf_init(&marks, MARK_BYTES_MAX);
	mark_write(&marks, &mark);
	assert_int_equal(buf_finish(&marks), OK);
	assert_int_equal(message_apply(&test.queue, slot, buf_span(&marks)), OK);
	rcpt = test_queue_rcpt(&test, slot, 0);
	assert_int_equal(rcpt.code, 999);
	assert_int_equal(sched_reply_get(test.queue.sched, rcpt.reply).remote.len, 300);
	assert_int_equal(sched_reply_get(test.queue.sched, rcpt.reply).text.len, 500);
	buf_fini(&marks);
	test_queue_fini(&test);
}

/* Envelope and body of what was just accepted are at hand, within a bound. */
static void
what_is_fresh_is_kept_for_a_while(void **state)
{
	enum { BODY_BYTES = 1 << 20, COUNT = 20 };
	struct test_queue test;
	struct queue *queue = &test.queue;
	struct message *message;
	uint32_t last = 0;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= COUNT; id++) {
		struct envelope *envelope = test_queue_envelope(&test, addresses, 1);
		struct buf body;

		buf_init(&body, BODY_BYTES);
		while (body.len < BODY_BYTES)
			buf_add(&body, SPAN("12345678"));
		last = message_add(queue, id, envelope, body.len);
		message_keep_fresh(queue, last, envelope, &body);
		assert_null(body.ptr);
		assert_true(queue->fresh_bytes <= QUEUE_FRESH_BYTES);
	}
	assert_in_range(queue->message_map.count, 1, COUNT - 1);
	assert_null(map_get_u64(&queue->message_map, 1));
	message = message_open(queue, last);
	assert_non_null(message->envelope);
	assert_int_equal(message->body.len, BODY_BYTES);
	assert_int_equal(message->users, 2);
	message_close(message);
	for (uint64_t id = 1; id <= COUNT; id++) {
		message = map_get_u64(&queue->message_map, id);
		if (message)
			message_forget_fresh(message);
	}
	assert_int_equal(queue->fresh_bytes, 0);
	test_queue_fini(&test);
}

static void
an_envelope_must_be_that_of_the_message(void **state)
{
	struct test_queue test;
	struct message *message;
	struct envelope *other;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	message = message_open(&test.queue, slot);
	other = test_queue_envelope(&test, addresses, 1);
	assert_int_equal(message_envelope(message, &other->bytes), ERR_CORRUPT);
	assert_null(message->envelope);
	envelope_free(other);
	other = test_queue_envelope(&test, addresses, LEN(addresses));
	assert_int_equal(message_envelope(message, &other->bytes), OK);
	envelope_free(other);
	assert_true(span_eq(message->envelope->rcpts[0].mailbox, SPAN("bob")));
	message_close(message);
	test_queue_fini(&test);
}

/* An alias is not tried: its sender is told, also after a restart. */
static void
an_alias_is_told_of(void **state)
{
	const struct envelope_head head = {
	    .reverse_path = SPAN("me@home.example"), .rcpts_ask = true, .rcpt_count = 2};
	const struct envelope_rcpt rcpts[] = {{.kind = IPC_TARGET_ALIAS,
		.address = SPAN("all@home.example"),
		.original = SPAN("all@home.example"),
		.notify = IPC_NOTIFY_SUCCESS},
	    {.kind = IPC_TARGET_REMOTE,
		.address = SPAN("ann@far.example"),
		.original = SPAN("all@home.example"),
		.notify = IPC_NOTIFY_NEVER}};
	struct envelope *envelope;
	struct test_queue test;
	struct buf bytes;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	buf_init(&bytes, STORE_ENVELOPE_BYTES_MAX);
	envelope_write_head(&bytes, &head);
	for (size_t i = 0; i < LEN(rcpts); i++)
		envelope_write_rcpt(&bytes, &rcpts[i]);
	assert_int_equal(envelope_read(&bytes, &envelope), OK);
	slot = message_add(&test.queue, 9, envelope, 10);
	assert_true(test_queue_rcpt(&test, slot, 0).succeeded);
	assert_false(test_queue_rcpt(&test, slot, 1).succeeded);
	assert_true(sched_message_start(test.queue.sched, slot));
	assert_int_equal(test_queue_rcpt(&test, slot, 0).state, SCHED_BOUNCING);
	assert_int_equal(test_queue_rcpt(&test, slot, 1).state, SCHED_READY);
	envelope_free(envelope);
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_is_known_by_its_envelope),
	    cmocka_unit_test(an_alias_is_told_of),
	    cmocka_unit_test(marks_come_back),
	    cmocka_unit_test(what_a_crash_interrupted_is_counted),
	    cmocka_unit_test(marks_that_are_malformed_are_refused),
	    cmocka_unit_test(a_reply_has_bounds),
	    cmocka_unit_test(what_is_fresh_is_kept_for_a_while),
	    cmocka_unit_test(an_envelope_must_be_that_of_the_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
