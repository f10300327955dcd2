/*
 * "send mail ...", "pipe mail ...", "discard mail ...", "refuse mail ...": one route for each pair
 * of a sender's and a recipient's domain or address.  The first that fits counts, so one that
 * stands behind another which takes all of its mail is a mistake, and refused.  "routes from
 * FILE": a table of them (conf_table.c).  And the other ways that mail goes by: "deliver to
 * lmtp", "fall back to".
 */
#include "conf/conf_internal.h"

enum { PATTERN_BYTES_MAX = 320 };

struct target {
	struct conf_route route;
	bool tls_given, as_given;
	struct conf_place tls, as;
};

static const char *
tls_name(unsigned tls)
{
	return conf_tls_name((enum conf_tls)tls);
}

bool
conf_route_is_socket(const struct conf_route *route)
{
	return route->host.len > 0 && route->host.ptr[0] == '/';
}

static bool
is_by_mx(const struct target *target)
{
	return target->route.kind == CONF_ROUTE_SMTP && target->route.host.len == 0;
}

const char *
conf_route_pattern_problem(struct span name)
{
	size_t at = span_find_last(name, '@');

	if (name.len > PATTERN_BYTES_MAX)
		return "it is longer than 320 bytes";
	if (at == name.len)
		return conf_value_domain_problem(
		    name.len > 1 && name.ptr[0] == '.' ? span_skip(name, 1) : name);
	if (at == 0)
		return "nothing stands before the @";
	for (size_t i = 0; i < at; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 127)
			return "only visible characters may stand in it";
	return conf_value_domain_problem(span_skip(name, at + 1));
}

/* Whose mail, and for whom: lists that wait until the statement's end is known. */
struct patterns {
	struct conf_list senders, domains;
};

static void
patterns_fini(struct patterns *patterns)
{
	mem_free(patterns->senders.items);
	mem_free(patterns->senders.places);
	mem_free(patterns->domains.items);
	mem_free(patterns->domains.places);
}

static bool
parse_list(struct conf_parser *parser, struct conf_list *list, bool senders)
{
	struct conf_token value;

	do {
		const char *problem = NULL;

		if (!conf_parser_value(parser, "a domain name", &value))
			return false;
		if (!senders || !span_eq(value.text, SPAN("<>")))
			problem = conf_route_pattern_problem(value.text);
		if (problem)
			return conf_parser_fail(parser, value.place, "%s is not %s: %s",
			    conf_quote(value.text).text,
			    span_find(value.text, '@') < value.text.len ? "an address"
									: "a domain name",
			    problem);
		conf_list_add(list, &value.text, sizeof(value.text), value.place);
	} while (conf_parser_more(parser));
	return true;
}

