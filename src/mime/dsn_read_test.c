#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "mime/dsn_read.h"
#include "mime/dsn_read_internal.h"

static void
assert_span(struct span span, const char *wanted)
{
	if (!span_eq(span, span_str(wanted)))
		print_error("\"%.*s\" is not \"%s\"\n", SPAN_ARGS(span), wanted);
	assert_true(span_eq(span, span_str(wanted)));
}

#define FIELDS                                                                           \
	"Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; bob@example.net\n" \
	"Action: delayed\nStatus: 4.2.2 (full)\nRemote-MTA: dns; mx.example.net (192.0.2.1)\n" \
	"Diagnostic-Code: smtp; 452 4.2.2\n  Mailbox   full\nWill-Retry-Until: Tue, 1 Dec "      \
	"2026 10:00:00 +0000\n"
#define REPORT(boundary, fields)                                                         \
	"Content-Type: multipart/report; boundary=\"" boundary "\"\n\n--" boundary             \
	"\nContent-Type: text/plain\n\nHello\n--" boundary                                     \
	"\nContent-Type: message/delivery-status\n\n" fields "\n--" boundary "--\n"

static void
fields_are_read(void **state)
{
	struct dsn_read read;

	(void)state;
	dsn_read(&read, SPAN("From: a@b.example\n" REPORT("x", FIELDS)));
	assert_true(read.report);
	assert_int_equal(read.rcpt_count, 1);
	assert_span(read.reporter, "mx.example.org");
	assert_span(read.rcpts[0].address, "bob@example.net");
	assert_int_equal(read.rcpts[0].action, DSN_READ_DELAYED);
	assert_span(read.rcpts[0].status, "4.2.2");
	assert_span(read.rcpts[0].remote, "mx.example.net");
	assert_span(read.rcpts[0].words, "452 4.2.2 Mailbox full");
	assert_true(read.rcpts[0].said_by_server);
	assert_span(read.rcpts[0].retry_until, "Tue, 1 Dec 2026 10:00:00 +0000");
	assert_span(read.text, "Hello\n");
	dsn_read_fini(&read);
}

static void
the_first_report_wins(void **state)
{
	struct dsn_read read;

	(void)state;
	dsn_read(&read,
	    SPAN("Content-Type: multipart/mixed; boundary=o\n\n--o\n" REPORT("x", FIELDS)
		 "--o\n" REPORT("y", "\nFinal-Recipient: rfc822; o@example.net\n") "--o--\n"));
	assert_int_equal(read.rcpt_count, 1);
	assert_span(read.rcpts[0].address, "bob@example.net");
	assert_span(read.text, "Hello\n");
	dsn_read_fini(&read);
}

static void
a_boundary_may_begin_as_another_one(void **state)
{
	struct dsn_read read;

	(void)state;
	dsn_read(&read, SPAN("Content-Type: multipart/mixed; boundary=x\n\n--x\n" REPORT(
			    "x--y", FIELDS) "--x--\n"));
	assert_int_equal(read.rcpt_count, 1);
	assert_span(read.text, "Hello\n");
	dsn_read_fini(&read);
}

/* Multiparts in multiparts: what is deeper than the bound is left out, and nothing hangs. */
static void
depth_and_parts_are_bounded(void **state)
{
	struct dsn_read read;
	struct buf bomb;

	(void)state;
	buf_init(&bomb, 1 << 20);
	for (unsigned i = 0; i < 20; i++)
		buf_addf(&bomb, "Content-Type: multipart/mixed; boundary=b%u\n\n--b%u\n", i, i);
	buf_add_str(&bomb, "Content-Type: message/delivery-status\n\n" FIELDS);
	dsn_read(&read, buf_span(&bomb));
	assert_false(read.report);
	dsn_read_fini(&read);
	buf_reset(&bomb);
	buf_add_str(&bomb, "Content-Type: multipart/mixed; boundary=b\n\n");
	for (unsigned i = 0; i < 10000; i++)
		buf_add_str(&bomb, "--b\n\nx\n");
	dsn_read(&read, buf_span(&bomb));
	assert_true(read.part_count <= DSN_READ_PARTS_MAX);
	assert_true(read.text.len <= 4 * DSN_READ_PARTS_MAX);
	dsn_read_fini(&read);
	buf_fini(&bomb);
}

