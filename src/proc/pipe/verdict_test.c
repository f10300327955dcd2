/* What the end of a program means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/pipe/verdict.h"

static void
look(const struct verdict_end *end, enum ipc_outcome outcome, const char *status,
    bool in_doubt, const char *words)
{
	struct verdict verdict;
	struct span behind;
	struct buf text;

	buf_init(&text, IPC_TEXT_MAX);
	verdict_find(end, &verdict, &text);
	assert_int_equal(buf_finish(&text), OK);
	assert_int_equal(verdict.outcome, outcome);
	assert_string_equal(verdict.status, status);
	assert_int_equal(verdict.in_doubt, in_doubt);
	if (!span_seek(buf_span(&text), span_str(words), &behind))
		fail_msg("\"%s\" is not in \"%.*s\"", words, SPAN_ARGS(text));
	buf_fini(&text);
}

static void
each_status_has_its_meaning(void **state)
{
	static const struct {
		int status;
		enum ipc_outcome outcome;
		const char *code, *words;
		bool in_doubt;
	} cases[] = {
	    {0, IPC_DELIVERED, "2.0.0", "/a/b", false},
	    {1, IPC_FAILED, "5.3.0", "status 1, which means that it failed", false},
	    {63, IPC_FAILED, "5.3.0", "status 63,", false},
	    {64, IPC_FAILED, "5.3.0", "EX_USAGE", false},
	    {65, IPC_FAILED, "5.6.0", "EX_DATAERR", false},
	    {66, IPC_FAILED, "5.3.0", "EX_NOINPUT", false},
	    {67, IPC_FAILED, "5.1.1", "EX_NOUSER", false},
	    {68, IPC_FAILED, "5.1.2", "EX_NOHOST", false},
	    {69, IPC_FAILED, "5.3.0", "EX_UNAVAILABLE", false},
	    {70, IPC_FAILED, "5.3.0", "EX_SOFTWARE", false},
	    {71, IPC_DEFERRED, "4.3.0", "EX_OSERR", false},
	    {72, IPC_DEFERRED, "4.3.5", "EX_OSFILE", false},
	    {73, IPC_FAILED, "5.2.0", "EX_CANTCREAT", false},
	    {74, IPC_DEFERRED, "4.3.0", "EX_IOERR", false},
	    {75, IPC_DEFERRED, "4.3.0", "EX_TEMPFAIL", false},
	    {76, IPC_FAILED, "5.5.0", "EX_PROTOCOL", false},
	    {77, IPC_FAILED, "5.7.0", "EX_NOPERM", false},
	    {78, IPC_FAILED, "5.3.5", "EX_CONFIG", false},
	    {79, IPC_FAILED, "5.3.0", "status 79,", false},
	    {126, IPC_DEFERRED, "4.3.5", "cannot be run", false},
	    {127, IPC_DEFERRED, "4.3.5", "not found", false},
	    {128, IPC_FAILED, "5.3.0", "status 128,", false},
	    {128 + 9, IPC_DEFERRED, "4.3.0", "signal 9", true},
	    {255, IPC_DEFERRED, "4.3.0", "signal 127", true},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		look(&(struct verdict_end){.program = SPAN("/a/b"),
			 .user = SPAN("v"),
			 .status = cases[i].status,
			 .output = SPAN("")},
		    cases[i].outcome, cases[i].code, cases[i].in_doubt, cases[i].words);
}

/* In the first line, and of a program that failed by itself only. */
static void
a_program_may_say_it_itself(void **state)
{
	static const struct {
		int status;
		const char *output;
		enum ipc_outcome outcome;
		const char *code;
	} cases[] = {
	    {75, "5.1.1 No such user", IPC_FAILED, "5.1.1"},
	    {67, "4.2.2\nfull", IPC_DEFERRED, "4.2.2"},
	    {1, "4.999.999", IPC_DEFERRED, "4.999.999"},
	    {1, "5.0.0\tx", IPC_FAILED, "5.0.0"},
	    {0, "5.1.1 No such user", IPC_DELIVERED, "2.0.0"},
	    {137, "5.1.1 No such user", IPC_DEFERRED, "4.3.0"},
	    {75, " 5.1.1 No", IPC_DEFERRED, "4.3.0"},
	    {75, "5.1.1x", IPC_DEFERRED, "4.3.0"},
	    {75, "5.1.1.1", IPC_DEFERRED, "4.3.0"},
	    {75, "5.1.1000 x", IPC_DEFERRED, "4.3.0"},
	    {75, "5.01.1 x", IPC_DEFERRED, "4.3.0"},
	    {75, "5.1. x", IPC_DEFERRED, "4.3.0"},
	    {75, "5.1", IPC_DEFERRED, "4.3.0"},
	    {75, "5.", IPC_DEFERRED, "4.3.0"},
	    {75, "5", IPC_DEFERRED, "4.3.0"},
	    {75, "2.0.0 fine", IPC_DEFERRED, "4.3.0"},
	    {75, "55.1.1 x", IPC_DEFERRED, "4.3.0"},
	    {75, "x\n5.1.1 y", IPC_DEFERRED, "4.3.0"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		look(&(struct verdict_end){.program = SPAN("/a"),
			 .user = SPAN("v"),
			 .status = cases[i].status,
			 .output = span_str(cases[i].output)},
		    cases[i].outcome, cases[i].code, cases[i].status == 137, "; it said: ");
}

static void
what_did_not_run_or_not_end_waits(void **state)
{
	(void)state;
	look(&(struct verdict_end){.program = SPAN("/a"),
		 .user = SPAN("v"),
		 .err = ERR_NOT_FOUND,
		 .output = SPAN("")},
	    IPC_DEFERRED, "4.3.5", false, "/a cannot be run as v: not found");
	/* Even if it says that it has it: it was told to end. */
	look(&(struct verdict_end){.program = SPAN("/a"),
		 .user = SPAN("v"),
		 .time_ms = 90000,
		 .output = SPAN("5.1.1 x")},
	    IPC_DEFERRED, "4.3.0", true, "/a was not done in 90 s");
}

static void
output_is_one_line_that_can_be_shown(void **state)
{
	static const struct {
		struct span output;
		const char *shown;
	} cases[] = {
	    {SPAN(""), ""},
	    {SPAN("a"), "a"},
	    {SPAN("a\nb\r\n\n  c \n"), "a; b; c"},
	    {SPAN("\n\n"), ""},
	    {SPAN("a\tb\0c\033[1m\177"), "a b?c?[1m?"},
	    {SPAN("\303\274 \303 \377 \302\205"), "\303\274 ? ? ?"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 100);
		verdict_write_output(&out, cases[i].output);
		assert_true(span_eq(buf_span(&out), span_str(cases[i].shown)));
		buf_fini(&out);
	}
}

/* However much it says, the text can be told, and begins with what it means. */
static void
much_output_leaves_room_for_the_reason(void **state)
{
	char output[5000];
	struct verdict_end end = {.program = SPAN("/a"),
	    .user = SPAN("v"),
	    .status = 77,
	    .output = {output, sizeof(output)}};

	(void)state;
	memset(output, '\n', sizeof(output));
	for (size_t i = 0; i < sizeof(output); i += 3)
		output[i] = 'x';
	look(&end, IPC_FAILED, "5.7.0", false, "EX_NOPERM");
	memset(output, 'y', sizeof(output));
	look(&end, IPC_FAILED, "5.7.0", false, "EX_NOPERM");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_status_has_its_meaning),
	    cmocka_unit_test(a_program_may_say_it_itself),
	    cmocka_unit_test(what_did_not_run_or_not_end_waits),
	    cmocka_unit_test(output_is_one_line_that_can_be_shown),
	    cmocka_unit_test(much_output_leaves_room_for_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
