/* Streams over real socket pairs: bytes, ends, descriptors, slow and lost peers. */
#include <stdalign.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/test_run.h"

/* One side of a conversation, with what its read and drain operations gave. */
struct side {
	struct io *io;
	struct io_stream *stream;
	struct io_op read, drain;
	struct buf got;
	unsigned reads, drains;
	enum err end; /* of the last read */
	bool echo, stop_reading, close_in_done;
	bool await_fd; /* reads no further once a descriptor came */
	int fd;
};

struct world {
	struct io *io;
	struct side a, b;
};

static void
on_read(struct io_op *op)
{
	struct side *side = op->owner;

	side->reads++;
	side->end = op->err;
	if (op->fd >= 0) {
		if (side->fd >= 0)
			close(side->fd);
		side->fd = op->fd;
	}
	if (op->err)
		return;
	assert_int_equal(op->count, op->bytes.len);
	assert_true(op->bytes.len > 0 && op->bytes.len <= IO_READ_BYTES);
	buf_add(&side->got, op->bytes);
	if (side->echo)
		io_send(side->stream, op->bytes);
	if (side->close_in_done) {
		io_close(side->stream);
		side->stream = NULL;
		return;
	}
	if (side->await_fd && side->fd >= 0)
		return;
	if (!side->stop_reading)
		io_read(side->stream, op);
}

static void
on_drain(struct io_op *op)
{
	struct side *side = op->owner;

	side->drains++;
	side->drain.err = op->err;
}

static void
side_init(struct side *side, struct io *io, int fd)
{
	*side = (struct side){.io = io, .fd = -1};
	side->read = (struct io_op){.done = on_read, .owner = side};
	side->drain = (struct io_op){.done = on_drain, .owner = side};
	buf_init(&side->got, 64 << 20);
	if (fd >= 0)
		side->stream = io_stream_open(io, fd);
}

static void
side_fini(struct side *side)
{
	io_close(side->stream);
	side->stream = NULL;
	if (side->fd >= 0)
		close(side->fd);
	buf_fini(&side->got);
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	world->io = io_create();
	side_init(&world->a, world->io, pair[0]);
	side_init(&world->b, world->io, pair[1]);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	side_fini(&world->a);
	side_fini(&world->b);
	io_run(world->io);
	io_destroy(world->io);
	mem_free(world);
	return 0;
}

static void
assert_got(const struct side *side, const char *text)
{
	assert_int_equal(side->got.len, strlen(text));
	assert_memory_equal(buf_span(&side->got).ptr, text, strlen(text));
}

static void
bytes_come_back(void **state)
{
	struct world *world = *state;

	world->b.echo = true;
	io_read(world->a.stream, &world->a.read);
	io_read(world->b.stream, &world->b.read);
	io_send(world->a.stream, SPAN("hello "));
	io_send(world->a.stream, SPAN(""));
	io_send(world->a.stream, SPAN("world"));
	assert_int_equal(io_pending(world->a.stream), 11);
	run_for(world->io, 20);
	assert_got(&world->b, "hello world");
	assert_got(&world->a, "hello world");
	assert_int_equal(world->b.reads, 1);
	assert_int_equal(io_pending(world->a.stream), 0);
	assert_null(world->a.stream->out.ptr);
}

static void
nothing_is_taken_unread(void **state)
{
	struct world *world = *state;
	char bytes[8];

	world->b.stop_reading = true;
	io_read(world->b.stream, &world->b.read);
	io_send(world->a.stream, SPAN("one"));
	run_for(world->io, 10);
	io_send(world->a.stream, SPAN("two"));
	io_run(world->io);
	assert_int_equal(world->b.reads, 1);
	assert_int_equal(recv(world->b.stream->fd, bytes, 8, MSG_PEEK), 3);
	/* Input that nobody wants is known of, and costs nothing. */
	run_for(world->io, 10);
	assert_true(world->b.stream->readable);
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 10);
	assert_got(&world->b, "onetwo");
}

static void
nothing_left_ends_the_loop(void **state)
{
	struct world *world = *state;

	world->b.stop_reading = true;
	io_read(world->b.stream, &world->b.read);
	io_send(world->a.stream, SPAN("x"));
	/* Would go on for ever if a polled stream without an operation counted. */
	io_run(world->io);
	assert_got(&world->b, "x");
}

