/* Lists of all pages, in sections: the first page, and below what was not found. */
#include "base/arena.h"
#include "web/web_internal.h"

enum list {
	LIST_CODES,
	LIST_STATUS,
	LIST_FOLKLORE,
	LIST_GROUPS,
	LIST_TOPICS, /* the first of the kinds */
	LIST_COUNT = LIST_TOPICS + CATALOGUE_KIND_COUNT
};

static const struct {
	const char *id;
	enum word word;
} lists[LIST_COUNT] = {
    [LIST_CODES] = {"codes", WORD_WEB_CODES},
    [LIST_STATUS] = {"status", WORD_WEB_STATUS},
    [LIST_FOLKLORE] = {"folklore", WORD_WEB_FOLKLORE},
    [LIST_GROUPS] = {"groups", WORD_WEB_GROUPS},
    [LIST_TOPICS + CATALOGUE_KEYWORD] = {"keywords", WORD_WEB_KEYWORDS},
    [LIST_TOPICS + CATALOGUE_ACTION] = {"actions", WORD_WEB_ACTIONS},
    [LIST_TOPICS + CATALOGUE_AUTH_RESULT] = {"auth-results", WORD_WEB_AUTH_RESULTS},
    [LIST_TOPICS + CATALOGUE_TLS_RESULT] = {"tls-results", WORD_WEB_TLS_RESULTS},
    [LIST_TOPICS + CATALOGUE_REASON] = {"reasons", WORD_WEB_REASONS},
    [LIST_TOPICS + CATALOGUE_FINDING] = {"findings", WORD_WEB_FINDINGS},
};

/* Which list a target stands in; LIST_COUNT: none. */
static enum list
list_of(const struct web_target *target)
{
	switch (target->kind) {
	case WEB_CODE:
		if (target->a.name[1] == '.')
			return target->a.name[0] == 'X' ? LIST_STATUS : LIST_COUNT;
		return catalogue_is_standard(target->a.entry) ? LIST_CODES : LIST_FOLKLORE;
	case WEB_GROUP:
		return LIST_GROUPS;
	case WEB_TOPIC:
		return (enum list)(LIST_TOPICS + (unsigned)target->topic->kind);
	case WEB_INDEX:
	case WEB_COMPARE:
	case WEB_PAIRS:
	case WEB_SEARCH:
	case WEB_PASTE:
	case WEB_WORDS:
	case WEB_STYLE:
	case WEB_SCRIPT:
		return LIST_COUNT;
	}
	return LIST_COUNT;
}

/* All pages, walked once: that costs more than writing them. */
struct listing {
	struct web_target *at;
	size_t count, room;
	size_t counts[LIST_COUNT];
};

static void
take(void *owner, const struct web_target *target)
{
	struct listing *listing = owner;
	enum list list = list_of(target);

	if (list == LIST_COUNT)
		return;
	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 256;
		listing->at =
		    mem_realloc(listing->at, listing->room * sizeof(*listing->at));
	}
	listing->at[listing->count++] = *target;
	listing->counts[list]++;
}

static void
write_list(struct web_page *page, const struct listing *listing, enum list list)
{
	WEB_RAW(page, "<section>\n");
	web_heading(page, lists[list].id, lists[list].word);
	buf_addf(page->out, "<ul class=\"rows%s\">\n", list >= LIST_TOPICS ? " long" : "");
	for (size_t i = 0; i < listing->count; i++)
		if (list_of(&listing->at[i]) == list)
			web_row(page, &listing->at[i]);
	WEB_RAW(page, "</ul>\n</section>\n");
}

void
web_list_all(struct web_page *page)
{
	struct listing listing = {0};

	web_each(take, &listing);
	WEB_RAW(page, "<nav class=\"contents\" aria-label=\"");
	web_word(page, WORD_WEB_CONTENTS);
	WEB_RAW(page, "\"><ul>\n");
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (listing.counts[i] == 0)
			continue;
		buf_addf(page->out, "<li><a href=\"#%s\">", lists[i].id);
		web_word(page, lists[i].word);
		WEB_RAW(page, "</a></li>\n");
	}
	WEB_RAW(page, "</ul></nav>\n");
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (listing.counts[i] > 0)
			write_list(page, &listing, (enum list)i);
	mem_free(listing.at);
}

void
web_index_write(struct web_page *page)
{
	web_page_begin(page, span_str(word_text(page->language, WORD_WEB_TITLE)),
	    span_str(word_text(page->language, WORD_WEB_LEAD)));
	WEB_RAW(page, "<h1>");
	web_word(page, WORD_WEB_TITLE);
	WEB_RAW(page, "</h1>\n<p class=\"lead\">");
	web_word(page, WORD_WEB_LEAD);
	WEB_RAW(page, "</p>\n<p class=\"hint\">");
	web_word(page, WORD_WEB_SEARCH_HINT);
	WEB_RAW(page, "</p>\n");
	web_list_all(page);
	web_page_end(page);
}
