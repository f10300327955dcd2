/* "postrider queue": the arguments, and where the server's control socket is. */
#include "cli/cli_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli.h"
#include "cli/cli_conf.h"
#include "cli/cli_explain.h"
#include "cli/cli_queue_internal.h"

static const char usage[] =
    "usage: postrider queue list [--for NAME] [--reason WORD,...] [--pool NAME]\n"
    "           [--limit N] [--json]\n"
    "       postrider queue summary [--for NAME] [--limit N] [--json]\n"
    "       postrider queue show ID [--lang LANGUAGE] [--json]\n"
    "       postrider queue why DESTINATION [--json]\n"
    "       postrider queue sources [--json]\n"
    "       postrider queue retry | hold | release | delete  ID | all\n"
    "       postrider queue suspend DESTINATION [--until TIME]\n"
    "       postrider queue resume DESTINATION\n"
    "       postrider queue suspended [--json]\n"
    "       postrider queue reroute ID | all  via HOST[:PORT] | normal\n"
    "           [--for NAME] [--from SENDER] [--older TIME] [--json]\n"
    "\n"
    "  list      the messages that wait, in the order of the queue, and what for\n"
    "  summary   where the mail that waits is to go, and how each destination does\n"
    "  show      one message: why each recipient waits, and what can be done\n"
    "  why       a destination, or a provider: which limit binds it, what it asked for and\n"
    "            said last, for which domains most waits, when it will be empty\n"
    "  sources   the addresses that mail leaves from: their pools, what each has sent today,\n"
    "            what a new one may send, and when\n"
    "  retry     try now, without waiting for the next try\n"
    "  hold      keep a message and try nothing, until it is released\n"
    "  release   end a hold, or that it was set aside, and try now\n"
    "  delete    remove a message; nobody is told\n"
    "  suspend   send nothing to a destination, or to a provider, over restarts too; what is\n"
    "            under way is finished, and mail for it is taken in\n"
    "  resume    end that\n"
    "  reroute   send mail that waits to another server, over restarts too; normal ends\n"
    "            that. What is being tried meanwhile goes on as it is\n"
    "  suspended which destinations are, since when, and by whom\n"
    "\n"
    "DESTINATION is what summary prints of one, or its \"destination\" in --json and the log:\n"
    "  far.example                       a domain, or a server of that name\n"
    "  .far.example                      all of these below it\n"
    "  domain NAME                       a domain only\n"
    "  server HOST[:PORT], HOST:PORT     a smart host\n"
    "  lmtp HOST[:PORT] | SOCKET         what takes mail by LMTP\n"
    "  via HOST[:PORT]                   what is rerouted there\n"
    "  program NAME | PATH | USER:NAME   what is handed to a program\n"
    "  rule DOMAIN, mailboxes            what a rule answers; the mailboxes here\n"
    "  gmail, provider NAME | MX-HOST    all that these servers take mail for; \"postrider\n"
    "                                    providers\" lists those that are known\n"
    "\n"
    "  --config FILE   the server's configuration, which names its control socket\n"
    "                  ($POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "  --socket PATH   the control socket itself; no configuration is read\n"
    "  --for NAME      only what is for this DESTINATION, one word or in quotes\n"
    "  --reason WORD   only what waits for this: time, down, connections, rate, turn,\n"
    "                  held, aside, suspect, active, bouncing, until, suspended,\n"
    "                  pause, site, site-rate, full, source; or several, with commas\n"
    "  --pool NAME     only messages that name this pool of addresses to leave from\n"
    "  --from SENDER   only what has this sender: ann@home.example; @home.example: any of it\n"
    "  --older TIME    only what has waited longer: 30m, 2h, 1d\n"
    "  --until TIME    for so long: 30m, 2h, 1d; until it is resumed without this\n"
    "  --limit N       list the first N messages, or destinations, only\n"
    "  --lang LANGUAGE show: explain in this language, else in that of the environment\n"
    "                  (LC_ALL, LC_MESSAGES, LANG)\n"
    "  --json          one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 done, 65 no such message or destination, 69 the server cannot be\n"
    "reached, 75 try again, 77 not allowed to ask it, 78 or 66 the configuration, 64 wrong use.\n";

