/* Message text: what ends it, what spoils it, how much of it there may be. */
#include "smtp/test_smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ENVELOPE "EHLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n"
#define IN_DATA "mail x@a; rcpt y@b; data; "
#define TEN "1234567890"

static struct smtp_server_options
small_options(void)
{
	struct smtp_server_options options = drive_options();

	options.line_bytes_max = 20;
	options.header_bytes_max = 60;
	options.message_bytes_max = 100;
	options.received_max = 2;
	return options;
}

/* Sends text after DATA, cut in each way; the end of the message is part of it. */
static void
check_text(struct span text, const char *events, const char *replies)
{
	struct smtp_server_options options = small_options();
	struct drive drive;

	for (int split = 0; split < DRIVE_SPLIT_COUNT; split++) {
		drive_init(&drive, &options);
		drive_send_str(&drive, ENVELOPE "DATA\r\n");
		buf_reset(&drive.replies);
		drive_send(&drive, text, (enum drive_split)split);
		assert_string_equal(drive_text(&drive.replies), replies);
		assert_true(span_starts(buf_span(&drive.events), span_str(IN_DATA)));
		assert_string_equal(drive_text(&drive.events) + strlen(IN_DATA), events);
		drive_fini(&drive);
	}
}

/* Sends the octets as chunks of each size. */
static void
check_chunks(struct span text, const char *events)
{
	struct smtp_server_options options = small_options();
	struct drive drive;
	char command[64];

	for (size_t size = 1; size <= text.len; size++) {
		drive_init(&drive, &options);
		drive_send_str(&drive, ENVELOPE);
		for (size_t at = 0; at < text.len && drive.open; at += size) {
			struct span chunk = span_first(span_skip(text, at), size);

			snprintf(command, sizeof(command), "BDAT %zu%s\r\n", chunk.len,
			    at + size >= text.len ? " LAST" : "");
			drive_send_str(&drive, command);
			drive_send(&drive, chunk, DRIVE_WHOLE);
		}
		assert_string_equal(drive_text(&drive.events) + strlen(IN_DATA), events);
		drive_fini(&drive);
	}
}

static void
only_crlf_dot_crlf_ends_a_message(void **state)
{
	/* What might be taken for the end, and would make a second message of what follows. */
	static const char *const ends[] = {"\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r",
	    "\r\n.\r", "\r.\r\n", "\r.\n", "\n.\r", "\r\n.\r\r\n", "\r\n.\n\r\n",
	    "\r\r\n.\r\r\n", "\n\r.\r\n", "\r\n..\n", "\r\n.\rx\r\n"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < LEN(ends); i++) {
		print_message("  end %zu\n", i);
		snprintf(text, sizeof(text), "a%sRSET\r\n.\r\nNOOP\r\n", ends[i]);
		check_text(span_str(text), "abort; refused 554", "554 250");
		/* Right at the beginning, where the CRLF of DATA stands before it. */
		if (ends[i][0] == '\r' && ends[i][1] == '\n' && ends[i][2] == '.') {
			snprintf(
			    text, sizeof(text), "%sRSET\r\n.\r\nNOOP\r\n", ends[i] + 2);
			check_text(span_str(text), "abort; refused 554", "554 250");
		}
	}
}

static void
a_true_end_is_found_wherever_it_is_cut(void **state)
{
	(void)state;
	check_text(SPAN(".\r\nNOOP\r\n"), "end()", "250 250");
	check_text(SPAN("a\r\n.\r\nNOOP\r\n"), "end(a|)", "250 250");
	check_text(SPAN("\r\n.\r\nNOOP\r\n"), "end(|)", "250 250");
	check_text(SPAN("..\r\n.\r\nNOOP\r\n"), "end(.|)", "250 250");
	check_text(SPAN("...\r\n..\r\n.x\r\n.\r\nNOOP\r\n"), "end(..|.|x|)", "250 250");
	check_text(SPAN("a.\r\n.\r\nNOOP\r\n"), "end(a.|)", "250 250");
	check_text(SPAN("a\r\n.b\r\n.\r\n.\r\n"), "end(a|b|); refused 500", "250 500");
}

