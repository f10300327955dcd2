/*
 * The session of "postrider send": one connection, driven by completions.
 *
 *   CONNECTING ─► (HANDSHAKE ─►) TALKING ◄─► UPGRADING        all ─► OVER
 *
 * The SMTP client and TLS are pure; this file carries their bytes.  Output goes
 * from the client through TLS, if there is any, to the stream; input the other
 * way.  A body is given in pieces while little of it waits in the stream.
 */
#include "base/arena.h"
#include "base/check.h"
#include "cli/cli_send_internal.h"
#include "tls/tls.h"

enum {
	PIECE_BYTES = 64 << 10,
	PENDING_BYTES_MAX = 1 << 20,
	PENDING_BYTES_LOW = 256 << 10,
};

enum phase { CONNECTING, HANDSHAKE, TALKING, UPGRADING, OVER, PHASE_COUNT };

#define BIT(n) (1u << (n))

static const unsigned next_phases[PHASE_COUNT] = {
    [CONNECTING] = BIT(HANDSHAKE) | BIT(TALKING) | BIT(OVER),
    [HANDSHAKE] = BIT(TALKING) | BIT(OVER),
    [TALKING] = BIT(UPGRADING) | BIT(OVER),
    [UPGRADING] = BIT(TALKING) | BIT(OVER),
    [OVER] = 0,
};

struct session {
	struct io *io;
	const struct cli_send_options *options;
	struct cli_send_result *result;
	enum phase phase;
	struct io_op
	    connects[CLI_SEND_ADDRS_MAX]; /* one for each address: each may come late */
	size_t connect_index;
	struct io_stream *stream;
	struct io_op read, drain;
	struct io_timer timer;
	struct tls_context *tls_context;
	struct tls *tls;
	struct smtp_client *client;
	struct cli_send_dialogue dialogue;
	struct span body; /* of the message, what is not given yet */
	bool body_8bit;
	bool body_owed; /* the client waits for a piece, and we for the stream */
};

static void pump(struct session *session);

/* The only place that writes session->phase. */
static void
move(struct session *session, enum phase next)
{
	check(next_phases[session->phase] & BIT(next));
	session->phase = next;
}

static void
keep(struct cli_send_answer *answer, const struct smtp_client_reply *reply)
{
	mem_free(answer->text);
	answer->code = reply->code;
	memcpy(answer->status, reply->status, sizeof(answer->status));
	answer->text = mem_copy(reply->text);
}

static void
finish(struct session *session)
{
	move(session, OVER);
	io_timer_stop(session->io, &session->timer);
	if (session->tls && session->stream) {
		tls_shut_down(session->tls);
		io_send(session->stream, tls_output(session->tls));
	}
	io_close(session->stream);
	session->stream = NULL;
	io_stop(session->io);
}

static void
fail(struct session *session, enum cli_send_failure failure, enum err err)
{
	/* The first failure is the reason; the others follow from it. */
	if (!session->result->failure && !session->result->ended) {
		session->result->failure = failure;
		session->result->err = err;
	}
	finish(session);
}

static void
fail_tls(struct session *session, const char *why)
{
	session->result->why = mem_copy(span_str(why));
	fail(session, CLI_SEND_NO_TLS, ERR_CRYPTO);
}

static void
flush_tls(struct session *session)
{
	struct span out = tls_output(session->tls);

	io_send(session->stream, out);
	tls_output_done(session->tls, out.len);
}

/* Carries what the client says; true where there was something. */
static bool
flush(struct session *session)
{
	struct span out = smtp_client_output(session->client);

	if (out.len == 0)
		return false;
	cli_send_dialogue_said(&session->dialogue, out);
	if (!session->tls) {
		io_send(session->stream, out);
	} else if (tls_write(session->tls, out) == OK) {
		flush_tls(session);
	} else {
		fail_tls(session, "the session broke while we were sending");
		return false;
	}
	smtp_client_output_done(session->client, out.len);
	return true;
}

static void
arm_timer(struct session *session)
{
	uint64_t deadline = smtp_client_deadline_ms(session->client);
	uint64_t now = io_now_ms(session->io);

	io_timer_start(
	    session->io, &session->timer, deadline > now ? deadline - now + 1 : 1);
}

static void
send_mail(struct session *session)
{
	const struct cli_send_options *options = session->options;
	const struct smtp_client_mail mail = {
	    .reverse_path = options->from,
	    .rcpts = options->to,
	    .rcpt_count = options->to_count,
	    .body_bytes = session->body.len,
	    .body_8bit = session->body_8bit,
	    .smtputf8 = options->to_utf8,
	};

	smtp_client_send(session->client, &mail, io_now_ms(session->io));
}

static void
drained(struct io_op *op)
{
	struct session *session = op->owner;

	/* A stream that broke says so to the read that is under way. */
	if (op->err || session->phase == OVER)
		return;
	pump(session);
}

