/*
 * Envelopes and marks: what is written is read back as it was, and bytes that are not what they
 * should be are refused whole.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

enum { BYTES_MAX = 64 << 10 };

static const struct message_envelope envelope = {
    .arrival_wall_ms = 0x0102030405060708,
    .flags = IPC_MESSAGE_8BIT | IPC_MESSAGE_BOUNCE,
    .reverse_path = SPAN("ann@example.org"),
    .login = SPAN("ann"),
    .helo = SPAN("a \0 b"),
    .client = SPAN("192.0.2.1"),
    .rcpt_count = 3,
};

static const struct {
	struct ipc_target_entry target;
	struct span original;
} rcpts[] = {
    {{IPC_TARGET_MAILBOX, SPAN("bob@example.org"), SPAN("bob")}, SPAN("Bob@example.org")},
    {{IPC_TARGET_REMOTE, SPAN("carol@example.net"), SPAN("")}, SPAN("carol@example.net")},
    {{IPC_TARGET_REMOTE, SPAN("\"x y\"@example.com"), SPAN("")},
	SPAN("list@example.org")},
};

static void
write_envelope(struct buf *out)
{
	buf_init(out, BYTES_MAX);
	message_envelope_begin(out, &envelope);
	for (size_t i = 0; i < LEN(rcpts); i++)
		message_envelope_rcpt(out, &rcpts[i].target, rcpts[i].original);
	assert_int_equal(buf_finish(out), OK);
}

static struct message *
make(struct test_queue *test)
{
	struct message *message;
	struct buf bytes;

	write_envelope(&bytes);
	assert_int_equal(
	    message_create(&test->queue, 7, buf_span(&bytes), 1234, &message), OK);
	/* The message has a copy of its own. */
	memset(bytes.ptr, 'x', bytes.len);
	buf_fini(&bytes);
	return message;
}

static void
an_envelope_comes_back(void **state)
{
	struct test_queue test;
	struct message *message;

	(void)state;
	test_queue_init(&test);
	message = make(&test);
	assert_int_equal(message->id, 7);
	assert_int_equal(message->body_bytes, 1234);
	assert_int_equal(message->arrival_wall_ms, envelope.arrival_wall_ms);
	assert_int_equal(message->flags, envelope.flags);
	assert_true(span_eq(message->reverse_path, envelope.reverse_path));
	assert_true(span_eq(message->login, envelope.login));
	assert_true(span_eq(message->helo, envelope.helo));
	assert_true(span_eq(message->client, envelope.client));
	assert_int_equal(message->rcpt_count, LEN(rcpts));
	assert_int_equal(message->open_count, LEN(rcpts));
	for (uint32_t i = 0; i < LEN(rcpts); i++) {
		const struct recipient *rcpt = &message->rcpts[i];

		assert_ptr_equal(rcpt->message, message);
		assert_int_equal(rcpt->index, i);
		assert_int_equal(rcpt->state, RECIPIENT_WAITING);
		assert_int_equal(rcpt->kind, rcpts[i].target.kind);
		assert_true(span_eq(rcpt->address, rcpts[i].target.address));
		assert_true(span_eq(rcpt->mailbox, rcpts[i].target.mailbox));
		assert_true(span_eq(rcpt->original, rcpts[i].original));
	}
	assert_ptr_equal(map_get_u64(&test.queue.message_map, 7), message);
	message_destroy(&test.queue, message);
	assert_null(map_get_u64(&test.queue.message_map, 7));
	assert_true(list_empty(&test.queue.messages));
	test_queue_fini(&test);
}

static enum err
try_envelope(struct test_queue *test, struct span bytes)
{
	struct message *message;
	enum err err = message_create(&test->queue, 1, bytes, 0, &message);

	if (!err)
		message_destroy(&test->queue, message);
	assert_int_equal(test->queue.message_map.count, 0);
	assert_true(list_empty(&test->queue.messages));
	return err;
}

