/*
 * "postrider route": the way of mail for an address by the configuration as it is in its files,
 * without asking anybody.  What waits in a queue says it of itself ("queue show").
 */
#include "cli/cli_route.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "conf/conf_option.h"
#include "proc/proc_json.h"
#include "route/limits.h"
#include "route/route.h"
#include "table/resolve.h"

static const char usage[] =
    "usage: postrider route ADDRESS [--from SENDER] [--json]\n"
    "\n"
    "Says which way mail for the address goes by the server's configuration, which statement\n"
    "or which line of a table chooses it, and which limits hold there. Nobody is asked, and\n"
    "the server does not have to run.\n"
    "\n"
    "  --from SENDER  mail with that reverse-path; without: with none, as bounces have\n"
    "  --config FILE  the server's configuration\n"
    "  --json         one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 it goes somewhere, 1 a rule discards or refuses it, 78 or 66 the\n"
    "configuration, 64 wrong use.\n";

enum { TEXT_BYTES = 8 << 10 };

struct way {
	const struct conf *conf;
	struct span address, from;
	bool ours;
	const struct conf_route *route; /* NULL: no statement fits */
	struct route_place place;
	struct span destination; /* whose limits hold */
};

static void
find(struct way *way)
{
	const struct resolve_tables tables = {
	    .domains = way->conf->domains, .domain_count = way->conf->domain_count};
	struct span domain = span_skip(way->address, span_find_last(way->address, '@') + 1);

	way->route = route_find_place(way->conf, way->from, way->address, &way->place);
	way->ours = resolve_is_ours(&tables, domain) &&
		    !(way->route && way->route->kind >= CONF_ROUTE_PIPE);
	way->destination = domain;
	if (way->ours) {
		way->route = NULL;
		way->destination = SPAN("");
	} else if (way->route && way->route->kind == CONF_ROUTE_PIPE) {
		way->destination = SPAN("");
	} else if (way->route && way->route->host.len > 0) {
		way->destination = way->route->host;
	}
}

static bool
goes_nowhere(const struct way *way)
{
	return way->route && way->route->kind >= CONF_ROUTE_DISCARD;
}

static void
write_what(const struct way *way, struct buf *out)
{
	if (way->ours)
		buf_add_str(out, "to a mailbox here, or as an alias says");
	else if (way->route)
		conf_route_write(out, way->route);
	else
		buf_add_str(out, "by mx with tls may");
}

static void
write_why(const struct way *way, struct buf *out)
{
	if (way->ours)
		buf_add_str(out, "the domain is one of ours (\"accept mail for\")");
	else if (way->route)
		buf_addf(out, "%.*s:%u", SPAN_ARGS(way->place.file), way->place.line);
	else
		buf_add_str(out, "no statement fits");
}

static bool
is_piped(const struct way *way)
{
	return way->route && way->route->kind == CONF_ROUTE_PIPE;
}

/* A row of what a destination has; of a program only when it is run again. */
static bool
holds(const struct way *way, const struct conf_option *option)
{
	static const char *const of_programs[] = {"retry after", "jitter", "expire after"};
	bool fits = !is_piped(way);

	if (!conf_option_is_limit(option) || strcmp(option->block, "destination") != 0)
		return false;
	for (size_t i = 0; i < LEN(of_programs); i++)
		fits = fits || strcmp(option->words, of_programs[i]) == 0;
	return fits &&
	       conf_option_is_said(route_limits(way->conf, way->destination), option);
}

static void
print_limits(const struct way *way)
{
	const struct conf_destination *block = route_destination(way->conf, way->destination);
	struct buf text;

	if (block)
		printf("  limits   of destination %.*s\n",
		    SPAN_ARGS(block->pattern.len ? block->pattern : SPAN("any")));
	else
		printf("  limits   of queue\n");
	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);

		if (!holds(way, option))
			continue;
		buf_init(&text, TEXT_BYTES);
		if (conf_show_option(
			&text, route_limits(way->conf, way->destination), option))
			printf("           %.*s\n", SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
	}
	if (is_piped(way))
		printf("           processes %llu, of the program\n",
		    (unsigned long long)way->route->pipe->processes_max);
}

static void
print_text(const struct way *way)
{
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	printf("mail from <%.*s> for <%.*s>\n", SPAN_ARGS(way->from), SPAN_ARGS(way->address));
	write_what(way, &text);
	printf("  goes     %.*s\n", SPAN_ARGS(buf_span(&text)));
	buf_reset(&text);
	write_why(way, &text);
	printf("  because  %.*s\n", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
	if (!goes_nowhere(way) && !way->ours)
		print_limits(way);
}

static json_t *
json_limits(const struct way *way)
{
	json_t *object = json_object();

	for (size_t i = 0; i < conf_option_count(); i++) {
		const struct conf_option *option = conf_option_at(i);
		struct span line;
		struct buf text;

		if (!holds(way, option))
			continue;
		buf_init(&text, TEXT_BYTES);
		if (conf_show_option(
			&text, route_limits(way->conf, way->destination), option)) {
			line = span_skip(buf_span(&text), strlen(option->words) + 1);
			json_object_set_new(
			    object, option->words, proc_json_text(line));
		}
		buf_fini(&text);
	}
	if (is_piped(way))
		json_object_set_new(object, "processes",
		    json_integer((json_int_t)way->route->pipe->processes_max));
	return object;
}

static void
print_json(const struct way *way)
{
	json_t *root = json_object();
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	write_what(way, &text);
	json_object_set_new(root, "from", proc_json_text(way->from));
	json_object_set_new(root, "to", proc_json_text(way->address));
	json_object_set_new(root, "ours", json_boolean(way->ours));
	json_object_set_new(root, "route", proc_json_text(buf_span(&text)));
	json_object_set_new(root, "file",
	    way->route ? proc_json_text(way->place.file) : json_null());
	json_object_set_new(
	    root, "line", way->route ? json_integer(way->place.line) : json_null());
	json_object_set_new(root, "limits",
	    goes_nowhere(way) || way->ours ? json_null() : json_limits(way));
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	buf_fini(&text);
}

int
cli_route(int argc, char **argv)
{
	const char *conf_path = NULL, *from = NULL;
	bool help = false, json = false;
	const struct cli_option options[] = {{"--json", &json, NULL}, {"--help", &help, NULL},
	    {"--config", NULL, &conf_path}, {"--from", NULL, &from}};
	int words = cli_options(argc, argv, options, LEN(options), usage), status;
	struct conf_bundle *bundle = NULL;
	struct conf *conf = NULL;
	struct way way = {.from = span_str(from)};

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return cli_finish(EX_OK);
	}
	if (words != 1 || span_find(span_str(argv[1]), '@') >= strlen(argv[1]))
		return cli_wrong_use(usage, "which address?");
	if (span_eq(way.from, SPAN("<>")))
		way.from = SPAN("");
	if (way.from.len > 0 && span_find(way.from, '@') >= way.from.len)
		return cli_wrong_use(usage, "--from is an address");
	status = cli_conf_load(conf_path, "says where mail goes", "", &bundle, &conf);
	if (status == EX_OK) {
		way.conf = conf;
		way.address = span_str(argv[1]);
		find(&way);
		if (json)
			print_json(&way);
		else
			print_text(&way);
		status = goes_nowhere(&way) ? 1 : EX_OK;
	}
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return cli_finish(status);
}
