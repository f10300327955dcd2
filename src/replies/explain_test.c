/*
 * What people ask and what they are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/explain.h"

enum { PAGE_BYTES_MAX = 1 << 18 };

static const struct {
	const char *question;
	enum err err;
	const char *basic;
	const char *status;
	const char *group;
	bool reply; /* it was more than a code */
	bool clash;
} questions[] = {
    {"252", OK, "252", "", NULL, false, false},
    {" 252\r\n", OK, "252", "", NULL, false, false},
    {"250-", OK, "250", "", NULL, false, false},
    {"5.7.1", OK, "", "5.7.1", NULL, false, false},
    {"X.7.1", OK, "", "X.7.1", NULL, false, false},
    {"x.7.1", OK, "", "X.7.1", NULL, false, false},
    {"550 5.1.1", OK, "550", "5.1.1", NULL, true, false},
    {"550 5.1.1 No such user", OK, "550", "5.1.1", NULL, true, false},
    {"550-5.1.1 No such user", OK, "550", "5.1.1", NULL, true, false},
    {"550-5.7.26 one\n550 5.7.26 two", OK, "550", "5.7.26", NULL, true, false},
    {"550 No such user", OK, "550", "", NULL, true, false},
    {"5.1.1 No such user", OK, "", "5.1.1", NULL, true, false},
    {"smtp; 550 5.1.1 No such user", OK, "550", "5.1.1", NULL, true, false},
    {"SMTP;550", OK, "550", "", NULL, false, false},
    {"450 5.1.1 x", OK, "450", "5.1.1", NULL, true, true},
    {"550 4.1.1 x", OK, "550", "4.1.1", NULL, true, true},
    {"550 X.1.1", OK, "550", "X.1.1", NULL, true, false},
    {"472", OK, "472", "", NULL, false, false},
    {"111", OK, "111", "", NULL, false, false},
    {"5.8.999", OK, "", "5.8.999", NULL, false, false},
    {"550 5.7.1000 x", OK, "550", "", NULL, true, false},
    {"4xx", OK, "", "", "4xx", false, false},
    {"X.7.x", OK, "", "", "X.7.x", false, false},
    {"", ERR_SYNTAX, "", "", NULL, false, false},
    {"hello", ERR_SYNTAX, "", "", NULL, false, false},
    {"099", ERR_SYNTAX, "", "", NULL, false, false},
    {"600", ERR_SYNTAX, "", "", NULL, false, false},
    {"2500", ERR_SYNTAX, "", "", NULL, false, false},
    {"25", ERR_SYNTAX, "", "", NULL, false, false},
    {"250x", ERR_SYNTAX, "", "", NULL, false, false},
    {"3.7.1", ERR_SYNTAX, "", "", NULL, false, false},
    {"5.7", ERR_SYNTAX, "", "", NULL, false, false},
    {"5.7.1000", ERR_SYNTAX, "", "", NULL, false, false},
    {"6xx", ERR_SYNTAX, "", "", NULL, false, false},
    {"smtp;", ERR_SYNTAX, "", "", NULL, false, false},
};

static void
test_questions(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(questions); i++) {
		struct explain explain;
		enum err err = explain_parse(span_str(questions[i].question), &explain);

		if (err != questions[i].err)
			fail_msg("\"%s\": %s", questions[i].question, err_text(err));
		if (err)
			continue;
		assert_string_equal(explain.basic.name, questions[i].basic);
		assert_string_equal(explain.status.name, questions[i].status);
		assert_int_equal(explain.reply.len > 0, questions[i].reply);
		assert_int_equal(explain.clash, questions[i].clash);
		assert_int_equal(!explain.group, !questions[i].group);
		if (explain.group)
			assert_string_equal(explain.group->code, questions[i].group);
	}
}

