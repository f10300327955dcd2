/*
 * "postrider queue" without a server: wrong use, what is made of answers, and a
 * list whose place is lost.  The server's answers wait in a socket pair; what was
 * asked is read from it afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_queue.h"
#include "cli/cli_queue_internal.h"

enum { TEXT_BYTES_MAX = 65536 };

#define NOW "2026-11-24T03:00:00.000Z"
#define MESSAGE(id)                                                                      \
	"{\"message\":{\"id\":\"" id "\",\"arrived\":\"2026-11-24T02:48:00.000Z\","      \
	"\"expires\":\"2026-11-29T02:48:00.000Z\",\"size\":1234,\"held\":false,"         \
	"\"from\":\"ann@a.test\",\"client\":\"192.0.2.1\",\"login\":\"\","               \
	"\"recipients\":1}}\n"
#define ASIDE(id)                                                                        \
	"{\"message\":{\"id\":\"" id "\",\"arrived\":\"2026-11-24T02:48:00.000Z\","      \
	"\"expires\":\"2026-11-29T02:48:00.000Z\",\"size\":1234,\"held\":false,"         \
	"\"aside\":true,\"aside_text\":\"it made a process crash\","                     \
	"\"from\":\"ann@a.test\",\"recipients\":1}}\n"
#define RCPT(reason)                                                                     \
	"{\"recipient\":{\"id\":\"a1\",\"address\":\"bob@b.test\","                      \
	"\"original\":\"bob@b.test\",\"destination\":\"mx:b.test\",\"state\":\"ready\"," \
	"\"reason\":\"" reason "\",\"tries\":2,\"ahead\":3,\"connections\":2,"           \
	"\"window\":2,\"site\":\"Gmail\",\"site_destinations\":312,"                    \
	"\"limit\":\"rate 5 per 1 m, in queue\",\"in_doubt\":false,"                      \
	"\"next_try\":\"2026-11-24T03:04:00.000Z\",\"expires\":"                         \
	"\"2026-11-25T02:48:00.000Z\",\"tried\":\"2026-11-24T02:59:00.000Z\","           \
	"\"code\":450,\"host\":\"mx.b.test\",\"reply\":\"4.2.1 Not \\u001b[31m now\"}}\n"
#define SAID(code, text)                                                                 \
	"{\"recipient\":{\"id\":\"a1\",\"address\":\"bob@b.test\",\"reason\":\"time\","        \
	"\"destination\":\"mx:b.test\",\"tries\":2,\"next_try\":"                            \
	"\"2026-11-24T03:04:00.000Z\",\"code\":" code ",\"host\":\"mx.b.test\","            \
	"\"reply\":\"" text "\"}}\n"
#define TALLY(kind, name, young, old)                                                             \
	"{\"tally\":{\"kind\":\"" kind "\",\"name\":\"" name "\",\"ages\":{\"5m\":" #young         \
	",\"older\":" #old "}}}\n"
#define DESTINATION(name, state, recipients)                                             \
	"{\"destination\":{\"destination\":\"" name "\",\"state\":\"" state              \
	"\",\"reason\":\"down\",\"next_try\":\"2026-11-24T03:04:00.000Z\",\"limit\":"    \
	"\"rate 5 per 1 m, in queue\",\"recipients\":" #recipients                       \
	",\"oldest\":\"2026-11-24T02:48:00.000Z\",\"code\":421,\"host\":\"\","           \
	"\"reply\":\"4.7.0 Busy\"}}\n"
#define STANDING                                                                         \
	"{\"standing\":{\"destination\":\"mx:b.test\",\"state\":\"paused\","               \
	"\"reason\":\"pause\",\"next_try\":\"2026-11-24T03:04:00.000Z\",\"limit\":\"\","    \
	"\"recipients\":12,\"ready\":3,\"connections\":1,\"window\":2,\"window_max\":20,"   \
	"\"interval_ms\":2000,\"site\":{\"name\":\"Gmail\",\"destinations\":312,"            \
	"\"connections\":20,\"window\":20,\"window_max\":25,\"interval_ms\":1500},"          \
	"\"left\":40,\"left_ms\":300000,"                             \
	"\"empty\":\"2026-11-24T03:06:00.000Z\",\"asked\":{\"kind\":\"slow\","             \
	"\"rule\":\"Gmail: rate-limited, slow-down\",\"site\":\"Gmail\",\"times\":2,"      \
	"\"since\":\"2026-11-24T02:59:00.000Z\",\"until\":\"2026-11-24T03:14:00.000Z\"},"  \
	"\"replied\":\"2026-11-24T02:59:00.000Z\",\"code\":421,\"status\":\"4.7.28\","      \
	"\"host\":\"mx.b.test\",\"reply\":\"too \\u001b[31m fast\"}}\n"
#define DONE(count, total, lost)                                                         \
	"{\"done\":{\"count\":" #count ",\"total\":" #total ",\"lost\":" #lost "}}\n"
#define PROVIDER                                                                         \
	"{\"standing\":{\"destination\":\"provider:Gmail\",\"state\":\"limited\","           \
	"\"reason\":\"site\",\"limit\":\"connections 5, in provider Gmail\","               \
	"\"recipients\":12,\"ready\":3,\"connections\":5,\"window\":5,\"window_max\":5,"    \
	"\"site\":{\"name\":\"Gmail\",\"destinations\":3}}}\n"                              \
	"{\"member\":{\"destination\":\"mx:a.test\",\"recipients\":9,\"ready\":3,"          \
	"\"state\":\"limited\",\"reason\":\"site\"}}\n"                                   \
	"{\"member\":{\"destination\":\"mx:b\",\"recipients\":1,\"ready\":0,"               \
	"\"state\":\"ok\",\"reason\":\"time\"}}\n"
#define NEAREST(count)                                                                   \
	"{\"done\":{\"count\":" #count ",\"total\":0,\"nearest\":\"server \\u001b[31m.test\"}}\n"
#define SHOWN DONE(1, 1, false) DONE(0, 0, false)
#define ATTEMPT(id, slow, steps)                                                         \
	"{\"transcript\":{\"id\":\"" id "\",\"destination\":\"mx:b.test\","               \
	"\"began\":\"2026-11-24T02:59:00.000Z\",\"took_ms\":312,\"slow\":" #slow           \
	",\"steps\":[" steps "]}}\n"
#define STEP(ms, kind, text)                                                             \
	"{\"ms\":" #ms ",\"kind\":\"" kind "\",\"text\":\"" text "\"}"
#define FIVE                                                                             \
	STEP(1, "sent", "x") "," STEP(2, "sent", "x") "," STEP(3, "sent", "x") ","       \
	STEP(4, "sent", "x") "," STEP(5, "sent", "x") ","
#define SUMMED(count, total, recipients)                                                 \
	"{\"done\":{\"count\":" #count ",\"total\":" #total                                \
	",\"recipients\":" #recipients "}}\n"
#define MORE(count, total, last)                                                         \
	"{\"done\":{\"count\":" #count ",\"total\":" #total                              \
	",\"lost\":false,\"more\":true,\"last\":" last "}}\n"

struct said {
	int status;
	char out[TEXT_BYTES_MAX], err[TEXT_BYTES_MAX], asked[TEXT_BYTES_MAX];
};

struct diversion {
	int saved[2];
	FILE *files[2];
};

static void
divert(struct diversion *diversion)
{
	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		diversion->files[i] = tmpfile();
		assert_non_null(diversion->files[i]);
		diversion->saved[i] = dup(i + 1);
		assert_true(dup2(fileno(diversion->files[i]), i + 1) >= 0);
	}
}

static void
restore(struct diversion *diversion, struct said *said)
{
	char *const texts[] = {said->out, said->err};

	fflush(stdout);
	fflush(stderr);
	for (int i = 0; i < 2; i++) {
		ssize_t got = pread(i + 1, texts[i], TEXT_BYTES_MAX - 1, 0);

		dup2(diversion->saved[i], i + 1);
		close(diversion->saved[i]);
		fclose(diversion->files[i]);
		assert_true(got >= 0);
		texts[i][got] = '\0';
	}
}

static void
talk(struct said *said, const struct cli_queue_options *options, const char *answers)
{
	struct cli_queue_printer printer = {.options = options, .width = PAGE_WIDTH};
	struct diversion diversion;
	int fds[2];
	ssize_t got;

	assert_true(cli_queue_time(NOW, &printer.now_ms));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(
	    write(fds[1], answers, strlen(answers)), (ssize_t)strlen(answers));
	assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
	divert(&diversion);
	said->status = cli_queue_talk(fds[0], options, &printer);
	restore(&diversion, said);
	got = recv(fds[1], said->asked, TEXT_BYTES_MAX - 1, 0);
	assert_true(got >= 0);
	said->asked[got] = '\0';
	close(fds[1]);
	assert_null(printer.message);
}

static void
assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		assert_string_equal(text, part);
}

static const struct {
	const char *args[5];
	const char *says;
} wrong[] = {
    {{NULL}, "postrider: what is to be done with the queue?\nusage: "},
    {{"lsit"}, "there is no \"queue lsit\"; did you mean list?"},
    {{"show"}, "show which message? Give its id; postrider queue list"},
    {{"show", "all"}, "\"all\" is not a queue id"},
    {{"show", "not an id!"}, "\"not an id!\" is not a queue id"},
    {{"delete"}, "delete which message? Give its id, or all"},
    {{"delete", "0"}, "\"0\" is not a queue id"},
    {{"delete", "\033[31m"}, "\"?[31m\" is not a queue id"},
    {{"delete", "a1", "a2"}, "one message, or all: what is \"a2\"?"},
    {{"list", "a1"}, "list takes no id"},
    {{"list", "--limit", "0"}, "--limit takes a number from 1, not \"0\""},
    {{"list", "--limit=-1"}, "--limit takes a number from 1, not \"-1\""},
    {{"list", "--limit", "99999999999999999999"}, "--limit takes a number from 1"},
    {{"list", "--limit"}, "--limit needs a value"},
    {{"list", "--limit", "1", "--limit", "2"}, "--limit is given twice"},
    {{"show", "a1", "--limit", "2"}, "--limit is for list and summary"},
    {{"suspend"}, "suspend which destination?"},
    {{"suspend", "x", "--until", "2"}, "--until takes a time like 30m"},
    {{"suspend", "x", "--until", "367d"}, "--until takes a time like 30m"},
    {{"resume", "x", "--until", "2h"}, "--until is for suspend"},
    {{"suspended", "x"}, "suspended takes no id"},
    {{"summary", "a1"}, "summary takes no id"},
    {{"reroute", "all"}, "reroute what, and how?"},
    {{"reroute", "all", "via"}, "reroute what, and how?"},
    {{"reroute", "all", "via", "x:0"}, "\"x:0\" is no server"},
    {{"reroute", "all", "via", "[::1]x"}, "\"[::1]x\" is no server"},
    {{"reroute", "all", "via", ":25"}, "\":25\" is no server"},
    {{"reroute", "x!", "normal"}, "\"x!\" is not a queue id"},
    {{"retry", "all", "--from", "a@b"}, "--from is for reroute"},
    {{"retry", "all", "--older", "1h"}, "--older is for reroute"},
    {{"show", "a1", "--for", "x"}, "--for is for list, summary and reroute"},
    {{"list", "--for", ""}, "--for needs a value"},
    {{"summary", "--reason", "down"}, "--reason is for list"},
    {{"list", "--reason", "dwon"}, "nothing waits for \"dwon\"; did you mean down?"},
    {{"list", "--reason", "down,,rate"}, "nothing waits for \"\""},
    {{"list", "--reason", ","}, "nothing waits for \"\""},
    {{"list", "--jsno"}, "no option \"--jsno\" here; did you mean --json?"},
    {{"list", "--json=yes"}, "no option \"--json=yes\" here"},
};

static void
wrong_use_is_told_in_a_line(void **state)
{
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		const char *argv[7] = {"queue"};
		struct diversion diversion;
		int argc = 1;

		for (size_t j = 0; j < 5 && wrong[i].args[j]; j++)
			argv[argc++] = wrong[i].args[j];
		divert(&diversion);
		said->status = cli_queue(argc, (char **)(uintptr_t)argv);
		restore(&diversion, said);
		assert_has(said->err, wrong[i].says);
		assert_int_equal(strncmp(said->err, "postrider: ", 11), 0);
		assert_has(strchr(said->err, '\n'), "usage: postrider queue list");
		assert_string_equal(said->out, "");
		assert_int_equal(said->status, EX_USAGE);
	}
	test_free(said);
}

static void
a_socket_that_is_none_is_told(void **state)
{
	static const struct {
		const char *path, *says;
	} rows[] = {
	    {"/nonexistent/control", "No such file or directory\nIs it running"},
	    {"/etc/passwd", "operation on non-socket\nThe server's control socket has"},
	};
	struct said *said = test_malloc(sizeof(*said));
	char *longest = test_malloc(5000);

	(void)state;
	memset(longest, 'x', 4999);
	longest[4999] = '\0';
	for (size_t i = 0; i <= LEN(rows); i++) {
		const char *argv[] = {"queue", "list", "--socket",
		    i < LEN(rows) ? rows[i].path : longest, NULL};
		struct diversion diversion;

		divert(&diversion);
		said->status = cli_queue(4, (char **)(uintptr_t)argv);
		restore(&diversion, said);
		assert_has(said->err, i < LEN(rows) ? rows[i].says : "too long\n");
		assert_int_equal(said->status, EX_UNAVAILABLE);
	}
	test_free(longest);
	test_free(said);
}

static const struct {
	enum cli_queue_verb verb;
	const char *id;
	bool json;
	const char *answers;
	int status;
	const char *out, *err; /* a part of it; "" is nothing at all */
} talks[] = {
    {CLI_QUEUE_LIST, NULL, false, DONE(0, 0, false), EX_OK, "The queue is empty.\n", ""},
    {CLI_QUEUE_LIST, NULL, true, DONE(0, 0, false), EX_OK,
	"{\"messages\":[],\"count\":0,\"total\":0}\n", ""},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("time") DONE(1, 1, false), EX_OK,
	"a1  12 min ago  1.2 KB  from <ann@a.test>\n"
	"  to <bob@b.test>: next try in 4 min, 3 ahead of it, tried 2 times\n"
	"      450 4.2.1 Not ?[31m now\n"
	"1 of 1 message. ",
	""},
    {CLI_QUEUE_LIST, NULL, true,
	MESSAGE("a1") RCPT("time") MESSAGE("a2") DONE(2, 2, false), EX_OK,
	"\"next_try\":\"2026-11-24T03:04:00.000Z\",\"expires\":", ""},
    {CLI_QUEUE_LIST, NULL, true, MESSAGE("a1") MESSAGE("a2") DONE(2, 2, false), EX_OK,
	"\"login\":null,\"recipients\":[]}\n],\"count\":2,\"total\":2}\n", ""},
    {CLI_QUEUE_SHOW, "a1", true, MESSAGE("a1") RCPT("time") SHOWN, EX_OK,
	"\"recipients\":[{\"address\":\"bob@b.test\",\"original\":", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("time") SHOWN, EX_OK,
	"Tried 2 times. The next try is due 24 Nov 03:04:00 UTC (in 4 min).\n"
	"  limit      rate 5 per 1 m, in queue\n"
	"  expires    25 Nov 02:48:00 UTC (in 24 h)\n",
	""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("rate") SHOWN, EX_OK,
	"b.test gets only so many messages in a time; its\n"
	"             next may go 24 Nov 03:04:00 UTC (in 4 min). 3 recipients are before\n",
	""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("down") SHOWN, EX_OK,
	"No server of b.test could be reached, so all mail\n", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("probe") SHOWN, EX_OK,
	"No server of b.test could be reached; it is being", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("connections") SHOWN,
	EX_OK, "It waits for a free connection to b.test, which", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("site") SHOWN, EX_OK,
	"It waits for a free connection: Gmail, which takes\n"
	"             mail for 312 domains that wait, has 2 of 2 that it may have now. 3\n",
	""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("site-rate") SHOWN, EX_OK,
	"Gmail, which takes mail for 312 domains that wait,\n"
	"             gets only so many messages in a time; the next may go 24 Nov\n"
	"             03:04:00 UTC (in 4 min). 3 recipients", ""},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("site-rate") DONE(1, 1, false), EX_OK,
	"waits for the rate limit of its provider, in 4 min, 3 ahead", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("full") SHOWN, EX_OK,
	"This server has as many deliveries under way as it\n"
	"             makes at a time, but for some that it keeps for destinations with\n"
	"             little under way; b.test has its turn when others have ended. 3\n", ""},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("full") DONE(1, 1, false), EX_OK,
	"waits until fewer deliveries are under way, 3 ahead", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("turn") SHOWN, EX_OK,
	"It waits its turn for b.test. 3 recipients are", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("new") SHOWN, EX_OK,
	"It waits: new.", ""},
    {CLI_QUEUE_SHOW, "a1", false, ASIDE("a1") RCPT("aside") SHOWN, EX_OK,
	"\n  set aside  it made a process crash; nothing is tried until it is released\n",
	""},
    {CLI_QUEUE_SHOW, "a1", false, ASIDE("a1") RCPT("aside") SHOWN, EX_OK,
	"postrider queue release a1 ", ""},
    {CLI_QUEUE_SHOW, "a1", true, ASIDE("a1") RCPT("aside") SHOWN, EX_OK,
	"\"why\":\"Tried 2 times. It was set aside, and is not tried until", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("time") SHOWN, EX_OK,
	"  by         mx.b.test, 24 Nov 02:59:00 UTC (60 s ago)\n", ""},
    {CLI_QUEUE_LIST, NULL, false, ASIDE("a1") RCPT("aside") DONE(1, 1, false), EX_OK,
	"from <ann@a.test>  set aside\n  it made a process crash\n  to <bob@b.test>: set aside,",
	""},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("rate") DONE(1, 1, false), EX_OK,
	"waits for the rate limit, in 4 min, 3 ahead", ""},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("down") DONE(1, 1, false), EX_OK,
	"its server cannot be reached, tried again in 4 min,", ""},
    {CLI_QUEUE_LIST, NULL, false, DONE(0, 5, false), EX_OK,
	"None of 5 messages waits for that.\n", ""},
    {CLI_QUEUE_SUMMARY, NULL, false, DONE(0, 0, false), EX_OK, "The queue is empty.\n",
	""},
    {CLI_QUEUE_SUMMARY, NULL, true, DONE(0, 0, false), EX_OK,
	"{\"destinations\":[],\"reasons\":[],\"other_reasons\":null,"
	"\"other_destinations\":null,\"count\":0,\"total\":0,\"recipients\":0}\n", ""},
    {CLI_QUEUE_SUMMARY, NULL, false,
	DESTINATION("host:b.test:25", "limited", 12) DESTINATION("mx:a.test", "down", 7)
	    DESTINATION("mailbox", "ok", 1) SUMMED(3, 4, 21),
	EX_OK,
	"destination                       waiting  oldest        state\n"
	"server b.test:25                       12  12 min ago    limited by rate 5 per 1 m, in "
	"queue; the next may go in 4 min\n"
	"    421 4.7.0 Busy\n"
	"a.test                                  7  12 min ago    down, tried again in 4 min\n"
	"    421 4.7.0 Busy\n"
	"mailboxes                               1  12 min ago    ok\n"
	"    421 4.7.0 Busy\n"
	"\nby age                                all   <5 min  <20 min     <1 h     <6 h     <1 d"
	"    older\n",
	""},
    {CLI_QUEUE_SUMMARY, NULL, false,
	DESTINATION("host:b.test:25", "limited", 12)
	    TALLY("reason", "mailbox-full", 3, 4) TALLY("other reasons", "", 5, 0)
		TALLY("other destinations", "", 1, 2) SUMMED(1, 4, 21),
	EX_OK,
	"server b.test:25                        0        -        -        -        -        -"
	"        -\n"
	"all others                              3        1        -        -        -        -"
	"        2\n"
	"\n\nby reason                             all   <5 min  <20 min     <1 h     <6 h     "
	"<1 d    older\n"
	"mailbox-full                            7        3        -        -        -        -"
	"        4\n"
	"all others                              5        5        -        -        -        -"
	"        -\n"
	"\n4 destinations, 21 recipients. Those with the most mail are shown. More: ",
	""},
    {CLI_QUEUE_SUMMARY, NULL, true,
	TALLY("reason", "mailbox-full", 3, 4) TALLY("other reasons", "", 5, 0)
	    DONE(0, 0, false),
	EX_OK,
	"{\"destinations\":[],\"reasons\":[{\"name\":\"mailbox-full\",\"ages\":{\"5m\":3,"
	"\"older\":4}}],\"other_reasons\":{\"ages\":{\"5m\":5,\"older\":0}},",
	""},
    {CLI_QUEUE_SUMMARY, NULL, false, DESTINATION("mx:a.test", "down", 1) SUMMED(1, 1, 1),
	EX_OK, "\n1 destination, 1 recipient. More: postrider queue list --for", ""},
    {CLI_QUEUE_SUMMARY, NULL, true,
	DESTINATION("mx:a.test", "down", 7) DESTINATION("mx:b.test", "ok", 1)
	    SUMMED(2, 2, 8),
	EX_OK, "}\n],\"reasons\":[],", ""},
    {CLI_QUEUE_SUMMARY, NULL, true, DESTINATION("mx:a.test", "down", 7) SUMMED(1, 1, 7),
	EX_OK, "{\"destinations\":[\n{\"destination\":\"mx:a.test\",\"state\":\"down\",",
	""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("turn") SHOWN, EX_OK,
	"  means      4.2.1: Mailbox disabled, not accepting messages. ", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") SAID("450", "greylisted, come back") SHOWN,
	EX_OK, "\n  means      Asked to come back in some minutes. The receiving server", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") SAID("450", "greylisted, come back") SHOWN,
	EX_OK, "\n  to do      Administrator: Nothing is wrong. Try again after some minutes", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("active") SHOWN, EX_OK,
	"being delivered now", ""},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("time") SHOWN, EX_OK,
	"  postrider queue retry   a1 ", ""},
    {CLI_QUEUE_SHOW, "a1", false, DONE(0, 5, false), EX_DATAERR, "",
	"there is no message a1 in the queue\n"},
    {CLI_QUEUE_SHOW, "a1", false,
	MESSAGE("a1") RCPT("time") DONE(1, 1, false) ATTEMPT("a1", false,
	    FIVE FIVE FIVE STEP(42, "got", "450 \\u001b[31m no")) DONE(1, 9, false),
	EX_OK,
	"\nThe last attempt\n  (4 steps before: postrider trace a1)\n      5 ms  > x\n", ""},
    {CLI_QUEUE_SHOW, "a1", true,
	MESSAGE("a1") RCPT("time") DONE(1, 1, false)
	    ATTEMPT("a1", false, STEP(42, "got", "450 no")) DONE(1, 9, false),
	EX_OK, "\"last_attempt\":{\"id\":\"a1\",", ""},
    {CLI_QUEUE_TRACE, NULL, false,
	ATTEMPT("a1", true, STEP(0, "fact", "connected") "," STEP(9, "gap", "7") ","
	    STEP(42, "got", "450 \\u001b[31m no")) ATTEMPT("a2", false, "") DONE(2, 9, false),
	EX_OK,
	"a1 to b.test, 24 Nov 02:59:00 UTC (60 s ago), took 312 ms: slow\n"
	"      0 ms    connected\n      9 ms    (7 steps are left out)\n"
	"     42 ms  < 450 ?[31m no\n\na2 to b.test, 24 Nov 02:59:00 UTC (60 s ago), "
	"took 312 ms\n\n2 of 9 attempts that are kept.\n",
	""},
    {CLI_QUEUE_TRACE, NULL, true, ATTEMPT("a1", true, "") DONE(1, 9, false), EX_OK,
	"\"steps\":[]}\n],\"count\":1,\"total\":9}\n", ""},
    {CLI_QUEUE_TRACE, NULL, true, DONE(0, 0, false), EX_OK,
	"{\"attempts\":[],\"count\":0,\"total\":0}\n", ""},
    {CLI_QUEUE_TRACE, NULL, false, DONE(0, 9, false), EX_OK, "None of 9 attempts that", ""},
    {CLI_QUEUE_TRACE, NULL, false, DONE(0, 0, false), EX_OK, "No attempt has failed", ""},
    {CLI_QUEUE_TRACE, "a1", false, DONE(0, 9, false), EX_DATAERR, "",
	"no attempt of message a1 is kept\n"},
    {CLI_QUEUE_SHOW, "a1", false, MESSAGE("a1") RCPT("suspended") SHOWN, EX_OK,
	"An operator suspended b.test; it is resumed 24 Nov", ""},
    {CLI_QUEUE_SUMMARY, NULL, false, DESTINATION("mx:a.test", "suspended", 1) SUMMED(1, 1, 1),
	EX_OK, "suspended, resumed in 4 min\n", ""},
    {CLI_QUEUE_SUSPEND, "b.test", false, DONE(1, 1, false), EX_OK,
	"b.test is suspended: mail for it waits, until: postrider queue resume b.test\n", ""},
    {CLI_QUEUE_SUSPEND, "b.test", false, DONE(1, 1, true), EX_TEMPFAIL, "",
	"a restart undoes it"},
    {CLI_QUEUE_SUSPEND, "b test", false, DONE(0, 1, false), EX_DATAERR, "", "it is no name"},
    {CLI_QUEUE_RESUME, "b.test", false, DONE(1, 0, false), EX_OK, "b.test is resumed.\n", ""},
    {CLI_QUEUE_RESUME, "b.test", false, DONE(0, 0, false), EX_DATAERR, "",
	"b.test is not suspended;"},
    {CLI_QUEUE_SUSPENDED, NULL, false, DONE(0, 0, false), EX_OK,
	"No destination is suspended.\n", ""},
    {CLI_QUEUE_SUSPENDED, NULL, false,
	"{\"suspension\":{\"destination\":\".b\",\"who\":\"ann\",\"since\":"
	"\"2026-11-24T02:59:00.000Z\",\"until\":null}}\n" DONE(1, 1, false),
	EX_OK, ".b: by ann, since 24 Nov 02:59:00 UTC (60 s ago), until it is resumed\n", ""},
    {CLI_QUEUE_SUSPENDED, NULL, true, DONE(0, 0, false), EX_OK,
	"{\"suspended\":[],\"count\":0}\n", ""},
    {CLI_QUEUE_WHY, "b.test", false, STANDING DONE(1, 1, false), EX_OK,
	"b.test: paused\n"
	"  what binds  it asked for less mail, so all for it waits; it goes on 24 Nov 03:04:00 UTC "
	"(in 4 min)\n"
	"  waiting     12 recipients, 3 of them ready to go before a new one\n"
	"  connections 1 in use, 2 allowed now, at most 20\n"
	"  rate        a message each 2 s\n"
	"  shared      Gmail: 20 connections in use by 312 domains, 20 allowed now, at most 25; a "
	"message each 2 s\n"
	"  asked       Gmail: rate-limited, slow-down; it holds for all mail to Gmail\n"
	"              2 times, the first 24 Nov 02:59:00 UTC (60 s ago)\n"
	"              it is eased 24 Nov 03:14:00 UTC (in 14 min), or by: postrider queue retry "
	"ID\n"
	"  last reply  421 4.7.28 too ?[31m fast\n"
	"              mx.b.test, 24 Nov 02:59:00 UTC (60 s ago)\n"
	"  speed       40 recipients left it in the last 5 min\n"
	"  empty       about 24 Nov 03:06:00 UTC (in 6 min), if it goes on so and nothing new "
	"comes\n",
	""},
    {CLI_QUEUE_WHY, "b.test", true, STANDING DONE(1, 1, false), EX_OK,
	"\"kind\":\"slow\"", ""},
    {CLI_QUEUE_WHY, ".b.test", false, DONE(0, 0, false), EX_OK, "No mail waits for that.\n", ""},
    {CLI_QUEUE_WHY, "gmail", false, PROVIDER STANDING DONE(2, 0, false), EX_OK,
	"provider Gmail: limited\n"
	"  what binds  it has as many connections as it may have now\n"
	"  limit       connections 5, in provider Gmail\n"
	"  waiting     12 recipients, 3 of them ready to go before a new one\n"
	"  connections 5 in use, 5 allowed now, at most 5\n"
	"  domains     3 with mail; those with most of it:\n"
	"                a.test: 9 recipients, 3 ready; limited\n"
	"                domain b: 1 recipient, 0 ready\n"
	"  empty       nobody knows: nothing has left it lately\n"
	"\nb.test: paused\n",
	""},
    {CLI_QUEUE_WHY, "gmail", true, PROVIDER DONE(1, 0, false), EX_OK,
	"\"domains\":[{\"destination\":\"mx:a.test\",\"recipients\":9,", ""},
    {CLI_QUEUE_WHY, "s", false, NEAREST(0), EX_OK,
	"No mail waits for that; did you mean \"server ?[31m.test\"?\n", ""},
    {CLI_QUEUE_SUSPEND, "s", false, NEAREST(1), EX_OK,
	"No mail waits for it now; did you mean \"server ?[31m.test\"?\n", ""},
    {CLI_QUEUE_SUSPEND, "s", true, NEAREST(1), EX_OK,
	"{\"count\":1,\"nearest\":\"server ?[31m.test\"}\n", ""},
    {CLI_QUEUE_RESUME, "s", false, NEAREST(0), EX_DATAERR, "",
	"s is not suspended; did you mean \"server ?[31m.test\"?\n"},
    {CLI_QUEUE_SUSPEND, "s", false, "{\"error\":\"no \\u001b s\",\"name\":true}\n", EX_DATAERR, "",
	"postrider: no ? s\n"},
    {CLI_QUEUE_WHY, ".b.test", true, DONE(0, 0, false), EX_OK,
	"{\"destinations\":[],\"count\":0}\n", ""},
    {CLI_QUEUE_HOLD, "a1", false, DONE(1, 5, false), EX_OK, "a1 is on hold, until", ""},
    {CLI_QUEUE_HOLD, "a1", true, DONE(0, 5, false), EX_DATAERR, "",
	"there is no message a1"},
    {CLI_QUEUE_DELETE, "all", false, DONE(3, 0, false), EX_OK, "3 messages deleted", ""},
    {CLI_QUEUE_DELETE, "a1", true, DONE(1, 5, true), EX_TEMPFAIL, "",
	"could not be written to the spool's disk: a restart may undo it"},
    {CLI_QUEUE_RETRY, "all", false, DONE(0, 0, false), EX_OK, "there is nothing to retry",
	""},
    {CLI_QUEUE_RETRY, "all", true, DONE(0, 0, false), EX_OK, "{\"count\":0}\n", ""},
    {CLI_QUEUE_RETRY, "a1", false, "{\"error\":\"the queue is starting\"}\n", EX_TEMPFAIL,
	"", "postrider: the queue is starting\n"},
    {CLI_QUEUE_RETRY, "a1", false, "", EX_TEMPFAIL, "",
	"the server closed the connection"},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("a1") RCPT("time"), EX_TEMPFAIL, "",
	"the server closed the connection"},
    {CLI_QUEUE_LIST, NULL, false, "hello\n", EX_PROTOCOL, "", "is not understood"},
    {CLI_QUEUE_LIST, NULL, false, "{}\n", EX_PROTOCOL, "", "is not understood"},
    {CLI_QUEUE_LIST, NULL, false, MESSAGE("no id"), EX_PROTOCOL, "", "is not understood"},
    {CLI_QUEUE_LIST, NULL, false, RCPT("time") DONE(0, 0, false), EX_OK, "is empty", ""},
};

