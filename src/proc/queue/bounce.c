/*
 * Bounces: what became of recipients is told to the sender, by a message of its own with the null
 * reverse-path.  Those that failed, and those that succeeded where the sender asked to be told, end
 * only once the bounce is durable, so a crash may bounce twice, never not at all.  Bounces never
 * bounce.
 *
 * That a message takes long is told in the same way (told_of); then nobody ends by it.  And so is
 * postmaster, before the sender, where the configuration says so (bounce_notice.c).
 */
#include "proc/queue/bounce_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "base/sim_point.h"

enum { BOUNCE_BYTES_MAX = 4 << 20 };

static struct bounce *
bounce_create(struct message *message)
{
	struct bounce *bounce = mem_alloc(sizeof(*bounce));

	bounce->queue = message->queue;
	bounce->message = message;
	message->bounce = bounce;
	message->users++;
	list_push(&message->queue->bounces, &bounce->node);
	buf_init(&bounce->bytes, STORE_ENVELOPE_BYTES_MAX);
	buf_init(&bounce->targets, IPC_TARGETS_MAX);
	buf_init(&bounce->envelope, STORE_ENVELOPE_BYTES_MAX);
	buf_init(&bounce->body, BOUNCE_BYTES_MAX);
	return bounce;
}

/* Whether its sender wants to be told of the recipient, which the bounce is about. */
bool
bounce_is_told(const struct bounce *bounce, uint32_t index)
{
	struct sched *sched = bounce->queue->sched;
	const struct envelope_rcpt *told = &bounce->message->envelope->rcpts[index];
	unsigned notify = told->notify;
	struct sched_rcpt rcpt;

	if (bounce->told_of)
		return (bounce->told_of & WATCH_DELAY &&
			   watch_tells_delay(bounce->queue, told)) ||
		    (bounce->told_of & WATCH_BY && !(notify & IPC_NOTIFY_NEVER));
	sched_rcpt_get(
	    sched, sched_rcpt_find(sched, bounce->message->slot, index), &rcpt);
	if (bounce->notice)
		return !rcpt.succeeded;
	return rcpt.succeeded || notify == 0 || notify & IPC_NOTIFY_FAILURE;
}

static bool
is_about(const struct bounce *bounce, uint32_t at)
{
	bool ends = sched_rcpt_state(bounce->queue->sched, at) == SCHED_BOUNCING;

	return ends == (bounce->told_of == 0);
}

/* Those that are BOUNCING now; whoever fails later has a bounce of its own. */
void
bounce_gather(struct bounce *bounce)
{
	struct sched *sched = bounce->queue->sched;
	struct message *message = bounce->message;
	struct sched_message known;

	outcome_say_expired(message);
	sched_message_get(sched, message->slot, &known);
	mem_free(bounce->rcpts);
	bounce->rcpts = mem_alloc(known.open_count * sizeof(*bounce->rcpts));
	bounce->rcpt_count = 0;
	for (uint32_t i = 0; i < known.rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(sched, message->slot, i);

		if (at != SCHED_NONE && is_about(bounce, at))
			bounce->rcpts[bounce->rcpt_count++] = i;
	}
}

/* How many of those that were gathered its sender is told of. */
static uint32_t
told_count(const struct bounce *bounce)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bounce->rcpt_count; i++)
		count += bounce_is_told(bounce, bounce->rcpts[i]);
	return count;
}

void
bounce_get_rcpt(const struct bounce *bounce, uint32_t index, struct sched_rcpt *rcpt)
{
	struct sched *sched = bounce->queue->sched;

	sched_rcpt_get(sched, sched_rcpt_find(sched, bounce->message->slot, index), rcpt);
}

enum end_kind
bounce_end_of(const struct bounce *bounce, const struct sched_rcpt *rcpt)
{
	const struct envelope *envelope = bounce->message->envelope;
	struct sched_destination destination;

	if (!rcpt->succeeded)
		return rcpt->expired ? END_EXPIRED : END_BOUNCED;
	if (envelope && envelope->rcpts[rcpt->index].kind == IPC_TARGET_ALIAS)
		return END_EXPANDED;
	sched_destination_get(bounce->queue->sched, rcpt->destination, &destination);
	return schedule_is_final(&destination) ? END_DELIVERED : END_RELAYED;
}

