/*
 * A transaction, from MAIL to the reply for the message: what policy says to each
 * step, and what the queue is given.
 *
 * A small body is kept here and given to the queue at once, so that the queue holds nothing
 * for slow clients; one that outgrows RECEPTION_INLINE_BYTES is streamed to it.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"
#include "base/id.h"
#include "base/sim_point.h"
#include "mime/trace.h"
#include "route/route.h"
#include "table/resolve.h"

enum { TRANSACTION_BYTES_MAX = 4 << 20 };

static void
forget(struct transaction *transaction)
{
	arena_fini(&transaction->arena);
	buf_fini(&transaction->body);
	submission_destroy(transaction->submission);
	*transaction = (struct transaction){0};
}

/* The reply for what the queue can't do; 0 args. */
static enum reply_id
reply_for(enum ipc_commit outcome)
{
	switch (outcome) {
	case IPC_COMMIT_DISK_FULL:
		return REPLY_DISK_FULL;
	case IPC_COMMIT_QUEUE_FULL:
		return REPLY_QUEUE_FULL;
	case IPC_COMMIT_BROKEN:
		return REPLY_SPOOL_BROKEN;
	case IPC_COMMIT_IN_DOUBT:
		return REPLY_IN_DOUBT;
	case IPC_COMMIT_OK:
	case IPC_COMMIT_ERROR:
	case IPC_COMMIT_COUNT:
		break;
	}
	return REPLY_LOCAL_ERROR;
}

void
transaction_say_refused(struct session *session, enum reply_id id, struct span to)
{
	struct event event;

	session_event_begin(session, &event, "refused");
	event_u64(&event, "code", reply_code(id));
	event_str(&event, "status", reply_enhanced(id));
	session_note_limit(session, &event, id);
	if (session->transaction.active)
		event_span(&event, "from", session->transaction.reverse_path);
	if (to.len > 0)
		event_span(&event, "to", to);
	event_span(&event, "helo", smtp_server_helo(session->smtp));
	event_end(&event);
}

bool
transaction_may_relay(const struct session *session)
{
	if (session->kind == CONF_LISTENER_LMTP)
		return SIM_BUG(RELAY_FOR_ALL);
	return session->may_relay || smtp_server_login(session->smtp).len > 0 ||
	    SIM_BUG(RELAY_FOR_ALL);
}

static void
keep_asked(struct session *session, const struct smtp_mail_parameters *mail)
{
	struct transaction *transaction = &session->transaction;
	struct buf extras;

	buf_init(&extras, IPC_EXTRAS_MAX);
	asks_write(&extras, mail, session->reception->conf, transaction_may_relay(session),
	    io_wall_ms(session->reception->env->io));
	check(buf_finish(&extras) == OK &&
	    arena_copy(&transaction->arena, buf_span(&extras), &transaction->extras));
	buf_fini(&extras);
}

/*
 * Whether DNS is to say if the sender's domain takes mail at all: of strangers, whose domain is
 * not ours, and a name.  Without a resolver the sender is taken.
 */
static bool
is_to_be_asked_about(const struct session *session, const struct address *address)
{
	const struct conf *conf = session->reception->conf;
	const struct resolve_tables tables = {
	    .domains = conf->domains, .domain_count = conf->domain_count};
	struct span domain = address->domain;

	return conf->refuse_null_mx && session->kind == CONF_LISTENER_SMTP &&
	    !transaction_may_relay(session) && session->reception->resolver && domain.len > 0 &&
	    domain.len <= IPC_DOMAIN_MAX && domain.ptr[0] != '[' && span_is_ascii(domain) &&
	    conf->domain_count <= TRANSACTION_DOMAINS_MAX && !resolve_is_ours(&tables, domain);
}

