/* Real programs: what they read, what is kept of what they say, how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/test_io.h"

struct run {
	struct io *io;
	struct io_program *program;
	struct io_op op;
	struct buf output;
	struct io_timer timer;
	unsigned ended;
	int signal; /* sent when the timer fires */
};

static void
on_end(struct io_op *op)
{
	struct run *run = op->owner;

	run->ended++;
	io_timer_stop(run->io, &run->timer);
}

static void
on_time(struct io_timer *timer)
{
	struct run *run = timer->owner;

	io_program_signal(run->program, run->signal);
}

static void
run_init(struct run *run, struct io *io, size_t output_bytes_max)
{
	*run = (struct run){.io = io};
	run->op = (struct io_op){.done = on_end, .owner = run};
	run->timer = (struct io_timer){.fired = on_time, .owner = run};
	buf_init(&run->output, output_bytes_max);
	assert_int_equal(io_program_create(io, &run->program), OK);
}

static void
run_fini(struct run *run)
{
	assert_int_equal(run->ended, 1);
	io_program_destroy(run->program);
	buf_fini(&run->output);
}

static void
start(struct run *run, const char *path, const char *command, const char *directory)
{
	const char *argv[] = {path, "-c", command, NULL};
	const char *envp[] = {"WORD=twelve", "PATH=/usr/bin:/bin", NULL};
	const struct io_program_options options = {
	    .argv = argv, .envp = envp, .directory = directory, .output = &run->output};

	io_program_start(run->program, &run->op, &options);
	assert_int_equal(run->ended, 0);
}

static void
check_output(const struct run *run, const char *expected)
{
	assert_int_equal(run->output.len, strlen(expected));
	assert_memory_equal(buf_span(&run->output).ptr, expected, run->output.len);
}

static void
status_and_output_are_told(void **state)
{
	static const struct {
		const char *command, *output;
		int status;
	} cases[] = {
	    {"exit 0", "", 0},
	    {"cat", "the message", 0},
	    {"cat | tr m M; exit 75", "the Message", 75},
	    {"echo a; echo b >&2; kill -9 $$", "a\nb\n", 128 + 9},
	    {"echo $WORD $#; pwd", "twelve 0\n/usr\n", 0},
	    {"kill -TERM $$; exit 1", "", 128 + 15},
	    {"echo x >/dev/stderr", "x\n", 0},
	    {"umask", "0077\n", 0},
	};

	for (size_t i = 0; i < LEN(cases); i++) {
		struct run run;

		run_init(&run, *state, 4096);
		assert_int_equal(io_program_write(run.program, SPAN("the ")), OK);
		assert_int_equal(io_program_write(run.program, SPAN("message")), OK);
		start(&run, "/bin/sh", cases[i].command, "/usr");
		io_run(*state);
		assert_int_equal(run.op.err, OK);
		assert_int_equal(run.op.status, cases[i].status);
		check_output(&run, cases[i].output);
		run_fini(&run);
	}
}