static void
end_of_stream(void **state)
{
	struct world *world = *state;

	io_read(world->b.stream, &world->b.read);
	io_send(world->a.stream, SPAN("last words"));
	io_close(world->a.stream);
	world->a.stream = NULL;
	io_run(world->io);
	assert_got(&world->b, "last words");
	assert_int_equal(world->b.end, ERR_END);
	io_read(world->b.stream, &world->b.read);
	io_run(world->io);
	assert_int_equal(world->b.end, ERR_END);
	assert_int_equal(world->b.reads, 3);
}

static void
sending_to_a_lost_peer(void **state)
{
	struct world *world = *state;

	/* What the peer said before it left is still read, then the end. */
	io_send(world->b.stream, SPAN("421 bye"));
	io_close(world->b.stream);
	world->b.stream = NULL;
	io_run(world->io);
	io_send(world->a.stream, SPAN("anybody?"));
	io_run(world->io);
	assert_int_equal(world->a.stream->state, IO_STREAM_LOST);
	io_send(world->a.stream, SPAN("anybody??"));
	assert_int_equal(io_pending(world->a.stream), 0);
	io_read(world->a.stream, &world->a.read);
	assert_int_equal(world->a.reads, 0);
	io_run(world->io);
	assert_got(&world->a, "421 bye");
	assert_int_equal(world->a.end, ERR_CLOSED);
	io_read(world->a.stream, &world->a.read);
	io_run(world->io);
	assert_int_equal(world->a.end, ERR_CLOSED);
	assert_int_equal(world->a.reads, 3);
}

static void
more_than_is_kept_breaks(void **state)
{
	struct world *world = *state;
	char *bytes = mem_alloc(IO_SEND_BYTES_MAX);

	io_read(world->a.stream, &world->a.read);
	io_drain(world->a.stream, &world->a.drain, 1000);
	io_send(world->a.stream, span_of(bytes, IO_SEND_BYTES_MAX));
	assert_int_equal(io_pending(world->a.stream), IO_SEND_BYTES_MAX);
	io_send(world->a.stream, SPAN("!"));
	assert_int_equal(io_pending(world->a.stream), 0);
	/* The drain's moment had come already when it started. */
	run_for(world->io, 10);
	assert_int_equal(world->a.reads, 1);
	assert_int_equal(world->a.end, ERR_CLOSED);
	assert_int_equal(world->a.drains, 1);
	assert_int_equal(world->a.drain.err, ERR_CLOSED);
	mem_free(bytes);
}

static void
slow_reader_and_drain(void **state)
{
	struct world *world = *state;
	const size_t bytes_max = 3 << 20;
	char *bytes = mem_alloc(bytes_max);

	for (size_t i = 0; i < bytes_max; i++)
		bytes[i] = (char)(i * 7 + i / 1000);
	io_send(world->a.stream, span_of(bytes, bytes_max));
	io_drain(world->a.stream, &world->a.drain, 1 << 20);
	run_for(world->io, 10);
	/* The kernel took some; the rest waits, and so does the drain. */
	assert_true(io_pending(world->a.stream) > 1 << 20);
	assert_true(io_pending(world->a.stream) < bytes_max);
	assert_int_equal(world->a.drains, 0);
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 200);
	assert_int_equal(world->a.drains, 1);
	assert_int_equal(world->a.drain.err, OK);
	assert_int_equal(world->b.got.len, bytes_max);
	assert_memory_equal(world->b.got.ptr, bytes, bytes_max);
	assert_int_equal(io_pending(world->a.stream), 0);
	mem_free(bytes);
}

static void
drain_never_completes_in_the_call(void **state)
{
	struct world *world = *state;

	io_drain(world->a.stream, &world->a.drain, 0);
	assert_int_equal(world->a.drains, 0);
	io_run(world->io);
	assert_int_equal(world->a.drains, 1);
	assert_int_equal(world->a.drain.err, OK);
}

static void
close_inside_done(void **state)
{
	struct world *world = *state;

	world->b.echo = true;
	world->b.close_in_done = true;
	io_read(world->a.stream, &world->a.read);
	io_read(world->b.stream, &world->b.read);
	io_send(world->a.stream, SPAN("x"));
	io_run(world->io);
	assert_null(world->b.stream);
	assert_got(&world->a, "x");
	assert_int_equal(world->a.end, ERR_END);
}

