/* Files of routes: what their lines mean, and what is wrong with them. */
#include "conf/conf_test_kit.h"

#include <stdio.h>

#define MAIN KIT_BASE "program robot runs /bin/robot as v; credentials from c\n"

static void
kit_table(struct kit *kit, const char *main, struct span table)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct span name;

	assert_int_equal(
	    conf_bundle_add(bundle, SPAN("/etc/p/main.conf"), span_str(main)), OK);
	while (conf_bundle_wants(bundle, &name))
		assert_int_equal(conf_bundle_add(bundle, name, table), OK);
	kit_parse(kit, bundle);
}

static void
assert_way(const struct conf_table *table, const char *pattern, unsigned line, const char *way)
{
	unsigned found = 0;
	const struct conf_route *route = conf_table_find(table, span_str(pattern), &found);
	struct buf text;

	assert_int_equal(route != NULL, way != NULL);
	if (!way)
		return;
	buf_init(&text, CONF_TEXT_MAX);
	conf_route_write(&text, route);
	kit_assert_span(buf_span(&text), way);
	assert_int_equal(found, line);
	buf_fini(&text);
}

static void
lines_are_ways(void **state)
{
	struct kit kit;
	const struct conf_table *table;
	struct conf_ways ways = {0};
	unsigned count = 0;

	(void)state;
	kit_table(&kit, MAIN "send mail for x.example by mx; routes from routes\n",
	    SPAN("\xEF\xBB\xBF# routes\r\n"
		 "\n"
		 "Example.org: through smart.example:587 as isp # ours\r\n"
		 "joe@example.org \t by mx with tls required\n"
		 ".example.org:by lmtp /run/../lmtp\n"
		 "joe@b.example through [::1]\n"
		 "bad.example: refuse with 550 5.1.6 \"We are # new\"\n"
		 "gone.example: discard #\n"
		 "a.example: through smart.example:587 as isp\n"
		 "*:  by mx\n"
		 "lists.example: pipe to Robot\n"
		 "b.lists.example: pipe to robot # the same\n"
		 "m.example: by lmtp mail.example with tls required as isp\n"
		 "d.example: by mx with tls dane\n"
		 "i.example: through s.example:465 as isp"));
	kit_assert_good(&kit);
	assert_int_equal(kit.conf->route_count, 2);
	assert_int_equal(kit.conf->routes[0].line, 3);
	assert_int_equal(kit.conf->routes[1].kind, CONF_ROUTE_TABLE);
	kit_assert_span(kit.conf->routes[1].file, "/etc/p/main.conf");
	table = kit.conf->routes[1].table;
	kit_assert_span(conf_table_path(table), "/etc/p/routes");
	assert_false(conf_table_is_by_sender(table));
	assert_int_equal(conf_table_count(table), 13);
	assert_way(table, "eXample.org", 3, "through smart.example:587 with tls verified as isp");
	assert_way(table, "joe@example.org", 4, "by mx with tls required");
	assert_way(table, ".example.org", 5, "by lmtp /lmtp");
	assert_way(table, "joe@b.example", 6, "through [::1] with tls may");
	assert_way(table, "bad.example", 7, "refuse with 550 5.1.6 \"We are # new\"");
	assert_way(table, "gone.example", 8, "discard");
	assert_way(table, "*", 10, "by mx with tls may");
	assert_way(table, "lists.example", 11, "pipe to robot (/bin/robot as v)");
	assert_ptr_equal(conf_table_find(table, SPAN("b.lists.example"), NULL)->pipe,
	    kit.conf->pipes);
	assert_way(table, "m.example", 13, "by lmtp mail.example:24 with tls required as isp");
	assert_way(table, "d.example", 14, "by mx with tls dane");
	assert_way(table, "i.example", 15, "through s.example:465 with tls implicit as isp");
	assert_way(table, "b.example", 0, NULL);
	assert_way(table, "", 0, NULL);
	/* Two lines that say the same are one way. */
	assert_ptr_equal(conf_table_find(table, SPAN("a.example"), NULL),
	    conf_table_find(table, SPAN("example.org"), NULL));
	while (conf_ways_next(kit.conf, &ways))
		count++;
	assert_int_equal(count, 1 + 7 + 5);
	conf_drop_tables(kit.conf);
	assert_null(conf_table_find(kit.conf->routes[1].table, SPAN("*"), NULL));
	kit_fini(&kit);
}

