/*
 * Hosts, listening sockets, connections; what is between two hosts, and when nothing comes
 * through.
 */
#include "sim/sim_internal.h"

enum {
	BACKLOG_MAX = 4096,
	CONNECT_TIMEOUT_US = 127000000, /* the kernel's patience */
	PARTITION_US_MAX = 600000000,
	FIRST_PORT = 32768,
};

struct sim_socket {
	struct list link; /* in host->sockets */
	struct sim_host *host;
	uint16_t port;
	struct list backlog;   /* streams that nobody accepted */
	struct list listeners; /* who may accept */
	size_t waiting;
};

struct io_listener {
	struct io *io;
	struct sim_socket *socket;
	struct io_op *accept;
	struct list link;   /* in io->listeners */
	struct list beside; /* in socket->listeners */
	struct sim_event accepted;
};

struct sim_host *
sim_host_get(struct sim *sim, const struct net_addr *addr)
{
	for (size_t i = 0; i < sim->host_count; i++)
		if (net_addr_same_host(&sim->hosts[i]->addr, addr))
			return sim->hosts[i];
	return NULL;
}

struct sim_host *
sim_host_add(struct sim *sim, const struct net_addr *addr)
{
	struct sim_host *host = sim_host_get(sim, addr);

	if (host)
		return host;
	check(sim->host_count < SIM_HOSTS_MAX);
	host = sim_alloc(sim, sizeof(*host));
	host->addr = *addr;
	host->index = sim->host_count;
	host->on = true;
	host->next_port = FIRST_PORT;
	list_init(&host->sockets);
	sim->hosts[sim->host_count++] = host;
	return host;
}

static struct sim_socket *
find_socket(struct sim_host *host, uint16_t port)
{
	list_for_each(link, &host->sockets)
	{
		struct sim_socket *socket = container_of(link, struct sim_socket, link);

		if (socket->port == port)
			return socket;
	}
	return NULL;
}

struct sim_socket *
sim_socket_open(struct sim_host *host, uint16_t port)
{
	struct sim *sim = sim_current()->sim;
	struct sim_socket *socket = find_socket(host, port);

	if (socket)
		return socket;
	socket = sim_alloc(sim, sizeof(*socket));
	socket->host = host;
	socket->port = port;
	list_init(&socket->backlog);
	list_init(&socket->listeners);
	list_push(&host->sockets, &socket->link);
	return socket;
}

void
sim_sockets_close(struct sim_host *host)
{
	struct list *link;

	while ((link = list_pop(&host->sockets))) {
		struct sim_socket *socket = container_of(link, struct sim_socket, link);

		while ((link = list_pop(&socket->backlog)))
			container_of(link, struct io_stream, waiting)->state = SIM_STREAM_GONE;
		socket->waiting = 0;
	}
}

uint64_t
sim_partitioned_until(struct sim *sim, const struct sim_host *a, const struct sim_host *b)
{
	for (size_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
		const struct sim_partition *partition = &sim->partitions[i];

		if (partition->until_us > sim->now_us &&
		    ((partition->a == a && partition->b == b) ||
			(partition->a == b && partition->b == a)))
			return partition->until_us;
	}
	return 0;
}

void
sim_partition(struct sim *sim, struct sim_host *a, struct sim_host *b)
{
	if (sim_partitioned_until(sim, a, b) > 0)
		return;
	for (size_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
		struct sim_partition *partition = &sim->partitions[i];

		if (partition->until_us > sim->now_us)
			continue;
		*partition = (struct sim_partition){
		    a, b, sim->now_us + sim_delay_us(sim, PARTITION_US_MAX)};
		sim_happened(sim, SIM_NET_PARTITION, a->server ? a->server : b->server,
		    PROC_COUNT);
		return;
	}
}

uint64_t
sim_net_delay_us(struct sim *sim, const struct sim_host *a, const struct sim_host *b)
{
	bool near = !a || !b || a == b || a->beside == b || b->beside == a;

	return sim_delay_us(sim, near ? sim->options.ipc_us_max : sim->options.net_us_max);
}

