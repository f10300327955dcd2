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
	envelope_write_head(out, &head);
	for (size_t i = 0; i < LEN(rcpts); i++)
		envelope_write_rcpt(out, &rcpts[i].target, rcpts[i].original);
	assert_int_equal(buf_finish(out), OK);
}

static void
an_envelope_comes_back(void **state)
{
	struct envelope *envelope;
	struct buf bytes;
	const char *memory;

	(void)state;
	write_envelope(&bytes);
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

		assert_int_equal(rcpt->kind, rcpts[i].target.kind);
		assert_true(span_eq(rcpt->address, rcpts[i].target.address));
		assert_true(span_eq(rcpt->mailbox, rcpts[i].target.mailbox));
		assert_true(span_eq(rcpt->original, rcpts[i].original));
	}
	envelope_free(envelope);
	envelope_free(NULL);
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
	struct buf bytes;

	(void)state;
	write_envelope(&bytes);
	assert_int_equal(try_envelope(buf_span(&bytes)), OK);
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(
		    try_envelope(span_first(buf_span(&bytes), len)), ERR_SYNTAX);
	buf_add_char(&bytes, '\0');
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
	    cmocka_unit_test(an_envelope_that_is_cut_is_refused),
	    cmocka_unit_test(each_part_has_bounds),
	    cmocka_unit_test(a_sender_is_a_login_or_else_a_reverse_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
