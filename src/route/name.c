/* See name.h. */
#include "route/name.h"

#include "base/check.h"
#include "providers/providers.h"
#include "route/route.h"
#include "route/site.h"

enum { PREFIX_BYTES_MAX = 9 };

enum kind { PLAIN, MX, HOST, LMTP, VIA, RULE, PIPE, PROVIDER, MAILBOX, KIND_COUNT };

static const struct {
	const char *prefix, *word;
} kinds[KIND_COUNT] = {
    [PLAIN] = {"", ""},
    [MX] = {"mx:", "domain"},
    [HOST] = {"host:", "server"},
    [LMTP] = {"lmtp:", "lmtp"},
    [VIA] = {"via:", "via"},
    [RULE] = {"rule:", "rule"},
    [PIPE] = {"pipe:", "program"},
    [PROVIDER] = {"provider:", "provider"},
    [MAILBOX] = {"mailbox", "mailboxes"},
};

/* The kind of a key or a selector, and what stands behind its prefix. */
static enum kind
kind_of(struct span text, struct span *rest)
{
	/* Most have none, and many are looked at. */
	size_t prefix_len = span_find(span_first(text, PREFIX_BYTES_MAX), ':') + 1;

	for (unsigned kind = PLAIN + 1; kind < MAILBOX && prefix_len <= PREFIX_BYTES_MAX; kind++) {
		if (!span_eq_nocase(span_first(text, prefix_len), span_str(kinds[kind].prefix)))
			continue;
		*rest = span_skip(text, prefix_len);
		return (enum kind)kind;
	}
	*rest = text;
	return span_eq_nocase(text, span_str(kinds[MAILBOX].prefix)) ? MAILBOX : PLAIN;
}

struct target {
	struct span host, port; /* "": whatever port */
};

/* "HOST:PORT", "[ADDRESS]:PORT"; where an address has no brackets, its last part is the port. */
static struct target
target_of(struct span text)
{
	size_t end = span_find_last(text, ':');

	if (text.len > 0 && text.ptr[0] == '[') {
		end = span_find(text, ']');
		return (struct target){
		    span_skip(span_first(text, end), 1), span_skip(text, end + 2)};
	}
	return (struct target){span_first(text, end), span_skip(text, end + 1)};
}

/* Of a plain selector: without brackets an address is a whole. */
static struct target
plain_target_of(struct span text)
{
	if (text.len > 0 && text.ptr[0] != '[' && span_find(text, ':') != span_find_last(text, ':'))
		return (struct target){text, SPAN("")};
	return target_of(text);
}

static bool
target_fits(const struct target *target, struct span rest)
{
	struct target to = target_of(rest);

	return target->host.len > 0 && route_matches(target->host, to.host) &&
	       (target->port.len == 0 || span_eq(target->port, to.port));
}

static bool
is_path(struct span text)
{
	return text.len > 0 && text.ptr[0] == '/';
}

/* Of a second statement with the same program the name goes on with its number. */
static bool
is_or_is_numbered(struct span name, struct span wanted)
{
	return span_eq(name, wanted) ||
	       (span_starts(name, wanted) && name.ptr[wanted.len] == '#');
}

static bool
program_fits(struct span wanted, struct span rest)
{
	struct span name = span_skip(rest, span_find(rest, ':') + 1);

	if (is_path(wanted))
		return is_or_is_numbered(name, wanted);
	if (span_find(wanted, ':') < wanted.len)
		return is_or_is_numbered(rest, wanted);
	return wanted.len > 0 && span_eq_nocase(name, wanted);
}

bool
route_name_fits_site(struct span wanted, struct span site)
{
	return site.len > 0 && wanted.len > 0 &&
	       (span_eq_nocase(wanted, site) ||
		   (wanted.ptr[0] == '.' && route_matches(wanted, site)));
}

bool
route_name_site(struct span selector, struct span *site)
{
	return kind_of(selector, site) == PROVIDER;
}

bool
route_name_is_open(struct span selector)
{
	struct span rest;
	enum kind kind = kind_of(selector, &rest);

	return kind == MX || kind == RULE || kind == PROVIDER ||
	       (kind == PLAIN && span_find(rest, '.') < rest.len);
}

bool
route_name_fits(struct span selector, struct span key, struct span site)
{
	struct span wanted, rest;
	enum kind kind = kind_of(selector, &wanted), is = kind_of(key, &rest);
	struct target target;

	if (selector.len == 0)
		return true;
	if (kind == PROVIDER)
		return route_name_fits_site(wanted, site);
	if (kind != PLAIN && kind != is)
		return false;
	switch (is) {
	case MX:
		return wanted.len > 0 && route_matches(wanted, rest);
	case RULE:
		return kind == RULE && wanted.len > 0 && route_matches(wanted, rest);
	case HOST:
	case LMTP:
	case VIA:
		if (is_path(rest))
			return kind == LMTP && span_eq(wanted, rest);
		target = kind == PLAIN ? plain_target_of(wanted) : target_of(wanted);
		return target_fits(&target, rest);
	case PIPE:
		return kind == PIPE && program_fits(wanted, rest);
	case MAILBOX:
		return kind == MAILBOX;
	case PLAIN:
	case PROVIDER:
	case KIND_COUNT:
		break;
	}
	return false;
}

