/*
 * Replies: what is written is exactly the lines that the list intends, within
 * the limits of RFC 5321, and what is read is taken apart without guessing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/reply.h"

enum { OUT_BYTES_MAX = 16384 };

#define REPLY_ENUM(name, code, enhanced, text) {#name, code, enhanced, text},
static const struct {
	const char *name;
	unsigned code;
	const char *enhanced;
	const char *text;
} rows[] = {
#include "replies/reply_list.h"
};
#undef REPLY_ENUM

static void
expect_span(struct span got, const char *want)
{
	if (!span_eq(got, span_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SPAN_ARGS(got), want);
}

static void
test_every_row_is_well_formed(void **state)
{
	(void)state;
	assert_int_equal(LEN(rows), REPLY_COUNT);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct reply_parts parts;
		char line[REPLY_LINE_BYTES_MAX];
		int bytes =
		    snprintf(line, sizeof(line), "%u %s", rows[i].code, rows[i].enhanced);

		if (reply_parse(span_of(line, (size_t)bytes), &parts))
			fail_msg("%s has no right code: %s", rows[i].name, line);
		/* All of the enhanced code was understood, so its class fits. */
		if (parts.text.len)
			fail_msg(
			    "%s: enhanced code does not fit: %s", rows[i].name, line);
		if (strlen(rows[i].text) > 400)
			fail_msg("%s leaves no room for its arguments", rows[i].name);
		for (const char *at = rows[i].text; *at; at++) {
			if (*at == '%' && (at[1] < '1' || at[1] > '3'))
				fail_msg("%s: %% without a number", rows[i].name);
			if (*at != '\n' && (*at < 0x20 || *at > 0x7e))
				fail_msg("%s holds a control character", rows[i].name);
		}
		assert_int_equal(reply_code((enum reply_id)i), rows[i].code);
		assert_string_equal(reply_enhanced((enum reply_id)i), rows[i].enhanced);
	}
}