static void
decoded_text_is_bounded(void **state)
{
	struct dsn_read read;
	struct buf text;

	(void)state;
	buf_init(&text, 4 << 20);
	buf_add_str(&text, "Subject: x\nContent-Transfer-Encoding: base64\n\n");
	for (unsigned i = 0; i < 200000; i++)
		buf_add_str(&text, "QUFB");
	dsn_read(&read, buf_span(&text));
	assert_int_equal(read.text.len, DSN_READ_TEXT_BYTES_MAX);
	dsn_read_fini(&read);
	buf_fini(&text);
}

static void
assert_decoded(enum dsn_read_encoding encoding, const char *body, const char *wanted)
{
	struct buf out;

	buf_init(&out, 1024);
	dsn_read_decode(&out, span_str(body), encoding);
	assert_span(buf_span(&out), wanted);
	buf_fini(&out);
}

static void
encodings_are_decoded(void **state)
{
	(void)state;
	assert_decoded(DSN_READ_BASE64, "SGVs\r\nbG8=\r\n", "Hello");
	assert_decoded(DSN_READ_BASE64, "S!G V s", "Hel");
	assert_decoded(DSN_READ_QUOTED, "a=3Db=\r\nc =\nd=zz=", "a=bc d=zz");
	assert_decoded(DSN_READ_PLAIN, "a\r\nb", "a\nb");
}

static void
html_becomes_text(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	dsn_read_strip_html(
	    &out, SPAN("<style>x</style><p>a&lt;b&gt;<br>c<b>d</b> &amp;&nbsp;e &bad; <i"));
	assert_span(buf_span(&out), "\na<b>\ncd & e &bad; ");
	buf_fini(&out);
}

static void
texts_name_recipients_and_words(void **state)
{
	struct dsn_read read;

	(void)state;
	dsn_read(&read,
	    SPAN("This is the mail system at host mx.example.org.\n\n<a@example.net> (expanded "
		 "from <l@example.org>): host mx.example.net[192.0.2.1] said: 550 5.1.1\n "
		 "   "
		 "<a@example.net>: no (in reply to RCPT TO command)\n\n<b@example.net>: "
		 "unknown\n"));
	assert_string_equal(read.writer, "Postfix");
	assert_span(read.reporter, "mx.example.org");
	assert_int_equal(read.rcpt_count, 2);
	assert_span(read.rcpts[0].address, "a@example.net");
	assert_span(read.rcpts[0].remote, "mx.example.net");
	assert_span(read.rcpts[0].words, "550 5.1.1 <a@example.net>: no");
	assert_true(read.rcpts[0].said_by_server);
	assert_span(read.rcpts[1].words, "unknown");
	assert_false(read.rcpts[1].said_by_server);
	dsn_read_fini(&read);
}

static void
letters_are_no_notifications(void **state)
{
	struct dsn_read read;

	(void)state;
	dsn_read(&read, SPAN("From: a@b.example\nSubject: hi\n\n<c@d.example>: hello\n"));
	assert_false(read.notice);
	assert_int_equal(read.rcpt_count, 0);
	dsn_read_fini(&read);
	dsn_read(&read, SPAN(""));
	assert_int_equal(read.rcpt_count, 0);
	dsn_read_fini(&read);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_read),
	    cmocka_unit_test(the_first_report_wins),
	    cmocka_unit_test(a_boundary_may_begin_as_another_one),
	    cmocka_unit_test(depth_and_parts_are_bounded),
	    cmocka_unit_test(decoded_text_is_bounded),
	    cmocka_unit_test(encodings_are_decoded),
	    cmocka_unit_test(html_becomes_text),
	    cmocka_unit_test(texts_name_recipients_and_words),
	    cmocka_unit_test(letters_are_no_notifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
