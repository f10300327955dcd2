/* UTF-8: every character there and back, and each way to be none. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
every_character_comes_back(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		size_t bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		uint32_t taken;

		if (c == 0xd800)
			c = 0xe000;
		buf_reset(&out);
		utf8_add(&out, c);
		assert_int_equal(out.len, bytes);
		buf_add_char(&out, 'x');
		assert_int_equal(utf8_take(buf_span(&out), &taken), bytes);
		assert_int_equal(taken, c);
		/* Cut off, it is none. */
		if (bytes > 1)
			assert_int_equal(
			    utf8_take(span_first(buf_span(&out), bytes - 1), &taken), 0);
	}
	buf_fini(&out);
}

static void
well_known_bytes_are_written(void **state)
{
	static const struct {
		uint32_t c;
		const char *bytes;
	} rows[] = {{'A', "A"}, {0xe9, "\xc3\xa9"}, {0x20ac, "\xe2\x82\xac"},
	    {0x1f600, "\xf0\x9f\x98\x80"}};
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	for (size_t i = 0; i < LEN(rows); i++) {
		buf_reset(&out);
		utf8_add(&out, rows[i].c);
		assert_true(span_eq(buf_span(&out), span_str(rows[i].bytes)));
	}
	buf_fini(&out);
}

static const struct {
	const char *text;
	size_t bytes;
} characters[] = {
    {"a", 1},
    {"\xC3\xBC", 2},
    {"\xE2\x82\xAC", 3},
    {"\xF0\x9F\x90\x8E", 4},
    {"\xF4\x8F\xBF\xBF", 4},
    {"\xDF\xBF", 2},
    {"\x80", 0},
    {"\xBF", 0},
    {"\xC0\x80", 0}, /* NUL, too long */
    {"\xC1\xBF", 0}, /* too long */
    {"\xE0\x9F\xBF", 0}, /* too long */
    {"\xF0\x8F\xBF\xBF", 0}, /* too long */
    {"\xED\xA0\x80", 0}, /* a surrogate */
    {"\xED\xBF\xBF", 0}, /* a surrogate */
    {"\xF4\x90\x80\x80", 0}, /* above U+10FFFF */
    {"\xF5\x80\x80\x80", 0},
    {"\xFF", 0},
    {"\xC3", 0},
    {"\xE2\x82", 0},
    {"\xF0\x9F\x90", 0},
    {"\xC3(", 0},
    {"\xE2\x82(", 0},
    {"\xF0\x9F\x98(", 0},
    {"\xBF\x80", 0},
};

static void
only_utf8_is_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(characters); i++) {
		uint32_t c;

		assert_int_equal(
		    utf8_take(span_str(characters[i].text), &c), characters[i].bytes);
		assert_int_equal(c == 0xfffd, characters[i].bytes == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_character_comes_back),
	    cmocka_unit_test(well_known_bytes_are_written),
	    cmocka_unit_test(only_utf8_is_text),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
