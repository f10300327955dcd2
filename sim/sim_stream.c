/*
 * Streams: two ends that know each other.  What is sent is kept at the end, moves in chunks that
 * take time, and arrives in order in the other end's buffer, of a bounded size:
 *
 *     io_send ─► out ──flush──► incoming chunks ──arrive──► in ──ready──► io_read's op
 *
 * An end that its owner closed, or whose owner died, lives on as the kernel's half: what it had
 * taken still arrives.  Both ends are one piece of memory that is never given back before the
 * world ends, so that no event finds it gone; a world is short.
 */
#include "sim/sim_internal.h"

enum {
	WINDOW_BYTES = 256 << 10, /* what may be on its way or unread */
	LINGER_US = 5000000,      /* how long a closed end throws away what still comes */
};

static void flush(struct sim_event *event);
static void arrive(struct sim_event *event);
static void ready(struct sim_event *event);
static void drained(struct sim_event *event);

struct io_stream *
sim_stream_create(struct sim *sim, struct sim_host *host)
{
	struct io_stream *stream = sim_alloc(sim, sizeof(*stream));

	stream->sim = sim;
	stream->host = host;
	stream->state = SIM_STREAM_OPEN;
	list_init(&stream->incoming);
	stream->flush = (struct sim_event){.fire = flush, .name = "bytes leave"};
	stream->arrive = (struct sim_event){.fire = arrive, .name = "bytes arrive"};
	stream->ready = (struct sim_event){.fire = ready, .name = "read"};
	stream->drained = (struct sim_event){.fire = drained, .name = "drain"};
	return stream;
}

void
sim_stream_join(struct io_stream *a, struct io_stream *b)
{
	a->peer = b;
	b->peer = a;
}

void
sim_stream_own(struct io_stream *stream, struct io *io)
{
	struct sim *sim = stream->sim;
	uint64_t at_us = stream->arrive.at_us;
	bool arrives = sim_event_waits(&stream->arrive);

	check(!stream->io);
	stream->io = io;
	list_push(&io->streams, &stream->link);
	io->descriptors++;
	/* Its events are the owner's from now on. */
	sim_event_stop(sim, &stream->arrive);
	stream->arrive.io = stream->ready.io = stream->drained.io = io;
	if (arrives)
		sim_event_start_at(sim, &stream->arrive, at_us);
}

/* The owner has nothing to do with it any more; it is the kernel's. */
static void
disown(struct io_stream *stream)
{
	struct sim *sim = stream->sim;
	uint64_t at_us = stream->arrive.at_us;
	bool arrives = sim_event_waits(&stream->arrive);

	stream->read = stream->drain = stream->connect = NULL;
	sim_event_stop(sim, &stream->ready);
	sim_event_stop(sim, &stream->drained);
	sim_event_stop(sim, &stream->arrive);
	sim_event_stop(sim, &stream->connected);
	stream->arrive.io = NULL;
	if (arrives)
		sim_event_start_at(sim, &stream->arrive, at_us);
	if (!stream->io)
		return;
	list_remove(&stream->link);
	stream->io->descriptors--;
	stream->io = NULL;
}

static void
chunk_free(struct sim_chunk *chunk)
{
	list_remove(&chunk->link);
	if (chunk->fd.kind == SIM_FD_STREAM)
		sim_stream_drop(chunk->fd.stream);
	sim_free(chunk);
}

static void
drop_incoming(struct io_stream *stream)
{
	while (!list_empty(&stream->incoming))
		chunk_free(container_of(stream->incoming.next, struct sim_chunk, link));
	stream->incoming_bytes = 0;
	sim_event_stop(stream->sim, &stream->arrive);
}

static void
drop_output(struct io_stream *stream)
{
	sim_bytes_free(&stream->out);
	sim_event_stop(stream->sim, &stream->flush);
	if (stream->out_fd.kind == SIM_FD_STREAM)
		sim_stream_drop(stream->out_fd.stream);
	stream->out_fd = (struct sim_fd){.kind = SIM_FD_NONE};
}

static void
check_drain(struct io_stream *stream)
{
	if (stream->drain && !sim_event_waits(&stream->drained) &&
	    (stream->state != SIM_STREAM_OPEN || stream->out.len <= stream->drain_below))
		sim_event_start(stream->sim, &stream->drained, 0);
}

static void
wake_reader(struct io_stream *stream)
{
	if (stream->read && !sim_event_waits(&stream->ready))
		sim_event_start(stream->sim, &stream->ready, 0);
}

static void
become(struct io_stream *stream, enum sim_stream_state state)
{
	if (stream->state == SIM_STREAM_CLOSED || stream->state == SIM_STREAM_GONE) {
		stream->state = SIM_STREAM_GONE;
		drop_output(stream);
		return;
	}
	if (stream->state == SIM_STREAM_BROKEN)
		return;
	stream->state = state;
	drop_output(stream);
	check_drain(stream);
	wake_reader(stream);
}

