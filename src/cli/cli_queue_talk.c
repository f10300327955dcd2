/*
 * Requests over the control socket.  A list is asked for in pages: the server
 * then holds little for us, and others have their turn between two.  What is
 * sent and what comes back is described at the head of proc/admin/admin.c.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/id.h"
#include "cli/cli_queue_internal.h"
#include "replies/reply.h"

enum {
	PAGE_MESSAGES = 200,
	SUMMARY_MAX = 1000,
	ANSWER_WAIT_S = 60,
	/* Ids kept of what was listed: where the last is gone, one before it may be there. */
	KEPT_IDS = 2000,
	MORE = -1, /* the answer goes on */
};

struct talk {
	int fd;
	FILE *answers;
	char *line;
	size_t room;
	struct cli_queue_printer *printer;

	/* The answer to the last request. */
	uint64_t count, total;
	bool lost; /* it was to go on after a message that is gone */
	bool more; /* ask again, after last */
	uint64_t last; /* the id of a message */

	uint64_t *kept; /* of a list: a ring of ids after which it may go on */
	uint64_t kept_count;
	uint64_t listed;
};

const char *
cli_queue_verb_name(enum cli_queue_verb verb)
{
	static const char *const names[CLI_QUEUE_VERB_COUNT] = {
	    [CLI_QUEUE_LIST] = "list",
	    [CLI_QUEUE_SUMMARY] = "summary",
	    [CLI_QUEUE_SHOW] = "show",
	    [CLI_QUEUE_RETRY] = "retry",
	    [CLI_QUEUE_HOLD] = "hold",
	    [CLI_QUEUE_RELEASE] = "release",
	    [CLI_QUEUE_DELETE] = "delete",
	    [CLI_QUEUE_SUSPEND] = "suspend",
	    [CLI_QUEUE_RESUME] = "resume",
	    [CLI_QUEUE_SUSPENDED] = "suspended",
	    [CLI_QUEUE_REROUTE] = "reroute",
	    [CLI_QUEUE_WHY] = "why",
	    [CLI_QUEUE_SOURCES] = "sources",
	    [CLI_QUEUE_TRACE] = "trace",
	};

	check(verb < CLI_QUEUE_VERB_COUNT);
	return names[verb];
}

