/*
 * Searching, twice: by a server, and by the script, from the words that are written for it here.
 * Both find what holds all words that were asked for, first where the code is one of them, then
 * where the name has them, then the text.
 */
#include "replies/search.h"
#include "web/web_internal.h"

enum { TERMS_MAX = 8, TERM_BYTES_MAX = 64, TEXT_BYTES_MAX = 1 << 15 };

struct term {
	char bytes[TERM_BYTES_MAX];
	size_t len;
};

struct search {
	struct web_page *page;
	struct term terms[TERMS_MAX];
	size_t term_count;
	unsigned rank; /* of those that are written now: 3 the code, 2 the name, 1 the text */
	size_t found;
	struct buf text;
};

static void
take_terms(struct search *search, struct span question)
{
	struct buf lower;
	struct span rest, word;

	buf_init(&lower, WEB_QUESTION_BYTES_MAX);
	search_fold(&lower, span_first(question, WEB_QUESTION_BYTES_MAX));
	rest = buf_span(&lower);
	while (rest.len && search->term_count < TERMS_MAX && span_cut(&rest, ' ', &word)) {
		struct term *term = &search->terms[search->term_count];

		word = span_first(span_trim(word), TERM_BYTES_MAX);
		if (word.len == 0)
			continue;
		memcpy(term->bytes, word.ptr, word.len);
		term->len = word.len;
		search->term_count++;
	}
	buf_fini(&lower);
}

static const char *
meaning_of(const struct web_target *target)
{
	if (target->kind == WEB_GROUP)
		return target->group->meaning;
	if (target->kind == WEB_TOPIC)
		return target->topic->meaning;
	return target->a.entry->meaning;
}

/* Codes of the catalogue, groups and topics: those that a search may find. */
static bool
is_searched(const struct web_target *target)
{
	return target->kind == WEB_GROUP || target->kind == WEB_TOPIC ||
	       (target->kind == WEB_CODE &&
		   (target->a.name[1] != '.' || target->a.name[0] == 'X'));
}

/* "5.7.1" is asked for where the catalogue has "X.7.1". */
static bool
is_key(const struct web_target *target, const struct term *term)
{
	struct span key = web_target_key(target), asked = span_of(term->bytes, term->len);

	if (span_eq_nocase(key, asked))
		return true;
	return key.ptr[0] == 'X' && asked.len == key.len &&
	       memchr("245", asked.ptr[0], 3) != NULL &&
	       span_eq(span_skip(key, 1), span_skip(asked, 1));
}

static unsigned
rank_of(struct search *search, const struct web_target *target)
{
	const struct language *language = search->page->language;
	unsigned rank = 2;
	size_t name_end;

	buf_reset(&search->text);
	search_fold(&search->text, web_target_key(target));
	buf_add_char(&search->text, '\n');
	search_fold(&search->text, span_str(language_text(language, web_target_name(target))));
	name_end = search->text.len;
	buf_add_char(&search->text, '\n');
	search_fold(&search->text, span_str(language_text(language, meaning_of(target))));
	for (size_t i = 0; i < search->term_count; i++)
		if (is_key(target, &search->terms[i]))
			return 3;
	for (size_t i = 0; i < search->term_count; i++) {
		const struct term *term = &search->terms[i];
		const char *at = memmem(
		    search->text.ptr, search->text.len, term->bytes, term->len);

		if (!at)
			return 0;
		if ((size_t)(at - search->text.ptr) >= name_end)
			rank = 1;
	}
	return rank;
}

static void
take(void *owner, const struct web_target *target)
{
	struct search *search = owner;

	if (!is_searched(target) || search->found >= WEB_RESULTS_MAX ||
	    rank_of(search, target) != search->rank)
		return;
	search->found++;
	web_row(search->page, target);
}

/* The comparison of two codes, where that is the question. */
static void
take_comparison(struct search *search)
{
	struct web_page *page = search->page;
	struct web_target both;

	if (search->term_count != 2 ||
	    !web_comparison(span_of(search->terms[0].bytes, search->terms[0].len),
		span_of(search->terms[1].bytes, search->terms[1].len), &both))
		return;
	WEB_RAW(page, "<li>");
	web_link(page, &both);
	WEB_RAW(page, "<span>");
	web_word_with(page, WORD_WEB_DIFFERENCE,
	    &(struct word_fields){
		.a = span_str(both.a.name), .b = span_str(both.b.name)});
	WEB_RAW(page, "</span></a></li>\n");
	search->found++;
}