static int
take_verb(const char *word, struct cli_queue_options *options)
{
	const char *names[CLI_QUEUE_TRACE];
	const char *nearest;

	for (unsigned i = 0; i < CLI_QUEUE_TRACE; i++) {
		names[i] = cli_queue_verb_name((enum cli_queue_verb)i);
		if (strcmp(word, names[i]) == 0) {
			options->verb = (enum cli_queue_verb)i;
			return EX_OK;
		}
	}
	nearest = cli_nearest(word, names, LEN(names));
	return cli_wrong_use(usage, "there is no \"queue %s\"%s%s%s",
	    cli_quote(word).text, nearest ? "; did you mean " : "",
	    nearest ? nearest : "", nearest ? "?" : "");
}

uint64_t
cli_queue_seconds(const char *text, uint64_t days_max)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	struct span span = span_str(text);
	uint64_t number = 0;

	for (size_t i = 0; i < LEN(units) && span.len > 1; i++)
		if (span.ptr[span.len - 1] == units[i].unit &&
		    span_u64(span_first(span, span.len - 1),
		        days_max * 86400 / units[i].seconds, &number))
			return number * units[i].seconds;
	return 0;
}

static int
take_time(const char *option, enum cli_queue_verb verb, const char *text,
    struct cli_queue_options *options)
{
	if (!text)
		return EX_OK;
	if (options->verb != verb)
		return cli_wrong_use(
		    usage, "%s is for %s", option, cli_queue_verb_name(verb));
	options->seconds = cli_queue_seconds(text, 366);
	return options->seconds > 0 ? EX_OK
	                            : cli_wrong_use(usage,
	                                  "%s takes a time like 30m, 2h or 1d, not \"%s\"", option,
	                                  cli_quote(text).text);
}

static bool
is_for_destination(enum cli_queue_verb verb)
{
	return verb == CLI_QUEUE_SUSPEND || verb == CLI_QUEUE_RESUME || verb == CLI_QUEUE_WHY;
}

/* One word or several: "provider Microsoft 365". */
static int
take_destination(int words, char **argv, struct cli_queue_options *options)
{
	struct buf name;
	bool fits;

	buf_init(&name, sizeof(options->name) - 1);
	for (int i = 2; i <= words; i++) {
		buf_add_str(&name, i > 2 ? " " : "");
		buf_add_str(&name, argv[i]);
	}
	fits = buf_finish(&name) == OK && span_trim(buf_span(&name)).len > 0;
	if (fits)
		memcpy(options->name, name.ptr, name.len);
	buf_fini(&name);
	options->id = options->name;
	return fits ? EX_OK
	            : cli_wrong_use(usage,
	                  "%s which destination? Give a domain, or another name as \"postrider "
	                  "queue summary\" prints them",
	                  cli_queue_verb_name(options->verb));
}

static int
take_id(const char *word, struct cli_queue_options *options)
{
	const char *verb = cli_queue_verb_name(options->verb);
	uint64_t id;

	if (options->verb == CLI_QUEUE_LIST || options->verb == CLI_QUEUE_SUMMARY ||
	    options->verb == CLI_QUEUE_SUSPENDED || options->verb == CLI_QUEUE_SOURCES)
		return word ? cli_wrong_use(usage,
				  "%s takes no id; one message is shown by: "
				  "postrider queue show ID",
				  verb)
			    : EX_OK;
	if (!word)
		return cli_wrong_use(usage, "%s which message? Give its id%s", verb,
		    options->verb == CLI_QUEUE_SHOW ? "; postrider queue list has the ids"
						    : ", or all");
	options->id = word;
	if (options->verb != CLI_QUEUE_SHOW && strcmp(word, "all") == 0)
		return EX_OK;
	if (id_parse(span_str(word), &id) != OK)
		return cli_wrong_use(usage,
		    "\"%s\" is not a queue id; ids are letters and digits, at most %d",
		    cli_quote(word).text, ID_TEXT_MAX);
	return EX_OK;
}

