/* Connections between hosts, and descriptors that travel. */
#include "sim/test_sim.h"

enum { MANY_BYTES = 3 << 20 };

/* Two hosts, and a connection between them. */
struct pair {
	struct sim *sim;
	struct io *client_io, *server_io;
	struct io_listener *listener;
	struct io_stream *client, *server;
	struct io_op connect, accept, read;
	struct buf got;
	enum err end; /* of the server's reading */
	bool connected, answered;
};

static void
got_bytes(struct io_op *op)
{
	struct pair *pair = op->owner;

	if (op->err) {
		pair->end = op->err;
		return;
	}
	buf_add(&pair->got, op->bytes);
	io_read(pair->server, op);
}

static void
got_client(struct io_op *op)
{
	struct pair *pair = op->owner;

	assert_int_equal(op->err, OK);
	assert_int_equal(op->peer.bytes[3], 2);
	pair->server = op->stream;
	io_read(pair->server, &pair->read);
}

static void
is_connected(struct io_op *op)
{
	struct pair *pair = op->owner;

	pair->answered = true;
	pair->connected = op->err == OK;
	pair->client = op->stream;
	pair->end = op->err;
}

static void
pair_init(struct pair *pair, const struct sim_faults *faults)
{
	struct sim_options options = {.seed = 7, .net_us_max = 20000, .ipc_us_max = 100};
	const struct net_addr a = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 25};
	const struct net_addr b = {.family = 4, .bytes = {192, 0, 2, 2}};

	if (faults)
		options.faults = *faults;
	*pair = (struct pair){.sim = sim_create(&options)};
	pair->server_io = sim_actor_io(pair->sim, &a);
	pair->client_io = sim_actor_io(pair->sim, &b);
	assert_int_equal(io_listener_open(pair->server_io, sim_listen(pair->server_io, &a),
			     &pair->listener), OK);
	pair->accept = (struct io_op){.done = got_client, .owner = pair};
	pair->read = (struct io_op){.done = got_bytes, .owner = pair};
	pair->connect = (struct io_op){.done = is_connected, .owner = pair};
	buf_init(&pair->got, MANY_BYTES);
	io_accept(pair->listener, &pair->accept);
	io_connect(pair->client_io, &pair->connect, &a);
	assert_false(pair->answered);
}

static void
settle(struct pair *pair)
{
	while (sim_step(pair->sim))
		;
}

static void
pair_fini(struct pair *pair)
{
	buf_fini(&pair->got);
	sim_destroy(pair->sim);
}

static void
bytes_come_whole_and_in_order(void **state)
{
	const struct sim_faults faults = {.fragment = 300000, .net_stall = 100000};
	struct pair pair;

	(void)state;
	pair_init(&pair, &faults);
	settle(&pair);
	assert_true(pair.connected);
	for (uint32_t i = 0; i < MANY_BYTES / 4; i++)
		io_send(pair.client, span_of((const char *)&i, sizeof(i)));
	assert_int_equal(io_pending(pair.client), MANY_BYTES);
	io_close(pair.client);
	settle(&pair);
	assert_int_equal(pair.end, ERR_END);
	assert_int_equal(pair.got.len, MANY_BYTES);
	for (uint32_t i = 0; i < MANY_BYTES / 4; i++)
		assert_memory_equal(pair.got.ptr + 4 * (size_t)i, &i, sizeof(i));
	pair_fini(&pair);
}

static void
who_does_not_read_holds_the_sender(void **state)
{
	struct pair pair;
	char bytes[1024] = {0};

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	/* What comes the other way is not read. */
	for (int i = 0; i < 1024; i++)
		io_send(pair.server, span_of(bytes, sizeof(bytes)));
	settle(&pair);
	assert_in_range(io_pending(pair.server), 1, (1 << 20) - 1);
	pair_fini(&pair);
}

static void
an_abort_is_a_reset_at_the_other_end(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	io_abort(pair.client);
	settle(&pair);
	assert_int_equal(pair.end, ERR_CLOSED);
	pair_fini(&pair);
}

static void
a_half_closed_peer_can_still_be_spoken_to(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	io_send(pair.client, SPAN("question"));
	sim_stream_shutdown(pair.client);
	settle(&pair);
	assert_int_equal(pair.end, ERR_END);
	pair.end = OK;
	pair.connect = (struct io_op){.done = is_connected, .owner = &pair};
	pair.answered = false;
	io_read(pair.client, &pair.connect);
	io_send(pair.server, SPAN("answer"));
	settle(&pair);
	assert_true(pair.answered && pair.end == OK);
	pair_fini(&pair);
}

