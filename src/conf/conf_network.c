/*
 * "relay for NETWORK, ...": who may send mail anywhere without a password; and whose word is
 * taken for who the client is.  Statements that can make an open relay, so they say no to
 * what nobody can mean.
 */
#include "conf/conf_internal.h"

enum {
	IPV4_BITS_MIN = 8, /* 10.0.0.0/8 is the largest private network */
	IPV6_BITS_MIN = 16, /* but for fc00::/7 and fe80::/10, which no route leads to */
};

/* "[2001:db8::]/32", "[2001:db8::/32]", or without brackets. */
static bool
unbracket(struct span text, struct buf *plain)
{
	size_t end;

	if (text.len == 0 || text.ptr[0] != '[') {
		buf_add(plain, text);
		return true;
	}
	end = span_find(text, ']');
	if (end == text.len)
		return false;
	buf_add(plain, span_of(text.ptr + 1, end - 1));
	buf_add(plain, span_skip(text, end + 1));
	return true;
}

/* The network that was meant where bits are set behind the prefix. */
static bool
without_rest(struct span text, struct net_prefix *prefix)
{
	size_t slash = span_find(text, '/');
	uint64_t bits;

	if (net_addr_parse(span_first(text, slash), &prefix->addr) != OK ||
	    !span_u64(
		span_skip(text, slash + 1), prefix->addr.family == 4 ? 32 : 128, &bits))
		return false;
	prefix->bits = (uint8_t)bits;
	for (size_t bit = bits; bit < 8 * sizeof(prefix->addr.bytes); bit++)
		prefix->addr.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return true;
}

static bool
is_too_wide(const struct net_prefix *prefix)
{
	if (prefix->addr.family == 4)
		return prefix->bits < IPV4_BITS_MIN;
	if (prefix->bits >= 7 && (prefix->addr.bytes[0] & 0xFE) == 0xFC)
		return false;
	if (prefix->bits >= 10 && prefix->addr.bytes[0] == 0xFE)
		return false;
	return prefix->bits < IPV6_BITS_MIN;
}

static bool
fail_syntax(struct conf_parser *parser, const struct conf_token *value, struct span plain)
{
	struct net_prefix meant;
	struct buf text;

	if (!without_rest(plain, &meant))
		return conf_parser_fail(parser, value->place,
		    "%s is not a network; expected one like 192.0.2.1, 192.168.1.0/24 or "
		    "[2001:db8::]/32",
		    conf_quote(value->text).text);
	buf_init(&text, CONF_TEXT_MAX);
	conf_value_write_prefix(&text, &meant);
	conf_parser_fail(parser, value->place,
	    "%s has bits set behind its prefix; did you mean %.*s?",
	    conf_quote(value->text).text, SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	return false;
}

static struct conf_list *
list_of(struct conf_parser *parser, const struct conf_option *option)
{
	if (option->offset == offsetof(struct conf, xclient_networks))
		return &parser->xclient_networks;
	return &parser->relay_networks;
}

static bool
add_network(struct conf_parser *parser, const struct conf_option *option,
    const struct conf_token *value, const struct net_prefix *prefix)
{
	struct conf_list *list = list_of(parser, option);
	struct buf text;
	bool first;

	if (prefix->bits == 0)
		return conf_parser_fail(parser, value->place,
		    "%s is everybody: anyone could send mail to anyone through this "
		    "server (an open relay); name your own networks only",
		    conf_quote(value->text).text);
	if (is_too_wide(prefix))
		return conf_parser_fail(parser, value->place,
		    "%s is too much of the internet to trust without a password; the "
		    "least is /%d",
		    conf_quote(value->text).text,
		    prefix->addr.family == 4 ? (int)IPV4_BITS_MIN : (int)IPV6_BITS_MIN);
	if (list->count == CONF_NETWORKS_MAX)
		return conf_parser_fail(
		    parser, value->place, "at most %d networks", (int)CONF_NETWORKS_MAX);
	buf_init(&text, CONF_TEXT_MAX);
	/* An address may be in each list once. */
	if (list != &parser->relay_networks)
		buf_addf(&text, "%s ", option->words);
	buf_add_str(&text, "network ");
	conf_value_write_prefix(&text, prefix);
	first = conf_parser_once(parser, value->place, buf_span(&text));
	buf_fini(&text);
	if (first)
		conf_list_add(list, prefix, sizeof(*prefix), value->place);
	return first;
}

bool
conf_networks_parse(struct conf_parser *parser, const struct conf_option *option)
{
	struct conf_token value;
	struct net_prefix prefix;
	struct buf plain;
	bool good;

	buf_init(&plain, NET_TEXT_MAX * 2);
	do {
		buf_reset(&plain);
		good = conf_parser_value(parser, "a network", &value);
		if (!good)
			break;
		if (!unbracket(value.text, &plain) || buf_finish(&plain) != OK ||
		    net_prefix_parse(buf_span(&plain), &prefix) != OK)
			good = fail_syntax(parser, &value, buf_span(&plain));
		else
			good = add_network(parser, option, &value, &prefix);
	} while (good && conf_parser_more(parser));
	buf_fini(&plain);
	return good;
}
