/* Statements whose grammar is richer than one value; conf_option.c has their syntax. */
#include "conf/conf_internal.h"

enum { HTTP_PORT = 80 };

static const char *
listener_kind(unsigned kind)
{
	return conf_listener_kind_name((enum conf_listener_kind)kind);
}

static const char *
log_format(unsigned format)
{
	return conf_log_format_name((enum conf_log_format)format);
}

static const char *
log_target(unsigned target)
{
	return conf_log_target_name((enum conf_log_target)target);
}

static bool
parse_include(struct conf_parser *parser)
{
	struct conf_place place = parser->token.place;
	const struct conf_file *file;
	struct conf_place *read;
	struct span name;

	if (!conf_parser_path(parser, "the name of a file", CONF_PATH_BYTES_MAX, &name))
		return false;
	file = conf_bundle_find(parser->bundle, name);
	if (!file && parser->bundle->count == CONF_FILES_MAX)
		return conf_parser_fail(parser, place,
		    "a configuration has at most %d files", (int)CONF_FILES_MAX);
	if (!file)
		return conf_parser_fail(
		    parser, place, "the file %s was not read", conf_quote(name).text);
	if (file->unreadable)
		return conf_parser_fail(parser, place, "cannot read %.*s: %.*s",
		    SPAN_ARGS(name), SPAN_ARGS(file->text));
	read = &parser->read[file - parser->bundle->files];
	if (read->file && file == parser->bundle->files)
		return conf_parser_fail(parser, place,
		    "%s is the main file; it cannot include itself",
		    conf_quote(name).text);
	if (read->file)
		return conf_parser_fail(parser, place,
		    "%s was included already, at %.*s:%u", conf_quote(name).text,
		    SPAN_ARGS(read->file->name), conf_place_line(*read));
	*read = place;
	parser->include = file;
	return true;
}

static uint16_t
listener_port(enum conf_listener_kind kind)
{
	switch (kind) {
	case CONF_LISTENER_SMTP:
		return 25;
	case CONF_LISTENER_SUBMISSION:
		return 587;
	case CONF_LISTENER_SUBMISSIONS:
		return 465;
	case CONF_LISTENER_LMTP:
		return 24;
	case CONF_LISTENER_KIND_COUNT:
		break;
	}
	return 0;
}

static bool
add_listener(struct conf_parser *parser, enum conf_listener_kind kind,
    struct conf_place place, const struct net_addr *addr)
{
	struct conf *conf = parser->conf;
	struct buf text;
	bool first;

	buf_init(&text, CONF_TEXT_MAX);
	buf_add_str(&text, "listener ");
	conf_value_write_endpoint(&text, addr);
	first = conf_parser_once(parser, place, buf_span(&text));
	buf_fini(&text);
	if (!first)
		return false;
	if (conf->listener_count == CONF_LISTENERS_MAX)
		return conf_parser_fail(parser, place,
		    "at most %d addresses to listen on", (int)CONF_LISTENERS_MAX);
	parser->listeners[conf->listener_count] = place;
	conf->listeners[conf->listener_count++] =
	    (struct conf_listener){.kind = kind, .addr = *addr};
	return true;
}

/* ADDRESS[:PORT], as a token; without a port it is the given one. */
static bool
parse_address(struct conf_parser *parser, const struct conf_token *value, uint16_t port,
    struct net_addr *addr)
{
	struct span host;
	uint16_t given;
	const char *problem = conf_value_endpoint(value->text, &host, &given);

	if (!problem && net_addr_parse(host, addr) != OK)
		problem = "expected an IP address, as in 192.0.2.1 or [2001:db8::1]";
	if (problem)
		return conf_parser_fail(parser, value->place, "%s is not an address: %s",
		    conf_quote(value->text).text, problem);
	addr->port = given ? given : port;
	return true;
}

/* "*" is two listeners, so that neither depends on how the system maps addresses. */
static bool
parse_everywhere(struct conf_parser *parser, enum conf_listener_kind kind,
    const struct conf_token *value)
{
	struct net_addr addr = {.family = 4};
	struct span host;
	const char *problem = conf_value_endpoint(value->text, &host, &addr.port);

	if (problem)
		return conf_parser_fail(parser, value->place, "%s is not an address: %s",
		    conf_quote(value->text).text, problem);
	if (addr.port == 0)
		addr.port = listener_port(kind);
	if (!add_listener(parser, kind, value->place, &addr))
		return false;
	addr.family = 6;
	return add_listener(parser, kind, value->place, &addr);
}

