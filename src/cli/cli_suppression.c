/*
 * "postrider suppression": lists the addresses that do not exist, adds and removes some, and
 * takes or gives a file of them.
 */
#include "cli/cli_suppression.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum { REQUEST_BYTES_MAX = 4096, DAYS_MAX = 3650, LINE_BYTES_MAX = 8 << 10 };

static const char usage[] =
    "usage: postrider suppression list [--from DOMAIN] [--json]\n"
    "       postrider suppression add ADDRESS [--from DOMAIN] [--for TIME]\n"
    "       postrider suppression remove ADDRESS [--from DOMAIN]\n"
    "       postrider suppression import FILE [--from DOMAIN] [--for TIME]\n"
    "       postrider suppression export [--from DOMAIN]\n"
    "\n"
    "Addresses of other domains that do not exist: mail to them is returned at once, without an\n"
    "attempt. They are learned from what servers say, where the configuration has it so\n"
    "(queue { suppress unknown addresses for TIME }), each for the domain that sent to it.\n"
    "\n"
    "  list      those that there are, the oldest first\n"
    "  add       one more, or the same for another time\n"
    "  remove    mail to it is tried again\n"
    "  import    one address in each line of a file (- is standard input), with the domain of\n"
    "            senders behind it, or without; what else is in the line is passed over\n"
    "  export    lines that import takes\n"
    "\n"
    "  --from DOMAIN   only for mail from this domain; without, of list and export: all that\n"
    "                  there are; of add, remove and import: \"*\", for mail from any domain\n"
    "  --for TIME      30m, 2h, 90d: so long; until it is removed without this\n"
    "  --config FILE   the server's configuration, which names its control socket\n"
    "  --socket PATH   the control socket itself; no configuration is read\n"
    "  --json          one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 done, 65 there is no such address, 69 the server cannot be reached, 75 try\n"
    "again, 77 not allowed to ask it, 78 or 66 the configuration, 64 wrong use.\n";

struct suppression_talk {
	int fd;
	FILE *answers;
	char *line;
	size_t room;
	bool json, export;
	const char *from; /* NULL: not said */
	uint64_t seconds;
	uint64_t shown;
	/* Of the last answer. */
	long long count;
	bool lost, more;
	char last[32];
};

static void
show(struct suppression_talk *talk, json_t *row)
{
	struct buf out;

	talk->shown++;
	if (talk->json) {
		printf(talk->shown == 1 ? "{\"suppressions\":[\n" : ",\n");
		(void)json_dumpf(row, stdout, JSON_COMPACT);
		return;
	}
	buf_init(&out, LINE_BYTES_MAX);
	reply_clean(&out, span_str(cli_queue_text(row, "address")));
	if (talk->export) {
		buf_add_char(&out, '\t');
		reply_clean(&out, span_str(cli_queue_text(row, "from")));
		buf_add_char(&out, '\n');
	} else {
		buf_add_str(&out, ": from ");
		if (strcmp(cli_queue_text(row, "from"), "*") == 0)
			buf_add_str(&out, "any domain");
		else
			reply_clean(&out, span_str(cli_queue_text(row, "from")));
		buf_addf(&out, ", since %.10s, ", cli_queue_text(row, "since"));
		if (cli_queue_text(row, "until")[0])
			buf_addf(&out, "until %.10s", cli_queue_text(row, "until"));
		else
			buf_add_str(&out, "until it is removed");
		buf_add_str(&out, ", by ");
		reply_clean(&out, span_str(cli_queue_text(row, "who")));
		buf_add_char(&out, '\n');
		if (cli_queue_has_reply(row)) {
			buf_add_str(&out, "    ");
			cli_queue_write_reply(&out, row);
			buf_add_char(&out, '\n');
		}
	}
	check(buf_finish(&out) == OK);
	(void)fwrite(out.ptr, 1, out.len, stdout);
	buf_fini(&out);
}

