/*
 * What all pages have in common: head, search, languages, foot.  Everything can be read and reached
 * without the script.
 */
#include "web/web_internal.h"

#include "web/web_assets.h"

void
web_word_with(struct web_page *page, enum word word, const struct word_fields *fields)
{
	struct buf text;

	buf_init(&text, 1 << 16);
	word_add(&text, page->language, word, fields);
	web_text(page->out, buf_span(&text));
	buf_fini(&text);
}

void
web_word(struct web_page *page, enum word word)
{
	web_text(page->out, span_str(word_text(page->language, word)));
}

void
web_label(struct web_page *page, enum word word)
{
	static const char *const ends[] = {" ", ":", "\xEF\xBC\x9A", "\xC2\xA0", "\xE2\x80\xAF"};
	struct span text = span_str(word_text(page->language, word));
	const char *field = memmem(text.ptr, text.len, "{text}", 6);
	bool cut = true;

	if (field)
		text = span_first(text, (size_t)(field - text.ptr));
	while (cut) {
		cut = false;
		for (size_t i = 0; i < LEN(ends); i++)
			if (span_ends_nocase(text, span_str(ends[i]))) {
				text = span_first(text, text.len - strlen(ends[i]));
				cut = true;
			}
	}
	web_text(page->out, text);
}

void
web_said(struct web_page *page, const char *english)
{
	web_text(page->out, span_str(language_text(page->language, english)));
}

void
web_link(struct web_page *page, const struct web_target *target)
{
	struct web_target any;

	WEB_RAW(page, "<a href=\"");
	/* Of a class that is not written, the page of all classes is. */
	if (!page->site->served && target->kind == WEB_CODE && !web_is_written(target) &&
	    web_target_find(span_str(target->a.entry->code), &any))
		web_address(page, &any);
	else
		web_address(page, target);
	WEB_RAW(page, "\">");
}

void
web_heading(struct web_page *page, const char *id, enum word word)
{
	buf_addf(page->out, "<h2 id=\"%s\">", id);
	web_word(page, word);
	WEB_RAW(page, "</h2>\n");
}

void
web_section(struct web_page *page, const char *id, enum word word, const char *english)
{
	if (!*english)
		return;
	WEB_RAW(page, "<section>\n");
	web_heading(page, id, word);
	web_paragraphs(page->out, span_str(language_text(page->language, english)), NULL,
	    language_is_right_to_left(page->language));
	WEB_RAW(page, "</section>\n");
}

void
web_code(struct web_page *page, struct span code)
{
	WEB_RAW(page, "<code dir=\"ltr\">");
	web_text(page->out, code);
	WEB_RAW(page, "</code>");
}

struct span
web_target_key(const struct web_target *target)
{
	if (target->kind == WEB_GROUP)
		return span_str(target->group->code);
	return span_str(target->kind == WEB_TOPIC ? target->topic->key : target->a.name);
}

const char *
web_target_name(const struct web_target *target)
{
	if (target->kind == WEB_GROUP)
		return target->group->name;
	if (target->kind == WEB_TOPIC)
		return target->topic->name;
	return target->a.entry ? target->a.entry->name : "";
}

const char *
web_tone(char class)
{
	switch (class) {
	case '2':
		return "good";
	case '3':
		return "ask";
	case '4':
		return "wait";
	case '5':
		return "bad";
	default:
		return "plain";
	}
}

void
web_row(struct web_page *page, const struct web_target *target)
{
	buf_addf(page->out, "<li class=\"%s\">",
	    web_tone(target->kind == WEB_TOPIC ? 0 : web_target_key(target).ptr[0]));
	web_link(page, target);
	web_code(page, web_target_key(target));
	WEB_RAW(page, " <span>");
	web_said(page, web_target_name(target));
	WEB_RAW(page, "</span></a></li>\n");
}

/* A field to search in, and the two pages that are for everything. */
static void
write_search(struct web_page *page)
{
	WEB_RAW(page, "<form role=\"search\" class=\"find\" method=\"get\" action=\"");
	web_address(page, &(struct web_target){.kind = WEB_SEARCH});
	WEB_RAW(page, "\"><label class=\"out\" for=\"q\">");
	web_word(page, WORD_WEB_SEARCH);
	WEB_RAW(page, "</label><input id=\"q\" name=\"q\" type=\"search\" maxlength=\"100\" "
		      "autocomplete=\"off\" spellcheck=\"false\" "
		      "placeholder=\"550, 5.7.1, ...\"");
	if (page->target.kind == WEB_SEARCH && page->question.len) {
		WEB_RAW(page, " value=\"");
		web_text(page->out, page->question);
		WEB_RAW(page, "\"");
	}
	WEB_RAW(page, "><button>");
	web_word(page, WORD_WEB_SEARCH);
	WEB_RAW(page, "</button></form>\n");
}

static void
write_languages(struct web_page *page)
{
	if (page->site->language_count < 2)
		return;
	WEB_RAW(page, "<nav class=\"languages\" id=\"languages\" aria-label=\"");
	web_word(page, WORD_WEB_LANGUAGE);
	WEB_RAW(page, "\"><ul>\n");
	for (size_t i = 0; i < page->site->language_count; i++) {
		const struct language *language = page->site->languages[i];
		const char *tag = language_tag(language);

		buf_addf(page->out, "<li lang=\"%s\">", tag);
		if (language == page->language) {
			WEB_RAW(page, "<span aria-current=\"true\">");
		} else {
			buf_addf(page->out, "<a hreflang=\"%s\" href=\"", tag);
			web_address_in(page, &page->target, language);
			WEB_RAW(page, "\">");
		}
		web_text(page->out, span_str(language_own_name(language)));
		buf_add_str(page->out, language == page->language ? "</span></li>\n"
								   : "</a></li>\n");
	}
	WEB_RAW(page, "</ul></nav>\n");
}

