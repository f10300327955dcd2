/* A story in sentences, and its page for a terminal. */
#include "rules/story_internal.h"

#include "base/check.h"
#include "base/date.h"
#include "base/utf8.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 32 << 10, CODE_WIDTH = 6 };

static const char *
in(const struct language *language, const char *english)
{
	return language_text(language, english);
}

/* Adds a sentence behind what is there. */
static void
add(struct buf *out, const struct language *language, enum word word,
    const struct word_fields *fields)
{
	buf_add_str(out, out->len ? " " : "");
	word_add(out, language, word, fields);
}

/* The most exact entry of the codes; NULL where the catalogue has none of them. */
static const struct catalogue_entry *
entry_of(const struct story_rcpt *rcpt)
{
	return rcpt->codes[1].entry ? rcpt->codes[1].entry : rcpt->codes[0].entry;
}

static bool
is_done(const struct story_rcpt *rcpt)
{
	return rcpt->outcome != STORY_FAILED && rcpt->outcome != STORY_DELAYED;
}

/*
 * What explains it: the reason, or what became of it where all went well, since no code tells
 * that ("2.0.0").  NULL where the codes have to do.
 */
static const struct catalogue_topic *
topic_of(const struct story_rcpt *rcpt)
{
	return rcpt->reason || !is_done(rcpt) ? rcpt->reason
					      : catalogue_topic(CATALOGUE_ACTION,
						    span_str(story_outcome_name(rcpt->outcome)));
}

const char *
story_reason_name(const struct story_rcpt *rcpt, const struct language *language)
{
	const struct catalogue_topic *topic = topic_of(rcpt);
	const struct catalogue_entry *entry = entry_of(rcpt);

	return topic ? in(language, topic->name) : entry ? in(language, entry->name) : "";
}

const char *
story_meaning(const struct story_rcpt *rcpt)
{
	const struct catalogue_topic *topic = topic_of(rcpt);
	const struct catalogue_entry *entry = entry_of(rcpt);

	return topic ? topic->meaning : entry ? entry->meaning : "";
}

const char *
story_sender(const struct story_rcpt *rcpt)
{
	const struct catalogue_topic *topic = topic_of(rcpt);
	const struct catalogue_entry *entry = entry_of(rcpt);

	return topic ? topic->sender : entry ? entry->sender : "";
}

const char *
story_admin(const struct story_rcpt *rcpt)
{
	const struct catalogue_topic *topic = topic_of(rcpt);
	const struct catalogue_entry *entry = entry_of(rcpt);

	return topic ? topic->admin : entry ? entry->admin : "";
}

static void
add_decider(struct buf *out, const struct story_rcpt *rcpt, const struct language *language)
{
	struct word_fields fields = {.host = rcpt->host};
	enum word word = WORD_WHY_BY_UNKNOWN;

	switch (rcpt->decider) {
	case STORY_BY_US:
		word = WORD_WHY_BY_US;
		break;
	case STORY_BY_WRITER:
		word = rcpt->host.len ? WORD_WHY_BY_WRITER : WORD_WHY_BY_WRITER_UNNAMED;
		break;
	case STORY_BY_NETWORK:
		word = WORD_WHY_BY_NETWORK;
		break;
	case STORY_BY_THEM:
		word = rcpt->host.len ? WORD_WHY_BY_THEM : WORD_WHY_BY_THEM_UNNAMED;
		break;
	case STORY_BY_UNKNOWN:
	case STORY_DECIDER_COUNT:
		break;
	}
	add(out, language, word, &fields);
}

