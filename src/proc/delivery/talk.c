/*
 * The dialogue with one host: a connection, TLS, and the client's machine.  What the machine
 * learns about recipients goes to the queue at once.
 */
#include "proc/delivery/delivery_internal.h"

#include <stdio.h>

#include "base/check.h"

static void connected(struct io_op *op);
static void read_done(struct io_op *op);
static void drained(struct io_op *op);
static void timed_out(struct io_timer *timer);

static uint64_t
now_ms(const struct attempt *attempt)
{
	return io_now_ms(attempt->delivery->env->io);
}

void
talk_init(struct attempt *attempt)
{
	attempt->timer = (struct io_timer){.fired = timed_out, .owner = attempt};
	attempt->connect = (struct io_op){.done = connected, .owner = attempt};
	attempt->read = (struct io_op){.done = read_done, .owner = attempt};
	attempt->drain = (struct io_op){.done = drained, .owner = attempt};
}

void
talk_close(struct attempt *attempt)
{
	io_timer_stop(attempt->delivery->env->io, &attempt->timer);
	/* A connection under way is given up, and never completes. */
	if (attempt->connecting)
		io_abort(attempt->connect.stream);
	attempt->connecting = false;
	io_close(attempt->stream);
	attempt->stream = NULL;
	attempt->reading = attempt->draining = false;
	smtp_client_destroy(attempt->smtp);
	attempt->smtp = NULL;
	tls_destroy(attempt->tls);
	attempt->tls = NULL;
	attempt->handshaking = false;
	attempt->mail_sent = attempt->body_wanted = false;
}

static uint16_t
port_of(const struct attempt *attempt)
{
	if (attempt->port)
		return attempt->port;
	return attempt->tls_mode == CONF_TLS_IMPLICIT ? 465 : 25;
}

void
talk_start(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	struct net_addr to = attempt->addrs[attempt->addr_index].addr;

	to.port = port_of(attempt);
	attempt->state = ATTEMPT_CONNECTING;
	io_timer_start(delivery->env->io, &attempt->timer, delivery->conf->connect_timeout_ms);
	attempt->connecting = true;
	io_connect(delivery->env->io, &attempt->connect, &to);
}

static enum smtp_client_tls
client_tls(const struct attempt *attempt)
{
	switch (attempt->tls_mode) {
	case CONF_TLS_REQUIRED:
	case CONF_TLS_VERIFIED:
		return SMTP_CLIENT_TLS_REQUIRED;
	case CONF_TLS_IMPLICIT:
		return SMTP_CLIENT_TLS_IMPLICIT;
	case CONF_TLS_NEVER:
		return SMTP_CLIENT_TLS_NEVER;
	case CONF_TLS_MAY:
		break;
	}
	return attempt->without_tls ? SMTP_CLIENT_TLS_NEVER : SMTP_CLIENT_TLS_MAY;
}

static bool
is_loopback(const struct net_addr *addr)
{
	static const uint8_t six[16] = {[15] = 1};

	return addr->family == 4 ? addr->bytes[0] == 127 : memcmp(addr->bytes, six, 16) == 0;
}

static void
start_handshake(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;
	bool verify = attempt->tls_mode == CONF_TLS_VERIFIED ||
	    attempt->tls_mode == CONF_TLS_IMPLICIT;
	struct span plain;

	attempt->tls = tls_connect(verify ? delivery->tls_verified : delivery->tls_any,
	    attempt->addrs[attempt->addr_index].host);
	attempt->handshaking = true;
	/* Makes the first flight; nothing can have come yet. */
	err_ignore(tls_next(attempt->tls, &plain), "a failure is met when the peer is read");
}

static void
read_more(struct attempt *attempt)
{
	if (attempt->reading || !attempt->stream)
		return;
	attempt->reading = true;
	io_read(attempt->stream, &attempt->read);
}

static void
connected(struct io_op *op)
{
	struct attempt *attempt = op->owner;
	struct smtp_client_options options = {
	    .helo = attempt->delivery->conf->hostname,
	    .tls = client_tls(attempt),
	    .login = attempt->login,
	    .password = attempt->password,
	    .auth_without_tls = is_loopback(&attempt->addrs[attempt->addr_index].addr),
	    .reply_timeout_ms = attempt->delivery->conf->reply_timeout_ms,
	};
	char text[100];

	attempt->connecting = false;
	if (op->err) {
		snprintf(text, sizeof(text), "cannot connect: %s", err_text(op->err));
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.4.1", text);
		attempt->failure.host_level = attempt->failure.down = true;
		attempt_next(attempt);
		return;
	}
	attempt->state = ATTEMPT_TALKING;
	attempt->stream = op->stream;
	attempt->failure.down = false;
	attempt->smtp = smtp_client_create(&options, now_ms(attempt));
	if (attempt->tls_mode == CONF_TLS_IMPLICIT)
		start_handshake(attempt);
	talk_pump(attempt);
}