/*
 * Waits for the first chunk that comes; the order is kept whatever happens on the way.  One that
 * brings a descriptor comes with the read that gives the first of its bytes, so not before what
 * came earlier is read.
 */
static void
await_first(struct io_stream *to)
{
	const struct sim_chunk *first = container_of(to->incoming.next, struct sim_chunk, link);

	if (list_empty(&to->incoming) || sim_event_waits(&to->arrive))
		return;
	if (first->fd.kind != SIM_FD_NONE && to->in.len > 0)
		return;
	sim_event_start_at(to->sim, &to->arrive, first->at_us);
}

static struct sim_chunk *
push_chunk(struct io_stream *to, struct span bytes, uint64_t at_us)
{
	struct sim_chunk *chunk = sim_alloc(to->sim, sizeof(*chunk) + bytes.len);

	memcpy(chunk + 1, bytes.ptr, bytes.len);
	chunk->bytes = span_of((char *)(chunk + 1), bytes.len);
	list_push(&to->incoming, &chunk->link);
	to->incoming_bytes += bytes.len;
	if (at_us < to->arrives_us)
		at_us = to->arrives_us;
	chunk->at_us = to->arrives_us = at_us;
	return chunk;
}

static void
send_chunk(struct io_stream *from, struct span bytes, bool end, bool reset, struct sim_fd fd)
{
	struct sim *sim = from->sim;
	struct io_stream *to = from->peer;
	struct sim_chunk *chunk;
	uint64_t delay_us;

	if (!to || (from->silent && from->host))
		return;
	delay_us = sim_net_delay_us(sim, from->host, to->host);
	if (to->state == SIM_STREAM_GONE) {
		/* A machine that knows nothing of the connection, once it is on, says so. */
		if (to->host && to->host->on && from->state == SIM_STREAM_OPEN) {
			push_chunk(from, SPAN(""), sim->now_us + 2 * delay_us)->reset = true;
			await_first(from);
		}
		return;
	}
	chunk = push_chunk(to, bytes, sim->now_us + delay_us);
	chunk->end = end;
	chunk->reset = reset;
	chunk->fd = fd;
	await_first(to);
}

static void
send_reset(struct io_stream *stream)
{
	const struct sim_fd none = {.kind = SIM_FD_NONE};

	send_chunk(stream, SPAN(""), false, true, none);
}

void
sim_stream_reset(struct io_stream *stream)
{
	struct io_stream *peer = stream->peer;

	drop_incoming(stream);
	become(stream, SIM_STREAM_BROKEN);
	if (!peer)
		return;
	drop_incoming(peer);
	become(peer, SIM_STREAM_BROKEN);
}

static void
flush(struct sim_event *event)
{
	struct io_stream *stream = container_of(event, struct io_stream, flush);
	struct io_stream *to = stream->peer;
	struct sim_fd fd = {.kind = SIM_FD_NONE};
	size_t taken, count = stream->out.len;

	if (sim_faults_of_bytes(stream))
		return;
	taken = to ? to->incoming_bytes + to->in.len : 0;
	if (count > WINDOW_BYTES - (taken < WINDOW_BYTES ? taken : WINDOW_BYTES))
		count = taken < WINDOW_BYTES ? WINDOW_BYTES - taken : 0;
	/* A descriptor goes with its first byte. */
	if (stream->out_fd.kind != SIM_FD_NONE && stream->out_fd_at == 0) {
		fd = stream->out_fd;
		stream->out_fd = (struct sim_fd){.kind = SIM_FD_NONE};
	} else if (stream->out_fd.kind != SIM_FD_NONE && count > stream->out_fd_at) {
		count = stream->out_fd_at;
	}
	if (count > 0) {
		send_chunk(stream, span_first(sim_bytes_span(&stream->out), count), false, false,
		    fd);
		sim_bytes_take(&stream->out, count);
		if (stream->out_fd.kind != SIM_FD_NONE)
			stream->out_fd_at -= count;
	}
	if (stream->out.len == 0)
		sim_bytes_free(&stream->out);
	else if (stream->out_fd.kind != SIM_FD_NONE && stream->out_fd_at == 0)
		sim_event_start(stream->sim, &stream->flush, 0);
	if (stream->out.len == 0 && stream->end_wanted && !stream->end_sent) {
		stream->end_sent = true;
		send_chunk(stream, SPAN(""), true, false, fd);
	}
	check_drain(stream);
}

static void
start_flush(struct io_stream *stream)
{
	if (!sim_event_waits(&stream->flush) && !stream->end_sent)
		sim_event_start(stream->sim, &stream->flush, 0);
}

