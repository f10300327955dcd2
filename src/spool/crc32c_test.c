/* CRC-32C: the numbers of RFC 3720 B.4, both ways, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "spool/crc32c.h"

enum { BYTES = 257 };

static void
the_published_numbers(void **state)
{
	static const struct {
		char first, step;
		size_t count;
		uint32_t crc;
	} cases[] = {
	    {0, 0, 32, 0x8a9136aa},
	    {(char)0xff, 0, 32, 0x62a8ab43},
	    {0, 1, 32, 0x46dd794e},
	    {31, -1, 32, 0x113fdb5c},
	    {'1', 1, 9, 0xe3069283}, /* "123456789" */
	    {'a', 0, 1, 0xc1d04330},
	    {0, 0, 0, 0},
	};
	char bytes[32];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		for (size_t at = 0; at < cases[i].count; at++)
			bytes[at] = (char)(cases[i].first + (int)at * cases[i].step);
		assert_int_equal(crc32c(0, span_of(bytes, cases[i].count)), cases[i].crc);
		assert_int_equal(
		    crc32c_by_table(0, span_of(bytes, cases[i].count)), cases[i].crc);
	}
}

static void
both_ways_and_all_splits_agree(void **state)
{
	char bytes[BYTES];

	(void)state;
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (char)(i * i * 31 + 7);
	for (size_t count = 0; count <= BYTES; count++) {
		uint32_t whole = crc32c_by_table(0, span_of(bytes, count));

		assert_int_equal(crc32c(0, span_of(bytes, count)), whole);
		if (crc32c_has_instruction())
			assert_int_equal(
			    crc32c_by_instruction(0, span_of(bytes, count)), whole);
		for (size_t cut = 0; cut <= count; cut += 5) {
			uint32_t crc = crc32c(0, span_of(bytes, cut));

			assert_int_equal(
			    crc32c(crc, span_of(bytes + cut, count - cut)), whole);
			crc = crc32c_by_table(0, span_of(bytes, cut));
			assert_int_equal(
			    crc32c_by_table(crc, span_of(bytes + cut, count - cut)),
			    whole);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_published_numbers),
	    cmocka_unit_test(both_ways_and_all_splits_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
