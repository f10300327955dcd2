/*
 * Text for people at a terminal: headings, wrapped paragraphs, lists.  Nothing
 * is printed: a page is a buffer.  Characters that are wide there, as those of Chinese, take two
 * columns and may part lines; marks that stand on others take none.
 */
#pragma once

#include "replies/language.h"

enum { PAGE_WIDTH = 80, PAGE_WIDTH_MIN = 24, PAGE_WIDTH_MAX = 100 };

struct page {
	struct buf *out;
	size_t width; /* columns; what is out of range is brought into it */
	bool bold; /* headings in bold, by an escape sequence */
	const struct language *language; /* of the headings; NULL is English */
};

/* A line that names what follows; text may come from a peer. */
void page_title(struct page *page, struct span text);
/* An empty line and a heading; of a word in the page's language. */
void page_word_heading(struct page *page, enum word word);
void page_heading(struct page *page, const char *text);
/* Wrapped paragraphs, two columns in; "\n\n" in text parts them.  Nothing where text is empty. */
void page_text(struct page *page, struct span text);
/* Lines four columns in, what does not fit wrapped further in; "\n" in text parts them. */
void page_lines(struct page *page, struct span text);
/* One row of a list: a key in its column, then wrapped text. */
void page_row(struct page *page, struct span key, size_t key_width, struct span text);