static bool
parse_listen(struct conf_parser *parser)
{
	struct conf_token value;
	struct net_addr addr;
	unsigned kind;
	bool good;

	if (!conf_parser_choice(
		parser, listener_kind, CONF_LISTENER_KIND_COUNT, &kind) ||
	    !conf_parser_expect(parser, "on"))
		return false;
	do {
		if (!conf_parser_value(parser, "an address", &value))
			return false;
		if (span_eq(value.text, SPAN("*")) || span_starts(value.text, SPAN("*:")))
			good = parse_everywhere(
			    parser, (enum conf_listener_kind)kind, &value);
		else
			good = parse_address(parser, &value,
				   listener_port((enum conf_listener_kind)kind), &addr) &&
			       add_listener(parser, (enum conf_listener_kind)kind,
				   value.place, &addr);
		if (!good)
			return false;
	} while (conf_parser_more(parser));
	return true;
}

static bool
add_http(struct conf_parser *parser, struct conf_place place, const struct net_addr *addr)
{
	struct conf *conf = parser->conf;
	struct buf text;
	bool first;

	buf_init(&text, CONF_TEXT_MAX);
	buf_add_str(&text, "listener ");
	conf_value_write_endpoint(&text, addr);
	first = conf_parser_once(parser, place, buf_span(&text));
	buf_fini(&text);
	if (first && conf->http_count == CONF_HTTP_MAX)
		return conf_parser_fail(parser, place,
		    "at most %d addresses to listen on for http", (int)CONF_HTTP_MAX);
	if (first)
		conf->http[conf->http_count++] = *addr;
	return first;
}

/* As parse_listen, for browsers. */
static bool
parse_http(struct conf_parser *parser)
{
	struct conf_token value;
	struct net_addr addr;

	do {
		if (!conf_parser_value(parser, "an address", &value))
			return false;
		if (span_eq(value.text, SPAN("*")) || span_starts(value.text, SPAN("*:"))) {
			struct span host;
			const char *problem;

			addr = (struct net_addr){.family = 4};
			problem = conf_value_endpoint(value.text, &host, &addr.port);
			if (problem)
				return conf_parser_fail(parser, value.place,
				    "%s is not an address: %s", conf_quote(value.text).text,
				    problem);
			addr.port = addr.port ? addr.port : HTTP_PORT;
			if (!add_http(parser, value.place, &addr))
				return false;
			addr.family = 6;
		} else if (!parse_address(parser, &value, HTTP_PORT, &addr)) {
			return false;
		}
		if (!add_http(parser, value.place, &addr))
			return false;
	} while (conf_parser_more(parser));
	return true;
}

static bool
add_domain(struct conf_parser *parser, const struct conf_token *value)
{
	const char *problem = conf_value_domain_problem(value->text);
	struct span domain;
	struct buf text;
	bool first;

	if (problem)
		return conf_parser_fail(parser, value->place,
		    "%s is not a domain name: %s", conf_quote(value->text).text, problem);
	if (parser->domains.count == CONF_DOMAINS_MAX)
		return conf_parser_fail(
		    parser, value->place, "at most %d domains", (int)CONF_DOMAINS_MAX);
	buf_init(&text, CONF_TEXT_MAX);
	buf_add_str(&text, "domain ");
	buf_add_lower(&text, value->text);
	first = conf_parser_once(parser, value->place, buf_span(&text));
	if (first) {
		check(arena_copy(parser->arena,
		    span_skip(buf_span(&text), SPAN("domain ").len), &domain));
		conf_list_add(&parser->domains, &domain, sizeof(domain), value->place);
	}
	buf_fini(&text);
	return first;
}

static bool
parse_domains(struct conf_parser *parser)
{
	struct conf_token value;

	do
		if (!conf_parser_value(parser, "a domain name", &value) ||
		    !add_domain(parser, &value))
			return false;
	while (conf_parser_more(parser));
	return true;
}

