/* The turn of the loop: timers, tasks, work on threads, blocking calls, chance. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "io/test_io.h"

struct clocked {
	struct io_timer timer;
	struct io *io;
	unsigned fired;
	uint64_t at_ms;
	unsigned again; /* starts itself again so often */
	struct io_timer *stops; /* stops this one when it fires */
};

static void
on_fired(struct io_timer *timer)
{
	struct clocked *clocked = timer->owner;

	clocked->fired++;
	clocked->at_ms = io_now_ms(clocked->io);
	if (clocked->stops)
		io_timer_stop(clocked->io, clocked->stops);
	if (clocked->again > 0) {
		clocked->again--;
		io_timer_start(clocked->io, timer, 0);
	}
}

static struct clocked
clocked_by(struct io *io, struct clocked *self)
{
	return (struct clocked){.io = io, .timer = {.fired = on_fired, .owner = self}};
}

static void
timers_fire_once_in_order(void **state)
{
	struct io *io = *state;
	struct clocked late = clocked_by(io, &late), soon = clocked_by(io, &soon);
	uint64_t start_ms = io_now_ms(io);

	io_timer_start(io, &late.timer, 30);
	io_timer_start(io, &soon.timer, 10);
	io_run(io);
	assert_int_equal(late.fired, 1);
	assert_int_equal(soon.fired, 1);
	assert_true(soon.at_ms >= start_ms + 10 && soon.at_ms < late.at_ms);
	assert_true(late.at_ms >= start_ms + 30);
	assert_null(late.timer.impl);
}

static void
timers_start_again_and_stop(void **state)
{
	struct io *io = *state;
	struct clocked moved = clocked_by(io, &moved), stopped = clocked_by(io, &stopped);
	struct clocked again = clocked_by(io, &again);
	uint64_t start_ms = io_now_ms(io);

	io_timer_stop(io, &stopped.timer);
	io_timer_start(io, &moved.timer, 5);
	io_timer_start(io, &moved.timer, 30);
	io_timer_start(io, &stopped.timer, 1);
	io_timer_stop(io, &stopped.timer);
	io_timer_stop(io, &stopped.timer);
	again.again = 3;
	io_timer_start(io, &again.timer, 0);
	io_run(io);
	assert_int_equal(moved.fired, 1);
	assert_true(moved.at_ms >= start_ms + 30);
	assert_int_equal(stopped.fired, 0);
	assert_int_equal(again.fired, 4);
}

static void
timers_stopped_by_one_of_the_same_time(void **state)
{
	struct io *io = *state;
	struct clocked first = clocked_by(io, &first), second = clocked_by(io, &second);

	io_timer_start(io, &first.timer, 5);
	io_timer_start(io, &second.timer, 5);
	first.stops = &second.timer;
	io_run(io);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
}

struct spinner {
	struct io_timer timer;
	struct io_op op;
	struct io *io;
	bool timer_stops; /* the timer ends the operation's spinning, or the reverse */
	bool stopped;
	unsigned turns;
};

static void
spin_timer(struct io_timer *timer)
{
	struct spinner *spinner = timer->owner;

	if (spinner->timer_stops)
		spinner->stopped = true;
	else if (!spinner->stopped)
		io_timer_start(spinner->io, timer, 0);
}

static void
spin_op(struct io_op *op)
{
	struct spinner *spinner = op->owner;

	spinner->turns++;
	if (!spinner->timer_stops)
		spinner->stopped = true;
	else if (!spinner->stopped)
		io_op_end(spinner->io, op, ERR_IO);
}

static void
nothing_starves_the_rest(void **state)
{
	for (int timer_stops = 0; timer_stops < 2; timer_stops++) {
		struct spinner spinner = {.io = *state, .timer_stops = timer_stops};

		spinner.timer = (struct io_timer){.fired = spin_timer, .owner = &spinner};
		spinner.op = (struct io_op){.done = spin_op, .owner = &spinner};
		/* One goes on and on until the other, which must have its turn, stops it. */
		io_timer_start(*state, &spinner.timer, timer_stops ? 5 : 0);
		io_op_end(*state, &spinner.op, ERR_IO);
		io_run(*state);
		assert_true(spinner.stopped);
		assert_int_equal(spinner.op.err, ERR_IO);
		assert_true(spinner.turns > 0);
	}
}

/* Runs on another thread. */
static void
note_thread(void *argument)
{
	pthread_t *thread = argument;

	*thread = pthread_self();
}

