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
		const struct conf_route *found =
		    route_find(&conf, SPAN(""), span_str(wanted[i].address));

		if ((found ? found - routes : -1) != wanted[i].route)
			fail_msg("%s", wanted[i].address);
	}
}

/* A configuration with a table, found as the language says. */
static struct conf *
make_conf(struct conf_bundle *bundle, const char *text, const char *table)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf *conf;
	struct span name;
	size_t count;

	assert_int_equal(conf_bundle_add(bundle, SPAN("/main.conf"), span_str(text)), OK);
	while (conf_bundle_wants(bundle, &name))
		assert_int_equal(conf_bundle_add(bundle, name, span_str(table)), OK);
	if (conf_parse(bundle, &conf, errors, &count))
		fail_msg("%.*s", SPAN_ARGS(errors[0].text));
	return conf;
}

struct wanted {
	const char *from, *to, *host, *place;
};

static void
assert_routes(const char *text, const char *table, const struct wanted *wanted, size_t count)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf *conf = make_conf(bundle, text, table);

	for (size_t i = 0; i < count; i++) {
		struct route_place place;
		const struct conf_route *route = route_find_place(
		    conf, span_str(wanted[i].from), span_str(wanted[i].to), &place);
		char at[40] = "";

		if (route)
			snprintf(at, sizeof(at), "%.*s:%u", SPAN_ARGS(place.file), place.line);
		if (strcmp(at, wanted[i].place) != 0 ||
		    (route && !span_eq(route->host, span_str(wanted[i].host))))
			fail_msg("%s to %s: %s, and not %s", wanted[i].from, wanted[i].to, at,
			    wanted[i].place);
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
}

static void
test_senders(void **state)
{
	static const struct wanted wanted[] = {
	    {"joe@a.org", "x@c.org", "joe", "/main.conf:2"},
	    {"JOE@A.ORG", "x@d.org", "joe", "/main.conf:2"},
	    {"jim@a.org", "x@c.org", "ac", "/main.conf:4"},
	    {"jim@a.org", "x@d.org", "rest", "/main.conf:6"},
	    {"jim@x.b.org", "x@c.org", "ac", "/main.conf:4"},
	    {"jim@b.org", "x@c.org", "rest", "/main.conf:6"},
	    {"", "x@c.org", "null", "/main.conf:5"},
	    {"", "x@d.org", "rest", "/main.conf:6"},
	    {"jim@c.org", "x@c.org", "rest", "/main.conf:6"},
	};

	(void)state;
	assert_routes("hostname a\nsend mail from joe@a.org through joe\n"
		      "send mail from a.org,\n.b.org for c.org through ac\n"
		      "send mail from <> for c.org through null\nsend mail through rest\n",
	    "", wanted, LEN(wanted));
}

static void
test_tables(void **state)
{
#define TABLE                                                                     \
	"# the order does not count\n.org: through org\n.b.org: through b\n"      \
	"a.org: through a\njoe@a.org: through joe\n.x.b.org: through xb\n"
	static const struct wanted wanted[] = {
	    {"", "joe@A.org", "joe", "/r:5"},
	    {"", "jim@a.org", "a", "/r:4"},
	    {"", "jim@y.a.org", "org", "/r:2"},
	    {"", "jim@b.org", "org", "/r:2"},
	    {"", "jim@y.b.org", "b", "/r:3"},
	    {"", "jim@x.b.org", "b", "/r:3"},
	    {"", "jim@y.x.b.org", "xb", "/r:6"},
	    {"", "jim@first.net", "first", "/main.conf:2"},
	    {"", "jim@second.net", "second", "/main.conf:4"},
	    {"", "jim@third.net", "", ""},
	    {"", "jim@org", "", ""},
	};
	static const struct wanted by_sender[] = {
	    {"joe@a.org", "x@y.net", "joe", "/r:5"},
	    {"jim@x.b.org", "x@y.net", "b", "/r:3"},
	    {"jim@c.net", "x@y.net", "all", "/main.conf:3"},
	    {"", "joe@a.org", "null", "/r:7"},
	};

	(void)state;
	/* One that fits stands where the statement does. */
	assert_routes("hostname a\nsend mail for first.net through first\nroutes from r\n"
		      "send mail for second.net, q.org through second\n",
	    TABLE, wanted, LEN(wanted));
	assert_routes("hostname a\nsend mail for first.net through first\n"
		      "routes by sender from r\nsend mail through all\n",
	    TABLE, &(const struct wanted){"joe@a.org", "x@first.net", "first", "/main.conf:2"}, 1);
	assert_routes("hostname a\nroutes by sender from r\nsend mail through all\n",
	    TABLE "<>: through null\n", by_sender, LEN(by_sender));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_senders),
	    cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