/* Takes all lines of a written reply apart; returns how many there are. */
static size_t
check_lines(struct span out, unsigned code)
{
	struct reply_parts parts = {.more = true};
	size_t count = 0;

	while (out.len) {
		const char *end = memmem(out.ptr, out.len, "\r\n", 2);
		struct span line;

		assert_non_null(end);
		assert_true(parts.more);
		line = span_of(out.ptr, (size_t)(end - out.ptr));
		assert_true(line.len + 2 <= REPLY_LINE_BYTES_MAX);
		for (size_t i = 0; i < line.len; i++)
			assert_false(
			    (unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == 0x7f);
		assert_int_equal(reply_parse(line, &parts), OK);
		assert_int_equal(parts.code, code);
		out = span_skip(out, line.len + 2);
		count++;
	}
	assert_false(parts.more);
	return count;
}

static void
test_no_argument_can_break_a_row(void **state)
{
	static char hostile[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(hostile); i++)
		hostile[i] = (char)(i * 37 >> 3);
	memcpy(hostile, "x\r\n250 forged\r\n\n", 16);
	for (size_t i = 0; i < REPLY_COUNT; i++) {
		struct reply reply = {.id = (enum reply_id)i};
		struct buf out;
		size_t count;

		for (size_t j = 0; j < REPLY_ARGS_MAX; j++)
			reply.args[j] = span_of(hostile, sizeof(hostile));
		buf_init(&out, 1 << 20);
		reply_write(&out, &reply, i & 1, i & 2);
		assert_int_equal(buf_finish(&out), OK);
		count = check_lines(buf_span(&out), rows[i].code);
		if (!strchr(rows[i].text, '\n') && strcmp(rows[i].text, "%1") != 0)
			assert_int_equal(count, 1);
		if (rows[i].code == 334)
			assert_int_equal(count, 1);
		buf_fini(&out);
	}
}

static const struct {
	const char *name;
	enum reply_id id;
	struct span args[REPLY_ARGS_MAX];
	bool enhanced;
	bool utf8;
	const char *want;
} written[] = {
    {"a reply without arguments", REPLY_OK, {{0}}, true, false, "250 2.0.0 Ok\r\n"},
    {"the enhanced code is left out where it was not announced", REPLY_OK, {{0}}, false,
	false, "250 Ok\r\n"},
    {"no enhanced code where the list has none", REPLY_START_MAIL, {{0}}, true, false,
	"354 End data with <CR><LF>.<CR><LF>\r\n"},
    {"arguments", REPLY_GREETING, {SPAN("mx.example"), SPAN("ESMTP"), SPAN(" Postrider")},
	true, false, "220 mx.example ESMTP Postrider\r\n"},
    {"an argument that is not given is empty", REPLY_GREETING, {SPAN("mx.example")}, true,
	false, "220 mx.example \r\n"},
    {"an argument is not a format", REPLY_USER_UNKNOWN, {SPAN("%1%2%s"), SPAN("no")},
	true, false, "550 5.1.1 No such mailbox here: %1%2%s (HELP recipient)\r\n"},
    {"one line per line feed", REPLY_HELLO, {SPAN("mx.example\nSIZE 1000\nPIPELINING")},
	true, false, "250-mx.example\r\n250-SIZE 1000\r\n250 PIPELINING\r\n"},
    {"the enhanced code is on each line", REPLY_HELP, {SPAN("a\nb")}, true, false,
	"214-2.0.0 a\r\n214 2.0.0 b\r\n"},
    {"a carriage return is never passed on", REPLY_HELLO, {SPAN("a\r\nb")}, true, false,
	"250-a?\r\n250 b\r\n"},
    {"a peer cannot make a line", REPLY_USER_UNKNOWN, {SPAN("a\r\n250 Ok")}, false, false,
	"550 No such mailbox here: a??250 Ok (HELP recipient)\r\n"},
    {"a challenge is one line", REPLY_AUTH_CHALLENGE, {SPAN("YQ\nb")}, true, false,
	"334 YQ?b\r\n"},
    {"an empty challenge keeps its blank", REPLY_AUTH_CHALLENGE, {{0}}, true, false,
	"334 \r\n"},
    {"NUL, tab, escape and DEL", REPLY_USER_UNKNOWN, {SPAN("a\0b\tc\033d\177")}, false,
	false, "550 No such mailbox here: a?b?c?d? (HELP recipient)\r\n"},
    {"UTF-8 without leave", REPLY_USER_UNKNOWN, {SPAN("gr\u00fc\u00df")}, false, false,
	"550 No such mailbox here: gr???? (HELP recipient)\r\n"},
    {"UTF-8 with leave", REPLY_USER_UNKNOWN, {SPAN("gr\u00fc\u00df \u4e2d \U0001f4ee")},
	false, true,
	"550 No such mailbox here: gr\u00fc\u00df \u4e2d \U0001f4ee (HELP recipient)\r\n"},
    {"what is not UTF-8", REPLY_USER_UNKNOWN,
	{SPAN("\xc3(\xe2\x82 \xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xff\xc3")}, false,
	true, "550 No such mailbox here: ?(?? ?? ??? ???? ?? (HELP recipient)\r\n"},
    {"C1 controls and line separators", REPLY_USER_UNKNOWN,
	{SPAN("\xc2\x85 \xc2\x9b \xe2\x80\xa8")}, false, true,
	"550 No such mailbox here: ?? ?? ??? (HELP recipient)\r\n"},
};

static void
test_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(written); i++) {
		struct reply reply = {.id = written[i].id};
		struct buf out;

		memcpy(reply.args, written[i].args, sizeof(reply.args));
		buf_init(&out, OUT_BYTES_MAX);
		reply_write(&out, &reply, written[i].enhanced, written[i].utf8);
		if (!span_eq(buf_span(&out), span_str(written[i].want)))
			fail_msg("%s: got \"%.*s\"", written[i].name,
			    SPAN_ARGS(buf_span(&out)));
		check_lines(buf_span(&out), reply_code(reply.id));
		buf_fini(&out);
	}
}

