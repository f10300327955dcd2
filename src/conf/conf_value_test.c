/* Words to values and back, and how near words are. */
#include "conf/conf_test_kit.h"

static const struct {
	const char *number, *unit;
	bool good;
	uint64_t bytes;
} sizes[] = {
    {"0", "", true, 0},
    {"1", "", false, 0},
    {"1", "B", true, 1},
    {"3", "bytes", true, 3},
    {"35", "MB", true, UINT64_C(35) << 20},
    {"35", "mib", true, UINT64_C(35) << 20},
    {"2", "k", true, 2048},
    {"5", "G", true, UINT64_C(5) << 30},
    {"16777215", "TB", true, UINT64_C(16777215) << 40},
    {"16777216", "TB", false, 0},
    {"18446744073709551615", "B", true, UINT64_MAX},
    {"18446744073709551616", "B", false, 0},
    {"1", "mb ", false, 0},
    {"1", "h", false, 0},
    {"", "MB", false, 0},
    {"-1", "MB", false, 0},
};

static void
sizes_have_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(sizes); i++) {
		uint64_t bytes;
		bool good = conf_value_size(
		    span_str(sizes[i].number), span_str(sizes[i].unit), &bytes);

		assert_int_equal(good, sizes[i].good);
		if (good)
			assert_int_equal(bytes, sizes[i].bytes);
	}
}

static const struct {
	const char *number, *unit;
	bool good;
	uint64_t ms;
} times[] = {
    {"0", "", true, 0},
    {"7", "ms", true, 7},
    {"7", "milliseconds", true, 7},
    {"7", "s", true, 7000},
    {"1", "second", true, 1000},
    {"5", "m", true, 300000},
    {"5", "MIN", true, 300000},
    {"5", "minutes", true, 300000},
    {"2", "h", true, 7200000},
    {"2", "hours", true, 7200000},
    {"5", "d", true, 432000000},
    {"1", "day", true, 86400000},
    {"213503982335", "d", false, 0},
    {"1", "w", false, 0},
    {"1", "KB", false, 0},
};

static void
times_have_units(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(times); i++) {
		uint64_t ms;
		bool good = conf_value_time(
		    span_str(times[i].number), span_str(times[i].unit), &ms);

		assert_int_equal(good, times[i].good);
		if (good)
			assert_int_equal(ms, times[i].ms);
	}
}

static void
assert_written(struct buf *out, const char *wanted)
{
	kit_assert_span(buf_span(out), wanted);
	buf_reset(out);
}

static void
values_are_written_in_the_unit_that_fits(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	conf_value_write_size(&out, 0);
	assert_written(&out, "0 B");
	conf_value_write_size(&out, UINT64_C(3) << 30);
	assert_written(&out, "3 GB");
	conf_value_write_size(&out, 1536);
	assert_written(&out, "1536 B");
	conf_value_write_time(&out, 5400000);
	assert_written(&out, "90 m");
	conf_value_write_time(&out, 86400000);
	assert_written(&out, "1 d");
	conf_value_write_time(&out, 1);
	assert_written(&out, "1 ms");
	conf_value_write_word(&out, SPAN("/a/b"));
	assert_written(&out, "/a/b");
	conf_value_write_word(&out, SPAN(""));
	assert_written(&out, "\"\"");
	conf_value_write_word(&out, SPAN("#a"));
	assert_written(&out, "\"#a\"");
	conf_value_write_word(&out, SPAN("a \"b\\"));
	assert_written(&out, "\"a \\\"b\\\\\"");
	buf_fini(&out);
}

static const struct {
	const char *domain;
	bool good;
} domains[] = {
    {"a", true},
    {"localhost", true},
    {"mail.example.org", true},
    {"1.example", true},
    {"a-b.c", true},
    {"xn--mller-kva.example", true},
    {"123456789012345678901234567890123456789012345678901234567890123.a", true},
    {"1234567890123456789012345678901234567890123456789012345678901234.a", false},
    {"", false},
    {".", false},
    {"a.", false},
    {".a", false},
    {"a..b", false},
    {"-a.b", false},
    {"a-.b", false},
    {"a_b", false},
    {"a b", false},
    {"a@b", false},
    {"192.0.2.1", false},
    {"7", false},
    {"m\303\274ller.example", false},
};