/* A closed end gets something: it is thrown away for a while, then its sender is told. */
static void
refuse_chunk(struct io_stream *stream, const struct sim_chunk *chunk)
{
	bool late = !stream->host || stream->sim->now_us - stream->closed_us > LINGER_US;

	if (chunk->bytes.len > 0 && late && stream->peer)
		send_reset(stream);
}

static void
take_chunk(struct io_stream *stream, struct sim_chunk *chunk)
{
	stream->incoming_bytes -= chunk->bytes.len;
	if (chunk->reset) {
		/* Between roles what was sent can still be read. */
		become(stream, stream->host ? SIM_STREAM_BROKEN : SIM_STREAM_LOST);
	} else if (stream->state == SIM_STREAM_CLOSED || stream->state == SIM_STREAM_GONE) {
		refuse_chunk(stream, chunk);
	} else if (stream->state != SIM_STREAM_BROKEN) {
		sim_bytes_add(stream->sim, &stream->in, chunk->bytes);
		if (chunk->fd.kind != SIM_FD_NONE) {
			stream->in_fd = chunk->fd;
			chunk->fd.kind = SIM_FD_NONE;
		}
		if (chunk->end)
			stream->ended = true;
	}
	chunk_free(chunk);
}

static void
arrive(struct sim_event *event)
{
	struct io_stream *stream = container_of(event, struct io_stream, arrive);
	struct sim *sim = stream->sim;
	struct sim_chunk *chunk = container_of(stream->incoming.next, struct sim_chunk, link);
	uint64_t until_us = 0;

	check(!list_empty(&stream->incoming));
	if (stream->host && stream->peer)
		until_us = sim_partitioned_until(sim, stream->host, stream->peer->host);
	if (until_us > sim->now_us) {
		sim_event_start_at(sim, event, until_us + sim_delay_us(sim, 1000000));
		return;
	}
	take_chunk(stream, chunk);
	await_first(stream);
	if (stream->read) {
		/* This is the reader's event already. */
		sim_event_stop(sim, &stream->ready);
		ready(&stream->ready);
	}
}

/* How much a read gives: all, or by the seed's will less. */
static size_t
how_much(struct io_stream *stream)
{
	size_t count = stream->in.len < IO_READ_BYTES ? stream->in.len : IO_READ_BYTES;

	if (count > 1 && sim_happens(stream->sim, stream->sim->options.faults.fragment))
		count = 1 + (size_t)sim_chance(stream->sim, count < 40 ? count : 40);
	return count;
}

static void
give_bytes(struct io_stream *stream, struct io_op *op)
{
	struct sim *sim = stream->sim;
	struct io *io = stream->io;
	size_t count = how_much(stream);
	/* The reader may close the stream, so the bytes must not be the stream's. */
	char *copy = sim_alloc(sim, count);

	memcpy(copy, sim_bytes_span(&stream->in).ptr, count);
	sim_bytes_take(&stream->in, count);
	if (stream->in.len == 0)
		sim_bytes_free(&stream->in);
	op->bytes = span_of(copy, count);
	op->count = count;
	if (stream->in_fd.kind != SIM_FD_NONE) {
		op->fd = sim_fd_add(io, stream->in_fd.kind, stream->in_fd.stream);
		stream->in_fd.kind = SIM_FD_NONE;
	}
	await_first(stream);
	sim_hash_bytes(sim, op->bytes);
	/* There is room at this end again. */
	if (stream->peer && (stream->peer->out.len > 0 || stream->peer->end_wanted))
		start_flush(stream->peer);
	op->done(op);
	sim_free(copy);
}

static void
ready(struct sim_event *event)
{
	struct io_stream *stream = container_of(event, struct io_stream, ready);
	struct io_op *op = stream->read;
	enum err err;

	if (!op)
		return;
	if (stream->state == SIM_STREAM_BROKEN)
		err = ERR_CLOSED;
	else if (stream->in.len > 0)
		err = OK;
	else if (stream->state == SIM_STREAM_LOST)
		err = ERR_CLOSED;
	else if (stream->ended)
		err = ERR_END;
	else
		return;
	stream->read = NULL;
	if (!err) {
		give_bytes(stream, op);
		return;
	}
	if (err == ERR_CLOSED)
		become(stream, SIM_STREAM_BROKEN);
	sim_hash(stream->sim, (uint64_t)err);
	op->err = err;
	op->done(op);
}

static void
drained(struct sim_event *event)
{
	struct io_stream *stream = container_of(event, struct io_stream, drained);
	struct io_op *op = stream->drain;

	stream->drain = NULL;
	op->err = stream->state == SIM_STREAM_OPEN ? OK : ERR_CLOSED;
	op->done(op);
}

