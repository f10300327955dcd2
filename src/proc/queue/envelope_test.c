/* What message.c writes is what envelope.c reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/targets.h"
#include "proc/queue/envelope.h"
#include "proc/queue/queue_internal.h"

static void
write_one(struct buf *out)
{
	const struct message_envelope envelope = {
	    .arrival_wall_ms = 1234567890123,
	    .flags = IPC_MESSAGE_SMTPUTF8,
	    .reverse_path = SPAN("ann@client.example"),
	    .login = SPAN("ann"),
	    .helo = SPAN("client.example"),
	    .client = SPAN("192.0.2.1"),
	    .rcpt_count = 2,
	};
	const struct ipc_target_entry local = {.kind = IPC_TARGET_MAILBOX,
	    .address = SPAN("bob@home.example"),
	    .mailbox = SPAN("bob")};
	const struct ipc_target_entry remote = {
	    .kind = IPC_TARGET_REMOTE, .address = SPAN("cy@far.example")};

	message_envelope_begin(out, &envelope);
	message_envelope_rcpt(out, &local, SPAN("all@home.example"));
	message_envelope_rcpt(out, &remote, SPAN(""));
}

static void
what_is_written_is_read(void **state)
{
	struct envelope envelope;
	struct envelope_rcpt rcpt;
	struct reader reader;
	struct buf bytes;

	(void)state;
	buf_init(&bytes, 4096);
	write_one(&bytes);
	reader = reader_init(buf_span(&bytes));
	assert_true(envelope_read(&reader, &envelope));
	assert_true(envelope.arrival_wall_ms == 1234567890123);
	assert_int_equal(envelope.flags, IPC_MESSAGE_SMTPUTF8);
	assert_true(span_eq(envelope.reverse_path, SPAN("ann@client.example")));
	assert_true(span_eq(envelope.login, SPAN("ann")));
	assert_true(span_eq(envelope.helo, SPAN("client.example")));
	assert_true(span_eq(envelope.client, SPAN("192.0.2.1")));
	assert_int_equal(envelope.rcpt_count, 2);
	assert_true(envelope_read_rcpt(&reader, &rcpt));
	assert_true(rcpt.local && span_eq(rcpt.mailbox, SPAN("bob")));
	assert_true(span_eq(rcpt.original, SPAN("all@home.example")));
	assert_true(envelope_read_rcpt(&reader, &rcpt));
	assert_true(!rcpt.local && span_eq(rcpt.address, SPAN("cy@far.example")));
	assert_int_equal(reader_finish(&reader), OK);
	buf_fini(&bytes);
}

static void
what_is_cut_short_is_refused(void **state)
{
	struct buf bytes;

	(void)state;
	buf_init(&bytes, 4096);
	write_one(&bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		struct reader reader = reader_init(span_of(bytes.ptr, len));
		struct envelope envelope;
		struct envelope_rcpt rcpt;
		bool good = envelope_read(&reader, &envelope);

		for (uint32_t i = 0; good && i < envelope.rcpt_count; i++)
			good = envelope_read_rcpt(&reader, &rcpt);
		assert_false(good);
	}
	buf_fini(&bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read),
	    cmocka_unit_test(what_is_cut_short_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