void
transaction_mail(struct session *session, const struct smtp_server_event *event)
{
	struct reception *reception = session->reception;
	struct transaction *transaction = &session->transaction;
	enum reply_id refusal = REPLY_COUNT;

	check(!transaction->active);
	if (!reception->queue)
		refusal = REPLY_LOCAL_ERROR;
	else if (reception->pressure != IPC_COMMIT_OK)
		refusal = reply_for(reception->pressure);
	else
		refusal = session_may(session, LIMIT_RATE_MESSAGES);
	if (refusal == REPLY_COUNT) {
		transaction->id = reception_next_id(reception);
		if (transaction->id == 0)
			refusal = REPLY_LOCAL_ERROR;
	}
	if (refusal != REPLY_COUNT) {
		transaction_say_refused(session, refusal, SPAN(""));
		session_reply_id(session, refusal);
		return;
	}
	arena_init(&transaction->arena, TRANSACTION_BYTES_MAX);
	buf_init(&transaction->body, RECEPTION_INLINE_BYTES + 2 * RECEPTION_CHUNK_BYTES);
	transaction->rcpts_end = &transaction->rcpts;
	transaction->flags = asks_flags(&event->mail);
	keep_asked(session, &event->mail);
	check(arena_copy(
	    &transaction->arena, event->address.whole, &transaction->reverse_path));
	transaction->active = true;
	if (submit_applies(session))
		submit_mail(session);
	else if (is_to_be_asked_about(session, &event->address))
		ask_null_mx(session, event->address.domain);
	else
		session_reply_id(session, REPLY_SENDER_OK);
}

void
transaction_sender_known(struct session *session, bool null_mx)
{
	struct reply reply = {.id = REPLY_SENDER_TAKES_NO_MAIL};
	struct buf sender;

	if (!null_mx) {
		session_reply_id(session, REPLY_SENDER_OK);
		return;
	}
	/* The transaction's own copy goes with it. */
	buf_init(&sender, ADDRESS_BYTES_MAX);
	buf_add(&sender, session->transaction.reverse_path);
	reply.args[0] = buf_span(&sender);
	transaction_refuse(session, &reply);
	buf_fini(&sender);
}

void
transaction_data(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	char id[ID_TEXT_MAX];
	struct buf tls;
	struct trace_received received = {
	    .helo = smtp_server_helo(session->smtp),
	    .client = session->peer,
	    .by = session->reception->conf->hostname,
	    .protocol = smtp_server_protocol(session->smtp),
	    .id = id_text(id, transaction->id),
	    .wall_ms = io_wall_ms(session->reception->env->io),
	};

	/* What strangers say of it is nothing but a field. */
	if (transaction_may_relay(session))
		pool_begin(transaction);
	if (submit_applies(session)) {
		submit_begin(session);
		received.hides_client = session->reception->conf->received_hides_client;
	}
	buf_init(&tls, 100);
	if (session->tls)
		tls_describe(session->tls, &tls);
	received.tls = buf_span(&tls);
	if (transaction->rcpt_count == 1)
		received.for_address = transaction->first_rcpt;
	trace_write_received(&transaction->body, &received);
	buf_fini(&tls);
}

static void
send_begin(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	struct ipc_channel *queue = session->reception->queue;
	struct buf client;
	struct ipc_rq_begin begin = {
	    .transaction = transaction->number,
	    .id = transaction->id,
	    .flags = transaction->flags,
	    .reverse_path = transaction->reverse_path,
	    .login = smtp_server_login(session->smtp),
	    .helo = smtp_server_helo(session->smtp),
	};

	pool_add(transaction);
	begin.extras = transaction->extras;
	/* What is all ASCII may go to any server. */
	if (!(transaction->flags & IPC_MESSAGE_LARGE) && !transaction->has_8bit)
		begin.flags &= (uint8_t)~IPC_MESSAGE_8BIT;
	buf_init(&client, NET_TEXT_MAX);
	net_addr_write(&client, &session->peer);
	begin.client = buf_span(&client);
	ipc_rq_begin_send(queue, &begin);
	buf_fini(&client);
	for (struct reception_rcpt *rcpt = transaction->rcpts; rcpt; rcpt = rcpt->next) {
		const struct ipc_rq_rcpt message = {
		    .transaction = transaction->number,
		    .kind = (uint8_t)rcpt->target.kind,
		    .address = rcpt->target.address,
		    .mailbox = rcpt->target.mailbox,
		    .original = rcpt->original,
		    .notify = (uint8_t)rcpt->notify,
		    .orcpt = rcpt->orcpt,
		};

		ipc_rq_rcpt_send(queue, &message);
	}
	transaction->begun = true;
}