static void
answers_are_shown(void **state)
{
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	for (size_t i = 0; i < LEN(talks); i++) {
		const struct cli_queue_options options = {
		    .verb = talks[i].verb,
		    .id = talks[i].id,
		    .json = talks[i].json,
		    .limit = UINT64_MAX,
		};

		talk(said, &options, talks[i].answers);
		if (talks[i].out[0])
			assert_has(said->out, talks[i].out);
		else
			assert_string_equal(said->out, "");
		if (talks[i].err[0])
			assert_has(said->err, talks[i].err);
		else
			assert_string_equal(said->err, "");
		assert_int_equal(said->status, talks[i].status);
		assert_null(strchr(said->out, '\033'));
	}
	test_free(said);
}

/* What the catalogue explains is told in the reader's language, and so is why it waits. */
static void
a_message_is_explained_in_a_language(void **state)
{
	struct cli_queue_options options = {
	    .verb = CLI_QUEUE_SHOW, .id = "a1", .limit = UINT64_MAX};
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	assert_true(language_find(SPAN("de"), &options.language));
	talk(said, &options, MESSAGE("a1") SAID("450", "greylisted, come back") SHOWN);
	assert_has(said->out, "  state      Der nächste Versuch ist für 2026-11-24T03:04:00Z");
	assert_has(said->out, "  means      Gebeten, in einigen Minuten wiederzukommen. ");
	assert_has(said->out, "  last said  450 greylisted, come back\n");
	test_free(said);
}

