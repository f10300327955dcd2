/*
 * "send from ..." and "verp for ...": how mail of some senders leaves.  One row for each address
 * and each pattern of senders.
 */
#include "conf/conf_internal.h"

/* Lists of a statement, whose end must be known before they are rows. */
struct source_lists {
	struct conf_list addrs, senders;
};

bool
conf_source_addrs_parse(struct conf_parser *parser, struct conf_list *addrs)
{
	struct conf_token value;

	do {
		struct net_addr addr;
		struct span host;
		uint16_t port = 0;

		if (!conf_parser_value(parser, "an address of this host", &value))
			return false;
		if (conf_value_endpoint(value.text, &host, &port) || port > 0 ||
		    net_addr_parse(host, &addr) != OK)
			return conf_parser_fail(parser, value.place, "%s is not an address",
			    conf_quote(value.text).text);
		addr.port = 0;
		conf_list_add(addrs, &addr, sizeof(addr), value.place);
	} while (conf_parser_more(parser));
	return true;
}

static bool
parse_senders(struct conf_parser *parser, struct conf_list *senders)
{
	struct conf_token value;

	do {
		struct span name;
		const char *problem;

		if (!conf_parser_value(parser, "a domain name", &value))
			return false;
		name = value.text;
		problem = conf_value_domain_problem(
		    name.len > 1 && name.ptr[0] == '.' ? span_skip(name, 1) : name);
		if (problem)
			return conf_parser_fail(parser, value.place,
			    "%s is not a domain name: %s", conf_quote(value.text).text,
			    problem);
		name = conf_parser_lower(parser, name);
		conf_list_add(senders, &name, sizeof(name), value.place);
	} while (conf_parser_more(parser));
	return true;
}

static bool
parse_helo(struct conf_parser *parser, struct conf_source *source)
{
	struct conf_token value;
	const char *problem;

	if (!conf_parser_value(parser, "a host name", &value))
		return false;
	problem = conf_value_domain_problem(value.text);
	if (problem)
		return conf_parser_fail(parser, value.place, "%s is not a host name: %s",
		    conf_quote(value.text).text, problem);
	check(arena_copy(parser->arena, value.text, &source->helo));
	return true;
}

static bool
parse_weight(struct conf_parser *parser, struct conf_source *source)
{
	struct conf_token value;

	if (!conf_parser_value(parser, "a number", &value))
		return false;
	if (!span_u64(value.text, CONF_WEIGHT_MAX, &source->weight) || source->weight == 0)
		return conf_parser_fail(parser, value.place, "a weight is from 1 to %d, not %s",
		    (int)CONF_WEIGHT_MAX, conf_quote(value.text).text);
	return true;
}

static bool
is_pool_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && !memchr("-_.", name.ptr[i], 3))
			return false;
	return name.len > 0 && name.len <= CONF_POOL_BYTES_MAX;
}

static bool
parse_pool(struct conf_parser *parser, struct conf_source *source)
{
	struct conf_token value;

	if (!conf_parser_expect(parser, "pool") ||
	    !conf_parser_value(parser, "the name of a pool", &value))
		return false;
	if (!is_pool_name(value.text))
		return conf_parser_fail(parser, value.place,
		    "%s is not a name of a pool: at most %d letters, digits, and - _ .",
		    conf_quote(value.text).text, (int)CONF_POOL_BYTES_MAX);
	source->pool = conf_parser_lower(parser, value.text);
	return true;
}

/* "as", "weight", "in pool" and "for senders", each once, in any order. */
static bool
parse_details(
    struct conf_parser *parser, struct conf_source *source, struct source_lists *lists)
{
	for (;;) {
		if (source->helo.len == 0 && conf_parser_is(parser, "as")) {
			conf_parser_advance(parser);
			if (!parse_helo(parser, source))
				return false;
		} else if (source->weight == 0 && conf_parser_is(parser, "weight")) {
			conf_parser_advance(parser);
			if (!parse_weight(parser, source))
				return false;
		} else if (source->pool.len == 0 && conf_parser_is(parser, "in")) {
			conf_parser_advance(parser);
			if (!parse_pool(parser, source))
				return false;
		} else if (lists->senders.count == 0 && conf_parser_is(parser, "for")) {
			conf_parser_advance(parser);
			if (!conf_parser_expect(parser, "senders") ||
			    !parse_senders(parser, &lists->senders))
				return false;
		} else {
			return true;
		}
	}
}

