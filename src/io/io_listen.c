/*
 * Making connections: accepting and connecting, and IP addresses as values.
 *
 * A listener is polled only while an io_accept is under way.  Several
 * processes share it, so that to find nothing there is no error.
 */
#include "io/io_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of io_connect_from, where others are numbers of errno. */
enum { NOT_OURS = -1 };

struct io_listener {
	struct io_watch watch;
	struct io *io;
	struct list link;
	struct io_op *accept;
	struct net_addr at;
	int fd;
	bool tcp;
	bool armed, closed;
};

struct net_addr
io_addr_from(const struct sockaddr_storage *from)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct net_addr addr = {0};

	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		addr.family = 4;
		memcpy(addr.bytes, &in->sin_addr, 4);
		addr.port = ntohs(in->sin_port);
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
		const uint8_t *bytes = in6->sin6_addr.s6_addr;

		addr.family = memcmp(bytes, mapped, sizeof(mapped)) == 0 ? 4 : 6;
		if (addr.family == 4)
			memcpy(addr.bytes, bytes + sizeof(mapped), 4);
		else
			memcpy(addr.bytes, bytes, 16);
		addr.port = ntohs(in6->sin6_port);
	}
	return addr;
}

/* The socket address of a value; its length. */
static socklen_t
addr_to(struct sockaddr_storage *to, const struct net_addr *addr)
{
	memset(to, 0, sizeof(*to));
	if (addr->family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, addr->bytes, 4);
		in->sin_port = htons(addr->port);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

		check(addr->family == 6);
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, addr->bytes, 16);
		in6->sin6_port = htons(addr->port);
		return sizeof(*in6);
	}
}

struct net_addr
io_addr_local(int fd)
{
	struct sockaddr_storage local = {0};
	socklen_t bytes = sizeof(local);

	if (getsockname(fd, (struct sockaddr *)&local, &bytes))
		return (struct net_addr){0};
	return io_addr_from(&local);
}

/* Completes the accept with an error, or with the connection fd. */
static void
accepted(struct io_listener *listener, int fd, enum err err, const struct net_addr *peer)
{
	struct io_op *op = listener->accept;

	listener->accept = NULL;
	op->err = err;
	op->stream = NULL;
	if (!err) {
		op->peer = *peer;
		op->local = listener->at;
		op->stream =
		    io_stream_create(listener->io, fd, IO_STREAM_OPEN, listener->tcp);
	}
	op->done(op);
}

static enum err
accept_err(int errnum)
{
	/* The kernel's memory comes back as descriptors do: by waiting. */
	if (errnum == ENOBUFS || errnum == ENOMEM)
		return ERR_DESCRIPTORS;
	return err_from_errno(errnum);
}

/* One connection; false where the listener has none for us now. */
static bool
accept_one(struct io_listener *listener)
{
	struct sockaddr_storage from = {0};
	socklen_t bytes = sizeof(from);
	struct net_addr peer = {0};
	int fd = accept4(
	    listener->fd, (struct sockaddr *)&from, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		peer = io_addr_from(&from);
		accepted(listener, fd, OK, &peer);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
		/* A peer that left while it waited concerns nobody. */
		return true;
	default:
		accepted(listener, -1, accept_err(errno), &peer);
		return false;
	}
}

static void
ready(struct io_watch *watch, uint32_t events)
{
	struct io_listener *listener = container_of(watch, struct io_listener, watch);
	int turns = IO_ACCEPTS_PER_EVENT;

	(void)events;
	while (turns-- > 0 && !listener->closed && listener->accept)
		if (!accept_one(listener))
			break;
	if (!listener->closed && !listener->accept && listener->armed) {
		io_watch_change(listener->io, listener->fd, watch, 0);
		listener->armed = false;
	}
}

enum err
io_listener_open(struct io *io, int fd, struct io_listener **out)
{
	struct io_listener *listener;
	int listens = 0;
	socklen_t bytes = sizeof(listens);
	const int on = 1;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &bytes))
		return err_from_errno(errno);
	if (!listens)
		return ERR_UNSUPPORTED;
	listener = mem_alloc(sizeof(*listener));
	listener->watch.ready = ready;
	if (!io_watch_add(io, fd, &listener->watch, 0)) {
		mem_free(listener);
		return err_from_errno(errno);
	}
	/* Another process may take what we were told of. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	listener->at = io_addr_local(fd);
	listener->tcp = listener->at.family != 0;
	/* What is accepted inherits it. */
	if (listener->tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	listener->io = io;
	listener->fd = fd;
	list_push(&io->listeners, &listener->link);
	*out = listener;
	return OK;
}

void
io_listener_close(struct io_listener *listener)
{
	if (!listener)
		return;
	check(!listener->closed);
	listener->closed = true;
	listener->accept = NULL;
	list_remove(&listener->link);
	/* The descriptor stays open. */
	epoll_ctl(listener->io->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
	io_watch_end(listener->io, -1, &listener->watch);
}

bool
io_listeners_wait(const struct io *io)
{
	list_for_each(link, &io->listeners)
		if (container_of(link, struct io_listener, link)->accept)
			return true;
	return false;
}

void
io_accept(struct io_listener *listener, struct io_op *op)
{
	check(!listener->accept && op->done);
	io_op_start(op);
	listener->accept = op;
	if (listener->armed)
		return;
	io_watch_change(listener->io, listener->fd, &listener->watch, EPOLLIN);
	listener->armed = true;
}

void
io_listeners_destroy(struct io *io)
{
	while (!list_empty(&io->listeners))
		io_listener_close(
		    container_of(io->listeners.next, struct io_listener, link));
}

void
io_connect_finish(struct io_stream *stream)
{
	struct io_op *op = stream->connect;
	int errnum = 0;
	socklen_t bytes = sizeof(errnum);

	stream->connect = NULL;
	if (op->err == OK &&
	    getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &errnum, &bytes))
		errnum = errno;
	if (errnum)
		op->err = err_from_errno(errnum);
	if (op->err) {
		op->stream = NULL;
		io_stream_destroy(stream);
	} else {
		io_stream_move(stream, IO_STREAM_OPEN);
	}
	op->done(op);
}

static bool
bind_to(int fd, const struct net_addr *from)
{
	struct sockaddr_storage addr;
	socklen_t bytes = addr_to(&addr, from);
	const int on = 1;

	/* The kernel chooses the port when it knows the other end: one serves many of these. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&addr, bytes) == 0;
}

void
io_connect(struct io *io, struct io_op *op, const struct net_addr *to)
{
	io_connect_from(io, op, to, NULL);
}

void
io_connect_from(struct io *io, struct io_op *op, const struct net_addr *to,
    const struct net_addr *from)
{
	struct sockaddr_storage addr;
	socklen_t bytes = addr_to(&addr, to);
	struct io_stream *stream;
	const int on = 1;
	int fd, failed = 0;

	check(op->done != NULL);
	io_op_start(op);
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		failed = errno;
	else if (from && !bind_to(fd, from))
		failed = errno == EADDRNOTAVAIL ? NOT_OURS : errno;
	else if (connect(fd, (struct sockaddr *)&addr, bytes))
		failed = errno;
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream = io_stream_create(io, fd, IO_STREAM_CONNECTING, true);
	stream->connect = op;
	op->stream = stream;
	if (fd >= 0 && !stream->watched)
		failed = ENFILE;
	if (failed == EINPROGRESS)
		return;
	/* It failed at once, or is connected already; either is for later. */
	op->err = failed == NOT_OURS ? ERR_NO_ADDRESS : err_from_errno(failed);
	io_task_add(io, &stream->input);
}
