/*
 * A configuration back into its language.  Everything is written, defaults too, and
 * nothing that conf_parse would not read as the same.
 */
#include "conf/conf_internal.h"

enum { LINE_COLUMNS = 78 };

/* A list of words after a statement's own, broken after commas. */
struct list_writer {
	struct buf *out;
	size_t column;
	bool any;
};

static void
list_write(struct list_writer *list, const char *words, struct span item)
{
	if (!list->any) {
		buf_add_str(list->out, words);
		list->column = strlen(words);
	} else {
		buf_add_char(list->out, ',');
	}
	if (list->any && list->column + item.len + 2 > LINE_COLUMNS) {
		buf_add_str(list->out, "\n   ");
		list->column = 3;
	}
	buf_add_char(list->out, ' ');
	buf_add(list->out, item);
	list->column += item.len + 2;
	list->any = true;
}

static void
list_end(struct list_writer *list)
{
	if (list->any)
		buf_add_char(list->out, '\n');
}

static void
show_listeners(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->listener_count; i++) {
		buf_addf(out, "listen %s on ",
		    conf_listener_kind_name(conf->listeners[i].kind));
		conf_value_write_endpoint(out, &conf->listeners[i].addr);
		buf_add_char(out, '\n');
	}
}

static void
show_http(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->http_count; i++) {
		buf_add_str(out, "listen http on ");
		conf_value_write_endpoint(out, &conf->http[i]);
		buf_add_char(out, '\n');
	}
}

static void
show_certificates(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->certificate_count; i++) {
		buf_add_str(out, "certificate ");
		conf_value_write_word(out, conf->certificates[i].path);
		buf_add_str(out, " key ");
		conf_value_write_word(out, conf->certificates[i].key_path);
		buf_add_char(out, '\n');
	}
}

static void
show_clients(struct buf *out, const struct conf *conf)
{
	if (conf->clients_path.len == 0)
		return;
	buf_add_str(out, "client certificates from ");
	conf_value_write_word(out, conf->clients_path);
	buf_add_char(out, '\n');
}

static void
show_tls_version(struct buf *out, const struct conf *conf)
{
	buf_addf(
	    out, "minimum tls version %s\n", conf_tls_version_name(conf->tls_version_min));
}

static void
show_domains(struct buf *out, const struct conf *conf)
{
	struct list_writer list = {.out = out};

	for (size_t i = 0; i < conf->domain_count; i++)
		list_write(&list, "accept mail for", conf->domains[i]);
	list_end(&list);
}

static void
show_networks(
    struct buf *out, const struct conf *conf, const struct conf_option *option)
{
	struct conf_networks networks = conf_option_networks(conf, option);
	struct list_writer list = {.out = out};
	struct buf item;

	buf_init(&item, 2 * NET_TEXT_MAX);
	for (size_t i = 0; i < networks.count; i++) {
		buf_reset(&item);
		conf_value_write_prefix(&item, &networks.at[i]);
		list_write(&list, option->words, buf_span(&item));
	}
	list_end(&list);
	buf_fini(&item);
}

static void
show_maildir(struct buf *out, const struct conf *conf)
{
	if (conf->maildir_path.len == 0)
		return;
	buf_add_str(out, "deliver to maildir ");
	conf_value_write_word(out, conf->maildir_path);
	if (conf->mailbox_user.len > 0) {
		buf_add_str(out, " as ");
		conf_value_write_word(out, conf->mailbox_user);
	}
	buf_add_char(out, '\n');
}

/* Where a route leads, and how: what stands behind "through", or "lmtp". */
static void
show_target(struct buf *out, const struct conf_route *route)
{
	bool literal = span_find(route->host, ':') < route->host.len;

	if (conf_route_is_socket(route)) {
		conf_value_write_word(out, route->host);
	} else {
		buf_add_str(out, literal ? "[" : "");
		buf_add(out, route->host);
		buf_add_str(out, literal ? "]" : "");
		if (route->port > 0)
			buf_addf(out, ":%u", (unsigned)route->port);
		if (route->host.len > 0)
			buf_add_char(out, ' ');
		buf_addf(out, "with tls %s", conf_tls_name(route->tls));
	}
	if (route->credential.len > 0) {
		buf_add_str(out, " as ");
		conf_value_write_word(out, route->credential);
	}
}

