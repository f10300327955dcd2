/*
 * Streams: their life, their poll events, and reading.
 *
 * A socket is put into the epoll set once, edge-triggered: what is known of it is
 * kept in flags, so that between the commands of a session no system call is made
 * but those that read and write.  After a read that found less than it had room
 * for, nothing is left, and the next event tells of more (epoll(7)).
 *
 * io_close is called from done functions of the same stream, so destroying
 * only unlinks; the memory goes at the end of a turn.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdalign.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { DISCARDS_MAX = 64 };

#define BIT(n) (1U << (n))

void
io_stream_move(struct io_stream *stream, enum io_stream_state next)
{
	static const unsigned allowed[IO_STREAM_STATE_COUNT] = {
	    [IO_STREAM_CONNECTING] = BIT(IO_STREAM_OPEN) | BIT(IO_STREAM_GONE),
	    [IO_STREAM_OPEN] = BIT(IO_STREAM_LOST) | BIT(IO_STREAM_BROKEN) |
			       BIT(IO_STREAM_FLUSHING) | BIT(IO_STREAM_GONE),
	    [IO_STREAM_LOST] = BIT(IO_STREAM_BROKEN) | BIT(IO_STREAM_GONE),
	    [IO_STREAM_BROKEN] = BIT(IO_STREAM_GONE),
	    [IO_STREAM_FLUSHING] = BIT(IO_STREAM_LINGERING) | BIT(IO_STREAM_GONE),
	    [IO_STREAM_LINGERING] = BIT(IO_STREAM_GONE),
	};

	check(allowed[stream->state] & BIT(next));
	stream->state = next;
}

void
io_stream_touch(struct io_stream *stream)
{
	if (!list_linked(&stream->dirty))
		list_push(&stream->io->dirty, &stream->dirty);
}

/* Forgets operations that are under way: they never complete. */
static void
forget_ops(struct io_stream *stream)
{
	list_remove(&stream->input.link);
	list_remove(&stream->drained_task.link);
	stream->connect = stream->read = stream->drain = NULL;
}

void
io_stream_destroy(struct io_stream *stream)
{
	io_stream_move(stream, IO_STREAM_GONE);
	forget_ops(stream);
	io_stream_drop_output(stream);
	list_remove(&stream->dirty);
	list_remove(&stream->closing);
	list_remove(&stream->link);
	/* Of a link the supervisor, and of any socket a child that starts, may hold a copy. */
	if (stream->watched && (!stream->tcp || stream->io->has_children))
		io_watch_end(stream->io, stream->fd, &stream->watch);
	else
		io_watch_end(stream->io, -1, &stream->watch);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

void
io_stream_fail(struct io_stream *stream, enum io_stream_state state)
{
	if (stream->state == IO_STREAM_FLUSHING) {
		io_stream_destroy(stream);
		return;
	}
	io_stream_move(stream, state);
	io_stream_drop_output(stream);
	if (stream->read && !list_linked(&stream->input.link))
		io_task_add(stream->io, &stream->input);
	io_stream_check_drain(stream);
	io_stream_touch(stream);
}

/*
 * Receives at most one descriptor beside the bytes; the kernel never merges
 * what two sends gave one each.  Returns as recvmsg does.
 */
static ssize_t
receive(struct io_stream *stream, struct io_op *op)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {stream->io->read_bytes, IO_READ_BYTES};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	struct cmsghdr *cmsg;
	ssize_t got;

	/* CMSG_SPACE rounds up to where a second descriptor would fit. */
	msg.msg_controllen = CMSG_LEN(sizeof(int));
	do {
		got = recvmsg(stream->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0 || stream->tcp)
		return got;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&op->fd, CMSG_DATA(cmsg), sizeof(int));
	return got;
}