static int
say_unreachable(const char *path, int error)
{
	const char *advice = "Is it running, with this configuration? It is started by: "
			     "postrider serve";
	int status = EX_UNAVAILABLE;
	struct stat file;

	if (error == ECONNREFUSED && stat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
		error = ENOTSOCK;
	if (error == ENOTSOCK || error == ENAMETOOLONG) {
		advice =
		    "The server's control socket has another path; its configuration names "
		    "it.";
	} else if (error == EACCES || error == EPERM) {
		advice = "Only root and the user who started the server may ask it.";
		status = EX_NOPERM;
	} else if (error == ECONNREFUSED) {
		advice =
		    "A server has left it behind, and runs no more. It is started by: "
		    "postrider serve";
	} else if (error == EAGAIN) {
		advice = "It has too much to do; try again in a moment.";
		status = EX_TEMPFAIL;
	}
	fprintf(stderr,
	    "postrider: cannot reach the server at its control socket %s: %s\n%s\n", path,
	    strerror(error), advice);
	return status;
}

int
cli_queue_connect(const char *path, int *status)
{
	const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct span span = span_str(path);
	int fd;

	if (span.len == 0 || span.len >= sizeof(un.sun_path)) {
		*status = say_unreachable(path, span.len ? ENAMETOOLONG : ENOENT);
		return -1;
	}
	memcpy(un.sun_path, span.ptr, span.len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0 &&
	    connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	*status = say_unreachable(path, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* A request is small and fits the socket's buffer: what is sent in part is lost. */
static int
send_request(const struct talk *talk, json_t *request)
{
	char text[4096]; /* what the server takes */
	size_t len = json_dumpb(request, text, sizeof(text) - 1, JSON_COMPACT);

	check(len > 0 && len < sizeof(text));
	text[len++] = '\n';
	json_decref(request);
	/* A connection that has ended must not end us by a signal. */
	if (send(talk->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len)
		return EX_OK;
	fprintf(stderr, "postrider: the server closed the connection; try again\n");
	return EX_TEMPFAIL;
}

static uint64_t
number_of(json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

static int
take_message(struct talk *talk, json_t *message)
{
	const char *text = json_string_value(json_object_get(message, "id"));
	uint64_t id;

	if (!text || id_parse(span_str(text), &id) != OK)
		return EX_PROTOCOL;
	if (talk->kept) {
		talk->kept[talk->kept_count++ % KEPT_IDS] = id;
		talk->listed++;
	}
	cli_queue_print_message(talk->printer, message);
	return MORE;
}

/* As a line, whatever it has in it. */
static void
keep_nearest(struct cli_queue_printer *printer, const char *text)
{
	struct buf clean;

	buf_init(&clean, 4 * ROUTE_NAME_BYTES_MAX);
	reply_clean(&clean, span_str(text));
	(void)snprintf(printer->nearest, sizeof(printer->nearest), "%.*s",
	    SPAN_ARGS(buf_span(&clean)));
	buf_fini(&clean);
}

static int
take_done(struct talk *talk, json_t *done)
{
	json_t *last = json_object_get(done, "last");

	talk->count = number_of(done, "count");
	talk->total = number_of(done, "total");
	talk->lost = json_is_true(json_object_get(done, "lost"));
	talk->more = json_is_true(json_object_get(done, "more"));
	talk->printer->rcpt_count = number_of(done, "recipients");
	keep_nearest(talk->printer, cli_queue_text(done, "nearest"));
	if (json_is_string(last) &&
	    id_parse(span_str(json_string_value(last)), &talk->last) != OK)
		return EX_PROTOCOL;
	/* Nothing may have been listed of what was looked at. */
	if (talk->more && talk->kept &&
	    (talk->kept_count == 0 ||
		talk->kept[(talk->kept_count - 1) % KEPT_IDS] != talk->last))
		talk->kept[talk->kept_count++ % KEPT_IDS] = talk->last;
	return EX_OK;
}

/* It may have names in it that mail brought. */
static void
say_error(const char *error)
{
	struct buf clean;

	buf_init(&clean, 16 << 10);
	reply_clean(&clean, span_str(error));
	fprintf(stderr, "postrider: %.*s\n", SPAN_ARGS(buf_span(&clean)));
	buf_fini(&clean);
}

static int
take_answer(struct talk *talk, json_t *answer)
{
	json_t *message = json_object_get(answer, "message");
	json_t *rcpt = json_object_get(answer, "recipient");
	json_t *destination = json_object_get(answer, "destination");
	json_t *suspension = json_object_get(answer, "suspension");
	json_t *standing = json_object_get(answer, "standing");
	json_t *member = json_object_get(answer, "member");
	json_t *source = json_object_get(answer, "source");
	json_t *transcript = json_object_get(answer, "transcript");
	json_t *tally = json_object_get(answer, "tally");
	json_t *done = json_object_get(answer, "done");
	const char *error = json_string_value(json_object_get(answer, "error"));

	if (json_is_object(message))
		return take_message(talk, message);
	if (json_is_object(rcpt)) {
		cli_queue_print_rcpt(talk->printer, rcpt);
		return MORE;
	}
	if (json_is_object(destination)) {
		cli_queue_print_destination(talk->printer, destination);
		return MORE;
	}
	if (json_is_object(tally)) {
		cli_queue_print_tally(talk->printer, tally);
		return MORE;
	}
	if (json_is_object(transcript)) {
		cli_queue_print_transcript(talk->printer, transcript);
		return MORE;
	}
	if (json_is_object(standing)) {
		cli_queue_print_standing(talk->printer, standing);
		return MORE;
	}
	if (json_is_object(member)) {
		cli_queue_print_member(talk->printer, member);
		return MORE;
	}
	if (json_is_object(source)) {
		cli_queue_print_source(talk->printer, source);
		return MORE;
	}
	if (json_is_object(suspension)) {
		cli_queue_print_suspension(talk->printer, suspension);
		return MORE;
	}
	if (json_is_object(done))
		return take_done(talk, done);
	if (!error)
		return EX_PROTOCOL;
	say_error(error);
	return json_is_true(json_object_get(answer, "name")) ? EX_DATAERR : EX_TEMPFAIL;
}

static int
say_no_answer(const struct talk *talk)
{
	bool late = ferror(talk->answers) && (errno == EAGAIN || errno == EWOULDBLOCK);

	if (late)
		fprintf(stderr,
		    "postrider: no answer from the server for %d s; its log may say why\n",
		    ANSWER_WAIT_S);
	else
		fprintf(
		    stderr, "postrider: the server closed the connection; try again\n");
	return EX_TEMPFAIL;
}

/* Asks once, and takes all of the answer. */
static int
ask(struct talk *talk, json_t *request)
{
	int status = send_request(talk, request);

	if (status != EX_OK)
		return status;
	do {
		json_t *answer;

		if (getline(&talk->line, &talk->room, talk->answers) <= 0)
			return say_no_answer(talk);
		answer = json_loads(talk->line, 0, NULL);
		status = take_answer(talk, answer);
		json_decref(answer);
		if (status == EX_PROTOCOL)
			fprintf(stderr,
			    "postrider: the server's answer is not understood; is it of "
			    "another version than this program?\n");
	} while (status == MORE);
	return status;
}

/* What is asked for, but for where to go on. */
static json_t *
page_request(const struct talk *talk, uint64_t limit)
{
	const struct cli_queue_options *options = talk->printer->options;
	json_t *request = json_pack("{s:s,s:I}", "do", cli_queue_verb_name(options->verb),
	    "limit", (json_int_t)limit);

	check(request);
	if (options->match)
		check(json_object_set_new(request, "for", json_string(options->match)) ==
		      0);
	if (options->pool)
		check(json_object_set_new(request, "pool", json_string(options->pool)) == 0);
	if (options->reasons)
		check(json_object_set_new(
			  request, "reason", json_string(options->reasons)) == 0);
	return request;
}

static int
ask_page(struct talk *talk, uint64_t limit, uint64_t after)
{
	json_t *request = page_request(talk, limit);
	char text[ID_TEXT_MAX];
	struct span id;

	if (after) {
		id = id_text(text, after);
		check(json_object_set_new(
			  request, "after", json_stringn(id.ptr, id.len)) == 0);
	}
	return ask(talk, request);
}

/*
 * The next page.  Where the message after which to go on is gone by now, the list goes on
 * after the last that is still there: all between the two are gone as well.
 */
static int
next_page(struct talk *talk, uint64_t limit)
{
	uint64_t kept = talk->kept_count;

	for (uint64_t back = 0; back < kept && back < KEPT_IDS; back++) {
		int status =
		    ask_page(talk, limit, talk->kept[(kept - 1 - back) % KEPT_IDS]);

		if (status != EX_OK || !talk->lost)
			return status;
	}
	if (kept <= KEPT_IDS)
		return ask_page(talk, limit, 0);
	fprintf(stderr,
	    "postrider: the queue changes faster than it can be listed; this list "
	    "is not all of it\n");
	return EX_TEMPFAIL;
}

static int
list_all(struct talk *talk, uint64_t limit)
{
	uint64_t page;
	int status;

	talk->kept = mem_alloc(KEPT_IDS * sizeof(*talk->kept));
	do {
		page = limit - talk->listed < PAGE_MESSAGES ? limit - talk->listed
							    : PAGE_MESSAGES;
		status = next_page(talk, page);
	} while (
	    status == EX_OK && talk->more && talk->listed < limit && !ferror(stdout));
	mem_free(talk->kept);
	return status;
}

/* Attempts that were kept: of one message, or of any. */
static int
trace(struct talk *talk, const struct cli_queue_options *options, uint64_t limit)
{
	json_t *request = json_pack(
	    "{s:s,s:I}", "do", cli_queue_verb_name(CLI_QUEUE_TRACE), "limit", (json_int_t)limit);

	check(request);
	if (options->id)
		check(json_object_set_new(request, "id", json_string(options->id)) == 0);
	if (options->match)
		check(json_object_set_new(request, "for", json_string(options->match)) == 0);
	return ask(talk, request);
}

static int
trace_all(struct talk *talk, const struct cli_queue_options *options)
{
	int status = trace(talk, options, options->limit);

	if (status != EX_OK || talk->count > 0 || !options->id)
		return status;
	fprintf(stderr,
	    "postrider: no attempt of message %s is kept\n"
	    "Kept are the latest attempts that failed or were slow, until the queue is started "
	    "again;\nwhat became of the message: postrider ledger show %s\n",
	    options->id, options->id);
	return EX_DATAERR;
}

/* Who asks, for the log. */
static const char *
who(void)
{
	const struct passwd *user = getpwuid(getuid());

	return user && strlen(user->pw_name) <= 100 ? user->pw_name : "unknown";
}

static int
suspend(struct talk *talk, const struct cli_queue_options *options)
{
	bool resume = options->verb == CLI_QUEUE_RESUME;
	json_t *request = json_pack("{s:s,s:s,s:I,s:s}", "do",
	    cli_queue_verb_name(options->verb), "for", options->id, "seconds",
	    (json_int_t)options->seconds, "who", who());
	int status = request ? ask(talk, request) : EX_USAGE;

	if (!request)
		fprintf(stderr, "postrider: a destination is UTF-8\n");
	if (status != EX_OK)
		return status;
	if (talk->count == 0) {
		const char *nearest = talk->printer->nearest;

		fprintf(stderr, "postrider: %s is not suspended%s%s%s\n", options->id,
		    !resume ? ": it is no name, or as many as may be are suspended already"
		    : nearest[0] ? "; did you mean \""
				 : "; postrider queue suspended lists those that are",
		    resume ? nearest : "", resume && nearest[0] ? "\"?" : "");
		return EX_DATAERR;
	}
	if (!talk->lost)
		return EX_OK;
	fprintf(stderr,
	    "postrider: %s is %s for now, but this could not be written to the spool's disk: a "
	    "restart undoes it\n",
	    options->id, resume ? "resumed" : "suspended");
	return EX_TEMPFAIL;
}

static int
reroute(struct talk *talk, const struct cli_queue_options *options)
{
	json_t *request = json_pack("{s:s,s:s,s:I,s:s}", "do", "reroute", "id", options->id,
	    "older", (json_int_t)options->seconds, "who", who());
	int status = EX_USAGE;

	check(request);
	if (options->match)
		json_object_set_new(request, "for", json_string(options->match));
	if (options->from)
		json_object_set_new(request, "from", json_string(options->from));
	if (options->host[0]) {
		json_object_set_new(request, "host", json_string(options->host));
		json_object_set_new(request, "port", json_integer(options->port));
	}
	status = ask(talk, request);
	if (status != EX_OK || !talk->lost)
		return status;
	fprintf(stderr,
	    "postrider: mail goes another way for now, but this could not be written to the "
	    "spool's disk: a restart undoes it\n");
	return EX_TEMPFAIL;
}

static int
why(struct talk *talk, const struct cli_queue_options *options)
{
	json_t *request = json_pack("{s:s,s:s}", "do", "why", "for", options->id);

	if (request)
		return ask(talk, request);
	fprintf(stderr, "postrider: a destination is UTF-8\n");
	return EX_USAGE;
}

static int
act_or_show(struct talk *talk, const struct cli_queue_options *options)
{
	json_t *request = json_pack("{s:s,s:s,s:s}", "do",
	    cli_queue_verb_name(options->verb), "id", options->id, "who", who());
	int status;

	check(request);
	status = ask(talk, request);
	if (status == EX_OK && options->verb == CLI_QUEUE_SHOW && talk->count > 0) {
		status = trace(talk, options, 1);
		talk->count = 1;
	}
	if (status == EX_OK && talk->lost) {
		fprintf(stderr,
		    "postrider: this is done for now, but it could not be written to the "
		    "spool's disk: a restart may undo it\n");
		return EX_TEMPFAIL;
	}
	if (status != EX_OK || talk->count > 0 || strcmp(options->id, "all") == 0)
		return status;
	fprintf(stderr,
	    "postrider: there is no message %s in the queue\n"
	    "It was delivered, bounced or deleted, or never here; the server's log says which:\n"
	    "search it for id=%s\n",
	    options->id, options->id);
	return EX_DATAERR;
}

static uint64_t
summary_limit(const struct cli_queue_options *options)
{
	return options->limit < SUMMARY_MAX ? options->limit : SUMMARY_MAX;
}

int
cli_queue_talk(
    int fd, const struct cli_queue_options *options, struct cli_queue_printer *printer)
{
	struct talk talk = {.fd = fd, .printer = printer, .answers = fdopen(fd, "r")};
	int status;

	if (!talk.answers) {
		perror("postrider: the control socket");
		close(fd);
		return EX_OSERR;
	}
	if (options->verb == CLI_QUEUE_LIST)
		status = list_all(&talk, options->limit);
	else if (options->verb == CLI_QUEUE_SUMMARY)
		status = ask(&talk, page_request(&talk, summary_limit(options)));
	else if (options->verb == CLI_QUEUE_WHY)
		status = why(&talk, options);
	else if (options->verb == CLI_QUEUE_SUSPENDED || options->verb == CLI_QUEUE_SOURCES)
		status = ask(&talk,
		    json_pack("{s:s}", "do", cli_queue_verb_name(options->verb)));
	else if (options->verb == CLI_QUEUE_SUSPEND || options->verb == CLI_QUEUE_RESUME)
		status = suspend(&talk, options);
	else if (options->verb == CLI_QUEUE_REROUTE)
		status = reroute(&talk, options);
	else if (options->verb == CLI_QUEUE_TRACE)
		status = trace_all(&talk, options);
	else
		status = act_or_show(&talk, options);
	(void)fclose(talk.answers);
	/* getline() took it. */
	mem_free(talk.line);
	if (status == EX_OK)
		cli_queue_print_end(printer,
		    options->verb == CLI_QUEUE_LIST ? talk.listed : talk.count,
		    talk.total);
	else
		cli_queue_print_stop(printer);
	return status;
}