static void give_one(struct sim_event *event);

/* Whoever may accept and waits to: by the seed's will one of them. */
static void
offer(struct sim *sim, struct sim_socket *socket)
{
	struct io_listener *chosen = NULL;
	uint64_t count = 0;

	if (list_empty(&socket->backlog))
		return;
	list_for_each(link, &socket->listeners)
	{
		struct io_listener *listener = container_of(link, struct io_listener, beside);

		if (listener->accept && !sim_event_waits(&listener->accepted) &&
		    sim_chance(sim, ++count) == 0)
			chosen = listener;
	}
	if (chosen)
		sim_event_start(sim, &chosen->accepted, 1);
}

static void
give_one(struct sim_event *event)
{
	struct io_listener *listener = container_of(event, struct io_listener, accepted);
	struct sim_socket *socket = listener->socket;
	struct io_op *op = listener->accept;
	struct io_stream *stream;

	if (list_empty(&socket->backlog))
		return;
	listener->accept = NULL;
	if (!sim_has_descriptor(listener->io)) {
		op->err = ERR_DESCRIPTORS;
		op->done(op);
		return;
	}
	stream = container_of(list_pop(&socket->backlog), struct io_stream, waiting);
	socket->waiting--;
	sim_stream_own(stream, listener->io);
	op->stream = stream;
	op->peer = stream->remote;
	op->local = stream->local;
	offer(listener->io->sim, socket);
	op->done(op);
}

enum err
io_listener_open(struct io *io, int fd, struct io_listener **out)
{
	struct sim_fd *found = sim_fd_get(io, fd);
	struct io_listener *listener;

	if (found->kind != SIM_FD_SOCKET)
		return ERR_UNSUPPORTED;
	listener = sim_alloc(io->sim, sizeof(*listener));
	listener->io = io;
	listener->socket = found->socket;
	listener->accepted =
	    (struct sim_event){.fire = give_one, .io = io, .name = "accept"};
	list_push(&io->listeners, &listener->link);
	list_push(&listener->socket->listeners, &listener->beside);
	*out = listener;
	return OK;
}

void
io_listener_close(struct io_listener *listener)
{
	struct sim *sim;

	if (!listener)
		return;
	sim = listener->io->sim;
	sim_event_stop(sim, &listener->accepted);
	list_remove(&listener->link);
	list_remove(&listener->beside);
	/* What it was about to take is another's. */
	offer(sim, listener->socket);
	sim_free(listener);
}

void
sim_listeners_kill(struct io *io)
{
	while (!list_empty(&io->listeners))
		io_listener_close(container_of(io->listeners.next, struct io_listener, link));
}

void
io_accept(struct io_listener *listener, struct io_op *op)
{
	check(!listener->accept && op->done);
	sim_op_start(op);
	op->stream = NULL;
	listener->accept = op;
	offer(listener->io->sim, listener->socket);
}

/* What the other host makes of it: OK, or why not and after how long. */
static enum err
find_peer(struct io_stream *stream, struct sim_socket **socket, uint64_t *wait_us)
{
	struct sim *sim = stream->sim;
	const struct sim_faults *faults = &sim->options.faults;
	struct sim_host *host = sim_host_get(sim, &stream->remote);

	*wait_us = 0;
	if (!host)
		return ERR_UNREACHABLE;
	if (host != stream->host && sim_happens(sim, faults->connect_refused))
		return ERR_REFUSED;
	if (!host->on || sim_partitioned_until(sim, host, stream->host) > 0 ||
	    (host != stream->host && sim_happens(sim, faults->connect_silence))) {
		*wait_us = CONNECT_TIMEOUT_US;
		return ERR_TIMEOUT;
	}
	*socket = find_socket(host, stream->remote.port);
	if (!*socket || (*socket)->waiting >= BACKLOG_MAX)
		return ERR_REFUSED;
	return OK;
}

