#include "replies/help.h"

#include "base/check.h"
#include "replies/explain.h"

enum { CODE_BYTES_MAX = 9 };

static const struct topic {
	const char *tag, *keys;
} topics[] = {
#define HELP_TOPIC(tag, keys) {tag, keys},
#include "replies/help_list.h"
#undef HELP_TOPIC
};

/* Lines are made by a page of its own, so that out may hold other things. */
struct help {
	struct buf text;
	struct page page;
};

static void
help_init(struct help *help)
{
	*help = (struct help){.page = {.out = &help->text, .width = PAGE_WIDTH_MAX}};
	buf_init(&help->text, HELP_BYTES_MAX);
}

/* Moves what was made to out, as many lines as HELP gives, the last without its end. */
static bool
help_fini(struct help *help, struct buf *out)
{
	struct span text = span_trim(buf_span(&help->text)), line;
	size_t count = 0;

	for (; count < HELP_LINES_MAX && span_cut(&text, '\n', &line); count++) {
		buf_add_str(out, count ? "\n" : "");
		buf_add(out, line);
	}
	buf_fini(&help->text);
	return count > 0;
}

static void
add(struct help *help, const char *text)
{
	struct span rest = span_str(text), paragraph;

	/* No empty lines: each would be a reply line. */
	while (span_cut(&rest, '\n', &paragraph))
		if (paragraph.len)
			page_paragraph(&help->page, paragraph);
}

static void
add_word(struct help *help, enum word word, const char *text)
{
	struct buf row;

	if (!*text)
		return;
	buf_init(&row, HELP_BYTES_MAX);
	word_add(&row, NULL, word, &(struct word_fields){.text = span_str(text)});
	buf_add_char(&row, '\0');
	add(help, row.ptr);
	buf_fini(&row);
}

static void
add_name(struct help *help, const char *key, const char *name)
{
	struct buf row;

	buf_init(&row, HELP_BYTES_MAX);
	buf_addf(&row, "%s%s%s.", key, *key ? " " : "", name);
	buf_add_char(&row, '\0');
	add(help, row.ptr);
	buf_fini(&row);
}

/* Of a refusal's tag: what it means, and what who runs the other side can do. */
static bool
add_key(struct help *help, struct span key)
{
	const struct catalogue_entry *entry = catalogue_find(key);
	const struct catalogue_topic *topic = entry ? NULL : catalogue_topic_find(key);

	if (!entry && !topic)
		return false;
	add_name(help, "", entry ? entry->name : topic->name);
	add(help, entry ? entry->meaning : topic->meaning);
	add_word(help, WORD_ADMIN, entry ? entry->admin : topic->admin);
	add_word(help, WORD_DEVELOPER, entry ? entry->developer : topic->developer);
	return true;
}

static void
add_group(struct help *help, const struct catalogue_group *group)
{
	if (!group)
		return;
	add_name(help, group->code, group->name);
	add(help, group->meaning);
	add(help, group->client);
	add(help, group->fix);
}

static void
add_code(struct help *help, const struct explain_code *code)
{
	const struct catalogue_entry *entry = code->entry;

	if (!entry) {
		add_group(help, code->class);
		add_group(help, code->subject);
		return;
	}
	add_name(help, code->name, entry->name);
	add(help, entry->meaning);
	add(help, entry->when);
	add_word(help, WORD_SENDER, entry->sender);
	add_word(help, WORD_ADMIN, entry->admin);
	add_word(help, WORD_DEVELOPER, entry->developer);
}

bool
help_add_topic(struct buf *out, struct span tag)
{
	struct help help;

	help_init(&help);
	for (size_t i = 0; i < LEN(topics); i++) {
		struct span keys = span_str(topics[i].keys), key;

		while (span_eq_nocase(tag, span_str(topics[i].tag)) && span_cut(&keys, ' ', &key))
			check(add_key(&help, key));
	}
	return help_fini(&help, out);
}

bool
help_add_code(struct buf *out, struct span code)
{
	struct explain explain;
	struct help help;

	if (code.len < 3 || code.len > CODE_BYTES_MAX)
		return false;
	for (size_t i = 0; i < code.len; i++)
		if (!ascii_is_digit(code.ptr[i]) && !strchr(".xX", code.ptr[i]))
			return false;
	help_init(&help);
	if (explain_parse(code, &explain) == OK) {
		add_group(&help, explain.group);
		if (!explain.group && *explain.basic.name)
			add_code(&help, &explain.basic);
		if (!explain.group && *explain.status.name)
			add_code(&help, &explain.status);
	}
	return help_fini(&help, out);
}

struct span
help_tag_at(size_t index)
{
	return span_str(index < LEN(topics) ? topics[index].tag : NULL);
}

struct span
help_keys_at(size_t index)
{
	return span_str(index < LEN(topics) ? topics[index].keys : NULL);
}

struct span
help_tag_of(struct span text)
{
	const struct span before = SPAN(" (HELP ");
	size_t at = span_find_last(text, '(');
	struct span tag;

	if (at == 0 || at >= text.len || text.ptr[text.len - 1] != ')' ||
	    !span_starts(span_skip(text, at - 1), before))
		return SPAN("");
	tag = span_skip(text, at - 1 + before.len);
	return span_first(tag, tag.len - 1);
}
