/*
 * Bytes to tokens.  A file is UTF-8 text; a line with anything else in it, or with too
 * much of it, gives an error at its place as soon as the line is reached, and is read on
 * as if the byte were a letter: one error a line is kept, so the first one stays.
 */
#include "conf/conf_internal.h"

#include "base/utf8.h"

static const char UTF8_BOM[] = "\xEF\xBB\xBF";

bool
conf_is_control(struct span text)
{
	unsigned char first = (unsigned char)text.ptr[0];

	if (first == '\t' || (first == '\r' && text.len > 1 && text.ptr[1] == '\n'))
		return false;
	/* C1 controls are U+0080 to U+009F. */
	return first < 0x20 || first == 0x7F ||
	       (first == 0xC2 && (unsigned char)text.ptr[1] < 0xA0);
}

/* Looks at the whole line that begins here. */
static void
line_enter(struct conf_lexer *lexer)
{
	struct span rest = span_skip(lexer->file->text, lexer->at);
	struct conf_place place = {lexer->file, lexer->at};
	size_t at = 0;

	if (!lexer->errors)
		return;
	while (at < rest.len && rest.ptr[at] != '\n') {
		uint32_t character;
		size_t bytes = utf8_take(span_skip(rest, at), &character);

		place.at = lexer->at + at;
		if (bytes == 0) {
			conf_error_add(lexer->errors, place,
			    "the byte 0x%02X is not UTF-8 text",
			    (unsigned)(unsigned char)rest.ptr[at]);
			return;
		}
		if (conf_is_control(span_skip(rest, at))) {
			conf_error_add(lexer->errors, place,
			    "control character 0x%02X; only text and tabs may stand here",
			    (unsigned)(unsigned char)rest.ptr[at + bytes - 1]);
			return;
		}
		at += bytes;
	}
	if (at > CONF_LINE_BYTES_MAX) {
		place.at = lexer->at;
		conf_error_add(lexer->errors, place,
		    "the line is longer than %d bytes; a list may go on in the next line "
		    "after a comma",
		    (int)CONF_LINE_BYTES_MAX);
	}
}

void
conf_lexer_init(struct conf_lexer *lexer, const struct conf_file *file,
    struct conf_errors *errors, struct arena *arena)
{
	*lexer = (struct conf_lexer){.file = file, .errors = errors, .arena = arena};
	if (span_starts(file->text, span_str(UTF8_BOM)))
		lexer->at = strlen(UTF8_BOM);
	line_enter(lexer);
}

void
conf_lexer_init_at(struct conf_lexer *lexer, const struct conf_file *file, size_t at,
    struct conf_errors *errors, struct arena *arena)
{
	*lexer = (struct conf_lexer){
	    .file = file, .at = at, .errors = errors, .arena = arena};
	line_enter(lexer);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
ends_word(char c)
{
	return is_blank(c) || c == '\n' || c == '{' || c == '}' || c == ';' || c == ',' ||
	       c == '"';
}

/* Goes past blanks and a comment. */
static void
skip_blanks(struct conf_lexer *lexer)
{
	struct span text = lexer->file->text;

	while (lexer->at < text.len && is_blank(text.ptr[lexer->at]))
		lexer->at++;
	if (lexer->at < text.len && text.ptr[lexer->at] == '#')
		while (lexer->at < text.len && text.ptr[lexer->at] != '\n')
			lexer->at++;
}

static struct span
unescape(struct arena *arena, struct span raw)
{
	char *plain = arena_alloc(arena, raw.len);
	size_t len = 0;

	check(plain != NULL);
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.ptr[i] == '\\' && i + 1 < raw.len)
			i++;
		plain[len++] = raw.ptr[i];
	}
	return span_of(plain, len);
}

/* After the opening quote.  A string that is not closed ends with its line. */
static struct span
string(struct conf_lexer *lexer, struct conf_place start)
{
	struct span rest = span_skip(lexer->file->text, lexer->at);
	bool escapes = false;
	size_t len = 0;

	while (len < rest.len && rest.ptr[len] != '"' && rest.ptr[len] != '\n') {
		if (rest.ptr[len] == '\\' && len + 1 < rest.len &&
		    (rest.ptr[len + 1] == '"' || rest.ptr[len + 1] == '\\')) {
			escapes = true;
			len++;
		} else if (rest.ptr[len] == '\\' && lexer->errors) {
			conf_error_add(lexer->errors,
			    (struct conf_place){lexer->file, lexer->at + len},
			    "a backslash in quotes stands before \" or \\ only");
		}
		len++;
	}
	lexer->at += len;
	if (len < rest.len && rest.ptr[len] == '"')
		lexer->at++;
	else if (lexer->errors)
		conf_error_add(
		    lexer->errors, start, "the quotes are not closed on this line");
	rest = span_first(rest, len);
	return escapes ? unescape(lexer->arena, rest) : rest;
}

static enum conf_token_kind
kind_of(char c)
{
	switch (c) {
	case '\n':
		return CONF_NEWLINE;
	case ';':
		return CONF_SEMICOLON;
	case ',':
		return CONF_COMMA;
	case '{':
		return CONF_OPEN;
	case '}':
		return CONF_CLOSE;
	case '"':
		return CONF_STRING;
	default:
		return CONF_WORD;
	}
}

struct conf_token
conf_lexer_next(struct conf_lexer *lexer)
{
	struct span text = lexer->file->text;
	struct conf_token token = {.kind = CONF_EOF};
	size_t start;

	skip_blanks(lexer);
	start = lexer->at;
	token.place = (struct conf_place){lexer->file, start};
	if (start == text.len)
		return token;
	token.kind = kind_of(text.ptr[start]);
	if (token.kind == CONF_WORD) {
		while (lexer->at < text.len && !ends_word(text.ptr[lexer->at]))
			lexer->at++;
		token.text = span_of(text.ptr + start, lexer->at - start);
		return token;
	}
	lexer->at++;
	token.text = span_of(text.ptr + start, 1);
	if (token.kind == CONF_STRING)
		token.text = string(lexer, token.place);
	if (token.kind == CONF_NEWLINE)
		line_enter(lexer);
	return token;
}

struct conf_quote
conf_token_quote(const struct conf_token *token)
{
	if (token->kind == CONF_NEWLINE)
		return (struct conf_quote){"the end of the line"};
	if (token->kind == CONF_EOF)
		return (struct conf_quote){"the end of the file"};
	return conf_quote(token->text);
}
