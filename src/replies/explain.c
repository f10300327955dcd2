/*
 * The page that answers a question.  A code that nobody has standardised is explained
 * by its digits, as RFC 5321 section 4.3.2 tells clients to treat it, and the
 * page says so.
 */
#include "replies/explain_internal.h"

#include "base/check.h"

enum { ADVICE_BYTES_MAX = 16384 };

void
explain_related(struct buf *out, struct span related, const struct explain_code *code)
{
	char class = code->name[0];

	if (related.len && related.ptr[0] == 'X' &&
	    (class == '2' || class == '4' || class == '5')) {
		buf_add_char(out, class);
		related = span_skip(related, 1);
	}
	buf_add(out, related);
}

/* A text of the catalogue, in the language of the page. */
static struct span
text_of(const struct page *page, const char *english)
{
	return span_str(language_text(page->language, english));
}

static void
page_word(struct page *page, enum word word, const struct word_fields *fields)
{
	struct buf text;

	buf_init(&text, ADVICE_BYTES_MAX);
	word_add(&text, page->language, word, fields);
	check(buf_finish(&text) == OK);
	page_text(page, buf_span(&text));
	buf_fini(&text);
}

static void
page_codes(struct page *page, enum word heading, const char *codes,
    const struct explain_code *code)
{
	struct span rest = span_str(codes);
	struct span related;

	if (rest.len)
		page_word_heading(page, heading);
	while (rest.len && span_cut(&rest, ' ', &related)) {
		const struct catalogue_entry *entry = catalogue_find(related);
		struct buf name;

		check(entry);
		buf_init(&name, EXPLAIN_CODE_BYTES);
		explain_related(&name, related, code);
		page_row(page, buf_span(&name), 6, text_of(page, entry->name));
		buf_fini(&name);
	}
}

void
explain_advice(
    struct page *page, const char *sender, const char *admin, const char *developer)
{
	const struct {
		enum word word;
		const char *text;
	} advice[] = {
	    {WORD_SENDER, sender},
	    {WORD_ADMIN, admin},
	    {WORD_DEVELOPER, developer},
	};
	bool first = true;

	page_word_heading(page, WORD_TO_DO);
	for (size_t i = 0; i < LEN(advice); i++) {
		if (!*advice[i].text)
			continue;
		if (!first)
			page_gap(page);
		page_word(page, advice[i].word,
		    &(struct word_fields){.text = text_of(page, advice[i].text)});
		first = false;
	}
}

/* "2xx: positive completion; trying again ..." */
static void
page_category(struct page *page, const struct explain_code *code)
{
	const struct catalogue_entry *entry = code->entry;
	const struct catalogue_group *group = catalogue_group(span_str(entry->group));
	char class = code->name[0];
	struct buf line;

	check(group);
	buf_init(&line, 2048);
	buf_addf(&line, "%s: %.*s", group->code, SPAN_ARGS(text_of(page, group->name)));
	if (code->name[1] == '.' && code->class) {
		buf_add_str(&line, "; ");
		word_add(&line, page->language, WORD_CLASS,
		    &(struct word_fields){.a = span_of(code->name, 1),
			.text = text_of(page, code->class->name)});
	}
	if (class == '4' || class == '5')
		buf_addf(&line, "; %s",
		    word_text(page->language, code->retry ? WORD_MAY_HELP : WORD_NO_HELP));
	page_text(page, buf_span(&line));
	buf_fini(&line);
	if (!catalogue_is_standard(entry))
		page_word(page, WORD_MADE_UP, &(struct word_fields){0});
}

void
explain_section(struct page *page, enum word heading, const char *english)
{
	page_word_heading(page, heading);
	page_text(page, text_of(page, english));
}

static enum page_tone
tone_of(char class)
{
	return class == '2' || class == '3' ? PAGE_GOOD
	    : class == '4'                  ? PAGE_WAIT
	    : class == '5'                  ? PAGE_BAD
	                                    : PAGE_PLAIN;
}

static void
page_entry(struct page *page, const struct explain_code *code)
{
	const struct catalogue_entry *entry = code->entry;
	struct buf line;

	buf_init(&line, 1024);
	buf_addf(&line, "%s %.*s", code->name, SPAN_ARGS(text_of(page, entry->name)));
	page->tone = tone_of(code->name[0]);
	page_title(page, buf_span(&line));
	buf_fini(&line);
	page_category(page, code);
	explain_section(page, WORD_MEANING, entry->meaning);
	explain_section(page, WORD_WHEN, entry->when);
	explain_section(page, WORD_CLIENT, entry->client);
	explain_advice(page, entry->sender, entry->admin, entry->developer);
	explain_section(page, WORD_MISTAKES, entry->mistakes);
	if (*entry->transcript) {
		page_word_heading(page, WORD_EXAMPLE);
		page_lines(page, span_str(entry->transcript));
	}
	page_codes(page, WORD_WITH, entry->with, code);
	page_codes(page, WORD_SEE, entry->see, code);
	if (catalogue_is_standard(entry))
		page_row(page, text_of(page, word_english(WORD_AND)), 6, span_str(entry->rfc));
}

