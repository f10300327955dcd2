/*
 * One connection: bytes come in, through TLS where it is on, into the SMTP
 * machine; what the machine says goes out.  Nothing is read while the machine waits for an
 * answer or the queue can't take more, so a slow queue slows the client down.
 */
#include "proc/reception/reception_internal.h"

#include "base/arena.h"
#include "base/check.h"

/* Bytes that a client may leave unread. */
enum { SESSION_UNREAD_MAX = 64 << 10 };

void
session_event_begin(struct session *session, struct event *event, const char *name)
{
	event_begin(event, &session->reception->env->log, name);
	event_u64(event, "session", session->number);
	event_addr(event, "client", &session->peer);
}

/*
 * Sends what the machine says, encrypted where TLS is on; gives how many bytes it said.  A client
 * that does not read what it is told gets no more until it does.
 */
static size_t
flush(struct session *session)
{
	struct span plain = smtp_server_output(session->smtp);
	struct span wire;

	if (session->delay != DELAY_NONE)
		return 0;
	if (io_pending(session->stream) > SESSION_UNREAD_MAX) {
		if (!session->draining)
			io_drain(session->stream, &session->drain, SESSION_UNREAD_MAX / 2);
		session->draining = true;
		return 0;
	}
	if (session->handshaking && !session->tls)
		return 0;
	if (!session->tls) {
		io_send(session->stream, plain);
		smtp_server_output_done(session->smtp, plain.len);
		return plain.len;
	}
	if (session->handshaking)
		plain.len = 0;
	if (plain.len > 0)
		err_ignore(tls_write(session->tls, plain),
		    "a broken session ends when it is read");
	smtp_server_output_done(session->smtp, plain.len);
	wire = tls_output(session->tls);
	io_send(session->stream, wire);
	tls_output_done(session->tls, wire.len);
	return plain.len;
}

static void
say_refused(struct session *session, const struct smtp_server_event *refused)
{
	struct event event;

	session_event_begin(session, &event, "refused");
	event_u64(&event, "code", reply_code(refused->reply));
	event_str(&event, "status", reply_enhanced(refused->reply));
	session_note_limit(session, &event, refused->reply);
	event_span(&event, "command", span_first(refused->command, 200));
	event_end(&event);
}

static void
start_tls(struct session *session)
{
	/* The 220 must leave before the handshake's first byte. */
	session_end_delay(session);
	flush(session);
	session->handshaking = true;
	session->handshake_ms = io_now_ms(session->reception->env->io);
	buf_reset(&session->held);
}

/* Everything that a client can make us do passes through this switch. */
static void
take_events(struct session *session)
{
	struct smtp_server_event event;

	do {
		event = smtp_server_next(session->smtp);
		switch (event.kind) {
		case SMTP_SERVER_MAIL:
			transaction_mail(session, &event);
			break;
		case SMTP_SERVER_RCPT:
			transaction_rcpt(session, &event);
			break;
		case SMTP_SERVER_DATA:
			transaction_data(session);
			break;
		case SMTP_SERVER_BODY:
			transaction_body(session, event.body);
			break;
		case SMTP_SERVER_BODY_END:
			transaction_body_end(session);
			break;
		case SMTP_SERVER_ABORT:
			transaction_abort(session);
			break;
		case SMTP_SERVER_STARTTLS:
			start_tls(session);
			break;
		case SMTP_SERVER_AUTH:
			ask_keyring(session, &event.auth);
			break;
		case SMTP_SERVER_AUTH_ENDED:
			ask_forget_exchange(session);
			break;
		case SMTP_SERVER_VRFY:
		case SMTP_SERVER_EXPN:
			query_address(
			    session, event.query, event.kind == SMTP_SERVER_EXPN);
			break;
		case SMTP_SERVER_ETRN:
			query_retry(session, event.query);
			break;
		case SMTP_SERVER_XCLIENT:
			if (!session_speak_for(session, &event.client))
				return;
			break;
		case SMTP_SERVER_REFUSED:
			say_refused(session, &event);
			break;
		case SMTP_SERVER_CLOSE:
			session_end_delay(session);
			flush(session);
			session_close(session);
			return;
		case SMTP_SERVER_WAIT:
			break;
		}
	} while (event.kind != SMTP_SERVER_WAIT);
}

/* Gives the machine what was held, as far as it has room; true when it took something. */
static bool
feed_held(struct session *session)
{
	size_t taken;

	if (session->held.len == 0 || session->delay != DELAY_NONE)
		return false;
	taken = smtp_server_input(session->smtp, buf_span(&session->held),
	    io_now_ms(session->reception->env->io));
	buf_consume(&session->held, taken);
	if (session->held.len == 0)
		buf_fini(&session->held);
	return taken > 0;
}