bool
conf_parser_user(struct conf_parser *parser, struct span *user)
{
	struct conf_token value;
	bool good;

	if (!conf_parser_value(parser, "the name of a user", &value))
		return false;
	good = value.text.len > 0 && value.text.len <= CONF_USER_BYTES_MAX &&
	    value.text.ptr[0] != '-';
	for (size_t i = 0; i < value.text.len; i++)
		good = good && (ascii_is_alnum(value.text.ptr[i]) ||
				   memchr("-_.", value.text.ptr[i], 3) != NULL);
	if (!good)
		return conf_parser_fail(parser, value.place,
		    "%s is not the name of a user: letters, digits and - _ . only, at "
		    "most %d",
		    conf_quote(value.text).text, (int)CONF_USER_BYTES_MAX);
	check(arena_copy(parser->arena, value.text, user));
	return true;
}

static bool
parse_maildir(struct conf_parser *parser)
{
	if (!conf_parser_path(
		parser, "a folder", CONF_PATH_BYTES_MAX, &parser->conf->maildir_path))
		return false;
	if (!conf_parser_is(parser, "as"))
		return true;
	conf_parser_advance(parser);
	return conf_parser_user(parser, &parser->conf->mailbox_user);
}

static bool
parse_dns(struct conf_parser *parser)
{
	struct conf *conf = parser->conf;
	struct conf_token value;
	struct net_addr addr;

	do {
		if (!conf_parser_value(parser, "the address of a name server", &value) ||
		    !parse_address(parser, &value, 53, &addr))
			return false;
		if (conf->dns_server_count == CONF_DNS_SERVERS_MAX)
			return conf_parser_fail(parser, value.place,
			    "at most %d name servers", (int)CONF_DNS_SERVERS_MAX);
		conf->dns_servers[conf->dns_server_count++] = addr;
	} while (conf_parser_more(parser));
	return true;
}

static bool
parse_log(struct conf_parser *parser)
{
	bool as = conf_parser_is(parser, "as");
	unsigned choice;

	if (as) {
		conf_parser_advance(parser);
		if (!conf_parser_choice(parser, log_format, CONF_LOG_JSON + 1, &choice))
			return false;
		parser->conf->log_format = (enum conf_log_format)choice;
		if (!conf_parser_is(parser, "to") && parser->token.kind != CONF_WORD)
			return true;
	}
	if (!conf_parser_expect(parser, "to") ||
	    !conf_parser_choice(parser, log_target, CONF_LOG_SYSLOG + 1, &choice))
		return false;
	parser->conf->log_target = (enum conf_log_target)choice;
	return true;
}

bool
conf_statement_parse(struct conf_parser *parser, const struct conf_option *option)
{
	static bool (*const parsers[CONF_TYPE_COUNT])(struct conf_parser * parser) = {
	    [CONF_LISTEN] = parse_listen,
	    [CONF_HTTP] = parse_http,
	    [CONF_CERTIFICATE] = conf_certificate_parse,
	    [CONF_CLIENTS] = conf_clients_parse,
	    [CONF_TLS_VERSION] = conf_tls_version_parse,
	    [CONF_DOMAINS] = parse_domains,
	    [CONF_MAILDIR] = parse_maildir,
	    [CONF_LMTP] = conf_lmtp_parse,
	    [CONF_ROUTE] = conf_route_parse,
	    [CONF_ROUTES] = conf_routes_parse,
	    [CONF_ROUTES_BY_SENDER] = conf_routes_by_sender_parse,
	    [CONF_SOURCE] = conf_source_parse,
	    [CONF_WARMUP] = conf_warmup_parse,
	    [CONF_VERP] = conf_verp_parse,
	    [CONF_DISCARD] = conf_discard_parse,
	    [CONF_REFUSE] = conf_refuse_parse,
	    [CONF_PROGRAM] = conf_program_parse,
	    [CONF_PIPE] = conf_pipe_route_parse,
	    [CONF_PIPE_MAILBOXES] = conf_pipe_mailboxes_parse,
	    [CONF_FALLBACK] = conf_fallback_parse,
	    [CONF_DNS] = parse_dns,
	    [CONF_LOG] = parse_log,
	    [CONF_INCLUDE] = parse_include,
	};

	if (option->type == CONF_TIMES || option->type == CONF_RATE)
		return conf_scalar_parse(parser, option);
	if (option->type == CONF_NETWORKS)
		return conf_networks_parse(parser, option);
	check(parsers[option->type] != NULL);
	return parsers[option->type](parser);
}
