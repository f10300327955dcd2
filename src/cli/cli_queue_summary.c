/*
 * A summary of the queue: a line for each destination, the one with the most recipients first,
 * as the server gives them; then how long mail has waited for each, and for which reason.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { NAME_COLUMNS = 32, LINE_BYTES_MAX = 16 << 10, ROWS_SHOWN_MAX = 20 };

/* "down, tried again in 4 min", "limited by rate 5 per 1 m, in queue", "ok" */
static void
write_state(const struct cli_queue_printer *printer, struct buf *out, json_t *destination)
{
	const char *state = cli_queue_text(destination, "state");
	const char *limit = cli_queue_text(destination, "limit");
	uint64_t next_ms;
	bool down = strcmp(state, "down") == 0;
	bool limited = strcmp(state, "limited") == 0;

	reply_clean(out, span_str(state));
	if (limited && limit[0])
		buf_addf(out, " by %s", limit);
	if (strcmp(state, "ok") == 0)
		return;
	if (cli_queue_time(cli_queue_text(destination, "next_try"), &next_ms)) {
		buf_add_str(out, strcmp(state, "suspended") == 0 ? ", resumed "
		        : strcmp(state, "paused") == 0          ? " as it asked, goes on "
		        : down                                  ? ", tried again "
		                                                : "; the next may go ");
		cli_queue_write_distance(out, next_ms, printer->now_ms);
	} else if (down) {
		buf_add_str(out, ", being tried again");
	}
}

static void
pad(struct buf *out, size_t start, size_t columns)
{
	while (out->len - start < columns)
		buf_add_char(out, ' ');
}

static void
write_row(const struct cli_queue_printer *printer, struct buf *out, json_t *destination)
{
	uint64_t oldest_ms;
	size_t start;

	cli_queue_write_name(out, cli_queue_text(destination, "destination"));
	pad(out, 0, NAME_COLUMNS);
	buf_addf(out, " %8lld  ", cli_queue_number(destination, "recipients"));
	start = out->len;
	if (cli_queue_time(cli_queue_text(destination, "oldest"), &oldest_ms))
		cli_queue_write_distance(out, oldest_ms, printer->now_ms);
	pad(out, start, 12);
	buf_add_str(out, "  ");
	write_state(printer, out, destination);
	buf_add_char(out, '\n');
	if (!cli_queue_has_reply(destination))
		return;
	start = out->len;
	buf_add_str(out, "    ");
	cli_queue_write_reply(out, destination);
	cli_queue_cut_line(out, start, printer->width);
	buf_add_char(out, '\n');
}

void
cli_queue_print_destination(struct cli_queue_printer *printer, json_t *destination)
{
	static const char *const keys[] = {
	    "limit", "window", "code", "status", "host", "reply", "rule", "site"};
	struct buf line;

	if (printer->options->json) {
		cli_queue_set_nulls(destination, keys, LEN(keys));
		printf(printer->shown++ == 0 ? "{\"destinations\":[\n" : ",\n");
		(void)json_dumpf(destination, stdout, JSON_COMPACT);
		return;
	}
	if (!printer->by_age)
		printer->by_age = json_array();
	json_array_append(printer->by_age, destination);
	if (printer->shown++ == 0)
		printf("%-*s %8s  %-12s  %s\n", NAME_COLUMNS, "destination", "waiting",
		    "oldest", "state");
	buf_init(&line, LINE_BYTES_MAX);
	write_row(printer, &line, destination);
	check(buf_finish(&line) == OK);
	(void)fwrite(buf_span(&line).ptr, 1, line.len, stdout);
	buf_fini(&line);
}

void
cli_queue_print_tally(struct cli_queue_printer *printer, json_t *tally)
{
	if (!printer->tallies)
		printer->tallies = json_array();
	json_array_append(printer->tallies, tally);
}

void
cli_queue_summary_stop(struct cli_queue_printer *printer)
{
	json_decref(printer->by_age);
	json_decref(printer->tallies);
	printer->by_age = printer->tallies = NULL;
}

/* How long: the members of "ages", and the heads of their columns. */
static const char *const ages[] = {"5m", "20m", "1h", "6h", "1d", "older"};
static const char *const heads[] = {"<5 min", "<20 min", "<1 h", "<6 h", "<1 d", "older"};

struct age_row {
	long long counts[LEN(ages)], total;
};

