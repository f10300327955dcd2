/* Listening, connecting and closing over TCP on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/test_run.h"

enum { STREAMS_MAX = 64 };

struct world {
	struct io *io;
	struct io_listener *listener;
	int fd;
	struct net_addr at;
	struct io_op accept, connect, read;
	struct io_stream *accepted[STREAMS_MAX];
	unsigned accepts, connects, reads;
	enum err accept_err, read_err;
	struct buf got;
};

static void
on_accept(struct io_op *op)
{
	struct world *world = op->owner;

	world->accept_err = op->err;
	if (op->err)
		return;
	assert_int_equal(op->peer.family, 4);
	assert_true(net_addr_same_host(&op->peer, &world->at));
	assert_int_equal(op->local.port, world->at.port);
	world->accepted[world->accepts++] = op->stream;
	io_accept(world->listener, op);
}

static void
on_connect(struct io_op *op)
{
	struct world *world = op->owner;

	world->connects++;
}

static void
on_read(struct io_op *op)
{
	struct world *world = op->owner;

	world->reads++;
	world->read_err = op->err;
	buf_add(&world->got, op->bytes);
}

static int
socket_bound(struct net_addr *at)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	*at = io_addr_local(fd);
	return fd;
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	world->io = io_create();
	world->fd = socket_bound(&world->at);
	assert_int_equal(listen(world->fd, 64), 0);
	assert_int_equal(io_listener_open(world->io, world->fd, &world->listener), OK);
	world->accept = (struct io_op){.done = on_accept, .owner = world};
	world->connect = (struct io_op){.done = on_connect, .owner = world};
	world->read = (struct io_op){.done = on_read, .owner = world};
	buf_init(&world->got, 32 << 20);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	for (unsigned i = 0; i < world->accepts; i++)
		io_close(world->accepted[i]);
	io_listener_close(world->listener);
	io_run(world->io);
	io_destroy(world->io);
	/* The listening descriptor is the caller's. */
	assert_int_equal(close(world->fd), 0);
	buf_fini(&world->got);
	mem_free(world);
	return 0;
}

/* A connection of ours to the listener, accepted. */
static struct io_stream *
connected(struct world *world)
{
	io_accept(world->listener, &world->accept);
	io_connect(world->io, &world->connect, &world->at);
	run_for(world->io, 30);
	assert_int_equal(world->connects, 1);
	assert_int_equal(world->connect.err, OK);
	assert_int_equal(world->accepts, 1);
	return world->connect.stream;
}

static void
connect_and_accept(void **state)
{
	struct world *world = *state;
	struct io_stream *stream = connected(world);

	assert_int_equal(world->accept.peer.port, io_addr_local(stream->fd).port);
	assert_true(fcntl(stream->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(world->accepted[0]->fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(world->accepted[0]->fd, F_GETFL) & O_NONBLOCK);
	io_read(stream, &world->read);
	io_send(world->accepted[0], SPAN("220 hello\r\n"));
	run_for(world->io, 30);
	assert_true(span_eq(buf_span(&world->got), SPAN("220 hello\r\n")));
	io_close(stream);
}

static void
connect_refused(void **state)
{
	struct world *world = *state;
	struct net_addr nobody;
	int fd = socket_bound(&nobody);

	io_connect(world->io, &world->connect, &nobody);
	assert_int_equal(world->connects, 0);
	run_for(world->io, 30);
	assert_int_equal(world->connects, 1);
	assert_int_equal(world->connect.err, ERR_REFUSED);
	assert_null(world->connect.stream);
	close(fd);
}

static void
connect_cancelled(void **state)
{
	struct world *world = *state;
	struct net_addr nobody = {.family = 4, .bytes = {255, 255, 255, 255}, .port = 25};

	io_connect(world->io, &world->connect, &world->at);
	assert_non_null(world->connect.stream);
	io_abort(world->connect.stream);
	/* This one fails in the call, which is not told before the turn ends. */
	io_connect(world->io, &world->connect, &nobody);
	io_close(world->connect.stream);
	io_run(world->io);
	assert_int_equal(world->connects, 0);
}

static void
connect_unreachable(void **state)
{
	struct world *world = *state;
	struct net_addr nobody = {.family = 4, .bytes = {255, 255, 255, 255}, .port = 25};

	io_connect(world->io, &world->connect, &nobody);
	assert_int_equal(world->connects, 0);
	io_run(world->io);
	assert_int_equal(world->connects, 1);
	assert_true(
	    world->connect.err == ERR_UNREACHABLE || world->connect.err == ERR_DENIED);
}

static void
many_wait_to_be_accepted(void **state)
{
	struct world *world = *state;
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fds[40];

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(world->at.port);
	for (size_t i = 0; i < LEN(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], (struct sockaddr *)&in, sizeof(in)), 0);
	}
	io_accept(world->listener, &world->accept);
	/* One turn takes no more than its share. */
	io_turn(world->io);
	assert_int_equal(world->accepts, IO_ACCEPTS_PER_EVENT);
	run_for(world->io, 30);
	assert_int_equal(world->accepts, LEN(fds));
	for (size_t i = 0; i < LEN(fds); i++)
		close(fds[i]);
}

