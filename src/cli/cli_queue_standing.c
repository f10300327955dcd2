/*
 * "postrider queue why DESTINATION": which limit binds a destination, or a provider, what it asked
 * for and said last, and when it will be empty.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { TEXT_BYTES_MAX = 16 << 10 };

static void
row(struct buf *out, const char *name)
{
	buf_addf(out, "  %-12s", name);
}

/* "5 min", "40 s" */
static void
write_span(struct buf *out, long long ms)
{
	if (ms >= 120000)
		buf_addf(out, "%lld min", (ms + 30000) / 60000);
	else if (ms >= 1000)
		buf_addf(out, "%lld s", (ms + 500) / 1000);
	else
		buf_addf(out, "%lld ms", ms);
}

static bool
is_of(json_t *standing, const char *prefix)
{
	return span_starts(
	    span_str(cli_queue_text(standing, "destination")), span_str(prefix));
}

static void
write_state(const struct cli_queue_printer *printer, struct buf *out, json_t *standing)
{
	static const struct {
		const char *reason, *text;
	} texts[] = {
	    {"pause", "it asked for less mail, so all for it waits; it goes on "},
	    {"down", "no server of it could be reached, so all mail for it waits; tried again "},
	    {"probe", "no server of it could be reached; it is being tried again just now"},
	    {"connections", "it has as many connections as it may have now"},
	    {"rate", "it gets only so many messages in a time; the next may go "},
	    {"site", "the servers that it shares with others have as many connections as they "
	             "may have now"},
	    {"site-rate", "the servers that it shares with others get only so many messages in a "
	                  "time; the next may go "},
	    {"full", "this server has as many deliveries under way as it makes at a time, but for "
	             "some that it keeps for destinations with little under way"},
	    {"suspended", "an operator suspended it; resumed "},
	    {"source", "no address that mail for it may leave from can take it now"},
	    {"turn", "nothing: what is ready goes as soon as its turn comes"},
	    {"time", "nothing: what waits for it waits for the time of its next try, or is held"},
	};
	const char *reason = cli_queue_text(standing, "reason");
	const char *when = cli_queue_text(standing, "next_try");
	const char *text = reason;

	/* It is the one that the others share. */
	if (is_of(standing, "provider:") && strncmp(reason, "site", 4) == 0)
		reason = strcmp(reason, "site") == 0 ? "connections" : "rate";
	for (size_t i = 0; i < LEN(texts); i++)
		if (strcmp(texts[i].reason, reason) == 0)
			text = texts[i].text;
	if (is_of(standing, "pipe:") && strcmp(reason, "connections") == 0)
		text = "as many of it run as may at a time";
	if (cli_queue_number(standing, "recipients") == 0 && strcmp(reason, "time") == 0)
		text = "nothing: no mail waits for it";
	row(out, "what binds");
	reply_clean(out, span_str(text));
	if (span_ends_nocase(span_str(text), SPAN(" "))) {
		if (when[0])
			cli_queue_write_time(printer, out, when);
		else
			buf_add_str(out, strcmp(reason, "suspended") == 0
			        ? "by postrider queue resume" : "soon");
	}
	buf_add_char(out, '\n');
	if (!cli_queue_text(standing, "limit")[0])
		return;
	row(out, "limit");
	reply_clean(out, span_str(cli_queue_text(standing, "limit")));
	buf_add_char(out, '\n');
}

static void
write_load(struct buf *out, json_t *standing)
{
	long long rcpts = cli_queue_number(standing, "recipients");
	long long ready = cli_queue_number(standing, "ready");
	long long interval_ms = cli_queue_number(standing, "interval_ms");

	row(out, "waiting");
	buf_addf(out, "%lld recipient%s, %lld of them ready to go before a new one\n", rcpts,
	    cli_queue_plural(rcpts), ready);
	if (is_of(standing, "pipe:") || is_of(standing, "mailbox")) {
		row(out, "under way");
		buf_addf(out, "%lld, at most %lld\n", cli_queue_number(standing, "connections"),
		    cli_queue_number(standing, "window_max"));
		return;
	}
	row(out, "connections");
	buf_addf(out, "%lld in use, %lld allowed now, at most %lld\n",
	    cli_queue_number(standing, "connections"), cli_queue_number(standing, "window"),
	    cli_queue_number(standing, "window_max"));
	if (interval_ms == 0)
		return;
	row(out, "rate");
	buf_add_str(out, "a message each ");
	write_span(out, interval_ms);
	buf_add_char(out, '\n');
}

/* Those of a provider's domains that have most mail. */
static void
write_members(struct buf *out, json_t *standing)
{
	json_t *members = json_object_get(standing, "domains");
	long long all = cli_queue_number(json_object_get(standing, "site"), "destinations");
	size_t count = json_array_size(members);

	if (count == 0)
		return;
	row(out, "domains");
	buf_addf(out, "%lld with mail%s\n", all,
	    all > (long long)count ? "; those with most of it:" : ":");
	for (size_t i = 0; i < count; i++) {
		json_t *member = json_array_get(members, i);
		const char *state = cli_queue_text(member, "state");
		long long rcpts = cli_queue_number(member, "recipients");

		buf_addf(out, "%16s", "");
		cli_queue_write_name(out, cli_queue_text(member, "destination"));
		buf_addf(out, ": %lld recipient%s, %lld ready", rcpts, cli_queue_plural(rcpts),
		    cli_queue_number(member, "ready"));
		if (strcmp(state, "ok") != 0) {
			buf_add_str(out, "; ");
			reply_clean(out, span_str(state));
		}
		buf_add_char(out, '\n');
	}
}

