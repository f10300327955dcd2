/* Pages of topics: keywords, results, reasons, findings. */
#include "web/web_internal.h"

static void
write_severity(struct web_page *page, const char *severity)
{
	static const struct {
		const char *key;
		enum word word;
		char class; /* of codes that look alike */
	} rows[] = {{"good", WORD_WEB_GOOD, '2'}, {"info", WORD_WEB_INFO, '3'},
	    {"warning", WORD_WEB_WARNING, '4'}, {"error", WORD_WEB_ERROR, '5'}};

	for (size_t i = 0; i < LEN(rows); i++)
		if (strcmp(rows[i].key, severity) == 0) {
			buf_addf(page->out, "<li class=\"%s\"><strong>",
			    web_tone(rows[i].class));
			web_word(page, rows[i].word);
			WEB_RAW(page, "</strong></li>\n");
		}
}

static void
write_see(struct web_page *page, const char *see)
{
	struct span rest = span_str(see), one;

	if (rest.len == 0)
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, "see", WORD_SEE);
	WEB_RAW(page, "<ul class=\"rows\">\n");
	while (rest.len && span_cut(&rest, ' ', &one)) {
		struct web_target target;

		if (web_target_find(one, &target))
			web_row(page, &target);
	}
	WEB_RAW(page, "</ul>\n</section>\n");
}

void
web_topic_write(struct web_page *page)
{
	const struct catalogue_topic *topic = page->target.topic;
	struct buf title;

	buf_init(&title, 4096);
	buf_addf(&title, "%s: %s", topic->key, language_text(page->language, topic->name));
	web_page_begin(
	    page, buf_span(&title), span_str(language_text(page->language, topic->meaning)));
	buf_fini(&title);
	WEB_RAW(page, "<article>\n<h1 class=\"topic\">");
	web_code(page, span_str(topic->key));
	WEB_RAW(page, " <span>");
	web_said(page, topic->name);
	WEB_RAW(page, "</span></h1>\n<ul class=\"marks\">\n<li>");
	web_word(page, catalogue_kind_word(topic->kind));
	WEB_RAW(page, "</li>\n");
	write_severity(page, topic->severity);
	WEB_RAW(page, "</ul>\n");
	web_paragraphs(
	    page->out, span_str(language_text(page->language, topic->meaning)), "lead",
	    language_is_right_to_left(page->language));
	web_advice(page, topic->sender, topic->admin, topic->developer);
	web_section(page, "when", WORD_WHEN, topic->when);
	web_transcript(page, topic->transcript);
	write_see(page, topic->see);
	if (*topic->rfc)
		web_standard(page, topic->rfc);
	WEB_RAW(page, "</article>\n");
	web_page_end(page);
}
