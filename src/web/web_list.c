/* Lists of all pages, in sections: the first page, and below what was not found. */
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

struct listing {
	struct web_page *page;
	enum list list;
	size_t count;
	bool write;
};

static void
take(void *owner, const struct web_target *target)
{
	struct listing *listing = owner;

	if (list_of(target) != listing->list)
		return;
	listing->count++;
	if (listing->write)
		web_row(listing->page, target);
}

static bool
is_empty(struct web_page *page, enum list list)
{
	struct listing listing = {.page = page, .list = list};

	web_each(take, &listing);
	return listing.count == 0;
}

void
web_list_all(struct web_page *page)
{
	WEB_RAW(page, "<nav class=\"contents\" aria-label=\"");
	web_word(page, WORD_WEB_CONTENTS);
	WEB_RAW(page, "\"><ul>\n");
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		if (is_empty(page, (enum list)i))
			continue;
		buf_addf(page->out, "<li><a href=\"#%s\">", lists[i].id);
		web_word(page, lists[i].word);
		WEB_RAW(page, "</a></li>\n");
	}
	WEB_RAW(page, "</ul></nav>\n");
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		struct listing listing = {.page = page, .list = (enum list)i, .write = true};

		if (is_empty(page, (enum list)i))
			continue;
		WEB_RAW(page, "<section>\n");
		web_heading(page, lists[i].id, lists[i].word);
		buf_addf(page->out, "<ul class=\"rows%s\">\n", i >= LIST_TOPICS ? " long" : "");
		web_each(take, &listing);
		WEB_RAW(page, "</ul>\n</section>\n");
	}
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