/* What a group says of a digit, or that none does. */
static void
page_digit(struct page *page, enum word word, enum word none,
    const struct catalogue_group *group)
{
	if (!group) {
		page_word(page, none, &(struct word_fields){0});
		return;
	}
	page_word(page, word,
	    &(struct word_fields){.a = span_str(group->code),
		.name = text_of(page, group->name),
		.text = text_of(page, group->meaning)});
}

static void
page_unknown(struct page *page, const struct explain_code *code)
{
	bool enhanced = code->name[1] == '.';
	struct buf line;

	buf_init(&line, 1024);
	word_add(&line, page->language, WORD_NOT_STANDARD,
	    &(struct word_fields){.a = span_str(code->name)});
	page_title(page, buf_span(&line));
	buf_fini(&line);
	page_word(page, WORD_SERVERS_MAKE_UP, &(struct word_fields){0});
	page_word_heading(page, WORD_MEANING);
	if (code->class || !enhanced)
		page_digit(page, WORD_FIRST_DIGIT, WORD_FIRST_DIGIT_NONE, code->class);
	page_digit(page, enhanced ? WORD_SECOND_NUMBER : WORD_SECOND_DIGIT,
	    enhanced ? WORD_SECOND_NUMBER_NONE : WORD_SECOND_DIGIT_NONE, code->subject);
	if (code->class) {
		explain_section(page, WORD_CLIENT, code->class->client);
		explain_section(page, WORD_TO_DO, code->class->fix);
	}
	page_word_heading(page, WORD_SEE);
	page_text(page, enhanced ? SPAN("RFC 3463 section 2")
				 : SPAN("RFC 5321 sections 4.2.1 and 4.3.2"));
}

static void
page_group(struct page *page, const struct catalogue_group *group)
{
	struct buf line;

	buf_init(&line, 1024);
	buf_addf(&line, "%s %.*s", group->code, SPAN_ARGS(text_of(page, group->name)));
	page_title(page, buf_span(&line));
	buf_fini(&line);
	explain_section(page, WORD_MEANING, group->meaning);
	if (*group->client) {
		explain_section(page, WORD_CLIENT, group->client);
		explain_section(page, WORD_TO_DO, group->fix);
	}
}

void
explain_page(struct page *page, const struct explain *explain)
{
	const struct explain_code *const codes[] = {&explain->basic, &explain->status};
	bool first = !explain->clash;

	if (explain->group) {
		page_group(page, explain->group);
		return;
	}
	if (explain->found.len) {
		page_word_heading(page, WORD_REPLY_IN_LINE);
		page_lines(page, explain->found);
		page_gap(page);
	}
	if (explain->clash)
		page_word(page, WORD_CONTRADICT, &(struct word_fields){0});
	for (size_t i = 0; i < LEN(codes); i++) {
		if (!*codes[i]->name)
			continue;
		if (!first)
			page_gap(page);
		if (codes[i]->entry)
			page_entry(page, codes[i]);
		else
			page_unknown(page, codes[i]);
		first = false;
	}
	for (size_t i = 0; i < explain->topic_count; i++) {
		if (!first)
			page_gap(page);
		explain_topic_page(page, explain->topics[i]);
		first = false;
	}
}

enum err
explain_compare(struct page *page, struct span a, struct span b)
{
	struct span codes[] = {a, b};
	struct buf text;
	enum err err = OK;

	if (catalogue_order(a, b) > 0) {
		codes[0] = b;
		codes[1] = a;
	}
	for (size_t i = 0; i < LEN(codes); i++)
		if (!catalogue_find(codes[i]))
			return ERR_NOT_FOUND;
	for (size_t i = 0; i < (catalogue_order(a, b) == 0 ? 1u : 2u); i++)
		page_row(page, codes[i], 6, text_of(page, catalogue_find(codes[i])->name));
	buf_init(&text, 16384);
	for (unsigned i = 0; !err && i < CATALOGUE_ASPECT_COUNT; i++) {
		enum catalogue_aspect aspect = (enum catalogue_aspect)i;

		buf_reset(&text);
		err = catalogue_compare_aspect(&text, page->language, a, b, aspect);
		if (text.len) {
			page_word_heading(page, catalogue_aspect_word(aspect));
			page_text(page, buf_span(&text));
		}
	}
	buf_fini(&text);
	return err;
}
