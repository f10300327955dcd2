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
	buf_add_lower(out, pattern);
}

/* An earlier pattern that takes all of this one's mail; NULL where there is none. */
static const struct conf_place *
hidden_by(const struct conf_parser *parser, const char *what, struct span pattern)
{
	struct conf_place *before;
	struct buf key;

	buf_init(&key, 2 * CONF_TEXT_MAX);
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

static bool
fail_hidden(struct conf_parser *parser, const char *what, struct conf_place place,
    struct span pattern, const struct conf_place *before)
{
	if (pattern.len == 0)
		return conf_parser_fail(parser, place,
		    "a %s for all mail was given already, at %.*s:%u", what,
		    SPAN_ARGS(before->file->name), conf_place_line(*before));
	return conf_parser_fail(parser, place,
	    "this %s for %s is never used: the one at %.*s:%u comes first and takes that mail",
	    what, conf_quote(pattern).text, SPAN_ARGS(before->file->name),
	    conf_place_line(*before));
}

static bool
remember(struct conf_parser *parser, const char *what, struct conf_place place,
    struct span pattern)
{
	struct buf key;
	bool first;

	buf_init(&key, 2 * CONF_TEXT_MAX);
	key_write(&key, what, pattern);
	first = conf_parser_once(parser, place, buf_span(&key));
	buf_fini(&key);
	return first;
}

bool
conf_pattern_once(struct conf_parser *parser, const char *what, struct conf_place place,
    struct span pattern)
{
	const struct conf_place *before = hidden_by(parser, what, pattern);

	if (before)
		return fail_hidden(parser, what, place, pattern, before);
	return remember(parser, what, place, pattern);
}

/* What routes for that sender are remembered by; "route" for those of any sender. */
static void
write_what(struct buf *what, struct span sender)
{
	buf_reset(what);
	buf_add_str(what, "route");
	if (sender.len > 0)
		buf_add_char(what, '/');
	buf_add_lower(what, sender);
	buf_add_char(what, '\0');
}

/* An earlier route, for a sender that is above this one, that takes all of the pattern's mail. */
static const struct conf_place *
hidden_by_sender(const struct conf_parser *parser, struct span above, struct span pattern,
    bool itself)
{
	const struct conf_place *before;
	struct buf what, key;

	buf_init(&what, CONF_TEXT_MAX);
	buf_init(&key, 2 * CONF_TEXT_MAX);
	write_what(&what, above);
	before = hidden_by(parser, what.ptr, pattern);
	key_write(&key, what.ptr, pattern);
	if (!before && !itself)
		before = map_get(&parser->seen, buf_span(&key));
	buf_fini(&what);
	buf_fini(&key);
	return before;
}

bool
conf_pattern_route_free(struct conf_parser *parser, struct conf_place place,
    struct span sender, struct span pattern)
{
	const struct conf_place *before =
	    hidden_by_sender(parser, SPAN(""), pattern, sender.len == 0);

	for (size_t i = 1; i < sender.len && !before; i++)
		if (sender.ptr[i] == '.' || sender.ptr[i] == '@')
			before = hidden_by_sender(parser,
			    span_skip(sender, sender.ptr[i] == '@' ? i + 1 : i), pattern,
			    false);
	if (!before && sender.len > 0)
		before = hidden_by_sender(parser, sender, pattern, true);
	if (!before)
		return true;
	if (sender.len > 0 && pattern.len == 0)
		pattern = sender;
	return fail_hidden(parser, "route", place, pattern, before);
}

bool
conf_pattern_route_once(struct conf_parser *parser, struct conf_place place,
    struct span sender, struct span pattern)
{
	struct buf what;
	bool first;

	if (!conf_pattern_route_free(parser, place, sender, pattern))
		return false;
	buf_init(&what, CONF_TEXT_MAX);
	write_what(&what, sender);
	first = remember(parser, what.ptr, place, pattern);
	buf_fini(&what);
	return first;
}
