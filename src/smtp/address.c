/*
 * Mailboxes, strict on input.
 *
 * What is accepted here goes into reply lines, trace headers, logs and the
 * commands of other servers, so the grammar is the RFC's and nothing more: no
 * control character gets through, escaped or not, and no malformed UTF-8.
 * A parser that guesses is how one server's recipient becomes another's.
 */
#include "smtp/address.h"

#include "base/net.h"
#include "base/utf8.h"

/* A walk over text that is never read past its end. */
struct cursor {
	struct span rest;
	bool is_utf8; /* something that is not ASCII was taken */
};

static bool
at(const struct cursor *cursor, char c)
{
	return cursor->rest.len > 0 && cursor->rest.ptr[0] == c;
}

static bool
take(struct cursor *cursor, char c)
{
	if (!at(cursor, c))
		return false;
	cursor->rest = span_skip(cursor->rest, 1);
	return true;
}

/*
 * The octets of the non-ASCII character at the start of text, 0 where there is
 * no proper one: overlong forms, surrogates, what is past U+10FFFF, and the C1
 * controls, which terminals obey.
 */
static size_t
utf8_octets(struct span text)
{
	uint32_t c = 0;
	size_t octets = text.len ? utf8_take(text, &c) : 0;

	return c >= 0xa0 ? octets : 0;
}

static bool
take_utf8(struct cursor *cursor)
{
	size_t octets = utf8_octets(cursor->rest);

	if (octets == 0)
		return false;
	cursor->is_utf8 = true;
	cursor->rest = span_skip(cursor->rest, octets);
	return true;
}

static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool
take_atom(struct cursor *cursor)
{
	size_t before = cursor->rest.len;

	while (cursor->rest.len > 0) {
		if (is_atext(cursor->rest.ptr[0]))
			cursor->rest = span_skip(cursor->rest, 1);
		else if (!take_utf8(cursor))
			break;
	}
	return cursor->rest.len < before;
}

static bool
take_dot_string(struct cursor *cursor)
{
	do {
		if (!take_atom(cursor))
			return false;
	} while (take(cursor, '.'));
	return true;
}

static bool
take_quoted_string(struct cursor *cursor)
{
	if (!take(cursor, '"'))
		return false;
	while (cursor->rest.len > 0 && !at(cursor, '"')) {
		bool pair = take(cursor, '\\');
		char c = cursor->rest.len > 0 ? cursor->rest.ptr[0] : '\0';

		if (c >= 0x20 && c <= 0x7e)
			cursor->rest = span_skip(cursor->rest, 1);
		else if (pair || !take_utf8(cursor))
			return false;
	}
	return take(cursor, '"');
}

/* The part of before that the cursor has gone past. */
static struct span
taken_since(struct span before, const struct cursor *cursor)
{
	return span_first(before, before.len - cursor->rest.len);
}

static bool
label_is_valid(struct span label, bool utf8_ok)
{
	struct cursor cursor = {.rest = label};

	if (label.len == 0 || label.len > 63 || label.ptr[0] == '-' ||
	    label.ptr[label.len - 1] == '-')
		return false;
	while (cursor.rest.len > 0) {
		char c = cursor.rest.ptr[0];

		if (ascii_is_alnum(c) || c == '-')
			cursor.rest = span_skip(cursor.rest, 1);
		else if (!utf8_ok || !take_utf8(&cursor))
			return false;
	}
	return true;
}

bool
address_domain_is_valid(struct span domain, bool utf8_ok)
{
	size_t dot;

	if (domain.len > ADDRESS_DOMAIN_BYTES_MAX)
		return false;
	do {
		dot = span_find(domain, '.');
		if (!label_is_valid(span_first(domain, dot), utf8_ok))
			return false;
		/* A dot at the end is followed by an empty label, which is not valid. */
		if (dot == domain.len)
			return true;
		domain = span_skip(domain, dot + 1);
	} while (true);
}

/* Only the two kinds of literals that name a host: [192.0.2.1] and [IPv6:2001:db8::1]. */
static bool
literal_is_valid(struct span literal)
{
	struct span inner = span_skip(span_first(literal, literal.len - 1), 1);
	bool is_v6 = span_starts_nocase(inner, SPAN("IPv6:"));
	struct net_addr addr;

	if (is_v6)
		inner = span_skip(inner, 5);
	if (is_v6 != (span_find(inner, ':') < inner.len))
		return false;
	return net_addr_parse(inner, &addr) == OK;
}

static bool
ends_domain(char c)
{
	return c == '>' || c == ',' || c == ':' || c == ' ';
}

/* Takes a domain or an address literal; the text in front of which it ends is not looked at. */
static bool
take_domain(struct cursor *cursor, struct span *domain)
{
	struct span start = cursor->rest;
	size_t len = 0;

	if (at(cursor, '[')) {
		len = span_find(start, ']') + 1;
		if (len > start.len || len < 3)
			return false;
	} else {
		while (len < start.len && !ends_domain(start.ptr[len]))
			len++;
	}
	*domain = span_first(start, len);
	cursor->rest = span_skip(start, len);
	if (at(&(struct cursor){.rest = start}, '['))
		return literal_is_valid(*domain);
	if (!address_domain_is_valid(*domain, true))
		return false;
	if (!span_is_ascii(*domain))
		cursor->is_utf8 = true;
	return true;
}

