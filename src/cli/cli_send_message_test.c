/*
 * What "postrider send" makes of its input: line ends however it is cut, headers
 * only where there are none, and a dialogue that shows no secrets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_send_internal.h"

static void
test_lines(void **state)
{
	static const struct {
		struct span in;
		const char *out;
	} cases[] = {
	    {SPAN(""), ""},
	    {SPAN("a"), "a\r\n"},
	    {SPAN("a\nb\n"), "a\r\nb\r\n"},
	    {SPAN("a\r\nb\r\n"), "a\r\nb\r\n"},
	    {SPAN("a\n\n\r\n\nb"), "a\r\n\r\n\r\n\r\nb\r\n"},
	    {SPAN("a\rb\r\r\nc"), "a\r\nb\r\n\r\nc\r\n"},
	    {SPAN("\n"), "\r\n"},
	    {SPAN("\r"), "\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (size_t step = 1; step <= 4; step++) {
			struct buf out;
			struct cli_send_lines lines = {.out = &out};
			struct span rest = cases[i].in;

			buf_init(&out, 100);
			for (; rest.len; rest = span_skip(rest, step))
				cli_send_lines_add(&lines, span_first(rest, step));
			cli_send_lines_end(&lines);
			if (!span_eq(buf_span(&out), span_str(cases[i].out)))
				fail_msg("%zu by %zu: %.*s", i, step,
				    SPAN_ARGS(buf_span(&out)));
			buf_fini(&out);
		}
	}
}

static void
test_has_header(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} cases[] = {
	    {"Subject: x\r\n", true},
	    {"X-1!: \r\n", true},
	    {"Subject : x\r\n", true},
	    {"Subject:\r\n", true},
	    {"", false},
	    {"\r\n", false},
	    {"Hello.\r\n", false},
	    {"Dear all: hi\r\n", false},
	    {": x\r\n", false},
	    {" Subject: x\r\n", false},
	    {"Gr\u00fc\u00dfe: x\r\n", false},
	    {"Hello\r\nSubject: x\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		if (cli_send_has_header(span_str(cases[i].text)) != cases[i].has)
			fail_msg("%s", cases[i].text);
	}
}

static void
test_header(void **state)
{
	struct cli_send_options *options = mem_alloc(sizeof(*options));
	char helo[] = "client.example";
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	options->helo = helo;
	options->from = SPAN("a@b");
	options->to[options->to_count++] = SPAN("c@d");
	options->to[options->to_count++] = SPAN("e@f");
	cli_send_write_header(&out, options, 0, 255);
	/* How a date is written is mime's business. */
	assert_true(span_starts(
	    buf_span(&out), SPAN("From: <a@b>\r\nTo: <c@d>,\r\n\t<e@f>\r\nDate: Thu, ")));
	assert_true(span_ends_nocase(buf_span(&out),
	    SPAN("1970 00:00:00 +0000\r\n"
		 "Message-ID: <0.00000000000000ff@client.example>\r\n\r\n")));
	buf_reset(&out);
	options->from = SPAN("");
	cli_send_write_header(&out, options, 0, 255);
	assert_true(
	    span_starts(buf_span(&out), SPAN("From: <postmaster@client.example>\r\n")));
	buf_fini(&out);
	mem_free(options);
}

/* What run writes on standard error. */
static void
heard_of(struct buf *out, void (*run)(struct cli_send_dialogue *dialogue))
{
	struct cli_send_dialogue dialogue;
	FILE *file = tmpfile();
	int kept = dup(STDERR_FILENO);
	char text[4096];
	size_t bytes;

	assert_non_null(file);
	(void)fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	cli_send_dialogue_init(&dialogue, true);
	run(&dialogue);
	cli_send_dialogue_fini(&dialogue);
	(void)fflush(stderr);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	rewind(file);
	bytes = fread(text, 1, sizeof(text), file);
	buf_add(out, span_of(text, bytes));
	(void)fclose(file);
}

static void
secret_dialogue(struct cli_send_dialogue *dialogue)
{
	cli_send_dialogue_heard(dialogue, SPAN("220 a\r\n25"));
	cli_send_dialogue_heard(dialogue, SPAN("0 b\x1b\r\n"));
	cli_send_dialogue_said(dialogue, SPAN("auth PLAIN c2VjcmV0\r\n"));
	cli_send_dialogue_heard(dialogue, SPAN("504 no\r\n"));
	cli_send_dialogue_said(dialogue, SPAN("AUTH LOGIN\r\n"));
	cli_send_dialogue_heard(dialogue, SPAN("334 x\r\n"));
	cli_send_dialogue_said(dialogue, SPAN("c2VjcmV0\r\n"));
	cli_send_dialogue_heard(dialogue, SPAN("235 y\r\n"));
	cli_send_dialogue_said(dialogue, SPAN("MAIL FROM:<>\r\nDATA\r\n"));
	dialogue->in_body = true;
	cli_send_dialogue_said(dialogue, SPAN("secret\r\n.\r\n"));
	cli_send_dialogue_heard(dialogue, SPAN("250 z\r\n"));
}

static void
test_dialogue(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 10000);
	heard_of(&out, secret_dialogue);
	assert_true(span_eq(buf_span(&out),
	    SPAN("S: 220 a\nS: 250 b?\nC: auth PLAIN (hidden)\nS: 504 no\nC: AUTH LOGIN\n"
		 "S: 334 x\nC: (hidden)\nS: 235 y\nC: MAIL FROM:<>\nC: DATA\n"
		 "C: (the message: 11 bytes)\nS: 250 z\n")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_has_header),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_dialogue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
