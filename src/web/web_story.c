/*
 * What became of a message, as HTML: the story that "postrider why" tells (rules/story.h) of a
 * bounce, a reply or a line of a log.  All that stands in it comes from anybody, and is escaped.
 */
#include "web/web_internal.h"

#include "rules/story.h"

enum { RCPTS_SHOWN_MAX = 20, SAID_SHOWN_BYTES_MAX = 2000, SENTENCES_BYTES_MAX = 32 << 10 };

typedef void add_sentences(struct buf *out, const struct story *story,
    const struct story_rcpt *rcpt, const struct language *language);

static bool
is_rtl(const struct web_page *page)
{
	return language_is_right_to_left(page->language);
}

static void
write_heading(struct web_page *page, enum word word)
{
	WEB_RAW(page, "<h3>");
	web_word(page, word);
	WEB_RAW(page, "</h3>\n");
}

/* A heading and its sentences; nothing where there are none. */
static void
write_sentences(struct web_page *page, enum word word, add_sentences *add,
    const struct story *story, const struct story_rcpt *rcpt)
{
	struct buf text;

	buf_init(&text, SENTENCES_BYTES_MAX);
	add(&text, story, rcpt, page->language);
	if (text.len) {
		write_heading(page, word);
		web_paragraphs(page->out, buf_span(&text), NULL, is_rtl(page));
	}
	buf_fini(&text);
}

/* The recipient, and in a word why: a link to what the catalogue says of it. */
static void
write_title(struct web_page *page, const struct story_rcpt *rcpt)
{
	const struct web_target target = {.kind = WEB_TOPIC, .topic = rcpt->reason};
	const char *name = story_reason_name(rcpt, page->language);

	if (!rcpt->address.len && !*name)
		return;
	WEB_RAW(page, "<h2 class=\"story\">");
	if (rcpt->address.len) {
		WEB_RAW(page, "<bdi>");
		web_text(page->out, span_first(rcpt->address, SAID_SHOWN_BYTES_MAX));
		WEB_RAW(page, "</bdi>");
		if (*name)
			WEB_RAW(page, ": ");
	}
	if (rcpt->reason)
		web_link(page, &target);
	web_text(page->out, span_str(name));
	if (rcpt->reason)
		WEB_RAW(page, "</a>");
	WEB_RAW(page, "</h2>\n");
}

static void
write_said(struct web_page *page, const struct story_rcpt *rcpt)
{
	struct buf said;

	if (rcpt->said.len == 0)
		return;
	buf_init(&said, SENTENCES_BYTES_MAX);
	story_add_said(&said, span_first(rcpt->said, SAID_SHOWN_BYTES_MAX));
	write_heading(page, rcpt->said_by_them ? WORD_WHY_SAID : WORD_WHY_NOTICE);
	WEB_RAW(page, "<blockquote dir=\"auto\"><p>");
	web_text(page->out, buf_span(&said));
	WEB_RAW(page, "</p></blockquote>\n");
	buf_fini(&said);
}

static void
write_codes(struct web_page *page, const struct story_rcpt *rcpt)
{
	bool any = false;

	for (size_t i = 0; i < LEN(rcpt->codes); i++) {
		const struct web_target target = {.kind = WEB_CODE, .a = rcpt->codes[i]};

		if (!rcpt->codes[i].entry)
			continue;
		if (!any)
			WEB_RAW(page, "<ul class=\"rows\">\n");
		any = true;
		web_row(page, &target);
	}
	if (any)
		WEB_RAW(page, "</ul>\n");
}

static void
write_rcpt(
    struct web_page *page, const struct story *story, const struct story_rcpt *rcpt)
{
	const char *sender = story_sender(rcpt), *admin = story_admin(rcpt);

	WEB_RAW(page, "<section>\n");
	write_title(page, rcpt);
	write_sentences(page, WORD_WHY_WHAT, story_add_what, story, rcpt);
	web_paragraphs(page->out,
	    span_str(language_text(page->language, story_meaning(rcpt))), NULL, is_rtl(page));
	write_said(page, rcpt);
	write_sentences(page, WORD_WHY_NEXT, story_add_next, story, rcpt);
	if (*sender || *admin) {
		write_heading(page, WORD_TO_DO);
		web_advice_cards(page, sender, admin, "");
	}
	write_sentences(page, WORD_WHY_HOW, story_add_how, story, rcpt);
	write_codes(page, rcpt);
	WEB_RAW(page, "</section>\n");
}

static void
write_more(struct web_page *page, size_t more)
{
	struct buf number;

	if (more == 0)
		return;
	buf_init(&number, 32);
	buf_add_u64(&number, more);
	WEB_RAW(page, "<p class=\"note\">");
	web_word_with(page, WORD_WHY_MORE, &(struct word_fields){.number = buf_span(&number)});
	WEB_RAW(page, "</p>\n");
	buf_fini(&number);
}

bool
web_story_write(struct web_page *page, struct span pasted)
{
	struct story story;
	size_t shown;
	bool told;

	story_read(&story, pasted);
	told = story.kind != STORY_NOTHING && story.rcpt_count > 0;
	shown = story.rcpt_count < RCPTS_SHOWN_MAX ? story.rcpt_count : RCPTS_SHOWN_MAX;
	for (size_t i = 0; told && i < shown; i++)
		write_rcpt(page, &story, &story.rcpts[i]);
	if (told)
		write_more(page, story.more + story.rcpt_count - shown);
	story_fini(&story);
	return told;
}
