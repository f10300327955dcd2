/*
 * Whole frames are handed over straight from what was read; only the tail of
 * a frame that is not complete yet is copied.
 *
 * The kernel gives a descriptor with a read that may begin with frames that were sent without one,
 * so the frame that it belongs to says so, in the highest bit of its type.
 */
#include "ipc/channel.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"

/*
 * FDS_MAX: a frame that is not complete may have brought one, and a read that was under way when
 * the channel was paused, another.
 */
enum { WITH_FD = 0x8000, FDS_MAX = 2 };

struct ipc_channel {
	struct io_stream *stream;
	struct ipc_handlers handlers;
	struct io_op read;
	struct buf partial;   /* the beginning of a frame */
	struct buf outgoing;  /* the frame being made */
	bool busy;            /* frames are being handed over */
	bool dead;            /* destroyed meanwhile; freed when that is done */
	int fds[FDS_MAX];     /* came along; their frames are still to be handed over */
	size_t fd_count;
	bool paused;
	bool reading;
};

static void read_done(struct io_op *op);

static void
read_more(struct ipc_channel *channel)
{
	if (channel->paused || channel->reading)
		return;
	channel->reading = true;
	io_read(channel->stream, &channel->read);
}

struct ipc_channel *
ipc_channel_create(struct io_stream *stream, const struct ipc_handlers *handlers)
{
	struct ipc_channel *channel = mem_alloc(sizeof(*channel));

	channel->stream = stream;
	channel->handlers = *handlers;
	channel->read.done = read_done;
	channel->read.owner = channel;
	buf_init(&channel->partial, 2 * (IPC_FRAME_BYTES_MAX + IPC_HEADER_BYTES) + IO_READ_BYTES);
	buf_init(&channel->outgoing, IPC_FRAME_BYTES_MAX + IPC_HEADER_BYTES);
	read_more(channel);
	return channel;
}

void
ipc_channel_secret(struct ipc_channel *channel)
{
	channel->partial.secret = channel->outgoing.secret = true;
	io_stream_secret(channel->stream);
}

static void
free_channel(struct ipc_channel *channel)
{
	buf_fini(&channel->partial);
	buf_fini(&channel->outgoing);
	mem_free(channel);
}

void
ipc_channel_destroy(struct ipc_channel *channel)
{
	if (!channel || channel->dead)
		return;
	while (channel->fd_count > 0)
		io_fd_close(channel->fds[--channel->fd_count]);
	io_close(channel->stream);
	channel->dead = true;
	if (!channel->busy)
		free_channel(channel);
}

static enum err
hand_over(struct ipc_channel *channel, unsigned type, struct span payload)
{
	int fd = -1;

	if (type & WITH_FD && channel->fd_count > 0) {
		fd = channel->fds[0];
		channel->fds[0] = channel->fds[--channel->fd_count];
	}
	return channel->handlers.receive(
	    channel->handlers.owner, channel, type & ~(unsigned)WITH_FD, payload, fd);
}

static void
fail(struct ipc_channel *channel, enum err err)
{
	channel->paused = true;
	channel->handlers.closed(channel->handlers.owner, channel, err);
}

/*
 * Hands over the whole frames at the start of bytes; *used is how many bytes they had.  Stops
 * early when the channel was paused.  False when it failed, or was destroyed and is freed.
 */
static bool
take_frames(struct ipc_channel *channel, struct span bytes, size_t *used)
{
	enum err err = OK;

	channel->busy = true;
	*used = 0;
	while (!err && !channel->dead && !channel->paused) {
		struct span rest = span_skip(bytes, *used);
		uint32_t len;
		unsigned type;

		if (rest.len < IPC_HEADER_BYTES)
			break;
		len = wire_get_u32(rest.ptr);
		type = (uint8_t)rest.ptr[4] | (unsigned)(uint8_t)rest.ptr[5] << 8;
		if (len > IPC_FRAME_BYTES_MAX) {
			err = ERR_TOO_LONG;
			break;
		}
		if (rest.len - IPC_HEADER_BYTES < len)
			break;
		*used += IPC_HEADER_BYTES + len;
		err = hand_over(channel, type, span_of(rest.ptr + IPC_HEADER_BYTES, len));
	}
	channel->busy = false;
	if (channel->dead)
		free_channel(channel);
	else if (err)
		fail(channel, err);
	else
		return true;
	return false;
}

/* True while the channel is alive. */
static bool
take_partial(struct ipc_channel *channel)
{
	size_t used;

	if (!take_frames(channel, buf_span(&channel->partial), &used))
		return false;
	buf_consume(&channel->partial, used);
	return true;
}

static bool
take_bytes(struct ipc_channel *channel, struct span bytes)
{
	size_t used = 0;

	if (channel->partial.len == 0 && !take_frames(channel, bytes, &used))
		return false;
	buf_add(&channel->partial, span_skip(bytes, used));
	if (buf_finish(&channel->partial)) {
		fail(channel, ERR_TOO_LONG);
		return false;
	}
	return used > 0 || take_partial(channel);
}

static void
read_done(struct io_op *op)
{
	struct ipc_channel *channel = op->owner;

	channel->reading = false;
	if (op->err) {
		fail(channel, op->err == ERR_END ? ERR_CLOSED : op->err);
		return;
	}
	if (op->fd >= 0 && channel->fd_count < FDS_MAX)
		channel->fds[channel->fd_count++] = op->fd;
	else if (op->fd >= 0)
		io_fd_close(op->fd);
	if (take_bytes(channel, op->bytes))
		read_more(channel);
}

void
ipc_channel_pause(struct ipc_channel *channel, bool pause)
{
	if (channel->paused == pause)
		return;
	channel->paused = pause;
	if (pause || channel->busy)
		return;
	if (take_partial(channel))
		read_more(channel);
}

struct buf *
ipc_channel_begin(struct ipc_channel *channel, unsigned type)
{
	check(type < WITH_FD);
	buf_reset(&channel->outgoing);
	wire_u32(&channel->outgoing, 0);
	wire_u16(&channel->outgoing, (uint16_t)type);
	return &channel->outgoing;
}

static struct span
finished(struct ipc_channel *channel)
{
	struct buf *out = &channel->outgoing;

	check(buf_finish(out) == OK);
	wire_put_u32(out->ptr, (uint32_t)(out->len - IPC_HEADER_BYTES));
	return buf_span(out);
}

void
ipc_channel_end(struct ipc_channel *channel)
{
	io_send(channel->stream, finished(channel));
	if (channel->outgoing.secret)
		buf_reset(&channel->outgoing);
}

void
ipc_channel_end_fd(struct ipc_channel *channel, int fd)
{
	struct span frame = finished(channel);

	channel->outgoing.ptr[IPC_HEADER_BYTES - 1] |= (char)(WITH_FD >> 8);
	io_send_fd(channel->stream, frame, fd);
}

struct io_stream *
ipc_channel_stream(struct ipc_channel *channel)
{
	return channel->stream;
}
