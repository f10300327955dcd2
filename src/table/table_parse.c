/*
 * The parser.  One pass counts the lines that begin an entry, a second copies
 * them.  What is copied is never longer than what was read: blanks around a
 * line end become one, quotes may go, so the text's size bounds the memory.
 *
 * A value is checked when its last line is known.  To say where in the file a
 * fault in a joined value stands, its lines are walked again (locate): slow,
 * and once per file at most.
 */
#include <stdio.h>

#include "base/check.h"
#include "table/table_internal.h"

enum { KEY_SHOWN_MAX = 64 };

struct lines {
	struct span rest;
	unsigned number; /* of the line that was cut last */
};

struct parse {
	const struct table_options *options;
	struct table *table;
	struct table_error *error;
	struct lines lines;
	struct lines entry_lines; /* as they were before the open entry's first line */
	struct table_entry *open; /* the entry that may go on; NULL before the first */
	size_t value_column; /* where the open entry's value starts in its line */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
next_line(struct lines *lines, struct span *line)
{
	if (!span_cut(&lines->rest, '\n', line))
		return false;
	lines->number++;
	if (line->len && line->ptr[line->len - 1] == '\r')
		line->len--;
	return true;
}

/* A line that says something: not empty, not a comment. */
static bool
has_content(struct span line)
{
	struct span text = span_trim(line);

	return text.len > 0 && text.ptr[0] != '#';
}

/* The line without blanks at its ends and, where no '#' can be meant, without a comment. */
static struct span
strip(const struct parse *parse, struct span text)
{
	bool quoted = false;

	for (size_t i = 0; i < text.len && !parse->options->secret; i++) {
		if (quoted && text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == '"')
			quoted = !quoted;
		else if (!quoted && text.ptr[i] == '#' &&
			 (i == 0 || is_blank(text.ptr[i - 1])))
			text.len = i;
	}
	return span_trim(text);
}

static __attribute__((format(printf, 5, 6))) enum err
refuse(struct parse *parse, enum err err, unsigned line, size_t column,
    const char *format, ...)
{
	va_list args;

	parse->error->line = line;
	parse->error->column = (unsigned)column;
	va_start(args, format);
	(void)vsnprintf(parse->error->text, sizeof(parse->error->text), format, args);
	va_end(args);
	return err;
}

/*
 * Where the key ends: at a blank or colon that is neither quoted nor in brackets.  Past the
 * line's end where a quote or bracket is not closed.
 */
static size_t
key_end(struct span line)
{
	bool quoted = false, bracket = false;
	size_t at;

	for (at = 0; at < line.len; at++) {
		char c = line.ptr[at];

		if (quoted && c == '\\')
			at++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == ']'))
			bracket = c == '[';
		else if (!quoted && ((c == ':' && !bracket) || is_blank(c)))
			break;
	}
	return quoted || bracket ? line.len + 1 : at;
}