void
session_pump(struct session *session)
{
	size_t said = 0;

	if (session->closed)
		return;
	session->pumping = true;
	do {
		take_events(session);
		if (session->closed)
			break;
		session_pace(session);
		said = flush(session);
		/* A machine that said so much waited for it to be sent. */
	} while (!session->closed && (feed_held(session) || said > SESSION_UNREAD_MAX));
	session->pumping = false;
	session_charge(session);
	session_read(session);
}

static void
drained(struct io_op *op)
{
	struct session *session = op->owner;

	session->draining = false;
	if (!op->err)
		session_pump(session);
}

void
session_reply(struct session *session, const struct reply *reply)
{
	smtp_server_reply(session->smtp, reply);
	/* Answers that come within the pump are followed up by it. */
	if (!session->pumping)
		session_pump(session);
}

void
session_reply_id(struct session *session, enum reply_id id)
{
	session_reply(session, &(struct reply){.id = id});
}

/* Gives the machine plain bytes; what it has no room for is held. */
static void
take_plain(struct session *session, struct span plain)
{
	size_t taken = 0;

	if (session->held.len == 0)
		taken = smtp_server_input(
		    session->smtp, plain, io_now_ms(session->reception->env->io));
	buf_add(&session->held, span_skip(plain, taken));
}

static void
say_tls(struct session *session, bool failed)
{
	struct event event;
	struct buf text;

	session_event_begin(session, &event, failed ? "tls_failed" : "tls");
	buf_init(&text, 600);
	if (failed)
		buf_add_str(&text, tls_failure(session->tls));
	else
		tls_describe(session->tls, &text);
	event_span(&event, failed ? "text" : "tls", buf_span(&text));
	if (!failed && tls_is_resumed(session->tls))
		event_str(&event, "resumed", "yes");
	buf_reset(&text);
	if (!failed)
		tls_peer_name(session->tls, &text);
	if (text.len > 0)
		event_span(&event, "certificate", buf_span(&text));
	event_end(&event);
	buf_fini(&text);
}

/* EXTERNAL is of use only to a client with a certificate. */
static void
offer_auth(struct session *session)
{
	unsigned mechanisms = session->reception->mechanisms;
	struct buf name;

	buf_init(&name, IPC_DOMAIN_MAX);
	tls_peer_name(session->tls, &name);
	if (name.len == 0)
		mechanisms &= ~SASL_BIT(SASL_EXTERNAL);
	if (session->kind == CONF_LISTENER_LMTP)
		mechanisms = 0;
	smtp_server_offer_auth(session->smtp, mechanisms);
	buf_fini(&name);
}

/* True while the session goes on. */
static bool
take_tls(struct session *session, struct span bytes)
{
	struct span plain = {0};
	enum err err;

	/* Only now, so that certificate and keyring are those of the same configuration. */
	if (!session->tls && !session->reception->tls)
		return false;
	if (!session->tls)
		session->tls = tls_accept(session->reception->tls);
	err = tls_input(session->tls, bytes);
	while (!err) {
		plain.len = 0;
		err = tls_next(session->tls, &plain);
		if (session->handshaking && tls_is_ready(session->tls)) {
			session->handshaking = false;
			say_tls(session, false);
			offer_auth(session);
			smtp_server_tls_started(
			    session->smtp, io_now_ms(session->reception->env->io));
		}
		if (!err && plain.len > 0)
			take_plain(session, plain);
	}
	if (err == ERR_AGAIN)
		return true;
	if (err != ERR_END)
		say_tls(session, true);
	flush(session);
	return false;
}

static void
read_done(struct io_op *op)
{
	struct session *session = op->owner;
	struct span bytes = op->bytes;

	session->reading = false;
	if (op->err) {
		session_close(session);
		return;
	}
	if (session->header_awaited && !session_take_header(session, &bytes))
		return;
	/* Behind a header there may be nothing. */
	if (bytes.len > 0 && session->delay == DELAY_GREETING) {
		session_talked_early(session, bytes);
		return;
	}
	if (!session->tls && !session->handshaking)
		take_plain(session, bytes);
	else if (bytes.len > 0 && !take_tls(session, bytes)) {
		session_close(session);
		return;
	}
	session_pump(session);
}

void
session_read(struct session *session)
{
	struct reception *reception = session->reception;

	if (session->closed || session->reading ||
	    (session->held.len > 0 && !session->header_awaited) ||
	    session->delay == DELAY_ERROR || list_linked(&session->paused))
		return;
	if (!session->handshaking && !session->header_awaited &&
	    !smtp_server_wants_input(session->smtp))
		return;
	if (session->transaction.begun && reception->queue &&
	    io_pending(ipc_channel_stream(reception->queue)) > RECEPTION_QUEUE_PENDING_MAX) {
		list_push(&reception->paused, &session->paused);
		reception_wait_for_queue(reception);
		return;
	}
	session->reading = true;
	io_read(session->stream, &session->read);
}

