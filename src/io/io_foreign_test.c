/* A descriptor of a library: the loop tells when it can be read, and does not wait for it alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "io/io_internal.h"

struct seen {
	struct io *io;
	int fd;
	unsigned count;
};

static void
read_some(void *owner)
{
	struct seen *seen = owner;
	char byte;

	assert_int_equal(read(seen->fd, &byte, 1), 1);
	if (++seen->count == 3)
		io_stop(seen->io);
}

static void
late(struct io_timer *timer)
{
	struct seen *seen = timer->owner;

	io_stop(seen->io);
}

static void
it_is_told_as_long_as_there_is_something_to_read(void **state)
{
	struct seen seen = {.io = io_create()};
	struct io_timer timer = {.fired = late, .owner = &seen};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	seen.fd = pair[0];
	assert_int_equal(io_watch_fd(seen.io, pair[0], read_some, &seen), OK);
	assert_int_equal(write(pair[1], "abc", 3), 3);
	io_timer_start(seen.io, &timer, 10000);
	io_run(seen.io);
	assert_int_equal(seen.count, 3);
	io_destroy(seen.io);
	/* It stays the library's: closing is not ours. */
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(close(pair[1]), 0);
}

static void
nobody_waits_for_it_alone(void **state)
{
	struct seen seen = {.io = io_create()};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(io_watch_fd(seen.io, pair[0], read_some, &seen), OK);
	io_run(seen.io);
	assert_int_equal(seen.count, 0);
	io_destroy(seen.io);
	close(pair[0]);
	close(pair[1]);
}

static void
what_cannot_be_watched_is_refused(void **state)
{
	struct io *io = io_create();

	(void)state;
	assert_int_equal(io_watch_fd(io, 9999, read_some, NULL), ERR_DESCRIPTORS);
	io_destroy(io);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_told_as_long_as_there_is_something_to_read),
	    cmocka_unit_test(nobody_waits_for_it_alone),
	    cmocka_unit_test(what_cannot_be_watched_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
