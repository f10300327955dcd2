/*
 * Addresses: what a path stands for, and the path of what a page links to.  Those of files are
 * relative and end in index.html, so that they work from a disk and on any web server.
 */
#include "web/web_internal.h"

enum { NAME_BYTES_MAX = 64 };

void
web_site_init(struct web_site *site, bool served)
{
	const struct language *language;

	*site = (struct web_site){.served = served, .language_count = 1};
	for (size_t i = 0; (language = language_at(i)) != NULL; i++) {
		check(site->language_count < WEB_LANGUAGES_MAX);
		site->languages[site->language_count++] = language;
	}
}

/* "5.7.1", "252", "x.7.1": digits and dots, and X or x. */
static bool
is_code(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_digit(name.ptr[i]) && !strchr(".xX", name.ptr[i]))
			return false;
	return name.len > 0 && name.len < NAME_BYTES_MAX;
}

/* Any code that can be said something about, also one that nobody has listed. */
static bool
code_find(struct span name, struct explain_code *code)
{
	struct explain explain;

	if (!is_code(name) || explain_parse(name, &explain) != OK || explain.group)
		return false;
	*code = *explain.basic.name ? explain.basic : explain.status;
	return *code->name && (code->entry || code->class || code->subject);
}

/* "4xx", "X.7.x", written anyhow. */
static const struct catalogue_group *
group_find(struct span name)
{
	char copy[NAME_BYTES_MAX];

	if (!is_code(name))
		return NULL;
	span_lower(copy, name);
	if (copy[0] == 'x' && name.len > 1 && copy[1] == '.')
		copy[0] = 'X';
	return catalogue_group(span_of(copy, name.len));
}

/* "starttls"; or with its kind, since one of another kind may have that key: "keyword/starttls". */
static const struct catalogue_topic *
topic_find(struct span name)
{
	struct span key = name, kind;

	if (span_find(name, '/') == name.len)
		return catalogue_topic_find(name);
	(void)span_cut(&key, '/', &kind);
	for (unsigned i = 0; i < CATALOGUE_KIND_COUNT; i++)
		if (span_eq_nocase(kind, span_str(catalogue_kind_key((enum catalogue_kind)i))))
			return catalogue_topic((enum catalogue_kind)i, key);
	return NULL;
}

static bool
name_find(struct span name, struct web_target *target)
{
	target->group = group_find(name);
	if (target->group) {
		target->kind = WEB_GROUP;
		return true;
	}
	if (code_find(name, &target->a)) {
		target->kind = WEB_CODE;
		return true;
	}
	target->kind = WEB_TOPIC;
	target->topic = topic_find(name);
	return target->topic != NULL;
}

static const struct {
	struct span path;
	enum web_kind kind;
} fixed[] = {
    {{"", 0}, WEB_INDEX},
    {{"compare", 7}, WEB_PAIRS},
    {{"search", 6}, WEB_SEARCH},
    {{"paste", 5}, WEB_PASTE},
    {{"words.js", 8}, WEB_WORDS},
    {{"style.css", 9}, WEB_STYLE},
    {{"reference.js", 12}, WEB_SCRIPT},
};

bool
web_comparison(struct span a, struct span b, struct web_target *target)
{
	struct explain_code one, other;

	if (!code_find(a, &one) || !code_find(b, &other) || !one.entry || !other.entry ||
	    strcmp(one.name, other.name) == 0)
		return false;
	*target = (struct web_target){.kind = WEB_COMPARE, .a = one, .b = other};
	if (catalogue_order(span_str(one.name), span_str(other.name)) > 0) {
		target->a = other;
		target->b = one;
	}
	return true;
}

