/* Where CR and LF stand alone. */
#include "smtp/line_end.h"

#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
flaws_are_found(void **state)
{
	static const struct {
		struct span text;
		bool after_cr;
		size_t at;
	} cases[] = {
	    {SPAN(""), false, 0},
	    {SPAN(""), true, 0},
	    {SPAN("a\r\nb\r\n"), false, 6},
	    {SPAN("\n"), false, 0},
	    {SPAN("\n"), true, 1},
	    {SPAN("a"), true, 0},
	    {SPAN("\r"), true, 0},
	    {SPAN("\r"), false, 1},
	    {SPAN("a\nb"), false, 1},
	    {SPAN("a\rb"), false, 2},
	    {SPAN("a\r\r\n"), false, 2},
	    {SPAN("a\r\n\n"), false, 3},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		assert_int_equal(
		    line_end_flaw(cases[i].text, cases[i].after_cr), cases[i].at);
}

/* A flaw at each place of a text that is longer than some blocks. */
static void
no_place_hides_a_flaw(void **state)
{
	char text[300];

	(void)state;
	for (size_t at = 1; at + 1 < sizeof(text); at++) {
		memset(text, 'a', sizeof(text));
		assert_int_equal(
		    line_end_flaw(span_of(text, sizeof(text)), false), sizeof(text));
		text[at] = '\n';
		assert_int_equal(line_end_flaw(span_of(text, sizeof(text)), false), at);
		text[at - 1] = '\r';
		assert_int_equal(
		    line_end_flaw(span_of(text, sizeof(text)), false), sizeof(text));
		text[at] = 'b';
		assert_int_equal(line_end_flaw(span_of(text, sizeof(text)), false), at);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flaws_are_found),
	    cmocka_unit_test(no_place_hides_a_flaw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