void
session_resume(struct session *session)
{
	/* We made it wait: that is not to be held against it. */
	smtp_server_touch(session->smtp, io_now_ms(session->reception->env->io));
	if (session->commit_waits) {
		session->commit_waits = false;
		transaction_commit(session);
	} else {
		session_pump(session);
	}
}

void
session_close(struct session *session)
{
	struct reception *reception = session->reception;
	struct event event;

	if (session->closed)
		return;
	session->closed = true;
	session_event_begin(session, &event, "disconnected");
	event_u64(&event, "messages", session->messages);
	event_end(&event);
	ask_forget(session);
	ask_forget_exchange(session);
	transaction_abort(session);
	if (session->tls && !session->handshaking) {
		tls_shut_down(session->tls);
		io_send(session->stream, tls_output(session->tls));
	}
	io_close(session->stream);
	session_end_delay(session);
	session_charge(session);
	limit_leave(&session->client, &reception->limits);
	list_remove(&session->paused);
	list_remove(&session->node);
	list_push(&reception->closed, &session->node);
	limit_table_set_total(&reception->limits, --reception->session_count);
	reception_look_at_stress(reception);
	reception_check_stopped(reception);
}

void
session_free(struct session *session)
{
	list_remove(&session->node);
	smtp_server_destroy(session->smtp);
	tls_destroy(session->tls);
	buf_fini(&session->held);
	mem_free(session);
}

static unsigned
offered(const struct conf *conf, bool trusted)
{
	return asks_offered(conf, trusted) | SMTP_EXTENSION_LIMITS |
	    (conf->no_soliciting || conf->solicit_refused.len > 0
		    ? SMTP_EXTENSION_NO_SOLICITING
		    : 0) |
	    (conf->offer_etrn ? SMTP_EXTENSION_ETRN : 0);
}

static bool
is_submission(enum conf_listener_kind kind)
{
	return kind == CONF_LISTENER_SUBMISSION || kind == CONF_LISTENER_SUBMISSIONS;
}

static struct smtp_server *
new_machine(const struct session *session)
{
	const struct reception *reception = session->reception;
	const struct conf *conf = reception->conf;
	enum conf_listener_kind kind = session->kind;
	bool lmtp = kind == CONF_LISTENER_LMTP;
	bool proxy = session_is_of(
	    conf->xclient_networks.at, conf->xclient_networks.count, &session->peer);
	/* A proxy's client is another one than the proxy. */
	bool trusted = session->may_relay && !proxy && !lmtp;
	enum smtp_server_for who = trusted ? SMTP_SERVER_FOR_ALL : SMTP_SERVER_FOR_LOGINS;
	const struct smtp_server_options options = {
	    .hostname = conf->hostname,
	    .software_in_greeting = conf->greeting_software,
	    .submission = is_submission(kind),
	    .lmtp = lmtp,
	    .tls_offered = reception->tls != NULL,
	    .tls_from_start = kind == CONF_LISTENER_SUBMISSIONS,
	    .no_mail = conf->no_mail,
	    .xclient = proxy,
	    .vrfy = conf->answer_vrfy ? who : SMTP_SERVER_FOR_NOBODY,
	    .expn = conf->answer_expn ? who : SMTP_SERVER_FOR_NOBODY,
	    .extensions = offered(conf, trusted || is_submission(kind)),
	    .solicit_refused = conf->solicit_refused,
	    .hold_max_s = conf->hold_max_ms / 1000,
	    .wall_ms = io_wall_ms(reception->env->io),
	    .auth_mechanisms = reception->tls && !lmtp
		? reception->mechanisms & ~SASL_BIT(SASL_EXTERNAL)
		: 0,
	    .message_bytes_max = conf->message_bytes_max,
	    .command_bytes_max = conf->command_bytes_max,
	    .line_bytes_max = conf->line_bytes_max,
	    .header_bytes_max = conf->header_bytes_max,
	    .rcpt_max = conf->rcpt_max,
	    .received_max = conf->received_max,
	    .commands_max = conf->commands_max,
	    .messages_max = conf->messages_max,
	    .errors_max = conf->errors_max,
	    .auth_failures_max = conf->auth_failures_max,
	    .command_timeout_ms = conf->command_timeout_ms,
	    .data_timeout_ms = conf->data_timeout_ms,
	    .session_timeout_ms = conf->session_timeout_ms,
	    .idle_commands_max = conf->idle_commands_max,
	    .transfer_bytes_min = conf->transfer_bytes_min,
	    .transfer_window_ms = conf->transfer_window_ms,
	    .message_timeout_ms = conf->message_timeout_ms,
	    .repair_line_ends = conf->repair_line_ends,
	};

	return smtp_server_create(&options, io_now_ms(reception->env->io));
}

