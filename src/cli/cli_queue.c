/*
 * One request over the control socket, and its answer shown to a person, or as JSON to a program.
 * Text from the network is made safe for a terminal.
 */
#include "cli/cli_queue.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
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

struct options {
	const char *verb, *id, *conf_path;
	bool json;
	long limit;
};

static bool
parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){.limit = 1000};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			options->json = true;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			options->conf_path = argv[++i];
		else if (strcmp(argv[i], "--limit") == 0 && i + 1 < argc)
			options->limit = strtol(argv[++i], NULL, 10);
		else if (argv[i][0] == '-')
			return false;
		else if (!options->verb)
			options->verb = argv[i];
		else if (!options->id)
			options->id = argv[i];
		else
			return false;
	}
	if (!options->verb || options->limit <= 0)
		return false;
	return (strcmp(options->verb, "list") == 0) == (options->id == NULL);
}

static json_t *
make_request(const struct options *options)
{
	const struct passwd *user = getpwuid(getuid());

	if (strcmp(options->verb, "list") == 0)
		return json_pack("{s:s,s:I}", "do", "list", "limit", (json_int_t)options->limit);
	return json_pack("{s:s,s:s,s:s}", "do", options->verb, "id", options->id, "who",
	    user ? user->pw_name : "unknown");
}

/* Printable, whatever the network sent. */
static void
print_safe(const char *text)
{
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\n')
			fputs(" / ", stdout);
		else
			putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
}

static const char *
text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void
print_message(json_t *message)
{
	const char *from = text_of(message, "from");

	printf("%s  %s  %lld bytes  from <", text_of(message, "id"), text_of(message, "arrived"),
	    (long long)json_integer_value(json_object_get(message, "size")));
	print_safe(from);
	printf(">%s\n", json_is_true(json_object_get(message, "held")) ? "  HELD" : "");
}

static void
print_rcpt(json_t *rcpt)
{
	const char *state = text_of(rcpt, "state");
	long long ahead = json_integer_value(json_object_get(rcpt, "ahead"));
	long long tries = json_integer_value(json_object_get(rcpt, "tries"));

	printf("    to <");
	print_safe(text_of(rcpt, "address"));
	printf(">  %s", state);
	if (strcmp(state, "waiting") == 0 && json_is_string(json_object_get(rcpt, "next_try")))
		printf(" until %s", text_of(rcpt, "next_try"));
	if (ahead > 0)
		printf(", %lld ahead", ahead);
	if (tries > 0)
		printf(", tried %lld time%s", tries, tries == 1 ? "" : "s");
	printf("\n");
	if (text_of(rcpt, "reply")[0] == '\0')
		return;
	printf("        ");
	if (text_of(rcpt, "host")[0]) {
		print_safe(text_of(rcpt, "host"));
		printf(" said: ");
	}
	if (json_integer_value(json_object_get(rcpt, "code")) > 0)
		printf("%lld ", (long long)json_integer_value(json_object_get(rcpt, "code")));
	print_safe(text_of(rcpt, "reply"));
	printf("\n");
}

static int
print_done(const struct options *options, json_t *done)
{
	long long count = json_integer_value(json_object_get(done, "count"));
	long long total = json_integer_value(json_object_get(done, "total"));

	if (options->id && strcmp(options->id, "all") != 0 && count == 0) {
		fprintf(stderr,
		    "postrider: no message %s in the queue: it was delivered, bounced or "
		    "deleted; the log says which (search for id=%s)\n",
		    options->id, options->id);
		return EX_DATAERR;
	}
	if (options->json)
		return EX_OK;
	if (strcmp(options->verb, "list") == 0 && total == 0)
		printf("The queue is empty.\n");
	else if (strcmp(options->verb, "list") == 0)
		printf("%lld of %lld message%s.\n", count, total, total == 1 ? "" : "s");
	else if (strcmp(options->verb, "show") != 0)
		printf("%s: %lld message%s.\n", options->verb, count, count == 1 ? "" : "s");
	return EX_OK;
}

/* Gives the exit status of an answer's line, or -1 when more lines follow. */
static int
take_answer(const struct options *options, json_t *answer)
{
	json_t *part;

	if (options->json && !json_object_get(answer, "done")) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		printf("\n");
	}
	if ((part = json_object_get(answer, "error")) != NULL) {
		fprintf(stderr, "postrider: %s\n", json_string_value(part));
		return EX_TEMPFAIL;
	}
	if ((part = json_object_get(answer, "done")) != NULL)
		return print_done(options, part);
	if (options->json)
		return -1;
	if ((part = json_object_get(answer, "message")) != NULL)
		print_message(part);
	else if ((part = json_object_get(answer, "recipient")) != NULL)
		print_rcpt(part);
	return -1;
}

static int
open_control(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	fprintf(stderr, "postrider: cannot reach the server at %s: %s.\n%s\n", path,
	    strerror(errno),
	    errno == EACCES ? "Only the user who started the server may ask it: try as root."
	                    : "Is it running, with this configuration? Start it with: "
	                      "postrider serve");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
converse(const struct options *options, int fd)
{
	json_t *request = make_request(options);
	FILE *stream = fdopen(fd, "r+");
	char *line = NULL;
	size_t room = 0;
	int status = -1;

	if (!stream) {
		close(fd);
		return EX_OSERR;
	}
	json_dumpf(request, stream, JSON_COMPACT);
	fputc('\n', stream);
	fflush(stream);
	json_decref(request);
	while (status < 0 && getline(&line, &room, stream) > 0) {
		json_t *answer = json_loads(line, 0, NULL);

		if (answer)
			status = take_answer(options, answer);
		json_decref(answer);
	}
	free(line);
	fclose(stream);
	if (status < 0) {
		fprintf(stderr, "postrider: the server closed the connection; try again\n");
		return EX_TEMPFAIL;
	}
	return status;
}

int
cli_queue(int argc, char **argv)
{
	struct options options;
	struct conf_bundle *bundle;
	struct conf *conf;
	struct buf problems;
	enum err err;
	int fd;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (!parse(argc, argv, &options)) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	buf_init(&problems, 64 << 10);
	err = conf_load(options.conf_path ? options.conf_path : conf_load_default_path(), &bundle,
	    &conf, &problems);
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