static void
add_row(struct age_row *row, json_t *object)
{
	json_t *counts = json_object_get(object, "ages");

	for (size_t i = 0; i < LEN(ages); i++) {
		row->counts[i] += cli_queue_number(counts, ages[i]);
		row->total += cli_queue_number(counts, ages[i]);
	}
}

static void
print_heads(const char *what)
{
	printf("\n%-*s %8s", NAME_COLUMNS, what, "all");
	for (size_t i = 0; i < LEN(heads); i++)
		printf(" %8s", heads[i]);
	putchar('\n');
}

static void
print_age_row(struct span name, const struct age_row *row)
{
	struct buf line;

	buf_init(&line, LINE_BYTES_MAX);
	buf_add(&line, name);
	pad(&line, 0, NAME_COLUMNS);
	buf_addf(&line, " %8lld", row->total);
	for (size_t i = 0; i < LEN(ages); i++)
		buf_addf(&line, row->counts[i] ? " %8lld" : "        -", row->counts[i]);
	check(buf_finish(&line) == OK);
	printf("%.*s\n", SPAN_ARGS(buf_span(&line)));
	buf_fini(&line);
}

/* The rows of an array, the first ones each and the rest as one with what the server summed up. */
static void
print_ages(const char *what, json_t *rows, const char *key, struct age_row *rest)
{
	if (json_array_size(rows) == 0)
		return;
	print_heads(what);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		json_t *object = json_array_get(rows, i);
		struct age_row row = {0};
		struct buf name;

		if (i >= ROWS_SHOWN_MAX) {
			add_row(rest, object);
			continue;
		}
		add_row(&row, object);
		buf_init(&name, LINE_BYTES_MAX);
		if (strcmp(key, "destination") == 0)
			cli_queue_write_name(&name, cli_queue_text(object, key));
		else
			reply_clean(&name, span_str(cli_queue_text(object, key)));
		print_age_row(buf_span(&name), &row);
		buf_fini(&name);
	}
	if (rest->total > 0)
		print_age_row(SPAN("all others"), rest);
	putchar('\n');
}

static bool
is_of_kind(json_t *tally, const char *kind)
{
	return strcmp(cli_queue_text(tally, "kind"), kind) == 0;
}

/* The tallies of a kind, without that word. */
static json_t *
of_kind(const struct cli_queue_printer *printer, const char *kind)
{
	json_t *found = json_array();

	for (size_t i = 0; i < json_array_size(printer->tallies); i++)
		if (is_of_kind(json_array_get(printer->tallies, i), kind))
			json_array_append(found, json_array_get(printer->tallies, i));
	return found;
}

static void
print_tables(const struct cli_queue_printer *printer)
{
	struct age_row other_destinations = {0}, other_reasons = {0};
	json_t *reasons = of_kind(printer, "reason");

	for (size_t i = 0; i < json_array_size(printer->tallies); i++) {
		json_t *tally = json_array_get(printer->tallies, i);

		if (is_of_kind(tally, "other destinations"))
			add_row(&other_destinations, tally);
		if (is_of_kind(tally, "other reasons"))
			add_row(&other_reasons, tally);
	}
	print_ages("by age", printer->by_age, "destination", &other_destinations);
	print_ages("by reason", reasons, "name", &other_reasons);
	json_decref(reasons);
}

static void
print_json_end(const struct cli_queue_printer *printer, uint64_t total)
{
	static const char *const kinds[][2] = {{"reason", "reasons"},
	    {"other reasons", "other_reasons"}, {"other destinations", "other_destinations"}};

	printf("%s]", printer->shown == 0 ? "{\"destinations\":[" : "\n");
	for (size_t i = 0; i < LEN(kinds); i++) {
		json_t *found = of_kind(printer, kinds[i][0]);

		for (size_t j = 0; j < json_array_size(found); j++) {
			json_object_del(json_array_get(found, j), "kind");
			if (i > 0)
				json_object_del(json_array_get(found, j), "name");
		}
		printf(",\"%s\":", kinds[i][1]);
		if (i == 0)
			(void)json_dumpf(found, stdout, JSON_COMPACT);
		else if (json_array_size(found) > 0)
			(void)json_dumpf(json_array_get(found, 0), stdout, JSON_COMPACT);
		else
			printf("null");
		json_decref(found);
	}
	printf(",\"count\":%llu,\"total\":%llu,\"recipients\":%llu",
	    (unsigned long long)printer->shown, (unsigned long long)total,
	    (unsigned long long)printer->rcpt_count);
	cli_queue_print_nearest_json(printer);
	printf("}\n");
}

