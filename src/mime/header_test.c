/* Headers: fields as they are walked, and where the body begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "mime/header.h"

static const struct {
	const char *name;
	const char *message;
	const char *fields; /* "name=value;" of each */
	size_t bytes; /* of the header */
} cases[] = {
    {"nothing", "", "", 0},
    {"a blank line", "\r\nbody", "", 2},
    {"one field", "A: b\r\n\r\nbody", "A= b;", 8},
    {"no body", "A: b\r\n", "A= b;", 6},
    {"no line end", "A: b", "A= b;", 4},
    {"an empty value", "A:\r\n\r\n", "A=;", 6},
    {"folded", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", "A= b\r\n c\r\n\td;E= f;", 22},
    {"folded over a line of blanks", "A: b\r\n \r\n c\r\nE: f\r\n",
	"A= b\r\n \r\n c;E= f;", 19},
    {"a blank before the colon", "A : b\r\nC\t: d\r\n", "A= b;C= d;", 14},
    {"colons in the value", "A: b: c\r\n", "A= b: c;", 9},
    {"a line that is no field ends it", "A: b\r\nno field\r\nC: d\r\n", "A= b;", 6},
    {"no name", ": b\r\n\r\n", "", 0},
    {"begins with a blank", " A: b\r\n\r\n", "", 0},
    {"a name with a space", "A b: c\r\n\r\n", "", 0},
    {"a name that is not ASCII", "\xc3\xbc: c\r\n\r\n", "", 0},
    {"bare ends of lines are text", "A: b\nC: d\rE: f\r\n\r\nx", "A= b\nC: d\rE: f;", 18},
    {"a CR at the very end", "A: b\r", "A= b\r;", 5},
};

static void
test_walk(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span rest = span_str(cases[i].message);
		struct header_field field;
		struct buf fields;

		buf_init(&fields, 1000);
		while (header_next(&rest, &field))
			buf_addf(&fields, "%.*s=%.*s;", SPAN_ARGS(field.name),
			    SPAN_ARGS(field.value));
		if (!span_eq(buf_span(&fields), span_str(cases[i].fields)))
			fail_msg("%s: got \"%.*s\"", cases[i].name,
			    SPAN_ARGS(buf_span(&fields)));
		if (header_bytes(span_str(cases[i].message)) != cases[i].bytes)
			fail_msg("%s: %zu bytes", cases[i].name,
			    header_bytes(span_str(cases[i].message)));
		buf_fini(&fields);
	}
}

static void
test_find(void **state)
{
	struct span message =
	    SPAN("From: a@b\r\nSubject:  one\r\n two \r\nsubject: three\r\n"
		 "\r\nBody: c\r\n");

	(void)state;
	assert_true(header_has(message, SPAN("FROM")));
	assert_false(header_has(message, SPAN("Fro")));
	assert_false(header_has(message, SPAN("Body")));
	assert_true(span_eq(header_find(message, SPAN("SUBJECT")), SPAN("one\r\n two")));
	assert_int_equal(header_find(message, SPAN("Body")).len, 0);
}

static void
test_text_is_made_printable(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	header_write_text(&out, SPAN("a\tb\r\nc\0d\x7f\xc3\xbc~"), 100);
	assert_true(span_eq(buf_span(&out), SPAN("a b??c?d???~")));
	buf_reset(&out);
	header_write_text(&out, SPAN("abcdef"), 3);
	assert_true(span_eq(buf_span(&out), SPAN("abc")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_walk),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_text_is_made_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