/* Gives the queue what is kept of the body. */
static void
send_body(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	struct span rest = buf_span(&transaction->body);

	while (rest.len > 0) {
		const struct ipc_rq_body body = {
		    .transaction = transaction->number,
		    .bytes = span_first(rest, IPC_BODY_BYTES_MAX),
		};

		ipc_rq_body_send(session->reception->queue, &body);
		rest = span_skip(rest, body.bytes.len);
	}
	buf_reset(&transaction->body);
}

/* The body has outgrown this role: the rest goes straight to the queue. */
static void
start_streaming(struct session *session)
{
	struct transaction *transaction = &session->transaction;

	transaction->flags |= IPC_MESSAGE_LARGE;
	transaction->number = ++session->reception->next_number;
	send_begin(session);
	send_body(session);
}

/* Keeps bytes of the message, here or in the queue. */
static void
keep(struct session *session, struct span bytes)
{
	struct transaction *transaction = &session->transaction;
	bool lost = transaction->id == 0 ||
	    ((transaction->flags & IPC_MESSAGE_LARGE) && !transaction->begun);
	size_t inline_bytes = session->reception->stress.on ? RECEPTION_INLINE_STRESS_BYTES
	                                                    : RECEPTION_INLINE_BYTES;

	if (lost || !session->reception->queue) {
		SIM_MARK("reception.lost_queue_in_body");
		return;
	}
	/* What the header says of the way is known before, unless that has no end. */
	if (pool_is_open(transaction))
		inline_bytes = RECEPTION_INLINE_BYTES;
	if (transaction->body.len + bytes.len > inline_bytes && !transaction->begun)
		start_streaming(session);
	while (bytes.len > 0) {
		struct span piece = span_first(bytes, RECEPTION_CHUNK_BYTES);

		buf_add(&transaction->body, piece);
		bytes = span_skip(bytes, piece.len);
		if (transaction->begun && transaction->body.len >= RECEPTION_CHUNK_BYTES)
			send_body(session);
	}
}

/* Bytes of the message, from which what is for us alone was taken. */
static void
take(struct session *session, struct span bytes)
{
	struct buf kept;

	if (session->transaction.submission) {
		buf_init(&kept, bytes.len + SUBMISSION_ADDED_BYTES_MAX);
		bytes = submit_header(session, bytes, &kept);
		keep(session, buf_span(&kept));
		buf_fini(&kept);
	}
	keep(session, bytes);
}

void
transaction_body(struct session *session, struct span bytes)
{
	struct transaction *transaction = &session->transaction;
	struct buf left;

	transaction->body_bytes += bytes.len;
	transaction->has_8bit = transaction->has_8bit || !span_is_ascii(bytes);
	if (pool_is_open(transaction)) {
		buf_init(&left, bytes.len + HEADER_CUT_HELD_MAX);
		bytes = span_skip(bytes, header_cut_take(&transaction->pool, bytes, &left));
		take(session, buf_span(&left));
		buf_fini(&left);
	}
	take(session, bytes);
}

void
transaction_body_end(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	struct buf kept;

	if (transaction->may_choose) {
		buf_init(&kept, HEADER_CUT_HELD_MAX);
		header_cut_finish(&transaction->pool, &kept);
		take(session, buf_span(&kept));
		buf_fini(&kept);
		if (pool_refused(session))
			return;
	}
	if (!transaction->submission) {
		transaction_ready(session);
		return;
	}
	buf_init(&kept, SUBMISSION_ADDED_BYTES_MAX);
	submission_finish(transaction->submission, &kept);
	keep(session, buf_span(&kept));
	buf_fini(&kept);
	submit_end(session);
}

void
transaction_ready(struct session *session)
{
	struct reception *reception = session->reception;

	if (!reception->queue ||
	    io_pending(ipc_channel_stream(reception->queue)) <= RECEPTION_QUEUE_PENDING_MAX) {
		transaction_commit(session);
		return;
	}
	SIM_MARK("reception.commit_waits");
	/* The queue has enough to do: this message waits here until it has caught up. */
	session->commit_waits = true;
	list_push(&reception->paused, &session->paused);
	reception_wait_for_queue(reception);
}

