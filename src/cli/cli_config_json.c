/* "config show --json": the values of a configuration as data. */
#include "cli/cli_config_internal.h"

#include "base/check.h"
#include "base/date.h"
#include "conf/conf_option.h"
#include "proc/proc_json.h"

static json_t *
json_addr(const struct net_addr *addr)
{
	json_t *object = json_object();
	struct buf text;

	buf_init(&text, NET_TEXT_MAX);
	net_addr_write(&text, addr);
	json_object_set_new(object, "address", proc_json_text(buf_span(&text)));
	json_object_set_new(object, "port", json_integer(addr->port));
	buf_fini(&text);
	return object;
}

static json_t *
json_listeners(const struct conf *conf)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conf->listener_count; i++) {
		json_t *listener = json_addr(&conf->listeners[i].addr);

		json_object_set_new(listener, "kind",
		    json_string(conf_listener_kind_name(conf->listeners[i].kind)));
		json_array_append_new(array, listener);
	}
	return array;
}

static json_t *
json_networks(const struct conf_networks *networks)
{
	json_t *array = json_array();
	struct buf text;

	buf_init(&text, NET_TEXT_MAX);
	for (size_t i = 0; i < networks->count; i++) {
		buf_reset(&text);
		net_addr_write(&text, &networks->at[i].addr);
		buf_addf(&text, "/%u", (unsigned)networks->at[i].bits);
		json_array_append_new(array, proc_json_text(buf_span(&text)));
	}
	buf_fini(&text);
	return array;
}

static json_t *
json_domains(const struct conf *conf)
{
	json_t *value = json_array();

	for (size_t i = 0; i < conf->domain_count; i++)
		json_array_append_new(value, proc_json_text(conf->domains[i]));
	return value;
}

static json_t *
json_sources(const struct conf *conf)
{
	json_t *value = json_array();

	for (size_t i = 0; i < conf->source_count; i++) {
		const struct conf_source *source = &conf->sources[i];
		struct buf addr;

		buf_init(&addr, NET_TEXT_MAX);
		net_addr_write(&addr, &source->addr);
		json_array_append_new(value,
		    json_pack("{s:o, s:o, s:I, s:o, s:o}", "address",
			proc_json_text(buf_span(&addr)), "as",
			proc_json_text(source->helo), "weight", (json_int_t)source->weight,
			"pool", proc_json_text(source->pool), "senders",
			proc_json_text(source->sender)));
		buf_fini(&addr);
	}
	return value;
}

static json_t *
json_warmups(const struct conf *conf)
{
	json_t *array = json_array();
	struct buf day, addr;

	buf_init(&day, DATE_DAY_BYTES);
	buf_init(&addr, NET_TEXT_MAX);
	for (size_t i = 0; i < conf->warmup_count; i++) {
		const struct conf_warmup *warmup = &conf->warmups[i];

		buf_reset(&day);
		buf_reset(&addr);
		net_addr_write(&addr, &warmup->addr);
		date_write_day(&day, warmup->from_day * 86400000);
		json_array_append_new(array,
		    json_pack("{s:o, s:o, s:I, s:f, s:I, s:s, s:I, s:o}", "address",
			proc_json_text(buf_span(&addr)), "from",
			proc_json_text(buf_span(&day)), "a_day", (json_int_t)warmup->start,
			"times", (double)warmup->factor_percent / 100, "every_days",
			(json_int_t)warmup->step_days, "end",
			warmup->is_limit ? "at most" : "until", "share",
			(json_int_t)warmup->end, "to", proc_json_text(warmup->provider)));
	}
	buf_fini(&addr);
	buf_fini(&day);
	return array;
}

static json_t *
json_verps(const struct conf *conf)
{
	json_t *value = json_array();

	for (size_t i = 0; i < conf->verp_count; i++) {
		const char delimiters[2] = {conf->verps[i].before, conf->verps[i].at};

		json_array_append_new(value,
		    json_pack("{s:o, s:o}", "senders", proc_json_text(conf->verps[i].sender),
			"delimiters", proc_json_text(span_of(delimiters, 2))));
	}
	return value;
}

static json_t *
json_pipe(const struct conf_pipe *pipe)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}",
	    "name", pipe->title.len > 0 ? proc_json_text(pipe->title) : json_null(),
	    "command", proc_json_text(pipe->command),
	    "user", proc_json_text(pipe->user),
	    "time_ms", (json_int_t)pipe->time_ms,
	    "output_bytes", (json_int_t)pipe->output_bytes,
	    "processes", (json_int_t)pipe->processes_max);
}

static json_t *
json_programs(const struct conf *conf)
{
	json_t *array = json_array();

	for (const struct conf_pipe *pipe = conf->pipes; pipe; pipe = pipe->next)
		if (pipe->title.len > 0)
			json_array_append_new(array, json_pipe(pipe));
	return array;
}

