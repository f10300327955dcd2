/*
 * Whole frames are handed over straight from what was read; only the tail of
 * a frame that is not complete yet is copied.
 */
#include "ipc/channel.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"

struct ipc_channel {
	struct io_stream *stream;
	struct ipc_handlers handlers;
	struct io_op read;
	struct buf partial;   /* the beginning of a frame */
	struct buf outgoing;  /* the frame being made */
	bool busy;            /* frames are being handed over */
	bool dead;            /* destroyed meanwhile; freed when that is done */
	int fd;               /* came along, belongs to the frame that is read next; or -1 */
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
	channel->fd = -1;
	buf_init(&channel->partial, 2 * (IPC_FRAME_BYTES_MAX + IPC_HEADER_BYTES) + IO_READ_BYTES);
	buf_init(&channel->outgoing, IPC_FRAME_BYTES_MAX + IPC_HEADER_BYTES);
	read_more(channel);
	return channel;
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
	if (channel->fd >= 0)
		close(channel->fd);
	io_close(channel->stream);
	channel->dead = true;
	if (!channel->busy)
		free_channel(channel);
}

static enum err
hand_over(struct ipc_channel *channel, unsigned type, struct span payload)
{
	int fd = channel->fd;

	channel->fd = -1;
	return channel->handlers.receive(
	    channel->handlers.owner, channel, type, payload, fd);
}

/*
 * Hands over the whole frames at the start of bytes; *used is how many bytes they had.  Stops
 * early when the channel was paused; ERR_END when it was destroyed, and is freed.
 */
static enum err
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
	if (!channel->dead)
		return err;
	free_channel(channel);
	return ERR_END;
}

static void
fail(struct ipc_channel *channel, enum err err)
{
	channel->paused = true;
	channel->handlers.closed(channel->handlers.owner, channel, err);
}

/* True while the channel is alive. */
static bool
take_partial(struct ipc_channel *channel)
{
	size_t used;
	enum err err = take_frames(channel, buf_span(&channel->partial), &used);

	if (err == ERR_END)
		return false;
	if (err) {
		fail(channel, err);
		return false;
	}
	buf_consume(&channel->partial, used);
	return true;
}

static bool
take_bytes(struct ipc_channel *channel, struct span bytes)
{
	size_t used = 0;
	enum err err;

	if (channel->partial.len == 0) {
		err = take_frames(channel, bytes, &used);
		if (err == ERR_END)
			return false;
		if (err) {
			fail(channel, err);
			return false;
		}
	}
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
	if (op->fd >= 0) {
		if (channel->fd >= 0)
			close(channel->fd);
		channel->fd = op->fd;
	}
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
}

void
ipc_channel_end_fd(struct ipc_channel *channel, int fd)
{
	io_send_fd(channel->stream, finished(channel), fd);
}

struct io_stream *
ipc_channel_stream(struct ipc_channel *channel)
{
	return channel->stream;
}
