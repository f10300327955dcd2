/* Pages of topics, and the list of all that can be asked about. */
#include "replies/explain_internal.h"

#include "base/check.h"

enum { TITLE_BYTES_MAX = 1024, CODE_WIDTH = 6, KEY_WIDTH = 22 };

static struct span
text_of(const struct page *page, const char *english)
{
	return span_str(language_text(page->language, english));
}

/* Codes and keys, each with its name. */
static void
page_see(struct page *page, const struct catalogue_topic *topic)
{
	struct span rest = span_str(topic->see), word;

	if (rest.len)
		page_word_heading(page, WORD_SEE);
	while (rest.len && span_cut(&rest, ' ', &word)) {
		const struct catalogue_entry *entry = catalogue_find(word);
		const struct catalogue_topic *other = catalogue_topic(topic->kind, word);

		if (!other)
			other = catalogue_topic_find(word);
		page_row(page, word, KEY_WIDTH,
		    text_of(page, entry   ? entry->name
				  : other ? other->name
					  : ""));
	}
}

static enum page_tone
tone_of(const struct catalogue_topic *topic)
{
	static const struct {
		const char *word;
		enum page_tone tone;
	} tones[] = {{"good", PAGE_GOOD}, {"=pass", PAGE_GOOD}, {"delivered", PAGE_GOOD},
	    {"warning", PAGE_WAIT}, {"=softfail", PAGE_WAIT}, {"=temperror", PAGE_WAIT},
	    {"delayed", PAGE_WAIT}, {"error", PAGE_BAD}, {"=fail", PAGE_BAD},
	    {"=permerror", PAGE_BAD}, {"failed", PAGE_BAD}};

	for (size_t i = 0; i < LEN(tones); i++) {
		bool fits = topic->kind == CATALOGUE_FINDING
		    ? strcmp(topic->severity, tones[i].word) == 0
		    : span_ends_nocase(span_str(topic->key), span_str(tones[i].word));

		if (fits)
			return tones[i].tone;
	}
	return PAGE_PLAIN;
}

void
explain_topic_page(struct page *page, const struct catalogue_topic *topic)
{
	struct buf title;

	buf_init(&title, TITLE_BYTES_MAX);
	buf_addf(&title, "%s: %.*s", topic->key, SPAN_ARGS(text_of(page, topic->name)));
	page->tone = tone_of(topic);
	page_title(page, buf_span(&title));
	buf_fini(&title);
	page_text(page, text_of(page, word_english(catalogue_kind_word(topic->kind))));
	explain_section(page, WORD_MEANING, topic->meaning);
	if (*topic->when)
		explain_section(page, WORD_WHEN, topic->when);
	explain_advice(page, topic->sender, topic->admin, topic->developer);
	if (*topic->transcript) {
		page_word_heading(page, WORD_EXAMPLE);
		page_lines(page, span_str(topic->transcript));
	}
	page_see(page, topic);
	if (strcmp(topic->rfc, "none") != 0) {
		page_word_heading(page, WORD_SOURCE);
		page_text(page, span_str(topic->rfc));
	}
}

static void
list_codes(struct page *page, bool enhanced)
{
	const struct catalogue_entry *entry;

	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		if ((entry->code[1] == '.') == enhanced)
			page_row(page, span_str(entry->code), CODE_WIDTH,
			    text_of(page, entry->name));
}

void
explain_list(struct page *page)
{
	const struct catalogue_topic *topic;
	unsigned kind = CATALOGUE_KIND_COUNT;

	page_word_heading(page, WORD_KIND_CODE);
	list_codes(page, false);
	page_word_heading(page, WORD_KIND_STATUS);
	list_codes(page, true);
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++) {
		if (topic->kind != kind)
			page_word_heading(page, catalogue_kind_word(topic->kind));
		kind = topic->kind;
		page_row(page, span_str(topic->key), KEY_WIDTH, text_of(page, topic->name));
	}
}
