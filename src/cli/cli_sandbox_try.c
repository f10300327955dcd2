/*
 * Each act of each role in a process of its own, since a forbidden call is its end.  The process
 * has the descriptors that the supervisor would have given it, and gives up its rights by the
 * code that a role gives them up by.  First every act is tried outside, where it must succeed:
 * one that never can would prove nothing.
 */
#include "cli/cli_sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"

enum {
	NOT_READY = 255,  /* exit status: the sandbox itself failed */
	ACTS_MAX = 64,
	OUTSIDE = PROC_COUNT, /* the column without a sandbox */
	COLUMNS = PROC_COUNT + 1,
	NAME_WIDTH = 37,
	FIRST_FREE_FD = 40, /* what the test holds itself stays above the descriptors of a role */
};

enum verdict { SKIPPED, KILLED, REFUSED, HAPPENED };

struct outcome {
	enum verdict verdict;
	int errnum; /* REFUSED */
	int call;   /* KILLED: its number, or -1 */
	bool wrong;
	bool broken; /* no sandbox came about; errnum is the step */
};

/* What the supervisor would give the process: the second ends of link and log. */
struct given {
	int words, listener;
	int link[2], log[2];
};

struct test {
	struct cli_sandbox_world world;
	struct proc_sandbox_parts parts;
	int columns[COLUMNS]; /* that are tried, in the order of the table */
	int column_count;
	struct outcome outcomes[ACTS_MAX][COLUMNS];
	size_t act_count;
	unsigned wrong_count;
	char broken[128];
};

static bool
has_directory(int column)
{
	return column == OUTSIDE || (column != PROC_SUPERVISOR &&
	    proc_def((enum proc)column)->may &
		(MAY_USE_SPOOL | MAY_USE_MAILDIRS | MAY_USE_POLICIES));
}

/* Its standard descriptors are nothing, so that what the acts say is not seen. */
static bool
take_descriptors(struct cli_sandbox_world *world, const int *given, size_t count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null, fd) < 0)
			return false;
	for (size_t i = 0; i < count; i++) {
		const int at = PROC_FD_SUPERVISOR + (int)i;

		if (given[i] < 0)
			close(at);
		else if (dup2(given[i], at) < 0)
			return false;
	}
	world->dir_fd = -1;
	return true;
}

/* As the supervisor and the role's "create" do it. */
static bool
begin_role(struct test *test, int column, const struct given *from)
{
	struct cli_sandbox_world *world = &test->world;
	int given[PROC_FD_LISTENERS + 1 - PROC_FD_SUPERVISOR];
	const struct proc_def *def = column < PROC_COUNT ? proc_def((enum proc)column) : NULL;
	const char *directory = world->spool;

	for (size_t i = 0; i < LEN(given); i++)
		given[i] = -1;
	given[0] = from->link[1];
	given[PROC_FD_LOG - PROC_FD_SUPERVISOR] = from->log[1];
	given[PROC_FD_WORDS - PROC_FD_SUPERVISOR] = from->words;
	if (!def || column == PROC_SUPERVISOR || def->may & MAY_ACCEPT)
		given[PROC_FD_LISTENERS - PROC_FD_SUPERVISOR] = from->listener;
	if (!take_descriptors(world, given, LEN(given)))
		return false;
	if (def && column != PROC_SUPERVISOR)
		proc_sandbox_close_others(def);
	if (def && def->may & MAY_USE_MAILDIRS)
		directory = world->mail;
	if (def && def->may & MAY_USE_POLICIES)
		directory = world->policies;
	if (has_directory(column))
		world->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return !has_directory(column) || world->dir_fd >= 0;
}

/* The process that acts; its exit status is what the act gave. */
static _Noreturn void
act_and_end(struct test *test, const struct cli_sandbox_act *act, int column,
    const struct given *given)
{
	const char *what = "make a filter";
	enum err err = OK;

	if (!begin_role(test, column, given))
		_exit(NOT_READY);
	/* What the supervisor gave up its roles never had; most give up more than that. */
	if (test->parts.calls && column != OUTSIDE &&
	    (column == PROC_SUPERVISOR || proc_def((enum proc)column)->may & MAY_RUN_PROGRAMS))
		err = proc_sandbox_supervisor(test->world.conf);
	if (!err && column != OUTSIDE && column != PROC_SUPERVISOR)
		err = proc_sandbox((enum proc)column, 0, test->world.conf, test->parts, &what);
	if (err) {
		/* There is nothing to hide yet; the parent reads it. */
		err_ignore(write(given->log[1], what, strlen(what)) < 0 ? ERR_IO : OK,
		    "the exit status says enough");
		_exit(NOT_READY);
	}
	_exit(act->run(&test->world));
}