static void
write_menu(struct web_page *page)
{
	static const struct {
		enum web_kind kind;
		enum word word;
	} items[] = {{WEB_INDEX, WORD_WEB_ALL}, {WEB_PAIRS, WORD_WEB_COMPARISONS},
	    {WEB_PASTE, WORD_WEB_PASTE}};

	WEB_RAW(page, "<ul class=\"menu\">\n");
	for (size_t i = 0; i < LEN(items); i++) {
		const struct web_target target = {.kind = items[i].kind};

		if (!page->site->served && !web_is_written(&target))
			continue;
		WEB_RAW(page, "<li><a href=\"");
		web_address(page, &target);
		WEB_RAW(page, "\"");
		if (page->target.kind == items[i].kind)
			WEB_RAW(page, " aria-current=\"page\"");
		WEB_RAW(page, ">");
		web_word(page, items[i].word);
		WEB_RAW(page, "</a></li>\n");
	}
	if (page->site->language_count > 1) {
		WEB_RAW(page, "<li><a href=\"#languages\">");
		web_word(page, WORD_WEB_LANGUAGE);
		WEB_RAW(page, "</a></li>\n");
	}
	WEB_RAW(page, "</ul>\n");
}

static void
write_script(struct web_page *page, enum web_kind kind)
{
	WEB_RAW(page, "<script src=\"");
	web_address(page, &(struct web_target){.kind = kind});
	WEB_RAW(page, "\" defer></script>\n");
}

void
web_page_begin(struct web_page *page, struct span title, struct span description)
{
	bool rtl = language_is_right_to_left(page->language);

	buf_addf(page->out, "<!DOCTYPE html>\n<html lang=\"%s\" dir=\"%s\">\n",
	    language_tag(page->language), rtl ? "rtl" : "ltr");
	WEB_RAW(page, "<head>\n<meta charset=\"utf-8\">\n<title>");
	web_text(page->out, title);
	if (page->target.kind != WEB_INDEX) {
		WEB_RAW(page, " · ");
		web_word(page, WORD_WEB_TITLE);
	}
	WEB_RAW(page, "</title>\n<meta name=\"viewport\" "
		      "content=\"width=device-width, initial-scale=1\">\n"
		      "<meta name=\"color-scheme\" content=\"light dark\">\n");
	/* For search engines; files are lighter without. */
	if (description.len && page->site->served) {
		WEB_RAW(page, "<meta name=\"description\" content=\"");
		web_text(page->out, description);
		WEB_RAW(page, "\">\n");
	}
	WEB_RAW(page, "<link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"");
	web_address(page, &(struct web_target){.kind = WEB_STYLE});
	WEB_RAW(page, "\">\n");
	if (page->target.kind == WEB_SEARCH)
		write_script(page, WEB_WORDS);
	write_script(page, WEB_SCRIPT);
	WEB_RAW(page, "</head>\n<body>\n<a class=\"skip\" href=\"#main\">");
	web_word(page, WORD_WEB_SKIP);
	WEB_RAW(page, "</a>\n<header>\n<div class=\"bar\">\n<p class=\"site\">");
	web_link(page, &(struct web_target){.kind = WEB_INDEX});
	web_word(page, WORD_WEB_TITLE);
	WEB_RAW(page, "</a></p>\n");
	write_search(page);
	WEB_RAW(page, "</div>\n");
	write_menu(page);
	WEB_RAW(page, "</header>\n<main id=\"main\">\n");
}

void
web_page_end(struct web_page *page)
{
	WEB_RAW(page, "</main>\n<footer>\n");
	write_languages(page);
	WEB_RAW(page, "<p>");
	web_word(page, WORD_WEB_FOOTER);
	WEB_RAW(page, "</p>\n</footer>\n</body>\n</html>\n");
}

void
web_problem_write(struct web_page *page, struct span title, struct span text)
{
	web_page_begin(page, title, SPAN(""));
	WEB_RAW(page, "<h1>");
	web_text(page->out, title);
	WEB_RAW(page, "</h1>\n");
	web_paragraphs(page->out, text, "lead",
	    language_is_right_to_left(page->language));
	web_list_all(page);
	web_page_end(page);
}

void
web_page_write(struct web_page *page)
{
	switch (page->target.kind) {
	case WEB_INDEX:
		web_index_write(page);
		break;
	case WEB_CODE:
		web_code_write(page);
		break;
	case WEB_GROUP:
		web_group_write(page);
		break;
	case WEB_TOPIC:
		web_topic_write(page);
		break;
	case WEB_COMPARE:
		web_compare_write(page);
		break;
	case WEB_PAIRS:
		web_pairs_write(page);
		break;
	case WEB_SEARCH:
		web_search_write(page);
		break;
	case WEB_PASTE:
		web_paste_write(page);
		break;
	case WEB_WORDS:
		web_words_write(page);
		break;
	case WEB_STYLE:
		buf_add(page->out, span_of((const char *)web_style, sizeof(web_style)));
		break;
	case WEB_SCRIPT:
		buf_add(page->out, span_of((const char *)web_script, sizeof(web_script)));
		break;
	}
}

const char *
web_type(enum web_kind kind)
{
	if (kind == WEB_STYLE)
		return "text/css; charset=utf-8";
	return kind == WEB_SCRIPT || kind == WEB_WORDS ? "text/javascript; charset=utf-8"
						       : "text/html; charset=utf-8";
}
