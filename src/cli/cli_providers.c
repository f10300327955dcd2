/* Exit codes: EX_OK, EX_USAGE. */
#include "cli/cli_providers.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli.h"
#include "conf/conf_option.h"
#include "providers/providers.h"

enum { PAGE_BYTES_MAX = 64 << 10 };

static const char usage[] =
    "usage: postrider providers [--json]\n"
    "\n"
    "Prints the large providers that the server knows by the names of their MX hosts, and what\n"
    "they let one sender have: connections at a time, messages on a connection, recipients in\n"
    "a transaction, messages in a time, with who says so and when that was looked up. Where\n"
    "there is no figure none was found. The server keeps to these limits (\"provider limits\"),\n"
    "where the configuration has no block \"provider\" that says otherwise.\n";

/* "5 connections at a time, 50 messages on a connection" */
static void
write_limits(struct buf *out, const struct provider *row)
{
	const char *between = "";

	if (row->connections > 0) {
		buf_addf(out, "%u connections at a time", row->connections);
		between = ", ";
	}
	if (row->messages_max > 0) {
		buf_addf(out, "%s%u messages on a connection", between, row->messages_max);
		between = ", ";
	}
	if (row->rcpts_max > 0) {
		buf_addf(out, "%s%u recipients in a transaction", between, row->rcpts_max);
		between = ", ";
	}
	if (row->rate_count > 0) {
		buf_addf(out, "%s", between);
		conf_option_write_rate(out,
		    &(struct conf_limits){.rate_count = row->rate_count,
		        .rate_period_ms = row->rate_period_ms});
	}
	if (!row->source)
		buf_add_str(out, "no figure was found");
}

static void
write_row(struct buf *out, const struct provider *row)
{
	buf_addf(out, "%s\n  hosts   ", row->name);
	for (size_t i = 0; i < PROVIDER_HOSTS_MAX && row->hosts[i]; i++)
		buf_addf(out, "%s%s", i > 0 ? ", " : "", row->hosts[i]);
	buf_add_str(out, "\n  limits  ");
	write_limits(out, row);
	buf_addf(out, "\n  source  %s%s%s\n", row->source ? row->source : "",
	    row->source ? ", " : "", row->date);
}

/* null where there is no figure. */
static json_t *
figure(unsigned number)
{
	return number > 0 ? json_integer(number) : json_null();
}

static json_t *
json_row(const struct provider *row)
{
	json_t *hosts = json_array(), *rate = json_null();

	for (size_t i = 0; i < PROVIDER_HOSTS_MAX && row->hosts[i]; i++)
		json_array_append_new(hosts, json_string(row->hosts[i]));
	if (row->rate_count > 0)
		rate = json_pack("{s:I, s:I}", "messages", (json_int_t)row->rate_count,
		    "per_ms", (json_int_t)row->rate_period_ms);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s?, s:s}", "name", row->name, "hosts",
	    hosts, "connections", figure(row->connections), "messages_per_connection",
	    figure(row->messages_max), "recipients_per_transaction", figure(row->rcpts_max),
	    "rate", rate, "source", row->source, "date", row->date);
}

static void
print_json(void)
{
	json_t *rows = json_array(), *value;
	const struct provider *row;

	for (size_t i = 0; (row = provider_at(i)) != NULL; i++)
		json_array_append_new(rows, json_row(row));
	value = json_pack("{s:o}", "providers", rows);
	(void)json_dumpf(value, stdout, JSON_INDENT(1));
	printf("\n");
	json_decref(value);
}

int
cli_providers(int argc, char **argv)
{
	bool help = false, json = false;
	const struct cli_option options[] = {{"--help", &help, NULL}, {"--json", &json, NULL}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	const struct provider *row;
	struct buf page;

	if (words < 0)
		return EX_USAGE;
	if (words > 0)
		return cli_wrong_use(usage, "providers takes no words");
	if (json && !help) {
		print_json();
		return cli_finish(EX_OK);
	}
	buf_init(&page, PAGE_BYTES_MAX);
	if (help)
		buf_add_str(&page, usage);
	for (size_t i = 0; !help && (row = provider_at(i)) != NULL; i++)
		write_row(&page, row);
	check(buf_finish(&page) == OK);
	(void)fwrite(page.ptr, 1, page.len, stdout);
	buf_fini(&page);
	return cli_finish(EX_OK);
}
