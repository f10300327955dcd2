/* Addresses in fields: what is read, and what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "mime/mailboxes.h"

static const struct {
	const char *value;
	const char *addresses; /* each with a blank behind it; NULL: it is wrong */
} cases[] = {
    /* One. */
    {"ann@example.org", "ann@example.org "},
    {" ann@example.org\r\n", "ann@example.org "},
    {"<ann@example.org>", "ann@example.org "},
    {"Ann <ann@example.org>", "ann@example.org "},
    {"Ann B. Clark <ann@example.org>", "ann@example.org "},
    {"\"Clark, Ann\" <ann@example.org>", "ann@example.org "},
    {"\"boss@bank.example\" <ann@example.org>", "ann@example.org "},
    {"\"a \\\" b\" <ann@example.org>", "ann@example.org "},
    {"=?utf-8?q?J=C3=B6rg?= <ann@example.org>", "ann@example.org "},
    {"J\xc3\xb6rg <j\xc3\xb6rg@b\xc3\xbc" "cher.example>",
	"j\xc3\xb6rg@b\xc3\xbc" "cher.example "},
    {"J\xf6rg <ann@example.org>", "ann@example.org "},
    {"Ann\r\n <ann@example.org>", "ann@example.org "},
    {"Ann\r\n\t<ann@\r\n example.org>", "ann@example.org "},
    {"ann@[192.0.2.1]", "ann@[192.0.2.1] "},
    {"ann@[IPv6:2001:db8::1] (Ann)", "ann@[IPv6:2001:db8::1] "},
    {"\"ann clark\"@example.org", "\"ann clark\"@example.org "},
    {"\"a\r\n b\"@example.org", "\"a b\"@example.org "},
    {"<\"a>b\"@example.org>", "\"a>b\"@example.org "},
    /* Comments and blanks wherever they may be. */
    {"ann (Ann (of (us))) @ (at) example (dot) . org", "ann@example.org "},
    {"(a, b) ann@example.org (\\) c)", "ann@example.org "},
    {"a . b @ example.org", "a.b@example.org "},
    {"Ann (boss@bank.example) <ann@example.org>", "ann@example.org "},
    {"(((((((((((((((((((((((((((((((())))))))))))))))))))))))))))))))a@b.example", "a@b.example "},
    /* Several, and empty places. */
    {"a@b.example, C <c@d.example>", "a@b.example c@d.example "},
    {", a@b.example,, ,c@d.example,", "a@b.example c@d.example "},
    {"", ""},
    {" \r\n ", ""},
    /* Groups. */
    {"Us: a@b.example, c@d.example;", "a@b.example c@d.example "},
    {"Us: a@b.example;, e@f.example", "a@b.example e@f.example "},
    {"\"A B\" c: <a@b.example>;", "a@b.example "},
    {"Nobody:;", ""},
    {"Nobody: ;\r\n", ""},
    {"Us: a@b.example; , You:c@d.example;", "a@b.example c@d.example "},
    /* Routes. */
    {"<@r.example,@s.example:ann@example.org>", "ann@example.org "},
    {"<@r.example: ann@example.org>", "ann@example.org "},
    /* Wrong. */
    {"ann", NULL},
    {"Ann Clark", NULL},
    {"ann@", NULL},
    {"@example.org", NULL},
    {"ann@@example.org", NULL},
    {"ann@example.", NULL},
    {"ann@.example", NULL},
    {".ann@example.org", NULL},
    {"ann.@example.org", NULL},
    {"a..b@example.org", NULL},
    {"a b@example.org", NULL},
    {"a@b.example c@d.example", NULL},
    {"a@b.example <c@d.example>", NULL},
    {"<a@b.example> <c@d.example>", NULL},
    {"<a@b.example> c", NULL},
    {"<a@b.example", NULL},
    {"a@b.example>", NULL},
    {"<>", NULL},
    {"Ann <>", NULL},
    {"<<a@b.example>>", NULL},
    {"<Ann a@b.example>", NULL},
    {"<a@b.example, c@d.example>", NULL},
    {"Clark, Ann <ann@example.org>", NULL},
    {"Ann [us] <ann@example.org>", NULL},
    {"\"Ann <ann@example.org>", NULL},
    {"Ann (x <ann@example.org>", NULL},
    {"Ann (x\\) <ann@example.org>", NULL},
    {"ann@example.org)", NULL},
    {"ann@[192.0.2.1", NULL},
    {"Us: a@b.example", NULL},
    {"Us: a@b.example, ", NULL},
    {"Us: You: a@b.example;;", NULL},
    {"Us: a@b.example; c@d.example", NULL},
    {"a@b.example;", NULL},
    {":a@b.example;", NULL},
    {"<@r.example ann@example.org>", NULL},
    {"<@:ann@example.org>", NULL},
    {"a\\b@example.org", NULL},
    {"a\001b@example.org", NULL},
    {"a@b.example\177", NULL},
    {"a:b@c.example", NULL},
};

static void
test_cases(void **state)
{
	struct buf address, all;

	(void)state;
	buf_init(&address, 400);
	buf_init(&all, 1000);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct mailboxes list = mailboxes_of(span_str(cases[i].value));

		buf_reset(&all);
		while (mailboxes_next(&list, &address)) {
			buf_add(&all, buf_span(&address));
			buf_add_char(&all, ' ');
		}
		if ((list.wrong == NULL) != (cases[i].addresses != NULL) ||
		    (!list.wrong && !span_eq(buf_span(&all), span_str(cases[i].addresses))))
			fail_msg("%s: %.*s %s", cases[i].value, SPAN_ARGS(buf_span(&all)),
			    list.wrong ? list.wrong : "");
	}
	buf_fini(&all);
	buf_fini(&address);
}

/* A NUL is a wrong character, not an end. */
static void
test_nul(void **state)
{
	struct mailboxes list = mailboxes_of(SPAN("a@b.example\0, c@d.example"));
	struct buf address;

	(void)state;
	buf_init(&address, 100);
	while (mailboxes_next(&list, &address))
		assert_true(span_eq(buf_span(&address), SPAN("a@b.example")));
	assert_non_null(list.wrong);
	buf_fini(&address);
}

/* Whatever does not fit is wrong, and never cut. */
static void
test_too_long(void **state)
{
	struct mailboxes list = mailboxes_of(SPAN("abcdefghij@example.org"));
	struct buf address;

	(void)state;
	buf_init(&address, 21);
	assert_false(mailboxes_next(&list, &address));
	assert_string_equal(list.wrong, "an address is too long");
	list = mailboxes_of(SPAN("a display name that is longer <a@b.example>"));
	assert_true(mailboxes_next(&list, &address));
	assert_true(span_eq(buf_span(&address), SPAN("a@b.example")));
	buf_fini(&address);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_nul),
	    cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
