/* The client session: what a server says is bounded, none of it lost or believed early. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "smtp/smtp_client.h"

enum { TIMEOUT_MS = 1000 };

static struct smtp_client *
client_create(void)
{
	struct smtp_client_options options = {
	    .helo = SPAN("me"), .reply_timeout_ms = TIMEOUT_MS};

	return smtp_client_create(&options, 0);
}

/* Feeds all, pulling between; the last event that is not WAIT. */
static struct smtp_client_event
say(struct smtp_client *client, struct span bytes)
{
	struct smtp_client_event event, last = {0};
	size_t sent;

	do {
		size_t taken = smtp_client_input(client, bytes, 0);

		bytes = span_skip(bytes, taken);
		event = smtp_client_next(client);
		if (event.kind != SMTP_CLIENT_WAIT)
			last = event;
		sent = smtp_client_output(client).len;
		smtp_client_output_done(client, sent);
	} while (bytes.len || sent || event.kind != SMTP_CLIENT_WAIT);
	return last;
}

/* A greeting of so many lines with so many bytes each, CR LF not counted; the last event. */
static struct smtp_client_event
greet(struct smtp_client *client, size_t lines, size_t bytes)
{
	struct smtp_client_event event;
	struct buf greeting;

	buf_init(&greeting, 1 << 20);
	for (size_t i = 0; i < lines; i++) {
		buf_add_str(&greeting, i + 1 < lines ? "554-" : "554 ");
		for (size_t j = 4; j < bytes; j++)
			buf_add_char(&greeting, 'x');
		buf_add_str(&greeting, "\r\n");
	}
	assert_int_equal(buf_finish(&greeting), OK);
	event = say(client, buf_span(&greeting));
	buf_fini(&greeting);
	return event;
}

static void
test_replies_are_bounded(void **state)
{
	static const struct {
		size_t lines, bytes;
		enum err err;
		size_t text;
	} cases[] = {
	    {1, SMTP_CLIENT_LINE_BYTES_MAX - 2, ERR_DENIED, SMTP_CLIENT_REPLY_TEXT_MAX},
	    {1, SMTP_CLIENT_LINE_BYTES_MAX, ERR_SYNTAX, SMTP_CLIENT_REPLY_TEXT_MAX},
	    {1, 100000, ERR_SYNTAX, SMTP_CLIENT_REPLY_TEXT_MAX},
	    {SMTP_CLIENT_REPLY_LINES_MAX, 5, ERR_DENIED,
		2 * SMTP_CLIENT_REPLY_LINES_MAX - 1},
	    {SMTP_CLIENT_REPLY_LINES_MAX + 1, 5, ERR_SYNTAX, 5},
	    {60, 1000, ERR_DENIED, SMTP_CLIENT_REPLY_TEXT_MAX},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct smtp_client *client = client_create();
		struct smtp_client_event event =
		    greet(client, cases[i].lines, cases[i].bytes);

		assert_int_equal(event.kind, SMTP_CLIENT_FAILED);
		assert_int_equal(event.err, cases[i].err);
		assert_int_equal(event.reply.text.len, cases[i].text);
		smtp_client_destroy(client);
	}
}

static void
test_a_nul_is_kept(void **state)
{
	struct smtp_client *client = client_create();
	struct smtp_client_event event = say(client, SPAN("554 5.7.1 a\0b\r\n"));

	(void)state;
	assert_int_equal(event.reply.status[1], 7);
	assert_true(span_eq(event.reply.text, SPAN("a\0b")));
	smtp_client_destroy(client);
}

/* Whatever is in one packet or in two: plain bytes before the handshake end it. */
static void
test_bytes_before_the_handshake(void **state)
{
	struct smtp_client *client = client_create();
	struct smtp_client_event event;

	(void)state;
	event = say(client, SPAN("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"));
	assert_int_equal(event.kind, SMTP_CLIENT_START_TLS);
	event = say(client, SPAN("x"));
	assert_int_equal(event.kind, SMTP_CLIENT_FAILED);
	assert_int_equal(event.err, ERR_SYNTAX);
	assert_int_equal(event.stage, SMTP_CLIENT_STARTTLS);
	smtp_client_tls_started(client, 1);
	assert_int_equal(smtp_client_output(client).len, 0);
	assert_false(smtp_client_is_tls(client));
	smtp_client_destroy(client);
}