static void
closed_operations_never_complete(void **state)
{
	struct world *world = *state;

	/* Both are queued, and go with the stream. */
	io_send(world->a.stream, SPAN("x"));
	io_stream_fail(world->a.stream, IO_STREAM_BROKEN);
	io_read(world->a.stream, &world->a.read);
	io_drain(world->a.stream, &world->a.drain, 0);
	io_close(world->a.stream);
	world->a.stream = NULL;
	io_read(world->b.stream, &world->b.read);
	io_drain(world->b.stream, &world->b.drain, 0);
	io_abort(world->b.stream);
	world->b.stream = NULL;
	io_run(world->io);
	assert_int_equal(world->a.reads + world->a.drains, 0);
	assert_int_equal(world->b.reads + world->b.drains, 0);
}

static bool
same_file(int a, int b)
{
	struct stat of_a, of_b;

	return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
	       of_a.st_ino == of_b.st_ino && of_a.st_dev == of_b.st_dev;
}

static void
descriptors_go_with_their_bytes(void **state)
{
	struct world *world = *state;
	int pipes[2][2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	io_send(world->a.stream, SPAN("before "));
	io_send_fd(world->a.stream, SPAN("with "), pipes[0][0]);
	io_send(world->a.stream, SPAN("after "));
	io_send_fd(world->a.stream, SPAN("with"), pipes[1][0]);
	/* Ours may go at once: a duplicate travels. */
	close(pipes[0][0]);

	world->b.stop_reading = true;
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 10);
	assert_true(same_file(world->b.fd, pipes[0][1]));
	assert_true(fcntl(world->b.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(span_starts(buf_span(&world->b.got), SPAN("before with ")));
	world->b.stop_reading = false;
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 10);
	assert_got(&world->b, "before with after with");
	assert_true(same_file(world->b.fd, pipes[1][1]));
	close(pipes[0][1]);
	close(pipes[1][0]);
	close(pipes[1][1]);
}

static void
descriptors_keep_their_place_in_a_long_queue(void **state)
{
	struct world *world = *state;
	const size_t bytes_max = 1 << 20;
	char *bytes = mem_alloc(bytes_max);
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	io_send(world->a.stream, span_of(bytes, bytes_max));
	io_send_fd(world->a.stream, SPAN("with"), pipe_fds[0]);
	io_send(world->a.stream, span_of(bytes, bytes_max / 4));
	world->b.await_fd = true;
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 100);
	/* It comes with the read that gives its first byte, in spite of short writes. */
	assert_true(same_file(world->b.fd, pipe_fds[1]));
	assert_true(world->b.got.len > bytes_max);
	assert_true(world->b.got.len <= bytes_max + IO_READ_BYTES);
	world->b.await_fd = false;
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 100);
	assert_int_equal(world->b.got.len, bytes_max + 4 + bytes_max / 4);
	assert_memory_equal(world->b.got.ptr + bytes_max, "with", 4);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	mem_free(bytes);
}

/* The number of descriptors that this process has open. */
static int
fds_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
surplus_descriptors_do_not_leak(void **state)
{
	struct world *world = *state;
	alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	int fds[3] = {0, 1, 2}, before;
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	/* A subverted role sends three at once. */
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	before = fds_open();
	assert_int_equal(sendmsg(world->a.stream->fd, &msg, 0), 1);
	io_read(world->b.stream, &world->b.read);
	run_for(world->io, 10);
	assert_got(&world->b, "x");
	assert_true(world->b.fd >= 0);
	assert_int_equal(fds_open(), before + 1);
}

static void
unsent_descriptors_do_not_leak(void **state)
{
	struct world *world = *state;
	int before = fds_open();

	io_send_fd(world->a.stream, SPAN("x"), 0);
	assert_int_equal(fds_open(), before + 1);
	io_abort(world->a.stream);
	world->a.stream = NULL;
	io_run(world->io);
	assert_int_equal(fds_open(), before - 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(bytes_come_back),
	    TEST(nothing_is_taken_unread),
	    TEST(nothing_left_ends_the_loop),
	    TEST(end_of_stream),
	    TEST(sending_to_a_lost_peer),
	    TEST(more_than_is_kept_breaks),
	    TEST(slow_reader_and_drain),
	    TEST(drain_never_completes_in_the_call),
	    TEST(close_inside_done),
	    TEST(closed_operations_never_complete),
	    TEST(descriptors_go_with_their_bytes),
	    TEST(descriptors_keep_their_place_in_a_long_queue),
	    TEST(surplus_descriptors_do_not_leak),
	    TEST(unsent_descriptors_do_not_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