static void
timed_out(struct io_timer *timer)
{
	struct attempt *attempt = timer->owner;

	if (attempt->state == ATTEMPT_CONNECTING) {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.4.1",
		    "cannot connect: no answer in time (is port 25 blocked by a firewall?)");
		attempt->failure.host_level = attempt->failure.down = true;
		attempt->state = ATTEMPT_TALKING;
		attempt_next(attempt);
		return;
	}
	if (!attempt->smtp)
		return;
	smtp_client_tick(attempt->smtp, now_ms(attempt));
	talk_pump(attempt);
}

static void
flush(struct attempt *attempt)
{
	struct span plain = smtp_client_output(attempt->smtp);
	struct span wire;

	if (!attempt->tls) {
		io_send(attempt->stream, plain);
		smtp_client_output_done(attempt->smtp, plain.len);
		return;
	}
	if (!attempt->handshaking) {
		if (plain.len > 0)
			err_ignore(tls_write(attempt->tls, plain),
			    "a broken session ends when it is read");
		smtp_client_output_done(attempt->smtp, plain.len);
	}
	wire = tls_output(attempt->tls);
	io_send(attempt->stream, wire);
	tls_output_done(attempt->tls, wire.len);
}

static void
send_mail(struct attempt *attempt)
{
	struct span *rcpts = mem_alloc(attempt->rcpt_count * sizeof(*rcpts));
	const struct smtp_client_mail mail = {
	    .reverse_path = attempt->reverse_path,
	    .rcpts = rcpts,
	    .rcpt_count = attempt->rcpt_count,
	    .body_bytes = attempt->body_bytes,
	    .body_8bit = attempt->flags & IPC_MESSAGE_8BIT,
	    .smtputf8 = attempt->flags & IPC_MESSAGE_SMTPUTF8,
	};

	for (size_t i = 0; i < attempt->rcpt_count; i++)
		rcpts[i] = attempt->rcpts[i].address;
	attempt->mail_sent = true;
	smtp_client_send(attempt->smtp, &mail, now_ms(attempt));
	mem_free(rcpts);
}

static enum ipc_outcome
outcome_of(unsigned code)
{
	return code >= 500 ? IPC_FAILED : code >= 200 && code < 300 ? IPC_DELIVERED : IPC_DEFERRED;
}

static void
take_rcpt(struct attempt *attempt, const struct smtp_client_event *event)
{
	check(event->rcpt_index < attempt->rcpt_count);
	if (outcome_of(event->reply.code) != IPC_DELIVERED)
		attempt_tell(attempt, event->rcpt_index, outcome_of(event->reply.code),
		    &event->reply);
}

/* The transaction ended: its reply holds for all who were not refused. */
static void
take_mail_done(struct attempt *attempt, const struct smtp_client_event *event)
{
	for (size_t i = 0; i < attempt->rcpt_count; i++)
		if (!attempt->rcpts[i].told)
			attempt_tell(attempt, i, outcome_of(event->reply.code), &event->reply);
	attempt_finish(attempt);
}

static const char *
failure_text(const struct smtp_client_event *event)
{
	switch ((int)event->err) {
	case ERR_CLOSED:
		return "the other server closed the connection";
	case ERR_TIMEOUT:
		return "the other server did not answer in time";
	case ERR_SYNTAX:
		return "the other server does not speak SMTP";
	case ERR_CRYPTO:
		return "TLS is required and could not be used";
	case ERR_UNSUPPORTED:
		return "the other server lacks what is needed";
	default:
		return "refused";
	}
}

static void
say_failed(struct attempt *attempt, const struct smtp_client_event *event)
{
	const char *stage = smtp_client_stage_name(event->stage);
	char text[IPC_TEXT_MAX];
	char status[ATTEMPT_STATUS_BYTES] = "4.4.2";

	attempt->in_doubt = smtp_client_in_doubt(attempt->smtp);
	if (event->reply.code) {
		snprintf(text, sizeof(text), "%.*s",
		    (int)(event->reply.text.len < 2000 ? event->reply.text.len : 2000),
		    event->reply.text.ptr);
		attempt_write_status(status, &event->reply);
		/* A refusal before the mail is the host's, not the mail's: others may take it. */
		attempt_fail(attempt,
		    event->reply.code >= 500 && event->stage != SMTP_CLIENT_AUTH ? IPC_FAILED
		                                                                 : IPC_DEFERRED,
		    event->reply.code, status, text);
	} else {
		snprintf(text, sizeof(text), "%s (at: %s)%s%s", failure_text(event), stage,
		    event->err == ERR_CRYPTO && attempt->tls ? ": " : "",
		    event->err == ERR_CRYPTO && attempt->tls ? tls_failure(attempt->tls) : "");
		attempt_fail(attempt, IPC_DEFERRED, 0,
		    event->err == ERR_CRYPTO ? "4.7.5" : status, text);
	}
	attempt->failure.host_level = !attempt->mail_sent;
	if (event->err == ERR_CRYPTO && attempt->tls_mode == CONF_TLS_MAY && attempt->tls &&
	    !attempt->without_tls) {
		/* Encryption was a wish: the same host once more, in clear. */
		attempt->without_tls = true;
		talk_close(attempt);
		talk_start(attempt);
		return;
	}
	attempt_next(attempt);
}

