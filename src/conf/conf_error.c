/*
 * Errors for people.  What stood in the file is shown, but never its control characters
 * or broken UTF-8, and never more than fits on a line of a terminal.
 */
#include "conf/conf_internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

enum {
	SHOWN_COLUMNS = 100, /* of a source line */
	SHOWN_BEFORE = 60, /* of them, before the caret in a long line */
};

/* Bytes that go on with a character that began before take no column of their own. */
static bool
goes_on(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

static struct conf_place
line_start(struct conf_place place)
{
	while (place.at > 0 && place.file->text.ptr[place.at - 1] != '\n')
		place.at--;
	return place;
}

unsigned
conf_place_line(struct conf_place place)
{
	unsigned line = 1;

	for (size_t i = 0; i < place.at; i++)
		line += place.file->text.ptr[i] == '\n';
	return line;
}

static unsigned
column_of(struct conf_place place)
{
	unsigned column = 1;

	for (size_t i = line_start(place).at; i < place.at; i++)
		column += !goes_on(place.file->text.ptr[i]);
	return column;
}

bool
conf_errors_full(const struct conf_errors *errors)
{
	return errors->count == CONF_ERRORS_MAX;
}

void
conf_error_add(
    struct conf_errors *errors, struct conf_place place, const char *format, ...)
{
	struct conf_error *error = &errors->list[errors->count];
	struct span text = place.file->text;
	struct conf_place start;
	char words[CONF_TEXT_MAX];
	size_t end;
	va_list args;

	if (conf_errors_full(errors))
		return;
	if (errors->line.file == place.file && place.at >= errors->line.at &&
	    place.at <= errors->line_end)
		return;
	start = line_start(place);
	end = start.at + span_find(span_skip(text, start.at), '\n');
	errors->line = start;
	errors->line_end = end;

	va_start(args, format);
	/* What is cut off is only the end of a long sentence. */
	(void)vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	error->file = place.file->name;
	error->line = conf_place_line(place);
	error->column = column_of(place);
	error->source = span_of(text.ptr + start.at, end - start.at);
	if (error->source.len && error->source.ptr[error->source.len - 1] == '\r')
		error->source.len--;
	check(arena_copy(errors->arena, span_str(words), &error->text));
	errors->count++;
}

struct conf_quote
conf_quote(struct span span)
{
	struct conf_quote quote = {"\""};
	size_t len = 1;

	for (size_t i = 0; i < span.len; i++) {
		unsigned char c = (unsigned char)span.ptr[i];

		if (len >= sizeof(quote.text) - 10 && !goes_on(span.ptr[i])) {
			memcpy(quote.text + len, "...", 3);
			len += 3;
			break;
		}
		if (len >= sizeof(quote.text) - 5)
			break;
		quote.text[len++] = c < 0x20 || c == 0x7F ? '?' : (char)c;
	}
	quote.text[len] = '"';
	return quote;
}

/* The offset of a column in a line. */
static size_t
offset_of(struct span line, unsigned column)
{
	size_t at = 0;

	while (at < line.len && (column > 1 || goes_on(line.ptr[at])))
		if (!goes_on(line.ptr[at++]))
			column--;
	return at;
}

/* Text as it is, where a terminal can bear it. */
static void
write_shown(struct buf *out, struct span text)
{
	while (text.len > 0) {
		uint32_t character;
		size_t bytes = utf8_take(text, &character);

		if (bytes == 0 || conf_is_control(text))
			buf_add_char(out, '?');
		else
			buf_add(out, span_first(text, bytes));
		text = span_skip(text, bytes ? bytes : 1);
	}
}

void
conf_error_write(struct buf *out, const struct conf_error *error)
{
	unsigned first = error->column > SHOWN_COLUMNS ? error->column - SHOWN_BEFORE : 1;
	size_t start = offset_of(error->source, first);
	size_t caret = offset_of(error->source, error->column);
	size_t end = offset_of(error->source, first + SHOWN_COLUMNS);

	write_shown(out, error->file);
	buf_addf(out, ":%u:%u: ", error->line, error->column);
	write_shown(out, error->text);
	buf_add_str(out, start > 0 ? "\n    ..." : "\n    ");
	write_shown(out, span_of(error->source.ptr + start, end - start));
	buf_add_str(out, end < error->source.len ? "...\n    " : "\n    ");
	if (start > 0)
		buf_add_str(out, "   ");
	for (size_t i = start; i < caret; i++)
		if (!goes_on(error->source.ptr[i]))
			buf_add_char(out, error->source.ptr[i] == '\t' ? '\t' : ' ');
	buf_add_str(out, "^\n");
}