void
sim_stream_connect_done(struct io_stream *stream, enum err err)
{
	struct io_op *op = stream->connect;

	stream->connect = NULL;
	sim_hash(stream->sim, (uint64_t)err);
	op->err = err;
	op->local = stream->local;
	if (err) {
		op->stream = NULL;
		io_abort(stream);
	} else {
		stream->state = SIM_STREAM_OPEN;
	}
	op->done(op);
}

static void
timed_out(struct sim_event *event)
{
	sim_stream_connect_done(container_of(event, struct io_stream, connected), ERR_TIMEOUT);
}

static void
connected(struct sim_event *event)
{
	struct io_stream *stream = container_of(event, struct io_stream, connected), *peer;
	struct sim *sim = stream->sim;
	struct sim_socket *socket = NULL;
	uint64_t wait_us;
	enum err err = find_peer(stream, &socket, &wait_us);

	if (err && wait_us > 0) {
		event->fire = timed_out;
		sim_event_start(sim, event, wait_us);
		return;
	}
	if (!err) {
		peer = sim_stream_create(sim, socket->host);
		peer->local = stream->remote;
		peer->remote = stream->local;
		sim_stream_join(stream, peer);
		list_push(&socket->backlog, &peer->waiting);
		socket->waiting++;
		offer(sim, socket);
	}
	sim_stream_connect_done(stream, err);
}

static void
no_descriptor(struct sim_event *event)
{
	sim_stream_connect_done(container_of(event, struct io_stream, connected), ERR_DESCRIPTORS);
}

static void
no_address(struct sim_event *event)
{
	sim_stream_connect_done(container_of(event, struct io_stream, connected), ERR_NO_ADDRESS);
}

/* A host has its own address; others come and go. */
static bool
lacks(const struct io *io, const struct net_addr *from)
{
	return from && !net_addr_same_host(from, &io->host->addr) && sim_chance(io->sim, 8) == 0;
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
	struct sim *sim = io->sim;
	struct io_stream *stream = sim_stream_create(sim, io->host);
	bool has_room = sim_has_descriptor(io), is_lacking = lacks(io, from);

	check(op->done);
	sim_op_start(op);
	op->stream = stream;
	stream->state = SIM_STREAM_CONNECTING;
	stream->connect = op;
	stream->remote = *to;
	stream->local = from ? *from : io->host->addr;
	stream->local.port = io->host->next_port++;
	if (io->host->next_port == 0)
		io->host->next_port = FIRST_PORT;
	sim_stream_own(stream, io);
	stream->connected = (struct sim_event){
	    .fire = is_lacking ? no_address
		: has_room     ? connected
			       : no_descriptor,
	    .io = io,
	    .name = "connect"};
	sim_event_start(sim, &stream->connected, 2 * sim_net_delay_us(sim, io->host, NULL) +
	    sim_delay_us(sim, sim->options.net_us_max));
}

struct io *
sim_actor_io(struct sim *sim, const struct net_addr *addr)
{
	return sim_io_create(sim, sim_host_add(sim, addr));
}

struct io *
sim_actor_io_beside(
    struct sim *sim, const struct net_addr *addr, const struct sim_server *server)
{
	struct sim_host *host = sim_host_add(sim, addr);

	host->beside = server->host;
	return sim_io_create(sim, host);
}

int
sim_listen(struct io *io, const struct net_addr *addr)
{
	return sim_fd_add(
	    io, SIM_FD_SOCKET, sim_socket_open(sim_host_add(io->sim, addr), addr->port));
}

void
sim_pair(struct io *io, int fds[2])
{
	struct io_stream *a = sim_stream_create(io->sim, NULL);
	struct io_stream *b = sim_stream_create(io->sim, NULL);

	sim_stream_join(a, b);
	fds[0] = sim_fd_add(io, SIM_FD_STREAM, a);
	fds[1] = sim_fd_add(io, SIM_FD_STREAM, b);
}

void
sim_actor_vanish(struct io *io)
{
	check(!io->life);
	sim_io_kill(io, true);
	sim_sockets_close(io->host);
}
