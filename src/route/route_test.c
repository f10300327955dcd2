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

static void
test_addresses(void **state)
{
	static const char *const patterns[] = {"joe@a.org", "a.org", ".b.org", "jim@c.org"};
	struct conf_route routes[LEN(patterns)];
	const struct conf conf = {.routes = routes, .route_count = LEN(routes)};
	static const struct {
		const char *address;
		int route;
	} wanted[] = {
	    {"joe@a.org", 0},
	    {"JOE@A.ORG", 0},
	    {"jo@a.org", 1},
	    {"\"@\"@a.org", 1},
	    {"joe@x.b.org", 2},
	    {"joe@b.org", -1},
	    {"jim@c.org", 3},
	    {"jimjim@c.org", -1},
	    {"c.org", -1},
	    {"a.org", -1},
	};

	(void)state;
	for (size_t i = 0; i < LEN(patterns); i++)
		routes[i] = (struct conf_route){.domain = span_str(patterns[i])};
	for (size_t i = 0; i < LEN(wanted); i++) {
		const struct conf_route *found = route_find(&conf, span_str(wanted[i].address));

		if ((found ? found - routes : -1) != wanted[i].route)
			fail_msg("%s", wanted[i].address);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