static const struct {
	const char *question;
	const char *basic;
	const char *status;
	const char *topics; /* their keys */
	const char *found;
} pastes[] = {
    {"STARTTLS", "", "", "STARTTLS", ""},
    {"starttls", "", "", "STARTTLS", ""},
    {" dkim=fail\n", "", "", "dkim=fail", ""},
    {"failed", "", "", "failed", ""},
    {"Action: delayed", "", "", "delayed", ""},
    {"tlsa-invalid", "", "", "tlsa-invalid", ""},
    {"SIZE 35882577", "", "", "SIZE", ""},
    {"250-SIZE 35882577", "", "", "SIZE", ""},
    {"250-mx.example.net hello\r\n250-SIZE 1000\r\n250 STARTTLS\r\n", "", "", "SIZE STARTTLS", ""},
    {"250 2.0.0 Ok", "250", "2.0.0", "", ""},
    {"Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=a@b; dkim=fail (bad) "
     "header.d=b; dmarc=fail", "", "", "spf=pass dkim=fail dmarc=fail", ""},
    {"550-5.7.26 not authenticated: spf=softfail\n550 5.7.26 go away", "550", "5.7.26",
     "spf=softfail", ""},
    /* Ours. */
    {"time=2026-11-24T04:51:59.910Z role=queue event=bounced id=100000000 to=refuse@far.example "
     "host=127.0.0.1[127.0.0.1] code=550 status=5.1.1 text=\"No such user\" delay_ms=1",
     "550", "5.1.1", "", "550 status=5.1.1 text=\"No such user\" delay_ms=1"},
    {"time=2026-11-24T04:52:13.889Z role=queue event=expired id=1 host=127.0.0.1[127.0.0.1] "
     "status=4.4.1 text=\"cannot connect: connection refused\" delay_ms=13957", "", "4.4.1", "",
     "4.4.1 text=\"cannot connect: connection refused\" delay_ms=13957"},
    {"time=2026-11-24T04:51:59Z role=queue event=delivered id=250000000 size=550 status=2.0.0 "
     "delay_ms=250", "", "2.0.0", "", "2.0.0 delay_ms=250"},
    /* Postfix. */
    {"Nov 24 10:00:01 mail postfix/smtp[1250]: 4F2B550: to=<bob@example.net>, "
     "relay=mx.example.net[192.0.2.25]:25, delay=1.2, delays=0.1/0/0.5/0.6, dsn=5.1.1, "
     "status=bounced (host mx.example.net[192.0.2.25] said: 550 5.1.1 <bob@example.net>: "
     "Recipient address rejected (in reply to RCPT TO command))", "550", "5.1.1", "",
     "550 5.1.1 <bob@example.net>: Recipient address rejected"},
    {"Nov 24 10:00:01 mail postfix/smtp[550]: 4F2: to=<b@c>, relay=mx[192.0.2.2]:25, dsn=5.0.0, "
     "status=bounced (host mx[192.0.2.2] said: 554 Message refused (in reply to end of DATA "
     "command))", "554", "5.0.0", "", "554 Message refused"},
    {"Nov 24 10:00:01 mail postfix/smtpd[99]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554 "
     "5.7.1 <a@b>: Relay access denied; from=<x@y> to=<a@b> proto=ESMTP helo=<z>", "554", "5.7.1",
     "", "554 5.7.1 <a@b>: Relay access denied; from=<x@y> to=<a@b> proto=ESMTP helo=<z>"},
    {"Nov 24 10:00:01 mail postfix/smtp[99]: 4F2: to=<b@c>, relay=none, dsn=4.4.1, status=deferred "
     "(connect to mx.c[192.0.2.2]:25: Connection timed out)", "", "4.4.1", "",
     "4.4.1, status=deferred (connect to mx.c[192.0.2.2]:25: Connection timed out)"},
    /* Exim. */
    {"2026-11-24 10:00:01 1tF0ab-000250-1Q ** bob@example.net R=dnslookup T=remote_smtp "
     "H=mx.example.net [192.0.2.25]: SMTP error from remote mail server after RCPT "
     "TO:<bob@example.net>: 550 No such user", "550", "", "", "550 No such user"},
    {"2026-11-24 10:00:01 1tF0ab-000250-1Q == bob@example.net R=dnslookup T=remote_smtp defer "
     "(-44) H=mx [192.0.2.25]: SMTP error from remote mail server after RCPT TO:<bob@example.net>: "
     "451 4.7.1 Greylisted", "451", "4.7.1", "", "451 4.7.1 Greylisted"},
    /* sendmail, qmail. */
    {"Nov 24 10:00:01 mail sm-mta[250]: wAO: to=<b@c>, delay=00:00:01, mailer=esmtp, pri=120550, "
     "relay=mx.c. [192.0.2.2], dsn=5.1.1, stat=User unknown", "", "5.1.1", "",
     "5.1.1, stat=User unknown"},
    {"Sorry, no mailbox here by that name. (#5.1.1)", "", "5.1.1", "", "5.1.1)"},
};

