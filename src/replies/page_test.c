/* The same page in three formats; what a peer said is text in each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "replies/page.h"

static void
fill(struct page *page)
{
	page_begin(page, SPAN("a<b"));
	page->tone = PAGE_BAD;
	page_title(page, SPAN("550 <b>&\"x\""));
	page_text(page, SPAN("one *two*\n\n# three\033[2J"));
	page_gap(page);
	page_text(page, SPAN("four"));
	page_word_heading(page, WORD_SEE);
	page_row(page, SPAN("5.1.1"), 6, SPAN("[a](b)"));
	page_row(page, SPAN("k_k"), 6, SPAN("<i>"));
	page_lines(page, SPAN("C: A <b>\nS: 250 *ok*"));
	page_end(page);
}

static const struct {
	enum page_format format;
	bool bold;
	const char *text;
} formats[] = {
    {PAGE_TEXT, false,
	"550 <b>&\"x\"\n"
	"  one *two*\n\n  # three?[2J\n\n  four\n"
	"\nRead next\n"
	"  5.1.1   [a](b)\n"
	"  k_k     <i>\n"
	"    C: A <b>\n    S: 250 *ok*\n"},
    {PAGE_TEXT, true,
	"\033[1;31m550 <b>&\"x\"\n\033[0m"
	"  one *two*\n\n  # three?[2J\n\n  four\n"
	"\n\033[1mRead next\033[0m\n"
	"  5.1.1   [a](b)\n"
	"  k_k     <i>\n"
	"    C: A <b>\n    S: 250 *ok*\n"},
    {PAGE_MARKDOWN, false,
	"# 550 \\<b\\>\\&\"x\"\n"
	"\none \\*two\\*\n\n\\# three?\\[2J\n\nfour\n"
	"\n## Read next\n"
	"\n- **5.1.1**: \\[a\\](b)\n"
	"- **k\\_k**: \\<i\\>\n"
	"\n    C: A <b>\n    S: 250 *ok*\n"},
    {PAGE_HTML, false,
	"<!DOCTYPE html>\n<html lang=\"en\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>a&lt;b</title>\n"
	"</head>\n<body>\n"
	"<h1>550 &lt;b&gt;&amp;&quot;x&quot;</h1>\n"
	"<p>one *two*</p>\n<p># three?[2J</p>\n<p>four</p>\n"
	"<h2>Read next</h2>\n"
	"<dl>\n<dt>5.1.1</dt><dd>[a](b)</dd>\n"
	"<dt>k_k</dt><dd>&lt;i&gt;</dd>\n</dl>\n"
	"<pre dir=\"ltr\">C: A &lt;b&gt;\nS: 250 *ok*\n</pre>\n"
	"</body>\n</html>\n"},
};

static void
test_formats(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < LEN(formats); i++) {
		struct page page = {.out = &out,
		    .width = PAGE_WIDTH,
		    .bold = formats[i].bold,
		    .format = formats[i].format};

		buf_reset(&out);
		fill(&page);
		buf_add_char(&out, 0);
		assert_string_equal(out.ptr, formats[i].text);
	}
	buf_fini(&out);
}

static void
test_rows_are_closed_at_the_end(void **state)
{
	struct buf out;
	struct page page = {.out = &out, .format = PAGE_HTML};

	(void)state;
	buf_init(&out, 1 << 16);
	page_row(&page, SPAN("a"), 6, SPAN("b"));
	page_end(&page);
	buf_add_char(&out, 0);
	assert_string_equal(out.ptr, "<dl>\n<dt>a</dt><dd>b</dd>\n</dl>\n</body>\n</html>\n");
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_formats),
	    cmocka_unit_test(test_rows_are_closed_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