static bool
is_atom(char c)
{
	return ascii_is_alnum(c) || (c & 0x80) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

/*
 * Questions come with quotes only where a local part needs them, so "alice"@example.org must
 * be kept as alice@example.org.  Gives how many bytes the local part's quotes enclose, or 0.
 */
static size_t
needless_quotes(struct span key)
{
	size_t end = 1;

	if (key.len < 2 || key.ptr[0] != '"')
		return 0;
	while (end < key.len && is_atom(key.ptr[end]))
		end++;
	if (end == 1 || end + 1 >= key.len || key.ptr[end] != '"' ||
	    key.ptr[end + 1] != '@')
		return 0;
	if (key.ptr[1] == '.' || key.ptr[end - 1] == '.' || memmem(key.ptr, end, "..", 2))
		return 0;
	return end - 1;
}

static void
add_text(struct table *table, struct span text)
{
	check(text.len <= table->text_room - table->text_bytes);
	if (text.len)
		memcpy(table->text + table->text_bytes, text.ptr, text.len);
	table->text_bytes += text.len;
}

static struct span
add_key(struct table *table, struct span key)
{
	size_t start = table->text_bytes, inner = needless_quotes(key);

	if (inner) {
		add_text(table, span_of(key.ptr + 1, inner));
		key = span_skip(key, inner + 2);
	}
	add_text(table, key);
	return span_lower(
	    table->text + start, span_of(table->text + start, table->text_bytes - start));
}

/* Says in which line and column of the file byte at of the open entry's value stands. */
static void
locate(const struct parse *parse, size_t at, unsigned *line, size_t *column)
{
	struct lines lines = parse->entry_lines;
	struct span text, piece;
	bool first = true;

	while (next_line(&lines, &text)) {
		if (!first && !has_content(text))
			continue;
		piece = strip(parse, first ? span_skip(text, parse->value_column) : text);
		*line = lines.number;
		*column = (size_t)(piece.ptr - text.ptr) +
			  (at < piece.len ? at : piece.len) + 1;
		if (at < piece.len)
			return;
		/* One blank joins two pieces; an empty one was not joined. */
		at -= piece.len;
		at -= piece.len && at;
		first = false;
		if (lines.number >= parse->lines.number)
			return;
	}
}

static enum err
refuse_value(struct parse *parse, const char *at, const char *why)
{
	unsigned line = 0;
	size_t column = 0;

	locate(parse, (size_t)(at - parse->open->value.ptr), &line, &column);
	return refuse(parse, ERR_SYNTAX, line, column, "%s; a line reads \"%s\"", why,
	    parse->options->line);
}

/* Where a second word starts, or a quote that is not closed; NULL: one word. */
static const char *
find_fault(struct span text, const char **why)
{
	const char *quote = NULL;

	for (size_t i = 0; i < text.len; i++) {
		const char *at = text.ptr + i;

		if (quote && *at == '\\')
			i++;
		else if (*at == '"')
			quote = quote ? NULL : at;
		else if (!quote && is_blank(*at))
			return at;
	}
	if (quote)
		*why = "this quote is not closed";
	return quote;
}

static enum err
check_list(struct parse *parse, struct span value)
{
	struct span rest = value, item;

	while (table_item(&rest, &item)) {
		const char *why = "a comma is missing here";
		const char *fault = find_fault(item, &why);

		if (item.len == 0)
			return refuse_value(parse, item.ptr, "nothing before this comma");
		if (fault)
			return refuse_value(parse, fault, why);
		if (item.ptr[0] == '@' && parse->options->value == TABLE_VALUE_LIST)
			return refuse_value(
			    parse, item.ptr, "there is no name before the \"@\"");
	}
	return OK;
}

/* The last line of the open entry was seen: checks its value. */
static enum err
close_entry(struct parse *parse)
{
	struct span value, login, password;
	const char *fault, *why = "more than one word";

	if (!parse->open)
		return OK;
	value = parse->open->value;
	if (value.len == 0)
		return refuse_value(parse, value.ptr, "there is no value");
	switch (parse->options->value) {
	case TABLE_VALUE_WORD:
		fault = find_fault(value, &why);
		return fault ? refuse_value(parse, fault, why) : OK;
	case TABLE_VALUE_LIST:
	case TABLE_VALUE_SENDERS:
		return check_list(parse, value);
	case TABLE_VALUE_LOGIN:
		table_login(value, &login, &password);
		if (password.len == 0)
			return refuse_value(
			    parse, value.ptr, "there is a login but no password");
		return OK;
	}
	return OK;
}

static enum err
add_value(struct parse *parse, struct span piece)
{
	struct table *table = parse->table;
	struct span *value = &parse->open->value;

	if (piece.len == 0)
		return OK;
	if (value->len)
		add_text(table, SPAN(" "));
	add_text(table, piece);
	value->len = (size_t)(table->text + table->text_bytes - value->ptr);
	if (value->len + parse->open->key.len > TABLE_LINE_BYTES_MAX)
		return refuse(parse, ERR_TOO_LONG, parse->open->line, 1,
		    "the line and those that continue it are longer than %d bytes",
		    TABLE_LINE_BYTES_MAX);
	return OK;
}

static enum err
open_entry(struct parse *parse, struct span line)
{
	struct table *table = parse->table;
	const struct table_entry *twin;
	unsigned number = parse->lines.number;
	size_t at = key_end(line);
	struct span key = span_first(line, at);

	if (at > line.len)
		return refuse(parse, ERR_SYNTAX, number, 1,
		    "a quote or bracket in the key is not closed");
	if (key.len == 0)
		return refuse(parse, ERR_SYNTAX, number, 1,
		    "nothing before the colon; a line reads \"%s\"",
		    parse->options->line);
	if (key.len > TABLE_KEY_BYTES_MAX)
		return refuse(parse, ERR_TOO_LONG, number, 1,
		    "the key is longer than %d bytes", TABLE_KEY_BYTES_MAX);
	check(table->entry_count < table->entry_room);
	parse->open = &table->entries[table->entry_count++];
	parse->open->line = number;
	parse->open->key = add_key(table, key);
	twin = map_get(&table->by_key, parse->open->key);
	if (twin)
		return refuse(parse, ERR_EXISTS, number, 1,
		    "\"%.*s\" comes twice: here and in line %u",
		    SPAN_ARGS(span_first(key, KEY_SHOWN_MAX)), twin->line);
	map_set(&table->by_key, parse->open->key, parse->open);
	while (at < line.len && is_blank(line.ptr[at]))
		at++;
	at += at < line.len && line.ptr[at] == ':';
	parse->value_column = at;
	parse->open->value = span_of(table->text + table->text_bytes, 0);
	return add_value(parse, strip(parse, span_skip(line, at)));
}

/* Control characters are never meant, and would end up in replies and headers. */
static enum err
check_bytes(struct parse *parse, struct span line)
{
	if (line.len > TABLE_LINE_BYTES_MAX)
		return refuse(parse, ERR_TOO_LONG, parse->lines.number, 1,
		    "the line is longer than %d bytes", TABLE_LINE_BYTES_MAX);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return refuse(parse, ERR_SYNTAX, parse->lines.number, i + 1,
			    "a control character (0x%02x)", c);
	}
	return OK;
}