void
story_add_what(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language)
{
	static const enum word words[STORY_OUTCOME_COUNT] = {WORD_WHY_FAILED, WORD_WHY_DELAYED,
	    WORD_WHY_DELIVERED, WORD_WHY_RELAYED, WORD_WHY_EXPANDED};
	struct word_fields fields = {.address = rcpt->address};

	check((unsigned)rcpt->outcome < STORY_OUTCOME_COUNT);
	if (rcpt->address.len) {
		add(out, language, words[rcpt->outcome], &fields);
	} else if (story->kind == STORY_REPLY) {
		add(out, language,
		    rcpt->outcome == STORY_FAILED    ? WORD_WHY_REPLY_FAILED
		    : rcpt->outcome == STORY_DELAYED ? WORD_WHY_REPLY_DELAYED
						     : WORD_WHY_REPLY_DONE,
		    &fields);
	} else {
		add(out, language, WORD_WHY_NO_ADDRESS, &fields);
	}
	/* Of a reply alone there is nothing to tell but that a server said it. */
	if (story->kind != STORY_REPLY && !is_done(rcpt))
		add_decider(out, rcpt, language);
}

static enum word
next_of(const struct story *story, const struct story_rcpt *rcpt)
{
	bool reply = story->kind == STORY_REPLY;

	if (rcpt->next_word)
		return rcpt->next_word;
	switch (rcpt->outcome) {
	case STORY_FAILED:
		return reply ? WORD_WHY_NEXT_REPLY_FAILED : WORD_WHY_NEXT_OVER;
	case STORY_DELAYED:
		if (rcpt->next_wall_ms)
			return WORD_WHY_NEXT_AT;
		if (reply)
			return WORD_WHY_NEXT_REPLY_DELAYED;
		return rcpt->retry_until.len ? WORD_WHY_NEXT_UNTIL : WORD_WHY_NEXT_RETRY;
	case STORY_DELIVERED:
		return WORD_WHY_NEXT_DONE;
	case STORY_RELAYED:
	case STORY_EXPANDED:
	case STORY_OUTCOME_COUNT:
		break;
	}
	return reply ? WORD_COUNT : WORD_WHY_NEXT_PASSED;
}

void
story_add_next(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language)
{
	enum word word = next_of(story, rcpt);
	struct buf time, tries;
	struct word_fields fields = {
	    .name = rcpt->next_name, .host = rcpt->next_host, .time = rcpt->retry_until};

	buf_init(&time, 64);
	buf_init(&tries, 32);
	if (rcpt->next_wall_ms) {
		date_write(&time, rcpt->next_wall_ms);
		fields.time = buf_span(&time);
	}
	if (word != WORD_COUNT)
		add(out, language, word, &fields);
	if (rcpt->next_word && rcpt->next_wall_ms && word != WORD_WHY_NEXT_AT)
		add(out, language, WORD_WHY_NEXT_AT, &fields);
	if (rcpt->tries) {
		buf_add_u64(&tries, rcpt->tries);
		fields.number = buf_span(&tries);
		add(out, language, WORD_WHY_TRIES, &fields);
	}
	if (rcpt->told_by.len) {
		fields.name = rcpt->told_by;
		add(out, language, WORD_WHY_TOLD, &fields);
	}
	buf_fini(&time);
	buf_fini(&tries);
}

void
story_add_how(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language)
{
	struct word_fields fields = {0};

	if (story->writer) {
		fields.name = span_str(story->writer);
		add(out, language, WORD_WHY_WRITTEN_BY, &fields);
	}
	if (rcpt->rule) {
		fields.name = span_str(rcpt->rule->provider);
		fields.text = span_str(rcpt->rule->source);
		fields.other = span_str(rcpt->rule->date);
		add(out, language, WORD_WHY_RULE, &fields);
	} else if (!is_done(rcpt)) {
		add(out, language, entry_of(rcpt) ? WORD_WHY_NO_RULE : WORD_WHY_NO_CODE, &fields);
	}
}

void
story_add_said(struct buf *out, struct span said)
{
	while (said.len) {
		unsigned char c = (unsigned char)said.ptr[0];
		uint32_t character;
		size_t bytes = utf8_take(said, &character);
		struct buf one;

		buf_init(&one, 16);
		reply_clean(&one, span_first(said, bytes));
		if (c == '\n') {
			buf_add_char(out, '\n');
		} else if (bytes == 0 || c < ' ' || c == 0x7f ||
			   (c >= 0x80 && one.ptr[0] == '?')) {
			if (c != '\r')
				buf_addf(out, "\\x%02x", c);
			bytes = 1;
		} else {
			buf_add(out, span_first(said, bytes));
		}
		buf_fini(&one);
		said = span_skip(said, bytes);
	}
}

