#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/rules.h"

static const struct {
	const char *text;
	uint64_t ms;
} cases[] = {
    {"4.2.0 <a@b.example>: Recipient address rejected: Greylisted for 300 seconds", 300000},
    {"Greylisted, please try again in 180 seconds", 180000},
    {"Greylisting in action, please come back in 00:04:37", 277000},
    {"Greylisted, please come back in 5 minutes", 300000},
    {"please try again in 1 hour.", 3600000},
    {"Try again after 10 min", 600000},
    {"You must wait 45s, then come back", 45000},
    {"Please WAIT 2 Minutes", 120000},
    {"come back in a while", 0},
    {"Too many connections from 192.0.2.7 in 5 processes", 0},
    {"seen within 300 seconds", 0},
    {"see RFC 5321 for 4.7.1", 0},
    {"in 999999999999999999999 seconds", 0},
    {"in 86400 hours", 86400000},
    {"in 00:99:00", 0},
    {"in 12:", 0},
    {"in ", 0},
    {"", 0},
};

static void
times_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t found = rules_stated_ms(span_str(cases[i].text));

		if (found != cases[i].ms)
			print_error("%s: %llu\n", cases[i].text, (unsigned long long)found);
		assert_int_equal(found, cases[i].ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
