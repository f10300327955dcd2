/*
 * Text for people: headings, wrapped paragraphs, lists; at a terminal, or as Markdown or HTML.
 * Nothing is printed: a page is a buffer.  Whatever a text holds, it stays text.  Characters that
 * are wide at a terminal, as those of Chinese, take two columns and may part lines; marks that
 * stand on others take none.
 */
#pragma once

#include "replies/language.h"

enum { PAGE_WIDTH = 80, PAGE_WIDTH_MIN = 24, PAGE_WIDTH_MAX = 100 };

enum page_format { PAGE_TEXT, PAGE_MARKDOWN, PAGE_HTML };
/* How a title is meant: green, yellow or red where headings are bold. */
enum page_tone { PAGE_PLAIN, PAGE_GOOD, PAGE_WAIT, PAGE_BAD };

struct page {
	struct buf *out;
	size_t width; /* of text: columns; what is out of range is brought into it */
	bool bold; /* of text: headings in bold, by an escape sequence */
	const struct language *language; /* of the headings; NULL is English */
	enum page_format format;
	enum page_tone tone; /* of the next title */
	bool in_rows; /* of HTML: a list of rows is open */
};

/* What stands before and behind all the rest; nothing in text. */
void page_begin(struct page *page, struct span title);
void page_end(struct page *page);

/* A line that names what follows; text may come from a peer. */
void page_title(struct page *page, struct span text);
/* A heading, behind an empty line unless it is the first; of a word in the page's language. */
void page_word_heading(struct page *page, enum word word);
void page_heading(struct page *page, const char *text);
/* An empty line between paragraphs that were added one by one. */
void page_gap(struct page *page);
/* Wrapped paragraphs, two columns in; "\n\n" in text parts them.  Nothing where text is empty. */
void page_text(struct page *page, struct span text);
/* One paragraph, from the first column on. */
void page_paragraph(struct page *page, struct span text);
/* Lines four columns in, what does not fit wrapped further in; "\n" in text parts them. */
void page_lines(struct page *page, struct span text);
/* One row of a list: a key in its column, then wrapped text. */
void page_row(struct page *page, struct span key, size_t key_width, struct span text);
