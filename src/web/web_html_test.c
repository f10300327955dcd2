/* Whatever is put in comes out as text: no mark-up, no broken characters, no addresses made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "web/web_html.h"

#define BAD "\xEF\xBF\xBD"

struct row {
	struct span text;
	const char *wanted;
};

#define ROW(text, wanted) {{text, sizeof(text) - 1}, wanted}

static const struct row texts[] = {
    ROW("plain 550 5.1.1", "plain 550 5.1.1"),
    ROW("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ROW("a & b \"c\" 'd'", "a &amp; b &quot;c&quot; &#39;d&#39;"),
    ROW("&amp;", "&amp;amp;"),
    ROW("a\0b\x01\x1b[31m\x7f", "a" BAD "b" BAD BAD "[31m" BAD),
    ROW("line\nend\ttab", "line\nend\ttab"),
    ROW("\r", BAD),
    ROW("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"),
    ROW("\xff\xc0\xaf\xe0\x80\xaf", BAD BAD BAD BAD BAD BAD), /* too long for what they say */
    ROW("\xed\xa0\x80", BAD BAD BAD),                        /* half of a pair */
    ROW("\xf4\x90\x80\x80", BAD BAD BAD BAD),                /* past the last */
    ROW("\xe4\xb8<", BAD BAD "&lt;"), /* cut off: what follows is still escaped */
    ROW("\xc3", BAD),
    ROW("\xe2\x80\xae" "abc\xe2\x81\xa6", BAD "abc" BAD), /* turns the direction */
    ROW("\xc2\x85\xef\xbf\xbf\xef\xb7\x90", BAD BAD BAD),
};

static void
test_text_is_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		struct buf out;

		buf_init(&out, 1024);
		web_text(&out, texts[i].text);
		buf_add_char(&out, '\0');
		assert_int_equal(buf_finish(&out), OK);
		assert_string_equal(out.ptr, texts[i].wanted);
		buf_fini(&out);
	}
}

static const struct row scripts[] = {
    ROW("plain", "\"plain\""),
    ROW("</script>", "\"\\u003c/script\\u003e\""),
    ROW("a\"b\\c\n", "\"a\\u0022b\\u005cc\\u000a\""),
    ROW("\xe2\x80\xa8", "\"\\u2028\""),
    ROW("\xff", "\"" BAD "\""),
};

static void
test_strings_of_scripts_stay_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(scripts); i++) {
		struct buf out;

		buf_init(&out, 1024);
		web_json(&out, scripts[i].text);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, scripts[i].wanted);
		buf_fini(&out);
	}
}

static const struct row parts[] = {
    ROW("STARTTLS", "STARTTLS"),
    ROW("dkim=fail", "dkim=fail"),
    ROW("a/b?c#d e%\"", "a%2Fb%3Fc%23d%20e%25%22"),
    ROW("\xc3\xa9", "%C3%A9"),
    ROW("a\0b", "a%00b"),
};

static void
test_parts_of_paths_come_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(parts); i++) {
		struct buf out, back;

		buf_init(&out, 1024);
		buf_init(&back, 1024);
		web_path_part(&out, parts[i].text);
		assert_true(web_decode(&back, buf_span(&out), false));
		assert_true(span_eq(buf_span(&back), parts[i].text));
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, parts[i].wanted);
		buf_fini(&out);
		buf_fini(&back);
	}
}

static void
test_what_is_not_encoded_is_refused(void **state)
{
	static const char *const wrong[] = {"%", "%4", "%zz", "a%2", "%%41"};
	struct buf out;

	(void)state;
	buf_init(&out, 4);
	for (size_t i = 0; i < LEN(wrong); i++) {
		buf_reset(&out);
		assert_false(web_decode(&out, span_str(wrong[i]), false));
	}
	buf_reset(&out);
	assert_false(web_decode(&out, SPAN("12345"), false));
	buf_reset(&out);
	assert_true(web_decode(&out, SPAN("a+%2B"), true));
	assert_true(span_eq(buf_span(&out), SPAN("a +")));
	buf_fini(&out);
}

static const struct row standards[] = {
    ROW("RFC 1870",
	"<a href=\"https://www.rfc-editor.org/rfc/rfc1870\" rel=\"external\">RFC&nbsp;1870</a>"),
    ROW("RFC 5321 section 3.5.3; x",
	"<a href=\"https://www.rfc-editor.org/rfc/rfc5321#section-3.5.3\" rel=\"external\">"
	"RFC&nbsp;5321 section&nbsp;3.5.3</a>; x"),
    ROW("RFC 5321 sections 1 and 2",
	"<a href=\"https://www.rfc-editor.org/rfc/rfc5321\" rel=\"external\">RFC&nbsp;5321</a>"
	" sections 1 and 2"),
    ROW("RFC <b> RFC ", "RFC &lt;b&gt; RFC "),
    ROW("none", "none"),
};

static void
test_standards_are_linked(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(standards); i++) {
		struct buf out;

		buf_init(&out, 1024);
		web_standards(&out, standards[i].text);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, standards[i].wanted);
		buf_fini(&out);
	}
}

static void
test_paragraphs(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	web_paragraphs(&out, SPAN("a<\n\nb"), "lead", false);
	assert_true(span_eq(
	    buf_span(&out), SPAN("<p class=\"lead\">a&lt;</p>\n<p>b</p>\n")));
	buf_fini(&out);
}

static const struct row mixed[] = {
    ROW("\xd8\xa7 (550 5.7.x)", "\xd8\xa7 (<bdi dir=\"ltr\">550 5.7.x</bdi>)"),
    ROW("\xd8\xa7 SPF. \xd8\xa7", "\xd8\xa7 SPF. \xd8\xa7"),
    ROW("RFC 5321, <5>.", "<bdi dir=\"ltr\">RFC 5321</bdi>, &lt;<bdi dir=\"ltr\">5</bdi>&gt;."),
    ROW("\xd8\xa7", "\xd8\xa7"),
};

static void
test_codes_stay_whole_from_right_to_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(mixed); i++) {
		struct buf out;

		buf_init(&out, 1024);
		web_text_rtl(&out, mixed[i].text);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, mixed[i].wanted);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_is_escaped),
	    cmocka_unit_test(test_strings_of_scripts_stay_strings),
	    cmocka_unit_test(test_parts_of_paths_come_back),
	    cmocka_unit_test(test_what_is_not_encoded_is_refused),
	    cmocka_unit_test(test_standards_are_linked),
	    cmocka_unit_test(test_paragraphs),
	    cmocka_unit_test(test_codes_stay_whole_from_right_to_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