/* The others have their ends of their own. */
static void
say_expanded(const struct bounce *bounce, uint32_t index)
{
	struct event event;

	queue_event_begin(&event, bounce->queue, "expanded", bounce->message->id);
	event_span(&event, "to", bounce->message->envelope->rcpts[index].address);
	event_end(&event);
}

static void
end_rcpts(struct bounce *bounce)
{
	if (!bounce->rcpts)
		bounce_gather(bounce);
	for (uint32_t i = 0; i < bounce->rcpt_count; i++) {
		struct sched_rcpt rcpt;
		struct sched_reply reply;
		struct mark mark = {0};

		bounce_get_rcpt(bounce, bounce->rcpts[i], &rcpt);
		reply = sched_reply_get(bounce->queue->sched, rcpt.reply);
		mark.end = bounce_end_of(bounce, &rcpt);
		if (mark.end == END_EXPANDED)
			say_expanded(bounce, rcpt.index);
		if (bounce->id && bounce_is_told(bounce, bounce->rcpts[i]))
			mark.bounce_id = bounce->id;
		mark.code = rcpt.code;
		mark.status = reply.status;
		mark.remote = reply.remote;
		mark.text = reply.text;
		outcome_end(bounce->message, bounce->rcpts[i], &mark);
	}
}

/* It may have been told of nothing, where nothing is to be told: that is over too. */
static void
note_told(struct bounce *bounce)
{
	const struct mark mark = {.kind = MARK_TOLD,
	    .wall_ms = io_wall_ms(bounce->queue->env->io),
	    .told = bounce->told_of};

	outcome_mark(bounce->queue, bounce->message->id, &mark);
	watch_told(bounce->queue, bounce->message->id, bounce->told_of);
}

static void
end_bounce(struct bounce *bounce)
{
	struct message *message = bounce->message;

	message->bounce = NULL;
	list_remove(&bounce->node);
	buf_fini(&bounce->bytes);
	buf_fini(&bounce->targets);
	buf_fini(&bounce->envelope);
	buf_fini(&bounce->body);
	mem_free(bounce->header);
	mem_free(bounce->rcpts);
	mem_free(bounce);
	poison_ended(message);
	outcome_settle(message);
	message_close(message);
}

/* The bounce is made, or needs none: its recipients have their end. */
static void
finish(struct bounce *bounce)
{
	if (bounce->told_of)
		note_told(bounce);
	else
		end_rcpts(bounce);
	end_bounce(bounce);
}

static void
drop(struct bounce *bounce, const char *why)
{
	const struct envelope *envelope = bounce->message->envelope;
	struct event event;

	SIM_MARK("queue.bounce_dropped");
	bounce->id = 0;
	queue_event_begin(&event, bounce->queue, "bounce_dropped", bounce->message->id);
	if (envelope)
		event_span(&event, "to", envelope->reverse_path);
	event_str(&event, "text", why);
	event_end(&event);
	finish(bounce);
}

static void
start_over(struct bounce *bounce)
{
	bounce->query = 0;
	buf_reset(&bounce->targets);
	buf_reset(&bounce->envelope);
	buf_reset(&bounce->body);
}

/* It can't be made just now: bounce_retry starts again. */
static void
postpone(struct bounce *bounce)
{
	SIM_MARK("queue.bounce_postponed");
	start_over(bounce);
}

static void
ask_lookup(struct bounce *bounce)
{
	struct queue *queue = bounce->queue;
	struct ipc_xl_resolve resolve = {
	    .query = ++queue->next_query,
	    .address = bounce->message->envelope->reverse_path,
	};
	struct buf postmaster;

	if (!queue->lookup)
		return;
	buf_init(&postmaster, IPC_PATH_MAX);
	if (bounce->notice) {
		bounce_write_postmaster(queue, &postmaster);
		resolve.address = buf_span(&postmaster);
	}
	bounce->query = resolve.query;
	ipc_xl_resolve_send(queue->lookup, &resolve);
	buf_fini(&postmaster);
}

/* The sender cannot be told; postmaster is, where the configuration says so. */
static void
lose(struct bounce *bounce, const char *why)
{
	if (!bounce_is_noticed(bounce, why)) {
		drop(bounce, why);
		return;
	}
	start_over(bounce);
	ask_lookup(bounce);
}

