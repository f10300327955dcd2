/*
 * What streams send.  Bytes are kept in one buffer per stream and written with
 * one system call at the end of the turn; its memory is given back as soon as
 * it is empty, so that idle sessions hold none.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdalign.h>
#include <unistd.h>

size_t
io_pending(const struct io_stream *stream)
{
	return stream->out.len - stream->out_sent;
}

static void
passed_pop(struct io_stream *stream)
{
	struct io_passed *first = stream->passed;

	stream->passed = first->next;
	close(first->fd);
	mem_free(first);
}

void
io_stream_drop_output(struct io_stream *stream)
{
	while (stream->passed)
		passed_pop(stream);
	buf_fini(&stream->out);
	stream->out_sent = 0;
}

void
io_stream_check_drain(struct io_stream *stream)
{
	if (stream->drain && !list_linked(&stream->drained_task.link) &&
	    (stream->state != IO_STREAM_OPEN ||
		io_pending(stream) <= stream->drain_below))
		io_task_add(stream->io, &stream->drained_task);
}

/* Moves what is not written to the front of the buffer. */
static void
compact(struct io_stream *stream)
{
	buf_consume(&stream->out, stream->out_sent);
	for (struct io_passed *passed = stream->passed; passed; passed = passed->next)
		passed->at -= stream->out_sent;
	stream->out_sent = 0;
}

/*
 * Sends up to the next descriptor, which must go with its own first byte: the
 * other side may be told of it by the bytes that follow.
 */
static ssize_t
send_some(struct io_stream *stream)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct io_passed *passed = stream->passed;
	size_t end = stream->out.len;
	struct iovec iov = {stream->out.ptr + stream->out_sent, 0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	bool with_fd = passed && passed->at == stream->out_sent;
	ssize_t sent;

	if (with_fd) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed->fd, sizeof(int));
		passed = passed->next;
	}
	if (passed)
		end = passed->at;
	iov.iov_len = end - stream->out_sent;
	do {
		sent = sendmsg(stream->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent > 0 && with_fd)
		passed_pop(stream);
	return sent;
}

void
io_stream_write(struct io_stream *stream)
{
	while (stream->out.len > stream->out_sent) {
		ssize_t sent = send_some(stream);

		if (sent < 0 && errno == EAGAIN)
			break;
		if (sent < 0) {
			io_stream_fail(stream, IO_STREAM_LOST);
			return;
		}
		stream->out_sent += (size_t)sent;
	}
	if (io_pending(stream) == 0)
		io_stream_drop_output(stream);
	else if (stream->out_sent >= stream->out.len / 2)
		compact(stream);
}

/* Keeps bytes; false where the stream takes none, or is broken by these. */
static bool
keep(struct io_stream *stream, struct span bytes)
{
	if (stream->state != IO_STREAM_OPEN)
		return false;
	if (bytes.len > IO_SEND_BYTES_MAX - io_pending(stream)) {
		io_stream_fail(stream, IO_STREAM_BROKEN);
		return false;
	}
	if (bytes.len > buf_space(&stream->out))
		compact(stream);
	buf_add(&stream->out, bytes);
	check(!stream->out.full);
	io_stream_touch(stream);
	return true;
}

void
io_send(struct io_stream *stream, struct span bytes)
{
	if (bytes.len > 0)
		(void)keep(stream, bytes);
}

void
io_stream_secret(struct io_stream *stream)
{
	stream->secret = true;
	stream->out.secret = true;
}

void
io_send_fd(struct io_stream *stream, struct span bytes, int fd)
{
	struct io_passed **last = &stream->passed, *passed;
	int copy;

	check(bytes.len > 0 && !stream->tcp);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		/* The peer waits for the descriptor; without it the link is useless. */
		if (stream->state == IO_STREAM_OPEN)
			io_stream_fail(stream, IO_STREAM_BROKEN);
		return;
	}
	if (!keep(stream, bytes)) {
		close(copy);
		return;
	}
	while (*last)
		last = &(*last)->next;
	passed = mem_alloc(sizeof(*passed));
	passed->at = stream->out.len - bytes.len;
	passed->fd = copy;
	*last = passed;
}

void
io_fd_close(int fd)
{
	close(fd);
}

void
io_drain(struct io_stream *stream, struct io_op *op, size_t below)
{
	check(!stream->drain && op->done);
	io_op_start(op);
	stream->drain = op;
	stream->drain_below = below;
	io_stream_check_drain(stream);
}

/* Waits for events on the socket until the time is over. */
static enum err
wait_ready(struct io_stream *stream, short events, uint64_t deadline_ms)
{
	struct pollfd pollfd = {.fd = stream->fd, .events = events};
	int ready;

	do {
		uint64_t now_ms = uv_hrtime() / 1000000, left_ms;

		if (now_ms >= deadline_ms)
			return ERR_TIMEOUT;
		left_ms = deadline_ms - now_ms;
		ready = poll(&pollfd, 1, left_ms < 60000 ? (int)left_ms : 60000);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready > 0 ? OK : ERR_CLOSED;
}

static enum err
call_now(struct io_stream *stream, char *reply, size_t reply_bytes, uint64_t deadline_ms)
{
	enum err err = OK;

	io_stream_write(stream);
	while (!err && io_pending(stream) > 0) {
		err = wait_ready(stream, POLLOUT, deadline_ms);
		io_stream_write(stream);
	}
	/* The peer has only just been asked: there is nothing to read yet. */
	if (!err)
		err = wait_ready(stream, POLLIN, deadline_ms);
	while (!err && reply_bytes > 0) {
		ssize_t got;

		if (stream->state != IO_STREAM_OPEN)
			return ERR_CLOSED;
		got = recv(stream->fd, reply, reply_bytes, MSG_DONTWAIT);
		if (got > 0) {
			reply += got;
			reply_bytes -= (size_t)got;
		} else if (got < 0 && errno == EAGAIN) {
			err = wait_ready(stream, POLLIN, deadline_ms);
		} else if (got == 0 || errno != EINTR) {
			err = ERR_CLOSED;
		}
	}
	return err;
}

enum err
io_call(struct io_stream *stream, struct span request, char *reply, size_t reply_bytes,
    uint64_t timeout_ms)
{
	enum err err;

	io_send(stream, request);
	if (stream->state != IO_STREAM_OPEN)
		return ERR_CLOSED;
	err = call_now(stream, reply, reply_bytes, uv_hrtime() / 1000000 + timeout_ms);
	/* A late reply would be taken for the next call's. */
	if (err && stream->state == IO_STREAM_OPEN)
		io_stream_fail(stream, IO_STREAM_BROKEN);
	uv_update_time(&stream->io->loop);
	return err;
}