static json_t *
json_table(const struct conf_route *route)
{
	json_t *object = json_object();

	json_object_set_new(object, "table", proc_json_text(conf_table_path(route->table)));
	json_object_set_new(
	    object, "by_sender", json_boolean(conf_table_is_by_sender(route->table)));
	json_object_set_new(object, "lines",
	    json_integer((json_int_t)conf_table_count(route->table)));
	return object;
}

static json_t *
json_route(const struct conf_route *route)
{
	json_t *object = json_object();

	json_object_set_new(object, "sender", proc_json_text(route->sender));
	json_object_set_new(object, "domain", proc_json_text(route->domain));
	json_object_set_new(object, "by_mx",
	    json_boolean(route->kind == CONF_ROUTE_SMTP && route->host.len == 0));
	json_object_set_new(object, "by", json_string(conf_route_kind_name(route->kind)));
	json_object_set_new(object, "host", proc_json_text(route->host));
	json_object_set_new(object, "port", json_integer(route->port));
	json_object_set_new(
	    object, "tls", json_string(conf_tls_name(route->tls)));
	json_object_set_new(object, "credential", proc_json_text(route->credential));
	if (route->kind == CONF_ROUTE_REFUSE) {
		json_object_set_new(object, "code", json_integer(route->code));
		json_object_set_new(object, "status", proc_json_text(route->status));
		json_object_set_new(object, "text", proc_json_text(route->text));
	}
	if (route->kind == CONF_ROUTE_PIPE)
		json_object_set_new(object, "program", json_pipe(route->pipe));
	return object;
}

static json_t *
json_routes(const struct conf *conf)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conf->route_count; i++)
		json_array_append_new(array,
		    conf->routes[i].table ? json_table(&conf->routes[i])
					  : json_route(&conf->routes[i]));
	return array;
}

static json_t *
json_maildir(const struct conf *conf)
{
	if (conf->maildir_path.len == 0)
		return json_null();
	return json_pack("{s:o, s:o}", "folder", proc_json_text(conf->maildir_path), "user",
	    proc_json_text(conf->mailbox_user));
}

/* Ways that mail goes.  Rules stand among the routes, whose order counts. */
static json_t *
json_way(const struct conf *conf, enum conf_type type)
{
	if (type == CONF_ROUTE)
		return json_routes(conf);
	if (type == CONF_PROGRAM)
		return json_programs(conf);
	if (type == CONF_PIPE_MAILBOXES && conf->mailbox_pipe)
		return json_pipe(conf->mailbox_pipe);
	if (type == CONF_LMTP && conf->lmtp.kind == CONF_ROUTE_LMTP)
		return json_route(&conf->lmtp);
	if (type == CONF_FALLBACK && conf->fallback.host.len > 0)
		return json_route(&conf->fallback);
	return json_null();
}

/* What a row says of limits; NULL where it says nothing of them. */
static json_t *
json_limit(const void *holder, const struct conf_option *option)
{
	const struct conf_limits *limits =
	    (const void *)((const char *)holder + option->offset);
	json_t *value;

	if (option->type == CONF_RATE) {
		if (limits->rate_count == 0)
			return json_null();
		return json_pack("{s:I, s:I}", "messages", (json_int_t)limits->rate_count,
		    "per_ms", (json_int_t)limits->rate_period_ms);
	}
	if (option->type == CONF_TIMES) {
		value = json_array();
		for (size_t i = 0; i < limits->retry_count; i++)
			json_array_append_new(
			    value, json_integer((json_int_t)limits->retry_ms[i]));
		return value;
	}
	if (option->type == CONF_TLS_MODE)
		return json_string(
		    conf_tls_name((enum conf_tls)conf_option_number(holder, option)));
	return conf_option_is_limit(option)
		   ? json_integer((json_int_t)conf_option_number(holder, option))
		   : NULL;
}

static void json_key(struct buf *key, const struct conf_option *option);

/* What a block says: an object. */
static json_t *
json_block(const char *key, struct span name, const char *block,
    const struct conf_limits *limits)
{
	json_t *object = json_object();
	struct buf word;

	buf_init(&word, 256);
	json_object_set_new(object, key, proc_json_text(name));
	for (size_t at = 0; at < conf_option_count(); at++) {
		const struct conf_option *option = conf_option_at(at);

		if (!conf_option_is_limit(option) || strcmp(option->block, block) != 0 ||
		    !conf_option_is_said(limits, option))
			continue;
		json_key(&word, option);
		json_object_set_new(
		    object, buf_span(&word).ptr, json_limit(limits, option));
	}
	buf_fini(&word);
	return object;
}

static json_t *
json_destinations(const struct conf *conf)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conf->destination_count; i++)
		json_array_append_new(array,
		    json_block("domain", conf->destinations[i].pattern, "destination",
			&conf->destinations[i].limits));
	return array;
}

