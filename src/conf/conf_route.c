/*
 * "send mail ...": one route for each domain.  The first that fits counts, so one that
 * stands behind another which takes all of its mail is a mistake, and refused.
 */
#include "conf/conf_internal.h"

struct target {
	struct conf_route route;
	bool by_mx, tls_given, as_given;
	struct conf_place tls, as;
};

static const char *
tls_name(unsigned tls)
{
	return conf_tls_name((enum conf_tls)tls);
}

/* Domains wait in a list of their own until the statement's end is known. */
static bool
parse_domains(struct conf_parser *parser, struct conf_list *domains)
{
	struct conf_token value;

	do {
		struct span name;
		const char *problem;

		if (!conf_parser_value(parser, "a domain name", &value))
			return false;
		name = value.text;
		if (name.len > 1 && name.ptr[0] == '.')
			name = span_skip(name, 1);
		problem = conf_value_domain_problem(name);
		if (problem)
			return conf_parser_fail(parser, value.place,
			    "%s is not a domain name: %s", conf_quote(value.text).text,
			    problem);
		conf_list_add(domains, &value.text, sizeof(value.text), value.place);
	} while (conf_parser_more(parser));
	return true;
}

/* HOST[:PORT]; the host is a name or an address, with or without brackets. */
static bool
parse_through(struct conf_parser *parser, struct target *target)
{
	struct conf_token value;
	struct net_addr addr;
	struct span host;
	const char *problem;

	if (!conf_parser_value(parser, "a server, as in mail.example.net:587", &value))
		return false;
	problem = conf_value_endpoint(value.text, &host, &target->route.port);
	if (!problem && net_addr_parse(host, &addr) != OK)
		problem = conf_value_domain_problem(host);
	if (problem)
		return conf_parser_fail(parser, value.place, "%s is not a server: %s",
		    conf_quote(value.text).text, problem);
	check(arena_copy(parser->arena, host, &target->route.host));
	return true;
}

/* "with tls MODE" and "as NAME", each once, in either order. */
static bool
parse_details(struct conf_parser *parser, struct target *target)
{
	struct conf_token name;
	unsigned tls;

	for (;;) {
		if (!target->tls_given && conf_parser_is(parser, "with")) {
			conf_parser_advance(parser);
			if (!conf_parser_expect(parser, "tls"))
				return false;
			target->tls = parser->token.place;
			if (!conf_parser_choice(
				parser, tls_name, CONF_TLS_COUNT, &tls))
				return false;
			target->tls_given = true;
			target->route.tls = (enum conf_tls)tls;
		} else if (!target->as_given && conf_parser_is(parser, "as")) {
			target->as = parser->token.place;
			conf_parser_advance(parser);
			if (!conf_parser_value(
				parser, "a name from the credentials", &name))
				return false;
			if (name.text.len == 0 ||
			    name.text.len > CONF_CREDENTIAL_BYTES_MAX)
				return conf_parser_fail(parser, name.place,
				    "the name of a credential has from 1 to %d bytes",
				    (int)CONF_CREDENTIAL_BYTES_MAX);
			target->as_given = true;
			check(arena_copy(
			    parser->arena, name.text, &target->route.credential));
		} else {
			return true;
		}
	}
}

static bool
is_loopback(struct span host)
{
	struct net_addr addr;

	return span_eq_nocase(host, SPAN("localhost")) ||
	       (net_addr_parse(host, &addr) == OK && net_addr_is_loopback(&addr));
}

/* Fills in what "with tls" would say, and refuses what does not go together. */
static bool
settle(struct conf_parser *parser, struct target *target)
{
	struct conf_route *route = &target->route;
	struct net_addr addr;

	if (!target->tls_given && route->port == 465)
		route->tls = CONF_TLS_IMPLICIT;
	else if (!target->tls_given && target->as_given)
		route->tls = CONF_TLS_VERIFIED;
	if (target->by_mx && route->tls == CONF_TLS_IMPLICIT)
		return conf_parser_fail(parser, target->tls,
		    "servers found by MX use port 25, which has no implicit TLS; say "
		    "\"required\" or \"verified\"");
	if (route->tls == CONF_TLS_DANE && net_addr_parse(route->host, &addr) == OK)
		return conf_parser_fail(parser, target->tls,
		    "an address has no TLSA records; name the server, or say \"verified\"");
	if (target->by_mx && target->as_given)
		return conf_parser_fail(parser, target->as,
		    "a password is for one server; name it with \"through\"");
	if (target->as_given && !is_loopback(route->host) &&
	    (route->tls == CONF_TLS_MAY || route->tls == CONF_TLS_NEVER))
		return conf_parser_fail(parser, target->tls,
		    "\"%s\" could send the password in the clear; say \"verified\", "
		    "\"implicit\" or \"required\"",
		    conf_tls_name(route->tls));
	return true;
}

static bool
add_routes(struct conf_parser *parser, struct conf_place place, struct target *target,
    const struct conf_list *domains)
{
	size_t count = domains->count ? domains->count : 1;

	for (size_t i = 0; i < count; i++) {
		struct span domain = SPAN("");
		struct buf text;

		if (domains->count) {
			domain = ((const struct span *)domains->items)[i];
			place = domains->places[i];
		}
		if (parser->routes.count == CONF_ROUTES_MAX)
			return conf_parser_fail(
			    parser, place, "at most %d routes", (int)CONF_ROUTES_MAX);
		if (!conf_pattern_once(parser, "route", place, domain))
			return false;
		buf_init(&text, CONF_TEXT_MAX);
		for (size_t at = 0; at < domain.len; at++)
			buf_add_char(&text, ascii_lower(domain.ptr[at]));
		check(arena_copy(parser->arena, buf_span(&text), &target->route.domain));
		buf_fini(&text);
		conf_list_add(
		    &parser->routes, &target->route, sizeof(target->route), place);
	}
	return true;
}

static const char *
target_word(unsigned by_mx)
{
	return by_mx ? "by mx" : "through";
}

static bool
parse_target(struct conf_parser *parser, struct target *target)
{
	unsigned by_mx = 1;

	if (conf_parser_is(parser, "by")) {
		conf_parser_advance(parser);
		target->by_mx = true;
		return conf_parser_expect(parser, "mx");
	}
	return conf_parser_choice(parser, target_word, 2, &by_mx) &&
	       parse_through(parser, target);
}

bool
conf_route_parse(struct conf_parser *parser)
{
	struct conf_place place = parser->token.place;
	struct conf_list domains = {0};
	struct target target = {.route = {.host = SPAN(""), .credential = SPAN("")}};
	bool good = true;

	if (conf_parser_is(parser, "for")) {
		conf_parser_advance(parser);
		good = parse_domains(parser, &domains);
	}
	good = good && parse_target(parser, &target) && parse_details(parser, &target) &&
	       settle(parser, &target) && add_routes(parser, place, &target, &domains);
	mem_free(domains.items);
	mem_free(domains.places);
	return good;
}