static void
bare_line_ends_and_nuls_spoil_a_message(void **state)
{
	static const struct span spoiled[] = {SPAN("a\nb\r\n"), SPAN("a\rb\r\n"),
	    SPAN("\n\r\n"), SPAN("\r\r\n"), SPAN("\n"), SPAN("\na\r\n"), SPAN("a\r\n\n"),
	    SPAN("a\r\n\rb\r\n"), SPAN("\0\r\n"), SPAN("a\0b\r\n"), SPAN(".\0\r\n"),
	    SPAN("a\r\n\0\r\n"), SPAN("\r\n\r\nb\r\0\r\n")};
	char text[64];

	(void)state;
	for (size_t i = 0; i < LEN(spoiled); i++) {
		size_t len = spoiled[i].len;

		print_message("  spoiled %zu\n", i);
		memcpy(text, spoiled[i].ptr, len);
		memcpy(text + len, "\r\n.\r\nNOOP\r\n", 11);
		check_text(span_of(text, len + 11), "abort; refused 554", "554 250");
		check_chunks(spoiled[i], "abort; refused 554");
	}
}

/* A single wrong octet, at each place of blocks that are looked through as a whole. */
static void
no_place_hides_a_wrong_octet(void **state)
{
	static const char wrong[] = {'\r', '\n', '\0'};
	struct smtp_server_options options = drive_options();
	char text[300 + 5];
	struct drive drive;

	(void)state;
	for (size_t at = 0; at < 300; at++) {
		for (size_t i = 0; i < sizeof(wrong); i++) {
			memset(text, 'x', 300);
			memcpy(text + 100, "\r\n", 2);
			memcpy(text + 300, "\r\n.\r\n", 5);
			if (at >= 100 && at <= 102 && text[at] == wrong[i])
				continue;
			text[at] = wrong[i];
			drive_init(&drive, &options);
			drive_send_str(&drive, ENVELOPE "DATA\r\n");
			drive_send(&drive, span_of(text, sizeof(text)), DRIVE_WHOLE);
			assert_string_equal(
			    drive_text(&drive.events), IN_DATA "abort; refused 554");
			drive_fini(&drive);
		}
	}
}

static void
lines_have_a_limit(void **state)
{
	(void)state;
	check_text(
	    SPAN("123456789012345678\r\n.\r\n"), "end(123456789012345678|)", "250");
	check_text(SPAN("1234567890123456789\r\n.\r\n"), "abort; refused 554", "554");
	check_text(
	    SPAN("\r\n\r\n1234567890123456789\r\n.\r\n"), "abort; refused 554", "554");
	/* The dot that is removed does not count. */
	check_text(
	    SPAN(".123456789012345678\r\n.\r\n"), "end(123456789012345678|)", "250");
	check_text(SPAN(".1234567890123456789\r\n.\r\n"), "abort; refused 554", "554");
	check_chunks(SPAN("123456789012345678\r\n"), "end(123456789012345678|)");
	check_chunks(SPAN("1234567890123456789\r\n"), "abort; refused 554");
}

static void
headers_have_a_limit(void **state)
{
	(void)state;
	/* 60 octets of header, the empty line with them. */
	check_text(
	    SPAN(TEN "\r\n" TEN "\r\n" TEN "\r\n" TEN "\r\n1234567890\r\n\r\n.\r\n"),
	    "abort; refused 552", "552");
	check_text(SPAN(TEN "\r\n" TEN "\r\n" TEN "\r\n" TEN "\r\n12345678\r\n\r\n.\r\n"),
	    "end(" TEN "|" TEN "|" TEN "|" TEN "|12345678||)", "250");
	check_text(
	    SPAN("a\r\n\r\n" TEN "\r\n" TEN "\r\n" TEN "\r\n" TEN "\r\n" TEN "\r\n.\r\n"),
	    "end(a||" TEN "|" TEN "|" TEN "|" TEN "|" TEN "|)", "250");
}

static void
received_fields_are_counted_in_the_header(void **state)
{
	(void)state;
	check_text(SPAN("Received: a\r\nreceived:b\r\nX: Received: c\r\n.\r\n"),
	    "end(Received: a|received:b|X: Received: c|)", "250");
	check_text(SPAN("Received:a\r\nrEcEiVeD:b\r\nRECEIVED:c\r\n\r\n.\r\n"),
	    "abort; refused 554", "554");
	check_text(SPAN("Received:a\r\n.Received:b\r\nReceived:c\r\n\r\n.\r\n"),
	    "abort; refused 554", "554");
	check_text(
	    SPAN("Received:a\r\nReceived:b\r\n Received:c\r\nReceive:\r\n\r\n.\r\n"),
	    "end(Received:a|Received:b| Received:c|Receive:||)", "250");
	check_text(SPAN("Received:a\r\n\r\nReceived:b\r\nReceived:c\r\n.\r\n"),
	    "end(Received:a||Received:b|Received:c|)", "250");
	check_chunks(
	    SPAN("Received:a\r\nReceived:b\r\nReceived:c\r\n\r\n"), "abort; refused 554");
}

