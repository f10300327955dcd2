/*
 * The fields that say what an entity is (RFC 2045 sections 5 and 6), read as mail programs write
 * them.
 */
#include "mime/walk_internal.h"

#include "base/check.h"

enum { COMMENT_DEPTH_MAX = 10 };

static bool
is_token(char c)
{
	return c > ' ' && c < 127 && !memchr("()<>@,;:\\\"/[]?=", c, 15);
}

/* Blanks, folds and comments; false where a comment does not end. */
static bool
skip_blanks(struct span *text)
{
	size_t depth = 0, i = 0;

	for (; i < text->len; i++) {
		const char c = text->ptr[i];

		if (c == '(' && ++depth > COMMENT_DEPTH_MAX)
			return false;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (c != '(' && depth == 0 && c != ' ' && c != '\t' && c != '\r' &&
		    c != '\n')
			break;
	}
	*text = span_skip(*text, i);
	return depth == 0;
}

static struct span
cut_token(struct span *text)
{
	struct span token = {text->ptr, 0};

	while (token.len < text->len && is_token(text->ptr[token.len]))
		token.len++;
	*text = span_skip(*text, token.len);
	return token;
}

static bool
cut_char(struct span *text, char c)
{
	if (!skip_blanks(text) || text->len == 0 || text->ptr[0] != c)
		return false;
	*text = span_skip(*text, 1);
	return skip_blanks(text);
}

/* Adds one octet of a value; false where it is too long, or no text. */
static bool
add(struct walk_type *type, char c)
{
	if (type->boundary_len == sizeof(type->boundary) || c < ' ' || c == 127)
		return false;
	type->boundary[type->boundary_len++] = c;
	return true;
}

static bool
cut_quoted(struct span *text, struct walk_type *into)
{
	for (size_t i = 1; i < text->len; i++) {
		if (text->ptr[i] == '"') {
			*text = span_skip(*text, i + 1);
			return true;
		}
		if (text->ptr[i] == '\\' && ++i == text->len)
			return false;
		if (!add(into, text->ptr[i]))
			return false;
	}
	return false;
}

/* Without quotes; "=" and its like are what many write without them. */
static bool
cut_plain(struct span *text, struct walk_type *into)
{
	size_t i = 0;

	for (; i < text->len && !memchr("; \t\r\n", text->ptr[i], 5); i++)
		if (memchr("()\"\\,", text->ptr[i], 5) || !add(into, text->ptr[i]))
			return false;
	*text = span_skip(*text, i);
	return i > 0;
}

static bool
cut_boundary(struct span *text, struct walk_type *into)
{
	into->boundary_len = 0;
	return text->len > 0 && text->ptr[0] == '"' ? cut_quoted(text, into)
	                                            : cut_plain(text, into);
}

static void
skip_value(struct span *text)
{
	bool is_quoted = false;
	size_t i = 0;

	for (; i < text->len && (is_quoted || text->ptr[i] != ';'); i++) {
		if (text->ptr[i] == '"')
			is_quoted = !is_quoted;
		else if (text->ptr[i] == '\\')
			i++;
	}
	*text = span_skip(*text, i);
}

/* The one boundary; two, or one in pieces (RFC 2231), are none. */
static bool
read_boundary(struct span parameters, struct walk_type *type)
{
	bool has = false;

	while (cut_char(&parameters, ';')) {
		struct span name = cut_token(&parameters);

		if (name.len == 0)
			continue;
		if (!cut_char(&parameters, '='))
			return false;
		if (span_starts_nocase(name, SPAN("boundary*")))
			return false;
		if (!span_eq_nocase(name, SPAN("boundary"))) {
			skip_value(&parameters);
			continue;
		}
		if (has || !cut_boundary(&parameters, type))
			return false;
		has = true;
	}
	return parameters.len == 0 && type->boundary_len > 0 &&
	    type->boundary[type->boundary_len - 1] != ' ';
}

static bool
read_multipart(struct span subtype, struct span parameters, struct walk_type *type)
{
	type->kind = WALK_MULTIPART;
	type->is_digest = span_eq_nocase(subtype, SPAN("digest"));
	type->opaque = span_eq_nocase(subtype, SPAN("signed")) ? "multipart/signed"
	    : span_eq_nocase(subtype, SPAN("encrypted"))       ? "multipart/encrypted"
							       : NULL;
	if (type->opaque) {
		type->kind = WALK_OPAQUE;
		return true;
	}
	return read_boundary(parameters, type);
}

/* Only those may have an encoding that say so (RFC 6532 section 3.7, RFC 6533). */
static void
read_message(struct span subtype, struct walk_type *type)
{
	if (span_eq_nocase(subtype, SPAN("rfc822"))) {
		type->kind = WALK_MESSAGE;
	} else if (span_starts_nocase(subtype, SPAN("global"))) {
		type->kind = WALK_OTHER;
	} else {
		type->kind = WALK_OPAQUE;
		type->opaque = span_eq_nocase(subtype, SPAN("partial")) ? "message/partial"
		    : span_eq_nocase(subtype, SPAN("external-body")) ? "message/external-body"
								     : "a message/ type that "
								       "has to be 7bit";
	}
}

bool
walk_read_type(struct span value, struct walk_type *type)
{
	struct span rest = value, main_type, subtype;

	*type = (struct walk_type){.kind = WALK_OTHER};
	if (!skip_blanks(&rest))
		return false;
	main_type = cut_token(&rest);
	if (!cut_char(&rest, '/') || (subtype = cut_token(&rest)).len == 0)
		return !span_starts_nocase(main_type, SPAN("multipart")) &&
		    !span_starts_nocase(main_type, SPAN("message"));
	if (span_eq_nocase(main_type, SPAN("multipart")))
		return read_multipart(subtype, rest, type);
	if (span_eq_nocase(main_type, SPAN("message")))
		read_message(subtype, type);
	else if (span_eq_nocase(main_type, SPAN("text")))
		type->kind = WALK_TEXT;
	return true;
}

enum walk_encoding
walk_read_encoding(struct span value)
{
	static const struct {
		struct span name;
		enum walk_encoding encoding;
	} names[] = {
	    {{"7bit", 4}, WALK_7BIT},
	    {{"8bit", 4}, WALK_8BIT},
	    {{"binary", 6}, WALK_BINARY},
	    {{"quoted-printable", 16}, WALK_ENCODED},
	    {{"base64", 6}, WALK_ENCODED},
	};
	struct span name;

	if (!skip_blanks(&value))
		return WALK_UNKNOWN;
	name = cut_token(&value);
	if (!skip_blanks(&value) || value.len > 0)
		return WALK_UNKNOWN;
	for (size_t i = 0; i < LEN(names); i++)
		if (span_eq_nocase(name, names[i].name))
			return names[i].encoding;
	return WALK_UNKNOWN;
}
