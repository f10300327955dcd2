/* Which limits are for which destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "route/limits.h"

static struct conf_destination destinations[] = {
    {.pattern = SPAN("slow.example"), .limits = {.connections_max = 1}},
    {.pattern = SPAN(".slow.example"), .limits = {.connections_max = 2}},
    {.pattern = SPAN("192.0.2.1"), .limits = {.connections_max = 3}},
    {.pattern = SPAN("2001:db8::1"), .limits = {.connections_max = 4}},
    {.pattern = SPAN(""), .limits = {.connections_max = 5}},
};

static const struct {
	const char *destination;
	uint64_t connections_max, without_any;
} cases[] = {
    {"slow.example", 1, 1}, {"SLOW.Example", 1, 1}, {"mx.slow.example", 2, 2},
    {"notslow.example", 5, 20}, {"192.0.2.1", 3, 3}, {"[192.0.2.1]", 3, 3},
    {"[192.0.2.10]", 5, 20}, {"2001:db8::1", 4, 4}, {"[IPv6:2001:db8::1]", 4, 4},
    {"other.example", 5, 20}, {"[]", 5, 20}, {"", 20, 20}, /* the mailboxes */
};

static void
test_first_that_fits(void **state)
{
	struct conf conf = {
	    .limits = {.connections_max = 20}, .destinations = destinations};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct span destination = span_str(cases[i].destination);

		conf.destination_count = LEN(destinations);
		if (route_limits(&conf, destination)->connections_max !=
		    cases[i].connections_max)
			fail_msg("\"%s\"", cases[i].destination);
		conf.destination_count = LEN(destinations) - 1;
		if (route_limits(&conf, destination)->connections_max !=
		    cases[i].without_any)
			fail_msg("\"%s\" without any", cases[i].destination);
	}
}

static void
test_rate(void **state)
{
	const struct conf_limits limits = {.rate_count = 7, .rate_period_ms = 60000};

	(void)state;
	assert_int_equal(route_rate(&limits).count, 7);
	assert_int_equal(route_rate(&limits).period_ms, 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_that_fits),
	    cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