static void
test_pastes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(pastes); i++) {
		struct explain explain;
		char topics[200] = "";

		if (explain_parse(span_str(pastes[i].question), &explain) != OK)
			fail_msg("nothing in: %s", pastes[i].question);
		for (size_t j = 0; j < explain.topic_count; j++) {
			(void)strncat(topics, j ? " " : "", 2);
			(void)strncat(topics, explain.topics[j]->key, 40);
		}
		assert_string_equal(explain.basic.name, pastes[i].basic);
		assert_string_equal(explain.status.name, pastes[i].status);
		assert_string_equal(topics, pastes[i].topics);
		if (!span_eq(explain.found, span_str(pastes[i].found)))
			fail_msg("found: %.*s", SPAN_ARGS(explain.found));
	}
}

static const char *const nothing[] = {
    "Nov 24 10:00:01 mail postfix/smtpd[5500]: connect from unknown[192.0.2.250]",
    "version 4.94.2 of Exim, 250 ms, port 587",
    "spf=maybe",
    "\x00\x01\x02", "((((", "=", "550x", "5.1.1.1 is an address",
};

static void
test_pastes_of_nothing(void **state)
{
	struct explain explain;
	struct buf large;

	(void)state;
	for (size_t i = 0; i < LEN(nothing); i++)
		if (explain_parse(span_str(nothing[i]), &explain) != ERR_SYNTAX)
			fail_msg("something in: %s: %s %s", nothing[i], explain.basic.name,
			    explain.status.name);
	buf_init(&large, 1 << 20);
	while (large.len <= EXPLAIN_QUESTION_BYTES_MAX)
		buf_add_str(&large, "550 5.1.1 ");
	buf_add_char(&large, 'x');
	assert_int_equal(explain_parse(buf_span(&large), &explain), ERR_TOO_LONG);
	buf_fini(&large);
}

/* The page about a question; the buffer is ended with a NUL. */
static void
show(struct buf *out, const char *question, size_t width, bool bold)
{
	struct page page = {.out = out, .width = width, .bold = bold};
	struct explain explain;

	buf_reset(out);
	assert_int_equal(explain_parse(span_str(question), &explain), OK);
	explain_page(&page, &explain);
	assert_int_equal(buf_finish(out), OK);
	buf_add_char(out, 0);
}

