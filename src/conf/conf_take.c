/*
 * What statements take: words, values, lists.  Each leaves the parser at the next token,
 * or adds one error and says false.
 */
#include "conf/conf_internal.h"

#include <stdarg.h>
#include <stdio.h>

bool
conf_parser_fail(
    struct conf_parser *parser, struct conf_place place, const char *format, ...)
{
	char text[CONF_TEXT_MAX];
	va_list args;

	va_start(args, format);
	/* What is cut off is only the end of a long sentence. */
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_error_add(&parser->errors, place, "%s", text);
	return false;
}

bool
conf_parser_at_value(const struct conf_parser *parser)
{
	return conf_token_is_value(&parser->token);
}

bool
conf_parser_is(const struct conf_parser *parser, const char *word)
{
	return parser->token.kind == CONF_WORD &&
	       span_eq_nocase(parser->token.text, span_str(word));
}

bool
conf_parser_expect(struct conf_parser *parser, const char *word)
{
	if (!conf_parser_is(parser, word))
		return conf_parser_fail(parser, parser->token.place,
		    "expected \"%s\", not %s", word,
		    conf_token_quote(&parser->token).text);
	conf_parser_advance(parser);
	return true;
}

bool
conf_parser_value(struct conf_parser *parser, const char *what, struct conf_token *value)
{
	if (!conf_parser_at_value(parser))
		return conf_parser_fail(parser, parser->token.place,
		    "expected %s, not %s", what, conf_token_quote(&parser->token).text);
	*value = parser->token;
	conf_parser_advance(parser);
	return true;
}

bool
conf_parser_more(struct conf_parser *parser)
{
	if (parser->token.kind != CONF_COMMA)
		return false;
	do
		conf_parser_advance(parser);
	while (parser->token.kind == CONF_NEWLINE);
	return true;
}

/* "smtp, submission or submissions" */
static void
write_choices(struct buf *out, const char *(*name)(unsigned), unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		buf_addf(out, "%s%s",
		    i == 0	     ? ""
		    : i + 1 == count ? " or "
				     : ", ",
		    name(i));
}

bool
conf_parser_choice(struct conf_parser *parser, const char *(*name)(unsigned),
    unsigned count, unsigned *choice)
{
	struct conf_token word = parser->token;
	struct conf_nearest nearest = {0};
	struct buf all;

	for (unsigned i = 0; i < count; i++) {
		*choice = i;
		if (conf_parser_is(parser, name(i))) {
			conf_parser_advance(parser);
			return true;
		}
		if (conf_token_is_value(&word))
			conf_nearest_offer(&nearest, word.text, name(i));
	}
	buf_init(&all, CONF_TEXT_MAX);
	write_choices(&all, name, count);
	conf_parser_fail(parser, word.place, "expected %.*s, not %s%s%s%s",
	    SPAN_ARGS(buf_span(&all)), conf_token_quote(&word).text,
	    nearest.word ? "; did you mean \"" : "", nearest.word ? nearest.word : "",
	    nearest.word ? "\"?" : "");
	buf_fini(&all);
	return false;
}

struct span
conf_parser_lower(struct conf_parser *parser, struct span text)
{
	char *copy = arena_alloc(parser->arena, text.len);

	check(copy != NULL);
	return span_lower(copy, text);
}

bool
conf_parser_once(struct conf_parser *parser, struct conf_place place, struct span what)
{
	struct conf_place *before = map_get(&parser->seen, what);
	struct span name = span_skip(what, span_find(what, ' ') + 1);
	struct span key;

	if (before)
		return conf_parser_fail(parser, place, "%s was said already, at %.*s:%u",
		    conf_quote(name).text, SPAN_ARGS(before->file->name),
		    conf_place_line(*before));
	before = arena_alloc(&parser->scratch, sizeof(*before));
	check(before && arena_copy(&parser->scratch, what, &key));
	*before = place;
	map_set(&parser->seen, key, before);
	return true;
}

bool
conf_parser_path(
    struct conf_parser *parser, const char *what, size_t bytes_max, struct span *path)
{
	struct conf_token value;
	struct conf_path whole;

	if (!conf_parser_value(parser, what, &value))
		return false;
	if (value.text.len == 0)
		return conf_parser_fail(
		    parser, value.place, "expected %s, not an empty name", what);
	if (!conf_bundle_path(value.place.file->name, value.text, &whole) ||
	    whole.len > bytes_max)
		return conf_parser_fail(
		    parser, value.place, "the path is longer than %zu bytes", bytes_max);
	check(arena_copy(parser->arena, span_of(whole.bytes, whole.len), path));
	return true;
}

void
conf_list_add(
    struct conf_list *list, const void *item, size_t item_bytes, struct conf_place place)
{
	if (list->count == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		list->items = mem_realloc(list->items, list->room * item_bytes);
		list->places =
		    mem_realloc(list->places, list->room * sizeof(*list->places));
	}
	memcpy((char *)list->items + list->count * item_bytes, item, item_bytes);
	list->places[list->count++] = place;
}

struct conf_place
conf_parser_place_of(
    const struct conf_parser *parser, const char *block, const char *words)
{
	const struct conf_option *option = conf_option_find(block, words);
	size_t index = 0;

	check(option != NULL);
	while (conf_option_at(index) != option)
		index++;
	return parser->places[index];
}