void
io_read(struct io_stream *stream, struct io_op *op)
{
	check(!stream->read && op->done && stream->io);
	check(stream->state != SIM_STREAM_CONNECTING && stream->state < SIM_STREAM_CLOSED);
	sim_op_start(op);
	stream->read = op;
	if (stream->in.len > 0 || stream->ended || stream->state != SIM_STREAM_OPEN)
		wake_reader(stream);
}

static bool
keep(struct io_stream *stream, struct span bytes)
{
	check(stream->state < SIM_STREAM_CLOSED);
	if (stream->state != SIM_STREAM_OPEN)
		return false;
	check(!stream->end_wanted);
	if (bytes.len > IO_SEND_BYTES_MAX - stream->out.len) {
		become(stream, SIM_STREAM_BROKEN);
		return false;
	}
	sim_bytes_add(stream->sim, &stream->out, bytes);
	start_flush(stream);
	return true;
}

void
io_send(struct io_stream *stream, struct span bytes)
{
	if (bytes.len > 0)
		(void)keep(stream, bytes);
}

/* The simulator's memory is nobody's secret. */
void
io_stream_secret(struct io_stream *stream)
{
	(void)stream;
}

void
io_send_fd(struct io_stream *stream, struct span bytes, int fd)
{
	check(bytes.len > 0 && !stream->host && stream->out_fd.kind == SIM_FD_NONE);
	if (!keep(stream, bytes))
		return;
	stream->out_fd = sim_fd_take(stream->io, fd);
	stream->out_fd_at = stream->out.len - bytes.len;
}

size_t
io_pending(const struct io_stream *stream)
{
	return stream->out.len;
}

void
io_drain(struct io_stream *stream, struct io_op *op, size_t below)
{
	check(!stream->drain && op->done);
	sim_op_start(op);
	stream->drain = op;
	stream->drain_below = below;
	check_drain(stream);
}

enum err
io_call(struct io_stream *stream, struct span request, char *reply, size_t reply_bytes,
    uint64_t timeout_ms)
{
	(void)request;
	(void)reply;
	(void)reply_bytes;
	(void)timeout_ms;
	/* Nobody can answer while the caller waits. */
	become(stream, SIM_STREAM_BROKEN);
	return ERR_CLOSED;
}

struct io_stream *
io_stream_open(struct io *io, int fd)
{
	struct sim_fd taken = sim_fd_take(io, fd);

	check(taken.kind == SIM_FD_STREAM);
	sim_stream_own(taken.stream, io);
	return taken.stream;
}

void
io_close(struct io_stream *stream)
{
	enum sim_stream_state state;

	if (!stream)
		return;
	check(stream->io && stream->state < SIM_STREAM_CLOSED);
	state = stream->state;
	disown(stream);
	stream->closed_us = stream->sim->now_us;
	stream->state = SIM_STREAM_CLOSED;
	/* The bytes that it did not read are nobody's. */
	sim_bytes_free(&stream->in);
	stream->end_wanted = true;
	if (state == SIM_STREAM_OPEN) {
		start_flush(stream);
		return;
	}
	send_reset(stream);
	become(stream, SIM_STREAM_GONE);
}

void
io_abort(struct io_stream *stream)
{
	if (!stream)
		return;
	disown(stream);
	if (stream->state != SIM_STREAM_CONNECTING)
		send_reset(stream);
	stream->state = SIM_STREAM_GONE;
	drop_output(stream);
	sim_bytes_free(&stream->in);
}

void
sim_stream_shutdown(struct io_stream *stream)
{
	stream->end_wanted = true;
	start_flush(stream);
}

void
sim_stream_drop(struct io_stream *stream)
{
	disown(stream);
	drop_output(stream);
	stream->closed_us = stream->sim->now_us;
	if (stream->state == SIM_STREAM_OPEN) {
		const struct sim_fd none = {.kind = SIM_FD_NONE};

		stream->end_sent = true;
		send_chunk(stream, SPAN(""), true, false, none);
	}
	stream->state = SIM_STREAM_CLOSED;
}

/* As the kernel closes the descriptors of a process that died; or nobody closes them. */
static void
kill_stream(struct io_stream *stream, bool power_cut)
{
	bool unread = stream->in.len > 0 || !list_empty(&stream->incoming);

	if (power_cut) {
		disown(stream);
		drop_output(stream);
		drop_incoming(stream);
		stream->state = SIM_STREAM_GONE;
		/* Within the machine both ends go; elsewhere the other end hears nothing. */
		stream->silent = true;
		return;
	}
	if (unread && stream->host && stream->state == SIM_STREAM_OPEN) {
		io_abort(stream);
		return;
	}
	if (stream->state == SIM_STREAM_CONNECTING)
		io_abort(stream);
	else
		sim_stream_drop(stream);
}

void
sim_streams_kill(struct io *io, bool power_cut)
{
	while (!list_empty(&io->streams))
		kill_stream(container_of(io->streams.next, struct io_stream, link), power_cut);
}
