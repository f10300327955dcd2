/*
 * "destination ... { ... }": the limits of some destinations.  The block fills one struct in
 * which everything is unsaid at first; at its end that becomes a row for each pattern.  What
 * was not said is taken from the queue's limits once these are known.
 */
#include "conf/conf_internal.h"

/* In no row's range. */
static const uint64_t unsaid = UINT64_MAX;

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
			problem = conf_value_domain_problem(
			    name.len > 1 && name.ptr[0] == '.' ? span_skip(name, 1)
							       : name);
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

bool
conf_destination_open(struct conf_parser *parser)
{
	struct conf_token value;

	parser->patterns.count = 0;
	do
		if (!conf_parser_value(parser, "a domain name, or any", &value) ||
		    !take_pattern(parser, &value))
			return false;
	while (conf_parser_more(parser));
	for (size_t i = 0; i < conf_option_count(); i++)
		if (conf_option_is_limit(conf_option_at(i)))
			parser->places[i] = (struct conf_place){0};
	parser->limits = (struct conf_limits){.jitter_percent = unsaid,
	    .expire_ms = unsaid,
	    .connections_max = unsaid,
	    .connections_start = unsaid,
	    .rate_count = unsaid,
	    .tls = unsaid};
	return true;
}

void
conf_destination_close(struct conf_parser *parser)
{
	const struct conf_limits *limits = &parser->limits;

	if (limits->connections_max != unsaid && limits->connections_start != unsaid &&
	    limits->connections_start > limits->connections_max)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, "destination", "connections at first"),
		    "there are at most %llu connections, so not %llu at first",
		    (unsigned long long)limits->connections_max,
		    (unsigned long long)limits->connections_start);
	for (size_t i = 0; i < parser->patterns.count; i++) {
		struct conf_destination destination = {.limits = *limits};
		struct span name = ((const struct span *)parser->patterns.items)[i];
		char *copy = arena_alloc(parser->arena, name.len);

		check(copy != NULL);
		destination.pattern = span_lower(copy, name);
		conf_list_add(&parser->destinations, &destination, sizeof(destination),
		    parser->patterns.places[i]);
	}
	parser->patterns.count = 0;
}

static void
settle(uint64_t *value, uint64_t preset)
{
	if (*value == unsaid)
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
		if (limits->rate_count == unsaid) {
			limits->rate_count = queue->rate_count;
			limits->rate_period_ms = queue->rate_period_ms;
		}
		settle(&limits->jitter_percent, queue->jitter_percent);
		settle(&limits->expire_ms, queue->expire_ms);
		settle(&limits->tls, CONF_TLS_MAY);
		settle(&limits->connections_max, queue->connections_max);
		settle(&limits->connections_start, queue->connections_start);
		if (limits->connections_start > limits->connections_max)
			limits->connections_start = limits->connections_max;
	}
}