static const struct {
	const char *main, *table, *problem;
} wrong[] = {
    {"routes from r", "a.org through b", NULL},
    {"routes from r", "", NULL},
    {"routes by sender from r", "<>: by mx\na.org: through b", NULL},
    {"routes from r", "<>: by mx", "/etc/p/r:1:1: \"<>\" is not an address, a domain"},
    {"routes from r", "a.org: by mx\n\nA.org: by mx",
	"/etc/p/r:3:1: \"A.org\" was said already, in line 1"},
    {"routes from r", "a.org: by mx\nb..org: by mx", "/etc/p/r:2:1: \"b..org\" is not an"},
    {"routes from r", " a.org: by mx", "/etc/p/r:1:1: a line begins with"},
    {"routes from r", "a.org:\n", "/etc/p/r:1:7: expected through or by mx, not the end"},
    {"routes from r", "a.org", "/etc/p/r:1:6: expected through or by mx, not the end of the f"},
    {"routes from r", "a.org: throuhg b", "/etc/p/r:1:8: expected through or by mx, not \"th"},
    {"routes from r", "a.org: by mx, by mx", "/etc/p/r:1:13: expected the end of the line"},
    {"routes from r", "a.org: by mx\na: through b as\n", "/etc/p/r:2:16: expected a name"},
    {"routes from r", "a.org: through b with tls may as x",
	"/etc/p/r:1:27: \"may\" could send the password"},
    {"routes from r", "a.org: refuse with 450 4.1.1 x", "/etc/p/r:1:20: \"450\" is not the"},
    {"routes from r", "a.org: by \xff", "/etc/p/r:1:11: the byte 0xFF is not UTF-8"},
    {"routes from r", "a.org: discard#", "/etc/p/r:1:8: expected through or by mx, not"},
    {"routes from r", "a.org: pipe to robot", NULL},
    {"accept mail for a.org\nroutes from r", "a.org: pipe to robot", NULL},
    {"accept mail for b.a.org\nroutes from r", ".org: pipe to robot", NULL},
    {"accept mail for a.org\nroutes from r", "x@a.org: pipe to robot", "nothing says who has a"},
    {"accept mail for a.org\nroutes by sender from r", "a.org: pipe to robot",
	"nothing says who has a mailbox"},
    {"routes from r", "a.org: pipe to robbot",
	"/etc/p/r:1:16: there is no program \"robbot\"; did you mean \"robot\"?"},
    {"routes from r", "b.org: by mx\na.org: pipe to other",
	"/etc/p/r:2:16: there is no program \"other\"; say \"program other runs"},
    {"routes from r", "a.org: pipe to /bin/robot as v",
	"/etc/p/r:1:16: a table has names of programs, and no commands"},
    {"routes from r", "a.org: pipe to \"/bin/sh -c x\" as v", "a table has names of programs"},
    {"routes from r", "a.org: pipe to robot as v", "/etc/p/r:1:22: expected the end of the line"},
    {"routes from r", "a.org: pipe robot", "/etc/p/r:1:13: expected \"to\", not \"robot\""},
    {"routes from r", "a.org: program x runs /bin/sh as v", "expected through or by mx, not"},
    {"routes from r", "*: by mx\n*: by mx", "/etc/p/r:2:1: \"*\" was said already"},
    {"routes from r\nroutes from r", "a: by mx", "main.conf:4:13: \"/etc/p/r\" was said"},
    {"send mail by mx\nroutes from r", "a: by mx", "main.conf:4:13: a route for all mail was"},
    {"routes from r\nsend mail for b by mx", "*: by mx",
	"main.conf:4:15: this route for \"b\" is never used: the one at /etc/p/main.conf:3"},
    {"include r\nroutes from r", "# a", "main.conf:4:13: \"/etc/p/r\" is no table of routes"},
    {"routes from main.conf", "", "main.conf:3:13: \"/etc/p/main.conf\" is no table of"},
    {"routes from", "", "main.conf:3:12: expected the name of a file"},
};