/* Reads for the operation that waits; it stays under way where nothing is there. */
static void
read_now(struct io_stream *stream)
{
	struct io_op *op = stream->read;
	char *bytes = stream->io->read_bytes;
	const bool secret = stream->secret;
	ssize_t got = receive(stream, op);

	if (got < 0 && errno == EAGAIN && stream->state == IO_STREAM_OPEN) {
		stream->readable = false;
		return;
	}
	/* A read stops behind a descriptor, whatever follows. */
	stream->drained = got > 0 && got < IO_READ_BYTES && op->fd < 0 && !stream->ended;
	stream->readable = !stream->drained;
	stream->read = NULL;
	if (got > 0) {
		op->bytes = span_of(bytes, (size_t)got);
		op->count = (size_t)got;
	} else if (got == 0 && stream->state == IO_STREAM_OPEN) {
		op->err = ERR_END;
	} else {
		op->err = ERR_CLOSED;
		io_stream_fail(stream, IO_STREAM_BROKEN);
	}
	op->done(op);
	if (secret && got > 0)
		mem_wipe(bytes, (size_t)got);
}

/* The task of an operation that ends without waiting for the socket. */
static void
input_run(struct io_task *task)
{
	struct io_stream *stream = container_of(task, struct io_stream, input);
	struct io_op *op = stream->read;

	if (stream->state == IO_STREAM_CONNECTING) {
		io_connect_finish(stream);
		return;
	}
	/* What it was for may have been done by an event meanwhile. */
	if (!op)
		return;
	if (stream->state == IO_STREAM_OPEN || stream->state == IO_STREAM_LOST) {
		read_now(stream);
		return;
	}
	check(stream->state == IO_STREAM_BROKEN);
	stream->read = NULL;
	op->err = ERR_CLOSED;
	op->done(op);
}

static void
drained_run(struct io_task *task)
{
	struct io_stream *stream = container_of(task, struct io_stream, drained_task);
	struct io_op *op = stream->drain;

	stream->drain = NULL;
	op->err = stream->state == IO_STREAM_OPEN ? OK : ERR_CLOSED;
	op->done(op);
}

void
io_read(struct io_stream *stream, struct io_op *op)
{
	check(!stream->read && op->done);
	io_op_start(op);
	stream->read = op;
	if (stream->state != IO_STREAM_OPEN) {
		check(
		    stream->state == IO_STREAM_LOST || stream->state == IO_STREAM_BROKEN);
		io_task_add(stream->io, &stream->input);
	} else if (stream->readable && !list_linked(&stream->input.link)) {
		io_task_add(stream->io, &stream->input);
	}
}

/*
 * Takes and forgets what a closed stream's peer still sends, until it ends too; or until it has
 * sent so much that a reset is the answer.
 */
static void
discard(struct io_stream *stream)
{
	for (int i = 0; i < DISCARDS_MAX; i++) {
		ssize_t got =
		    recv(stream->fd, stream->io->read_bytes, IO_READ_BYTES, MSG_DONTWAIT);

		if (got < 0 && errno == EAGAIN)
			return;
		if (got == 0 || (got < 0 && errno != EINTR))
			break;
	}
	io_stream_destroy(stream);
}

/*
 * All that was kept is written.  To close a TCP socket with unread input makes
 * the kernel send a reset, upon which the peer may lose our last words, say a
 * reply that tells why; so where there is some, wait for the peer's end.
 */
static void
finish_close(struct io_stream *stream)
{
	ssize_t got = 0;

	if (stream->tcp && !stream->drained)
		got =
		    recv(stream->fd, stream->io->read_bytes, IO_READ_BYTES, MSG_DONTWAIT);
	if (got > 0 && shutdown(stream->fd, SHUT_WR) == 0) {
		io_stream_move(stream, IO_STREAM_LINGERING);
		discard(stream);
	} else {
		io_stream_destroy(stream);
	}
}

bool
io_stream_waits(const struct io_stream *stream)
{
	return stream->read || stream->out.len > 0 || stream->state == IO_STREAM_CONNECTING ||
	    stream->state == IO_STREAM_LINGERING;
}

static void
ready(struct io_watch *watch, uint32_t events)
{
	struct io_stream *stream = container_of(watch, struct io_stream, watch);

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		stream->ended = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		stream->readable = true;
		stream->drained = false;
	}
	if (stream->state == IO_STREAM_CONNECTING) {
		if (!list_linked(&stream->input.link))
			io_connect_finish(stream);
		return;
	}
	if (stream->out.len > 0 && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
		io_stream_touch(stream);
	if (stream->state == IO_STREAM_LINGERING)
		discard(stream);
	else if (stream->state == IO_STREAM_OPEN && stream->readable && stream->read)
		read_now(stream);
}

