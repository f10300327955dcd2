/* What a session costs while nothing happens, and when that ends. */
#include "smtp/test_smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COMMAND_MS 300000u
#define DATA_MS 600000u
#define SESSION_MS 3600000u
#define ENVELOPE "EHLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n"

static void
start(struct drive *drive, const char *client)
{
	struct smtp_server_options options = drive_options();

	options.tls_offered = true;
	drive_init(drive, &options);
	drive_pump(drive);
	drive_send_str(drive, client);
	smtp_server_tick(drive->server, 0);
	buf_reset(&drive->events);
	buf_reset(&drive->replies);
}

static void
tick(struct drive *drive, uint64_t now_ms)
{
	drive->now_ms = now_ms;
	smtp_server_tick(drive->server, now_ms);
	drive_pump(drive);
}

/* Nothing happens before the time, and all of it at the time. */
static void
expect_end(struct drive *drive, uint64_t at_ms, const char *events, const char *replies)
{
	assert_int_equal(smtp_server_deadline_ms(drive->server), at_ms);
	tick(drive, at_ms - 1);
	assert_int_equal(drive->events.len, 0);
	tick(drive, at_ms);
	assert_string_equal(drive_text(&drive->events), events);
	assert_string_equal(drive_text(&drive->replies), replies);
	assert_int_equal(smtp_server_deadline_ms(drive->server), UINT64_MAX);
	tick(drive, at_ms + SESSION_MS);
	assert_string_equal(drive_text(&drive->events), events);
	drive_fini(drive);
}

static void
each_state_has_its_deadline(void **state)
{
	static const struct {
		const char *client;
		uint64_t at_ms;
		const char *events, *replies;
	} rows[] = {
	    {"", COMMAND_MS, "refused 421; close", "421"},
	    {"EHLO a\r\n", COMMAND_MS, "refused 421; close", "421"},
	    {"EHLO a\r\nMAIL FROM:<x@a>\r\n", COMMAND_MS, "abort; refused 421; close",
		"421"},
	    {ENVELOPE, COMMAND_MS, "abort; refused 421; close", "421"},
	    {ENVELOPE "DATA\r\n", DATA_MS, "abort; refused 421; close", "421"},
	    {ENVELOPE "DATA\r\na\nb", DATA_MS, "refused 421; close", "421"},
	    {ENVELOPE "BDAT 3\r\nab", DATA_MS, "abort; refused 421; close", "421"},
	    {ENVELOPE "BDAT 2\r\nab", COMMAND_MS, "abort; refused 421; close", "421"},
	    {"BDAT 2\r\n", DATA_MS, "refused 421; close", "421"},
	    {"STARTTLS\r\n", COMMAND_MS, "refused 421; close", ""},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct drive drive;

		start(&drive, rows[i].client);
		expect_end(&drive, rows[i].at_ms, rows[i].events, rows[i].replies);
	}
}

static void
only_whole_commands_are_progress(void **state)
{
	struct drive drive;

	(void)state;
	start(&drive, "EHLO a\r\n");
	drive.now_ms = 100000;
	drive_send_str(&drive, "NO");
	assert_int_equal(smtp_server_deadline_ms(drive.server), COMMAND_MS);
	drive.now_ms = 200000;
	drive_send_str(&drive, "OP\r\nN");
	expect_end(&drive, 200000 + COMMAND_MS, "refused 421; close", "250 421");
}

static void
each_piece_of_a_message_is_progress(void **state)
{
	struct drive drive;

	(void)state;
	start(&drive, ENVELOPE "DATA\r\n");
	drive.now_ms = 500000;
	drive_send_str(&drive, "a");
	assert_int_equal(smtp_server_deadline_ms(drive.server), 500000 + DATA_MS);
	drive.now_ms = 1000000;
	drive_send_str(&drive, "b");
	expect_end(&drive, 1000000 + DATA_MS, "abort; refused 421; close", "421");
}

static void
no_session_lasts_for_ever(void **state)
{
	struct drive drive;

	(void)state;
	start(&drive, "EHLO a\r\n");
	for (drive.now_ms = 0; drive.now_ms < SESSION_MS; drive.now_ms += 200000) {
		tick(&drive, drive.now_ms);
		drive_send_str(&drive, "NOOP\r\n");
		buf_reset(&drive.replies);
	}
	expect_end(&drive, SESSION_MS, "refused 421; close", "421");
}

