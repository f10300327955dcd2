/*
 * "postrider trace": the attempts that the queue keeps, since they failed or were slow, with all
 * that was said in them.
 */
#include "cli/cli_trace.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { LAST = 10, LAST_MAX = 100, SHOWN_STEPS = 12, LINE_BYTES_MAX = 8 << 10 };

static const char usage[] =
    "usage: postrider trace ID [--json]\n"
    "       postrider trace [--last N] [--for NAME] [--json]\n"
    "\n"
    "Shows attempts to deliver that failed or were slow, the latest last: what DNS said, what\n"
    "TLS came to, each line that this server (>) and the other one (<) said, and when, in\n"
    "milliseconds since the attempt began. Passwords and messages are left out. How many\n"
    "attempts are kept is in the configuration (delivery { transcripts NUMBER }).\n"
    "\n"
    "  ID              all attempts that are kept of this message\n"
    "  --last N        the last N of all messages, at most 100; 10 without\n"
    "  --for NAME      only those to this destination, as \"queue summary\" prints it, or\n"
    "                  .DOMAIN: all below it; one word or in quotes\n"
    "  --config FILE   the server's configuration, which names its control socket\n"
    "  --socket PATH   the control socket itself; no configuration is read\n"
    "  --json          one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 done, 65 nothing is kept of that message, 69 the server cannot be reached,\n"
    "75 try again, 77 not allowed to ask it, 78 or 66 the configuration, 64 wrong use.\n";

int
cli_trace(int argc, char **argv)
{
	struct cli_queue_options options = {.verb = CLI_QUEUE_TRACE, .limit = LAST};
	const char *conf_path = NULL, *socket_path = NULL, *last = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--json", &options.json, NULL},
	    {"--help", &help, NULL}, {"--config", NULL, &conf_path},
	    {"--socket", NULL, &socket_path}, {"--last", NULL, &last},
	    {"--for", NULL, &options.match}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	uint64_t id;

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words > 1)
		return cli_wrong_use(usage, "one message: what is \"%s\"?",
		    cli_quote(argv[2]).text);
	if (words == 1) {
		options.id = argv[1];
		options.limit = LAST_MAX;
		if (id_parse(span_str(options.id), &id) != OK)
			return cli_wrong_use(usage,
			    "\"%s\" is not a queue id; ids are letters and digits, at most %d",
			    cli_quote(options.id).text, ID_TEXT_MAX);
	}
	if (last && (!span_u64(span_str(last), LAST_MAX, &options.limit) || options.limit == 0))
		return cli_wrong_use(usage, "--last takes a number from 1 to %d, not \"%s\"",
		    LAST_MAX, cli_quote(last).text);
	if (options.match && strlen(options.match) > ROUTE_NAME_BYTES_MAX)
		return cli_wrong_use(
		    usage, "--for takes the name of a destination, not so long a text");
	return cli_queue_run(&options, conf_path, socket_path);
}

/* "    42 ms  < 220 hello" */
static void
write_step(struct buf *out, json_t *step, size_t width)
{
	const char *kind = cli_queue_text(step, "kind");
	size_t start = out->len;

	buf_addf(out, "%7lld ms  ", cli_queue_number(step, "ms"));
	if (strcmp(kind, "gap") == 0) {
		buf_addf(out, "  (%s steps are left out)\n", cli_queue_text(step, "text"));
		return;
	}
	buf_add_str(out, strcmp(kind, "sent") == 0 ? "> " : strcmp(kind, "got") == 0 ? "< " : "  ");
	reply_clean(out, span_str(cli_queue_text(step, "text")));
	if (width > 0)
		cli_queue_cut_line(out, start, width);
	buf_add_char(out, '\n');
}

static void
write_head(const struct cli_queue_printer *printer, struct buf *out, json_t *transcript)
{
	buf_addf(out, "%s to ", cli_queue_text(transcript, "id"));
	cli_queue_write_name(out, cli_queue_text(transcript, "destination"));
	buf_add_str(out, ", ");
	cli_queue_write_time(printer, out, cli_queue_text(transcript, "began"));
	buf_addf(out, ", took %lld ms%s\n", cli_queue_number(transcript, "took_ms"),
	    json_is_true(json_object_get(transcript, "slow")) ? ": slow" : "");
}

static void
print_line(struct buf *line)
{
	check(buf_finish(line) == OK);
	(void)fwrite(buf_span(line).ptr, 1, line->len, stdout);
	buf_reset(line);
}

void
cli_queue_print_transcript(struct cli_queue_printer *printer, json_t *transcript)
{
	json_t *steps = json_object_get(transcript, "steps");
	struct buf line;

	if (printer->options->verb == CLI_QUEUE_SHOW) {
		if (printer->message)
			check(json_object_set(printer->message, "last_attempt", transcript) == 0);
		return;
	}
	if (printer->options->json) {
		printf(printer->shown++ == 0 ? "{\"attempts\":[\n" : ",\n");
		(void)json_dumpf(transcript, stdout, JSON_COMPACT);
		return;
	}
	buf_init(&line, LINE_BYTES_MAX);
	if (printer->shown++ > 0)
		buf_add_char(&line, '\n');
	write_head(printer, &line, transcript);
	print_line(&line);
	for (size_t i = 0; i < json_array_size(steps); i++) {
		write_step(&line, json_array_get(steps, i), 0);
		print_line(&line);
	}
	buf_fini(&line);
}

void
cli_queue_transcript_end(const struct cli_queue_printer *printer, uint64_t total)
{
	unsigned long long shown = printer->shown, all = total;

	if (printer->options->json)
		printf("%s],\"count\":%llu,\"total\":%llu}\n",
		    shown == 0 ? "{\"attempts\":[" : "\n", shown, all);
	else if (shown == 0 && all > 0)
		printf("None of %llu attempt%s that are kept is to there.\n", all,
		    cli_queue_plural((long long)all));
	else if (shown == 0)
		printf("No attempt has failed or was slow, since the queue was started.\n");
	else if (!printer->options->id)
		printf("\n%llu of %llu attempt%s that are kept.\n", shown, all,
		    cli_queue_plural((long long)all));
}

void
cli_queue_write_transcript_end(
    const struct cli_queue_printer *printer, struct buf *out, json_t *transcript)
{
	json_t *steps = json_object_get(transcript, "steps");
	size_t count = json_array_size(steps);
	size_t from = count > SHOWN_STEPS ? count - SHOWN_STEPS : 0;

	buf_add_str(out,
	    printer->bold ? "\n\033[1mThe last attempt\033[0m\n" : "\nThe last attempt\n");
	if (from > 0)
		buf_addf(out, "  (%zu steps before: postrider trace %s)\n", from,
		    cli_queue_text(transcript, "id"));
	for (size_t i = from; i < count; i++)
		write_step(out, json_array_get(steps, i), printer->width);
}
