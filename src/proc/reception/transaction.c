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

enum {
	TRANSACTION_BYTES_MAX = 4 << 20,
	DOMAINS_MAX = 1000, /* compared with here; where there are more, lookup does it */
};

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

/* Says what was refused, by us, and to whom. */
static void
say_refused(struct session *session, enum reply_id id, struct span to)
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

/*
 * Who may send to the whole world: authenticated clients, and configured networks.  LMTP is for
 * our own recipients.
 */
static bool
may_relay(const struct session *session)
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
	asks_write(&extras, mail, session->reception->conf, may_relay(session),
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
	    !may_relay(session) && session->reception->resolver && domain.len > 0 &&
	    domain.len <= IPC_DOMAIN_MAX && domain.ptr[0] != '[' && span_is_ascii(domain) &&
	    conf->domain_count <= DOMAINS_MAX && !resolve_is_ours(&tables, domain);
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
		say_refused(session, refusal, SPAN(""));
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

/*
 * Whether the address is in none of our domains: it leads to itself then, as lookup would say
 * (resolve_address), which need not be asked.
 */
static bool
is_elsewhere(const struct session *session, struct span address)
{
	const struct conf *conf = session->reception->conf;
	const struct resolve_tables tables = {
	    .domains = conf->domains, .domain_count = conf->domain_count};
	size_t at = span_find_last(address, '@');

	return at > 0 && at < address.len && conf->domain_count <= DOMAINS_MAX &&
	    !resolve_is_ours(&tables, span_skip(address, at + 1));
}

static struct span
domain_of(struct span address)
{
	return span_skip(address, span_find_last(address, '@') + 1);
}

/* What lookup says of such an address; the caller frees it. */
static void
write_elsewhere(struct span address, struct buf *targets)
{
	const struct ipc_target_entry target = {.kind = IPC_TARGET_REMOTE, .address = address};

	buf_init(targets, ADDRESS_BYTES_MAX + 100);
	ipc_target_write(targets, &target);
	check(buf_finish(targets) == OK);
}

static void
rcpt_elsewhere(struct session *session, struct span address)
{
	struct ipc_lx_resolved resolved = {.verdict = IPC_REMOTE};
	struct buf targets;

	write_elsewhere(address, &targets);
	resolved.targets = buf_span(&targets);
	transaction_rcpt_resolved(session, &resolved);
	buf_fini(&targets);
}

static void
refuse_rcpt(struct session *session, enum reply_id id)
{
	struct reply reply = {.id = id, .args = {session->transaction.rcpt_pending}};

	say_refused(session, id, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

void
transaction_rcpt(struct session *session, const struct smtp_server_event *event)
{
	struct transaction *transaction = &session->transaction;
	enum reply_id refusal;
	struct buf canonical;
	bool room;

	check(transaction->active);
	buf_init(&canonical, ADDRESS_BYTES_MAX);
	address_write_canonical(&canonical, &event->address);
	room = buf_finish(&canonical) == OK &&
	    arena_copy(&transaction->arena, buf_span(&canonical), &transaction->rcpt_pending) &&
	    arena_copy(&transaction->arena, event->rcpt.orcpt, &transaction->orcpt_pending);
	transaction->notify_pending = event->rcpt.notify;
	buf_fini(&canonical);
	if (!room) {
		session_reply_id(session, REPLY_TOO_MANY_RECIPIENTS);
		return;
	}
	refusal = session_may(session, LIMIT_RATE_RECIPIENTS);
	if (refusal != REPLY_COUNT)
		refuse_rcpt(session, refusal);
	else if (is_elsewhere(session, transaction->rcpt_pending))
		rcpt_elsewhere(session, transaction->rcpt_pending);
	else
		ask_lookup(session, transaction->rcpt_pending);
}

static bool
add_target(struct transaction *transaction, const struct ipc_target_entry *target, unsigned notify)
{
	struct reception_rcpt *rcpt = arena_alloc(&transaction->arena, sizeof(*rcpt));

	if (!rcpt ||
	    !arena_copy(&transaction->arena, target->address, &rcpt->target.address) ||
	    !arena_copy(&transaction->arena, target->mailbox, &rcpt->target.mailbox))
		return false;
	rcpt->target.kind = target->kind;
	rcpt->original = transaction->rcpt_pending;
	rcpt->notify = notify;
	rcpt->orcpt = transaction->orcpt_pending;
	rcpt->number = transaction->rcpt_count;
	*transaction->rcpts_end = rcpt;
	transaction->rcpts_end = &rcpt->next;
	return true;
}

/*
 * An alias for several, whose sender asked to be told of success: told is that it was expanded, and
 * nobody tells of success any more (RFC 3461 section 5.2.7.3).
 */
static bool
expand(struct transaction *transaction, unsigned *notify)
{
	const struct ipc_target_entry alias = {
	    .kind = IPC_TARGET_ALIAS, .address = transaction->rcpt_pending};

	*notify &= ~(unsigned)SMTP_NOTIFY_SUCCESS;
	if (*notify == 0)
		*notify = SMTP_NOTIFY_NEVER;
	return transaction->reverse_path.len == 0 ||
	    add_target(transaction, &alias, SMTP_NOTIFY_SUCCESS);
}

/* Adds the targets that lookup found; false where there is no room. */
static bool
add_targets(struct transaction *transaction, struct span blob)
{
	struct reader reader = reader_init(blob);
	unsigned notify = transaction->notify_pending;
	struct ipc_target_entry target;
	size_t count = 0;

	while (ipc_target_next(&reader, &target))
		count++;
	if (count > 1 && notify & SMTP_NOTIFY_SUCCESS && !expand(transaction, &notify))
		return false;
	reader = reader_init(blob);
	while (ipc_target_next(&reader, &target))
		if (!add_target(transaction, &target, notify))
			return false;
	return reader_finish(&reader) == OK;
}

/*
 * Whether the queue may know that it does not exist: of what users and our networks send elsewhere,
 * as the queue sees it (suppress.c).
 */
static bool
may_be_suppressed(const struct session *session, const struct conf_route *route)
{
	const struct transaction *transaction = &session->transaction;

	return transaction->reverse_path.len > 0 &&
	    !(route && route->kind == CONF_ROUTE_DISCARD) &&
	    ask_may_be_suppressed(session->reception, domain_of(transaction->reverse_path),
	        transaction->rcpt_pending);
}

static void
refuse_by_rule(struct session *session, const struct conf_route *rule)
{
	const struct reply reply = {
	    .id = REPLY_REFUSED_BY_RULE, .args = {rule->status, rule->text}};

	say_refused(session, REPLY_REFUSED_BY_RULE, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

static void
take_rcpt(struct session *session, struct span targets)
{
	struct transaction *transaction = &session->transaction;

	if (!add_targets(transaction, targets)) {
		refuse_rcpt(session, REPLY_TOO_MANY_RECIPIENTS);
		return;
	}
	if (transaction->rcpt_count++ == 0)
		transaction->first_rcpt = transaction->rcpt_pending;
	session_reply_id(session, REPLY_RECIPIENT_OK);
}

void
transaction_rcpt_suppressed(struct session *session, struct span text)
{
	const struct reply reply = {.id = REPLY_SUPPRESSED, .args = {text}};
	struct buf targets;

	if (text.len == 0) {
		write_elsewhere(session->transaction.rcpt_pending, &targets);
		take_rcpt(session, buf_span(&targets));
		buf_fini(&targets);
		return;
	}
	say_refused(session, REPLY_SUPPRESSED, session->transaction.rcpt_pending);
	session_reply(session, &reply);
}

void
transaction_rcpt_resolved(struct session *session, const struct ipc_lx_resolved *resolved)
{
	const struct transaction *transaction = &session->transaction;
	/* "refuse mail": strangers learn of it only where we take mail. */
	const struct conf_route *route = route_find(session->reception->conf,
	    transaction->reverse_path, transaction->rcpt_pending);

	if (resolved->verdict == IPC_UNKNOWN) {
		refuse_rcpt(session, REPLY_USER_UNKNOWN);
	} else if (resolved->verdict == IPC_REMOTE && !may_relay(session)) {
		refuse_rcpt(session, REPLY_RELAY_DENIED);
	} else if (resolved->verdict != IPC_LOCAL && resolved->verdict != IPC_REMOTE) {
		refuse_rcpt(session, REPLY_LOOKUP_FAILED);
	} else if (route && route->kind == CONF_ROUTE_REFUSE) {
		refuse_by_rule(session, route);
	} else if (resolved->verdict == IPC_REMOTE && may_be_suppressed(session, route)) {
		ask_suppression(session, domain_of(transaction->reverse_path),
		    transaction->rcpt_pending);
	} else {
		take_rcpt(session, resolved->targets);
	}
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
	if (may_relay(session))
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
	say_refused(session, reply->id, session->transaction.first_rcpt);
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
	say_refused(session, REPLY_IN_DOUBT, session->transaction.first_rcpt);
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
		say_refused(session, reply.id, transaction->first_rcpt);
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