/* False: the answer goes on. */
static bool
take(struct suppression_talk *talk, json_t *answer, int *status)
{
	json_t *row = json_object_get(answer, "suppression");
	json_t *done = json_object_get(answer, "done");
	const char *error = json_string_value(json_object_get(answer, "error"));

	*status = EX_OK;
	if (json_is_object(row)) {
		show(talk, row);
		return false;
	}
	if (json_is_object(done)) {
		talk->count = cli_queue_number(done, "count");
		talk->lost = json_is_true(json_object_get(done, "lost"));
		talk->more = json_is_true(json_object_get(done, "more"));
		snprintf(talk->last, sizeof(talk->last), "%s", cli_queue_text(done, "last"));
		return true;
	}
	*status = error ? EX_TEMPFAIL : EX_PROTOCOL;
	fprintf(stderr, "postrider: %s\n", error ? error
	    : "the server's answer is not understood; is it of another version than this program?");
	return true;
}

static int
ask(struct suppression_talk *talk, json_t *request)
{
	char text[REQUEST_BYTES_MAX];
	size_t len = request ? json_dumpb(request, text, sizeof(text) - 1, JSON_COMPACT) : 0;
	bool over = false;
	int status = EX_OK;

	json_decref(request);
	if (len == 0 || len >= sizeof(text)) {
		fprintf(stderr, "postrider: an address or domain is no UTF-8, or too long\n");
		return EX_DATAERR;
	}
	text[len++] = '\n';
	if (send(talk->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len) {
		fprintf(stderr, "postrider: the server closed the connection; try again\n");
		return EX_TEMPFAIL;
	}
	while (!over) {
		json_t *answer;

		if (getline(&talk->line, &talk->room, talk->answers) <= 0) {
			fprintf(stderr, "postrider: no answer from the server; try again\n");
			return EX_TEMPFAIL;
		}
		answer = json_loads(talk->line, 0, NULL);
		over = take(talk, answer, &status);
		json_decref(answer);
	}
	return status;
}

static int
list(struct suppression_talk *talk)
{
	int status;

	do {
		json_t *request = json_pack("{s:s,s:s}", "do", "suppressed", "from",
		    talk->from ? talk->from : "");

		if (request && talk->more)
			json_object_set_new(request, "after", json_string(talk->last));
		status = ask(talk, request);
	} while (status == EX_OK && talk->more);
	if (status != EX_OK)
		return status;
	if (talk->json)
		printf("%s],\"count\":%llu}\n", talk->shown == 0 ? "{\"suppressions\":[" : "\n",
		    (unsigned long long)talk->shown);
	else if (talk->shown == 0 && !talk->export)
		printf("No address is suppressed.\n");
	return EX_OK;
}

static json_t *
act_request(const struct suppression_talk *talk, const char *verb, const char *address,
    const char *from)
{
	const struct passwd *user = getpwuid(getuid());

	return json_pack("{s:s,s:s,s:s,s:I,s:s}", "do", verb, "address", address, "from", from,
	    "seconds", (json_int_t)talk->seconds, "who", user ? user->pw_name : "unknown");
}

static int
save(struct suppression_talk *talk)
{
	int status = ask(talk, json_pack("{s:s}", "do", "save-suppressed"));

	if (status != EX_OK || !talk->lost)
		return status;
	fprintf(stderr,
	    "postrider: it is so for now, but could not be written to the spool's disk: a "
	    "restart undoes it\n");
	return EX_TEMPFAIL;
}

static int
act(struct suppression_talk *talk, const char *verb, const char *address)
{
	const char *from = talk->from ? talk->from : "*";
	bool adds = strcmp(verb, "suppress") == 0;
	int status = ask(talk, act_request(talk, verb, address, from));

	if (status != EX_OK)
		return status;
	if (talk->count == 0) {
		fprintf(stderr,
		    adds ? "postrider: %s is no address\n"
		         : "postrider: %s is not suppressed so; postrider suppression list shows "
		           "for mail from which domain it is (--from)\n",
		    cli_quote(address).text);
		return EX_DATAERR;
	}
	status = save(talk);
	if (status == EX_OK)
		printf(adds ? "%s is suppressed: mail to it is returned at once.\n"
			    : "%s is tried again.\n",
		    cli_quote(address).text);
	return status;
}

static int
import_line(struct suppression_talk *talk, char *line, const char *file, unsigned long number)
{
	char *state = NULL, *address = strtok_r(line, " \t,;\r\n", &state), *from;
	int status;

	if (!address || address[0] == '#')
		return EX_OK;
	from = strtok_r(NULL, " \t,;\r\n", &state);
	if (talk->from || !from)
		from = talk->from ? (char *)talk->from : (char *)"*";
	status = ask(talk, act_request(talk, "suppress", address, from));
	if (status != EX_OK)
		return status;
	if (talk->count > 0) {
		talk->shown++;
		return EX_OK;
	}
	fprintf(stderr, "%s:%lu: \"%s\" is no address; it is passed over\n", file, number,
	    cli_quote(address).text);
	return EX_OK;
}

static int
import(struct suppression_talk *talk, const char *path)
{
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *file = from_stdin ? stdin : fopen(path, "r");
	unsigned long number = 0;
	char *line = NULL;
	size_t room = 0;
	int status = EX_OK;

	if (!file) {
		fprintf(stderr, "postrider: cannot read %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	while (status == EX_OK && getline(&line, &room, file) > 0)
		status = import_line(talk, line, path, ++number);
	/* getline() took it. */
	mem_free(line);
	if (!from_stdin)
		(void)fclose(file);
	if (status == EX_OK)
		status = save(talk);
	if (status == EX_OK)
		printf("%llu addresses are suppressed.\n", (unsigned long long)talk->shown);
	return status;
}

static int
run(struct suppression_talk *talk, const char *verb, const char *word)
{
	if (strcmp(verb, "add") == 0)
		return act(talk, "suppress", word);
	if (strcmp(verb, "remove") == 0)
		return act(talk, "unsuppress", word);
	if (strcmp(verb, "import") == 0)
		return import(talk, word);
	talk->export = strcmp(verb, "export") == 0;
	return list(talk);
}

static int
check_words(int words, char **argv, const char *for_time, struct suppression_talk *talk)
{
	static const char *const verbs[] = {"list", "export", "add", "remove", "import"};
	const char *nearest = words > 0 ? cli_nearest(argv[1], verbs, LEN(verbs)) : NULL;
	bool takes_word;

	if (words == 0)
		return cli_wrong_use(usage, "what is to be done with the suppressed addresses?");
	if (!nearest || strcmp(nearest, argv[1]) != 0)
		return cli_wrong_use(usage, "there is no \"suppression %s\"%s%s%s",
		    cli_quote(argv[1]).text, nearest ? "; did you mean " : "",
		    nearest ? nearest : "", nearest ? "?" : "");
	takes_word = strcmp(nearest, "list") != 0 && strcmp(nearest, "export") != 0;
	if (words != 1 + takes_word)
		return cli_wrong_use(usage, takes_word ? "%s takes one address, or one file"
						       : "%s takes nothing more", nearest);
	if (for_time && strcmp(nearest, "add") != 0 && strcmp(nearest, "import") != 0)
		return cli_wrong_use(usage, "--for is for add and import");
	if (for_time && (talk->seconds = cli_queue_seconds(for_time, DAYS_MAX)) == 0)
		return cli_wrong_use(usage, "--for takes a time like 2h or 90d, not \"%s\"",
		    cli_quote(for_time).text);
	if (talk->json && strcmp(nearest, "list") != 0)
		return cli_wrong_use(usage, "--json is for list");
	return EX_OK;
}

int
cli_suppression(int argc, char **argv)
{
	struct suppression_talk talk = {0};
	const char *conf_path = NULL, *socket_path = NULL, *for_time = NULL;
	bool help = false;
	const struct cli_option rows[] = {{"--json", &talk.json, NULL}, {"--help", &help, NULL},
	    {"--config", NULL, &conf_path}, {"--socket", NULL, &socket_path},
	    {"--from", NULL, &talk.from}, {"--for", NULL, &for_time}};
	int words = cli_options(argc, argv, rows, LEN(rows), usage), status = EX_UNAVAILABLE;
	char *path;

	if (words < 0)
		return EX_USAGE;
	if (help || (words == 1 && strcmp(argv[1], "help") == 0)) {
		fputs(usage, stdout);
		return EX_OK;
	}
	status = check_words(words, argv, for_time, &talk);
	if (status != EX_OK)
		return status;
	path = socket_path ? mem_copy(span_str(socket_path))
			   : cli_queue_find_socket(conf_path, &status);
	if (!path)
		return status;
	talk.fd = cli_queue_connect(path, &status);
	mem_free(path);
	if (talk.fd < 0)
		return status;
	talk.answers = fdopen(talk.fd, "r");
	check(talk.answers);
	status = run(&talk, argv[1], words > 1 ? argv[2] : NULL);
	(void)fclose(talk.answers);
	/* getline() took it. */
	mem_free(talk.line);
	return status;
}
