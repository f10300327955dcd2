/* Base64: the vectors of RFC 4648, and each way to be wrong. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static void
right_forms_go_both_ways(void **state)
{
	static const struct {
		struct span bytes, text;
	} rows[] = {
	    {SPAN(""), SPAN("")},
	    {SPAN("f"), SPAN("Zg==")},
	    {SPAN("fo"), SPAN("Zm8=")},
	    {SPAN("foo"), SPAN("Zm9v")},
	    {SPAN("foob"), SPAN("Zm9vYg==")},
	    {SPAN("fooba"), SPAN("Zm9vYmE=")},
	    {SPAN("foobar"), SPAN("Zm9vYmFy")},
	    {SPAN("\0user\0pass"), SPAN("AHVzZXIAcGFzcw==")},
	    {SPAN("\xff\xef\xbe\xfb\xff"), SPAN("/++++/8=")},
	    {SPAN("\0\0\0"), SPAN("AAAA")},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	for (size_t i = 0; i < LEN(rows); i++) {
		buf_reset(&out);
		base64_encode(&out, rows[i].bytes);
		assert_true(span_eq(buf_span(&out), rows[i].text));
		buf_reset(&out);
		assert_int_equal(base64_decode(&out, rows[i].text), OK);
		assert_true(span_eq(buf_span(&out), rows[i].bytes));
	}
	buf_fini(&out);
}

static void
every_byte_survives(void **state)
{
	char bytes[256];
	struct buf text, back;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	buf_init(&text, 1024);
	buf_init(&back, 1024);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		buf_reset(&text);
		buf_reset(&back);
		base64_encode(&text, span_of(bytes, len));
		assert_int_equal(text.len, (len + 2) / 3 * 4);
		assert_int_equal(base64_decode(&back, buf_span(&text)), OK);
		assert_true(span_eq(buf_span(&back), span_of(bytes, len)));
	}
	buf_fini(&text);
	buf_fini(&back);
}

static void
wrong_forms_are_refused(void **state)
{
	static const struct span rows[] = {SPAN("Z"), SPAN("Zg"), SPAN("Zg="),
	    SPAN("Zg==="), SPAN("Zg==Zg=="), SPAN("===="), SPAN("Z==="), SPAN("=Zg="),
	    SPAN("Zm=v"), SPAN("Zm9v\r\n"), SPAN(" Zm9"), SPAN("Zm 9"), SPAN("Zm9\0"),
	    SPAN("Zm9-"), SPAN("Zm9_"), SPAN("Zm9\xff"), SPAN("Zh=="), SPAN("Zm9="),
	    SPAN("*"), SPAN("Zm9vZg")};
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	for (size_t i = 0; i < LEN(rows); i++) {
		buf_reset(&out);
		assert_int_equal(base64_decode(&out, rows[i]), ERR_SYNTAX);
	}
	buf_fini(&out);
}

static void
a_lack_of_room_is_told(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 5);
	assert_int_equal(base64_decode(&out, SPAN("Zm9vYmFy")), ERR_TOO_LONG);
	buf_reset(&out);
	assert_int_equal(base64_decode(&out, SPAN("Zm9vYmE=")), OK);
	buf_fini(&out);
}

static void
base64url_is_strict(void **state)
{
	static const struct {
		const char *text, *bytes;
	} rows[] = {{"", ""}, {"Zg", "f"}, {"Zm8", "fo"}, {"Zm9v", "foo"}, {"-_8", "\xfb\xff"},
	    {"Zh", NULL}, {"Zm9", NULL}, {"Z", NULL}, {"Zg==", NULL}, {"+/8", NULL},
	    {"Zm9v\n", NULL}, {" Zg", NULL}};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf out;
		bool good;

		buf_init(&out, 100);
		good = base64url_decode(&out, span_str(rows[i].text)) == OK;
		print_message("  \"%s\"\n", rows[i].text);
		assert_int_equal(good, rows[i].bytes != NULL);
		if (good)
			assert_true(span_eq(buf_span(&out), span_str(rows[i].bytes)));
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(right_forms_go_both_ways),
	    cmocka_unit_test(every_byte_survives),
	    cmocka_unit_test(wrong_forms_are_refused),
	    cmocka_unit_test(a_lack_of_room_is_told),
	    cmocka_unit_test(base64url_is_strict),
	};

	return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