bool
web_target_find(struct span path, struct web_target *target)
{
	*target = (struct web_target){0};
	if (span_eq(path, SPAN("index.html")))
		path = SPAN("");
	else if (span_ends_nocase(path, SPAN("/index.html")))
		path = span_first(path, path.len - SPAN("/index.html").len);
	while (path.len && path.ptr[path.len - 1] == '/')
		path = span_first(path, path.len - 1);
	for (size_t i = 0; i < LEN(fixed); i++)
		if (span_eq(path, fixed[i].path)) {
			target->kind = fixed[i].kind;
			return true;
		}
	if (span_starts_nocase(path, SPAN("compare/"))) {
		struct span b = span_skip(path, SPAN("compare/").len), a;

		return span_cut(&b, '-', &a) && web_comparison(a, b, target);
	}
	return name_find(path, target);
}

void
web_target_path(struct buf *out, const struct web_target *target)
{
	for (size_t i = 0; i < LEN(fixed); i++)
		if (fixed[i].kind == target->kind) {
			buf_add(out, fixed[i].path);
			return;
		}
	if (target->kind == WEB_TOPIC &&
	    catalogue_topic_find(span_str(target->topic->key)) != target->topic)
		buf_addf(out, "%s/", catalogue_kind_key(target->topic->kind));
	if (target->kind == WEB_COMPARE)
		buf_addf(out, "compare/%s-%s", target->a.name, target->b.name);
	else
		web_path_part(out, web_target_key(target));
}

static bool
has_word(const char *list, const char *word)
{
	struct span rest = span_str(list), one;

	while (rest.len && span_cut(&rest, ' ', &one))
		if (span_eq(one, span_str(word)))
			return true;
	return false;
}

/* A detail is said in the classes of the replies that go with it; else in both kinds of failure. */
static bool
has_class(const struct catalogue_entry *entry, char class)
{
	struct span rest = span_str(entry->with), one;

	if (rest.len == 0)
		return class != '2';
	while (rest.len && span_cut(&rest, ' ', &one))
		if (one.ptr[0] == class)
			return true;
	return false;
}

static bool
is_pair_by_hand(const struct web_target *target)
{
	struct catalogue_pair_texts pair;

	for (size_t i = 0; catalogue_pair_at(i, &pair); i++)
		if (strcmp(pair.a, target->a.name) == 0 && strcmp(pair.b, target->b.name) == 0)
			return true;
	return false;
}

bool
web_is_written(const struct web_target *target)
{
	const struct catalogue_entry *a = target->a.entry, *b = target->b.entry;

	switch (target->kind) {
	case WEB_CODE:
		return a && (target->a.name[1] != '.' || target->a.name[0] == 'X' ||
				has_class(a, target->a.name[0]));
	case WEB_COMPARE:
		return is_pair_by_hand(target) ||
		       (strcmp(target->a.name, a->code) == 0 &&
			   strcmp(target->b.name, b->code) == 0 &&
			   (a->code[0] == 'X') == (b->code[0] == 'X') &&
			   (has_word(a->see, b->code) || has_word(b->see, a->code)));
	case WEB_PASTE:
		return false;
	case WEB_INDEX:
	case WEB_GROUP:
	case WEB_TOPIC:
	case WEB_PAIRS:
	case WEB_SEARCH:
	case WEB_WORDS:
	case WEB_STYLE:
	case WEB_SCRIPT:
		return true;
	}
	return false;
}

struct web_target
web_related(struct span related, const struct explain_code *from)
{
	struct web_target target;
	struct buf name;

	buf_init(&name, EXPLAIN_CODE_BYTES);
	explain_related(&name, related, from);
	target = (struct web_target){.kind = WEB_CODE};
	if (!code_find(buf_span(&name), &target.a) || !web_is_written(&target)) {
		target.kind = WEB_CODE;
		if (!code_find(related, &target.a))
			check(name_find(related, &target));
	}
	buf_fini(&name);
	return target;
}