static int
take_limit(const char *text, struct cli_queue_options *options)
{
	options->limit = UINT64_MAX;
	if (!text)
		return EX_OK;
	if (options->verb != CLI_QUEUE_LIST && options->verb != CLI_QUEUE_SUMMARY)
		return cli_wrong_use(usage, "--limit is for list and summary");
	if (!span_u64(span_str(text), UINT64_MAX, &options->limit) || options->limit == 0)
		return cli_wrong_use(usage, "--limit takes a number from 1, not \"%s\"",
		    cli_quote(text).text);
	return EX_OK;
}

static int
take_filters(struct cli_queue_options *options)
{
	static const char *const reasons[] = {"time", "down", "connections", "rate",
	    "turn", "held", "aside", "suspect", "active", "bouncing", "until",
	    "suspended", "pause", "site", "site-rate", "full", "source"};
	struct span rest = span_str(options->reasons), word;

	if (options->match && options->verb != CLI_QUEUE_LIST &&
	    options->verb != CLI_QUEUE_SUMMARY && options->verb != CLI_QUEUE_REROUTE)
		return cli_wrong_use(usage, "--for is for list, summary and reroute");
	if (options->from && options->verb != CLI_QUEUE_REROUTE)
		return cli_wrong_use(usage, "--from is for reroute");
	if (options->from && (strlen(options->from) > 255 || !strchr(options->from, '@')))
		return cli_wrong_use(usage, "--from takes an address, or @DOMAIN");
	if (options->match && strlen(options->match) > ROUTE_NAME_BYTES_MAX)
		return cli_wrong_use(
		    usage, "--for takes the name of a destination, not so long a text");
	if (options->pool && (options->verb != CLI_QUEUE_LIST || strlen(options->pool) > 63))
		return cli_wrong_use(usage, "--pool is for list, and takes the name of a pool");
	if (options->reasons && options->verb != CLI_QUEUE_LIST)
		return cli_wrong_use(usage, "--reason is for list");
	while (span_cut(&rest, ',', &word)) {
		char *text = mem_copy(word);
		const char *nearest = cli_nearest(text, reasons, LEN(reasons));
		struct cli_quote quote = cli_quote(text);

		mem_free(text);
		if (nearest && span_eq(word, span_str(nearest)))
			continue;
		return cli_wrong_use(usage, "nothing waits for \"%s\"%s%s%s", quote.text,
		    nearest ? "; did you mean " : "", nearest ? nearest : "",
		    nearest ? "?" : "");
	}
	return EX_OK;
}

/* "via HOST[:PORT]" or "normal"; an address with colons stands in brackets before a port. */
static int
take_way(int words, char **argv, struct cli_queue_options *options)
{
	struct span host = span_str(words > 3 ? argv[4] : ""), port = SPAN("");
	uint64_t number = 0;
	size_t colon;

	if (words == 3 && strcmp(argv[3], "normal") == 0)
		return EX_OK;
	if (words != 4 || strcmp(argv[3], "via") != 0)
		return cli_wrong_use(usage, "reroute what, and how? ID or all, and then "
		                            "\"via HOST[:PORT]\" or \"normal\"");
	if (host.len > 0 && host.ptr[0] == '[' && span_find(host, ']') < host.len) {
		port = span_skip(host, span_find(host, ']') + 1);
		host = span_of(host.ptr + 1, span_find(host, ']') - 1);
	} else if (span_find(host, ':') == span_find_last(host, ':')) {
		colon = span_find(host, ':');
		port = span_skip(host, colon);
		host = span_first(host, colon);
	}
	if (host.len == 0 || host.len >= sizeof(options->host) ||
	    (port.len > 0 && (port.ptr[0] != ':' ||
	        !span_u64(span_skip(port, 1), UINT16_MAX, &number) || number == 0)))
		return cli_wrong_use(usage, "\"%s\" is no server, as in relay.example:587",
		    cli_quote(argv[4]).text);
	memcpy(options->host, host.ptr, host.len);
	options->port = (unsigned)number;
	return EX_OK;
}