static void
an_envelope_that_is_cut_is_refused(void **state)
{
	struct test_queue test;
	struct buf bytes;

	(void)state;
	test_queue_init(&test);
	write_envelope(&bytes);
	assert_int_equal(try_envelope(&test, buf_span(&bytes)), OK);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(
		    try_envelope(&test, span_first(buf_span(&bytes), len)), ERR_SYNTAX);
	buf_add_char(&bytes, '\0');
	assert_int_equal(try_envelope(&test, buf_span(&bytes)), ERR_SYNTAX);
	buf_fini(&bytes);
	test_queue_fini(&test);
}

/* An envelope of one recipient, with one thing about it that may be wrong. */
struct odd {
	const char *name;
	unsigned version, kind;
	uint32_t count;
	size_t reverse_path, login, helo, client, address, mailbox, original;
	enum err err;
};

static void
write_odd(struct buf *out, const struct odd *odd)
{
	static const char bytes[2000];

	buf_init(out, BYTES_MAX);
	wire_u8(out, (uint8_t)odd->version);
	wire_u64(out, 1);
	wire_u8(out, 0);
	wire_bytes(out, span_of(bytes, odd->reverse_path));
	wire_bytes(out, span_of(bytes, odd->login));
	wire_bytes(out, span_of(bytes, odd->helo));
	wire_bytes(out, span_of(bytes, odd->client));
	wire_u32(out, odd->count);
	wire_u8(out, (uint8_t)odd->kind);
	wire_bytes(out, span_of(bytes, odd->address));
	wire_bytes(out, span_of(bytes, odd->mailbox));
	wire_bytes(out, span_of(bytes, odd->original));
}