static json_t *
json_providers(const struct conf *conf)
{
	json_t *array = json_array();

	for (size_t i = 0; i < conf->provider_count; i++)
		json_array_append_new(array,
		    json_block("name", conf->providers[i].name, "provider",
			&conf->providers[i].limits));
	return array;
}

static json_t *
json_addrs(const struct net_addr *addrs, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_addr(&addrs[i]));
	return array;
}

static json_t *
json_certificates(const struct conf *conf)
{
	json_t *value = json_array();

	for (size_t i = 0; i < conf->certificate_count; i++)
		json_array_append_new(value,
		    json_pack("{s:o, s:o}", "file", proc_json_text(conf->certificates[i].path),
			"key", proc_json_text(conf->certificates[i].key_path)));
	return value;
}

/* A row's value; NULL where the row has none. */
static json_t *
json_statement(const struct conf *conf, const struct conf_option *option)
{
	struct conf_networks networks;

	switch (option->type) {
	case CONF_LISTEN:
		return json_listeners(conf);
	case CONF_HTTP:
		return json_addrs(conf->http, conf->http_count);
	case CONF_CERTIFICATE:
		return json_certificates(conf);
	case CONF_CLIENTS:
		return conf->clients_path.len ? proc_json_text(conf->clients_path)
					      : json_null();
	case CONF_TLS_VERSION:
		return json_string(conf_tls_version_name(conf->tls_version_min));
	case CONF_DOMAINS:
		return json_domains(conf);
	case CONF_NETWORKS:
		networks = conf_option_networks(conf, option);
		return json_networks(&networks);
	case CONF_MAILDIR:
		return json_maildir(conf);
	case CONF_LMTP:
	case CONF_FALLBACK:
	case CONF_ROUTE:
	case CONF_ROUTES:
	case CONF_ROUTES_BY_SENDER:
	case CONF_DISCARD:
	case CONF_REFUSE:
	case CONF_PROGRAM:
	case CONF_PIPE:
	case CONF_PIPE_MAILBOXES:
		return json_way(conf, option->type);
	case CONF_SOURCE:
		return json_sources(conf);
	case CONF_WARMUP:
		return json_warmups(conf);
	case CONF_VERP:
		return json_verps(conf);
	case CONF_DNS:
		return json_addrs(conf->dns_servers, conf->dns_server_count);
	case CONF_LOG:
		return json_pack("{s:s, s:s}", "as",
		    conf_log_format_name(conf->log_format), "to",
		    conf_log_target_name(conf->log_target));
	case CONF_DESTINATION:
		return json_destinations(conf);
	case CONF_PROVIDER:
		return json_providers(conf);
	case CONF_TIMES:
	case CONF_RATE:
	case CONF_PERCENT:
	case CONF_BOOL:
	case CONF_COUNT:
	case CONF_PROCESSES:
	case CONF_SIZE:
	case CONF_TIME:
	case CONF_DOMAIN:
	case CONF_PATH:
	case CONF_MAILBOX:
	case CONF_TEXT:
	case CONF_SEPARATOR:
	case CONF_TLS_MODE:
	case CONF_INCLUDE:
	case CONF_BLOCK:
	case CONF_TYPE_COUNT:
		break;
	}
	return json_limit(conf, option);
}

static json_t *
json_option(const struct conf *conf, const struct conf_option *option)
{
	uint64_t number;
	char character;

	if (conf_option_is_text(option))
		return proc_json_text(conf_option_text(conf, option));
	if (!conf_option_is_number(option))
		return json_statement(conf, option);
	number = conf_option_number(conf, option);
	if (option->type == CONF_BOOL)
		return json_boolean(number != 0);
	if (option->type != CONF_SEPARATOR)
		return json_integer((json_int_t)number);
	character = (char)number;
	return json_stringn(&character, number ? 1 : 0);
}

/* The row's words joined with "_", and the unit of what is a bare number in JSON. */
static void
json_key(struct buf *key, const struct conf_option *option)
{
	buf_reset(key);
	for (const char *c = option->words; *c; c++)
		buf_add_char(key, *c == ' ' ? '_' : *c);
	if (option->type == CONF_TIME || option->type == CONF_TIMES)
		buf_add_str(key, "_ms");
	if (option->type == CONF_SIZE)
		buf_add_str(key, "_bytes");
	if (option->type == CONF_PERCENT)
		buf_add_str(key, "_percent");
	buf_add_char(key, '\0');
}

json_t *
cli_config_json(const struct conf *conf)
{
	json_t *root = json_object();
	struct buf key;

	buf_init(&key, 256);
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		json_t *value = option->type == CONF_BLOCK ? json_object()
							   : json_option(conf, option);
		json_t *object = root;

		if (!value || conf_option_is_limit(option)) {
			json_decref(value);
			continue;
		}
		if (option->block)
			object = json_object_get(root, option->block);
		json_key(&key, option);
		json_object_set_new(object, buf_span(&key).ptr, value);
	}
	buf_fini(&key);
	return root;
}
