/*
 * "destination ... { ... }": the limits of some destinations; "provider ... { ... }": what all of a
 * provider's have together.  The block fills one struct in which everything is unsaid at first; at
 * its end that becomes a row for each pattern.  What was not said of a destination is taken from
 * the queue's limits once these are known.
 */
#include "conf/conf_internal.h"

#include "providers/providers.h"

/* What is wrong with the name of a domain, with or without a dot in front. */
static const char *
domain_problem(struct span name)
{
	return conf_value_domain_problem(
	    name.len > 1 && name.ptr[0] == '.' ? span_skip(name, 1) : name);
}

/* A domain with or without a dot in front, the address of a smart host, or "any". */
static bool
take_pattern(struct conf_parser *parser, const struct conf_token *value)
{
	struct span name = value->text;
	struct net_addr addr;
	const char *problem = NULL;

	if (value->kind == CONF_WORD && span_eq_nocase(name, SPAN("any"))) {
		name = SPAN("");
	} else {
		if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
			name = span_of(name.ptr + 1, name.len - 2);
		if (net_addr_parse(name, &addr) != OK)
			problem = domain_problem(name);
	}
	if (problem)
		return conf_parser_fail(parser, value->place,
		    "%s is not a destination: %s", conf_quote(value->text).text, problem);
	if (parser->destinations.count + parser->patterns.count == CONF_DESTINATIONS_MAX)
		return conf_parser_fail(parser, value->place, "at most %d destinations",
		    (int)CONF_DESTINATIONS_MAX);
	if (!conf_pattern_once(parser, "destination", value->place, name))
		return false;
	conf_list_add(&parser->patterns, &name, sizeof(name), value->place);
	return true;
}

/* The nearest name of a provider; NULL where none is near. */
static const char *
nearest_provider(struct span wrong)
{
	const struct provider *provider;
	struct conf_nearest nearest = {0};

	for (size_t i = 0; (provider = provider_at(i)) != NULL; i++)
		conf_nearest_offer(&nearest, wrong, provider->name);
	return nearest.word;
}

/* Such names are no patterns: ".com" has nothing to do with "Outlook.com". */
static bool
known_once(struct conf_parser *parser, struct conf_place place, struct span name)
{
	struct buf key;
	bool first;

	buf_init(&key, CONF_TEXT_MAX);
	buf_addf(&key, "provider %.*s", SPAN_ARGS(name));
	first = conf_parser_once(parser, place, buf_span(&key));
	buf_fini(&key);
	return first;
}

/* A provider that is known, or MX hosts. */
static bool
take_provider(struct conf_parser *parser, const struct conf_token *value)
{
	const struct provider *known = provider_named(value->text);
	struct span name = known ? span_str(known->name) : value->text;
	const char *nearest;

	if (parser->providers.count + parser->patterns.count == CONF_DESTINATIONS_MAX)
		return conf_parser_fail(parser, value->place, "at most %d providers",
		    (int)CONF_DESTINATIONS_MAX);
	if (!known && (span_find(name, '.') == name.len || domain_problem(name))) {
		nearest = nearest_provider(name);
		return conf_parser_fail(parser, value->place,
		    "%s is neither a provider that is known nor the name of an MX host; %s%s%s",
		    conf_quote(name).text, nearest ? "did you mean \"" : "",
		    nearest ? nearest : "\"postrider providers\" lists those that are known",
		    nearest ? "\"?" : "");
	}
	if (!(known ? known_once(parser, value->place, name)
	            : conf_pattern_once(parser, "provider", value->place, name)))
		return false;
	conf_list_add(&parser->patterns, &name, sizeof(name), value->place);
	return true;
}

bool
conf_destination_open(struct conf_parser *parser, const struct conf_option *option)
{
	bool is_provider = option->type == CONF_PROVIDER;
	struct conf_token value;

	parser->patterns.count = 0;
	do
		if (!conf_parser_value(parser,
		        is_provider ? "a provider, or an MX host" : "a domain name, or any",
		        &value) ||
		    !(is_provider ? take_provider(parser, &value)
		                  : take_pattern(parser, &value)))
			return false;
	while (conf_parser_more(parser));
	for (size_t i = 0; i < conf_option_count(); i++)
		if (conf_option_is_limit(conf_option_at(i)))
			parser->places[i] = (struct conf_place){0};
	parser->limits = (struct conf_limits){.jitter_percent = CONF_UNSAID,
	    .expire_ms = CONF_UNSAID,
	    .connections_max = CONF_UNSAID,
	    .connections_start = CONF_UNSAID,
	    .connections_far_max = CONF_UNSAID,
	    .rate_count = CONF_UNSAID,
	    .tls = CONF_UNSAID,
	    .messages_max = CONF_UNSAID,
	    .rcpts_max = CONF_UNSAID};
	return true;
}

static void
add_row(struct conf_parser *parser, struct span name, struct conf_place place)
{
	bool is_provider = strcmp(parser->block, "provider") == 0;
	const struct provider *known = is_provider ? provider_named(name) : NULL;
	struct conf_destination destination = {.limits = parser->limits};
	struct conf_provider provider = {.is_host = !known, .limits = parser->limits};

	name = known ? span_str(known->name) : conf_parser_lower(parser, name);
	if (is_provider) {
		provider.name = name;
		conf_list_add(&parser->providers, &provider, sizeof(provider), place);
		return;
	}
	destination.pattern = name;
	conf_list_add(&parser->destinations, &destination, sizeof(destination), place);
}

void
conf_destination_close(struct conf_parser *parser)
{
	const struct conf_limits *limits = &parser->limits;

	if (limits->connections_max != CONF_UNSAID && limits->connections_start != CONF_UNSAID &&
	    limits->connections_start > limits->connections_max)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, parser->block, "connections at first"),
		    "there are at most %llu connections, so not %llu at first",
		    (unsigned long long)limits->connections_max,
		    (unsigned long long)limits->connections_start);
	for (size_t i = 0; i < parser->patterns.count; i++)
		add_row(parser, ((const struct span *)parser->patterns.items)[i],
		    parser->patterns.places[i]);
	parser->patterns.count = 0;
}

static void
settle(uint64_t *value, uint64_t preset)
{
	if (*value == CONF_UNSAID)
		*value = preset;
}

void
conf_destinations_settle(struct conf *conf)
{
	const struct conf_limits *queue = &conf->limits;

	for (size_t i = 0; i < conf->destination_count; i++) {
		struct conf_limits *limits = &conf->destinations[i].limits;

		if (limits->retry_count == 0) {
			memcpy(
			    limits->retry_ms, queue->retry_ms, sizeof(queue->retry_ms));
			limits->retry_count = queue->retry_count;
		}
		if (limits->rate_count == CONF_UNSAID) {
			limits->rate_count = queue->rate_count;
			limits->rate_period_ms = queue->rate_period_ms;
		}
		settle(&limits->jitter_percent, queue->jitter_percent);
		settle(&limits->expire_ms, queue->expire_ms);
		settle(&limits->tls, CONF_TLS_MAY);
		settle(&limits->connections_far_max,
		    limits->connections_max == CONF_UNSAID ? queue->connections_far_max
							   : limits->connections_max);
		settle(&limits->connections_max, queue->connections_max);
		settle(&limits->connections_start, queue->connections_start);
		if (limits->connections_start > limits->connections_max)
			limits->connections_start = limits->connections_max;
	}
}