static const struct {
	const char *question;
	const char *says[6];
} pages[] = {
    {"252", {"252 Cannot VRFY user", "\nMeaning\n  ", "\nWhen it is seen\n  ",
		"\nWhat the client does\n  ", "\nWhat to do\n  ", "\nRead next\n  250 "}},
    {"450", {"may help", "  4.2.1 ", "RFC 5321", "\n  Sender: ", "\n    C: RCPT", "\nGoes with\n"}},
    {"252", {"\n  Developer: ", "\nCommon mistakes\n  ", "\n  2.5.0 "}},
    {"550", {"does not help", "  5.1.1 ", "RFC 5321"}},
    {"5.7.1",
	{"5.7.1 Delivery", "X.7.x: security", "class 5", "does not help", "5.7.26"}},
    {"4.7.1", {"4.7.1 Delivery", "class 4", "may help", "4.7.26"}},
    {"X.7.1", {"X.7.1 Delivery", "X.7.26"}},
    {"550 5.1.1 x", {"550 Requested", "5.1.1 Bad destination mailbox"}},
    {"550 X.1.1", {"550 Requested", "X.1.1 Bad destination mailbox"}},
    {"450 5.1.1 x", {"contradict", "450 Requested", "5.1.1 Bad"}},
    {"441", {"441 The server does not answer (made up)", "No standard has this code"}},
    {"472", {"472 is not a standard code", "4xx: transient", "no standard gives it"}},
    {"542", {"542 is not", "5xx: permanent", "x4x: unspecified"}},
    {"211 ", {"211 System status"}},
    {"150", {"150 is not", "1xx: positive preliminary"}},
    {"5.7.999", {"5.7.999 is not", "5.x.x: permanent", "X.7.x: security"}},
    {"X.9.1", {"X.9.1 is not", "no standard gives it"}},
    {"5xx", {"5xx permanent negative", "What to do"}},
    {"x5x", {"x5x mail system"}},
    {"starttls",
	{"STARTTLS: Turn this", "\n  Keyword of EHLO\n", "\n  Sender: ", "\n    C: STARTTLS",
		     "\n  220   ", "\nSource\n  RFC 3207"}},
    {"sts-policy-invalid", {"\nWhat to do\n  Administrator: ", "Result type of a TLS report"}},
    {"x: 550 5.1.1 no", {"The reply in this line\n    550 5.1.1 no\n", "\n550 Requested"}},
};

static void
test_pages(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, PAGE_BYTES_MAX);
	for (size_t i = 0; i < LEN(pages); i++) {
		show(&out, pages[i].question, PAGE_WIDTH, false);
		for (size_t j = 0; j < LEN(pages[i].says) && pages[i].says[j]; j++)
			if (!strstr(out.ptr, pages[i].says[j]))
				fail_msg("%s lacks \"%s\":\n%s", pages[i].question,
				    pages[i].says[j], out.ptr);
		assert_null(strchr(out.ptr, '\033'));
	}
	buf_fini(&out);
}

/* No line is wider than width, none ends with a blank; returns how many there are. */
static size_t
expect_lines(struct span page, size_t width)
{
	struct span line;
	size_t count = 0;

	while (span_cut(&page, '\n', &line)) {
		if (line.len > width &&
		    span_find(span_trim(line), ' ') < span_trim(line).len)
			fail_msg("%zu columns, not %zu: %.*s", line.len, width,
			    SPAN_ARGS(line));
		if (line.len && line.ptr[line.len - 1] == ' ')
			fail_msg("ends with a blank: \"%.*s\"", SPAN_ARGS(line));
		count++;
	}
	return count;
}

static void
test_every_page_fits(void **state)
{
	static const size_t widths[] = {10, 24, 40, 80, 100, 1000};
	const struct catalogue_entry *entry;
	size_t lines[LEN(widths)] = {0};
	struct buf out;

	(void)state;
	buf_init(&out, PAGE_BYTES_MAX);
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		for (size_t j = 0; j < LEN(widths); j++) {
			size_t width = widths[j] < 24	 ? 24
				       : widths[j] > 100 ? 100
							 : widths[j];

			show(&out, entry->code, widths[j], false);
			lines[j] += expect_lines(span_of(out.ptr, out.len - 1), width);
		}
	assert_int_equal(lines[0], lines[1]);
	assert_true(lines[1] > lines[2] && lines[2] > lines[3] && lines[3] > lines[4]);
	assert_int_equal(lines[4], lines[5]);
	buf_fini(&out);
}

static void
test_bold_is_only_for_headings(void **state)
{
	struct buf out;
	size_t on = 0;
	size_t off = 0;

	(void)state;
	buf_init(&out, PAGE_BYTES_MAX);
	show(&out, "252", PAGE_WIDTH, true);
	for (const char *at = out.ptr; (at = strchr(at, '\033')) != NULL; at++) {
		on += memcmp(at, "\033[1m", 4) == 0 || memcmp(at, "\033[1;32m", 7) == 0;
		off += memcmp(at, "\033[0m", 4) == 0;
	}
	assert_int_equal(on, 9);
	assert_int_equal(off, 9);
	assert_non_null(strstr(out.ptr, "\033[1mMeaning\033[0m\n"));
	buf_fini(&out);
}

