/*
 * The field is cut into tokens; comments and blanks are skipped on the way and may nest as deep as
 * they like, since they are counted and not descended into.
 *
 * Words are gathered until it is seen what they were: in front of "<" a display name, in front of
 * ":" a group's name, in front of "@" a local part.
 */
#include "mime/mailboxes.h"

enum token_kind { TOKEN_END, TOKEN_ATOM, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_MARK, TOKEN_WRONG };

struct token {
	enum token_kind kind;
	struct span text; /* quotes and brackets included, folded as it came */
};

static bool
is_mark(struct token token, char c)
{
	return token.kind == TOKEN_MARK && token.text.ptr[0] == c;
}

/* Atoms, and whatever is not ASCII: in a display name it may be of any character set. */
static bool
is_atom(char c)
{
	return ascii_is_alnum(c) || (c & 0x80) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
fail(struct mailboxes *list, const char *wrong)
{
	if (!list->wrong)
		list->wrong = wrong;
	return false;
}

/* Octets of the comment at the start of text, 0 where it does not end. */
static size_t
comment_bytes(struct span text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == '(')
			depth++;
		else if (text.ptr[i] == ')' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Octets up to the closing octet, with both; 0 where there is none. */
static size_t
enclosed_bytes(struct span text, char close)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.ptr[i] == '\\')
			i++;
		else if (text.ptr[i] == close)
			return i + 1;
	}
	return 0;
}

/* False where a comment does not end. */
static bool
skip_blanks(struct mailboxes *list)
{
	while (list->rest.len > 0) {
		size_t bytes = 1;

		if (list->rest.ptr[0] == '(')
			bytes = comment_bytes(list->rest);
		else if (!is_blank(list->rest.ptr[0]))
			break;
		if (bytes == 0)
			return fail(list, "a comment is not closed");
		list->rest = span_skip(list->rest, bytes);
	}
	return true;
}

static struct token
take(struct mailboxes *list, enum token_kind kind, size_t bytes)
{
	struct token token = {kind, span_first(list->rest, bytes)};

	list->rest = span_skip(list->rest, bytes);
	return token;
}

static struct token
next_token(struct mailboxes *list)
{
	struct token wrong = {TOKEN_WRONG, SPAN("")};
	size_t bytes = 0;
	char c;

	if (!skip_blanks(list))
		return wrong;
	if (list->rest.len == 0)
		return (struct token){TOKEN_END, SPAN("")};
	c = list->rest.ptr[0];
	if (c == '"' || c == '[') {
		bytes = enclosed_bytes(list->rest, c == '"' ? '"' : ']');
		if (bytes > 0)
			return take(list, c == '"' ? TOKEN_QUOTED : TOKEN_LITERAL, bytes);
		fail(list, c == '"' ? "a quote is not closed" : "a bracket is not closed");
		return wrong;
	}
	while (bytes < list->rest.len && is_atom(list->rest.ptr[bytes]))
		bytes++;
	if (bytes > 0)
		return take(list, TOKEN_ATOM, bytes);
	if (c != '\0' && strchr("<>@,:;.", c))
		return take(list, TOKEN_MARK, 1);
	fail(list, "a character stands where none of its kind may; put the name in \"quotes\"");
	return wrong;
}

/* Adds a token as if it had never been folded. */
static void
add_unfolded(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\r' && text.ptr[i] != '\n')
			buf_add_char(out, text.ptr[i]);
	}
}

/*
 * Words with dots between them, or the display name that they turn out to be; gives the token
 * behind them.
 */
static struct token
take_words(struct mailboxes *list, struct buf *out, size_t *words, bool *dotted)
{
	bool want_word = true;
	struct token token;

	*words = 0;
	*dotted = true;
	for (;;) {
		token = next_token(list);
		if (token.kind == TOKEN_ATOM || token.kind == TOKEN_QUOTED) {
			*dotted = *dotted && want_word;
			want_word = false;
			++*words;
		} else if (is_mark(token, '.')) {
			*dotted = *dotted && !want_word;
			want_word = true;
		} else {
			*dotted = *dotted && !want_word;
			return token;
		}
		add_unfolded(out, token.text);
	}
}

