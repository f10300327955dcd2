/*
 * Patterns, of which the first that fits counts: "example.org", ".example.org" (all below it),
 * "joe@example.org", "" (all).  One that stands behind another which takes all of its mail can
 * only be a mistake.
 */
#include "conf/conf_internal.h"

/* The text under which a pattern is remembered: what it is for, a space, the pattern. */
static void
key_write(struct buf *out, const char *what, struct span pattern)
{
	buf_reset(out);
	buf_addf(out, "%s ", what);
	for (size_t i = 0; i < pattern.len; i++)
		buf_add_char(out, ascii_lower(pattern.ptr[i]));
}

/* An earlier pattern that takes all of this one's mail; NULL where there is none. */
static const struct conf_place *
hidden_by(const struct conf_parser *parser, const char *what, struct span pattern)
{
	struct conf_place *before;
	struct buf key;

	buf_init(&key, CONF_TEXT_MAX);
	key_write(&key, what, SPAN(""));
	before = map_get(&parser->seen, buf_span(&key));
	for (size_t i = 1; i < pattern.len && !before; i++) {
		if (pattern.ptr[i] != '.' && pattern.ptr[i] != '@')
			continue;
		key_write(
		    &key, what, span_skip(pattern, pattern.ptr[i] == '@' ? i + 1 : i));
		before = map_get(&parser->seen, buf_span(&key));
	}
	buf_fini(&key);
	return before;
}

bool
conf_pattern_once(struct conf_parser *parser, const char *what, struct conf_place place,
    struct span pattern)
{
	const struct conf_place *before = hidden_by(parser, what, pattern);
	struct buf key;
	bool first;

	if (before && pattern.len == 0)
		return conf_parser_fail(parser, place,
		    "a %s for all mail was given already, at %.*s:%u", what,
		    SPAN_ARGS(before->file->name), conf_place_line(*before));
	if (before)
		return conf_parser_fail(parser, place,
		    "this %s for %s is never used: the one at %.*s:%u comes first and "
		    "takes that mail",
		    what, conf_quote(pattern).text, SPAN_ARGS(before->file->name),
		    conf_place_line(*before));
	buf_init(&key, CONF_TEXT_MAX);
	key_write(&key, what, pattern);
	first = conf_parser_once(parser, place, buf_span(&key));
	buf_fini(&key);
	return first;
}
