/* The same page in Markdown and HTML: page_markup.c, for page.c and nobody else. */
#pragma once

#include "replies/page.h"

void page_markup_title(struct page *page, struct span text);
void page_markup_heading(struct page *page, struct span text);
void page_markup_text(struct page *page, struct span paragraph);
void page_markup_lines(struct page *page, struct span text);
void page_markup_row(struct page *page, struct span key, struct span text);