static void
test_the_end_within_the_handshake(void **state)
{
	struct smtp_client *client = client_create();
	struct smtp_client_event event;

	(void)state;
	event = say(client, SPAN("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n"));
	assert_int_equal(event.kind, SMTP_CLIENT_START_TLS);
	smtp_client_eof(client);
	event = smtp_client_next(client);
	assert_int_equal(event.err, ERR_CLOSED);
	smtp_client_tls_failed(client);
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_WAIT);
	smtp_client_destroy(client);
}

static void
test_many_recipients_and_a_large_body(void **state)
{
	static char piece_bytes[SMTP_CLIENT_PIECE_BYTES_MAX];
	static char addresses[SMTP_CLIENT_RCPT_MAX][ADDRESS_BYTES_MAX];
	struct span rcpts[SMTP_CLIENT_RCPT_MAX];
	struct smtp_client_mail mail = {
	    .rcpts = rcpts, .rcpt_count = SMTP_CLIENT_RCPT_MAX};
	struct smtp_client *client = client_create();
	struct smtp_client_event event;
	struct buf replies;

	(void)state;
	memset(piece_bytes, '.', sizeof(piece_bytes));
	memset(addresses, 'a', sizeof(addresses));
	for (size_t i = 0; i < LEN(rcpts); i++)
		rcpts[i] = span_of(addresses[i], sizeof(addresses[i]));
	mail.reverse_path = rcpts[0];
	event = say(client, SPAN("220 mx\r\n250-mx\r\n250 PIPELINING\r\n"));
	assert_int_equal(event.kind, SMTP_CLIENT_READY);
	smtp_client_send(client, &mail, 0);
	assert_true(smtp_client_output(client).len > SMTP_CLIENT_RCPT_MAX * 320);
	(void)say(client, SPAN("250 ok\r\n"));
	/* In one packet, however many they are. */
	buf_init(&replies, SMTP_CLIENT_INPUT_BYTES);
	for (size_t i = 0; i < LEN(rcpts); i++)
		buf_addf(&replies, "250 2.1.5 %084zu\r\n", i);
	assert_int_equal(replies.len, 96 * LEN(rcpts));
	assert_int_equal(smtp_client_input(client, SPAN("250"), 0), 3);
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_WAIT);
	buf_consume(&replies, 3);
	assert_int_equal(smtp_client_input(client, buf_span(&replies), 0), replies.len);
	buf_fini(&replies);
	for (size_t i = 0; i < LEN(rcpts); i++) {
		event = smtp_client_next(client);
		assert_int_equal(event.kind, SMTP_CLIENT_RCPT_DONE);
		assert_int_equal(event.rcpt_index, i);
	}
	event = say(client, SPAN("354 ok\r\n"));
	assert_int_equal(event.kind, SMTP_CLIENT_BODY_WANTED);
	smtp_client_body(client, span_of(piece_bytes, sizeof(piece_bytes)), false, 0);
	/* One dot was at the start of a line; more is not wanted before this is out. */
	assert_int_equal(smtp_client_output(client).len, sizeof(piece_bytes) + 1);
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_WAIT);
	smtp_client_output_done(client, sizeof(piece_bytes));
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_BODY_WANTED);
	assert_int_equal(smtp_client_next(client).kind, SMTP_CLIENT_WAIT);
	smtp_client_destroy(client);
}

static void
test_stage_names(void **state)
{
	(void)state;
	assert_string_equal(smtp_client_stage_name(SMTP_CLIENT_GREETING), "greeting");
	assert_string_equal(smtp_client_stage_name(SMTP_CLIENT_BODY_SENT), "body-sent");
	assert_string_equal(smtp_client_stage_name(SMTP_CLIENT_QUIT), "quit");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replies_are_bounded),
	    cmocka_unit_test(test_a_nul_is_kept),
	    cmocka_unit_test(test_bytes_before_the_handshake),
	    cmocka_unit_test(test_the_end_within_the_handshake),
	    cmocka_unit_test(test_many_recipients_and_a_large_body),
	    cmocka_unit_test(test_stage_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
