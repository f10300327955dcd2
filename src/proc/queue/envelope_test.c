/*
 * Envelopes: what is written is read back as it was, and bytes that are not what they should be
 * are refused whole.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/queue/queue_internal.h"

enum { BYTES_MAX = 64 << 10 };
#define SENDER_OF_NOBODY 0xc322bc0fu

static const struct envelope_head head = {
    .arrival_wall_ms = 0x0102030405060708,
    .flags = IPC_MESSAGE_8BIT | IPC_MESSAGE_BOUNCE,
    .reverse_path = SPAN("ann@example.org"),
    .login = SPAN("ann"),
    .helo = SPAN("a \0 b"),
    .client = SPAN("192.0.2.1"),
    .rcpt_count = 3,
};

static const struct envelope_rcpt rcpts[] = {
    {.kind = IPC_TARGET_MAILBOX,
	.address = SPAN("bob@example.org"),
	.mailbox = SPAN("bob"),
	.original = SPAN("Bob@example.org")},
    {.kind = IPC_TARGET_REMOTE,
	.address = SPAN("carol@example.net"),
	.original = SPAN("carol@example.net"),
	.notify = IPC_NOTIFY_SUCCESS | IPC_NOTIFY_DELAY},
    {.kind = IPC_TARGET_REMOTE,
	.address = SPAN("\"x y\"@example.com"),
	.original = SPAN("list@example.org"),
	.notify = IPC_NOTIFY_NEVER,
	.orcpt = SPAN("rfc822;list@example.org")},
};

/* All that version 2 has, or only what version 1 can say. */
enum { PLAIN, EXTRAS, RCPTS, ALL, KIND_COUNT };

static const struct ipc_extras asked = {
    .ret = IPC_RET_HDRS, .envid = SPAN("QQ314159"), .by = IPC_BY_RETURN, .by_wall_ms = 12345};

static struct envelope_rcpt
rcpt_of(unsigned kind, size_t index)
{
	struct envelope_rcpt rcpt = rcpts[index];

	if (kind == PLAIN || kind == EXTRAS) {
		rcpt.notify = 0;
		rcpt.orcpt = SPAN("");
	}
	return rcpt;
}

static void
write_envelope(struct buf *out, unsigned kind)
{
	struct envelope_head written = head;
	struct buf extras;

	buf_init(&extras, IPC_EXTRAS_MAX);
	if (kind == EXTRAS || kind == ALL)
		ipc_extras_write(&extras, &asked);
	written.extras = buf_span(&extras);
	written.rcpts_ask = kind == RCPTS || kind == ALL;
	buf_init(out, BYTES_MAX);
	envelope_write_head(out, &written);
	for (size_t i = 0; i < LEN(rcpts); i++) {
		struct envelope_rcpt rcpt = rcpt_of(kind, i);

		envelope_write_rcpt(out, &rcpt);
	}
	buf_fini(&extras);
	assert_int_equal(buf_finish(out), OK);
}

static void
comes_back(unsigned kind)
{
	struct envelope *envelope;
	struct buf bytes;
	const char *memory;

	write_envelope(&bytes, kind);
	assert_int_equal(bytes.ptr[0], kind == PLAIN ? 1 : 2);
	memory = bytes.ptr;
	assert_int_equal(envelope_read(&bytes, &envelope), OK);
	/* The bytes are the envelope's now. */
	assert_null(bytes.ptr);
	assert_ptr_equal(envelope->bytes.ptr, memory);
	assert_int_equal(envelope->arrival_wall_ms, head.arrival_wall_ms);
	assert_int_equal(envelope->flags, head.flags);
	assert_true(span_eq(envelope->reverse_path, head.reverse_path));
	assert_true(span_eq(envelope->login, head.login));
	assert_true(span_eq(envelope->helo, head.helo));
	assert_true(span_eq(envelope->client, head.client));
	assert_int_equal(envelope->rcpt_count, LEN(rcpts));
	for (uint32_t i = 0; i < LEN(rcpts); i++) {
		const struct envelope_rcpt *rcpt = &envelope->rcpts[i];
		struct envelope_rcpt was = rcpt_of(kind, i);

		assert_int_equal(rcpt->kind, was.kind);
		assert_true(span_eq(rcpt->address, was.address));
		assert_true(span_eq(rcpt->mailbox, was.mailbox));
		assert_true(span_eq(rcpt->original, was.original));
		assert_int_equal(rcpt->notify, was.notify);
		assert_true(span_eq(rcpt->orcpt, was.orcpt));
	}
	if (kind == EXTRAS || kind == ALL) {
		assert_int_equal(envelope->extras.ret, asked.ret);
		assert_true(span_eq(envelope->extras.envid, asked.envid));
		assert_int_equal(envelope->extras.by_wall_ms, asked.by_wall_ms);
	} else {
		assert_false(ipc_extras_any(&envelope->extras));
	}
	envelope_free(envelope);
}

static void
an_alias_comes_back(void **state)
{
	const struct envelope_head only = {.rcpts_ask = true, .rcpt_count = 1};
	const struct envelope_rcpt alias = {.kind = IPC_TARGET_ALIAS,
	    .address = SPAN("list@example.org"),
	    .original = SPAN("list@example.org"),
	    .notify = IPC_NOTIFY_SUCCESS};
	struct envelope *envelope;
	struct buf bytes;

	(void)state;
	buf_init(&bytes, BYTES_MAX);
	envelope_write_head(&bytes, &only);
	envelope_write_rcpt(&bytes, &alias);
	assert_int_equal(envelope_read(&bytes, &envelope), OK);
	assert_int_equal(envelope->rcpts[0].kind, IPC_TARGET_ALIAS);
	assert_true(span_eq(envelope->rcpts[0].address, alias.address));
	assert_int_equal(envelope->rcpts[0].notify, IPC_NOTIFY_SUCCESS);
	envelope_free(envelope);
}

