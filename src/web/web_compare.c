/* Two codes side by side, and the list of such pages. */
#include "web/web_internal.h"

enum { TEXT_BYTES_MAX = 16384 };

static void
write_card(struct web_page *page, const struct explain_code *code)
{
	const struct web_target target = {.kind = WEB_CODE, .a = *code};

	buf_addf(page->out, "<li class=\"%s\">", web_tone(code->name[0]));
	web_link(page, &target);
	web_code(page, span_str(code->name));
	WEB_RAW(page, " <span>");
	web_said(page, code->entry->name);
	WEB_RAW(page, "</span></a></li>\n");
}

void
web_compare_write(struct web_page *page)
{
	const struct span a = span_str(page->target.a.name), b = span_str(page->target.b.name);
	const struct word_fields fields = {.a = a, .b = b};
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	word_add(&text, page->language, WORD_WEB_DIFFERENCE, &fields);
	web_page_begin(page, buf_span(&text), SPAN(""));
	WEB_RAW(page, "<article>\n<h1>");
	web_text(page->out, buf_span(&text));
	WEB_RAW(page, "</h1>\n<ul class=\"cards\">\n");
	write_card(page, &page->target.a);
	write_card(page, &page->target.b);
	WEB_RAW(page, "</ul>\n");
	for (unsigned i = 0; i < CATALOGUE_ASPECT_COUNT; i++) {
		enum catalogue_aspect aspect = (enum catalogue_aspect)i;
		char id[] = {'a', (char)('0' + i), 0};

		buf_reset(&text);
		check(catalogue_compare_aspect(&text, page->language, a, b, aspect) == OK);
		if (text.len == 0)
			continue;
		WEB_RAW(page, "<section>\n");
		web_heading(page, id, catalogue_aspect_word(aspect));
		web_paragraphs(page->out, buf_span(&text),
		    aspect == CATALOGUE_DIFFERENCE ? "lead" : NULL,
	    language_is_right_to_left(page->language));
		WEB_RAW(page, "</section>\n");
	}
	buf_fini(&text);
	WEB_RAW(page, "</article>\n");
	web_page_end(page);
}

/* A form for any two, where a server makes the page. */
static void
write_form(struct web_page *page)
{
	if (!page->site->served)
		return;
	WEB_RAW(page, "<form class=\"two\" method=\"get\" action=\"");
	web_address(page, &(struct web_target){.kind = WEB_PAIRS});
	WEB_RAW(page, "\"><p><label for=\"a\">");
	web_word(page, WORD_WEB_FIRST_CODE);
	WEB_RAW(page, "</label> <input id=\"a\" name=\"a\" dir=\"ltr\" size=\"8\" "
		      "maxlength=\"12\" required></p>\n<p><label for=\"b\">");
	web_word(page, WORD_WEB_SECOND_CODE);
	WEB_RAW(page, "</label> <input id=\"b\" name=\"b\" dir=\"ltr\" size=\"8\" "
		      "maxlength=\"12\" required></p>\n<p><button>");
	web_word(page, WORD_WEB_COMPARE_DO);
	WEB_RAW(page, "</button></p></form>\n");
}

static void
write_pair(void *owner, const struct web_target *target)
{
	struct web_page *page = owner;

	if (target->kind != WEB_COMPARE)
		return;
	WEB_RAW(page, "<li>");
	web_link(page, target);
	web_code(page, span_str(target->a.name));
	WEB_RAW(page, " ");
	web_code(page, span_str(target->b.name));
	WEB_RAW(page, "</a></li>\n");
}

void
web_pairs_write(struct web_page *page)
{
	web_page_begin(
	    page, span_str(word_text(page->language, WORD_WEB_COMPARISONS)), SPAN(""));
	WEB_RAW(page, "<h1>");
	web_word(page, WORD_WEB_COMPARE_TWO);
	WEB_RAW(page, "</h1>\n<p class=\"lead\">");
	web_word(page, WORD_WEB_NOT_COMPARED);
	WEB_RAW(page, "</p>\n");
	write_form(page);
	WEB_RAW(page, "<ul class=\"pairs\">\n");
	web_each(write_pair, page);
	WEB_RAW(page, "</ul>\n");
	web_page_end(page);
}