/* "from SENDER, ..." and "for DOMAIN, ...", in that order; either may be left out. */
static bool
parse_patterns(struct conf_parser *parser, struct patterns *patterns)
{
	if (conf_parser_is(parser, "from")) {
		conf_parser_advance(parser);
		if (!parse_list(parser, &patterns->senders, true))
			return false;
	}
	if (!conf_parser_is(parser, "for"))
		return true;
	conf_parser_advance(parser);
	return parse_list(parser, &patterns->domains, false);
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

/* A server as above, with a port of its own, or the path of a socket. */
static bool
parse_lmtp(struct conf_parser *parser, struct target *target)
{
	enum { LMTP_PORT = 24 };
	struct span text = parser->token.text;
	bool good;

	target->route.kind = CONF_ROUTE_LMTP;
	if (!conf_parser_at_value(parser) || text.len == 0 || text.ptr[0] != '/') {
		good = parse_through(parser, target);
		if (target->route.port == 0)
			target->route.port = LMTP_PORT;
		return good;
	}
	target->route.tls = CONF_TLS_NEVER;
	return conf_parser_path(
	    parser, "a socket", CONF_SOCKET_BYTES_MAX, &target->route.host);
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

	return (host.len > 0 && host.ptr[0] == '/') ||
	       span_eq_nocase(host, SPAN("localhost")) ||
	       (net_addr_parse(host, &addr) == OK && net_addr_is_loopback(&addr));
}

/* Fills in what "with tls" would say, and refuses what does not go together. */
static bool
settle(struct conf_parser *parser, struct target *target)
{
	struct conf_route *route = &target->route;
	struct net_addr addr;

	if (conf_route_is_socket(route)) {
		if (target->tls_given)
			return conf_parser_fail(parser, target->tls,
			    "a socket of this host has no TLS; leave \"with tls\" out");
		return true;
	}
	if (!target->tls_given && route->port == 465)
		route->tls = CONF_TLS_IMPLICIT;
	else if (!target->tls_given && target->as_given)
		route->tls = CONF_TLS_VERIFIED;
	if (is_by_mx(target) && route->tls == CONF_TLS_IMPLICIT)
		return conf_parser_fail(parser, target->tls,
		    "servers found by MX use port 25, which has no implicit TLS; say "
		    "\"required\" or \"verified\"");
	if (route->tls == CONF_TLS_DANE && net_addr_parse(route->host, &addr) == OK)
		return conf_parser_fail(parser, target->tls,
		    "an address has no TLSA records; name the server, or say \"verified\"");
	if (is_by_mx(target) && target->as_given)
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

bool
conf_route_add(struct conf_parser *parser, struct conf_place place,
    const struct conf_route *route)
{
	struct conf_route added = *route;

	if (parser->routes.count == CONF_ROUTES_MAX)
		return conf_parser_fail(
		    parser, place, "at most %d routes", (int)CONF_ROUTES_MAX);
	if (!conf_pattern_route_once(parser, place, route->sender, route->domain))
		return false;
	added.sender = conf_parser_lower(parser, route->sender);
	added.domain = conf_parser_lower(parser, route->domain);
	conf_list_add(&parser->routes, &added, sizeof(added), place);
	return true;
}

static struct span
listed(const struct conf_list *list, size_t i, struct conf_place *place)
{
	if (list->count == 0)
		return SPAN("");
	*place = list->places[i];
	return ((const struct span *)list->items)[i];
}

static bool
add_routes(struct conf_parser *parser, struct conf_place place, struct target *target,
    const struct patterns *patterns)
{
	size_t senders = patterns->senders.count ? patterns->senders.count : 1;
	size_t domains = patterns->domains.count ? patterns->domains.count : 1;

	for (size_t i = 0; i < senders; i++) {
		target->route.sender = listed(&patterns->senders, i, &place);
		for (size_t j = 0; j < domains; j++) {
			target->route.domain = listed(&patterns->domains, j, &place);
			if (!conf_route_add(parser, place, &target->route))
				return false;
		}
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
	unsigned by_mx;

	if (!conf_parser_is(parser, "by"))
		return conf_parser_choice(parser, target_word, 2, &by_mx) &&
		       parse_through(parser, target);
	conf_parser_advance(parser);
	if (!conf_parser_is(parser, "lmtp"))
		return conf_parser_expect(parser, "mx");
	conf_parser_advance(parser);
	return parse_lmtp(parser, target);
}

static const struct conf_route nowhere = {.domain = SPAN(""),
    .sender = SPAN(""),
    .host = SPAN(""),
    .credential = SPAN(""),
    .status = SPAN(""),
    .text = SPAN("")};

bool
conf_route_parse(struct conf_parser *parser)
{
	struct conf_place place = parser->token.place;
	struct target target = {.route = nowhere};
	struct patterns patterns = {0};
	bool good = parse_patterns(parser, &patterns) && parse_target(parser, &target) &&
		    parse_details(parser, &target) && settle(parser, &target) &&
		    add_routes(parser, place, &target, &patterns);

	patterns_fini(&patterns);
	return good;
}

bool
conf_lmtp_parse(struct conf_parser *parser)
{
	struct target target = {.route = nowhere};

	if (!parse_lmtp(parser, &target) || !parse_details(parser, &target) ||
	    !settle(parser, &target))
		return false;
	parser->conf->lmtp = target.route;
	return true;
}

bool
conf_fallback_parse(struct conf_parser *parser)
{
	struct target target = {.route = nowhere};

	if (!parse_through(parser, &target) || !parse_details(parser, &target) ||
	    !settle(parser, &target))
		return false;
	parser->conf->fallback = target.route;
	return true;
}

/* The rest of a rule: its patterns, and what it says. */
static bool
parse_rule(struct conf_parser *parser, struct target *target,
    bool (*more)(struct conf_parser *, struct target *))
{
	struct conf_place place = parser->token.place;
	struct patterns patterns = {0};
	bool good;

	if (!conf_parser_is(parser, "from") && !conf_parser_is(parser, "for"))
		return conf_parser_fail(parser, place, "expected \"from\" or \"for\", not %s",
		    conf_token_quote(&parser->token).text);
	good = parse_patterns(parser, &patterns) && (!more || more(parser, target)) &&
	       add_routes(parser, place, target, &patterns);
	patterns_fini(&patterns);
	return good;
}

bool
conf_discard_parse(struct conf_parser *parser)
{
	struct target target = {.route = nowhere};

	target.route.kind = CONF_ROUTE_DISCARD;
	return parse_rule(parser, &target, NULL);
}

/* "5.7.1": class, subject and detail. */
static bool
is_status(struct span text)
{
	uint64_t number;
	struct span part;
	unsigned count = 0;

	if (text.len < 5 || text.ptr[0] != '5' || text.ptr[text.len - 1] == '.')
		return false;
	for (; span_cut(&text, '.', &part); count++)
		if (part.len == 0 || part.len > 3 || !span_u64(part, 999, &number) ||
		    (count == 0 && part.len > 1))
			return false;
	return count == 3;
}

static bool
parse_refusal(struct conf_parser *parser, struct target *target)
{
	struct conf_token code, status, text;
	uint64_t number;

	if (!conf_parser_expect(parser, "with") ||
	    !conf_parser_value(parser, "a code, as in 550", &code))
		return false;
	if (code.text.len != 3 || !span_u64(code.text, 559, &number) || number < 550)
		return conf_parser_fail(parser, code.place,
		    "%s is not the code of a refusal: from 550 to 559",
		    conf_quote(code.text).text);
	if (!conf_parser_value(parser, "a status, as in 5.7.1", &status))
		return false;
	if (!is_status(status.text))
		return conf_parser_fail(parser, status.place,
		    "%s is not the status of a refusal, as in 5.7.1",
		    conf_quote(status.text).text);
	if (!conf_parser_value(parser, "a text, in quotes", &text))
		return false;
	if (text.text.len == 0 || text.text.len > CONF_REFUSAL_BYTES_MAX)
		return conf_parser_fail(parser, text.place, "the text has from 1 to %d bytes",
		    (int)CONF_REFUSAL_BYTES_MAX);
	for (size_t i = 0; i < text.text.len; i++)
		if (text.text.ptr[i] < ' ' || text.text.ptr[i] > '~')
			return conf_parser_fail(parser, text.place,
			    "only visible ASCII characters and blanks may stand in the text");
	target->route.code = (unsigned)number;
	check(arena_copy(parser->arena, status.text, &target->route.status) &&
	      arena_copy(parser->arena, text.text, &target->route.text));
	return true;
}

bool
conf_refuse_parse(struct conf_parser *parser)
{
	struct target target = {.route = nowhere};

	target.route.kind = CONF_ROUTE_REFUSE;
	return parse_rule(parser, &target, parse_refusal);
}

static bool
parse_program(struct conf_parser *parser, struct target *target)
{
	return conf_parser_expect(parser, "to") && conf_pipe_parse(parser, &target->route.pipe);
}

bool
conf_pipe_route_parse(struct conf_parser *parser)
{
	struct target target = {.route = nowhere};

	target.route.kind = CONF_ROUTE_PIPE;
	return parse_rule(parser, &target, parse_program);
}

bool
conf_route_way(struct conf_parser *parser, struct conf_route *way)
{
	struct target target = {.route = nowhere};
	bool good;

	if (conf_parser_is(parser, "discard")) {
		conf_parser_advance(parser);
		target.route.kind = CONF_ROUTE_DISCARD;
		good = true;
	} else if (conf_parser_is(parser, "refuse")) {
		conf_parser_advance(parser);
		target.route.kind = CONF_ROUTE_REFUSE;
		good = parse_refusal(parser, &target);
	} else if (conf_parser_is(parser, "pipe")) {
		conf_parser_advance(parser);
		target.route.kind = CONF_ROUTE_PIPE;
		good = conf_parser_expect(parser, "to") &&
		       conf_program_named(parser, &target.route.pipe);
	} else {
		good = parse_target(parser, &target) && parse_details(parser, &target) &&
		       settle(parser, &target);
	}
	if (good && parser->token.kind != CONF_NEWLINE && parser->token.kind != CONF_EOF)
		good = conf_parser_fail(parser, parser->token.place,
		    "expected the end of the line, not %s",
		    conf_token_quote(&parser->token).text);
	*way = target.route;
	return good;
}

static bool
table_once(struct conf_parser *parser, struct conf_place place, struct span path)
{
	struct buf text;
	bool first;

	buf_init(&text, CONF_PATH_BYTES_MAX + 32);
	buf_addf(&text, "routes %.*s", SPAN_ARGS(path));
	first = conf_parser_once(parser, place, buf_span(&text));
	buf_fini(&text);
	return first;
}

/* "routes from FILE": the table stands where the statement does. */
static bool
parse_table(struct conf_parser *parser, bool by_sender)
{
	struct conf_place place = parser->token.place;
	struct conf_route route = nowhere;
	const struct conf_file *file;
	struct span path;

	if (!conf_parser_path(parser, "the name of a file", CONF_PATH_BYTES_MAX, &path))
		return false;
	file = conf_bundle_find(parser->bundle, path);
	if (!file)
		return conf_parser_fail(
		    parser, place, "the file %s was not read", conf_quote(path).text);
	if (file->unreadable)
		return conf_parser_fail(parser, place, "cannot read %.*s: %.*s",
		    SPAN_ARGS(path), SPAN_ARGS(file->text));
	if (file->kind != CONF_FILE_ROUTES || parser->read[file - parser->bundle->files].file)
		return conf_parser_fail(
		    parser, place, "%s is no table of routes", conf_quote(path).text);
	if (parser->table_count == CONF_TABLES_MAX)
		return conf_parser_fail(
		    parser, place, "at most %d tables of routes", (int)CONF_TABLES_MAX);
	if (!table_once(parser, place, path) ||
	    !conf_pattern_route_free(parser, place, SPAN(""), SPAN("")))
		return false;
	route.kind = CONF_ROUTE_TABLE;
	route.table = conf_table_parse(parser, file, by_sender);
	if (!route.table)
		return false;
	parser->table_count++;
	conf_list_add(&parser->routes, &route, sizeof(route), place);
	return !conf_table_takes_all(route.table) ||
	       conf_pattern_route_once(parser, place, SPAN(""), SPAN(""));
}

bool
conf_routes_parse(struct conf_parser *parser)
{
	return parse_table(parser, false);
}

bool
conf_routes_by_sender_parse(struct conf_parser *parser)
{
	return parse_table(parser, true);
}

/* Lines are counted from the route before, for most stand in their order. */
void
conf_routes_settle(struct conf_parser *parser)
{
	struct conf_place last = {0};
	struct span name = SPAN("");
	unsigned line = 1;

	for (size_t i = 0; i < parser->routes.count; i++) {
		struct conf_route *route = &((struct conf_route *)parser->routes.items)[i];
		struct conf_place place = parser->routes.places[i];

		if (place.file != last.file)
			check(arena_copy(parser->arena, place.file->name, &name));
		if (place.file != last.file || place.at < last.at) {
			line = 1;
			last.at = 0;
		}
		for (size_t at = last.at; at < place.at; at++)
			line += place.file->text.ptr[at] == '\n';
		last = place;
		route->file = name;
		route->line = line;
	}
}