/* The text says which limit it was, and the smallest one wins. */
static void
the_text_names_what_took_too_long(void **state)
{
	static const struct {
		const char *client;
		uint64_t at_ms;
		const char *text;
	} rows[] = {
	    {"EHLO a\r\n", COMMAND_MS, "waited too long for the next command"},
	    {ENVELOPE "DATA\r\n", DATA_MS, "waited too long for the rest of the message"},
	};
	struct drive drive;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		start(&drive, rows[i].client);
		tick(&drive, rows[i].at_ms);
		assert_non_null(strstr(drive_text(&drive.output), rows[i].text));
		drive_fini(&drive);
	}
	start(&drive, "");
	smtp_server_touch(drive.server, SESSION_MS - 10);
	tick(&drive, SESSION_MS);
	assert_non_null(strstr(drive_text(&drive.output), "allows no session as long"));
	drive_fini(&drive);
}

static void
no_limit_is_no_limit(void **state)
{
	struct smtp_server_options options = {.hostname = SPAN("mx.test")};
	struct drive drive;
	char line[2000];

	(void)state;
	drive_init(&drive, &options);
	assert_int_equal(smtp_server_deadline_ms(drive.server), UINT64_MAX);
	memset(line, 'x', sizeof(line));
	memcpy(line, "NOOP ", 5);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	drive_send(&drive, span_of(line, sizeof(line)), DRIVE_WHOLE);
	for (int i = 0; i < 1000; i++)
		drive_send_str(&drive, "FOO\r\n");
	drive_send_str(&drive, "EHLO a\r\nMAIL FROM:<x@a> SIZE=99999999999\r\n");
	assert_false(drive.closed);
	assert_int_equal(drive.open, 1);
	assert_non_null(strstr(drive_text(&drive.output), "250-SIZE\r\n"));
	/* A line that would not fit into the input is refused all the same. */
	buf_reset(&drive.replies);
	for (int i = 0; i < 50; i++)
		drive_send(&drive, span_of(line, sizeof(line) - 2), DRIVE_WHOLE);
	drive_send_str(&drive, "\r\n");
	assert_string_equal(drive_text(&drive.replies), "500");
	drive_fini(&drive);
}

static void
the_clock_stands_while_a_reply_is_owed(void **state)
{
	struct smtp_server_options options = drive_options();
	struct smtp_server *server = smtp_server_create(&options, 0);

	(void)state;
	smtp_server_input(server, SPAN("EHLO a\r\nMAIL FROM:<>\r\n"), 0);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_MAIL);
	assert_int_equal(smtp_server_deadline_ms(server), UINT64_MAX);
	smtp_server_tick(server, 2 * COMMAND_MS);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_WAIT);
	smtp_server_reply(server, &(struct reply){.id = REPLY_OK});
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_WAIT);
	/* Nobody said what time it is: the next tick only starts the clock. */
	smtp_server_tick(server, 2 * COMMAND_MS + 5);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_WAIT);
	assert_int_equal(smtp_server_deadline_ms(server), 3 * COMMAND_MS + 5);
	smtp_server_touch(server, 2 * COMMAND_MS + 9);
	assert_int_equal(smtp_server_deadline_ms(server), 3 * COMMAND_MS + 9);
	smtp_server_destroy(server);
}

static void
shutting_down_waits_for_what_is_under_way(void **state)
{
	static const struct {
		const char *client, *events, *replies;
		const char *rest, *rest_events, *rest_replies;
	} rows[] = {
	    {"", "refused 421; close", "421", "", "refused 421; close", "421"},
	    {"EHLO a\r\n", "refused 421; close", "421", "NOOP\r\n", "refused 421; close",
		"421"},
	    {ENVELOPE, "abort; refused 421; close", "421", "",
		"abort; refused 421; close", "421"},
	    {ENVELOPE "DATA\r\na", "", "", "b\r\n.\r\nNOOP\r\n",
		"end(ab|); refused 421; close", "250 421"},
	    {ENVELOPE "BDAT 1\r\na", "", "", "BDAT 1 LAST\r\nbNOOP\r\n",
		"end(ab|); refused 421; close", "250 421"},
	    {"STARTTLS\r\n", "refused 421; close", "", "", "refused 421; close", ""},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct drive drive;

		start(&drive, rows[i].client);
		smtp_server_shut_down(drive.server);
		drive_pump(&drive);
		assert_string_equal(drive_text(&drive.events), rows[i].events);
		assert_string_equal(drive_text(&drive.replies), rows[i].replies);
		drive_send_str(&drive, rows[i].rest);
		assert_string_equal(drive_text(&drive.events), rows[i].rest_events);
		assert_string_equal(drive_text(&drive.replies), rows[i].rest_replies);
		drive_fini(&drive);
	}
}

