/*
 * A summary of the queue: a line for each destination, the one with the most recipients first,
 * as the server gives them.
 */
#include <stdio.h>

#include "base/check.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { NAME_COLUMNS = 32, LINE_BYTES_MAX = 16 << 10 };

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

	cli_queue_write_destination(out, cli_queue_text(destination, "destination"));
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
	    "limit", "window", "code", "status", "host", "reply", "rule"};
	struct buf line;

	if (printer->options->json) {
		cli_queue_set_nulls(destination, keys, LEN(keys));
		printf(printer->shown++ == 0 ? "{\"destinations\":[\n" : ",\n");
		(void)json_dumpf(destination, stdout, JSON_COMPACT);
		return;
	}
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
cli_queue_summary_end(const struct cli_queue_printer *printer, uint64_t total)
{
	unsigned long long all = total, rcpts = printer->rcpt_count;

	if (printer->options->json) {
		printf("%s],\"count\":%llu,\"total\":%llu,\"recipients\":%llu}\n",
		    printer->shown == 0 ? "{\"destinations\":[" : "\n",
		    (unsigned long long)printer->shown, all, rcpts);
		return;
	}
	if (all == 0) {
		printf("%s\n", printer->options->match ? "No mail waits for that."
						       : "The queue is empty.");
		return;
	}
	printf("%llu destination%s, %llu recipient%s.", all, all == 1 ? "" : "s", rcpts,
	    rcpts == 1 ? "" : "s");
	if (printer->shown < total)
		printf(" Those with the most mail are shown.");
	printf(" More: postrider queue list --for DOMAIN\n");
}

void
cli_queue_print_suspension(struct cli_queue_printer *printer, json_t *suspension)
{
	struct buf line;

	if (printer->options->json) {
		printf(printer->shown++ == 0 ? "{\"suspended\":[\n" : ",\n");
		(void)json_dumpf(suspension, stdout, JSON_COMPACT);
		return;
	}
	printer->shown++;
	buf_init(&line, LINE_BYTES_MAX);
	reply_clean(&line, span_str(cli_queue_text(suspension, "destination")));
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
cli_queue_suspension_end(const struct cli_queue_printer *printer)
{
	const struct cli_queue_options *options = printer->options;

	if (options->verb == CLI_QUEUE_SUSPENDED && options->json)
		printf("%s],\"count\":%llu}\n", printer->shown == 0 ? "{\"suspended\":[" : "\n",
		    (unsigned long long)printer->shown);
	else if (options->verb == CLI_QUEUE_SUSPENDED && printer->shown == 0)
		printf("No destination is suspended.\n");
	else if (options->verb != CLI_QUEUE_SUSPENDED && options->json)
		printf("{\"count\":1}\n");
	else if (options->verb == CLI_QUEUE_RESUME)
		printf("%s is resumed.\n", options->id);
	else if (options->verb == CLI_QUEUE_SUSPEND && options->seconds == 0)
		printf("%s is suspended: mail for it waits, until: postrider queue resume %s\n",
		    options->id, options->id);
	else if (options->verb == CLI_QUEUE_SUSPEND)
		printf("%s is suspended for %llu s: mail for it waits so long\n", options->id,
		    (unsigned long long)options->seconds);
}