static void
give_body(struct session *session)
{
	struct span piece = span_first(session->body, PIECE_BYTES);

	session->body = span_skip(session->body, piece.len);
	session->body_owed = false;
	session->dialogue.in_body = true;
	smtp_client_body(
	    session->client, piece, session->body.len == 0, io_now_ms(session->io));
}

static void
want_body(struct session *session)
{
	session->body_owed = true;
	if (io_pending(session->stream) <= PENDING_BYTES_MAX)
		give_body(session);
	else
		io_drain(session->stream, &session->drain, PENDING_BYTES_LOW);
}

static void drive_tls(struct session *session);

static void
start_tls(struct session *session, enum phase phase)
{
	move(session, phase);
	cli_send_dialogue_note(&session->dialogue, "TLS handshake");
	session->tls =
	    tls_connect(session->tls_context, span_str(session->options->host));
	drive_tls(session);
}

static void
take_failure(struct session *session, const struct smtp_client_event *event)
{
	struct cli_send_result *result = session->result;

	if (!result->ended && !result->failure) {
		result->stage = event->stage;
		result->in_doubt = smtp_client_in_doubt(session->client);
		keep(&result->final, &event->reply);
	}
	fail(session, CLI_SEND_DIALOGUE, event->err);
}

/* Everything that a server can make us do passes through this switch. */
static void
take_event(struct session *session, const struct smtp_client_event *event)
{
	switch (event->kind) {
	case SMTP_CLIENT_START_TLS:
		start_tls(session, UPGRADING);
		return;
	case SMTP_CLIENT_READY:
		if (session->result->ended)
			smtp_client_quit(session->client, io_now_ms(session->io));
		else
			send_mail(session);
		return;
	case SMTP_CLIENT_RCPT_DONE:
		check(event->rcpt_index < session->options->to_count);
		keep(&session->result->rcpts[event->rcpt_index], &event->reply);
		return;
	case SMTP_CLIENT_BODY_WANTED:
		want_body(session);
		return;
	case SMTP_CLIENT_MAIL_DONE:
		session->dialogue.in_body = false;
		session->result->ended = true;
		session->result->stage = event->stage;
		keep(&session->result->final, &event->reply);
		return;
	case SMTP_CLIENT_FAILED:
		take_failure(session, event);
		return;
	case SMTP_CLIENT_CLOSED:
		finish(session);
		return;
	case SMTP_CLIENT_RCPT_VERDICT: /* of LMTP only, which is not spoken here */
	case SMTP_CLIENT_WAIT:
		return;
	}
}

/* Goes on until the client waits and has nothing to say. */
static void
pump(struct session *session)
{
	if (session->body_owed && io_pending(session->stream) <= PENDING_BYTES_LOW)
		give_body(session);
	while (session->phase == TALKING) {
		struct smtp_client_event event = smtp_client_next(session->client);

		if (event.kind != SMTP_CLIENT_WAIT)
			take_event(session, &event);
		else if (!flush(session))
			break;
	}
	if (session->phase == TALKING || session->phase == UPGRADING)
		arm_timer(session);
}

static void
feed(struct session *session, struct span bytes)
{
	cli_send_dialogue_heard(&session->dialogue, bytes);
	while (bytes.len && session->phase == TALKING) {
		size_t taken =
		    smtp_client_input(session->client, bytes, io_now_ms(session->io));

		bytes = span_skip(bytes, taken);
		pump(session);
		if (taken == 0)
			break;
	}
	/*
	 * Whatever came in clear behind the answer to STARTTLS was put there by somebody
	 * between us and the server, to be read as if it had come encrypted.
	 */
	if (bytes.len && session->phase == UPGRADING)
		fail_tls(session, "bytes in clear came behind the answer to STARTTLS");
}

static void
start_client(struct session *session)
{
	const struct cli_send_options *options = session->options;
	struct smtp_client_options how = {
	    .helo = span_str(options->helo),
	    .login = span_str(options->login),
	    .password = span_str(options->password),
	    .auth_without_tls = options->loopback || options->insecure,
	    .reply_timeout_ms = CLI_SEND_REPLY_MS,
	};

	if (options->way == CLI_SEND_TLS)
		how.tls = SMTP_CLIENT_TLS_IMPLICIT;
	else if (options->way == CLI_SEND_STARTTLS)
		how.tls = SMTP_CLIENT_TLS_REQUIRED;
	else
		how.tls = SMTP_CLIENT_TLS_MAY;
	session->client = smtp_client_create(&how, io_now_ms(session->io));
}

static void
note_tls(struct session *session)
{
	struct buf text;

	buf_init(&text, 200);
	tls_describe(session->tls, &text);
	session->result->tls = mem_copy(buf_span(&text));
	cli_send_dialogue_note(&session->dialogue, session->result->tls);
	buf_fini(&text);
}