static void
test_a_line_is_cut_between_characters(void **state)
{
	char long_text[2000];

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		struct reply reply = {.id = REPLY_HELP};
		struct buf out;
		size_t bytes;

		memset(long_text, 'x', sizeof(long_text));
		for (size_t i = shift; i + 3 < 900; i += 3)
			memcpy(long_text + i, "\xe2\x82\xac", 3);
		long_text[1000] = '\n';
		reply.args[0] = span_of(long_text, sizeof(long_text));
		buf_init(&out, OUT_BYTES_MAX);
		reply_write(&out, &reply, true, true);
		assert_int_equal(check_lines(buf_span(&out), 214), 2);
		bytes = span_find(buf_span(&out), '\n') + 1;
		/* 10 of "214-2.0.0 ", 2 of CR LF, and whole characters in the 500 between. */
		assert_int_equal(bytes, 12 + shift + (500 - shift) / 3 * 3);
		assert_int_equal(out.len - bytes, REPLY_LINE_BYTES_MAX);
		buf_fini(&out);
	}
}

/* Whatever an argument is, the refusal ends with its topic. */
static void
test_the_topic_is_never_cut(void **state)
{
	char long_text[2000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	for (size_t i = 0; i < REPLY_COUNT; i++) {
		struct reply reply = {.id = (enum reply_id)i};
		struct buf out;

		if (rows[i].code < 400)
			continue;
		for (size_t j = 0; j < REPLY_ARGS_MAX; j++)
			reply.args[j] = span_of(long_text, sizeof(long_text));
		buf_init(&out, OUT_BYTES_MAX);
		reply_write(&out, &reply, true, false);
		assert_in_range(out.len, 1, REPLY_LINE_BYTES_MAX);
		assert_true(span_ends_nocase(buf_span(&out), SPAN(")\r\n")));
		if (strstr(rows[i].text, "%1"))
			assert_int_equal(out.len, REPLY_LINE_BYTES_MAX);
		buf_fini(&out);
	}
}

static void
test_a_full_buffer_is_told(void **state)
{
	struct reply reply = {
	    .id = REPLY_HELLO, .args = {SPAN("mx.example\nPIPELINING")}};

	(void)state;
	for (size_t room = 1; room < 31; room++) {
		struct buf out;

		buf_init(&out, room);
		reply_write(&out, &reply, true, false);
		assert_int_equal(buf_finish(&out), ERR_TOO_LONG);
		buf_fini(&out);
	}
}

static void
test_text(void **state)
{
	struct reply reply = {
	    .id = REPLY_USER_UNKNOWN, .args = {SPAN("gr\u00fcn\n\x80")}};
	struct buf out;

	(void)state;
	buf_init(&out, OUT_BYTES_MAX);
	reply_text(&out, &reply);
	expect_span(buf_span(&out), "No such mailbox here: gr\u00fcn?? (HELP recipient)");
	buf_reset(&out);
	reply = (struct reply){.id = REPLY_HELLO, .args = {SPAN("a\nb")}};
	reply_text(&out, &reply);
	expect_span(buf_span(&out), "a\nb");
	buf_fini(&out);
}

static const struct {
	struct span line;
	enum err err;
	unsigned code;
	unsigned short status[3];
	const char *text;
	bool more;
} parsed[] = {
    {SPAN("250"), OK, 250, {0}, "", false},
    {SPAN("250 "), OK, 250, {0}, "", false},
    {SPAN("250-"), OK, 250, {0}, "", true},
    {SPAN("250 Ok"), OK, 250, {0}, "Ok", false},
    {SPAN("250 2.1.5 Ok"), OK, 250, {2, 1, 5}, "Ok", false},
    {SPAN("250-2.1.5 Ok"), OK, 250, {2, 1, 5}, "Ok", true},
    {SPAN("550 5.7.26"), OK, 550, {5, 7, 26}, "", false},
    {SPAN("550 5.7.26 "), OK, 550, {5, 7, 26}, "", false},
    {SPAN("550 5.7.606 Access denied"), OK, 550, {5, 7, 606}, "Access denied", false},
    {SPAN("421 4.999.999 x"), OK, 421, {4, 999, 999}, "x", false},
    {SPAN("550 5.1.1  two"), OK, 550, {5, 1, 1}, " two", false},
    {SPAN("550 4.1.1 x"), OK, 550, {0}, "4.1.1 x", false},
    {SPAN("550 2.1.1 x"), OK, 550, {0}, "2.1.1 x", false},
    {SPAN("354 3.0.0 x"), OK, 354, {0}, "3.0.0 x", false},
    {SPAN("550 5.1.1000 x"), OK, 550, {0}, "5.1.1000 x", false},
    {SPAN("550 5.1000.1 x"), OK, 550, {0}, "5.1000.1 x", false},
    {SPAN("550 55.1.1 x"), OK, 550, {0}, "55.1.1 x", false},
    {SPAN("550 5.1 x"), OK, 550, {0}, "5.1 x", false},
    {SPAN("550 5.1.1.1 x"), OK, 550, {0}, "5.1.1.1 x", false},
    {SPAN("550 5.1.1: x"), OK, 550, {0}, "5.1.1: x", false},
    {SPAN("550 5.1."), OK, 550, {0}, "5.1.", false},
    {SPAN("550 5."), OK, 550, {0}, "5.", false},
    {SPAN("550 5"), OK, 550, {0}, "5", false},
    {SPAN("550 5..1 x"), OK, 550, {0}, "5..1 x", false},
    {SPAN("550 #5.1.0 x"), OK, 550, {0}, "#5.1.0 x", false},
    {SPAN("200 x"), OK, 200, {0}, "x", false},
    {SPAN("599 x"), OK, 599, {0}, "x", false},
    {SPAN(""), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("2"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("25"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("199 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("600 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("099 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("2500 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("250_x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("+50 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN(" 250 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("2\00050 x"), ERR_SYNTAX, 0, {0}, "", false},
    {SPAN("Hello"), ERR_SYNTAX, 0, {0}, "", false},
};

static void
test_parsed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(parsed); i++) {
		struct reply_parts parts = {.code = 1};
		enum err err = reply_parse(parsed[i].line, &parts);

		if (err != parsed[i].err)
			fail_msg(
			    "\"%.*s\": %s", SPAN_ARGS(parsed[i].line), err_text(err));
		if (err) {
			assert_int_equal(parts.code, 1);
			continue;
		}
		assert_int_equal(parts.code, parsed[i].code);
		assert_int_equal(parts.more, parsed[i].more);
		assert_memory_equal(parts.status, parsed[i].status, sizeof(parts.status));
		expect_span(parts.text, parsed[i].text);
	}
}

static void
test_nul_in_text_is_kept(void **state)
{
	struct reply_parts parts;

	(void)state;
	assert_int_equal(reply_parse(SPAN("550 5.1.1 a\0b"), &parts), OK);
	assert_int_equal(parts.text.len, 3);
	assert_int_equal(parts.status[2], 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_is_well_formed),
	    cmocka_unit_test(test_no_argument_can_break_a_row),
	    cmocka_unit_test(test_written),
	    cmocka_unit_test(test_a_line_is_cut_between_characters),
	    cmocka_unit_test(test_the_topic_is_never_cut),
	    cmocka_unit_test(test_a_full_buffer_is_told),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_parsed),
	    cmocka_unit_test(test_nul_in_text_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
