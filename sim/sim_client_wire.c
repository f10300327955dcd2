/*
 * A sender's connection: bytes come in, replies come out.
 */
#include "sim_client.h"

enum { REPLY_BYTES_MAX = 16 << 10 };

static void
read_more(struct sender *sender)
{
	io_read(sender->stream, &sender->read);
}

/* Takes a line that ends a reply, or begins or continues one. */
static void
take_line(struct sender *sender, struct span line)
{
	uint64_t code;

	if (line.len < 3 || !span_u64(span_first(line, 3), 599, &code) || code < 200)
		sim_fail(sender_sim(sender), "property 10: no reply: \"%.*s\"",
		    SPAN_ARGS(span_first(line, 100)));
	buf_add(&sender->reply, line);
	buf_add_str(&sender->reply, "\n");
	if (line.len > 3 && line.ptr[3] == '-')
		return;
	sender_take_reply(sender, (unsigned)code, span_skip(line, 4));
	buf_reset(&sender->reply);
}

static void
read_done(struct io_op *op)
{
	struct sender *sender = op->owner;
	struct io_stream *stream = sender->stream;
	struct span rest;
	struct buf taken;
	size_t used = 0;

	if (op->err) {
		sender_session_over(sender);
		return;
	}
	buf_add(&sender->input, op->bytes);
	if (buf_finish(&sender->input))
		sim_fail(sender_sim(sender), "property 10: an endless reply");
	/* What a reply leads to may end the session, and its buffer with it. */
	buf_init(&taken, REPLY_BYTES_MAX);
	buf_add(&taken, buf_span(&sender->input));
	rest = buf_span(&taken);
	while (sender->stream == stream && stream) {
		size_t end = span_find(rest, '\n');

		if (end == rest.len)
			break;
		used += end + 1;
		take_line(sender, span_first(rest, end > 0 && rest.ptr[end - 1] == '\r' ? end - 1
		                                                                        : end));
		rest = span_skip(rest, end + 1);
	}
	if (sender->stream == stream && stream) {
		buf_consume(&sender->input, used);
		read_more(sender);
	}
	buf_fini(&taken);
}

static void
connected(struct io_op *op)
{
	struct sender *sender = op->owner;

	sender->connecting = false;
	if (op->err) {
		sender_session_over(sender);
		return;
	}
	sender->stream = op->stream;
	read_more(sender);
}

void
sender_connect(struct sender *sender)
{
	sender->connecting = true;
	sender->connect = (struct io_op){.done = connected, .owner = sender};
	sender->read = (struct io_op){.done = read_done, .owner = sender};
	io_connect(sender->options.io, &sender->connect, &sender->options.to);
}

void
sender_give_up(struct sender *sender)
{
	if (sender->connecting)
		io_abort(sender->connect.stream);
	else
		io_abort(sender->stream);
	sender->connecting = false;
	sender->stream = NULL;
	sender_session_over(sender);
}

void
sender_wire_init(struct sender *sender)
{
	buf_init(&sender->input, REPLY_BYTES_MAX);
	buf_init(&sender->reply, REPLY_BYTES_MAX);
	buf_init(&sender->body, 3 * LETTER_BYTES_MAX);
}

void
sender_destroy(struct sender *sender)
{
	buf_fini(&sender->input);
	buf_fini(&sender->reply);
	buf_fini(&sender->body);
	mem_free(sender);
}