void
cli_queue_summary_end(struct cli_queue_printer *printer, uint64_t total)
{
	unsigned long long all = total, rcpts = printer->rcpt_count;

	if (printer->options->json) {
		print_json_end(printer, total);
	} else if (all == 0) {
		printf("%s", printer->options->match ? "No mail waits for that"
						     : "The queue is empty");
		cli_queue_print_nearest(printer);
		printf("%s\n", printer->nearest[0] ? "" : ".");
	} else {
		print_tables(printer);
		printf("%llu destination%s, %llu recipient%s.", all, all == 1 ? "" : "s",
		    rcpts, rcpts == 1 ? "" : "s");
		if (printer->shown < total)
			printf(" Those with the most mail are shown.");
		printf(" More: postrider queue list --for DOMAIN\n");
	}
	cli_queue_summary_stop(printer);
}

void
cli_queue_print_suspension(struct cli_queue_printer *printer, json_t *suspension)
{
	struct buf line, name;

	if (printer->options->json) {
		printf(printer->shown++ == 0 ? "{\"suspended\":[\n" : ",\n");
		(void)json_dumpf(suspension, stdout, JSON_COMPACT);
		return;
	}
	printer->shown++;
	buf_init(&line, LINE_BYTES_MAX);
	buf_init(&name, 2 * ROUTE_NAME_BYTES_MAX);
	route_name_write_selector(&name, span_str(cli_queue_text(suspension, "destination")));
	reply_clean(&line, buf_span(&name));
	buf_fini(&name);
	buf_add_str(&line, ": by ");
	reply_clean(&line, span_str(cli_queue_text(suspension, "who")));
	buf_add_str(&line, ", since ");
	cli_queue_write_time(printer, &line, cli_queue_text(suspension, "since"));
	if (cli_queue_text(suspension, "until")[0]) {
		buf_add_str(&line, ", until ");
		cli_queue_write_time(printer, &line, cli_queue_text(suspension, "until"));
	} else {
		buf_add_str(&line, ", until it is resumed");
	}
	buf_add_char(&line, '\n');
	check(buf_finish(&line) == OK);
	(void)fwrite(buf_span(&line).ptr, 1, line.len, stdout);
	buf_fini(&line);
}

void
cli_queue_print_nearest(const struct cli_queue_printer *printer)
{
	if (printer->nearest[0])
		printf("; did you mean \"%s\"?", printer->nearest);
}

void
cli_queue_print_nearest_json(const struct cli_queue_printer *printer)
{
	json_t *nearest;

	if (!printer->nearest[0])
		return;
	nearest = json_string(printer->nearest);
	printf(",\"nearest\":");
	(void)json_dumpf(nearest, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
	json_decref(nearest);
}

static void
print_suspended(const struct cli_queue_printer *printer, uint64_t total)
{
	const struct cli_queue_options *options = printer->options;

	if (options->seconds == 0)
		printf("%s is suspended: mail for it waits, until: postrider queue resume %s\n",
		    options->id, options->id);
	else
		printf("%s is suspended for %llu s: mail for it waits so long\n", options->id,
		    (unsigned long long)options->seconds);
	if (total > 0)
		return;
	printf("No mail waits for it now");
	cli_queue_print_nearest(printer);
	printf("%s\n", printer->nearest[0] ? "" : ".");
}

void
cli_queue_suspension_end(const struct cli_queue_printer *printer, uint64_t total)
{
	const struct cli_queue_options *options = printer->options;

	if (options->verb == CLI_QUEUE_SUSPENDED && options->json)
		printf("%s],\"count\":%llu}\n", printer->shown == 0 ? "{\"suspended\":[" : "\n",
		    (unsigned long long)printer->shown);
	else if (options->verb == CLI_QUEUE_SUSPENDED && printer->shown == 0)
		printf("No destination is suspended.\n");
	else if (options->verb == CLI_QUEUE_RESUME && !options->json)
		printf("%s is resumed.\n", options->id);
	else if (options->verb == CLI_QUEUE_SUSPEND && !options->json)
		print_suspended(printer, total);
	else if (options->json) {
		printf("{\"count\":1");
		cli_queue_print_nearest_json(printer);
		printf("}\n");
	}
}
