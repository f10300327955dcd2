/* Spans: the edges are the empty span, the missing byte and the last byte. */
#include "base/span.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static struct span
str(const char *string)
{
	return span_str(string);
}

static void
equal_spans_have_the_same_bytes(void **state)
{
	static const struct {
		struct span a, b;
		bool same, same_nocase;
	} rows[] = {
	    {SPAN(""), SPAN(""), true, true},
	    {{NULL, 0}, SPAN(""), true, true},
	    {SPAN("a"), SPAN(""), false, false},
	    {SPAN("abc"), SPAN("abc"), true, true},
	    {SPAN("abc"), SPAN("aBC"), false, true},
	    {SPAN("a\0b"), SPAN("a\0c"), false, false},
	    {SPAN("[a"), SPAN("{a"), false, false},
	    {SPAN("\xc3\x84"), SPAN("\xc3\xa4"), false, false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(span_eq(rows[i].a, rows[i].b), rows[i].same);
		assert_int_equal(
		    span_eq_nocase(rows[i].a, rows[i].b), rows[i].same_nocase);
	}
}

static void
starts_and_ends_are_found(void **state)
{
	(void)state;
	assert_true(span_starts(str("MAIL FROM"), str("MAIL")));
	assert_true(span_starts(str("MAIL"), str("")));
	assert_false(span_starts(str("MAI"), str("MAIL")));
	assert_false(span_starts(str("mail"), str("MAIL")));
	assert_true(span_starts_nocase(str("mail from"), str("MAIL")));
	assert_false(span_starts_nocase(str("mai"), str("MAIL")));
	assert_true(span_ends_nocase(str("a.EXAMPLE.org"), str(".example.org")));
	assert_true(span_ends_nocase(str("org"), str("org")));
	assert_false(span_ends_nocase(str("rg"), str("org")));
}

static void
a_byte_is_found_or_the_length_is_given(void **state)
{
	static const struct {
		struct span span;
		char c;
		size_t first, last;
	} rows[] = {
	    {SPAN(""), 'x', 0, 0},
	    {{NULL, 0}, 'x', 0, 0},
	    {SPAN("abc"), 'x', 3, 3},
	    {SPAN("a@b@c"), '@', 1, 3},
	    {SPAN("@"), '@', 0, 0},
	    {SPAN("a\0b"), '\0', 1, 1},
	    {SPAN("x\xff"), '\xff', 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(span_find(rows[i].span, rows[i].c), rows[i].first);
		assert_int_equal(span_find_last(rows[i].span, rows[i].c), rows[i].last);
	}
}

static void
skipping_and_cutting_short_stay_inside(void **state)
{
	struct span none = {NULL, 0};

	(void)state;
	assert_true(span_eq(span_skip(str("abc"), 1), str("bc")));
	assert_int_equal(span_skip(str("abc"), 3).len, 0);
	assert_int_equal(span_skip(str("abc"), 99).len, 0);
	assert_int_equal(span_skip(none, 0).len, 0);
	assert_int_equal(span_skip(none, 5).len, 0);
	assert_true(span_eq(span_first(str("abc"), 2), str("ab")));
	assert_true(span_eq(span_first(str("abc"), 3), str("abc")));
	assert_true(span_eq(span_first(str("abc"), 4), str("abc")));
	assert_true(span_eq(span_first(str("abc"), 99), str("abc")));
	assert_int_equal(span_str(NULL).len, 0);
	assert_non_null(span_str(NULL).ptr);
}

static void
trimming_takes_blanks_at_both_ends(void **state)
{
	(void)state;
	assert_true(span_eq(span_trim(str(" \t a b \r\n")), str("a b")));
	assert_int_equal(span_trim(str(" \t\r\n")).len, 0);
	assert_int_equal(span_trim(str("")).len, 0);
	assert_true(span_eq(span_trim(SPAN("\va\f")), SPAN("\va\f")));
}

static void
cutting_gives_the_parts_in_order(void **state)
{
	static const struct {
		const char *text;
		const char *parts[4];
	} rows[] = {
	    {"", {NULL}},
	    {"a", {"a"}},
	    {"a,b", {"a", "b"}},
	    {",b", {"", "b"}},
	    {"a,,b", {"a", "", "b"}},
	    {"a,", {"a"}},
	    {",", {""}},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct span rest = str(rows[i].text);
		struct span part = SPAN("untouched");
		size_t count = 0;

		while (span_cut(&rest, ',', &part)) {
			assert_non_null(rows[i].parts[count]);
			assert_true(span_eq(part, str(rows[i].parts[count])));
			count++;
		}
		assert_null(rows[i].parts[count]);
	}
}

static void
order_is_by_byte_then_by_length(void **state)
{
	(void)state;
	assert_true(span_compare(str(""), str("")) == 0);
	assert_true(span_compare(str("a"), str("b")) < 0);
	assert_true(span_compare(str("b"), str("a")) > 0);
	assert_true(span_compare(str("a"), str("aa")) < 0);
	assert_true(span_compare(str("aa"), str("a")) > 0);
	/* Bytes are unsigned: 0xff comes after every ASCII letter. */
	assert_true(span_compare(SPAN("\xff"), str("a")) > 0);
}

static void
numbers_are_digits_up_to_a_maximum(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
	    {"0", 0, true, 0},
	    {"1", 0, false, 0},
	    {"7", 5, false, 0},
	    {"007", 7, true, 7},
	    {"65535", 65535, true, 65535},
	    {"65536", 65535, false, 0},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, false, 0},
	    {"99999999999999999999999", UINT64_MAX, false, 0},
	    {"", 9, false, 0},
	    {"-1", 9, false, 0},
	    {"+1", 9, false, 0},
	    {" 1", 9, false, 0},
	    {"1 ", 9, false, 0},
	    {"0x1", 9, false, 0},
	    {"1\xb2", 999, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t value = 42;

		assert_int_equal(
		    span_u64(str(rows[i].text), rows[i].max, &value), rows[i].ok);
		assert_true(value == (rows[i].ok ? rows[i].value : 42));
	}
}

static void
letters_are_ascii_letters_only(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		bool upper = c >= 65 && c <= 90;
		bool lower = c >= 97 && c <= 122;
		bool digit = c >= 48 && c <= 57;

		assert_int_equal((uint8_t)ascii_lower((char)c), upper ? c + 32 : c);
		assert_int_equal((uint8_t)ascii_upper((char)c), lower ? c - 32 : c);
		assert_int_equal(ascii_is_digit((char)c), digit);
		assert_int_equal(ascii_is_alpha((char)c), upper || lower);
		assert_int_equal(ascii_is_alnum((char)c), upper || lower || digit);
	}
}