static void
go_on(struct bounce *bounce)
{
	struct envelope *envelope = bounce->message->envelope;

	if (envelope->reverse_path.len == 0 && SIM_BUG(BOUNCE_A_BOUNCE))
		envelope->reverse_path = envelope->rcpts[0].address;
	bounce_gather(bounce);
	if (bounce->notice)
		ask_lookup(bounce);
	else if (envelope->reverse_path.len == 0)
		lose(bounce, "the message has a null reverse-path: there is nobody to tell");
	else if (bounce->lost)
		drop(bounce, bounce->lost);
	else if (told_count(bounce) == 0)
		drop(bounce, "the sender wants no notification of it");
	else {
		(void)bounce_is_noticed(bounce, NULL);
		ask_lookup(bounce);
	}
}

/* Postmaster was told, or cannot be: the sender's turn. */
static void
notice_over(struct bounce *bounce, const char *why)
{
	struct event event;

	if (why) {
		queue_event_begin(
		    &event, bounce->queue, "notice_dropped", bounce->message->id);
		event_str(&event, "text", why);
		event_end(&event);
	}
	bounce->notice = false;
	bounce->noticed = true;
	bounce->id = 0;
	start_over(bounce);
	go_on(bounce);
}

/*
 * Nobody can be told, as it cannot be read whom: it is set aside, and who failed waits with it, so
 * that an operator may release it (to be tried again) or delete it.  What was delivered, or deleted
 * already, ends all the same.
 */
static void
set_aside(struct bounce *bounce, enum err err)
{
	struct sched *sched = bounce->queue->sched;
	struct message *message = bounce->message;
	struct sched_message known;
	uint32_t over = 0;

	SIM_MARK("queue.bounce_unreadable");
	bounce_gather(bounce);
	sched_message_get(sched, message->slot, &known);
	for (uint32_t i = 0; i < bounce->rcpt_count; i++) {
		uint32_t at = sched_rcpt_find(sched, message->slot, bounce->rcpts[i]);
		struct sched_rcpt rcpt;

		sched_rcpt_get(sched, at, &rcpt);
		if (rcpt.succeeded || known.flags & SCHED_DELETING) {
			bounce->rcpts[over++] = bounce->rcpts[i];
			continue;
		}
		if (!(known.flags & SCHED_ASIDE)) {
			poison_unreadable(message, err);
			known.flags |= SCHED_ASIDE;
		}
		rcpt.expired = false;
		sched_rcpt_note(sched, at, &rcpt);
		sched_rcpt_wait(sched, at, 0);
	}
	bounce->rcpt_count = over;
	bounce->id = 0;
	end_rcpts(bounce);
	end_bounce(bounce);
}

static void
envelope_done(struct io_op *op)
{
	struct bounce *bounce = op->owner;
	struct message *message = bounce->message;
	enum err err = op->err;
	struct event event;

	bounce->reading = false;
	if (!err)
		err = message_envelope(message, &bounce->bytes);
	buf_fini(&bounce->bytes);
	if (!err) {
		go_on(bounce);
		return;
	}
	queue_event_begin(&event, bounce->queue, "spool_read_failed", message->id);
	event_err(&event, err);
	event_str(&event, "text", "its sender cannot be told yet that it failed");
	event_end(&event);
	/* Else bounce_retry looks again. */
	buf_init(&bounce->bytes, STORE_ENVELOPE_BYTES_MAX);
	if (poison_may_pass(err))
		return;
	if (bounce->told_of)
		drop(bounce, "the message cannot be read from the spool");
	else
		set_aside(bounce, err);
}

/* It may be at hand by now, from an attempt. */
static void
start(struct bounce *bounce)
{
	if (bounce->reading)
		return;
	if (bounce->message->envelope) {
		if (bounce->query == 0)
			go_on(bounce);
		return;
	}
	bounce->reading = true;
	bounce->read = (struct io_op){.done = envelope_done, .owner = bounce};
	store_read_message(bounce->queue->store, &bounce->read, bounce->message->id,
	    &bounce->bytes, NULL, 0);
}