static bool
add_source(struct conf_parser *parser, struct conf_source *source,
    const struct source_lists *lists, size_t at)
{
	struct conf_place place = lists->addrs.places[at];
	struct buf key;
	bool first;

	source->addr = ((const struct net_addr *)lists->addrs.items)[at];
	if (parser->sources.count == CONF_SOURCES_MAX)
		return conf_parser_fail(
		    parser, place, "at most %d addresses", (int)CONF_SOURCES_MAX);
	buf_init(&key, CONF_TEXT_MAX);
	buf_add_str(&key, "source ");
	net_addr_write(&key, &source->addr);
	if (source->sender.len > 0)
		buf_addf(&key, " for senders %.*s", SPAN_ARGS(source->sender));
	if (source->pool.len > 0)
		buf_addf(&key, " in pool %.*s", SPAN_ARGS(source->pool));
	first = conf_parser_once(parser, place, buf_span(&key));
	buf_fini(&key);
	if (first)
		conf_list_add(&parser->sources, source, sizeof(*source), place);
	return first;
}

static bool
add_sources(
    struct conf_parser *parser, struct conf_source *source, const struct source_lists *lists)
{
	size_t count = lists->senders.count ? lists->senders.count : 1;

	if (source->weight == 0)
		source->weight = 1;
	for (size_t i = 0; i < lists->addrs.count; i++)
		for (size_t j = 0; j < count; j++) {
			source->sender = lists->senders.count
			    ? ((const struct span *)lists->senders.items)[j]
			    : SPAN("");
			if (!add_source(parser, source, lists, i))
				return false;
		}
	return true;
}

static void
free_list(struct conf_list *list)
{
	mem_free(list->items);
	mem_free(list->places);
}

bool
conf_source_parse(struct conf_parser *parser)
{
	struct source_lists lists = {0};
	struct conf_source source = {
	    .helo = SPAN(""), .sender = SPAN(""), .pool = SPAN("")};
	bool good = conf_source_addrs_parse(parser, &lists.addrs) &&
	    parse_details(parser, &source, &lists) && add_sources(parser, &source, &lists);

	free_list(&lists.addrs);
	free_list(&lists.senders);
	return good;
}

static bool
is_delimiter(char c)
{
	return memchr("+-=_.#%&!", c, 9) != NULL;
}

static bool
parse_delimiters(struct conf_parser *parser, struct conf_verp *verp)
{
	struct conf_token value;

	conf_parser_advance(parser);
	if (!conf_parser_expect(parser, "delimiters") ||
	    !conf_parser_value(parser, "two delimiters, as in +=", &value))
		return false;
	if (value.text.len != 2 || !is_delimiter(value.text.ptr[0]) ||
	    !is_delimiter(value.text.ptr[1]))
		return conf_parser_fail(parser, value.place,
		    "%s is not two delimiters, of + - = _ . # %% & !",
		    conf_quote(value.text).text);
	verp->before = value.text.ptr[0];
	verp->at = value.text.ptr[1];
	return true;
}

bool
conf_verp_parse(struct conf_parser *parser)
{
	struct conf_list senders = {0};
	struct conf_verp verp = {.before = '+', .at = '='};
	bool good = parse_senders(parser, &senders);

	if (good && conf_parser_is(parser, "with"))
		good = parse_delimiters(parser, &verp);
	for (size_t i = 0; good && i < senders.count; i++) {
		verp.sender = ((const struct span *)senders.items)[i];
		if (parser->verps.count == CONF_VERPS_MAX)
			good = conf_parser_fail(parser, senders.places[i],
			    "at most %d domains of senders", (int)CONF_VERPS_MAX);
		else
			good = conf_pattern_once(parser, "verp", senders.places[i], verp.sender);
		if (good)
			conf_list_add(&parser->verps, &verp, sizeof(verp), senders.places[i]);
	}
	free_list(&senders);
	return good;
}

void
conf_source_show(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->source_count; i++) {
		const struct conf_source *source = &conf->sources[i];
		bool v6 = source->addr.family == 6;

		buf_add_str(out, v6 ? "send from [" : "send from ");
		net_addr_write(out, &source->addr);
		buf_add_str(out, v6 ? "]" : "");
		if (source->helo.len > 0)
			buf_addf(out, " as %.*s", SPAN_ARGS(source->helo));
		buf_addf(out, " weight %llu", (unsigned long long)source->weight);
		if (source->pool.len > 0)
			buf_addf(out, " in pool %.*s", SPAN_ARGS(source->pool));
		if (source->sender.len > 0)
			buf_addf(out, " for senders %.*s", SPAN_ARGS(source->sender));
		buf_add_char(out, '\n');
	}
}

void
conf_verp_show(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->verp_count; i++) {
		const char delimiters[2] = {conf->verps[i].before, conf->verps[i].at};

		buf_addf(out, "verp for %.*s with delimiters ", SPAN_ARGS(conf->verps[i].sender));
		conf_value_write_word(out, span_of(delimiters, 2));
		buf_add_char(out, '\n');
	}
}