static void
a_phrase_is_found_with_what_is_behind_it(void **state)
{
	struct span behind = SPAN("untouched");

	(void)state;
	assert_true(span_seek(SPAN("to=<a>, to=<b>"), SPAN("to=<"), &behind));
	assert_true(span_eq(behind, SPAN("a>, to=<b>")));
	assert_true(span_seek(SPAN("x\0y"), SPAN("\0y"), &behind));
	assert_int_equal(behind.len, 0);
	behind = SPAN("untouched");
	assert_false(span_seek(SPAN("to=a"), SPAN("to=<"), &behind));
	assert_false(span_seek(SPAN(""), SPAN("x"), &behind));
	assert_false(span_seek((struct span){NULL, 0}, SPAN("x"), &behind));
	assert_false(span_seek(SPAN("x"), SPAN("xx"), &behind));
	assert_true(span_eq(behind, SPAN("untouched")));
}

static void
one_high_byte_anywhere_is_not_ascii(void **state)
{
	char text[20];

	(void)state;
	assert_true(span_is_ascii((struct span){NULL, 0}));
	for (size_t len = 1; len <= sizeof(text); len++) {
		memset(text, 0x7f, sizeof(text));
		assert_true(span_is_ascii(span_of(text, len)));
		for (size_t at = 0; at < len; at++) {
			text[at] = (char)0x80;
			assert_false(span_is_ascii(span_of(text, len)));
			assert_true(span_is_ascii(span_of(text, at)));
			text[at] = 0;
		}
	}
}

static void
hexadecimal_digits_have_their_values(void **state)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int sum = 0;

	(void)state;
	for (int i = 0; digits[i]; i++)
		assert_int_equal(ascii_hex_value(digits[i]), i % 16);
	for (int c = -128; c < 128; c++)
		sum += ascii_hex_value((char)c) >= 0;
	assert_int_equal(sum, 22);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(equal_spans_have_the_same_bytes),
	    cmocka_unit_test(starts_and_ends_are_found),
	    cmocka_unit_test(a_byte_is_found_or_the_length_is_given),
	    cmocka_unit_test(skipping_and_cutting_short_stay_inside),
	    cmocka_unit_test(trimming_takes_blanks_at_both_ends),
	    cmocka_unit_test(cutting_gives_the_parts_in_order),
	    cmocka_unit_test(order_is_by_byte_then_by_length),
	    cmocka_unit_test(numbers_are_digits_up_to_a_maximum),
	    cmocka_unit_test(letters_are_ascii_letters_only),
	    cmocka_unit_test(a_phrase_is_found_with_what_is_behind_it),
	    cmocka_unit_test(one_high_byte_anywhere_is_not_ascii),
	    cmocka_unit_test(hexadecimal_digits_have_their_values),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