static void
take_failed(struct attempt *attempt, const struct smtp_client_event *event)
{
	if (attempt->state == ATTEMPT_OVER) {
		/* What happens after the mail is done concerns nobody. */
		talk_close(attempt);
		return;
	}
	say_failed(attempt, event);
}

/* Gives the machine what is there of the body, while the host takes it. */
static void
give_body(struct attempt *attempt)
{
	bool last;
	struct span piece = buf_span(&attempt->body);

	if (!attempt->body_wanted || attempt->state != ATTEMPT_TALKING)
		return;
	if (io_pending(attempt->stream) > DELIVERY_OUTPUT_MAX) {
		if (!attempt->draining) {
			attempt->draining = true;
			io_drain(attempt->stream, &attempt->drain, DELIVERY_OUTPUT_MAX / 2);
		}
		return;
	}
	last = attempt->body_given + piece.len == attempt->body_bytes;
	if (piece.len == 0 && !last) {
		delivery_ask_more(attempt);
		return;
	}
	smtp_client_body(attempt->smtp, piece, last, now_ms(attempt));
	attempt->body_given += piece.len;
	buf_reset(&attempt->body);
	flush(attempt);
	if (last)
		attempt->body_wanted = false;
	else
		delivery_ask_more(attempt);
}

static void
drained(struct io_op *op)
{
	struct attempt *attempt = op->owner;

	attempt->draining = false;
	if (!op->err)
		talk_pump(attempt);
}

static void
arm_timer(struct attempt *attempt)
{
	uint64_t deadline = smtp_client_deadline_ms(attempt->smtp);
	uint64_t now = now_ms(attempt);

	io_timer_start(attempt->delivery->env->io, &attempt->timer,
	    deadline > now ? deadline - now : 1);
}

/* Everything that the other server can make us do passes through this switch. */
void
talk_pump(struct attempt *attempt)
{
	struct smtp_client_event event;

	do {
		event = smtp_client_next(attempt->smtp);
		switch (event.kind) {
		case SMTP_CLIENT_START_TLS:
			flush(attempt);
			start_handshake(attempt);
			break;
		case SMTP_CLIENT_READY:
			if (attempt->mail_sent) {
				smtp_client_quit(attempt->smtp, now_ms(attempt));
				flush(attempt);
				talk_close(attempt);
				return;
			}
			send_mail(attempt);
			break;
		case SMTP_CLIENT_RCPT_DONE:
			take_rcpt(attempt, &event);
			break;
		case SMTP_CLIENT_BODY_WANTED:
			attempt->body_wanted = true;
			break;
		case SMTP_CLIENT_MAIL_DONE:
			take_mail_done(attempt, &event);
			break;
		case SMTP_CLIENT_FAILED:
			take_failed(attempt, &event);
			return;
		case SMTP_CLIENT_CLOSED:
			talk_close(attempt);
			return;
		case SMTP_CLIENT_WAIT:
			break;
		}
	} while (event.kind != SMTP_CLIENT_WAIT);
	flush(attempt);
	give_body(attempt);
	arm_timer(attempt);
	read_more(attempt);
}

void
talk_body(struct attempt *attempt)
{
	if (attempt->state == ATTEMPT_TALKING && attempt->stream && attempt->body_wanted)
		talk_pump(attempt);
}

/* True while the dialogue goes on. */
static bool
take_tls(struct attempt *attempt, struct span bytes)
{
	struct span plain = {0};
	enum err err = tls_input(attempt->tls, bytes);

	while (!err) {
		plain.len = 0;
		err = tls_next(attempt->tls, &plain);
		if (attempt->handshaking && tls_is_ready(attempt->tls)) {
			attempt->handshaking = false;
			buf_reset(&attempt->tls_text);
			tls_describe(attempt->tls, &attempt->tls_text);
			smtp_client_tls_started(attempt->smtp, now_ms(attempt));
		}
		if (!err && plain.len > 0 &&
		    smtp_client_input(attempt->smtp, plain, now_ms(attempt)) < plain.len)
			err = ERR_TOO_LONG;
	}
	if (err == ERR_AGAIN)
		return true;
	flush(attempt);
	if (attempt->handshaking)
		smtp_client_tls_failed(attempt->smtp);
	else
		smtp_client_eof(attempt->smtp);
	return false;
}

static void
read_done(struct io_op *op)
{
	struct attempt *attempt = op->owner;

	attempt->reading = false;
	if (op->err && attempt->handshaking)
		smtp_client_tls_failed(attempt->smtp);
	else if (op->err)
		smtp_client_eof(attempt->smtp);
	else if (attempt->tls)
		take_tls(attempt, op->bytes);
	else if (smtp_client_input(attempt->smtp, op->bytes, now_ms(attempt)) < op->bytes.len)
		/* It says more than it was asked: the machine has bounds, and so has patience. */
		smtp_client_eof(attempt->smtp);
	talk_pump(attempt);
}