/* Port 0 is the usual one. */
static void
write_target(struct buf *out, struct span rest)
{
	struct target to = target_of(rest);
	bool literal = span_find(to.host, ':') < to.host.len;

	if (is_path(rest)) {
		buf_add(out, rest);
		return;
	}
	buf_add_str(out, literal ? "[" : "");
	buf_add(out, to.host);
	buf_add_str(out, literal ? "]" : "");
	if (to.port.len > 0 && !span_eq(to.port, SPAN("0")))
		buf_addf(out, ":%.*s", SPAN_ARGS(to.port));
}

void
route_name_write_selector(struct buf *out, struct span selector)
{
	struct span rest;
	enum kind kind = kind_of(selector, &rest);

	buf_add_str(out, kinds[kind].word);
	if (kind == MAILBOX)
		return;
	if (kind != PLAIN)
		buf_add_char(out, ' ');
	if (kind == HOST || kind == LMTP || kind == VIA)
		write_target(out, rest);
	else
		buf_add(out, rest);
}

void
route_name_write(struct buf *out, struct span key)
{
	struct span rest;

	/* One without a dot could be taken for another thing. */
	if (kind_of(key, &rest) == MX && span_find(rest, '.') < rest.len)
		buf_add(out, rest);
	else
		route_name_write_selector(out, key);
}

/* The kind that the first word says, and what stands behind it; PLAIN: it says none. */
static enum kind
word_kind(struct span words, struct span *rest)
{
	size_t blank = span_find(words, ' ');

	for (unsigned kind = PLAIN + 1; kind < MAILBOX; kind++)
		if (span_eq_nocase(span_first(words, blank), span_str(kinds[kind].word))) {
			*rest = span_trim(span_skip(words, blank + 1));
			return (enum kind)kind;
		}
	*rest = words;
	return PLAIN;
}

struct span
route_name_rest(struct span words)
{
	struct span rest;

	word_kind(words, &rest);
	return rest;
}

/* The kind that the first word of several says, or the prefix. */
static enum kind
kind_said(struct span words, struct span *rest)
{
	enum kind kind =
	    span_find(words, ' ') < words.len ? word_kind(words, rest) : PLAIN;

	if (kind != PLAIN)
		return kind;
	if (span_eq_nocase(words, span_str(kinds[MAILBOX].word)))
		return MAILBOX;
	return kind_of(words, rest);
}

static bool
is_socket(const struct conf *conf, struct span path)
{
	const struct conf_route *route;
	struct conf_ways ways = {0};

	if (conf_route_is_socket(&conf->lmtp) && span_eq(conf->lmtp.host, path))
		return true;
	while ((route = conf_ways_next(conf, &ways)) != NULL)
		if (route->kind == CONF_ROUTE_LMTP && span_eq(route->host, path))
			return true;
	return false;
}

/* A provider that is known, or MX hosts. */
static bool
read_provider(struct buf *out, struct span text, const struct conf *conf)
{
	const struct provider *known = provider_named(text);
	char bytes[ROUTE_SITE_NAME_MAX];

	if (!known && (span_find(text, '.') == text.len || span_find(text, ' ') < text.len))
		return false;
	buf_add_str(out, kinds[PROVIDER].prefix);
	if (known)
		buf_add_str(out, known->name);
	else if (text.ptr[0] == '.')
		buf_add_lower(out, text);
	else
		buf_add(out, route_site_name(conf, text, bytes));
	return true;
}

/* An address gets brackets, so that its last part is not taken for a port. */
static void
read_target(struct buf *out, struct span text)
{
	struct net_addr addr;
	bool literal = span_find(text, ':') < text.len && net_addr_parse(text, &addr) == OK;

	buf_add_str(out, literal ? "[" : "");
	buf_add_lower(out, text);
	buf_add_str(out, literal ? "]" : "");
}

static bool
read_plain(struct buf *out, struct span text, const struct conf *conf)
{
	bool blank = span_find(text, ' ') < text.len;

	if (is_path(text)) {
		buf_add_str(out, kinds[is_socket(conf, text) ? LMTP : PIPE].prefix);
		buf_add(out, text);
		return true;
	}
	/* "Outlook.com" is a domain too, and that is meant then. */
	if ((blank || span_find(text, '.') == text.len) && provider_named(text))
		return read_provider(out, text, conf);
	buf_add(out, text);
	return !blank;
}

bool
route_name_read(struct buf *selector, struct span words, const struct conf *conf)
{
	struct span rest = SPAN("");
	enum kind kind;

	words = span_trim(words);
	for (size_t i = 0; i < words.len; i++)
		if ((unsigned char)words.ptr[i] < ' ' || words.ptr[i] == 0x7f)
			return false;
	kind = kind_said(words, &rest);
	if (kind == MAILBOX) {
		buf_add_str(selector, kinds[MAILBOX].prefix);
		return true;
	}
	rest = span_trim(rest);
	if (rest.len == 0 || rest.len > ROUTE_SITE_NAME_MAX)
		return false;
	if (kind == PLAIN)
		return read_plain(selector, rest, conf);
	if (kind == PROVIDER)
		return read_provider(selector, rest, conf);
	if (kind != PIPE && span_find(rest, ' ') < rest.len)
		return false;
	buf_add_str(selector, kinds[kind].prefix);
	/* A key that was typed has its port behind the last colon. */
	if ((kind == HOST || kind == LMTP || kind == VIA) && !is_path(rest) &&
	    span_find(words, ' ') < words.len)
		read_target(selector, rest);
	else
		buf_add(selector, rest);
	return true;
}