/* Whether connections from there begin with a PROXY header. */
static bool
is_proxied(const struct conf *conf, const struct net_addr *peer)
{
	return session_is_of(conf->proxy_networks.at, conf->proxy_networks.count, peer);
}

/* Answers a client that can't be served, in the greeting's place; true where it can. */
static bool
admit(struct reception *reception, struct reception_listener *listener,
    const struct io_op *accepted, struct limit_client *client)
{
	const struct conf *conf = reception->conf;
	/* A proxy's clients are judged when they are known. */
	bool exempt =
	    session_is_of(conf->relay_networks, conf->relay_network_count, &accepted->peer) ||
	    session_is_of(
		conf->xclient_networks.at, conf->xclient_networks.count, &accepted->peer) ||
	    is_proxied(conf, &accepted->peer) ||
	    (listener->kind == CONF_LISTENER_LMTP && session_may_lmtp(conf, &accepted->peer));
	enum reply_id why = REPLY_SHUTTING_DOWN;
	enum limit limit = LIMIT_COUNT;

	if (!reception->stopping) {
		limit = session_judge_peer(reception, client, &accepted->peer, exempt);
		if (limit == LIMIT_COUNT)
			return true;
		why = limit_reply(limit);
	}
	session_refuse_client(
	    reception, accepted->stream, &accepted->peer, listener->kind, why);
	session_say_turned_away(reception, &accepted->peer, why, limit);
	io_close(accepted->stream);
	return false;
}

/* The client is known: it is greeted now, after a while, or under TLS. */
static void
begin(struct session *session)
{
	if (session->kind == CONF_LISTENER_SUBMISSIONS) {
		session->handshaking = true;
		session->handshake_ms = io_now_ms(session->reception->env->io);
	}
	session_delay_greeting(session);
}

void
session_begin_anew(struct session *session)
{
	smtp_server_destroy(session->smtp);
	session->smtp = new_machine(session);
	session->stressed = false;
	session_apply_stress(session);
	begin(session);
}

void
session_open(struct reception *reception, struct reception_listener *listener,
    const struct io_op *accepted)
{
	struct limit_client client = {0};
	struct session *session;
	static const char *const services[] = {"smtp", "submission", "submissions", "lmtp"};
	struct event event;

	if (!admit(reception, listener, accepted, &client))
		return;
	session = mem_alloc(sizeof(*session));
	session->reception = reception;
	session->client = client;
	session->number = reception->next_session;
	reception->next_session += reception->session_step;
	session->stream = accepted->stream;
	session->peer = accepted->peer;
	session->kind = listener->kind;
	session->may_relay = session_is_of(reception->conf->relay_networks,
	    reception->conf->relay_network_count, &session->peer);
	session->read = (struct io_op){.done = read_done, .owner = session};
	session->drain = (struct io_op){.done = drained, .owner = session};
	session->wait_timer =
	    (struct io_timer){.fired = session_delay_over, .owner = session};
	session->smtp = new_machine(session);
	buf_init_secret(&session->held, 2 * SMTP_SERVER_INPUT_BYTES + IO_READ_BYTES);
	list_push(&reception->sessions, &session->node);
	limit_table_set_total(&reception->limits, ++reception->session_count);
	reception_look_at_stress(reception);
	session_event_begin(session, &event, "connected");
	event_str(&event, "service", services[listener->kind]);
	event_end(&event);
	if (is_proxied(reception->conf, &session->peer)) {
		session_await_header(session);
	} else if (session_admit_lmtp(session)) {
		begin(session);
		session_pump(session);
	}
}

static void
give_up_handshake(struct session *session)
{
	struct event event;

	reception_met(session->reception, LIMIT_HANDSHAKE_TIME);
	session_event_begin(session, &event, "tls_failed");
	event_str(&event, "limit", limit_name(LIMIT_HANDSHAKE_TIME));
	event_str(&event, "text", "the handshake took too long");
	event_end(&event);
	session_close(session);
}

void
session_tick(struct session *session, uint64_t now_ms)
{
	session_charge(session);
	session_apply_stress(session);
	ask_tick(session, now_ms);
	if (session_handshake_is_late(session, now_ms)) {
		give_up_handshake(session);
		return;
	}
	if (session->handshaking || session->delay != DELAY_NONE ||
	    smtp_server_deadline_ms(session->smtp) > now_ms)
		return;
	smtp_server_tick(session->smtp, now_ms);
	session_pump(session);
}