static void
write_found(struct web_page *page)
{
	struct search search = {.page = page};

	take_terms(&search, page->question);
	buf_init(&search.text, TEXT_BYTES_MAX);
	if (page->site->served && search.term_count) {
		take_comparison(&search);
		for (search.rank = 3; search.rank > 0; search.rank--)
			web_each(take, &search);
	}
	buf_fini(&search.text);
	WEB_RAW(page, "</ul>\n<p id=\"nothing\" role=\"status\">");
	if (search.term_count && search.found == 0 && page->site->served)
		web_word_with(
		    page, WORD_WEB_NOTHING, &(struct word_fields){.text = page->question});
	WEB_RAW(page, "</p>\n");
}

void
web_search_write(struct web_page *page)
{
	bool asked = page->site->served && span_trim(page->question).len > 0;

	web_page_begin(page, span_str(word_text(page->language, WORD_WEB_SEARCH)), SPAN(""));
	WEB_RAW(page, "<h1>");
	web_word(page, WORD_WEB_SEARCH);
	WEB_RAW(page, "</h1>\n<p class=\"hint\">");
	web_word(page, WORD_WEB_SEARCH_HINT);
	/* What the script needs to know to do the same. */
	WEB_RAW(page, "</p>\n<ul class=\"rows\" id=\"found\" data-before=\"");
	if (page->site->served) {
		web_address(page, &(struct web_target){.kind = WEB_INDEX});
		WEB_RAW(page, "/\" data-after=\"\"");
	} else {
		WEB_RAW(page, "../\" data-after=\"/index.html\"");
	}
	WEB_RAW(page, " data-nothing=\"");
	web_word_with(page, WORD_WEB_NOTHING, &(struct word_fields){.text = SPAN("{text}")});
	WEB_RAW(page, "\" data-both=\"");
	web_word_with(page, WORD_WEB_DIFFERENCE,
	    &(struct word_fields){.a = SPAN("{a}"), .b = SPAN("{b}")});
	WEB_RAW(page, "\">\n");
	write_found(page);
	if (!asked) {
		WEB_RAW(page, "<div id=\"all\">\n");
		web_list_all(page);
		WEB_RAW(page, "</div>\n");
	}
	web_page_end(page);
}

struct words {
	struct web_page *page;
	bool pairs;
	bool first;
};

static void
add_words(void *owner, const struct web_target *target)
{
	struct words *words = owner;
	struct web_page *page = words->page;
	struct buf path;

	if (words->pairs ? target->kind != WEB_COMPARE : !is_searched(target))
		return;
	buf_add_str(page->out, words->first ? "\n" : ",\n");
	words->first = false;
	if (words->pairs) {
		buf_addf(page->out, "\"%s-%s\"", target->a.name, target->b.name);
		return;
	}
	WEB_RAW(page, "[");
	web_json(page->out, web_target_key(target));
	WEB_RAW(page, ",");
	web_json(page->out,
	    span_str(language_text(page->language, web_target_name(target))));
	WEB_RAW(page, ",");
	web_json(page->out, span_str(language_text(page->language, meaning_of(target))));
	buf_init(&path, WEB_PATH_BYTES_MAX);
	web_target_path(&path, target);
	if (!span_eq(buf_span(&path), web_target_key(target))) {
		WEB_RAW(page, ",");
		web_json(page->out, buf_span(&path));
	}
	buf_fini(&path);
	WEB_RAW(page, "]");
}

void
web_words_write(struct web_page *page)
{
	struct words words = {.page = page, .first = true};

	WEB_RAW(page, "var referencePages = [");
	web_each(add_words, &words);
	WEB_RAW(page, "];\nvar referencePairs = [");
	words = (struct words){.page = page, .pairs = true, .first = true};
	/* A server compares any two. */
	if (!page->site->served)
		web_each(add_words, &words);
	buf_addf(page->out, "];\nvar referenceAnyPair = %s;\n",
	    page->site->served ? "true" : "false");
}