static void
an_envelope_comes_back(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		comes_back(kind);
	envelope_free(NULL);
}

/* As version 1 wrote it, byte for byte, before there was another. */
static void
an_old_envelope_is_read(void **state)
{
	static const char old[] = "\1\10\7\6\5\4\3\2\1\1\3\0\0\0a@b\2\0\0\0me\1\0\0\0h"
				  "\7\0\0\0001.2.3.4\1\0\0\0\1\3\0\0\0c@d\0\0\0\0\3\0\0\0e@f";
	struct envelope *envelope;
	struct buf bytes;

	(void)state;
	buf_init(&bytes, BYTES_MAX);
	buf_add(&bytes, span_of(old, sizeof(old) - 1));
	assert_int_equal(envelope_read(&bytes, &envelope), OK);
	assert_int_equal(envelope->arrival_wall_ms, 0x0102030405060708);
	assert_int_equal(envelope->flags, IPC_MESSAGE_8BIT);
	assert_true(span_eq(envelope->login, SPAN("me")));
	assert_true(span_eq(envelope->client, SPAN("1.2.3.4")));
	assert_true(span_eq(envelope->rcpts[0].address, SPAN("c@d")));
	assert_true(span_eq(envelope->rcpts[0].original, SPAN("e@f")));
	assert_int_equal(envelope->rcpts[0].notify, 0);
	assert_false(ipc_extras_any(&envelope->extras));
	envelope_free(envelope);
}

static enum err
try_envelope(struct span bytes)
{
	struct envelope *envelope;
	struct buf copy;
	enum err err;

	buf_init(&copy, BYTES_MAX);
	buf_add(&copy, bytes);
	err = envelope_read(&copy, &envelope);
	assert_null(copy.ptr);
	if (!err)
		envelope_free(envelope);
	return err;
}

static void
an_envelope_that_is_cut_is_refused(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		struct buf bytes;

		write_envelope(&bytes, kind);
		assert_int_equal(try_envelope(buf_span(&bytes)), OK);
		for (size_t len = 0; len < bytes.len; len++)
			assert_int_equal(
			    try_envelope(span_first(buf_span(&bytes), len)), ERR_SYNTAX);
		buf_add_char(&bytes, '\0');
		assert_int_equal(try_envelope(buf_span(&bytes)), ERR_SYNTAX);
		buf_fini(&bytes);
	}
}

/* What asks for nothing is of version 1, and what asks is of version 2. */
static void
each_envelope_has_one_version(void **state)
{
	struct buf bytes;

	(void)state;
	write_envelope(&bytes, RCPTS);
	bytes.ptr[0] = 1;
	assert_int_equal(try_envelope(buf_span(&bytes)), ERR_SYNTAX);
	buf_fini(&bytes);
	buf_init(&bytes, BYTES_MAX);
	wire_u8(&bytes, 2);
	wire_u64(&bytes, 1);
	wire_u8(&bytes, 0);
	for (size_t i = 0; i < 5; i++)
		wire_bytes(&bytes, SPAN(""));
	wire_u32(&bytes, 1);
	wire_u8(&bytes, 0);
	for (size_t i = 0; i < 3; i++)
		wire_bytes(&bytes, SPAN(""));
	assert_int_equal(try_envelope(buf_span(&bytes)), ERR_SYNTAX);
	buf_fini(&bytes);
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
	    {"a newer version", 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"no such kind", 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
	    {"an alias of which nobody is told", 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, ERR_SYNTAX},
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
		struct buf bytes;

		write_odd(&bytes, &cases[i]);
		if (try_envelope(buf_span(&bytes)) != cases[i].err)
			fail_msg("%s", cases[i].name);
		buf_fini(&bytes);
	}
}

static uint32_t
sender_of(struct span login, struct span reverse_path)
{
	const struct envelope envelope = {.login = login, .reverse_path = reverse_path};

	return envelope_sender(&envelope);
}

/* Whoever has logged in is one sender, whatever the reverse-paths. */
static void
a_sender_is_a_login_or_else_a_reverse_path(void **state)
{
	(void)state;
	assert_int_equal(sender_of(SPAN("ann"), SPAN("a@x.example")),
	    sender_of(SPAN("ann"), SPAN("b@x.example")));
	assert_int_not_equal(sender_of(SPAN("ann"), SPAN("a@x.example")),
	    sender_of(SPAN("bob"), SPAN("a@x.example")));
	assert_int_not_equal(sender_of(SPAN(""), SPAN("a@x.example")),
	    sender_of(SPAN(""), SPAN("b@x.example")));
	/* It is in checkpoints, so it stays the same in all versions. */
	assert_int_equal(sender_of(SPAN(""), SPAN("")), SENDER_OF_NOBODY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_envelope_comes_back),
	    cmocka_unit_test(an_alias_comes_back),
	    cmocka_unit_test(an_old_envelope_is_read),
	    cmocka_unit_test(an_envelope_that_is_cut_is_refused),
	    cmocka_unit_test(each_envelope_has_one_version),
	    cmocka_unit_test(each_part_has_bounds),
	    cmocka_unit_test(a_sender_is_a_login_or_else_a_reverse_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
