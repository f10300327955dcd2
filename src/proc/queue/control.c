/*
 * What an operator asks of the queue, through the admin role: to list, to show, and to act on
 * messages.  Every act is said in the log with who asked for it.
 */
#include "proc/queue/queue_internal.h"

#include <unistd.h>

#include "base/check.h"
#include "proc/queue/queue_limits.h"

/* A page ends early when so much of it waits for admin to take it. */
enum { LIST_MAX = 1000, PAGE_BYTES = 1 << 20, RCPTS_SHOWN_MAX = 1000 };

static void
send_message(struct queue *queue, uint64_t query, const struct message *message)
{
	const struct ipc_qa_message answer = {
	    .query = query,
	    .id = message->id,
	    .arrival_wall_ms = message->arrival_wall_ms,
	    .expire_wall_ms = message->arrival_wall_ms + queue->conf->limits.expire_ms,
	    .body_bytes = message->body_bytes,
	    .held = message->held,
	    .reverse_path = message->reverse_path,
	    .client = message->client,
	    .login = message->login,
	    .rcpt_count = message->open_count,
	};

	ipc_qa_message_send(queue->admin, &answer);
}

static enum ipc_why
why(const struct queue *queue, const struct recipient *rcpt)
{
	if (rcpt->state == RECIPIENT_ACTIVE)
		return IPC_WHY_ACTIVE;
	if (rcpt->state == RECIPIENT_BOUNCING)
		return IPC_WHY_BOUNCING;
	if (rcpt->message->held)
		return IPC_WHY_HELD;
	if (rcpt->state == RECIPIENT_WAITING)
		return IPC_WHY_TIME;
	if (rcpt->destination->down_until_ms > io_now_ms(queue->env->io))
		return IPC_WHY_DOWN;
	return IPC_WHY_TURN;
}

static void
send_rcpt(struct queue *queue, uint64_t query, const struct recipient *rcpt)
{
	struct ipc_qa_rcpt answer = {
	    .query = query,
	    .id = rcpt->message->id,
	    .address = rcpt->address,
	    .original = rcpt->original,
	    .destination = span_first(rcpt->destination->key, IPC_DOMAIN_MAX),
	    .state = (uint8_t)rcpt->state,
	    .why = (uint8_t)why(queue, rcpt),
	    .tries = rcpt->tries,
	    .at_wall_ms = rcpt->state == RECIPIENT_WAITING ? rcpt->next_wall_ms : 0,
	    .ahead = schedule_ahead(rcpt),
	};
	struct buf limit;

	buf_init(&limit, IPC_LIMIT_MAX);
	queue_limits_write(
	    &limit, queue->conf, rcpt->destination->key, (enum ipc_why)answer.why);
	answer.limit = buf_span(&limit);
	if (rcpt->last) {
		answer.code = (uint16_t)rcpt->last->code;
		answer.remote = rcpt->last->remote;
		answer.text = rcpt->last->text;
		answer.tried_wall_ms = rcpt->last->wall_ms;
		answer.status = span_str(rcpt->last->status);
	}
	ipc_qa_rcpt_send(queue->admin, &answer);
	buf_fini(&limit);
}

static void
send_whole(struct queue *queue, uint64_t query, const struct message *message)
{
	uint32_t shown = 0;

	send_message(queue, query, message);
	for (uint32_t i = 0; i < message->rcpt_count && shown < RCPTS_SHOWN_MAX; i++)
		if (message->rcpts[i].state != RECIPIENT_ENDED) {
			send_rcpt(queue, query, &message->rcpts[i]);
			shown++;
		}
}

static void
done(struct queue *queue, struct ipc_qa_done *answer)
{
	answer->total = queue->message_map.count;
	ipc_qa_done_send(queue->admin, answer);
}

static void
send_done(struct queue *queue, uint64_t query, uint64_t count, bool lost)
{
	done(queue, &(struct ipc_qa_done){.query = query, .count = count, .lost = lost});
}

static void
list(struct queue *queue, const struct ipc_aq_list *asked)
{
	struct message *after = map_get_u64(&queue->message_map, asked->after);
	struct list *node = after ? after->node.next : queue->messages.next;
	uint32_t limit = asked->limit < LIST_MAX ? asked->limit : LIST_MAX;
	uint64_t count = 0, last = 0;

	/* From the start again, the caller would see most messages twice. */
	if (asked->after && !after) {
		send_done(queue, asked->query, 0, true);
		return;
	}
	for (; node != &queue->messages && count < limit &&
	       io_pending(ipc_channel_stream(queue->admin)) < PAGE_BYTES;
	     node = node->next, count++) {
		last = container_of(node, struct message, node)->id;
		send_whole(queue, asked->query, container_of(node, struct message, node));
	}
	done(queue, &(struct ipc_qa_done){.query = asked->query,
			.count = count,
			.more = node != &queue->messages,
			.last = last});
}

