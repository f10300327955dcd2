/*
 * Wrapping and headings.  A line may end at a blank, and beside a wide character, but not before
 * a mark that ends something, nor behind one that opens something.
 */
#include "replies/page_internal.h"

#include "base/check.h"
#include "replies/reply.h"

struct range {
	uint32_t first, last;
};

/* Two columns at a terminal: East Asian scripts and their punctuation. */
static const struct range wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf},
    {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
    {0x20000, 0x3fffd}};
/* None: accents, Arabic and Devanagari signs that stand on another, joiners. */
static const struct range narrow[] = {{0x300, 0x36f}, {0x610, 0x61a}, {0x64b, 0x65f},
    {0x670, 0x670}, {0x900, 0x902}, {0x93a, 0x93a}, {0x93c, 0x93c}, {0x941, 0x948},
    {0x94d, 0x94d}, {0x951, 0x957}, {0x962, 0x963}, {0x200b, 0x200f}};
/* ã and the like: no line begins with the first, or ends with the second. */
static const uint32_t ends[] = {0x3001, 0x3002, 0xff0c, 0xff0e, 0xff1a, 0xff1b, 0xff1f, 0xff01,
    0xff09, 0x300d, 0x300f, 0x3011, 0x300b, 0x30fc, 0x3063, 0x3083, 0x3085, 0x3087, 0x30c3,
    0x30e3, 0x30e5, 0x30e7};
static const uint32_t opens[] = {0xff08, 0x300c, 0x300e, 0x3010, 0x300a};

static bool
in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static bool
is_one_of(uint32_t c, const uint32_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == c)
			return true;
	return false;
}

/* The first character of a text that is not empty, and its bytes; what is no UTF-8 is one byte. */
static size_t
first_character(struct span text, uint32_t *c)
{
	unsigned char lead = (unsigned char)text.ptr[0];
	size_t bytes = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	*c = bytes == 1 ? lead : lead & (0xffu >> (bytes + 1));
	for (size_t i = 1; i < bytes; i++) {
		if (i >= text.len || ((unsigned char)text.ptr[i] & 0xc0) != 0x80)
			return 1;
		*c = *c << 6 | ((unsigned char)text.ptr[i] & 0x3f);
	}
	return bytes;
}

static size_t
width_of_character(uint32_t c)
{
	if (c < 0x300)
		return 1;
	if (in_ranges(c, narrow, LEN(narrow)))
		return 0;
	return in_ranges(c, wide, LEN(wide)) ? 2 : 1;
}

static size_t
columns(struct span text)
{
	size_t count = 0;
	uint32_t c;

	while (text.len) {
		text = span_skip(text, first_character(text, &c));
		count += width_of_character(c);
	}
	return count;
}

static bool
may_part(uint32_t before, uint32_t after)
{
	if (is_one_of(after, ends, LEN(ends)) || is_one_of(before, opens, LEN(opens)))
		return false;
	return width_of_character(before) == 2 || width_of_character(after) == 2;
}

/* Cuts off what must stay in one line: a word, or a part of one that has wide characters. */
static struct span
cut_piece(struct span *text)
{
	struct span piece = {text->ptr, 0};
	uint32_t before = 0, c;

	while (text->len && text->ptr[0] != ' ') {
		size_t bytes = first_character(*text, &c);

		if (piece.len && may_part(before, c))
			break;
		piece.len += bytes;
		*text = span_skip(*text, bytes);
		before = c;
	}
	return piece;
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

/* Adds words, the first at column at, further lines indented; a piece is never cut. */
static void
wrap(struct page *page, struct span text, size_t at, size_t indent)
{
	bool first = true;

	for (;;) {
		bool blank = false;
		struct span piece;
		size_t width;

		while (text.len && text.ptr[0] == ' ') {
			text = span_skip(text, 1);
			blank = !first;
		}
		if (text.len == 0)
			break;
		piece = cut_piece(&text);
		width = columns(piece);
		if (!first && at + blank + width > width_of(page)) {
			buf_add_char(page->out, '\n');
			add_blanks(page->out, indent);
			at = indent;
		} else if (blank) {
			buf_add_char(page->out, ' ');
			at++;
		}
		reply_clean(page->out, piece);
		at += width;
		first = false;
	}
	buf_add_char(page->out, '\n');
}

void
page_title(struct page *page, struct span text)
{
	static const char *const colors[] = {[PAGE_PLAIN] = "\033[1m",
	    [PAGE_GOOD] = "\033[1;32m",
	    [PAGE_WAIT] = "\033[1;33m",
	    [PAGE_BAD] = "\033[1;31m"};

	if (page->format != PAGE_TEXT) {
		page_markup_title(page, text);
		return;
	}
	buf_add_str(page->out, page->bold ? colors[page->tone] : "");
	wrap(page, text, 0, 2);
	buf_add_str(page->out, page->bold ? "\033[0m" : "");
	page->tone = PAGE_PLAIN;
}

void
page_heading(struct page *page, const char *text)
{
	if (page->format != PAGE_TEXT)
		page_markup_heading(page, span_str(text));
	else
		buf_addf(page->out, page->bold ? "%s\033[1m%s\033[0m\n" : "%s%s\n",
		    page->out->len ? "\n" : "", text);
}

void
page_word_heading(struct page *page, enum word word)
{
	page_heading(page, word_text(page->language, word));
}

void
page_gap(struct page *page)
{
	if (page->format == PAGE_TEXT)
		buf_add_char(page->out, '\n');
}

void
page_text(struct page *page, struct span text)
{
	while (text.len) {
		const char *gap = memmem(text.ptr, text.len, "\n\n", 2);
		size_t bytes = gap ? (size_t)(gap - text.ptr) : text.len;

		if (page->format != PAGE_TEXT) {
			page_markup_text(page, span_first(text, bytes));
			text = span_skip(text, gap ? bytes + 2 : bytes);
			continue;
		}
		add_blanks(page->out, 2);
		wrap(page, span_first(text, bytes), 2, 2);
		if (gap)
			buf_add_char(page->out, '\n');
		text = span_skip(text, gap ? bytes + 2 : bytes);
	}
}

void
page_paragraph(struct page *page, struct span text)
{
	if (page->format != PAGE_TEXT)
		page_markup_text(page, text);
	else
		wrap(page, text, 0, 0);
}

void
page_lines(struct page *page, struct span text)
{
	struct span line;

	if (page->format != PAGE_TEXT) {
		page_markup_lines(page, text);
		return;
	}
	while (text.len && span_cut(&text, '\n', &line)) {
		add_blanks(page->out, 4);
		wrap(page, line, 4, 7);
	}
}

void
page_row(struct page *page, struct span key, size_t key_width, struct span text)
{
	size_t width = columns(key);

	if (page->format != PAGE_TEXT) {
		page_markup_row(page, key, text);
		return;
	}
	check(key_width < PAGE_WIDTH_MIN);
	add_blanks(page->out, 2);
	reply_clean(page->out, key);
	add_blanks(page->out, width < key_width ? key_width - width : 0);
	add_blanks(page->out, 2);
	wrap(page, text, 4 + (width < key_width ? key_width : width), 4 + key_width);
}