static void
test_wrapping(void **state)
{
	struct buf out;
	struct page page = {.out = &out, .width = 24};

	(void)state;
	buf_init(&out, PAGE_BYTES_MAX);
	page_text(&page, SPAN("one two  three four five six\n\nnext"));
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr, "  one two three four\n  five six\n\n  next\n");
	buf_reset(&out);
	/* A column is a character, not a byte. */
	page_text(&page,
	    SPAN("\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4 "
		 "\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6 x"));
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr,
	    "  \u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4 "
	    "\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\u00fc\u00e4\u00f6\n  x\n");
	buf_reset(&out);
	/* Wide characters take two columns and part lines, but not before what ends something. */
	page_text(&page, SPAN("\u90ae\u4ef6\u670d\u52a1\u5668\u8bf4 250\uff1a\u90ae\u4ef6"
			      "\u5df2\u7ecf\u4fdd\u5b58\u3002"));
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr,
	    "  \u90ae\u4ef6\u670d\u52a1\u5668\u8bf4 250\uff1a\u90ae\u4ef6\n  "
	    "\u5df2\u7ecf\u4fdd\u5b58\u3002\n");
	buf_reset(&out);
	/* Signs above and below others take none. */
	page_text(&page, SPAN("a\u0301b\u0301c\u0301d\u0301e\u0301f\u0301g\u0301h\u0301 "
			      "abcdefghijklm x"));
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr,
	    "  a\u0301b\u0301c\u0301d\u0301e\u0301f\u0301g\u0301h\u0301 abcdefghijklm\n  x\n");
	buf_reset(&out);
	page_row(&page, SPAN("5.1.1"), 6, SPAN("a word at_a_time_that_is_too_long z"));
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr,
	    "  5.1.1   a word\n          at_a_time_that_is_too_long\n          z\n");
	buf_reset(&out);
	page_text(&page, SPAN("a\033[2Jb"));
	assert_true(span_eq(buf_span(&out), SPAN("  a?[2Jb\n")));
	buf_fini(&out);
}

static void
test_list_and_compare(void **state)
{
	struct buf out;
	struct page page = {.out = &out, .width = 80};
	size_t count = 0, count_topics = 0, lines;

	(void)state;
	buf_init(&out, PAGE_BYTES_MAX);
	while (catalogue_at(count))
		count++;
	while (catalogue_topic_at(count_topics))
		count_topics++;
	page.width = 100;
	explain_list(&page);
	/* Eight kinds, each with a heading; some names are longer than a line. */
	lines = expect_lines(buf_span(&out), 100);
	assert_true(lines >= count + count_topics + 8 * 2);
	buf_add_char(&out, 0);
	assert_non_null(strstr(out.ptr, "Reply codes\n  101 "));
	assert_non_null(strstr(out.ptr, "\nEnhanced status codes\n  X.0.0 "));
	assert_non_null(strstr(out.ptr, "\nKeyword of EHLO\n  8BITMIME "));
	assert_non_null(strstr(out.ptr, "\n  dkim=fail "));
	buf_reset(&out);
	assert_int_equal(explain_compare(&page, SPAN("252"), SPAN("220")), OK);
	buf_add_char(&out, 0);
	assert_non_null(
	    strstr(out.ptr, "  220     Service ready\n  252     Cannot VRFY"));
	assert_non_null(strstr(out.ptr, "\nThe difference that matters\n  They have"));
	assert_non_null(strstr(out.ptr, "\nWhich to use when you write a server\n"));
	buf_reset(&out);
	assert_int_equal(explain_compare(&page, SPAN("250"), SPAN("472")), ERR_NOT_FOUND);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_questions),
	    cmocka_unit_test(test_pastes),
	    cmocka_unit_test(test_pastes_of_nothing),
	    cmocka_unit_test(test_pages),
	    cmocka_unit_test(test_every_page_fits),
	    cmocka_unit_test(test_bold_is_only_for_headings),
	    cmocka_unit_test(test_wrapping),
	    cmocka_unit_test(test_list_and_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
