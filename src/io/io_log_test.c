/* The log over a pipe, a full pipe, a broken pipe and a syslog socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/io_internal.h"

enum { TEXT_BYTES_MAX = 2 << 20 };

struct world {
	struct io *io;
	int from, to; /* the ends of a pipe */
	char *text;
};

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	world->from = fds[0];
	world->to = fds[1];
	world->io = io_create();
	world->text = mem_alloc(TEXT_BYTES_MAX);
	io_log_to(world->io, world->to, false);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	io_destroy(world->io);
	close(world->from);
	close(world->to);
	mem_free(world->text);
	mem_free(world);
	return 0;
}

/* Adds what the pipe holds now to a text; its new length. */
static size_t
take(struct world *world, size_t len)
{
	ssize_t got;

	while ((got = read(world->from, world->text + len, TEXT_BYTES_MAX - 1 - len)) > 0)
		len += (size_t)got;
	world->text[len] = '\0';
	return len;
}

static void
lines_are_written_at_the_end_of_the_turn(void **state)
{
	struct world *world = *state;

	io_log(world->io, SPAN("event=one"));
	io_log(world->io, SPAN("event=two forged=a\nb"));
	io_log(world->io, SPAN(""));
	assert_int_equal(take(world, 0), 0);
	io_run(world->io);
	take(world, 0);
	assert_string_equal(world->text, "event=one\nevent=two forged=a b\n\n");
}

static void
destroying_writes(void **state)
{
	struct world *world = *state;
	struct io *io = io_create();

	io_log_to(io, world->to, false);
	io_log(io, SPAN("event=last"));
	io_destroy(io);
	take(world, 0);
	assert_string_equal(world->text, "event=last\n");
}

static void
fired_stop(struct io_timer *timer)
{
	io_stop(timer->owner);
}

static void
full_pipe_loses_lines_and_counts_them(void **state)
{
	struct world *world = *state;
	const unsigned lines = 20000;
	unsigned next_line = 0, lost = 0, got = 0;
	char *line, *rest;
	size_t len = 0;

	/* 20,000 lines of 50 bytes: more than the pipe and the buffer hold. */
	for (unsigned i = 0; i < lines; i++) {
		char text[64];
		int bytes = snprintf(text, sizeof(text), "event=line number=%031u", i);

		io_log(world->io, span_of(text, (size_t)bytes));
	}
	assert_true(world->io->log.len <= IO_LOG_BYTES_MAX);
	/* The log retries by itself until all that is kept is out. */
	for (int i = 0; i < 500 && !lost; i++) {
		struct io_timer timer = {.fired = fired_stop, .owner = world->io};

		io_timer_start(world->io, &timer, 60);
		io_run(world->io);
		len = take(world, len);
		if ((line = strstr(world->text, "event=log_lost count=")) &&
		    strchr(line, '\n'))
			assert_int_equal(
			    sscanf(line, "event=log_lost count=%u\n", &lost), 1);
	}
	assert_true(lost > 0);
	for (line = strtok_r(world->text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		unsigned number;

		if (sscanf(line, "event=line number=%u", &number) == 1) {
			assert_int_equal(number, next_line);
			next_line++;
			got++;
		}
	}
	assert_int_equal(got + lost, lines);
}

static void
broken_pipe_counts_too(void **state)
{
	struct world *world = *state;
	int fds[2];

	close(world->from);
	io_log(world->io, SPAN("event=one"));
	io_log(world->io, SPAN("event=two"));
	io_run(world->io);
	io_log(world->io, SPAN("event=three"));
	io_run(world->io);
	assert_int_equal(world->io->log_lost, 3);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	world->from = fds[0];
	close(world->to);
	world->to = fds[1];
	io_log_to(world->io, world->to, false);
	io_log(world->io, SPAN("event=four"));
	io_run(world->io);
	take(world, 0);
	assert_string_equal(world->text, "event=four\nevent=log_lost count=3\n");
	assert_int_equal(world->io->log_lost, 0);
}

static void
lost_lines_told_in_vain_are_told_again(void **state)
{
	struct world *world = *state;
	char bytes[4094] = {0};
	int fds[2];

	/* There is room for one line but not for the count that follows it. */
	assert_int_equal(fcntl(world->to, F_SETPIPE_SZ, 4096), 4096);
	assert_int_equal(write(world->to, bytes, sizeof(bytes)), sizeof(bytes));
	world->io->log_lost = 5;
	io_log(world->io, SPAN("x"));
	io_run(world->io);
	assert_int_equal(world->io->log_lost, 0);
	assert_true(world->io->log.len > 0);
	close(world->from);
	io_log_write(world->io);
	assert_int_equal(world->io->log_lost, 5);
	assert_int_equal(world->io->log.len, 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	world->from = fds[0];
}

/* A line that is given up in its middle must not run into the next. */
static void
torn_lines_end(void **state)
{
	struct world *world = *state;
	char line[6000], *end;
	char path[] = "/tmp/io_log_test.XXXXXX";
	struct rlimit limit, small;
	int fd = mkstemp(path);
	ssize_t got;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	memset(line, 'x', sizeof(line));
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 1000;
	io_log_to(world->io, fd, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	io_log(world->io, span_of(line, sizeof(line)));
	io_run(world->io);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	io_log(world->io, SPAN("event=next"));
	io_run(world->io);
	got = pread(fd, world->text, TEXT_BYTES_MAX - 1, 0);
	assert_true(got > 1000);
	end = strchr(world->text, '\n');
	assert_ptr_equal(end, world->text + 1000);
	assert_string_equal(end, "\nevent=next\nevent=log_lost count=1\n");
	io_log_to(world->io, world->to, false);
	close(fd);
}

static void
syslog_gets_datagrams(void **state)
{
	struct world *world = *state;
	int pair[2];
	char packet[100] = {0};

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	io_log_to(world->io, pair[0], true);
	io_log(world->io, SPAN("event=one"));
	io_log(world->io, SPAN("event=two"));
	io_run(world->io);
	assert_true(recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT) > 0);
	assert_string_equal(packet, "<22>postrider: event=one");
	memset(packet, 0, sizeof(packet));
	assert_true(recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT) > 0);
	assert_string_equal(packet, "<22>postrider: event=two");
	assert_true(recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT) < 0);
	io_log_to(world->io, world->to, false);
	close(pair[0]);
	close(pair[1]);
}

static void
syslog_that_is_full_waits(void **state)
{
	struct world *world = *state;
	const unsigned lines = 2000;
	unsigned got = 0;
	int pair[2];
	char packet[100];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	io_log_to(world->io, pair[0], true);
	for (unsigned i = 0; i < lines; i++)
		io_log(world->io, SPAN("event=one of=many"));
	io_run(world->io);
	assert_true(world->io->log.len > 0);
	while (got < lines) {
		while (recv(pair[1], packet, sizeof(packet), MSG_DONTWAIT) > 0)
			got++;
		io_log_write(world->io);
	}
	assert_int_equal(got, lines);
	assert_int_equal(world->io->log_lost, 0);
	io_log_to(world->io, world->to, false);
	close(pair[0]);
	close(pair[1]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(lines_are_written_at_the_end_of_the_turn),
	    TEST(destroying_writes),
	    TEST(full_pipe_loses_lines_and_counts_them),
	    TEST(broken_pipe_counts_too),
	    TEST(lost_lines_told_in_vain_are_told_again),
	    TEST(torn_lines_end),
	    TEST(syslog_gets_datagrams),
	    TEST(syslog_that_is_full_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