static void
flush(struct page *page, struct buf *text)
{
	page_text(page, buf_span(text));
	buf_reset(text);
}

static void
page_advice(struct page *page, const struct story_rcpt *rcpt, struct buf *text)
{
	static const enum word actions[RULE_ACTION_COUNT] = {WORD_WHY_ACT_BOUNCE,
	    WORD_WHY_ACT_RETRY, WORD_WHY_ACT_SLOW, WORD_WHY_ACT_PAUSE, WORD_WHY_ACT_SUPPRESS,
	    WORD_WHY_ACT_FIX};
	const struct {
		enum word word;
		const char *text;
	} rows[] = {{WORD_SENDER, story_sender(rcpt)}, {WORD_ADMIN, story_admin(rcpt)}};

	if (!topic_of(rcpt) && !entry_of(rcpt))
		return;
	page_word_heading(page, WORD_TO_DO);
	for (size_t i = 0; i < LEN(rows); i++) {
		if (!*rows[i].text)
			continue;
		if (i)
			page_gap(page);
		word_add(text, page->language, rows[i].word,
		    &(struct word_fields){.text = span_str(in(page->language, rows[i].text))});
		flush(page, text);
	}
	if (rcpt->rule && rcpt->outcome != STORY_DELIVERED) {
		page_gap(page);
		add(text, page->language, actions[rcpt->rule->action], &(struct word_fields){0});
		flush(page, text);
	}
}

static void
page_codes(struct page *page, const struct story_rcpt *rcpt)
{
	for (size_t i = 0; i < LEN(rcpt->codes); i++)
		if (rcpt->codes[i].entry)
			page_row(page, span_str(rcpt->codes[i].name), CODE_WIDTH,
			    span_str(in(page->language, rcpt->codes[i].entry->name)));
}

static void
page_rcpt(struct page *page, const struct story *story, const struct story_rcpt *rcpt,
    struct buf *text)
{
	const struct language *language = page->language;
	const char *name = story_reason_name(rcpt, language);

	reply_clean(text, rcpt->address);
	if (*name)
		buf_addf(text, "%s%s", rcpt->address.len ? ": " : "", name);
	if (text->len)
		page_title(page, buf_span(text));
	buf_reset(text);
	page_word_heading(page, WORD_WHY_WHAT);
	story_add_what(text, story, rcpt, language);
	flush(page, text);
	if (topic_of(rcpt) || entry_of(rcpt)) {
		page_gap(page);
		page_text(page, span_str(in(language, story_meaning(rcpt))));
	}
	if (rcpt->said.len) {
		page_word_heading(
		    page, rcpt->said_by_them ? WORD_WHY_SAID : WORD_WHY_NOTICE);
		story_add_said(text, rcpt->said);
		page_lines(page, buf_span(text));
		buf_reset(text);
	}
	story_add_next(text, story, rcpt, language);
	if (text->len) {
		page_word_heading(page, WORD_WHY_NEXT);
		flush(page, text);
	}
	page_advice(page, rcpt, text);
	page_word_heading(page, WORD_WHY_HOW);
	story_add_how(text, story, rcpt, language);
	flush(page, text);
	page_codes(page, rcpt);
}

void
story_page(struct page *page, const struct story *story)
{
	struct buf text;

	buf_init(&text, TEXT_BYTES_MAX);
	for (size_t i = 0; i < story->rcpt_count; i++) {
		if (i)
			page_gap(page);
		page_rcpt(page, story, &story->rcpts[i], &text);
	}
	if (story->more) {
		struct buf number;

		buf_init(&number, 32);
		buf_add_u64(&number, story->more);
		add(&text, page->language, WORD_WHY_MORE,
		    &(struct word_fields){.number = buf_span(&number)});
		page_gap(page);
		flush(page, &text);
		buf_fini(&number);
	}
	buf_fini(&text);
}
