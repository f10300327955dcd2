/* Progress: commands that lead to nothing, messages that come too slowly or take too long. */
#include "smtp/test_smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ENVELOPE "EHLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n"

enum { WINDOW_MS = 10000, MESSAGE_MS = 100000 };

static void
start(struct drive *drive, const char *client)
{
	struct smtp_server_options options = drive_options();

	options.idle_commands_max = 3;
	options.transfer_bytes_min = 100;
	options.transfer_window_ms = WINDOW_MS;
	options.message_timeout_ms = MESSAGE_MS;
	drive_init(drive, &options);
	drive_pump(drive);
	drive_send_str(drive, client);
	buf_reset(&drive->events);
	buf_reset(&drive->replies);
}

static void
send_at(struct drive *drive, uint64_t now_ms, const char *text)
{
	drive->now_ms = now_ms;
	smtp_server_tick(drive->server, now_ms);
	drive_pump(drive);
	if (!drive->closed)
		drive_send_str(drive, text);
}

static void
commands_without_mail_end_a_session(void **state)
{
	static const char *const idle[] = {"NOOP", "RSET", "VRFY a", "EXPN a", "HELP", "EHLO a",
	    "HELO a", "NONSENSE", "MAIL FROM:<"};
	struct drive drive;
	char text[256];

	(void)state;
	for (size_t i = 0; i < LEN(idle); i++) {
		start(&drive, "EHLO a\r\n");
		(void)snprintf(text, sizeof(text), "%s\r\n%s\r\n", idle[i], idle[i]);
		drive_send_str(&drive, text);
		assert_false(drive.closed);
		drive_send_str(&drive, idle[i]);
		drive_send_str(&drive, "\r\n");
		assert_true(drive.closed);
		assert_true(span_starts(span_skip(buf_span(&drive.replies), 12), SPAN("421")));
		drive_fini(&drive);
	}
}

/* Recipients and chunks are progress, and a message that was accepted makes all of it good. */
static void
mail_is_progress(void **state)
{
	struct drive drive;

	(void)state;
	start(&drive, "EHLO a\r\n");
	for (int i = 0; i < 10; i++) {
		drive_send_str(&drive, "NOOP\r\nMAIL FROM:<x@a>\r\n");
		for (int k = 0; k < 10; k++)
			drive_send_str(&drive, "RCPT TO:<y@b>\r\n");
		drive_send_str(&drive, "BDAT 1\r\naBDAT 1\r\nbBDAT 1 LAST\r\nc");
		assert_false(drive.closed);
	}
	/* One that was refused is none. */
	drive_send_str(&drive, "MAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\nDATA\r\nno\r\n.\r\n");
	drive_send_str(&drive, "MAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\nDATA\r\nno\r\n.\r\nNOOP\r\n");
	assert_false(drive.closed);
	drive_send_str(&drive, "NOOP\r\n");
	assert_true(drive.closed);
	drive_fini(&drive);
}

/* Each window needs its bytes; when in it they come does not matter. */
static void
a_message_must_come_fast_enough(void **state)
{
	char text[101];
	struct drive drive;

	(void)state;
	memset(text, 'a', 98);
	memcpy(text + 98, "\r\n", 3);
	start(&drive, ENVELOPE "DATA\r\n");
	assert_int_equal(smtp_server_deadline_ms(drive.server), WINDOW_MS);
	for (uint64_t i = 0; i < 9; i++)
		send_at(&drive, i * WINDOW_MS + 9000, text);
	assert_false(drive.closed);
	send_at(&drive, 9 * WINDOW_MS + 1, "a");
	send_at(&drive, 9 * WINDOW_MS + 9000, "b");
	assert_false(drive.closed);
	send_at(&drive, 9 * WINDOW_MS + 9999, "b");
	assert_false(drive.closed);
	smtp_server_tick(drive.server, 10 * WINDOW_MS);
	drive_pump(&drive);
	assert_string_equal(drive_text(&drive.events), "data; abort; refused 421; close" + 6);
	drive_fini(&drive);
}

/* Where we made the client wait, the window begins anew. */
static void
our_own_slowness_does_not_count(void **state)
{
	struct drive drive;

	(void)state;
	start(&drive, ENVELOPE "DATA\r\n");
	smtp_server_touch(drive.server, WINDOW_MS - 1);
	send_at(&drive, WINDOW_MS, "a");
	assert_false(drive.closed);
	send_at(&drive, 2 * WINDOW_MS - 2, "a");
	assert_false(drive.closed);
	send_at(&drive, 2 * WINDOW_MS - 1, "a");
	assert_true(drive.closed);
	drive_fini(&drive);
}

static void
a_message_must_not_take_too_long(void **state)
{
	char text[201];
	struct drive drive;

	(void)state;
	memset(text, 'a', 198);
	memcpy(text + 198, "\r\n", 3);
	start(&drive, ENVELOPE "DATA\r\n");
	for (uint64_t now_ms = 1000; now_ms < MESSAGE_MS; now_ms += 1000)
		send_at(&drive, now_ms, text);
	assert_false(drive.closed);
	send_at(&drive, MESSAGE_MS, text);
	assert_true(drive.closed);
	assert_true(span_find(buf_span(&drive.output), 'm') < drive.output.len);
	drive_fini(&drive);

	/* Between the chunks of BDAT too. */
	start(&drive, ENVELOPE);
	for (uint64_t now_ms = 0; now_ms < MESSAGE_MS; now_ms += 5000)
		send_at(&drive, now_ms, "BDAT 1\r\na");
	assert_false(drive.closed);
	assert_int_equal(smtp_server_deadline_ms(drive.server), MESSAGE_MS);
	send_at(&drive, MESSAGE_MS, "BDAT 1\r\na");
	assert_true(drive.closed);
	drive_fini(&drive);
}

/* Tighter limits hold at once, for what was counted before too. */
static void
limits_can_tighten(void **state)
{
	const struct smtp_server_limits limits = {.command_timeout_ms = 1000,
	    .data_timeout_ms = 1000,
	    .errors_max = 1,
	    .idle_commands_max = 100};
	struct drive drive;

	(void)state;
	start(&drive, "EHLO a\r\nNONSENSE\r\nNONSENSE\r\n");
	assert_int_equal(smtp_server_errors(drive.server), 2);
	assert_false(drive.closed);
	smtp_server_limit(drive.server, &limits);
	assert_int_equal(smtp_server_deadline_ms(drive.server), 1000);
	drive_pump(&drive);
	assert_true(drive.closed);
	drive_fini(&drive);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_without_mail_end_a_session),
	    cmocka_unit_test(mail_is_progress),
	    cmocka_unit_test(a_message_must_come_fast_enough),
	    cmocka_unit_test(our_own_slowness_does_not_count),
	    cmocka_unit_test(a_message_must_not_take_too_long),
	    cmocka_unit_test(limits_can_tighten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