static struct outcome
judge(int status, int words)
{
	struct outcome outcome = {.verdict = HAPPENED, .call = -1};

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
		outcome.verdict = KILLED;
		outcome.call = proc_words_call(words);
	} else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGABRT) {
		outcome.verdict = REFUSED;
		outcome.errnum = EFAULT;
	} else if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		outcome.verdict = REFUSED;
		outcome.errnum = WEXITSTATUS(status);
		outcome.broken = WEXITSTATUS(status) == NOT_READY;
	}
	return outcome;
}

static bool
make_given(struct given *given)
{
	uint16_t port;

	given->words = proc_words_create();
	given->listener = cli_sandbox_listen(&port);
	return given->words >= 0 && given->listener >= 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, given->link) == 0 &&
	    pipe2(given->log, O_CLOEXEC | O_NONBLOCK) == 0;
}

static void
close_given(const struct given *given)
{
	const int fds[] = {given->words, given->listener, given->link[0], given->link[1],
	    given->log[0], given->log[1]};

	for (size_t i = 0; i < LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static struct outcome
run_act(struct test *test, const struct cli_sandbox_act *act, int column)
{
	struct outcome outcome = {.verdict = REFUSED, .broken = true};
	struct given given = {-1, -1, {-1, -1}, {-1, -1}};
	ssize_t got = 0;
	int status;
	pid_t pid;

	if (!make_given(&given)) {
		close_given(&given);
		return outcome;
	}
	pid = fork();
	if (pid == 0)
		act_and_end(test, act, column, &given);
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		outcome = judge(status, given.words);
	if (outcome.broken)
		got = read(given.log[0], test->broken, sizeof(test->broken) - 1);
	if (got > 0)
		test->broken[got] = '\0';
	close_given(&given);
	return outcome;
}

/* Whether an act must succeed (1), must not (0), or may do as it likes (-1). */
static int
expected(const struct cli_sandbox_act *act, int column)
{
	if (column == OUTSIDE) {
		if (act->outside == OUTSIDE_WORKS ||
		    (act->outside == OUTSIDE_NEEDS_ROOT && geteuid() == 0))
			return 1;
		return -1;
	}
	if (column == PROC_SUPERVISOR)
		return act->supervisor_too ? 0 : -1;
	if (act->may == CLI_SANDBOX_ALL)
		return 1;
	/* Where programs are run, what their user may is not ours to know. */
	if (proc_def((enum proc)column)->may & MAY_RUN_PROGRAMS && !(act->may & MAY_RUN_PROGRAMS))
		return act->programs_too || act->supervisor_too ? 0 : -1;
	/* Its own directory by its whole name: not where that is outside of its root. */
	if (act->by_path && act->may & proc_def((enum proc)column)->may)
		return -1;
	return (act->may & proc_def((enum proc)column)->may) != 0;
}

static void
try_column(struct test *test, int column)
{
	const char *user = column < PROC_COUNT && column != PROC_SUPERVISOR
	    ? proc_user((enum proc)column, 0, test->world.conf)
	    : NULL;
	const struct cli_sandbox_act *act;
	int wanted;

	test->world.victim = cli_sandbox_victim_start(user);
	for (size_t i = 0; (act = cli_sandbox_act(i)) != NULL; i++) {
		struct outcome *outcome = &test->outcomes[i][column];

		check(i < ACTS_MAX);
		test->act_count = i + 1;
		if (act->in_directory && !has_directory(column))
			continue;
		*outcome = run_act(test, act, column);
		wanted = expected(act, column);
		outcome->wrong = outcome->broken ||
		    (wanted >= 0 && (outcome->verdict == HAPPENED) != wanted);
		test->wrong_count += outcome->wrong;
	}
	if (test->world.victim > 0) {
		kill(test->world.victim, SIGKILL);
		waitpid(test->world.victim, NULL, 0);
	}
}

static const char *
word(const struct outcome *outcome)
{
	static const char *const words[] = {"-", "killed", "refused", "can"};

	if (outcome->broken)
		return "BROKEN";
	if (outcome->wrong)
		return outcome->verdict == HAPPENED ? "CAN!" : "CANNOT!";
	return words[outcome->verdict];
}

static const char *
column_name(int column)
{
	return column == OUTSIDE ? "outside" : proc_def((enum proc)column)->name;
}

static void
print_table(const struct test *test)
{
	printf("%-*s", NAME_WIDTH, "");
	for (int c = 0; c < test->column_count; c++)
		printf(" %-10s", column_name(test->columns[c]));
	putchar('\n');
	for (size_t i = 0; i < test->act_count; i++) {
		printf("%-*s", NAME_WIDTH, cli_sandbox_act(i)->name);
		for (int c = 0; c < test->column_count; c++)
			printf(" %-10s", word(&test->outcomes[i][test->columns[c]]));
		putchar('\n');
	}
}

static void
print_wrong(const struct test *test, const char *act, int column, const struct outcome *outcome)
{
	char *call = outcome->call >= 0 ? proc_call_name(outcome->call) : NULL;

	if (outcome->broken)
		printf("%s: no sandbox: could not %s\n", column_name(column),
		    test->broken[0] ? test->broken : "be started");
	else if (column == OUTSIDE)
		printf("\"%s\" does not even work outside (%s), so it proves nothing\n", act,
		    outcome->verdict == KILLED ? "killed" : strerror(outcome->errnum));
	else if (outcome->verdict == HAPPENED)
		printf("%s can %s, and must not\n", column_name(column), act);
	else if (outcome->verdict == KILLED)
		printf("%s cannot %s: %s is not on its list\n", column_name(column), act,
		    call ? call : "a call");
	else
		printf("%s cannot %s: %s\n", column_name(column), act, strerror(outcome->errnum));
	mem_free(call);
}

static void
print_people(const struct test *test, const struct proc_sandbox_support *support)
{
	const char *lacks = proc_sandbox_lacks(support);

	print_table(test);
	printf("\nkilled: the process ended at that call; refused: it got an error; can: it "
	       "happened.\nStarted as %s. Seccomp: %s. Landlock: version %d%s.\n",
	    geteuid() == 0 ? "root" : "an ordinary user", support->calls ? "yes" : "no",
	    support->landlock_abi, test->parts.files ? "" : ", not used");
	if (lacks)
		printf("Note: %s.\n", lacks);
	for (int c = 0; c < test->column_count; c++)
		for (size_t i = 0; i < test->act_count; i++)
			if (test->outcomes[i][test->columns[c]].wrong)
				print_wrong(test, cli_sandbox_act(i)->name, test->columns[c],
				    &test->outcomes[i][test->columns[c]]);
	printf(test->wrong_count ? "%u WRONG\n" : "Nothing that is forbidden succeeded.\n",
	    test->wrong_count);
}

static json_t *
outcome_json(const struct outcome *outcome)
{
	static const char *const words[] = {"skipped", "killed", "refused", "can"};
	json_t *object = json_pack("{s:s, s:b}", "verdict", words[outcome->verdict], "wrong",
	    (int)outcome->wrong);
	char *call = outcome->call >= 0 && outcome->verdict == KILLED
	    ? proc_call_name(outcome->call)
	    : NULL;

	if (call)
		json_object_set_new(object, "call", json_string(call));
	if (outcome->verdict == REFUSED)
		json_object_set_new(object, "error", json_string(strerror(outcome->errnum)));
	mem_free(call);
	return object;
}

static void
print_json(const struct test *test, const struct proc_sandbox_support *support)
{
	json_t *root = json_pack("{s:b, s:b, s:i, s:i}", "root", geteuid() == 0, "seccomp",
	    (int)support->calls, "landlock", support->landlock_abi, "wrong",
	    (int)test->wrong_count);
	json_t *acts = json_object();

	for (size_t i = 0; i < test->act_count; i++) {
		json_t *act = json_object();

		for (int c = 0; c < test->column_count; c++)
			json_object_set_new(
			    act, column_name(test->columns[c]),
			    outcome_json(&test->outcomes[i][test->columns[c]]));
		json_object_set_new(acts, cli_sandbox_act(i)->name, act);
	}
	json_object_set_new(root, "acts", acts);
	(void)json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

static int
check_users(const struct conf *conf)
{
	for (unsigned i = PROC_SUPERVISOR + 1; geteuid() == 0 && i < PROC_COUNT; i++)
		if (!getpwnam(proc_user((enum proc)i, 0, conf))) {
			fprintf(stderr, "postrider: started as root, the test needs the user %s\n",
			    proc_user((enum proc)i, 0, conf));
			return EX_NOUSER;
		}
	return EX_OK;
}

/* Outside first, for the eye. */
static void
choose_columns(struct test *test, enum proc only)
{
	test->columns[test->column_count++] = OUTSIDE;
	for (int c = 0; c < PROC_COUNT; c++)
		if (only == PROC_COUNT || c == (int)only)
			test->columns[test->column_count++] = c;
}

/* Descriptors 3 and up are the roles' own numbers: what the test opens must not lie there. */
static void
keep_low_descriptors_free(void)
{
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) < FIRST_FREE_FD)
		;
}

int
cli_sandbox_try(const struct cli_sandbox_wanted *wanted)
{
	const struct proc_sandbox_support support = proc_sandbox_probe();
	struct test *test = mem_alloc(sizeof(*test));
	int status;

	test->parts = wanted->parts;
	choose_columns(test, wanted->only);
	keep_low_descriptors_free();
	status = cli_sandbox_world_make(&test->world) ? check_users(test->world.conf) : EX_OSERR;
	if (status == EX_OK) {
		fflush(stdout);
		for (int c = 0; c < test->column_count; c++)
			try_column(test, test->columns[c]);
		status = test->wrong_count > 0;
		if (wanted->json)
			print_json(test, &support);
		else
			print_people(test, &support);
	}
	cli_sandbox_world_remove(&test->world);
	mem_free(test);
	return status;
}