#define LINE_20 "123456789012345678\r\n"
#define LINES_98 "\r\n" LINE_20 LINE_20 LINE_20 LINE_20 "12345678\r\n123"
#define TEXT_98                                                                          \
	"|123456789012345678|123456789012345678|123456789012345678|123456789012345678|"  \
	"12345678|123"

static void
messages_have_a_limit(void **state)
{
	(void)state;
	check_text(SPAN(LINES_98 "456\r\n.\r\n"), "end(" TEXT_98 "456|)", "250");
	check_text(SPAN(LINES_98 "\r\n.\r\n"), "end(" TEXT_98 "|)", "250");
	check_text(
	    SPAN(LINES_98 "4567\r\n.\r\nNOOP\r\n"), "abort; refused 552", "552 250");
	check_text(SPAN(LINES_98 "456\r\n\r\n" LINES_98 "\r\n.\r\n"),
	    "abort; refused 552", "552");
	/* Dots that are removed do not count. */
	check_text(SPAN(LINES_98 "4\r\n..\r\n.\r\n"), "abort; refused 552", "552");
	check_text(SPAN(LINES_98 "\r\n..\r\n.\r\n"), "end(" TEXT_98 "|.|)", "250");
	check_chunks(SPAN(LINES_98 "456\r\n"), "end(" TEXT_98 "456|)");
	check_chunks(SPAN(LINES_98 "4567\r\n"), "abort; refused 552");
}

/* As check_text, where line ends are repaired. */
static void
check_repaired(struct span text, const char *events, const char *replies)
{
	struct smtp_server_options options = small_options();
	struct drive drive;

	options.repair_line_ends = true;
	for (int split = 0; split < DRIVE_SPLIT_COUNT; split++) {
		drive_init(&drive, &options);
		drive_send_str(&drive, ENVELOPE "DATA\r\n");
		buf_reset(&drive.replies);
		drive_send(&drive, text, (enum drive_split)split);
		assert_string_equal(drive_text(&drive.replies), replies);
		assert_string_equal(drive_text(&drive.events) + strlen(IN_DATA), events);
		drive_fini(&drive);
	}
}

static void
line_ends_can_be_repaired(void **state)
{
	(void)state;
	check_repaired(SPAN("a\nb\r\n.\r\n"), "end(a|b|)", "250");
	check_repaired(SPAN("a\rb\r\n.\r\n"), "end(a|b|)", "250");
	check_repaired(SPAN("a\r\r\nb\n\r\nc\r\n.\r\n"), "end(a||b||c|)", "250");
	/* Only CRLF.CRLF ends the message; what looks like an end becomes text. */
	check_repaired(SPAN("a\n.\nNOOP\r\n.\r\n"), "end(a|.|NOOP|)", "250");
	check_repaired(SPAN("a\r.\rNOOP\r\n.\r\n"), "end(a|.|NOOP|)", "250");
	check_repaired(SPAN("a\n.\r\nNOOP\r\n.\r\n"), "end(a|.|NOOP|)", "250");
	check_repaired(SPAN("a\r\n.\nNOOP\r\n.\r\n"), "end(a||NOOP|)", "250");
	check_repaired(SPAN("a\r\n.\rNOOP\r\n.\r\n"), "end(a||NOOP|)", "250");
	check_repaired(SPAN("a\r\n.\r\r\n.\r\n"), "end(a|||)", "250");
	check_repaired(SPAN("a\n..\r\n.\r\n"), "end(a|..|)", "250");
	/* A NUL stays what it is, and limits count what is stored. */
	check_repaired(SPAN("a\nb\0c\r\n.\r\nNOOP\r\n"), "abort; refused 554", "554 250");
	check_repaired(SPAN("a\n" TEN "12345678\n.\r\n\r\n.\r\n"), "end(a|" TEN "12345678|.||)",
	    "250");
	check_repaired(SPAN("a\n" TEN "123456789\n\r\n.\r\n"), "abort; refused 554", "554");
	/* The first empty line ends the header, whatever its line end. */
	check_repaired(SPAN("Received: a\nReceived: b\n\nReceived: c\r\n.\r\n"),
	    "end(Received: a|Received: b||Received: c|)", "250");
	check_repaired(SPAN("Received: a\nReceived: b\nReceived: c\r\n.\r\n"),
	    "abort; refused 554", "554");
}

