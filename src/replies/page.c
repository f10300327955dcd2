/*
 * Wrapping and headings.  A column is a character of UTF-8; the catalogue has
 * no wide ones.
 */
#include "replies/page.h"

#include "base/check.h"
#include "replies/reply.h"

static size_t
columns(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return count;
}

static void
add_blanks(struct buf *out, size_t count)
{
	while (count-- > 0)
		buf_add_char(out, ' ');
}

static size_t
width_of(const struct page *page)
{
	if (page->width < PAGE_WIDTH_MIN)
		return PAGE_WIDTH_MIN;
	return page->width > PAGE_WIDTH_MAX ? PAGE_WIDTH_MAX : page->width;
}

/* Adds words, the first at column at, further lines indented; a word is never cut. */
static void
wrap(struct page *page, struct span text, size_t at, size_t indent)
{
	bool first = true;
	struct span word;

	while (span_cut(&text, ' ', &word)) {
		size_t width = columns(word);

		if (word.len == 0)
			continue;
		if (!first && at + 1 + width > width_of(page)) {
			buf_add_char(page->out, '\n');
			add_blanks(page->out, indent);
			at = indent;
		} else if (!first) {
			buf_add_char(page->out, ' ');
			at++;
		}
		reply_clean(page->out, word);
		at += width;
		first = false;
	}
	buf_add_char(page->out, '\n');
}

void
page_title(struct page *page, struct span text)
{
	buf_add_str(page->out, page->bold ? "\033[1m" : "");
	wrap(page, text, 0, 2);
	buf_add_str(page->out, page->bold ? "\033[0m" : "");
}

void
page_heading(struct page *page, const char *text)
{
	buf_addf(page->out, page->bold ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

void
page_text(struct page *page, struct span text)
{
	while (text.len) {
		const char *gap = memmem(text.ptr, text.len, "\n\n", 2);
		size_t bytes = gap ? (size_t)(gap - text.ptr) : text.len;

		add_blanks(page->out, 2);
		wrap(page, span_first(text, bytes), 2, 2);
		if (gap)
			buf_add_char(page->out, '\n');
		text = span_skip(text, gap ? bytes + 2 : bytes);
	}
}

void
page_lines(struct page *page, struct span text)
{
	struct span line;

	while (text.len && span_cut(&text, '\n', &line)) {
		add_blanks(page->out, 4);
		wrap(page, line, 4, 7);
	}
}

void
page_row(struct page *page, struct span key, size_t key_width, struct span text)
{
	size_t width = columns(key);

	check(key_width < PAGE_WIDTH_MIN);
	add_blanks(page->out, 2);
	reply_clean(page->out, key);
	add_blanks(page->out, width < key_width ? key_width - width : 0);
	add_blanks(page->out, 2);
	wrap(page, text, 4 + (width < key_width ? key_width : width), 4 + key_width);
}