void
transaction_commit(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	bool large = transaction->flags & IPC_MESSAGE_LARGE;

	if (!session->reception->queue || transaction->id == 0 || (large && !transaction->begun) ||
	    buf_finish(&transaction->body) != OK) {
		transaction_committed(session, IPC_COMMIT_ERROR);
		return;
	}
	if (!large)
		transaction->number = ++session->reception->next_number;
	ask_queue(session, transaction->number);
	if (!large)
		send_begin(session);
	send_body(session);
	ipc_rq_commit_send(session->reception->queue,
	    &(struct ipc_rq_commit){.transaction = transaction->number});
}

static void
say_accepted(struct session *session)
{
	struct transaction *transaction = &session->transaction;
	struct event event;

	session_event_begin(session, &event, "accepted");
	event_id(&event, transaction->id);
	event_span(&event, "from", transaction->reverse_path);
	event_span(&event, "to", transaction->first_rcpt);
	event_u64(&event, "recipients", transaction->rcpt_count);
	event_u64(&event, "size", transaction->body_bytes);
	event_str(&event, "protocol", smtp_server_protocol(session->smtp));
	if (smtp_server_login(session->smtp).len > 0)
		event_span(&event, "login", smtp_server_login(session->smtp));
	event_end(&event);
}

void
transaction_refuse(struct session *session, const struct reply *reply)
{
	transaction_say_refused(session, reply->id, session->transaction.first_rcpt);
	transaction_abort(session);
	session_reply(session, reply);
}

/* What a recipient is told of a message that is durable; %1 is the recipient. */
static void
answer_rcpt(struct session *session, struct reply *reply, struct span address, bool last)
{
	if (reply->id == REPLY_QUEUED_FOR)
		reply->args[0] = address;
	if (last)
		session_reply(session, reply);
	else
		smtp_server_reply(session->smtp, reply);
}

/*
 * LMTP: one reply for each recipient, in the order of RCPT (RFC 2033 section 4.2).  The message is
 * durable for all of them or for none, so that they say the same.
 */
static void
answer_each(struct session *session, struct reply *reply)
{
	/* The last reply may begin the next transaction. */
	struct transaction transaction = session->transaction;
	const struct reception_rcpt *rcpt = transaction.rcpts;

	session->transaction = (struct transaction){0};
	for (size_t i = 0; i < transaction.rcpt_count; i++) {
		while (rcpt && rcpt->number < i)
			rcpt = rcpt->next;
		answer_rcpt(session, reply,
		    rcpt && rcpt->number == i ? rcpt->original : SPAN(""),
		    i + 1 == transaction.rcpt_count);
	}
	forget(&transaction);
}

/* The reply to the end of a message. */
static void
answer(struct session *session, struct reply *reply)
{
	if (session->kind == CONF_LISTENER_LMTP) {
		answer_each(session, reply);
		return;
	}
	forget(&session->transaction);
	session_reply(session, reply);
}

void
transaction_lost(struct session *session)
{
	struct reply reply = {.id = REPLY_IN_DOUBT};

	SIM_MARK("reception.lost_queue_in_commit");
	transaction_say_refused(session, REPLY_IN_DOUBT, session->transaction.first_rcpt);
	answer(session, &reply);
}

void
transaction_committed(struct session *session, enum ipc_commit outcome)
{
	struct transaction *transaction = &session->transaction;
	char id[ID_TEXT_MAX];
	struct span id_said = id_text(id, transaction->id);
	struct reply reply = {.id = REPLY_QUEUED, .args = {id_said}};

	if (outcome == IPC_COMMIT_OK) {
		if (session->kind == CONF_LISTENER_LMTP)
			reply = (struct reply){.id = REPLY_QUEUED_FOR, .args = {{0}, id_said}};
		session->messages++;
		say_accepted(session);
	} else {
		reply = (struct reply){.id = reply_for(outcome)};
		transaction_say_refused(session, reply.id, transaction->first_rcpt);
	}
	answer(session, &reply);
}

void
transaction_abort(struct session *session)
{
	struct transaction *transaction = &session->transaction;

	if (!transaction->active)
		return;
	if (transaction->begun && session->reception->queue)
		ipc_rq_abort_send(session->reception->queue,
		    &(struct ipc_rq_abort){.transaction = transaction->number});
	forget(transaction);
}
