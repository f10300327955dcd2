/* Routes: which pattern is for which domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "route/route.h"

static const struct {
	const char *pattern, *domain;
	bool matches;
} cases[] = {
    {"", "", true},
    {"", "example.org", true},
    {"example.org", "example.org", true},
    {"Example.ORG", "eXample.org", true},
    {"example.org", "example.org.", false},
    {"example.org", "a.example.org", false},
    {"example.org", "example.or", false},
    {"example.org", "notexample.org", false},
    {"example.org", "", false},
    {".example.org", "example.org", false},
    {".example.org", "a.example.org", true},
    {".example.org", "a.b.EXAMPLE.org", true},
    {".example.org", "notexample.org", false},
    {".example.org", ".example.org", false},
    {".example.org", "a.example.org.net", false},
    {".", "a.", true},
    {".", ".", false},
    {"[192.0.2.1]", "[192.0.2.1]", true},
    {"[192.0.2.1]", "[192.0.2.10]", false},
};

static void
test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		if (route_matches(span_str(cases[i].pattern),
			span_str(cases[i].domain)) != cases[i].matches)
			fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].domain);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