/* The handshake is over: the client starts, or goes on. */
static void
tls_ready(struct session *session)
{
	enum phase before = session->phase;

	note_tls(session);
	move(session, TALKING);
	if (before == HANDSHAKE)
		start_client(session);
	else
		smtp_client_tls_started(session->client, io_now_ms(session->io));
	flush_tls(session);
	pump(session);
}

static void
drive_tls(struct session *session)
{
	struct span plain;
	enum err err = OK;

	while (session->phase != OVER && (err = tls_next(session->tls, &plain)) == OK) {
		if (plain.len)
			feed(session, plain);
		else if (session->phase != TALKING)
			tls_ready(session);
	}
	if (session->phase == OVER)
		return;
	flush_tls(session);
	if (err == ERR_CRYPTO) {
		fail_tls(session, tls_failure(session->tls));
	} else if (err == ERR_END && session->client) {
		smtp_client_eof(session->client);
		pump(session);
	}
}

static void
stream_ended(struct session *session)
{
	if (session->phase == TALKING) {
		smtp_client_eof(session->client);
		pump(session);
	}
	/* A client that was told of the end fails, unless it was over anyhow. */
	if (session->phase == HANDSHAKE || session->phase == UPGRADING)
		fail_tls(
		    session, "the server closed the connection during the handshake");
	else if (session->phase != OVER)
		fail(session, CLI_SEND_DIALOGUE, ERR_CLOSED);
}

static void
read_done(struct io_op *op)
{
	struct session *session = op->owner;

	if (session->phase == OVER)
		return;
	if (op->err) {
		stream_ended(session);
		return;
	}
	if (!session->tls) {
		feed(session, op->bytes);
	} else if (tls_input(session->tls, op->bytes)) {
		fail_tls(session, "the server sends more than it may");
	} else {
		drive_tls(session);
	}
	if (session->phase != OVER)
		io_read(session->stream, &session->read);
}

static void
connect_next(struct session *session)
{
	struct io_op *op = &session->connects[session->connect_index];

	io_timer_start(session->io, &session->timer, CLI_SEND_CONNECT_MS);
	io_connect(session->io, op, &session->options->addrs[session->connect_index]);
}

/* This address is not the one; tries the next, or gives up. */
static void
connect_failed(struct session *session, enum err err)
{
	if (++session->connect_index < session->options->addr_count)
		connect_next(session);
	else
		fail(session, CLI_SEND_NOT_CONNECTED, err);
}

static void
connected(struct io_op *op)
{
	struct session *session = op->owner;

	if (session->phase != CONNECTING ||
	    op != &session->connects[session->connect_index]) {
		/* Too late: another address is being tried, or was taken. */
		if (!op->err)
			io_close(op->stream);
		return;
	}
	if (op->err) {
		connect_failed(session, op->err);
		return;
	}
	session->stream = op->stream;
	if (session->options->way == CLI_SEND_TLS) {
		io_timer_start(session->io, &session->timer, CLI_SEND_HANDSHAKE_MS);
		start_tls(session, HANDSHAKE);
	} else {
		move(session, TALKING);
		start_client(session);
		pump(session);
	}
	if (session->phase != OVER)
		io_read(session->stream, &session->read);
}

static void
timer_fired(struct io_timer *timer)
{
	struct session *session = timer->owner;

	switch (session->phase) {
	case CONNECTING:
		connect_failed(session, ERR_TIMEOUT);
		return;
	case HANDSHAKE:
		fail_tls(session, "the server did not answer within a minute");
		return;
	case UPGRADING:
		fail_tls(session, "the server stopped answering during the handshake");
		return;
	case TALKING:
		smtp_client_tick(session->client, io_now_ms(session->io));
		pump(session);
		return;
	case OVER:
	case PHASE_COUNT:
		return;
	}
}

void
cli_send_session(struct io *io, const struct cli_send_options *options,
    struct span message, struct cli_send_result *result)
{
	struct session session = {
	    .io = io,
	    .options = options,
	    .result = result,
	    .read = {.done = read_done},
	    .drain = {.done = drained},
	    .timer = {.fired = timer_fired},
	    .body = message,
	    .body_8bit = !span_is_ascii(message),
	};

	check(options->addr_count > 0);
	session.read.owner = session.drain.owner = session.timer.owner = &session;
	for (size_t i = 0; i < CLI_SEND_ADDRS_MAX; i++)
		session.connects[i] =
		    (struct io_op){.done = connected, .owner = &session};
	cli_send_dialogue_init(&session.dialogue, options->verbose);
	err_ignore(
	    tls_client_context_create(cli_send_verifies(options), &session.tls_context),
	    "has no way to fail but a lack of memory");
	connect_next(&session);
	io_run(io);
	check(session.phase == OVER);
	cli_send_dialogue_fini(&session.dialogue);
	smtp_client_destroy(session.client);
	tls_destroy(session.tls);
	tls_context_destroy(session.tls_context);
}
