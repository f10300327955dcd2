/*
 * Channels over real socket pairs: what a peer sends arrives whole and in order however it is
 * cut, descriptors come with the frames that they were sent with, and whatever goes wrong is told
 * once.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "ipc/ipc.h"

enum { FRAMES_MAX = 400, STEP_MS = 1 };

/* What the handler does with a frame of that type. */
enum act {
	ACT_NONE,
	ACT_PAUSE,
	ACT_PAUSE_AND_RESUME,
	ACT_DESTROY,
	ACT_FAIL,
	ACT_FAIL_AS_END,
	ACT_DESTROY_AND_FAIL
};

struct world {
	struct io *io;
	struct io_timer timer;
	struct ipc_channel *channel; /* under test */
	int raw; /* the other side, where it is no channel */
	enum act act; /* at type 2 */
	unsigned types[FRAMES_MAX];
	size_t sizes[FRAMES_MAX];
	uint64_t files[FRAMES_MAX]; /* inode of the descriptor that came along, or 0 */
	bool intact; /* payloads are what write_frame() makes */
	unsigned count, closed;
	enum err err;
};

static uint64_t
file_of(int fd)
{
	struct stat status;

	if (fd < 0)
		return 0;
	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

static enum err
act(struct world *world, struct ipc_channel *channel)
{
	switch (world->act) {
	case ACT_NONE:
		return OK;
	case ACT_PAUSE:
		ipc_channel_pause(channel, true);
		return OK;
	case ACT_PAUSE_AND_RESUME:
		ipc_channel_pause(channel, true);
		ipc_channel_pause(channel, false);
		return OK;
	case ACT_DESTROY:
	case ACT_DESTROY_AND_FAIL:
		ipc_channel_destroy(channel);
		world->channel = NULL;
		return world->act == ACT_DESTROY ? OK : ERR_SYNTAX;
	case ACT_FAIL:
		return ERR_SYNTAX;
	case ACT_FAIL_AS_END:
		return ERR_END;
	}
	return OK;
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct world *world = owner;

	assert_ptr_equal(channel, world->channel);
	assert_true(world->count < FRAMES_MAX);
	world->types[world->count] = type;
	world->sizes[world->count] = payload.len;
	world->files[world->count++] = file_of(fd);
	for (size_t i = 0; i < payload.len; i++)
		world->intact = world->intact && payload.ptr[i] == (char)(type + i);
	if (fd >= 0)
		close(fd);
	return type == 2 ? act(world, channel) : OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct world *world = owner;

	assert_ptr_equal(channel, world->channel);
	world->closed++;
	world->err = err;
}

static void
stop(struct io_timer *timer)
{
	io_stop(((struct world *)timer->owner)->io);
}

/* Runs the loop for a moment, which is enough for what is there already. */
static void
step(struct world *world)
{
	for (int i = 0; i < 2; i++) {
		io_timer_start(world->io, &world->timer, STEP_MS);
		io_run(world->io);
	}
}

static void
world_init(struct world *world)
{
	const struct ipc_handlers handlers = {world, receive, closed};
	int pair[2];

	*world = (struct world){.io = io_create(), .intact = true};
	world->timer = (struct io_timer){.fired = stop, .owner = world};
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	world->raw = pair[1];
	world->channel =
	    ipc_channel_create(io_stream_open(world->io, pair[0]), &handlers);
}

static void
world_fini(struct world *world)
{
	assert_true(world->intact);
	ipc_channel_destroy(world->channel);
	if (world->raw >= 0)
		close(world->raw);
	step(world);
	io_destroy(world->io);
}

static void
hang_up(struct world *world)
{
	close(world->raw);
	world->raw = -1;
}

static void
write_frame(struct buf *out, unsigned type, size_t bytes)
{
	wire_u32(out, (uint32_t)bytes);
	wire_u16(out, (uint16_t)type);
	for (size_t i = 0; i < bytes; i++)
		buf_add_char(out, (char)(type + i));
}

/* Frames of these types, 0 at the end, of ten bytes and more. */
static void
write_frames(struct buf *out, const unsigned *types)
{
	buf_init(out, 1 << 20);
	for (; *types; types++)
		write_frame(out, *types, 10 + *types);
	assert_int_equal(buf_finish(out), OK);
}

/* Sends bytes, with a descriptor unless it is -1. */
static void
send_raw(struct world *world, struct span bytes, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(char *)(uintptr_t)bytes.ptr, bytes.len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(world->raw, &msg, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

static void
assert_types(const struct world *world, const unsigned *types)
{
	unsigned count = 0;

	for (; types[count]; count++)
		assert_int_equal(world->types[count], types[count]);
	assert_int_equal(world->count, count);
}

static void
frames_arrive_in_order(void **state)
{
	const struct ipc_handlers handlers = {NULL, receive, closed};
	static const size_t sizes[] = {0, 1, 100, IPC_FRAME_BYTES_MAX, 7, 65536, 3};
	struct ipc_channel *other;
	struct world world;

	(void)state;
	world_init(&world);
	other = ipc_channel_create(io_stream_open(world.io, world.raw), &handlers);
	world.raw = -1;
	for (unsigned i = 0; i < 10 * LEN(sizes); i++) {
		struct buf *out = ipc_channel_begin(other, i + 100);

		for (size_t k = 0; k < sizes[i % LEN(sizes)]; k++)
			buf_add_char(out, (char)(i + 100 + k));
		ipc_channel_end(other);
	}
	for (int i = 0; i < 100 && world.count < 10 * LEN(sizes); i++)
		step(&world);
	assert_int_equal(world.count, 10 * LEN(sizes));
	for (unsigned i = 0; i < world.count; i++) {
		assert_int_equal(world.types[i], i + 100);
		assert_int_equal(world.sizes[i], sizes[i % LEN(sizes)]);
	}
	/* What was sent before the end arrives before the end. */
	ipc_channel_end((ipc_channel_begin(other, 7), other));
	ipc_channel_destroy(other);
	step(&world);
	assert_int_equal(world.types[world.count - 1], 7);
	assert_int_equal(world.closed, 1);
	assert_int_equal(world.err, ERR_CLOSED);
	world_fini(&world);
}

/* All frames, in pieces of each size: bytes apart, two at once, and one and a half. */
static void
frames_may_be_cut_anywhere(void **state)
{
	static const unsigned types[] = {1, 2, 3, 4, 0};
	struct buf wire;

	(void)state;
	write_frames(&wire, types);
	for (size_t piece = 1; piece <= wire.len; piece++) {
		struct span rest = buf_span(&wire);
		struct world world;

		world_init(&world);
		for (; rest.len > 0; rest = span_skip(rest, piece)) {
			send_raw(&world, span_first(rest, piece), -1);
			step(&world);
		}
		assert_types(&world, types);
		assert_int_equal(world.sizes[3], 14);
		assert_int_equal(world.closed, 0);
		world_fini(&world);
	}
	buf_fini(&wire);
}

static void
a_frame_has_a_maximum(void **state)
{
	static const struct {
		size_t bytes;
		unsigned frames, closed;
	} cases[] = {
	    {IPC_FRAME_BYTES_MAX, 1, 0},
	    {IPC_FRAME_BYTES_MAX + 1, 0, 1},
	    {UINT32_MAX, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		for (int cut = 0; cut < 2; cut++) {
			struct world world;
			struct buf wire;
			struct span rest;

			world_init(&world);
			buf_init(&wire, 1 << 20);
			write_frame(&wire, 5, 200000);
			wire_put_u32(wire.ptr, (uint32_t)cases[i].bytes);
			rest = span_first(
			    buf_span(&wire), IPC_HEADER_BYTES + cases[i].bytes);
			/* The header alone is enough to know. */
			if (cut && cases[i].closed)
				rest.len = IPC_HEADER_BYTES;
			for (; rest.len > 0 && !world.closed;
			     rest = span_skip(rest, 60000)) {
				send_raw(&world, span_first(rest, 60000), -1);
				step(&world);
			}
			assert_int_equal(world.count, cases[i].frames);
			assert_int_equal(world.closed, cases[i].closed);
			if (cases[i].closed)
				assert_int_equal(world.err, ERR_TOO_LONG);
			buf_fini(&wire);
			world_fini(&world);
		}
}

/* Cuts a list of frames in two and gives both parts; the handler acts at type 2. */
static void
play(struct world *world, enum act at_two, const unsigned *types, size_t cut)
{
	struct buf wire;

	world_init(world);
	world->act = at_two;
	write_frames(&wire, types);
	send_raw(world, span_first(buf_span(&wire), cut), -1);
	step(world);
	if (cut < wire.len && world->channel) {
		send_raw(world, span_skip(buf_span(&wire), cut), -1);
		step(world);
	}
	buf_fini(&wire);
}

static const unsigned four[] = {1, 2, 3, 4, 0}, two[] = {1, 2, 0};
/* Places to cut: nowhere, in the first frame, in the frame acted on, after it. */
static const size_t cuts[] = {SIZE_MAX, 3, 20, 40};

static void
a_pause_holds_the_frames_that_follow(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cuts); i++) {
		struct world world;

		play(&world, ACT_PAUSE, four, cuts[i]);
		assert_types(&world, two);
		world.act = ACT_NONE;
		ipc_channel_pause(world.channel, false);
		step(&world);
		assert_types(&world, four);
		assert_int_equal(world.closed, 0);
		world_fini(&world);
	}
}

static void
a_pause_that_ends_at_once_holds_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cuts); i++) {
		struct world world;

		play(&world, ACT_PAUSE_AND_RESUME, four, cuts[i]);
		assert_types(&world, four);
		world_fini(&world);
	}
}