static enum err
take_line(struct parse *parse, struct lines before, struct span line)
{
	enum err err = check_bytes(parse, line);

	if (err || !has_content(line))
		return err;
	if (is_blank(line.ptr[0])) {
		if (!parse->open)
			return refuse(parse, ERR_SYNTAX, parse->lines.number, 1,
			    "a line that starts with a blank continues the one before, "
			    "and there is none");
		return add_value(parse, strip(parse, line));
	}
	/* locate() must not look past the entry's own lines. */
	parse->lines.number--;
	err = close_entry(parse);
	parse->lines.number++;
	if (err)
		return err;
	parse->entry_lines = before;
	return open_entry(parse, line);
}

static size_t
count_entries(struct span text)
{
	struct lines lines = {.rest = text};
	struct span line;
	size_t count = 0;

	while (next_line(&lines, &line))
		count += has_content(line) && !is_blank(line.ptr[0]);
	return count;
}

enum err
table_parse(struct span text, const struct table_options *options, struct table **table,
    struct table_error *error)
{
	struct parse parse = {.options = options, .error = error};
	struct lines before;
	struct span line;
	size_t count;
	enum err err = OK;

	*error = (struct table_error){0};
	if (span_starts(text, SPAN("\xef\xbb\xbf")))
		text = span_skip(text, 3);
	if (text.len > TABLE_FILE_BYTES_MAX)
		return refuse(&parse, ERR_TOO_LONG, 0, 0, "larger than %d bytes",
		    TABLE_FILE_BYTES_MAX);
	count = count_entries(text);
	if (count > TABLE_ENTRIES_MAX)
		return refuse(
		    &parse, ERR_LIMIT, 0, 0, "more than %d entries", TABLE_ENTRIES_MAX);
	parse.table = table_create(text.len, count);
	parse.table->secret = options->secret;
	parse.lines.rest = text;
	for (before = parse.lines; !err && next_line(&parse.lines, &line);
	     before = parse.lines)
		err = take_line(&parse, before, line);
	if (!err)
		err = close_entry(&parse);
	if (err) {
		table_destroy(parse.table);
		return err;
	}
	check(parse.table->entry_count == count);
	*table = parse.table;
	return OK;
}
