/* What a message looks like where it is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "mime/local.h"

static void
fields_stand_in_front(void **state)
{
	static const struct {
		bool binary;
		const char *from, *text;
	} cases[] = {
	    {false, "ann@a.org", "Return-Path: <ann@a.org>\nDelivered-To: bob@b.org\n"},
	    {false, "", "Return-Path: <>\nDelivered-To: bob@b.org\n"},
	    {true, "ann@a.org", "Return-Path: <ann@a.org>\r\nDelivered-To: bob@b.org\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct buf out;

		buf_init(&out, 1000);
		local_write_fields(
		    &out, span_str(cases[i].from), SPAN("bob@b.org"), cases[i].binary);
		assert_true(span_eq(buf_span(&out), span_str(cases[i].text)));
		buf_fini(&out);
	}
}

/* However the body is cut. */
static void
lines_end_with_lf(void **state)
{
	static const char body[] = "a: b\r\n\r\n\r\nc\r\n";

	(void)state;
	for (size_t at = 0; at < sizeof(body); at++) {
		struct span whole = span_str(body);
		struct buf out, same;

		buf_init(&out, 1000);
		buf_init(&same, 1000);
		local_write_body(&out, span_first(whole, at), false);
		local_write_body(&out, span_skip(whole, at), false);
		assert_true(span_eq(buf_span(&out), SPAN("a: b\n\n\nc\n")));
		local_write_body(&same, span_first(whole, at), true);
		local_write_body(&same, span_skip(whole, at), true);
		assert_true(span_eq(buf_span(&same), whole));
		buf_fini(&out);
		buf_fini(&same);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_stand_in_front),
	    cmocka_unit_test(lines_end_with_lf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