static void
what_cannot_start_is_told(void **state)
{
	static const struct {
		const char *path;
		enum err err;
	} cases[] = {
	    {"/no/such/program", ERR_NOT_FOUND},
	    {"/etc/passwd", ERR_DENIED},
	    {"/usr", ERR_DENIED},
	};

	for (size_t i = 0; i < LEN(cases); i++) {
		struct run run;

		run_init(&run, *state, 100);
		start(&run, cases[i].path, "", "/");
		io_run(*state);
		assert_int_equal(run.op.err, cases[i].err);
		run_fini(&run);
	}
	/* None of them is left behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void
output_is_bounded_and_never_stops_the_program(void **state)
{
	struct run run;

	run_init(&run, *state, 10);
	start(&run, "/bin/sh", "head -c 1000000 /dev/zero | tr '\\0' x; exit 3", "/");
	io_run(*state);
	assert_int_equal(run.op.status, 3);
	check_output(&run, "xxxxxxxxxx");
	run_fini(&run);
}

static void
who_is_left_behind_keeps_nobody_waiting(void **state)
{
	struct run run;
	char *end;
	long pid;

	run_init(&run, *state, 100);
	start(&run, "/bin/sh", "sleep 1000 & echo $!", "/no such folder");
	io_run(*state);
	assert_int_equal(run.op.status, 0);
	pid = strtol(buf_span(&run.output).ptr, &end, 10);
	assert_true(pid > 1 && *end == '\n');
	assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
	run_fini(&run);
}

/* The program and what it started get the signal, and we do not. */
static void
signals_reach_the_whole_group(void **state)
{
	struct run run;

	run_init(&run, *state, 100);
	run.signal = SIGTERM;
	start(&run, "/bin/sh",
	    "exec 2>/dev/null; trap 'wait; echo parent; exit 7' TERM; "
	    "(trap 'echo child; exit' TERM; echo up; i=0; "
	    "while [ $((i += 1)) -lt 2000 ]; do sleep 0.01; done) & wait", "/");
	/* They are ready once something was said. */
	while (run.output.len < 3)
		io_turn(*state);
	io_timer_start(*state, &run.timer, 0);
	io_run(*state);
	assert_int_equal(run.op.status, 7);
	check_output(&run, "up\nchild\nparent\n");
	run_fini(&run);
}

/* Who outlives a program that was told to end is ended with it. */
static void
who_does_not_heed_a_signal_goes_too(void **state)
{
	struct run run;
	char *end;
	long pid;

	run_init(&run, *state, 100);
	run.signal = SIGTERM;
	start(&run, "/bin/sh",
	    "trap 'exit 7' TERM; (trap '' TERM; sleep 20) & echo $!; wait", "/");
	while (run.output.len < 2)
		io_turn(*state);
	io_timer_start(*state, &run.timer, 0);
	io_run(*state);
	assert_int_equal(run.op.status, 7);
	pid = strtol(buf_span(&run.output).ptr, &end, 10);
	assert_true(pid > 1 && *end == '\n');
	/* Whoever inherited it takes it away in a moment. */
	for (int i = 0; i < 10000 && kill((pid_t)pid, 0) == 0; i++)
		usleep(1000);
	assert_int_equal(kill((pid_t)pid, 0), -1);
	run_fini(&run);
}

static void
nothing_of_ours_is_inherited(void **state)
{
	struct run run;

	for (int fd = 3; fd < 256; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	run_init(&run, *state, 200);
	assert_int_equal(io_program_write(run.program, SPAN("x")), OK);
	/* Its own three, and the one by which ls reads; what it reads cannot be changed. */
	start(&run, "/bin/sh",
	    "ls /proc/self/fd | wc -l; (echo y >>/proc/self/fd/0) 2>/dev/null || echo sealed; "
	    "ps -o pid=,pgid=,sid= -p $$ | tr -s ' ' '\\n' | sort -u | grep -c .; "
	    "grep SigIgn /proc/self/status", "/");
	io_run(*state);
	check_output(&run, "4\nsealed\n1\nSigIgn:\t0000000000000000\n");
	run_fini(&run);
}

/* A process that starts a program and dies: the program goes with it. */
static void
it_ends_with_its_parent(void **state)
{
	int words[2];
	char text[16] = {0};
	ssize_t count;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(words), 0);
	pid = fork();
	if (pid == 0) {
		struct run run;
		char command[200];

		run_init(&run, io_create(), 100);
		snprintf(command, sizeof(command),
		    "trap 'echo gone >&9; exit' TERM; exec 9>/proc/%d/fd/%d; echo up; i=0; "
		    "while [ $((i += 1)) -lt 2000 ]; do sleep 0.01; done",
		    (int)getpid(), words[1]);
		start(&run, "/bin/sh", command, "/");
		while (run.output.len < 3)
			io_turn(run.io);
		_exit(0);
	}
	close(words[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	count = read(words[0], text, sizeof(text) - 1);
	assert_int_equal(count, 5);
	assert_string_equal(text, "gone\n");
	close(words[0]);
}

static void
one_that_runs_is_killed_with_its_io(void **state)
{
	struct io *io = io_create();
	struct run run;

	(void)state;
	run_init(&run, io, 100);
	start(&run, "/bin/sh", "trap '' TERM; echo up; while :; do sleep 1; done", "/");
	while (run.output.len < 3)
		io_turn(io);
	io_destroy(io);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(run.ended, 0);
	io_program_destroy(run.program);
	buf_fini(&run.output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(status_and_output_are_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_cannot_start_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		output_is_bounded_and_never_stops_the_program, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		who_is_left_behind_keeps_nobody_waiting, setup, teardown),
	    cmocka_unit_test_setup_teardown(signals_reach_the_whole_group, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		who_does_not_heed_a_signal_goes_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_of_ours_is_inherited, setup, teardown),
	    cmocka_unit_test(it_ends_with_its_parent),
	    cmocka_unit_test(one_that_runs_is_killed_with_its_io),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
