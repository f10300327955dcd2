/*
 * Bounces: a message that failed for some recipients is told to its sender, by a
 * message of its own with the null reverse-path.  The failed recipients end only once the bounce
 * is durable, so a crash may bounce twice, never not at all.  Bounces never bounce.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "mime/dsn.h"
#include "mime/header.h"
#include "replies/catalogue.h"

enum { BOUNCE_BYTES_MAX = 4 << 20, EXPLANATION_BYTES_MAX = 1000 };

/* One bounce being made: lookup is asked, the header is read, the spool writes. */
struct bounce {
	struct queue *queue;
	struct message *message;
	struct list node; /* in queue->bounces */
	uint64_t query;   /* 0: lookup is to be asked (again) */
	struct buf targets;
	char *header;
	struct io_op read;
	uint64_t id;
	struct buf envelope, body;
	struct spool_op put;
};

static struct bounce *
bounce_create(struct queue *queue, struct message *message)
{
	struct bounce *bounce = mem_alloc(sizeof(*bounce));

	bounce->queue = queue;
	bounce->message = message;
	message->bounce = bounce;
	list_push(&queue->bounces, &bounce->node);
	buf_init(&bounce->targets, IPC_TARGETS_MAX);
	buf_init(&bounce->envelope, SPOOL_ENVELOPE_BYTES_MAX);
	buf_init(&bounce->body, BOUNCE_BYTES_MAX);
	return bounce;
}

/* The bounce is made, or needs none: its recipients have their end. */
static void
finish(struct bounce *bounce)
{
	struct queue *queue = bounce->queue;
	struct message *message = bounce->message;

	for (uint32_t i = 0; i < message->rcpt_count; i++)
		if (message->rcpts[i].state == RECIPIENT_BOUNCING)
			outcome_end(queue, &message->rcpts[i]);
	message->bounce = NULL;
	list_remove(&bounce->node);
	buf_fini(&bounce->targets);
	buf_fini(&bounce->envelope);
	buf_fini(&bounce->body);
	mem_free(bounce->header);
	mem_free(bounce);
	outcome_settle(queue, message);
}

static void
drop(struct bounce *bounce, const char *why)
{
	struct event event;

	queue_event_begin(&event, bounce->queue, "bounce_dropped", bounce->message);
	event_span(&event, "to", bounce->message->reverse_path);
	event_str(&event, "text", why);
	event_end(&event);
	finish(bounce);
}

/* It can't be made just now: bounce_retry starts again. */
static void
postpone(struct bounce *bounce)
{
	bounce->query = 0;
	buf_reset(&bounce->targets);
	buf_reset(&bounce->envelope);
	buf_reset(&bounce->body);
}

static void
ask_lookup(struct bounce *bounce)
{
	struct queue *queue = bounce->queue;
	const struct ipc_xl_resolve resolve = {
	    .query = ++queue->next_query, .address = bounce->message->reverse_path};

	if (!queue->lookup)
		return;
	bounce->query = resolve.query;
	ipc_xl_resolve_send(queue->lookup, &resolve);
}

void
bounce_start(struct queue *queue, struct message *message)
{
	struct bounce *bounce = bounce_create(queue, message);

	if (message->reverse_path.len == 0)
		drop(bounce, "the message has a null reverse-path: there is nobody to tell");
	else
		ask_lookup(bounce);
}

void
bounce_retry(struct queue *queue)
{
	list_for_each_safe(node, &queue->bounces)
	{
		struct bounce *bounce = container_of(node, struct bounce, node);

		if (bounce->query == 0)
			ask_lookup(bounce);
	}
}

static void
put_done(struct spool_op *op)
{
	struct bounce *bounce = op->owner;
	struct queue *queue = bounce->queue;
	struct message *made;
	char id[ID_TEXT_MAX];
	struct event event;

	if (op->err) {
		queue_check_pressure(queue, op->err);
		postpone(bounce);
		return;
	}
	check(message_create(queue, bounce->id, buf_span(&bounce->envelope), bounce->body.len,
	          &made) == OK);
	queue_event_begin(&event, queue, "bounce_queued", made);
	event_span(&event, "bounce_of", id_text(id, bounce->message->id));
	event_span(&event, "to", bounce->message->reverse_path);
	event_end(&event);
	schedule_message(queue, made);
	finish(bounce);
	dispatch(queue);
}

/* What the catalogue says to a person about this failure. */
static struct span
explain(const struct last_reply *last)
{
	const struct catalogue_entry *entry = NULL;
	char code[4] = {(char)('0' + last->code / 100 % 10), (char)('0' + last->code / 10 % 10),
	    (char)('0' + last->code % 10), '\0'};

	if (last->status[0] != '\0')
		entry = catalogue_find(span_str(last->status));
	if (!entry && last->code > 0)
		entry = catalogue_find(span_str(code));
	return entry ? span_first(span_str(entry->fix), EXPLANATION_BYTES_MAX) : SPAN("");
}