/* Output was left over: an event is to tell when more can be written. */
static void
watch_output(struct io_stream *stream)
{
	if (stream->watches_output || !stream->watched)
		return;
	stream->watches_output = true;
	io_watch_change(stream->io, stream->fd, &stream->watch,
	    EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

/* Writes one stream that has been touched and asks for its events. */
static void
settle(struct io_stream *stream)
{
	if (stream->state == IO_STREAM_OPEN || stream->state == IO_STREAM_FLUSHING)
		io_stream_write(stream);
	if (stream->state == IO_STREAM_FLUSHING && stream->out.len == 0)
		finish_close(stream);
	if (stream->state == IO_STREAM_GONE)
		return;
	io_stream_check_drain(stream);
	if (stream->out.len > 0)
		watch_output(stream);
}

void
io_streams_settle(struct io *io)
{
	struct list now = {&now, &now}, *link;

	while ((link = list_pop(&io->dirty)))
		list_push(&now, link);
	while ((link = list_pop(&now)))
		settle(container_of(link, struct io_stream, dirty));
}

struct io_stream *
io_stream_create(struct io *io, int fd, enum io_stream_state state, bool tcp)
{
	struct io_stream *stream = mem_alloc(sizeof(*stream));
	uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;

	stream->io = io;
	stream->fd = fd;
	stream->state = state;
	stream->tcp = tcp;
	stream->watch.ready = ready;
	stream->input.run = input_run;
	stream->drained_task.run = drained_run;
	buf_init(&stream->out, IO_SEND_BYTES_MAX);
	list_push(&io->streams, &stream->link);
	if (fd < 0)
		return stream;
	stream->watches_output = state == IO_STREAM_CONNECTING;
	if (stream->watches_output)
		events |= EPOLLOUT;
	stream->watched = io_watch_add(io, fd, &stream->watch, events);
	if (!stream->watched && state == IO_STREAM_OPEN)
		io_stream_move(stream, IO_STREAM_BROKEN);
	return stream;
}

struct io_stream *
io_stream_open(struct io *io, int fd)
{
	struct sockaddr_storage addr = {0};
	socklen_t addr_bytes = sizeof(addr);
	const int on = 1;
	bool tcp;

	check(fd >= 0);
	tcp = getsockname(fd, (struct sockaddr *)&addr, &addr_bytes) == 0 &&
	    (addr.ss_family == AF_INET || addr.ss_family == AF_INET6);
	if (tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return io_stream_create(io, fd, IO_STREAM_OPEN, tcp);
}

/* Ends closed streams whose time is over, and waits for the next. */
void
io_streams_expire(uv_timer_t *timer)
{
	struct io *io = timer->data;

	while (!list_empty(&io->closing)) {
		struct io_stream *stream =
		    container_of(io->closing.next, struct io_stream, closing);
		uint64_t now = uv_now(&io->loop);

		if (stream->deadline_ms > now) {
			uv_timer_start(
			    timer, io_streams_expire, stream->deadline_ms - now, 0);
			return;
		}
		io_stream_destroy(stream);
	}
}

void
io_close(struct io_stream *stream)
{
	struct io *io;

	if (!stream)
		return;
	io = stream->io;
	check(stream->state <= IO_STREAM_BROKEN);
	if (stream->state != IO_STREAM_OPEN) {
		io_stream_destroy(stream);
		return;
	}
	forget_ops(stream);
	io_stream_move(stream, IO_STREAM_FLUSHING);
	stream->deadline_ms = uv_now(&io->loop) + IO_CLOSE_MS;
	list_push(&io->closing, &stream->closing);
	if (!uv_is_active((uv_handle_t *)&io->close_timer))
		uv_timer_start(&io->close_timer, io_streams_expire, IO_CLOSE_MS, 0);
	io_stream_touch(stream);
}

void
io_abort(struct io_stream *stream)
{
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (!stream)
		return;
	check(stream->state <= IO_STREAM_BROKEN);
	if (stream->tcp)
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	io_stream_destroy(stream);
}

void
io_streams_destroy(struct io *io)
{
	while (!list_empty(&io->streams))
		io_stream_destroy(container_of(io->streams.next, struct io_stream, link));
}