static void
errors_have_a_place(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		struct kit kit;

		snprintf(text, sizeof(text), MAIN "%s\n", wrong[i].main);
		kit_table(&kit, text, span_str(wrong[i].table));
		if (!wrong[i].problem && !kit.conf)
			fail_msg("%zu: %s", i, kit.problems.ptr);
		if (wrong[i].problem && !strstr(kit.problems.ptr, wrong[i].problem))
			fail_msg("%zu: %s\nnot: %s", i, wrong[i].problem, kit.problems.ptr);
		kit_fini(&kit);
	}
}

static void
a_password_needs_credentials(void **state)
{
	struct kit kit;

	(void)state;
	kit_table(&kit, KIT_BASE "routes from r\n", SPAN("a: by mx\nb: through c as isp\n"));
	assert_non_null(strstr(
	    kit.problems.ptr, "main.conf:2:13: nothing says what the password of \"isp\" is"));
	kit_fini(&kit);
}

/* Whoever chooses no ways has no tables, and believes that a domain of ours is in one. */
static void
without_its_table_a_configuration_is_as_good(void **state)
{
	struct conf_bundle *bundle = conf_bundle_create();
	struct buf bytes;
	struct kit kit;

	(void)state;
	buf_init(&bytes, 1 << 20);
	kit_table(
	    &kit, MAIN "accept mail for a.org\nroutes from r\n", SPAN("a.org: pipe to robot"));
	kit_assert_good(&kit);
	conf_bundle_encode(kit.bundle, &bytes);
	kit_fini(&kit);
	assert_int_equal(conf_bundle_decode(buf_span(&bytes), bundle), OK);
	conf_bundle_drop_tables(bundle);
	kit_parse(&kit, bundle);
	kit_assert_good(&kit);
	kit_assert_span(kit.conf->pipes->name, "v:robot");
	kit_fini(&kit);
	buf_fini(&bytes);
}

static void
many_lines_are_found(void **state)
{
	enum { LINES = 100000 };
	struct conf_bundle *bundle;
	struct buf text;
	struct kit kit;
	char pattern[40];

	(void)state;
	buf_init(&text, CONF_TABLE_BYTES_MAX);
	for (unsigned i = 0; i < LINES; i++)
		buf_addf(&text, "d%u.example: through h%u.example\n", i, i % 300);
	/* What is larger than a configuration may be, and travels like one. */
	assert_true(text.len > CONF_FILE_BYTES_MAX);
	kit_table(&kit, MAIN "routes from r\n", buf_span(&text));
	kit_assert_good(&kit);
	for (unsigned i = 0; i < LINES; i++) {
		const struct conf_route *way;
		unsigned line;

		snprintf(pattern, sizeof(pattern), "d%u.example", i);
		way = conf_table_find(kit.conf->routes[0].table, span_str(pattern), &line);
		assert_non_null(way);
		assert_int_equal(line, i + 1);
		snprintf(pattern, sizeof(pattern), "h%u.example", i % 300);
		kit_assert_span(way->host, pattern);
	}
	assert_null(conf_table_find(kit.conf->routes[0].table, SPAN("d.example"), NULL));
	buf_reset(&text);
	conf_bundle_encode(kit.bundle, &text);
	bundle = conf_bundle_create();
	assert_int_equal(conf_bundle_decode(buf_span(&text), bundle), OK);
	conf_bundle_drop_tables(bundle);
	kit_fini(&kit);
	kit_parse(&kit, bundle);
	kit_assert_good(&kit);
	assert_int_equal(conf_table_count(kit.conf->routes[0].table), 0);
	kit_fini(&kit);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_ways),
	    cmocka_unit_test(errors_have_a_place),
	    cmocka_unit_test(a_password_needs_credentials),
	    cmocka_unit_test(without_its_table_a_configuration_is_as_good),
	    cmocka_unit_test(many_lines_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