/* The pairs of an entry and its neighbours, each once. */
static void
each_neighbour(const struct catalogue_entry *entry,
    void (*each)(void *owner, const struct web_target *target), void *owner)
{
	struct span rest = span_str(entry->see), see;

	while (rest.len && span_cut(&rest, ' ', &see)) {
		const struct catalogue_entry *other = catalogue_find(see);
		struct web_target target;

		if (!other || !web_comparison(span_str(entry->code), see, &target) ||
		    !web_is_written(&target) || is_pair_by_hand(&target))
			continue;
		/* Where each names the other, the lower one gives the pair. */
		if (target.a.entry != entry && has_word(other->see, entry->code))
			continue;
		each(owner, &target);
	}
}

static void
each_code(const struct catalogue_entry *entry,
    void (*each)(void *owner, const struct web_target *target), void *owner)
{
	struct web_target target = {.kind = WEB_CODE};
	char name[EXPLAIN_CODE_BYTES];

	check(strlen(entry->code) < sizeof(name));
	memcpy(name, entry->code, strlen(entry->code) + 1);
	check(code_find(span_str(name), &target.a));
	each(owner, &target);
	if (name[0] == 'X')
		for (const char *class = "245"; *class; class++) {
			name[0] = *class;
			check(code_find(span_str(name), &target.a));
			if (web_is_written(&target))
				each(owner, &target);
		}
	each_neighbour(entry, each, owner);
}

void
web_each(void (*each)(void *owner, const struct web_target *target), void *owner)
{
	static const enum web_kind single[] = {WEB_INDEX, WEB_PAIRS, WEB_SEARCH, WEB_WORDS};
	const struct catalogue_entry *entry;
	const struct catalogue_group *group;
	const struct catalogue_topic *topic;
	struct catalogue_pair_texts pair;
	struct web_target target;

	for (size_t i = 0; i < LEN(single); i++)
		each(owner, &(struct web_target){.kind = single[i]});
	for (size_t i = 0; (group = catalogue_group_at(i)) != NULL; i++)
		each(owner, &(struct web_target){.kind = WEB_GROUP, .group = group});
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++)
		each(owner, &(struct web_target){.kind = WEB_TOPIC, .topic = topic});
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++)
		each_code(entry, each, owner);
	for (size_t i = 0; catalogue_pair_at(i, &pair); i++)
		if (web_comparison(span_str(pair.a), span_str(pair.b), &target))
			each(owner, &target);
}

void
web_file_path(
    struct buf *out, const struct language *language, const struct web_target *target)
{
	bool shared = target->kind == WEB_STYLE || target->kind == WEB_SCRIPT;

	if (language && !shared)
		buf_addf(out, "%s/", language_tag(language));
	web_target_path(out, target);
	if (shared || target->kind == WEB_WORDS)
		return;
	buf_add_str(out, target->kind == WEB_INDEX ? "index.html" : "/index.html");
}

/* How many folders a path goes down. */
static size_t
depth_of(struct span path)
{
	size_t depth = 0;

	for (size_t i = 0; i < path.len; i++)
		depth += path.ptr[i] == '/';
	return depth;
}

void
web_address_in(const struct web_page *page, const struct web_target *target,
    const struct language *language)
{
	bool shared = target->kind == WEB_STYLE || target->kind == WEB_SCRIPT;
	/* The words' script is of a language whatever the page's address is. */
	bool prefixed = page->prefixed || language != page->language ||
			target->kind == WEB_WORDS;
	struct buf path;

	buf_init(&path, WEB_PATH_BYTES_MAX);
	if (page->site->served) {
		buf_add_str(page->out, "/reference");
		if (prefixed && !shared)
			buf_addf(page->out, "/%s", language_tag(language));
		web_target_path(&path, target);
		if (path.len)
			buf_add_char(page->out, '/');
		buf_add(page->out, buf_span(&path));
	} else {
		web_file_path(&path, page->language, &page->target);
		for (size_t depth = depth_of(buf_span(&path)); depth > 0; depth--)
			buf_add_str(page->out, "../");
		web_file_path(page->out, language, target);
	}
	buf_fini(&path);
}

void
web_address(const struct web_page *page, const struct web_target *target)
{
	web_address_in(page, target, page->language);
}