static void
a_pause_from_outside_holds_what_comes(void **state)
{
	struct world world;
	struct buf wire;

	(void)state;
	world_init(&world);
	write_frames(&wire, four);
	ipc_channel_pause(world.channel, true);
	/* A read is under way: what it brings is kept, and no other is started. */
	for (size_t i = 0; i < wire.len; i++) {
		send_raw(&world, span_first(span_skip(buf_span(&wire), i), 1), -1);
		if (i < 20)
			step(&world);
	}
	hang_up(&world);
	step(&world);
	assert_int_equal(world.count, 0);
	assert_int_equal(world.closed, 0);
	ipc_channel_pause(world.channel, false);
	step(&world);
	assert_types(&world, four);
	assert_int_equal(world.closed, 1);
	assert_int_equal(world.err, ERR_CLOSED);
	buf_fini(&wire);
	world_fini(&world);
}

static void
a_handler_may_destroy_the_channel(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cuts); i++)
		for (enum act how = ACT_DESTROY; how <= ACT_DESTROY_AND_FAIL;
		     how += ACT_DESTROY_AND_FAIL - ACT_DESTROY) {
			struct world world;

			play(&world, how, four, cuts[i]);
			assert_types(&world, two);
			assert_null(world.channel);
			/* Who is gone is told nothing. */
			assert_int_equal(world.closed, 0);
			world_fini(&world);
		}
}