/* Three messages in pages, by a limit that makes the last page a short one. */
static void
a_list_goes_on_where_it_can(void **state)
{
	const struct cli_queue_options options = {
	    .verb = CLI_QUEUE_LIST, .json = true, .limit = UINT64_MAX};
	struct said *said = test_malloc(sizeof(*said));
	struct buf answers;

	(void)state;
	/* A full page, ids a to 6f; then its last two are gone, and one more follows. */
	buf_init(&answers, 200000);
	for (uint64_t i = 0; i < 200; i++)
		buf_addf(&answers, "{\"message\":{\"id\":\"%c%c\",\"recipients\":0}}\n",
		    "123456789a"[i / 20], "0123456789abcdefghjk"[i % 20]);
	buf_add_str(&answers, MORE(200, 201, "\"ak\"") DONE(0, 3, true) DONE(0, 3, true));
	/* It was looked at up to b1, and nothing there was asked for. */
	buf_add_str(&answers, MORE(0, 3, "\"b1\"") MESSAGE("zz") DONE(1, 2, false));
	buf_add_char(&answers, '\0');
	talk(said, &options, answers.ptr);
	assert_string_equal(said->err, "");
	assert_int_equal(said->status, EX_OK);
	assert_has(said->out, "\n],\"count\":201,\"total\":2}\n");
	assert_string_equal(said->asked,
	    "{\"do\":\"list\",\"limit\":200}\n"
	    "{\"do\":\"list\",\"limit\":200,\"after\":\"ak\"}\n"
	    "{\"do\":\"list\",\"limit\":200,\"after\":\"aj\"}\n"
	    "{\"do\":\"list\",\"limit\":200,\"after\":\"ah\"}\n"
	    "{\"do\":\"list\",\"limit\":200,\"after\":\"b1\"}\n");
	buf_fini(&answers);
	test_free(said);
}