static void
hold(struct queue *queue, struct message *message, bool held)
{
	struct buf mark;

	if (message->held == held)
		return;
	message->held = held;
	message->released = !held;
	buf_init(&mark, 16);
	old_mark_write(&mark, held ? OLD_MARK_HELD : OLD_MARK_RELEASED, NULL);
	spool_mark(queue->spool, NULL, message->id, buf_span(&mark));
	buf_fini(&mark);
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		struct recipient *rcpt = &message->rcpts[i];

		/* A move to WAITING leaves the timer out while the message is held. */
		if (rcpt->state == RECIPIENT_READY ||
		    (rcpt->state == RECIPIENT_WAITING && held))
			recipient_move(queue, rcpt, RECIPIENT_WAITING);
		else if (rcpt->state == RECIPIENT_WAITING)
			recipient_move(queue, rcpt, RECIPIENT_READY);
	}
}

static void
retry(struct queue *queue, struct message *message)
{
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		struct recipient *rcpt = &message->rcpts[i];

		if (message->held || rcpt->state == RECIPIENT_ACTIVE ||
		    !rcpt->destination)
			continue;
		schedule_up(queue, rcpt->destination);
		if (rcpt->state == RECIPIENT_WAITING)
			recipient_move(queue, rcpt, RECIPIENT_READY);
	}
}

static void delete (struct queue *queue, struct message *message)
{
	/* What is under way or bouncing finishes first; it can't be called back. */
	message->deleting = true;
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		struct recipient *rcpt = &message->rcpts[i];

		if (rcpt->state == RECIPIENT_WAITING || rcpt->state == RECIPIENT_READY)
			outcome_end(queue, rcpt);
	}
	outcome_settle(queue, message);
}

static void
act(struct queue *queue, struct message *message, enum ipc_act kind, struct span who)
{
	static const char *const names[IPC_ACT_COUNT] = {
	    "operator_retry", "held", "released", "deleted"};
	struct event event;

	queue_event_begin(&event, queue, names[kind], message);
	event_span(&event, "who", who);
	event_span(&event, "from", message->reverse_path);
	event_end(&event);
	switch (kind) {
	case IPC_ACT_RETRY:
		retry(queue, message);
		return;
	case IPC_ACT_HOLD:
	case IPC_ACT_RELEASE:
		hold(queue, message, kind == IPC_ACT_HOLD);
		return;
	case IPC_ACT_DELETE:
		delete (queue, message);
		return;
	case IPC_ACT_COUNT:
		check(false);
	}
}

static void
act_on(struct queue *queue, const struct ipc_aq_act *asked)
{
	struct message *one = map_get_u64(&queue->message_map, asked->id);
	enum ipc_act kind = (enum ipc_act)asked->act;
	uint64_t count = 0;

	if (asked->id == 0) {
		list_for_each_safe (node, &queue->messages) {
			act(queue, container_of(node, struct message, node), kind,
			    asked->who);
			count++;
		}
	} else if (one) {
		act(queue, one, kind, asked->who);
		count = 1;
	}
	send_done(queue, asked->query, count, false);
	dispatch(queue);
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct queue *queue = owner;
	struct ipc_aq_list asked;
	struct ipc_aq_show show;
	struct ipc_aq_act acted;
	struct message *message;

	(void)channel;
	if (fd >= 0)
		close(fd);
	switch (type) {
	case IPC_aq_LIST:
		if (ipc_aq_list_decode(payload, &asked))
			return ERR_SYNTAX;
		list(queue, &asked);
		return OK;
	case IPC_aq_SHOW:
		if (ipc_aq_show_decode(payload, &show))
			return ERR_SYNTAX;
		message = map_get_u64(&queue->message_map, show.id);
		if (message)
			send_whole(queue, show.query, message);
		send_done(queue, show.query, message ? 1 : 0, false);
		return OK;
	case IPC_aq_ACT:
		if (ipc_aq_act_decode(payload, &acted) || acted.act >= IPC_ACT_COUNT)
			return ERR_SYNTAX;
		act_on(queue, &acted);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct queue *queue = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(queue->env, PROC_ADMIN, 0, err);
	ipc_channel_destroy(channel);
	queue->admin = NULL;
}

void
control_link(struct queue *queue, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {queue, receive, closed};

	ipc_channel_destroy(queue->admin);
	queue->admin = ipc_channel_create(stream, &handlers);
}
