/* MX record data: right ones are taken apart, wrong ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "proc/resolver/rdata.h"

static const struct {
	const char *name;
	struct span rdata;
	enum err err;
	uint16_t preference;
	const char *exchange;
} cases[] = {
    {"a host", SPAN("\0\12\2mx\7example\3org\0"), OK, 10, "mx.example.org"},
    {"the null MX", SPAN("\0\0\0"), OK, 0, ""},
    {"too short", SPAN("\0\12"), ERR_SYNTAX, 0, ""},
    {"no end of the name", SPAN("\0\12\2mx"), ERR_SYNTAX, 0, ""},
    {"a label past the end", SPAN("\0\12\11mx\0"), ERR_SYNTAX, 0, ""},
    {"a compression pointer", SPAN("\0\12\300\14"), ERR_SYNTAX, 0, ""},
    {"a line end in the name", SPAN("\0\12\3a\r\n\0"), ERR_SYNTAX, 0, ""},
    {"bytes behind the name", SPAN("\0\12\1a\0x"), ERR_SYNTAX, 0, ""},
};

static void
mx_records_are_taken_apart_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char exchange[RDATA_NAME_BYTES] = "";
		uint16_t preference = 0;
		enum err err = rdata_mx(cases[i].rdata, &preference, exchange);

		print_message("%s\n", cases[i].name);
		assert_int_equal(err, cases[i].err);
		if (err)
			continue;
		assert_int_equal(preference, cases[i].preference);
		assert_string_equal(exchange, cases[i].exchange);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mx_records_are_taken_apart_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