static void
a_limit_ends_a_list(void **state)
{
	const struct cli_queue_options options = {.verb = CLI_QUEUE_LIST, .limit = 2};
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	talk(said, &options, MESSAGE("a1") MESSAGE("a2") DONE(2, 7, false));
	assert_int_equal(said->status, EX_OK);
	assert_has(said->out, "2 of 7 messages.");
	assert_string_equal(said->asked, "{\"do\":\"list\",\"limit\":2}\n");
	test_free(said);
}

static void
filters_are_passed_on(void **state)
{
	struct cli_queue_options options = {.verb = CLI_QUEUE_LIST,
	    .limit = 2,
	    .match = ".b.test",
	    .reasons = "down,rate"};
	struct said *said = test_malloc(sizeof(*said));

	(void)state;
	talk(said, &options, DONE(0, 7, false));
	assert_string_equal(said->asked,
	    "{\"do\":\"list\",\"limit\":2,\"for\":\".b.test\","
	    "\"reason\":\"down,rate\"}\n");
	options = (struct cli_queue_options){
	    .verb = CLI_QUEUE_SUMMARY, .limit = 1, .match = "b.test"};
	talk(said, &options, DONE(0, 0, false));
	assert_string_equal(
	    said->asked, "{\"do\":\"summary\",\"limit\":1,\"for\":\"b.test\"}\n");
	assert_string_equal(said->out, "No mail waits for that.\n");
	test_free(said);
}