static void
describe(struct dsn_recipient *to, const struct recipient *from)
{
	const struct last_reply *last = from->last;

	to->address = from->address;
	if (!span_eq(from->original, from->address))
		to->orcpt = from->original;
	if (!last)
		return;
	to->expired = last->expired;
	to->status = span_str(last->status);
	to->code = last->code;
	to->remote = last->remote;
	to->text = last->text;
	to->last_attempt_wall_ms = last->wall_ms;
	to->explanation = explain(last);
}

static void
write_body(struct bounce *bounce, struct span header)
{
	struct message *message = bounce->message;
	struct dsn_recipient *rcpts = mem_alloc(message->rcpt_count * sizeof(*rcpts));
	char id[ID_TEXT_MAX];
	struct dsn dsn = {
	    .hostname = bounce->queue->conf->hostname,
	    .to = message->reverse_path,
	    .id = id_text(id, message->id),
	    .envelope_helo = message->helo,
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .now_wall_ms = io_wall_ms(bounce->queue->env->io),
	    .unique = bounce->id,
	    .recipients = rcpts,
	    .header = header,
	};

	for (uint32_t i = 0; i < message->rcpt_count; i++)
		if (message->rcpts[i].state == RECIPIENT_BOUNCING)
			describe(&rcpts[dsn.recipient_count++], &message->rcpts[i]);
	dsn_write(&bounce->body, &dsn);
	mem_free(rcpts);
}

static void
write_envelope(struct bounce *bounce)
{
	struct reader reader = reader_init(buf_span(&bounce->targets));
	struct ipc_target_entry target;
	struct message_envelope envelope = {
	    .arrival_wall_ms = io_wall_ms(bounce->queue->env->io),
	    .flags = IPC_MESSAGE_BOUNCE,
	};

	while (ipc_target_next(&reader, &target))
		envelope.rcpt_count++;
	message_envelope_begin(&bounce->envelope, &envelope);
	reader = reader_init(buf_span(&bounce->targets));
	while (ipc_target_next(&reader, &target))
		message_envelope_rcpt(
		    &bounce->envelope, &target, bounce->message->reverse_path);
}

static void
header_read(struct io_op *op)
{
	struct bounce *bounce = op->owner;
	struct span header = SPAN("");

	/* A message that can't be read bounces all the same, without its header. */
	if (!op->err) {
		header = span_of(bounce->header, op->count);
		header = span_first(header, header_bytes(header));
	}
	bounce->id = queue_own_id(bounce->queue);
	write_body(bounce, header);
	write_envelope(bounce);
	mem_free(bounce->header);
	bounce->header = NULL;
	if (buf_finish(&bounce->body) || buf_finish(&bounce->envelope)) {
		drop(bounce, "the bounce would be too large");
		return;
	}
	bounce->put = (struct spool_op){.done = put_done, .owner = bounce};
	spool_put(bounce->queue->spool, &bounce->put, bounce->id, buf_span(&bounce->envelope),
	    buf_span(&bounce->body));
}

static void
take_resolved(struct bounce *bounce, const struct ipc_lx_resolved *resolved)
{
	struct reader reader = reader_init(resolved->targets);
	struct ipc_target_entry target;
	size_t count = 0;
	size_t bytes = bounce->message->body_bytes < QUEUE_BOUNCE_HEADER_BYTES
	    ? (size_t)bounce->message->body_bytes
	    : QUEUE_BOUNCE_HEADER_BYTES;

	if (resolved->verdict == IPC_UNKNOWN) {
		drop(bounce, "the sender's mailbox does not exist here");
		return;
	}
	while (ipc_target_next(&reader, &target))
		count++;
	if ((resolved->verdict != IPC_LOCAL && resolved->verdict != IPC_REMOTE) || count == 0 ||
	    reader_finish(&reader)) {
		postpone(bounce);
		return;
	}
	buf_add(&bounce->targets, resolved->targets);
	bounce->header = mem_alloc(bytes);
	bounce->read = (struct io_op){.done = header_read, .owner = bounce};
	spool_read_body(bounce->queue->spool, &bounce->read, bounce->message->id,
	    bounce->header, bytes, 0);
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct queue *queue = owner;
	struct ipc_lx_resolved resolved;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_lx_RESOLVED || ipc_lx_resolved_decode(payload, &resolved))
		return ERR_SYNTAX;
	list_for_each(node, &queue->bounces)
	{
		struct bounce *bounce = container_of(node, struct bounce, node);

		if (bounce->query == resolved.query && bounce->targets.len == 0 &&
		    !bounce->header) {
			take_resolved(bounce, &resolved);
			break;
		}
	}
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct queue *queue = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(queue->env, PROC_LOOKUP, 0, err);
	ipc_channel_destroy(channel);
	queue->lookup = NULL;
	list_for_each(node, &queue->bounces)
	{
		struct bounce *bounce = container_of(node, struct bounce, node);

		if (bounce->targets.len == 0)
			bounce->query = 0;
	}
}

void
bounce_lookup_link(struct queue *queue, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {queue, receive, closed};

	if (queue->lookup)
		closed(queue, queue->lookup, ERR_CLOSED);
	queue->lookup = ipc_channel_create(stream, &handlers);
	bounce_retry(queue);
}
