/*
 * Frames between two roles over a socketpair.
 *
 * A frame is a 32-bit payload length, a 16-bit type (its highest bit: a descriptor
 * comes along), and the payload.  The
 * other side is not trusted: a frame that is too long, of an unknown type or
 * malformed ends the channel (the receiver calls ipc_channel_fail), never the
 * receiver.
 */
#pragma once

#include "io/io.h"

enum {
	IPC_BODY_BYTES_MAX = 128 << 10,
	IPC_FRAME_BYTES_MAX = IPC_BODY_BYTES_MAX + (4 << 10),
	IPC_HEADER_BYTES = 6,
};

struct ipc_channel;

struct ipc_handlers {
	void *owner;
	/*
	 * One frame.  fd is a descriptor that came along, or -1; the receiver owns it.  Not OK:
	 * the channel fails with that error.  The receiver may destroy the channel inside.
	 */
	enum err (*receive)(void *owner, struct ipc_channel *channel, unsigned type,
	    struct span payload, int fd);
	/* The other side is gone, or failed; the channel gives nothing more.  Destroy it here. */
	void (*closed)(void *owner, struct ipc_channel *channel, enum err err);
};

/* Takes the stream; starts to read. */
struct ipc_channel *ipc_channel_create(
    struct io_stream *stream, const struct ipc_handlers *handlers);
/* What goes through it is wiped from memory once it was sent or handled. */
void ipc_channel_secret(struct ipc_channel *channel);
/* Ends the stream too (what was sent is still written).  NULL is nothing. */
void ipc_channel_destroy(struct ipc_channel *channel);
/* Stops (starts again) to take frames: back-pressure on the other side. */
void ipc_channel_pause(struct ipc_channel *channel, bool pause);
/* For the codecs: a buffer to add a payload to, then send it. */
struct buf *ipc_channel_begin(struct ipc_channel *channel, unsigned type);
void ipc_channel_end(struct ipc_channel *channel);
/* As end, with a descriptor beside it (duplicated). */
void ipc_channel_end_fd(struct ipc_channel *channel, int fd);
struct io_stream *ipc_channel_stream(struct ipc_channel *channel);