static const struct {
	const char *then, *says;
} distances[] = {
    {"2026-11-24T03:00:00.000Z", "now"},
    {"2026-11-24T02:59:59.700Z", "just now"},
    {"2026-11-24T02:59:59.000Z", "1 s ago"},
    {"2026-11-24T03:01:59.000Z", "in 119 s"},
    {"2026-11-24T03:02:00.000Z", "in 2 min"},
    {"2026-11-24T04:59:00.000Z", "in 119 min"},
    {"2026-11-24T05:00:00.000Z", "in 2 h"},
    {"2026-11-22T03:00:00.000Z", "2 days ago"},
    {"2026-11-29T02:59:59.000Z", "in 5 days"},
    {"2024-02-29T03:00:00.000Z", "999 days ago"},
    {"1970-01-01T00:00:00.000Z", "20781 days ago"},
    {"", NULL},
    {"tomorrow", NULL},
    {"2026-11-24T03:00:00Z", NULL},
    {"1969-11-24T03:00:00.000Z", NULL},
};

static void
times_are_told_from_now(void **state)
{
	uint64_t now_ms = 0;

	(void)state;
	assert_true(cli_queue_time(NOW, &now_ms));
	for (size_t i = 0; i < LEN(distances); i++) {
		uint64_t then_ms;
		struct buf text;

		buf_init(&text, 100);
		if (cli_queue_time(distances[i].then, &then_ms)) {
			cli_queue_write_distance(&text, then_ms, now_ms);
			buf_add_char(&text, '\0');
			assert_non_null(distances[i].says);
			assert_string_equal(text.ptr, distances[i].says);
		} else {
			assert_null(distances[i].says);
		}
		buf_fini(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wrong_use_is_told_in_a_line),
	    cmocka_unit_test(a_socket_that_is_none_is_told),
	    cmocka_unit_test(answers_are_shown),
	    cmocka_unit_test(a_message_is_explained_in_a_language),
	    cmocka_unit_test(a_list_goes_on_where_it_can),
	    cmocka_unit_test(a_limit_ends_a_list),
	    cmocka_unit_test(filters_are_passed_on),
	    cmocka_unit_test(times_are_told_from_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
