#include "replies/help.h"

#include "base/check.h"

static const struct topic {
	const char *tag, *text;
} topics[] = {
#define HELP_TOPIC(tag, text) {tag, text},
#include "replies/help_list.h"
#undef HELP_TOPIC
};

struct span
help_text(struct span tag)
{
	for (size_t i = 0; i < LEN(topics); i++)
		if (span_eq_nocase(tag, span_str(topics[i].tag)))
			return span_str(topics[i].text);
	return SPAN("");
}

struct span
help_tag_at(size_t index)
{
	return span_str(index < LEN(topics) ? topics[index].tag : NULL);
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
