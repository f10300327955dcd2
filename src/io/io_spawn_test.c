/* Real child processes and signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/test_io.h"

struct ended {
	struct io_op op;
	unsigned count;
};

static void
on_end(struct io_op *op)
{
	struct ended *ended = op->owner;

	ended->count++;
}

/* Starts a shell command. */
static enum err
start(struct io *io, struct ended *ended, const char *command, const int *fds,
    size_t fd_count, int *pid)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
	    (char *)(uintptr_t)command, NULL};
	char *envp[] = {(char *)(uintptr_t) "WORD=twelve", NULL};
	struct io_spawn_options options = {
	    .argv = argv, .envp = envp, .fds = fds, .fd_count = fd_count};

	*ended = (struct ended){.op = {.done = on_end, .owner = ended}};
	return io_spawn(io, &ended->op, &options, pid);
}

static void
status_tells_how_it_ended(void **state)
{
	static const struct {
		const char *command;
		int status;
	} cases[] = {
	    {"exit 0", 0},
	    {"exit 75", 75},
	    {"kill -9 $$", 128 + 9},
	    {"kill -15 $$", 128 + 15},
	    {"test $WORD = twelve", 0},
	    {"test -n \"$PATH_FROM_OUTSIDE\"", 1},
	};

	setenv("PATH_FROM_OUTSIDE", "x", 1);
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ended ended;
		int pid = 0;

		assert_int_equal(
		    start(*state, &ended, cases[i].command, NULL, 0, &pid), OK);
		assert_true(pid > 1);
		assert_int_equal(ended.count, 0);
		io_run(*state);
		assert_int_equal(ended.count, 1);
		assert_int_equal(ended.op.status, cases[i].status);
	}
}

static void
descriptors_are_as_told(void **state)
{
	struct ended ended;
	int pipe_fds[2], secret = open("/dev/null", O_RDONLY | O_CLOEXEC), pid;
	int fds[5] = {-1, -1, -1, -1, -1};
	char text[64] = {0};

	/* What the test itself was started with is not ours to judge. */
	for (int fd = 3; fd < 256; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	/* Only descriptor 4 is given; beyond the standard ones nothing else is there. */
	fds[4] = pipe_fds[1];
	assert_int_equal(start(*state, &ended,
			     "echo fd4 >&4; ls /proc/self/fd | wc -l >&4", fds, 5, &pid),
	    OK);
	close(pipe_fds[1]);
	io_run(*state);
	assert_int_equal(ended.op.status, 0);
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	/* 0, 1, 2, 4, and the one by which ls reads the directory. */
	assert_string_equal(text, "fd4\n5\n");
	close(pipe_fds[0]);
	close(secret);
}

static void
killing(void **state)
{
	struct ended ended;
	int pid;

	assert_int_equal(start(*state, &ended, "exec sleep 60", NULL, 0, &pid), OK);
	assert_int_equal(io_kill(*state, pid, SIGTERM), OK);
	io_run(*state);
	assert_int_equal(ended.op.status, 128 + SIGTERM);
	assert_int_equal(io_kill(*state, pid, SIGTERM), ERR_NOT_FOUND);
}

static void
what_cannot_start(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/program", NULL};
	struct io_spawn_options options = {.argv = argv, .envp = argv + 1};
	struct ended ended = {.op = {.done = on_end, .owner = &ended}};
	int pid = 0;

	assert_int_equal(io_spawn(*state, &ended.op, &options, &pid), ERR_NOT_FOUND);
	options.fd_count = 1000;
	assert_int_equal(io_spawn(*state, &ended.op, &options, &pid), ERR_LIMIT);
	io_run(*state);
	assert_int_equal(ended.count, 0);
	assert_int_equal(pid, 0);
}

static void
left_behind(void **state)
{
	struct io *io = io_create();
	struct ended ended;
	int pid;

	(void)state;
	assert_int_equal(start(io, &ended, "exec sleep 60", NULL, 0, &pid), OK);
	io_destroy(io);
	assert_int_equal(ended.count, 0);
	/* It lives on; whoever made the io decides about its children. */
	assert_int_equal(kill(pid, SIGKILL), 0);
}

struct signalled {
	struct io *io;
	unsigned count;
};

static void
on_signal(void *owner)
{
	struct signalled *signalled = owner;

	signalled->count++;
	if (signalled->count == 2)
		io_stop(signalled->io);
	else
		kill(getpid(), SIGUSR1);
}

static void
never(struct io_timer *timer)
{
	(void)timer;
	fail();
}

static void
signals(void **state)
{
	struct signalled signalled = {.io = *state};
	struct io_timer timer = {.fired = never};

	io_signal(*state, SIGUSR1, on_signal, &signalled);
	/* A signal that is listened for is nothing to wait for. */
	io_run(*state);
	kill(getpid(), SIGUSR1);
	io_timer_start(*state, &timer, 10000);
	io_run(*state);
	assert_int_equal(signalled.count, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(status_tells_how_it_ended),
	    TEST(descriptors_are_as_told),
	    TEST(killing),
	    TEST(what_cannot_start),
	    TEST(left_behind),
	    TEST(signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
