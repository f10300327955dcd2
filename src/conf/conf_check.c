/*
 * What must be true of the whole, once every statement is good by itself; and the
 * listeners of a configuration that names none.
 */
#include "conf/conf_internal.h"

static void
check_hostname(struct conf_parser *parser)
{
	if (parser->conf->hostname.len == 0)
		conf_error_add(&parser->errors,
		    (struct conf_place){&parser->bundle->files[0], 0},
		    "the hostname is missing; say \"hostname mail.example.org\" with "
		    "this server's own name");
}

static bool
has_listener(const struct conf *conf, enum conf_listener_kind kind)
{
	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].kind == kind)
			return true;
	return false;
}

/* What lets users log in. */
static const char *const sources[] = {
    "passwords from", "authenticate with dovecot", "token keys from"};

bool
conf_has_users(const struct conf *conf)
{
	return conf->passwords_path.len > 0 || conf->dovecot_path.len > 0 ||
	       conf->token_keys_path.len > 0;
}

static void
check_users(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;
	struct conf_place keys = conf_parser_place_of(parser, NULL, "token keys from");

	/* Two sources of passwords would make it chance who of two namesakes logs in. */
	if (conf->passwords_path.len > 0 && conf->dovecot_path.len > 0)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, NULL, "authenticate with dovecot"),
		    "passwords are in a table already (\"passwords from\"); take one of the "
		    "two away");
	if (keys.file && (conf->token_issuer.len == 0 || conf->token_audience.len == 0))
		conf_error_add(&parser->errors, keys,
		    "nothing says %s; add \"token %s WORD\"",
		    conf->token_issuer.len == 0 ? "who must have issued tokens"
						: "for whom tokens must be",
		    conf->token_issuer.len == 0 ? "issuer" : "audience");
}

static void
check_tls(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;
	bool users = conf->listener_count == 0 ||
		     has_listener(conf, CONF_LISTENER_SUBMISSION) ||
		     has_listener(conf, CONF_LISTENER_SUBMISSIONS);

	if (conf->certificate_count > 0)
		return;
	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].kind == CONF_LISTENER_SUBMISSIONS)
			conf_error_add(&parser->errors, parser->listeners[i],
			    "submissions is TLS from the first byte and needs a "
			    "certificate; add \"certificate FILE key FILE\"");
	for (size_t i = 0; i < LEN(sources) && users; i++) {
		struct conf_place place = conf_parser_place_of(parser, NULL, sources[i]);

		if (place.file)
			conf_error_add(&parser->errors, place,
			    "passwords are taken over TLS only, which needs a certificate; "
			    "add \"certificate FILE key FILE\"");
	}
}

/* As below; where tables were dropped before, nothing is known of them. */
static bool
is_ruled_by_table(const struct conf_table *table, struct span domain)
{
	const struct conf_route *way = conf_table_nearest(table, domain, NULL);

	return !conf_table_is_by_sender(table) &&
	       (conf_table_count(table) == 0 || (way && way->kind >= CONF_ROUTE_PIPE));
}

/* A rule takes all mail for the domain, so that no table of mailboxes is needed. */
static bool
is_ruled(const struct conf *conf, struct span domain)
{
	for (size_t i = 0; i < conf->route_count; i++) {
		struct span pattern = conf->routes[i].domain;

		if (conf->routes[i].table && is_ruled_by_table(conf->routes[i].table, domain))
			return true;
		if (conf->routes[i].kind >= CONF_ROUTE_PIPE &&
		    conf->routes[i].kind != CONF_ROUTE_TABLE && conf->routes[i].sender.len == 0 &&
		    (pattern.len == 0 || span_eq_nocase(pattern, domain) ||
			(pattern.ptr[0] == '.' && span_ends_nocase(domain, pattern))))
			return true;
	}
	return false;
}

/* Two places for the mail of the mailboxes would make it chance which one gets it. */
static void
check_places(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;
	const char *first = conf->maildir_path.len > 0
	    ? "Maildirs already (\"deliver to maildir\")"
	    : "another program's already (\"deliver to lmtp\")";
	bool lmtp = conf->lmtp.kind == CONF_ROUTE_LMTP;

	if (conf->maildir_path.len > 0 && lmtp)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, NULL, "deliver to lmtp"),
		    "mailboxes are %s; take one of the two away", first);
	if (conf->mailbox_pipe && (conf->maildir_path.len > 0 || lmtp))
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, NULL, "deliver to pipe"),
		    "mailboxes are %s; take one of the two away", first);
}