static void
nobody_is_told_of_silence(void **state)
{
	const struct sim_faults faults = {.net_silence = 1000000};
	struct pair pair;

	(void)state;
	pair_init(&pair, &faults);
	settle(&pair);
	io_send(pair.client, SPAN("lost"));
	settle(&pair);
	assert_int_equal(pair.got.len, 0);
	assert_int_equal(pair.end, OK);
	pair_fini(&pair);
}

static void
a_partition_delays_and_ends(void **state)
{
	struct pair pair;
	uint64_t sent_us;

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	sent_us = sim_now_us(pair.sim);
	sim_partition(pair.sim, pair.client_io->host, pair.server_io->host);
	io_send(pair.client, SPAN("one "));
	settle(&pair);
	io_send(pair.client, SPAN("two"));
	settle(&pair);
	assert_memory_equal(pair.got.ptr, "one two", 7);
	assert_true(sim_now_us(pair.sim) - sent_us > 20000);
	pair_fini(&pair);
}

static void
a_host_that_vanishes_says_nothing(void **state)
{
	struct pair pair;

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	sim_actor_vanish(pair.client_io);
	settle(&pair);
	assert_int_equal(pair.end, OK);
	/* Speaking to it is met with a reset, since the host itself is there. */
	io_send(pair.server, SPAN("hello?"));
	settle(&pair);
	assert_int_equal(pair.end, ERR_CLOSED);
	pair_fini(&pair);
}

static void
nobody_there_is_refused_or_unreachable(void **state)
{
	const struct net_addr closed = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 26};
	const struct net_addr nobody = {.family = 4, .bytes = {192, 0, 2, 9}, .port = 25};
	struct pair pair;

	(void)state;
	pair_init(&pair, NULL);
	settle(&pair);
	io_connect(pair.client_io, &pair.connect, &closed);
	settle(&pair);
	assert_int_equal(pair.end, ERR_REFUSED);
	io_connect(pair.client_io, &pair.connect, &nobody);
	settle(&pair);
	assert_int_equal(pair.end, ERR_UNREACHABLE);
	pair_fini(&pair);
}

struct passed {
	struct io *io;
	struct io_stream *stream;
	int fd, reads;
	struct buf got;
};

static void
got_descriptor(struct io_op *op)
{
	struct passed *passed = op->owner;

	if (op->err)
		return;
	if (op->fd >= 0) {
		/* With the first of the bytes that it was sent with. */
		assert_int_equal(op->bytes.ptr[0], 'F');
		assert_true(passed->fd < 0);
		passed->fd = op->fd;
	}
	passed->reads++;
	buf_add(&passed->got, op->bytes);
	io_read(passed->stream, op);
}

static void
a_descriptor_comes_with_its_bytes(void **state)
{
	struct sim_options options = {.seed = 3, .ipc_us_max = 100};
	const struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, 1}};
	struct passed passed = {.fd = -1};
	struct io_op op = {.done = got_descriptor, .owner = &passed};
	struct sim *sim = sim_create(&options);
	struct io_stream *near;
	int fds[2], sent[2];

	(void)state;
	passed.io = sim_actor_io(sim, &addr);
	buf_init(&passed.got, 4096);
	sim_pair(passed.io, fds);
	sim_pair(passed.io, sent);
	near = io_stream_open(passed.io, fds[0]);
	passed.stream = io_stream_open(passed.io, fds[1]);
	io_read(passed.stream, &op);
	io_send(near, SPAN("before "));
	io_send_fd(near, SPAN("Frame "), sent[0]);
	io_send(near, SPAN("after"));
	while (sim_step(sim))
		;
	assert_true(passed.fd >= 0);
	assert_memory_equal(passed.got.ptr, "before Frame after", 18);
	buf_fini(&passed.got);
	sim_destroy(sim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_come_whole_and_in_order),
	    cmocka_unit_test(who_does_not_read_holds_the_sender),
	    cmocka_unit_test(an_abort_is_a_reset_at_the_other_end),
	    cmocka_unit_test(a_half_closed_peer_can_still_be_spoken_to),
	    cmocka_unit_test(nobody_is_told_of_silence),
	    cmocka_unit_test(a_partition_delays_and_ends),
	    cmocka_unit_test(a_host_that_vanishes_says_nothing),
	    cmocka_unit_test(nobody_there_is_refused_or_unreachable),
	    cmocka_unit_test(a_descriptor_comes_with_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