/* As with an attempt: the mark is durable, or never will be. */
static void
begun(struct store_op *op)
{
	struct bounce *bounce = op->owner;

	bounce->reading = false;
	start(bounce);
}

static void
begin(struct message *message, unsigned told_of)
{
	struct bounce *bounce = bounce_create(message);
	struct sched_message known;
	uint32_t index = 0, at;

	bounce->told_of = told_of;
	sched_message_get(bounce->queue->sched, message->slot, &known);
	while (index < known.rcpt_count) {
		at = sched_rcpt_find(bounce->queue->sched, message->slot, index);
		if (at != SCHED_NONE && (told_of || is_about(bounce, at)))
			break;
		index++;
	}
	check(index < known.rcpt_count);
	if (!poison_is_careful(message, index)) {
		start(bounce);
		return;
	}
	bounce->reading = true;
	bounce->put = (struct store_op){.done = begun, .owner = bounce};
	poison_begin(message, index, &bounce->put);
}

void
bounce_start(struct message *message)
{
	begin(message, 0);
}

void
bounce_tell(struct message *message, unsigned what)
{
	SIM_MARK("queue.told_of_delay");
	begin(message, what);
}

void
bounce_retry(struct queue *queue)
{
	list_for_each_safe(node, &queue->bounces)
		start(container_of(node, struct bounce, node));
}

static void
put_done(struct store_op *op)
{
	struct bounce *bounce = op->owner;
	struct queue *queue = bounce->queue;
	struct envelope *envelope;
	char id[ID_TEXT_MAX];
	struct event event;
	uint32_t made;

	if (op->err) {
		SIM_MARK("queue.bounce_not_stored");
		queue_check_pressure(queue, op->err);
		if (SIM_BUG(BOUNCE_NOT_DURABLE))
			finish(bounce);
		else
			postpone(bounce);
		return;
	}
	check(envelope_read(&bounce->envelope, &envelope) == OK);
	made = message_add(queue, bounce->id, envelope, bounce->body.len);
	message_keep_fresh(queue, made, envelope, &bounce->body);
	queue_event_begin(
	    &event, queue, bounce->notice ? "notice_queued" : "bounce_queued", bounce->id);
	event_span(&event, "bounce_of", id_text(id, bounce->message->id));
	if (!bounce->notice)
		event_span(&event, "to", bounce->message->envelope->reverse_path);
	event_str(&event, "action", dsn_action_name(bounce->worst));
	event_end(&event);
	schedule_message(queue, made);
	if (bounce->notice)
		notice_over(bounce, NULL);
	else
		finish(bounce);
	dispatch(queue);
}

static void
header_read(struct io_op *op)
{
	struct bounce *bounce = op->owner;
	bool any;

	bounce->id = queue_own_id(bounce->queue);
	/* A message that can't be read bounces all the same, without its header. */
	any = bounce_write_body(bounce, op->err ? 0 : op->count);
	mem_free(bounce->header);
	bounce->header = NULL;
	if (any)
		bounce_write_envelope(bounce);
	if (!any || buf_finish(&bounce->body) || buf_finish(&bounce->envelope)) {
		const char *why = any ? "the bounce would be too large"
		                      : "nothing is to be told any more";

		if (bounce->notice)
			notice_over(bounce, why);
		else if (any)
			lose(bounce, why);
		else
			drop(bounce, why);
		return;
	}
	bounce->put = (struct store_op){.done = put_done, .owner = bounce};
	store_put(bounce->queue->store, &bounce->put, bounce->id, buf_span(&bounce->envelope),
	    buf_span(&bounce->body));
}

static void
take_resolved(struct bounce *bounce, const struct ipc_lx_resolved *resolved)
{
	struct reader reader = reader_init(resolved->targets);
	struct ipc_target_entry target;
	size_t count = 0, bytes = bounce_bytes_to_read(bounce);

	if (resolved->verdict == IPC_UNKNOWN && bounce->notice) {
		notice_over(bounce, "postmaster's mailbox does not exist here");
		return;
	}
	if (resolved->verdict == IPC_UNKNOWN) {
		lose(bounce, "the sender's mailbox does not exist here");
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
	store_read_body(bounce->queue->store, &bounce->read, bounce->message->id,
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