static void
each_part_has_bounds(void **state)
{
	static const struct odd cases[] = {
	    {"all is small", 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, OK},
	    {"all is as large as may be", 1, 1, 1, IPC_PATH_MAX, IPC_CREDENTIAL_MAX,
		IPC_DOMAIN_MAX, 64, IPC_PATH_MAX, IPC_MAILBOX_MAX, IPC_PATH_MAX, OK},
	    {"an older version", 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"a newer version", 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"no such kind", 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"no recipients", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"fewer than it says", 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"many more than it says", 1, 0, 100000, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"too many", 1, 0, UINT32_MAX, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"reverse-path", 1, 0, 1, IPC_PATH_MAX + 1, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"login", 1, 0, 1, 0, IPC_CREDENTIAL_MAX + 1, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"helo", 1, 0, 1, 0, 0, IPC_DOMAIN_MAX + 1, 0, 0, 0, 0, ERR_SYNTAX},
	    {"client", 1, 0, 1, 0, 0, 0, 65, 0, 0, 0, ERR_SYNTAX},
	    {"address", 1, 0, 1, 0, 0, 0, 0, IPC_PATH_MAX + 1, 0, 0, ERR_SYNTAX},
	    {"mailbox", 1, 0, 1, 0, 0, 0, 0, 0, IPC_MAILBOX_MAX + 1, 0, ERR_SYNTAX},
	    {"original", 1, 0, 1, 0, 0, 0, 0, 0, 0, IPC_PATH_MAX + 1, ERR_SYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct test_queue test;
		struct buf bytes;

		test_queue_init(&test);
		write_odd(&bytes, &cases[i]);
		if (try_envelope(&test, buf_span(&bytes)) != cases[i].err)
			fail_msg("%s", cases[i].name);
		buf_fini(&bytes);
		test_queue_fini(&test);
	}
}

static void
set_last(struct recipient *rcpt)
{
	const struct last_reply last = {
	    .code = 451,
	    .status = "4.7.1",
	    .remote = SPAN("mx.example.net[192.0.2.2]"),
	    .text = SPAN("come back later"),
	    .wall_ms = 0x1122334455,
	};

	rcpt->tries = 3;
	rcpt->next_wall_ms = 0x5544332211;
	recipient_set_last(rcpt, &last);
}

static void
assert_last(const struct recipient *rcpt)
{
	assert_int_equal(rcpt->tries, 3);
	assert_int_equal(rcpt->next_wall_ms, 0x5544332211);
	assert_non_null(rcpt->last);
	assert_int_equal(rcpt->last->code, 451);
	assert_string_equal(rcpt->last->status, "4.7.1");
	assert_true(span_eq(rcpt->last->remote, SPAN("mx.example.net[192.0.2.2]")));
	assert_true(span_eq(rcpt->last->text, SPAN("come back later")));
	assert_int_equal(rcpt->last->wall_ms, 0x1122334455);
}

static void
marks_come_back(void **state)
{
	struct test_queue test;
	struct message *message;
	struct buf marks;

	(void)state;
	test_queue_init(&test);
	message = make(&test);
	buf_init(&marks, BYTES_MAX);
	set_last(&message->rcpts[1]);
	old_mark_write(&marks, OLD_MARK_DEFERRED, &message->rcpts[1]);
	old_mark_write(&marks, OLD_MARK_ENDED, &message->rcpts[2]);
	old_mark_write(&marks, OLD_MARK_HELD, NULL);
	message_destroy(&test.queue, message);

	message = make(&test);
	assert_int_equal(mark_apply(message, buf_span(&marks)), OK);
	assert_last(&message->rcpts[1]);
	assert_null(message->rcpts[0].last);
	assert_int_equal(message->rcpts[2].state, RECIPIENT_ENDED);
	assert_int_equal(message->rcpts[1].state, RECIPIENT_WAITING);
	assert_int_equal(message->open_count, 2);
	assert_true(message->held && !message->released);
	/* Marks may come twice: a crash repeats, and nothing ends twice. */
	assert_int_equal(mark_apply(message, buf_span(&marks)), OK);
	assert_int_equal(message->open_count, 2);
	assert_last(&message->rcpts[1]);
	buf_reset(&marks);
	old_mark_write(&marks, OLD_MARK_RELEASED, NULL);
	assert_int_equal(mark_apply(message, buf_span(&marks)), OK);
	assert_true(!message->held && message->released);
	assert_int_equal(mark_apply(message, SPAN("")), OK);
	buf_fini(&marks);
	test_queue_fini(&test);
}

static enum err
try_mark(struct span mark)
{
	struct test_queue test;
	struct message *message;
	enum err err;

	test_queue_init(&test);
	message = make(&test);
	err = mark_apply(message, mark);
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
	struct test_queue test;
	struct message *message;
	struct buf mark;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		if (try_mark(cases[i].mark) != ERR_SYNTAX)
			fail_msg("%s", cases[i].name);
	test_queue_init(&test);
	message = make(&test);
	set_last(&message->rcpts[1]);
	buf_init(&mark, BYTES_MAX);
	old_mark_write(&mark, OLD_MARK_DEFERRED, &message->rcpts[1]);
	test_queue_fini(&test);
	for (size_t len = 1; len < mark.len; len++)
		assert_int_equal(try_mark(span_first(buf_span(&mark), len)), ERR_SYNTAX);
	buf_fini(&mark);
}

/* What a server said is kept up to a limit, and its mark can always be read back. */
static void
a_reply_has_bounds(void **state)
{
	static const char bytes[5000];
	struct test_queue test;
	struct message *message;
	struct buf mark;
	const struct last_reply last = {
	    .code = 65535,
	    .status = "5.999.999",
	    .remote = span_of(bytes, sizeof(bytes)),
	    .text = span_of(bytes, sizeof(bytes)),
	};

	(void)state;
	test_queue_init(&test);
	message = make(&test);
	recipient_set_last(&message->rcpts[0], &last);
	assert_int_equal(message->rcpts[0].last->remote.len, 300);
	assert_int_equal(message->rcpts[0].last->text.len, QUEUE_REPLY_TEXT_MAX);
	buf_init(&mark, 2048);
	old_mark_write(&mark, OLD_MARK_DEFERRED, &message->rcpts[0]);
	assert_int_equal(buf_finish(&mark), OK);
	assert_int_equal(mark_apply(message, buf_span(&mark)), OK);
	assert_int_equal(message->rcpts[0].last->code, 65535);
	assert_int_equal(message->rcpts[0].last->text.len, QUEUE_REPLY_TEXT_MAX);
	buf_fini(&mark);
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_envelope_comes_back),
	    cmocka_unit_test(an_envelope_that_is_cut_is_refused),
	    cmocka_unit_test(each_part_has_bounds),
	    cmocka_unit_test(marks_come_back),
	    cmocka_unit_test(marks_that_are_malformed_are_refused),
	    cmocka_unit_test(a_reply_has_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