static enum err
fail(enum err err, const char *text, const char **why)
{
	*why = text;
	return err;
}

/* local@domain at the cursor. */
static enum err
take_mailbox(struct cursor *cursor, struct address *address, const char **why)
{
	struct span start = cursor->rest;
	bool quoted = at(cursor, '"');

	if (quoted ? !take_quoted_string(cursor) : !take_dot_string(cursor))
		return fail(
		    ERR_SYNTAX, "the part before the @ has a wrong character", why);
	address->local = taken_since(start, cursor);
	if (address->local.len > ADDRESS_LOCAL_BYTES_MAX)
		return fail(
		    ERR_TOO_LONG, "the part before the @ is longer than 64 octets", why);
	address->is_utf8 = cursor->is_utf8;
	if (!take(cursor, '@'))
		return fail(ERR_SYNTAX, "an @ and a domain are needed", why);
	address->is_literal = at(cursor, '[');
	cursor->is_utf8 = false;
	if (!take_domain(cursor, &address->domain)) {
		if (address->domain.len > ADDRESS_DOMAIN_BYTES_MAX)
			return fail(
			    ERR_TOO_LONG, "the domain is longer than 255 octets", why);
		return fail(ERR_SYNTAX, "the part after the @ is not a domain", why);
	}
	address->is_utf8 |= cursor->is_utf8;
	address->whole = taken_since(start, cursor);
	return OK;
}

/* "@a,@b:", to be accepted and ignored (RFC 5321 appendix C). */
static bool
skip_route(struct cursor *cursor)
{
	struct span domain;

	if (!at(cursor, '@'))
		return true;
	do {
		if (!take(cursor, '@') || !take_domain(cursor, &domain))
			return false;
	} while (take(cursor, ','));
	return take(cursor, ':');
}

enum err
address_parse_path(struct span text, bool null_ok, bool postmaster_ok,
    struct address *address, struct span *rest, const char **why)
{
	static const struct span postmaster = {"postmaster>", 11};
	struct cursor cursor = {.rest = text};
	enum err err;

	*address =
	    (struct address){.local = SPAN(""), .domain = SPAN(""), .whole = SPAN("")};
	*rest = text;
	if (!take(&cursor, '<'))
		return fail(ERR_SYNTAX, "an address in <angle brackets> is needed", why);
	if (at(&cursor, '>') && !null_ok)
		return fail(ERR_SYNTAX, "an empty address is not allowed here", why);
	if (at(&cursor, '>')) {
		address->is_null = true;
	} else if (postmaster_ok && span_starts_nocase(cursor.rest, postmaster)) {
		address->local = address->whole =
		    span_first(cursor.rest, postmaster.len - 1);
		cursor.rest = span_skip(cursor.rest, postmaster.len - 1);
	} else {
		if (!skip_route(&cursor))
			return fail(ERR_SYNTAX, "the source route is malformed", why);
		cursor.is_utf8 = false;
		err = take_mailbox(&cursor, address, why);
		if (err)
			return err;
	}
	if (!take(&cursor, '>'))
		return fail(ERR_SYNTAX, "a > is needed after the address", why);
	*rest = cursor.rest;
	return OK;
}

enum err
address_parse(struct span text, struct address *address, const char **why)
{
	struct cursor cursor = {.rest = text};
	enum err err;

	*address =
	    (struct address){.local = SPAN(""), .domain = SPAN(""), .whole = SPAN("")};
	err = take_mailbox(&cursor, address, why);
	if (err)
		return err;
	if (cursor.rest.len > 0)
		return fail(ERR_SYNTAX, "something follows the address", why);
	return OK;
}

/* What a quoted local part stands for; at most as long as it. */
static size_t
unquote(struct span quoted, char *plain)
{
	struct span inner = span_skip(span_first(quoted, quoted.len - 1), 1);
	size_t len = 0;

	for (size_t i = 0; i < inner.len; i++) {
		if (inner.ptr[i] == '\\' && i + 1 < inner.len)
			i++;
		plain[len++] = inner.ptr[i];
	}
	return len;
}

static void
write_local(struct buf *out, struct span local)
{
	char plain[ADDRESS_LOCAL_BYTES_MAX];
	struct cursor cursor;

	if (local.len < 2 || local.ptr[0] != '"' || local.len > sizeof(plain)) {
		buf_add(out, local);
		return;
	}
	local = span_of(plain, unquote(local, plain));
	cursor = (struct cursor){.rest = local};
	if (take_dot_string(&cursor) && cursor.rest.len == 0) {
		buf_add(out, local);
		return;
	}
	/* Quotes are needed; backslashes only where they change the meaning. */
	buf_add_char(out, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.ptr[i] == '"' || local.ptr[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, local.ptr[i]);
	}
	buf_add_char(out, '"');
}

void
address_write_canonical(struct buf *out, const struct address *address)
{
	write_local(out, address->local);
	if (address->domain.len == 0)
		return;
	buf_add_char(out, '@');
	buf_add_lower(out, address->domain);
}