static void
count_done(struct io_op *op)
{
	unsigned *count = op->owner;

	++*count;
}

static void
work_on_another_thread(void **state)
{
	struct io *io = *state;
	pthread_t thread = pthread_self();
	unsigned done = 0;
	struct io_op op = {.done = count_done, .owner = &done};

	io_work(io, &op, note_thread, &thread);
	assert_int_equal(done, 0);
	io_run(io);
	assert_int_equal(done, 1);
	assert_int_equal(op.err, OK);
	assert_false(pthread_equal(thread, pthread_self()));
}

static void
destroyed_with_work_under_way(void **state)
{
	struct io *io = io_create();
	pthread_t thread;
	unsigned done = 0;
	struct io_op op = {.done = count_done, .owner = &done};
	struct clocked timer = clocked_by(io, &timer);

	(void)state;
	io_work(io, &op, note_thread, &thread);
	io_timer_start(io, &timer.timer, 1);
	io_destroy(io);
	assert_int_equal(done, 0);
	assert_int_equal(timer.fired, 0);
}

static void
clocks(void **state)
{
	struct io *io = *state;
	uint64_t before_ms = io_now_ms(io), wall_ms = io_wall_ms(io);

	/* 2024 to 2100. */
	assert_true(wall_ms > 1704067200000 && wall_ms < 4102444800000);
	assert_true(io_now_ms(io) >= before_ms);
}

static void
chance(void **state)
{
	struct io *io = *state;
	unsigned char a[600] = {0}, b[600] = {0};
	unsigned zeros = 0;

	io_random(io, a, sizeof(a));
	io_random(io, b, sizeof(b) - 1);
	assert_memory_not_equal(a, b, 16);
	assert_int_equal(b[sizeof(b) - 1], 0);
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 30);
}

/* The other end of io_call: a thread that answers as it is told to. */
enum { PATIENCE_MS = 60 * 1000 };

struct answerer {
	int fd;
	const char *parts[3];
	bool close_at_once;
};

static void *
answer(void *argument)
{
	struct answerer *answerer = argument;
	char request[64];
	ssize_t got = answerer->close_at_once ? 0 : recv(answerer->fd, request, 64, 0);

	if (got > 0)
		for (size_t i = 0; i < LEN(answerer->parts) && answerer->parts[i]; i++) {
			const char *part = answerer->parts[i];

			if (send(answerer->fd, part, strlen(part), MSG_NOSIGNAL) < 0)
				break;
			usleep(2000);
		}
	if (answerer->close_at_once)
		close(answerer->fd);
	return NULL;
}

static void
call_waits_for_the_whole_reply(void **state)
{
	static const struct {
		struct answerer answerer;
		enum err err;
	} cases[] = {
	    {{.parts = {"signature"}}, OK},
	    {{.parts = {"sig", "nat", "ure"}}, OK},
	    {{.parts = {"sig"}}, ERR_TIMEOUT},
	    {{.close_at_once = true}, ERR_CLOSED},
	};

	for (size_t i = 0; i < LEN(cases); i++) {
		struct io *io = *state;
		struct answerer answerer = cases[i].answerer;
		struct io_stream *stream;
		pthread_t thread;
		int pair[2];
		char reply[9];
		enum err err;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		stream = io_stream_open(io, pair[0]);
		answerer.fd = pair[1];
		pthread_create(&thread, NULL, answer, &answerer);
		/* A thread may be late: only what never comes is not waited for. */
		err = io_call(stream, SPAN("sign"), reply, sizeof(reply),
		    cases[i].err == ERR_TIMEOUT ? 100 : PATIENCE_MS);
		pthread_join(thread, NULL);
		assert_int_equal(err, cases[i].err);
		if (!err) {
			assert_memory_equal(reply, "signature", 9);
		} else {
			/* A reply that comes too late must not answer the next call. */
			err = io_call(stream, SPAN("sign"), reply, 1, 100);
			assert_int_equal(err, ERR_CLOSED);
		}
		io_close(stream);
		if (!answerer.close_at_once)
			close(pair[1]);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(timers_fire_once_in_order),
	    TEST(timers_start_again_and_stop),
	    TEST(timers_stopped_by_one_of_the_same_time),
	    TEST(nothing_starves_the_rest),
	    TEST(work_on_another_thread),
	    TEST(destroyed_with_work_under_way),
	    TEST(clocks),
	    TEST(chance),
	    TEST(call_waits_for_the_whole_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
