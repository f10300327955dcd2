/*
 * One request over the control socket, and its answer shown to a person, or as JSON to a program.
 * Text from the network is made safe for a terminal.
 */
#include "cli/cli_queue.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli_queue_print.h"
#include "proc/supervisor/conf_load.h"

static const char usage[] =
    "usage: postrider queue list [--limit N]\n"
    "       postrider queue show ID\n"
    "       postrider queue retry | hold | release | delete  ID | all\n"
    "options: --config FILE (else $POSTRIDER_CONFIG, else /etc/postrider/postrider.conf)\n"
    "         --json\n"
    "\n"
    "list shows the messages that wait, oldest first, and why each recipient waits.\n"
    "retry tries now; hold keeps a message until release; delete removes it without a bounce.\n";

enum { LIST_PAGE = 1000 };

struct options {
	const char *verb, *id, *conf_path;
	bool json;
	long limit;
};

/* What is wrong with the words of the call; NULL where nothing is. */
static const char *
find_fault(const struct options *options)
{
	static const char *const acts[] = {"show", "retry", "hold", "release", "delete"};
	uint64_t id;

	if (!options->verb)
		return "what is to be done with the queue?";
	if (options->limit <= 0)
		return "--limit needs a number above 0";
	if (strcmp(options->verb, "list") == 0)
		return options->id ? "list takes no id; show does" : NULL;
	for (size_t i = 0; i < LEN(acts); i++) {
		if (strcmp(options->verb, acts[i]) != 0)
			continue;
		if (!options->id)
			return i == 0 ? "which message? give its id"
				      : "which message? give its id, or all";
		if (i > 0 && strcmp(options->id, "all") == 0)
			return NULL;
		return id_parse(span_str(options->id), &id) ? "that is not a queue id"
							    : NULL;
	}
	return "the queue has list, show, retry, hold, release and delete";
}

static const char *
parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){.limit = LONG_MAX};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			options->json = true;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			options->conf_path = argv[++i];
		else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc)
			options->limit = strtol(argv[++i], NULL, 10);
		else if (argv[i][0] == '-')
			return "unknown option";
		else if (!options->verb)
			options->verb = argv[i];
		else if (!options->id)
			options->id = argv[i];
		else
			return "too many words";
	}
	return find_fault(options);
}

static json_t *
make_request(const struct options *options)
{
	const struct passwd *user = getpwuid(getuid());

	return json_pack("{s:s,s:s,s:s}", "do", options->verb, "id", options->id, "who",
	    user ? user->pw_name : "unknown");
}

static int
open_control(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	fprintf(stderr,
	    "postrider: cannot reach the server at its control socket %s: %s.\n%s\n",
	    path, strerror(errno),
	    errno == EACCES
		? "Only the user who started the server may ask it: try as root."
		: "Is it running, with this configuration? Start it with: "
		  "postrider serve");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What one request came to. */
struct exchange {
	long long count, total;
	char last_id[ID_TEXT_MAX + 1]; /* of the last message */
	int status; /* -1: the answer did not end */
};

static void
take_answer(struct exchange *exchange, struct queue_printer *printer, json_t *answer)
{
	json_t *done = json_object_get(answer, "done");
	json_t *message = json_object_get(answer, "message");
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (error) {
		fprintf(stderr, "postrider: %s\n", error);
		exchange->status = EX_TEMPFAIL;
	} else if (done) {
		exchange->count = json_integer_value(json_object_get(done, "count"));
		exchange->total = json_integer_value(json_object_get(done, "total"));
		exchange->status = EX_OK;
	} else {
		if (message)
			snprintf(exchange->last_id, sizeof(exchange->last_id), "%s",
			    json_string_value(json_object_get(message, "id")));
		queue_print_part(printer, answer);
	}
}

/* Sends one request, and shows what comes back until it is done. */
static void
exchange_once(FILE *stream, json_t *request, struct exchange *exchange,
    struct queue_printer *printer)
{
	char *line = NULL;
	size_t room = 0;

	exchange->status = -1;
	json_dumpf(request, stream, JSON_COMPACT);
	fputc('\n', stream);
	fflush(stream);
	while (exchange->status < 0 && getline(&line, &room, stream) > 0) {
		json_t *answer = json_loads(line, 0, NULL);

		if (answer)
			take_answer(exchange, printer, answer);
		json_decref(answer);
	}
	mem_free(line);
	if (exchange->status >= 0)
		return;
	fprintf(stderr, "postrider: the server closed the connection; try again\n");
	exchange->status = EX_TEMPFAIL;
}

/* The server gives a list in pages; the next begins after the last message of this one. */
static void
list_all(FILE *stream, const struct options *options, struct exchange *exchange,
    struct queue_printer *printer)
{
	long left = options->limit;
	json_t *request = json_pack("{s:s}", "do", "list");

	do {
		long page = left < LIST_PAGE ? left : LIST_PAGE;

		json_object_set_new(request, "limit", json_integer(page));
		exchange_once(stream, request, exchange, printer);
		left -= page;
		json_object_set_new(request, "after", json_string(exchange->last_id));
		if (exchange->count < page)
			break;
	} while (exchange->status == EX_OK && left > 0);
	json_decref(request);
}

static int
converse(const struct options *options, int fd)
{
	FILE *stream = fdopen(fd, "r+");
	struct exchange exchange = {0};
	struct queue_printer printer = {
	    .json = options->json,
	    .list = strcmp(options->verb, "list") == 0,
	    .show = strcmp(options->verb, "show") == 0,
	};

	if (!stream) {
		close(fd);
		return EX_OSERR;
	}
	if (printer.list) {
		list_all(stream, options, &exchange, &printer);
	} else {
		json_t *request = make_request(options);

		exchange_once(stream, request, &exchange, &printer);
		json_decref(request);
	}
	fclose(stream);
	if (exchange.status != EX_OK)
		return exchange.status;
	if (options->id && strcmp(options->id, "all") != 0 && exchange.count == 0) {
		fprintf(stderr,
		    "postrider: no message %s in the queue: it was delivered, bounced or "
		    "deleted; the log says which (search for id=%s)\n",
		    options->id, options->id);
		return EX_DATAERR;
	}
	queue_print_end(&printer, options->verb, exchange.count, exchange.total);
	return EX_OK;
}

int
cli_queue(int argc, char **argv)
{
	struct options options;
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf problems;
	const char *fault;
	enum err err;
	int fd;

	if (argc > 1 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	fault = parse(argc, argv, &options);
	if (fault) {
		fprintf(stderr, "postrider queue: %s\n%s", fault, usage);
		return EX_USAGE;
	}
	buf_init(&problems, 64 << 10);
	err = conf_load(options.conf_path ? options.conf_path : conf_load_default_path(),
	    &bundle, &conf, &problems);
	if (err)
		fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&problems)));
	buf_fini(&problems);
	if (err)
		return err == ERR_SYNTAX ? EX_CONFIG : EX_NOINPUT;
	fd = open_control(conf->control_path.ptr);
	conf_destroy(conf);
	conf_bundle_destroy(bundle);
	return fd < 0 ? EX_UNAVAILABLE : converse(&options, fd);
}