static void
domains_are_names(void **state)
{
	char name[255];

	(void)state;
	for (size_t i = 0; i < LEN(domains); i++)
		assert_int_equal(
		    conf_value_domain_problem(span_str(domains[i].domain)) == NULL,
		    domains[i].good);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	assert_null(conf_value_domain_problem(span_of(name, 253)));
	name[253] = 'a';
	assert_non_null(conf_value_domain_problem(span_of(name, 254)));
	assert_non_null(conf_value_domain_problem(span_of(name, 255)));
}

static const struct {
	const char *text, *host;
	unsigned port;
} endpoints[] = {
    {"a", "a", 0},
    {"a:25", "a", 25},
    {"[::1]", "::1", 0},
    {"[::1]:65535", "::1", 65535},
    {"[IPv6:2001:db8::1]:25", "2001:db8::1", 25},
    {"192.0.2.1:1", "192.0.2.1", 1},
    {"*:587", "*", 587},
    {"", NULL, 0},
    {":25", NULL, 0},
    {"a:", NULL, 0},
    {"a:0", NULL, 0},
    {"a:65536", NULL, 0},
    {"a:2x", NULL, 0},
    {"a:+2", NULL, 0},
    {"::1", NULL, 0},
    {"[::1", NULL, 0},
    {"[::1]25", NULL, 0},
    {"[]:25", NULL, 0},
    {"[::1]:", NULL, 0},
};

static void
endpoints_are_a_host_and_a_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(endpoints); i++) {
		struct span host;
		uint16_t port;
		const char *problem =
		    conf_value_endpoint(span_str(endpoints[i].text), &host, &port);

		assert_int_equal(problem == NULL, endpoints[i].host != NULL);
		if (problem)
			continue;
		kit_assert_span(host, endpoints[i].host);
		assert_int_equal(port, endpoints[i].port);
	}
}

static const struct {
	const char *wrong, *right;
	unsigned distance;
	bool near;
} words[] = {
    {"smtp", "smtp", 0, true},
    {"SMTP", "smtp", 0, true},
    {"smpt", "smtp", 1, true}, /* swapped */
    {"hostame", "hostname", 1, true}, /* missing */
    {"hosttname", "hostname", 1, true}, /* too many */
    {"hastname", "hostname", 1, true}, /* wrong */
    {"hastmane", "hostname", 3, true},
    {"hastmaneee", "hostname", 5, false},
    {"lig", "log", 1, true},
    {"lgi", "log", 2, false},
    {"spol", "spool", 1, true},
    {"spxyl", "spool", 2, true},
    {"xxyol", "spool", 3, false},
    {"xxxxx", "spool", 5, false},
};

static void
near_words_are_found_and_others_not(void **state)
{
	char many[64];
	unsigned distance;

	(void)state;
	for (size_t i = 0; i < LEN(words); i++) {
		bool near = conf_near(
		    span_str(words[i].wrong), span_str(words[i].right), &distance);

		assert_int_equal(distance, words[i].distance);
		assert_int_equal(near, words[i].near);
	}
	memset(many, 'a', sizeof(many));
	assert_false(conf_near(span_of(many, 0), SPAN("log"), &distance));
	assert_true(conf_near(span_of(many, 48), span_of(many, 48), &distance));
	assert_false(conf_near(span_of(many, 49), span_of(many, 48), &distance));
	assert_false(conf_near(span_of(many, 48), span_of(many, 49), &distance));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sizes_have_units),
	    cmocka_unit_test(times_have_units),
	    cmocka_unit_test(values_are_written_in_the_unit_that_fits),
	    cmocka_unit_test(domains_are_names),
	    cmocka_unit_test(endpoints_are_a_host_and_a_port),
	    cmocka_unit_test(near_words_are_found_and_others_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