static void
show_lmtp(struct buf *out, const struct conf *conf)
{
	if (conf->lmtp.kind != CONF_ROUTE_LMTP)
		return;
	buf_add_str(out, "deliver to lmtp ");
	show_target(out, &conf->lmtp);
	buf_add_char(out, '\n');
}

static void
show_fallback(struct buf *out, const struct conf *conf)
{
	if (conf->fallback.host.len == 0)
		return;
	buf_add_str(out, "fall back to ");
	show_target(out, &conf->fallback);
	buf_add_char(out, '\n');
}

/* What it does, where it sends mail to no server. */
static bool
show_rule(struct buf *out, const struct conf_route *route)
{
	if (route->kind == CONF_ROUTE_REFUSE) {
		buf_addf(out, " with %u %.*s ", route->code, SPAN_ARGS(route->status));
		conf_value_write_word(out, route->text);
	}
	if (route->kind == CONF_ROUTE_PIPE) {
		buf_add_str(out, " to ");
		conf_pipe_show(out, route->pipe);
	}
	return route->kind >= CONF_ROUTE_PIPE;
}

static void
show_way(struct buf *out, const struct conf_route *route)
{
	buf_add_str(out, route->kind == CONF_ROUTE_LMTP ? "by lmtp "
			 : route->host.len == 0		? "by mx "
							: "through ");
	show_target(out, route);
}

/* "pipe to tickets (/usr/local/bin/tickets as tickets)" */
static void
write_pipe(struct buf *out, const struct conf_pipe *pipe)
{
	buf_add_str(out, " to ");
	if (pipe->title.len > 0)
		buf_addf(out, "%.*s (", SPAN_ARGS(pipe->title));
	buf_addf(out, "%.*s as %.*s%s", SPAN_ARGS(pipe->words[0]), SPAN_ARGS(pipe->user),
	    pipe->title.len > 0 ? ")" : "");
}

void
conf_route_write(struct buf *out, const struct conf_route *route)
{
	if (route->kind >= CONF_ROUTE_PIPE)
		buf_add_str(out, conf_route_kind_name(route->kind));
	/* The words of its command are for whoever reads the configuration. */
	if (route->kind == CONF_ROUTE_PIPE)
		write_pipe(out, route->pipe);
	else if (!show_rule(out, route))
		show_way(out, route);
}

static void
show_route(struct buf *out, const struct conf_route *route)
{
	if (route->kind == CONF_ROUTE_TABLE) {
		buf_addf(out, "routes%s from ",
		    conf_table_is_by_sender(route->table) ? " by sender" : "");
		conf_value_write_word(out, conf_table_path(route->table));
		buf_add_char(out, '\n');
		return;
	}
	buf_addf(out, "%s mail",
	    route->kind >= CONF_ROUTE_PIPE ? conf_route_kind_name(route->kind) : "send");
	if (route->sender.len > 0) {
		buf_add_str(out, " from ");
		conf_value_write_word(out, route->sender);
	}
	if (route->domain.len > 0) {
		buf_add_str(out, " for ");
		conf_value_write_word(out, route->domain);
	}
	if (!show_rule(out, route)) {
		buf_add_char(out, ' ');
		show_way(out, route);
	}
	buf_add_char(out, '\n');
}

static void
show_routes(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->route_count; i++)
		show_route(out, &conf->routes[i]);
}

static void
show_dns(struct buf *out, const struct conf *conf)
{
	struct list_writer list = {.out = out};
	struct buf item;

	buf_init(&item, 2 * NET_TEXT_MAX);
	for (size_t i = 0; i < conf->dns_server_count; i++) {
		buf_reset(&item);
		conf_value_write_endpoint(&item, &conf->dns_servers[i]);
		list_write(&list, "ask dns at", buf_span(&item));
	}
	list_end(&list);
	buf_fini(&item);
}

static void
show_log(struct buf *out, const struct conf *conf)
{
	buf_addf(out, "log as %s to %s\n", conf_log_format_name(conf->log_format),
	    conf_log_target_name(conf->log_target));
}

static void
show_times(struct buf *out, const struct conf_limits *limits)
{
	for (size_t i = 0; i < limits->retry_count; i++) {
		buf_add_str(out, i > 0 ? ", " : "");
		conf_value_write_time(out, limits->retry_ms[i]);
	}
}