static void
a_frame_that_is_refused_ends_the_channel_once(void **state)
{
	static const struct {
		enum act act;
		enum err err;
	} cases[] = {{ACT_FAIL, ERR_SYNTAX}, {ACT_FAIL_AS_END, ERR_END}};

	(void)state;
	for (size_t k = 0; k < LEN(cases); k++)
		for (size_t i = 0; i < LEN(cuts); i++) {
			struct world world;

			play(&world, cases[k].act, four, cuts[i]);
			hang_up(&world);
			step(&world);
			assert_types(&world, two);
			assert_int_equal(world.closed, 1);
			assert_int_equal(world.err, cases[k].err);
			world_fini(&world);
		}
}

static void
the_end_of_the_peer_is_told_once(void **state)
{
	static const size_t ends[] = {0, 3, 11, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < LEN(ends); i++) {
		struct world world;

		play(&world, ACT_NONE, two, ends[i] ? ends[i] : SIZE_MAX);
		hang_up(&world);
		step(&world);
		step(&world);
		assert_types(&world, two);
		assert_int_equal(world.closed, 1);
		assert_int_equal(world.err, ERR_CLOSED);
		world_fini(&world);
	}
}

static void
half_a_frame_is_none(void **state)
{
	struct world world;
	struct buf wire;

	(void)state;
	world_init(&world);
	write_frames(&wire, two);
	send_raw(&world, span_first(buf_span(&wire), wire.len - 1), -1);
	hang_up(&world);
	step(&world);
	assert_int_equal(world.count, 1);
	assert_int_equal(world.closed, 1);
	buf_fini(&wire);
	world_fini(&world);
}

/* A file of its own, told from others by its inode. */
static int
make_file(void)
{
	char path[] = "/tmp/channel_test.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

/* Frames with and without descriptors, sent in one turn: each comes with its own. */
static void
descriptors_come_with_their_frames(void **state)
{
	static const char *const patterns[] = {"f", "ff", "fff", ".f", "f.", "..f..f",
	    "f.f.f", ".ff..", "ffffffffffffffff", "................f"};
	const struct ipc_handlers handlers = {NULL, receive, closed};

	(void)state;
	for (size_t i = 0; i < LEN(patterns); i++) {
		struct ipc_channel *other;
		uint64_t files[FRAMES_MAX] = {0};
		struct world world;

		world_init(&world);
		other =
		    ipc_channel_create(io_stream_open(world.io, world.raw), &handlers);
		world.raw = -1;
		for (size_t k = 0; patterns[i][k]; k++) {
			const struct ipc_sx_link link = {.role = 3, .instance = 4};
			int fd;

			ipc_sx_link_encode(ipc_channel_begin(other, IPC_sx_LINK), &link);
			if (patterns[i][k] == '.') {
				ipc_channel_end(other);
				continue;
			}
			fd = make_file();
			files[k] = file_of(fd);
			ipc_channel_end_fd(other, fd);
			close(fd);
		}
		world.intact = true;
		step(&world);
		step(&world);
		assert_int_equal(world.count, strlen(patterns[i]));
		for (size_t k = 0; k < world.count; k++)
			if (world.files[k] != files[k])
				fail_msg("%s: frame %zu has another descriptor",
				    patterns[i], k);
		world.intact = true;
		ipc_channel_destroy(other);
		world_fini(&world);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_arrive_in_order),
	    cmocka_unit_test(frames_may_be_cut_anywhere),
	    cmocka_unit_test(a_frame_has_a_maximum),
	    cmocka_unit_test(a_pause_holds_the_frames_that_follow),
	    cmocka_unit_test(a_pause_that_ends_at_once_holds_nothing),
	    cmocka_unit_test(a_pause_from_outside_holds_what_comes),
	    cmocka_unit_test(a_handler_may_destroy_the_channel),
	    cmocka_unit_test(a_frame_that_is_refused_ends_the_channel_once),
	    cmocka_unit_test(the_end_of_the_peer_is_told_once),
	    cmocka_unit_test(half_a_frame_is_none),
	    cmocka_unit_test(descriptors_come_with_their_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