/* What follows the "@"; *after is the token behind it. */
static bool
take_domain(struct mailboxes *list, struct buf *out, struct token *after)
{
	struct token token = next_token(list);

	if (token.kind == TOKEN_LITERAL) {
		add_unfolded(out, token.text);
		*after = next_token(list);
		return true;
	}
	for (;;) {
		if (token.kind != TOKEN_ATOM)
			return fail(list, "a domain is missing after an \"@\"");
		buf_add(out, token.text);
		*after = next_token(list);
		if (!is_mark(*after, '.'))
			return true;
		buf_add_char(out, '.');
		token = next_token(list);
	}
}

/* local@domain, whose first words are taken already; *after is the token behind it. */
static bool
take_address(struct mailboxes *list, struct buf *out, bool dotted, struct token *after)
{
	if (!dotted)
		return fail(list, "what is before an \"@\" is not one name; put a display name "
				  "in \"quotes\" and its address in <brackets>");
	buf_add_char(out, '@');
	return take_domain(list, out, after);
}

/* "@a,@b:" in front of an address, to be skipped (RFC 5322 section 4.4). */
static bool
skip_route(struct mailboxes *list, struct buf *out, struct token token)
{
	while (is_mark(token, '@') || is_mark(token, ',')) {
		if (is_mark(token, '@') && !take_domain(list, out, &token))
			return false;
		else if (is_mark(token, ','))
			token = next_token(list);
	}
	buf_reset(out);
	return is_mark(token, ':') || fail(list, "the route in <brackets> is malformed");
}

/* What is behind the "<". */
static bool
take_brackets(struct mailboxes *list, struct buf *out)
{
	struct token after;
	size_t words;
	bool dotted;

	buf_reset(out);
	after = take_words(list, out, &words, &dotted);
	if (words == 0 && out->len == 0 && is_mark(after, '@')) {
		if (!skip_route(list, out, after))
			return false;
		after = take_words(list, out, &words, &dotted);
	}
	if (!is_mark(after, '@'))
		return fail(list, "there is no address in the <brackets>");
	if (!take_address(list, out, dotted, &after))
		return false;
	return is_mark(after, '>') || fail(list, "a \">\" is missing after an address");
}

/* Sees to what is behind an address: a comma, the end of its group, or the end. */
static bool
end_address(struct mailboxes *list, struct token after)
{
	if (after.kind == TOKEN_END && list->in_group)
		return fail(list, "a group does not end with \";\"");
	if (is_mark(after, ';') && list->in_group) {
		list->in_group = false;
		list->after_group = true;
		return true;
	}
	return after.kind == TOKEN_END || is_mark(after, ',') ||
	    fail(list, "something that is no comma follows an address");
}

/*
 * Takes the words at hand and what they belong to; true where that was an address.  *more is
 * false at the end, and where something is wrong.
 */
static bool
take_one(struct mailboxes *list, struct buf *out, bool *more)
{
	struct token after;
	size_t words;
	bool dotted;

	buf_reset(out);
	after = take_words(list, out, &words, &dotted);
	*more = false;
	if (list->after_group &&
	    (out->len > 0 || (after.kind != TOKEN_END && !is_mark(after, ','))))
		return fail(list, "a comma is missing after a group");
	list->after_group = false;
	if (is_mark(after, '@') && words > 0) {
		return take_address(list, out, dotted, &after) && end_address(list, after);
	} else if (is_mark(after, '<')) {
		return take_brackets(list, out) && end_address(list, next_token(list));
	} else if (is_mark(after, ':') && words > 0 && !list->in_group) {
		list->in_group = *more = true;
		return false;
	} else if (out->len > 0) {
		return fail(list, "a name stands there without an address");
	}
	/* Nothing: an empty place between commas, the end of a group, or the end. */
	if (is_mark(after, ';') && list->in_group) {
		list->in_group = false;
		list->after_group = *more = true;
	} else if (after.kind != TOKEN_END && !is_mark(after, ',')) {
		return fail(list, "a mark stands where an address should be");
	} else if (after.kind == TOKEN_END && list->in_group) {
		return fail(list, "a group does not end with \";\"");
	} else {
		*more = after.kind != TOKEN_END;
	}
	return false;
}

struct mailboxes
mailboxes_of(struct span value)
{
	return (struct mailboxes){.rest = value};
}

bool
mailboxes_next(struct mailboxes *list, struct buf *out)
{
	bool more = true;

	while (more && !list->wrong) {
		if (take_one(list, out, &more)) {
			if (buf_finish(out) == OK)
				return true;
			return fail(list, "an address is too long");
		}
	}
	return false;
}