bool
conf_show_option(struct buf *out, const void *holder, const struct conf_option *option)
{
	const struct conf_limits *limits =
	    (const void *)((const char *)holder + option->offset);
	bool number = conf_option_is_number(option);

	if (!number && option->type != CONF_TIMES && option->type != CONF_RATE)
		return false;
	buf_addf(out, "%s ", option->words);
	if (option->type == CONF_TIMES)
		show_times(out, limits);
	else if (option->type == CONF_RATE)
		conf_option_write_rate(out, limits);
	else
		conf_option_write_number(out, option, conf_option_number(holder, option));
	return true;
}

/* A line about one value; false where the row is about something else. */
static bool
show_value(struct buf *out, const void *holder, const struct conf_option *option)
{
	size_t start = out->len;

	if (option->block && option->type != CONF_BLOCK)
		buf_add_char(out, '\t');
	if (!conf_show_option(out, holder, option)) {
		out->len = start;
		return false;
	}
	buf_add_char(out, '\n');
	return true;
}

/* The block's rows of which anything is said. */
static void
show_limits(struct buf *out, const char *block, const struct conf_limits *limits)
{
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (conf_option_is_limit(option) && strcmp(option->block, block) == 0 &&
		    conf_option_is_said(limits, option))
			(void)show_value(out, limits, option);
	}
	buf_add_str(out, "}\n");
}

static void
show_destinations(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->destination_count; i++) {
		struct span pattern = conf->destinations[i].pattern;

		buf_addf(out, "destination %.*s {\n",
		    SPAN_ARGS(pattern.len ? pattern : SPAN("any")));
		show_limits(out, "destination", &conf->destinations[i].limits);
	}
}

static void
show_providers(struct buf *out, const struct conf *conf)
{
	for (size_t i = 0; i < conf->provider_count; i++) {
		buf_add_str(out, "provider ");
		conf_value_write_word(out, conf->providers[i].name);
		buf_add_str(out, " {\n");
		show_limits(out, "provider", &conf->providers[i].limits);
	}
}

static void
show_option(struct buf *out, const struct conf *conf, const struct conf_option *option)
{
	static void (*const shows[CONF_TYPE_COUNT])(struct buf *, const struct conf *) = {
	    [CONF_LISTEN] = show_listeners,
	    [CONF_HTTP] = show_http,
	    [CONF_CERTIFICATE] = show_certificates,
	    [CONF_CLIENTS] = show_clients,
	    [CONF_TLS_VERSION] = show_tls_version,
	    [CONF_DOMAINS] = show_domains,
	    [CONF_MAILDIR] = show_maildir,
	    [CONF_LMTP] = show_lmtp,
	    [CONF_PROGRAM] = conf_programs_show,
	    [CONF_PIPE_MAILBOXES] = conf_pipe_mailboxes_show,
	    [CONF_ROUTE] = show_routes,
	    [CONF_SOURCE] = conf_source_show,
	    [CONF_WARMUP] = conf_warmup_show,
	    [CONF_VERP] = conf_verp_show,
	    [CONF_FALLBACK] = show_fallback,
	    [CONF_DNS] = show_dns,
	    [CONF_LOG] = show_log,
	    [CONF_DESTINATION] = show_destinations,
	    [CONF_PROVIDER] = show_providers,
	};

	if (show_value(out, conf, option))
		return;
	if (conf_option_is_text(option)) {
		struct span text = conf_option_text(conf, option);

		if (text.len == 0)
			return;
		buf_addf(out, "%s ", option->words);
		conf_value_write_word(out, text);
		buf_add_char(out, '\n');
	} else if (option->type == CONF_NETWORKS) {
		show_networks(out, conf, option);
	} else if (shows[option->type]) {
		shows[option->type](out, conf);
	}
}

void
conf_show(struct buf *out, const struct conf *conf)
{
	const char *block = NULL;

	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (conf_option_is_limit(option))
			continue;
		if (block && !option->block) {
			buf_add_str(out, "}\n");
			block = NULL;
		}
		if (option->type == CONF_BLOCK) {
			block = option->words;
			buf_addf(out, "%s {\n", block);
		}
		show_option(out, conf, option);
	}
	if (block)
		buf_add_str(out, "}\n");
}