static int
take_words(int words, char **argv, const char *limit, struct cli_queue_options *options)
{
	int status;

	if (words == 0)
		return cli_wrong_use(usage, "what is to be done with the queue?");
	status = take_verb(argv[1], options);
	if (status == EX_OK && options->verb == CLI_QUEUE_REROUTE)
		status = take_way(words, argv, options);
	else if (status == EX_OK && !is_for_destination(options->verb) && words > 2)
		return cli_wrong_use(usage, "one message, or all: what is \"%s\"?",
		    cli_quote(argv[3]).text);
	if (status == EX_OK && is_for_destination(options->verb))
		status = take_destination(words, argv, options);
	else if (status == EX_OK)
		status = take_id(words > 1 ? argv[2] : NULL, options);
	if (status == EX_OK)
		status = take_filters(options);
	return status == EX_OK ? take_limit(limit, options) : status;
}

static struct cli_queue_printer
make_printer(const struct cli_queue_options *options)
{
	struct cli_queue_printer printer = {.options = options, .width = PAGE_WIDTH};
	struct winsize size;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	printer.now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (isatty(STDOUT_FILENO)) {
		const char *no_color = getenv("NO_COLOR");

		printer.bold = !no_color || !*no_color;
		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
			printer.width = size.ws_col;
	}
	return printer;
}

char *
cli_queue_find_socket(const char *conf_path, int *status)
{
	struct conf_bundle *bundle;
	struct conf *conf;
	char *path = NULL;
	int loaded = cli_conf_load(conf_path, "names the control socket",
	    "; --socket PATH does without", &bundle, &conf);

	if (loaded == EX_OK)
		path = mem_copy(conf->control_path);
	else
		*status = loaded;
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return path;
}

int
cli_queue_run(const struct cli_queue_options *options, const char *conf_path,
    const char *socket_path)
{
	struct cli_queue_printer printer;
	int status = EX_UNAVAILABLE;
	char *path = socket_path ? mem_copy(span_str(socket_path))
	                         : cli_queue_find_socket(conf_path, &status);
	int fd;

	if (!path)
		return status;
	fd = cli_queue_connect(path, &status);
	mem_free(path);
	if (fd < 0)
		return status;
	printer = make_printer(options);
	return cli_queue_talk(fd, options, &printer);
}

int
cli_queue(int argc, char **argv)
{
	struct cli_queue_options options = {.verb = CLI_QUEUE_LIST};
	const char *conf_path = NULL, *socket_path = NULL, *limit = NULL, *until = NULL;
	const char *older = NULL;
	const char *tag = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--json", &options.json, NULL},
	    {"--help", &help, NULL}, {"--config", NULL, &conf_path},
	    {"--socket", NULL, &socket_path}, {"--limit", NULL, &limit},
	    {"--for", NULL, &options.match}, {"--until", NULL, &until},
	    {"--from", NULL, &options.from}, {"--older", NULL, &older},
	    {"--lang", NULL, &tag}, {"--pool", NULL, &options.pool},
	    {"--reason", NULL, &options.reasons}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage);
	int status;

	if (words < 0)
		return EX_USAGE;
	if (help || (words == 1 && strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	status = take_words(words, argv, limit, &options);
	if (status == EX_OK)
		status = take_time("--until", CLI_QUEUE_SUSPEND, until, &options);
	if (status == EX_OK)
		status = take_time("--older", CLI_QUEUE_REROUTE, older, &options);
	if (status == EX_OK && tag && options.verb != CLI_QUEUE_SHOW)
		status = cli_wrong_use(usage, "--lang is for show");
	if (status == EX_OK && !cli_explain_language_of(tag, &options.language))
		status = EX_USAGE;
	return status == EX_OK ? cli_queue_run(&options, conf_path, socket_path) : status;
}
