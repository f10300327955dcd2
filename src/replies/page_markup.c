/*
 * Pages in Markdown and HTML.  What would be markup in a text is escaped, so that nothing that a
 * peer said can become a tag, a link or a heading.
 */
#include "replies/page_internal.h"

#include "base/check.h"
#include "replies/reply.h"

enum { CLEAN_BYTES_MAX = 1 << 18 };

static void
add_html(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '&')
			buf_add_str(out, "&amp;");
		else if (c == '<')
			buf_add_str(out, "&lt;");
		else if (c == '>')
			buf_add_str(out, "&gt;");
		else if (c == '"')
			buf_add_str(out, "&quot;");
		else
			buf_add_char(out, c);
	}
}

/* A backslash before what Markdown may take for its own, and before what begins a list. */
static void
add_markdown(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool begins = i == 0 && (c == '-' || c == '+' || c == '#' || c == '=');

		if (begins || strchr("\\`*_[]<>&|~", c))
			buf_add_char(out, '\\');
		buf_add_char(out, c);
	}
}

/* Text that somebody else may have said: no controls, and no markup. */
static void
add(struct page *page, struct span text)
{
	struct buf clean;

	buf_init(&clean, CLEAN_BYTES_MAX);
	reply_clean(&clean, text);
	if (page->format == PAGE_HTML)
		add_html(page->out, buf_span(&clean));
	else
		add_markdown(page->out, buf_span(&clean));
	buf_fini(&clean);
}

static void
end_rows(struct page *page)
{
	if (page->in_rows && page->format == PAGE_HTML)
		buf_add_str(page->out, "</dl>\n");
	page->in_rows = false;
}

/* Something new begins, behind an empty line in Markdown. */
static void
begin(struct page *page)
{
	end_rows(page);
	if (page->format == PAGE_MARKDOWN && page->out->len)
		buf_add_char(page->out, '\n');
}

static void
add_block(struct page *page, const char *markdown, const char *tag, struct span text)
{
	begin(page);
	if (page->format == PAGE_HTML)
		buf_addf(page->out, "<%s>", tag);
	else
		buf_add_str(page->out, markdown);
	add(page, text);
	if (page->format == PAGE_HTML)
		buf_addf(page->out, "</%s>", tag);
	buf_add_char(page->out, '\n');
}

void
page_begin(struct page *page, struct span title)
{
	if (page->format != PAGE_HTML)
		return;
	buf_addf(page->out,
	    "<!DOCTYPE html>\n<html lang=\"%s\" dir=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
	    language_tag(page->language),
	    language_is_right_to_left(page->language) ? "rtl" : "ltr");
	add(page, title);
	buf_add_str(page->out, "</title>\n</head>\n<body>\n");
}

void
page_end(struct page *page)
{
	end_rows(page);
	if (page->format == PAGE_HTML)
		buf_add_str(page->out, "</body>\n</html>\n");
}

void
page_markup_title(struct page *page, struct span text)
{
	add_block(page, "# ", "h1", text);
}

void
page_markup_heading(struct page *page, struct span text)
{
	add_block(page, "## ", "h2", text);
}

void
page_markup_text(struct page *page, struct span paragraph)
{
	add_block(page, "", "p", paragraph);
}

/* Indented in Markdown, where nothing is markup then. */
void
page_markup_lines(struct page *page, struct span text)
{
	struct span line;

	begin(page);
	buf_add_str(page->out, page->format == PAGE_HTML ? "<pre dir=\"ltr\">" : "");
	while (text.len && span_cut(&text, '\n', &line)) {
		if (page->format == PAGE_HTML) {
			add(page, line);
		} else {
			buf_add_str(page->out, "    ");
			reply_clean(page->out, line);
		}
		buf_add_char(page->out, '\n');
	}
	buf_add_str(page->out, page->format == PAGE_HTML ? "</pre>\n" : "");
}

void
page_markup_row(struct page *page, struct span key, struct span text)
{
	bool html = page->format == PAGE_HTML;

	if (!page->in_rows) {
		begin(page);
		buf_add_str(page->out, html ? "<dl>\n" : "");
		page->in_rows = true;
	}
	buf_add_str(page->out, html ? "<dt>" : "- **");
	add(page, key);
	buf_add_str(page->out, html ? "</dt><dd>" : "**: ");
	add(page, text);
	buf_add_str(page->out, html ? "</dd>\n" : "\n");
}
