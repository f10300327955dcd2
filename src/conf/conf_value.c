/*
 * Values: words to numbers, names and addresses, and back.  What these functions write,
 * they read again as the same value; conf_show relies on it.
 */
#include "conf/conf_internal.h"

struct unit {
	const char *names; /* in lower case, a space around each */
	const char *shown;
	uint64_t worth;
};

/* Largest first.  Sizes count in 1024s, whichever way they are written. */
static const struct unit sizes[] = {
    {" tb tib t ", "TB", UINT64_C(1) << 40},
    {" gb gib g ", "GB", UINT64_C(1) << 30},
    {" mb mib m ", "MB", UINT64_C(1) << 20},
    {" kb kib k ", "KB", UINT64_C(1) << 10},
    {" b byte bytes ", "B", 1},
};

static const struct unit times[] = {
    {" d day days ", "d", UINT64_C(86400000)},
    {" h hour hours ", "h", UINT64_C(3600000)},
    {" m min minute minutes ", "m", UINT64_C(60000)},
    {" s sec second seconds ", "s", UINT64_C(1000)},
    {" ms millisecond milliseconds ", "ms", 1},
};

static bool
unit_is(const struct unit *unit, struct span word)
{
	struct span rest = span_str(unit->names);
	struct span name;

	while (span_cut(&rest, ' ', &name))
		if (name.len > 0 && span_eq_nocase(name, word))
			return true;
	return false;
}

/* A number without a unit is good only where the unit would not matter. */
static bool
quantity(
    struct span number, struct span unit, const struct unit units[5], uint64_t *value)
{
	uint64_t count;

	if (!span_u64(number, UINT64_MAX, &count))
		return false;
	for (size_t i = 0; i < 5; i++)
		if (unit_is(&units[i], unit))
			return !__builtin_mul_overflow(count, units[i].worth, value);
	*value = 0;
	return unit.len == 0 && count == 0;
}

bool
conf_value_size(struct span number, struct span unit, uint64_t *bytes)
{
	return quantity(number, unit, sizes, bytes);
}

bool
conf_value_time(struct span number, struct span unit, uint64_t *ms)
{
	return quantity(number, unit, times, ms);
}

/* In the largest unit that leaves no rest. */
static void
quantity_write(struct buf *out, uint64_t value, const struct unit units[5])
{
	size_t i = 0;

	while (i < 4 && (value == 0 || value % units[i].worth != 0))
		i++;
	buf_add_u64(out, value / units[i].worth);
	buf_add_char(out, ' ');
	buf_add_str(out, units[i].shown);
}

void
conf_value_write_size(struct buf *out, uint64_t bytes)
{
	quantity_write(out, bytes, sizes);
}

void
conf_value_write_time(struct buf *out, uint64_t ms)
{
	quantity_write(out, ms, times);
}

static const char *
label_problem(struct span label)
{
	if (label.len == 0)
		return "a part between the dots is empty";
	if (label.len > 63)
		return "a part between the dots is longer than 63 bytes";
	if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
		return "a part between the dots begins or ends with a hyphen";
	for (size_t i = 0; i < label.len; i++) {
		if ((unsigned char)label.ptr[i] >= 0x80)
			return "write international names in ASCII (xn--...)";
		if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-')
			return "only letters, digits, hyphens and dots may stand in it";
	}
	return NULL;
}

const char *
conf_value_domain_problem(struct span domain)
{
	struct span last = span_skip(domain, span_find_last(domain, '.') + 1);
	struct span rest = domain;
	const char *problem = NULL;
	bool digits = true;

	if (domain.len == 0)
		return "it is empty";
	if (domain.len > 253)
		return "it is longer than 253 bytes";
	if (domain.ptr[domain.len - 1] == '.')
		return "leave out the dot at the end";
	if (span_find(domain, '.') == domain.len)
		last = domain;
	while (!problem && rest.len > 0) {
		size_t dot = span_find(rest, '.');

		problem = label_problem(span_first(rest, dot));
		rest = span_skip(rest, dot + 1);
	}
	for (size_t i = 0; i < last.len; i++)
		digits = digits && ascii_is_digit(last.ptr[i]);
	if (!problem && digits)
		return "its last part is a number, as in an address";
	return problem;
}

const char *
conf_value_text_problem(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return "only visible ASCII characters may stand in it";
	return NULL;
}

const char *
conf_value_mailbox_problem(struct span mailbox)
{
	if (mailbox.len > 0 && mailbox.ptr[0] == '.')
		return "it begins with a dot";
	for (size_t i = 0; i < mailbox.len; i++) {
		char c = mailbox.ptr[i];

		/* A mailbox is the name of a folder; it must not be a path. */
		if (!ascii_is_alnum(c) && (unsigned char)c < 0x80 &&
		    memchr("-_.+@=", c, 6) == NULL)
			return "only letters, digits and - _ . + @ = may stand in it";
	}
	return NULL;
}

bool
conf_value_separator(char c)
{
	return c != '\0' && strchr("+-=_.~#%&!", c) != NULL;
}

const char *
conf_value_endpoint(struct span text, struct span *host, uint16_t *port)
{
	size_t end = span_find(text, ':');
	struct span rest;
	uint64_t number = 0;

	if (text.len > 0 && text.ptr[0] == '[') {
		end = span_find(text, ']');
		if (end == text.len)
			return "the bracket is not closed";
		*host = span_of(text.ptr + 1, end - 1);
		if (span_starts_nocase(*host, SPAN("IPv6:")))
			*host = span_skip(*host, 5);
		rest = span_skip(text, end + 1);
	} else {
		*host = span_first(text, end);
		rest = span_skip(text, end);
		if (span_find(span_skip(rest, 1), ':') < span_skip(rest, 1).len)
			return "write IPv6 addresses in brackets, [::1]:25";
	}
	if (host->len == 0)
		return "nothing stands before the port";
	if (rest.len > 0 &&
	    (rest.ptr[0] != ':' || !span_u64(span_skip(rest, 1), UINT16_MAX, &number) ||
		number == 0))
		return "the port is a number from 1 to 65535, after a colon";
	*port = (uint16_t)number;
	return NULL;
}

void
conf_value_write_endpoint(struct buf *out, const struct net_addr *addr)
{
	if (addr->family == 6)
		buf_add_char(out, '[');
	net_addr_write(out, addr);
	if (addr->family == 6)
		buf_add_char(out, ']');
	buf_addf(out, ":%u", (unsigned)addr->port);
}

void
conf_value_write_prefix(struct buf *out, const struct net_prefix *prefix)
{
	unsigned bits_max = prefix->addr.family == 6 ? 128 : 32;

	if (prefix->addr.family == 6)
		buf_add_char(out, '[');
	net_addr_write(out, &prefix->addr);
	if (prefix->addr.family == 6)
		buf_add_char(out, ']');
	if (prefix->bits < bits_max)
		buf_addf(out, "/%u", (unsigned)prefix->bits);
}

void
conf_value_write_word(struct buf *out, struct span word)
{
	bool quotes = word.len == 0;

	for (size_t i = 0; i < word.len; i++)
		quotes = quotes || strchr(" \t{};,#\"\\", word.ptr[i]) != NULL;
	if (!quotes) {
		buf_add(out, word);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] == '"' || word.ptr[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, word.ptr[i]);
	}
	buf_add_char(out, '"');
}
