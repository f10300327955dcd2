/*
 * "Paste a bounce": a form, and what the text that was pasted tells (web_story.c); where it is no
 * bounce, reply or line of a log, what is known of the replies in it.  The text
 * comes from anybody; of what it holds only a bounded part is looked at and shown.
 */
#include "web/web_internal.h"

enum {
	REPLIES_MAX = 8,
	LINES_MAX = 20000,
	LINE_BYTES_MAX = 2000,
	SHOWN_BYTES_MAX = 500,
	FORM_SHOWN_BYTES_MAX = 32 << 10,
};

struct finding {
	struct span line;
	struct explain_code basic, status;
};

struct findings {
	struct finding at[REPLIES_MAX];
	size_t count;
};

/* The reply in a line, as explain_parse() finds it; numbers that only look like one are none. */
static bool
take_line(struct span line, struct finding *finding)
{
	struct explain explain;

	if (explain_parse(line, &explain) != OK ||
	    (!explain.basic.entry && !*explain.status.name))
		return false;
	*finding = (struct finding){line, explain.basic, explain.status};
	return true;
}

static bool
is_known(const struct findings *findings, const struct finding *finding)
{
	for (size_t i = 0; i < findings->count; i++)
		if (strcmp(findings->at[i].basic.name, finding->basic.name) == 0 &&
		    strcmp(findings->at[i].status.name, finding->status.name) == 0)
			return true;
	return false;
}

static void
find_all(struct span text, struct findings *findings)
{
	struct span line;

	for (size_t i = 0; i < LINES_MAX && text.len && findings->count < REPLIES_MAX; i++) {
		struct finding finding;

		if (!span_cut(&text, '\n', &line))
			break;
		if (take_line(span_first(span_trim(line), LINE_BYTES_MAX), &finding) &&
		    !is_known(findings, &finding))
			findings->at[findings->count++] = finding;
	}
}

static void
write_code(struct web_page *page, const struct explain_code *code)
{
	const struct catalogue_entry *entry = code->entry;
	const struct web_target target = {.kind = WEB_CODE, .a = *code};

	if (!*code->name || (!entry && !code->class))
		return;
	buf_addf(page->out, "<h3 class=\"%s\">", web_tone(code->name[0]));
	web_link(page, &target);
	web_code(page, span_str(code->name));
	WEB_RAW(page, " <span>");
	web_said(page, entry ? entry->name : code->class->name);
	WEB_RAW(page, "</span></a></h3>\n");
	web_paragraphs(page->out,
	    span_str(language_text(
		page->language, entry ? entry->meaning : code->class->meaning)),
	    NULL,
	    language_is_right_to_left(page->language));
	WEB_RAW(page, "<p><strong>");
	web_label(page, WORD_SENDER);
	WEB_RAW(page, "</strong>: ");
	web_said(page, entry ? entry->sender : code->class->fix);
	WEB_RAW(page, "</p>\n");
}

static void
write_finding(struct web_page *page, const struct finding *finding)
{
	WEB_RAW(page, "<section>\n<blockquote dir=\"auto\"><p>");
	web_text(page->out, span_first(finding->line, SHOWN_BYTES_MAX));
	WEB_RAW(page, "</p></blockquote>\n");
	/* The enhanced code says more, and comes first. */
	write_code(page, &finding->status);
	write_code(page, &finding->basic);
	WEB_RAW(page, "</section>\n");
}

static void
write_answer(struct web_page *page)
{
	struct findings findings = {0};

	WEB_RAW(page, "<article id=\"answer\">\n");
	if (web_story_write(page, page->question)) {
		WEB_RAW(page, "</article>\n");
		return;
	}
	find_all(page->question, &findings);
	for (size_t i = 0; i < findings.count; i++)
		write_finding(page, &findings.at[i]);
	if (findings.count == 0) {
		WEB_RAW(page, "<p class=\"note\" role=\"status\">");
		web_word(page, WORD_WEB_PASTE_NOTHING);
		WEB_RAW(page, "</p>\n");
	}
	WEB_RAW(page, "</article>\n");
}

void
web_paste_write(struct web_page *page)
{
	web_page_begin(page, span_str(word_text(page->language, WORD_WEB_PASTE)),
	    span_str(word_text(page->language, WORD_WEB_PASTE_LEAD)));
	WEB_RAW(page, "<h1>");
	web_word(page, WORD_WEB_PASTE);
	WEB_RAW(page, "</h1>\n");
	if (span_trim(page->question).len > 0)
		write_answer(page);
	WEB_RAW(page, "<p class=\"lead\">");
	web_word(page, WORD_WEB_PASTE_LEAD);
	WEB_RAW(page, "</p>\n<form class=\"paste\" method=\"post\" action=\"");
	web_address(page, &page->target);
	WEB_RAW(page, "\"><p><label for=\"text\">");
	web_word(page, WORD_WEB_PASTE_LABEL);
	WEB_RAW(page, "</label></p>\n<p><textarea id=\"text\" name=\"text\" rows=\"12\" "
		      "dir=\"auto\" spellcheck=\"false\" required>\n");
	web_text(page->out, span_first(page->question, FORM_SHOWN_BYTES_MAX));
	WEB_RAW(page, "</textarea></p>\n<p><button>");
	web_word(page, WORD_WEB_PASTE_DO);
	WEB_RAW(page, "</button></p></form>\n");
	web_page_end(page);
}