static void
check_mailboxes(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;

	for (size_t i = 0; i < conf->domain_count && conf->mailboxes_path.len == 0 &&
	     conf->aliases_path.len == 0; i++) {
		if (is_ruled(conf, conf->domains[i]))
			continue;
		conf_error_add(&parser->errors, parser->domains.places[i],
		    "nothing says who has a mailbox at these domains; add \"mailboxes "
		    "from FILE\"");
		break;
	}
	check_places(parser);
	if (conf->mailboxes_path.len > 0 && conf->maildir_path.len == 0 &&
	    conf->lmtp.kind != CONF_ROUTE_LMTP && !conf->mailbox_pipe)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, NULL, "mailboxes from"),
		    "nothing says where the mail of the mailboxes goes; add \"deliver to "
		    "maildir FOLDER\", \"deliver to lmtp SERVER\" or \"deliver to pipe "
		    "COMMAND\"");
}

static void
check_credential(struct conf_parser *parser, const struct conf_route *route,
    struct conf_place place)
{
	if (route->credential.len > 0)
		conf_error_add(&parser->errors, place,
		    "nothing says what the password of %s is; add \"credentials "
		    "from FILE\"",
		    conf_quote(route->credential).text);
}

static void
check_routes(struct conf_parser *parser)
{
	const struct conf *conf = parser->conf;

	if (conf->credentials_path.len > 0)
		return;
	check_credential(
	    parser, &conf->lmtp, conf_parser_place_of(parser, NULL, "deliver to lmtp"));
	check_credential(
	    parser, &conf->fallback, conf_parser_place_of(parser, NULL, "fall back to"));
	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_table *table = conf->routes[i].table;

		check_credential(parser, &conf->routes[i], parser->routes.places[i]);
		for (size_t way = 0; table && way < conf_table_way_count(table); way++)
			check_credential(
			    parser, conf_table_way(table, way), parser->routes.places[i]);
	}
}

/* RFC 3865 section 2.3: what EHLO says of them must be what a client can read. */
static void
check_solicitations(struct conf_parser *parser)
{
	struct span rest = parser->conf->solicit_refused, class;
	bool good = rest.len == 0 || rest.ptr[rest.len - 1] != ',';

	while (good && span_cut(&rest, ',', &class)) {
		good = class.len > 0 && ascii_is_alpha(class.ptr[0]);
		for (size_t i = 0; good && i < class.len; i++)
			good = ascii_is_alnum(class.ptr[i]) ||
			    memchr(".:-_", class.ptr[i], 4);
	}
	if (!good)
		conf_error_add(&parser->errors,
		    conf_parser_place_of(parser, NULL, "refuse solicitations of"),
		    "these are no classes of solicitations; expected letters, digits and . : - _ "
		    "with commas between the classes, like \"org.example:ADV,net.example:ADV\"");
}

static void
check_limits(struct conf_parser *parser)
{
	struct conf_limits *limits = &parser->conf->limits;
	struct conf_place first =
	    conf_parser_place_of(parser, "queue", "connections at first");

	if (limits->connections_start > limits->connections_max && first.file)
		conf_error_add(&parser->errors, first,
		    "there are at most %llu connections per destination, so not %llu at "
		    "first",
		    (unsigned long long)limits->connections_max,
		    (unsigned long long)limits->connections_start);
	if (limits->connections_start > limits->connections_max)
		limits->connections_start = limits->connections_max;
	conf_destinations_settle(parser->conf);
}

static void
listen_everywhere(struct conf *conf, enum conf_listener_kind kind, uint16_t port)
{
	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2))
		conf->listeners[conf->listener_count++] = (struct conf_listener){
		    .kind = kind, .addr = {.family = family, .port = port}};
}

/* Submission is of use only to users who can log in, and passwords need TLS. */
static void
listeners_default(struct conf *conf)
{
	if (conf->listener_count > 0)
		return;
	listen_everywhere(conf, CONF_LISTENER_SMTP, 25);
	if (conf->certificate_count == 0 || !conf_has_users(conf))
		return;
	listen_everywhere(conf, CONF_LISTENER_SUBMISSION, 587);
	listen_everywhere(conf, CONF_LISTENER_SUBMISSIONS, 465);
}

void
conf_check(struct conf_parser *parser)
{
	check_hostname(parser);
	check_tls(parser);
	check_users(parser);
	check_mailboxes(parser);
	conf_programs_check(parser);
	check_routes(parser);
	check_solicitations(parser);
	conf_warmup_check(parser);
	check_limits(parser);
	listeners_default(parser->conf);
}