/* What a message should become: written down once more, one octet at a time. */
static size_t
repair_by_hand(struct span text, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool second = text.ptr[i] == '\n' && i > 0 && text.ptr[i - 1] == '\r';

		if (second)
			continue;
		if (text.ptr[i] == '\r' || text.ptr[i] == '\n')
			out[n++] = '|';
		else
			out[n++] = text.ptr[i];
	}
	if (n > 0 && out[n - 1] != '|')
		out[n++] = '|';
	return n;
}

/* All texts of seven octets of these, in chunks of each size: BDAT has no dots to mind. */
static void
repair_is_the_same_for_all_texts(void **state)
{
	static const char alphabet[] = {'a', '.', '\r', '\n'};
	struct smtp_server_options options = drive_options();
	struct drive drive;
	char text[7], wanted[64] = "end(";

	(void)state;
	options.repair_line_ends = true;
	for (size_t number = 0; number < 1 << 14; number++) {
		size_t n;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = alphabet[number >> (2 * i) & 3];
		n = 4 + repair_by_hand(span_of(text, sizeof(text)), wanted + 4);
		wanted[n] = ')';
		wanted[n + 1] = '\0';
		for (size_t cut = 0; cut < sizeof(text); cut++) {
			drive_init(&drive, &options);
			drive_send_str(&drive, ENVELOPE);
			drive_send_str(&drive, "BDAT 7 LAST\r\n");
			buf_reset(&drive.events);
			drive_send(&drive, span_of(text, cut), DRIVE_WHOLE);
			drive_send(&drive, span_of(text + cut, sizeof(text) - cut), DRIVE_WHOLE);
			assert_string_equal(drive_text(&drive.events), wanted);
			drive_fini(&drive);
		}
	}
}

/* Runs of text come out as long as they came in. */
static void
long_runs_stay_whole(void **state)
{
	struct smtp_server_options options = drive_options();
	struct smtp_server *server = smtp_server_create(&options, 0);
	struct smtp_server_event event;
	const struct reply ok = {.id = REPLY_OK};
	char text[50000];
	size_t runs = 0, bytes = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 100) {
		memset(text + i, 'a', 98);
		memcpy(text + i + 98, "\r\n", 2);
	}
	memcpy(text + 98, "\r\n\r\n", 4);
	text[20000] = '.';
	smtp_server_input(server, SPAN(ENVELOPE "DATA\r\n"), 0);
	while ((event = smtp_server_next(server)).kind != SMTP_SERVER_WAIT)
		if (event.kind != SMTP_SERVER_DATA)
			smtp_server_reply(server, &ok);
	assert_int_equal(
	    smtp_server_input(server, span_of(text, sizeof(text)), 0), sizeof(text));
	while ((event = smtp_server_next(server)).kind == SMTP_SERVER_BODY) {
		runs++;
		bytes += event.body.len;
	}
	assert_int_equal(runs, 2);
	assert_int_equal(bytes, sizeof(text) - 1);
	smtp_server_destroy(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_crlf_dot_crlf_ends_a_message),
	    cmocka_unit_test(a_true_end_is_found_wherever_it_is_cut),
	    cmocka_unit_test(bare_line_ends_and_nuls_spoil_a_message),
	    cmocka_unit_test(no_place_hides_a_wrong_octet),
	    cmocka_unit_test(lines_have_a_limit),
	    cmocka_unit_test(headers_have_a_limit),
	    cmocka_unit_test(received_fields_are_counted_in_the_header),
	    cmocka_unit_test(messages_have_a_limit),
	    cmocka_unit_test(line_ends_can_be_repaired),
	    cmocka_unit_test(repair_is_the_same_for_all_texts),
	    cmocka_unit_test(long_runs_stay_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