/* What it shares with all that the same servers take mail for. */
static void
write_site(struct buf *out, json_t *standing)
{
	json_t *site = json_object_get(standing, "site");
	long long destinations = cli_queue_number(site, "destinations");
	long long interval_ms = cli_queue_number(site, "interval_ms");

	if (!json_is_object(site) || is_of(standing, "provider:"))
		return;
	row(out, "shared");
	reply_clean(out, span_str(cli_queue_text(site, "name")));
	buf_addf(out, ": %lld connection%s in use by %lld domain%s, %lld allowed now, at most %lld",
	    cli_queue_number(site, "connections"),
	    cli_queue_plural(cli_queue_number(site, "connections")), destinations,
	    cli_queue_plural(destinations), cli_queue_number(site, "window"),
	    cli_queue_number(site, "window_max"));
	if (interval_ms > 0) {
		buf_add_str(out, "; a message each ");
		write_span(out, interval_ms);
	}
	buf_add_char(out, '\n');
}

static void
write_asked(const struct cli_queue_printer *printer, struct buf *out, json_t *asked)
{
	long long times = cli_queue_number(asked, "times");

	if (!json_is_object(asked))
		return;
	row(out, "asked");
	reply_clean(out, span_str(cli_queue_text(asked, "rule")));
	if (cli_queue_text(asked, "site")[0]) {
		buf_add_str(out, "; it holds for all mail to ");
		reply_clean(out, span_str(cli_queue_text(asked, "site")));
	}
	buf_addf(out, "\n%14s%lld time%s, the first ", "", times, cli_queue_plural(times));
	cli_queue_write_time(printer, out, cli_queue_text(asked, "since"));
	buf_addf(out, "\n%14sit is eased ", "");
	cli_queue_write_time(printer, out, cli_queue_text(asked, "until"));
	buf_add_str(out, ", or by: postrider queue retry ID\n");
}

static void
write_forecast(const struct cli_queue_printer *printer, struct buf *out, json_t *standing)
{
	long long left = cli_queue_number(standing, "left");

	if (left > 0) {
		row(out, "speed");
		buf_addf(out, "%lld recipient%s left it in the last ", left,
		    cli_queue_plural(left));
		write_span(out, cli_queue_number(standing, "left_ms"));
		buf_add_char(out, '\n');
	}
	if (cli_queue_number(standing, "recipients") == 0)
		return;
	row(out, "empty");
	if (cli_queue_text(standing, "empty")[0]) {
		buf_add_str(out, "about ");
		cli_queue_write_time(printer, out, cli_queue_text(standing, "empty"));
		buf_add_str(out, ", if it goes on so and nothing new comes\n");
	} else {
		buf_add_str(out, "nobody knows: nothing has left it lately\n");
	}
}

static void
print(struct cli_queue_printer *printer, json_t *standing)
{
	static const char *const keys[] = {
	    "limit", "window", "code", "status", "host", "reply"};
	struct buf out;

	if (printer->options->json) {
		cli_queue_set_nulls(standing, keys, LEN(keys));
		printf(printer->shown++ == 0 ? "{\"destinations\":[\n" : ",\n");
		(void)json_dumpf(standing, stdout, JSON_COMPACT);
		return;
	}
	buf_init(&out, TEXT_BYTES_MAX);
	if (printer->shown++ > 0)
		buf_add_char(&out, '\n');
	cli_queue_write_name(&out, cli_queue_text(standing, "destination"));
	buf_add_str(&out, ": ");
	reply_clean(&out, span_str(cli_queue_text(standing, "state")));
	buf_add_char(&out, '\n');
	write_state(printer, &out, standing);
	write_load(&out, standing);
	write_site(&out, standing);
	write_members(&out, standing);
	write_asked(printer, &out, json_object_get(standing, "asked"));
	if (cli_queue_has_reply(standing)) {
		row(&out, "last reply");
		cli_queue_write_reply(&out, standing);
		buf_addf(&out, "\n%14s", "");
		reply_clean(&out, span_str(cli_queue_text(standing, "host")));
		if (cli_queue_text(standing, "replied")[0]) {
			buf_add_str(&out, ", ");
			cli_queue_write_time(printer, &out, cli_queue_text(standing, "replied"));
		}
		buf_add_char(&out, '\n');
	}
	write_forecast(printer, &out, standing);
	check(buf_finish(&out) == OK);
	(void)fwrite(out.ptr, 1, out.len, stdout);
	buf_fini(&out);
}

/* What was gathered is whole. */
static void
print_gathered(struct cli_queue_printer *printer)
{
	if (!printer->standing)
		return;
	print(printer, printer->standing);
	json_decref(printer->standing);
	printer->standing = NULL;
}

void
cli_queue_print_standing(struct cli_queue_printer *printer, json_t *standing)
{
	print_gathered(printer);
	if (is_of(standing, "provider:"))
		json_object_set_new(standing, "domains", json_array());
	printer->standing = json_incref(standing);
}

void
cli_queue_print_member(struct cli_queue_printer *printer, json_t *member)
{
	/* Where there is none, or no provider, it goes nowhere. */
	(void)json_array_append(json_object_get(printer->standing, "domains"), member);
}

void
cli_queue_standing_end(struct cli_queue_printer *printer)
{
	print_gathered(printer);
	if (printer->options->json) {
		printf("%s],\"count\":%llu", printer->shown == 0 ? "{\"destinations\":[" : "\n",
		    (unsigned long long)printer->shown);
		cli_queue_print_nearest_json(printer);
		printf("}\n");
	} else if (printer->shown == 0) {
		printf("No mail waits for that");
		cli_queue_print_nearest(printer);
		printf("%s\n", printer->nearest[0] ? "" : ".");
	} else if (printer->nearest[0]) {
		printf("\nNo mail waits for it");
		cli_queue_print_nearest(printer);
		putchar('\n');
	}
}