static void
a_lost_client_aborts_its_transaction(void **state)
{
	static const struct {
		const char *client, *events;
	} rows[] = {
	    {"", "close"},
	    {"EHLO a\r\nMA", "close"},
	    {"EHLO a\r\nMAIL FROM:<x@a>\r\n", "abort; close"},
	    {ENVELOPE "DATA\r\nabc", "abort; close"},
	    {ENVELOPE "DATA\r\n\n", "close"},
	    {ENVELOPE "BDAT 2\r\nab", "abort; close"},
	    {ENVELOPE "DATA\r\n.\r\n", "close"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct drive drive;

		start(&drive, rows[i].client);
		smtp_server_eof(drive.server);
		smtp_server_eof(drive.server);
		drive_pump(&drive);
		assert_string_equal(drive_text(&drive.events), rows[i].events);
		assert_int_equal(drive.replies.len, 0);
		drive_fini(&drive);
	}
}

static void
an_event_that_waits_does_not_point_into_moved_memory(void **state)
{
	struct smtp_server_options options = drive_options();
	struct smtp_server *server = smtp_server_create(&options, 0);
	struct smtp_server_event event;
	char more[4000];

	(void)state;
	memset(more, 'x', sizeof(more));
	smtp_server_input(server, SPAN("EHLO a\r\nMAIL FROM:<>\r\n"), 0);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_MAIL);
	smtp_server_reply(server, &(struct reply){.id = REPLY_OK});
	smtp_server_input(server, SPAN("NOOP\nNOOP"), 0);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_ABORT);
	smtp_server_input(server, span_of(more, sizeof(more)), 0);
	event = smtp_server_next(server);
	assert_int_equal(event.kind, SMTP_SERVER_REFUSED);
	assert_true(span_eq(event.command, SPAN("NOOP")));
	smtp_server_destroy(server);
	smtp_server_destroy(NULL);
}

static void
a_reply_to_a_lost_client_is_dropped(void **state)
{
	struct smtp_server_options options = drive_options();
	struct smtp_server *server = smtp_server_create(&options, 0);

	(void)state;
	smtp_server_input(server, SPAN("EHLO a\r\nMAIL FROM:<>\r\n"), 0);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_MAIL);
	smtp_server_eof(server);
	smtp_server_reply(server, &(struct reply){.id = REPLY_OK});
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_CLOSE);
	smtp_server_tls_started(server, 0);
	assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_CLOSE);
	assert_int_equal(smtp_server_input(server, SPAN("NOOP\r\n"), 0), 6);
	smtp_server_destroy(server);
}

static void
an_idle_session_is_small(void **state)
{
	static const char *const clients[] = {"", "EHLO mail.example.org\r\n", ENVELOPE,
	    ENVELOPE "DATA\r\n", ENVELOPE "DATA\r\nabc\r\n", ENVELOPE "BDAT 3\r\na",
	    ENVELOPE "DATA\r\nabc\r\n.\r\n"};

	(void)state;
	for (size_t i = 0; i < LEN(clients); i++) {
		struct drive drive;

		start(&drive, clients[i]);
		assert_null(drive.server->input.ptr);
		assert_null(drive.server->output.ptr);
		assert_null(drive.server->auth);
		drive_fini(&drive);
	}
}

static void
a_client_that_does_not_read_waits(void **state)
{
	struct smtp_server_options options = drive_options();
	struct smtp_server *server = smtp_server_create(&options, 0);
	size_t sent = 0, taken;

	(void)state;
	do {
		taken = smtp_server_input(server, SPAN("HELP\r\nHELP\r\nHELP\r\n"), 0);
		sent += taken;
		assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_WAIT);
		assert_true(smtp_server_output(server).len < 66 * 1024);
	} while (taken > 0);
	assert_true(sent < 2 * SMTP_SERVER_INPUT_BYTES);
	assert_false(smtp_server_wants_input(server));
	for (size_t len; (len = smtp_server_output(server).len) > 0;) {
		smtp_server_output_done(server, len);
		assert_int_equal(smtp_server_next(server).kind, SMTP_SERVER_WAIT);
	}
	assert_true(smtp_server_wants_input(server));
	smtp_server_destroy(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_state_has_its_deadline),
	    cmocka_unit_test(only_whole_commands_are_progress),
	    cmocka_unit_test(each_piece_of_a_message_is_progress),
	    cmocka_unit_test(no_session_lasts_for_ever),
	    cmocka_unit_test(the_text_names_what_took_too_long),
	    cmocka_unit_test(no_limit_is_no_limit),
	    cmocka_unit_test(the_clock_stands_while_a_reply_is_owed),
	    cmocka_unit_test(shutting_down_waits_for_what_is_under_way),
	    cmocka_unit_test(a_lost_client_aborts_its_transaction),
	    cmocka_unit_test(an_event_that_waits_does_not_point_into_moved_memory),
	    cmocka_unit_test(a_reply_to_a_lost_client_is_dropped),
	    cmocka_unit_test(an_idle_session_is_small),
	    cmocka_unit_test(a_client_that_does_not_read_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