static void
out_of_descriptors(void **state)
{
	struct world *world = *state;
	struct rlimit limit, none;
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in.sin_port = htons(world->at.port);
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	io_accept(world->listener, &world->accept);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* Ends though the connection still waits: nobody polls for it now. */
	io_run(world->io);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(world->accepts, 0);
	assert_int_equal(world->accept_err, ERR_DESCRIPTORS);
	io_accept(world->listener, &world->accept);
	run_for(world->io, 20);
	assert_int_equal(world->accepts, 1);
	close(fd);
}

static void
reset_by_abort(void **state)
{
	struct world *world = *state;
	struct io_stream *stream = connected(world);

	io_read(world->accepted[0], &world->read);
	io_abort(stream);
	run_for(world->io, 20);
	assert_int_equal(world->reads, 1);
	assert_int_equal(world->read_err, ERR_CLOSED);
}

static void
last_words_survive_unread_input(void **state)
{
	struct world *world = *state;
	struct io_stream *stream = connected(world);
	char *bytes = mem_alloc(1 << 20);

	/* The peer still sends its message when it is told off. */
	io_send(stream, span_of(bytes, 1 << 20));
	run_for(world->io, 20);
	io_send(world->accepted[0], SPAN("554 no\r\n"));
	io_close(world->accepted[0]);
	world->accepted[0] = NULL;
	run_for(world->io, 50);
	io_read(stream, &world->read);
	run_for(world->io, 20);
	assert_int_equal(world->read_err, OK);
	assert_true(span_eq(buf_span(&world->got), SPAN("554 no\r\n")));
	/* An end, not a reset. */
	io_read(stream, &world->read);
	run_for(world->io, 20);
	assert_int_equal(world->read_err, ERR_END);
	/* We end too; then the other side stops waiting. */
	io_close(stream);
	run_for(world->io, 20);
	assert_true(list_empty(&world->io->closing));
	mem_free(bytes);
}

static void
closing_ends_though_the_peer_does_not_read(void **state)
{
	struct world *world = *state;
	struct io_stream *stream = connected(world);
	const size_t count = 8 << 20; /* more than the kernel keeps for a peer */
	char *bytes = mem_alloc(count);
	int small = 4096;

	setsockopt(world->accepted[0]->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	io_send(world->accepted[0], span_of(bytes, count));
	io_close(world->accepted[0]);
	world->accepted[0]->deadline_ms = io_now_ms(world->io) + 1000;
	world->accepted[0] = NULL;
	uv_timer_start(&world->io->close_timer, io_streams_expire, 50, 0);
	run_for(world->io, 20);
	assert_false(list_empty(&world->io->closing));
	/* A busy machine may be late. */
	for (int i = 0; i < 100 && !list_empty(&world->io->closing); i++)
		run_for(world->io, 50);
	assert_true(list_empty(&world->io->closing));
	io_close(stream);
	mem_free(bytes);
}

static void
only_listeners_listen(void **state)
{
	struct world *world = *state;
	struct io_listener *listener = NULL;
	struct net_addr at;
	int fd = socket_bound(&at);

	assert_int_equal(io_listener_open(world->io, fd, &listener), ERR_UNSUPPORTED);
	assert_null(listener);
	close(fd);
}

static void
mapped_addresses_are_ipv4(void **state)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
	struct net_addr addr;

	(void)state;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(25);
	memcpy(
	    in6->sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x07", 16);
	addr = io_addr_from(&storage);
	assert_int_equal(addr.family, 4);
	assert_memory_equal(addr.bytes, "\xc0\x00\x02\x07", 4);
	assert_int_equal(addr.port, 25);
	in6->sin6_addr.s6_addr[10] = 0;
	addr = io_addr_from(&storage);
	assert_int_equal(addr.family, 6);
	storage.ss_family = AF_UNIX;
	assert_int_equal(io_addr_from(&storage).family, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(connect_and_accept),
	    TEST(connect_refused),
	    TEST(connect_cancelled),
	    TEST(connect_unreachable),
	    TEST(many_wait_to_be_accepted),
	    TEST(out_of_descriptors),
	    TEST(reset_by_abort),
	    TEST(last_words_survive_unread_input),
	    TEST(closing_ends_though_the_peer_does_not_read),
	    TEST(only_listeners_listen),
	    cmocka_unit_test(mapped_addresses_are_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
