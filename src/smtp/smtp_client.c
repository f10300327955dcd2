/*
 * The client session: its table of states, its events and its lifecycle.
 *
 * smtp_client_next() either gives the event that the state owes, or reads one
 * reply and does what the row of the state says for its class.  What follows a
 * good or bad reply is in smtp_client_hello.c (up to READY) and in
 * smtp_client_mail.c (a transaction).
 *
 * Invariants, checked after each move: a state that waits for a reply has a
 * command in flight; in READY and IDLE nothing is in flight; a body is asked for
 * only while at least one recipient stands.
 */
#include "smtp/smtp_client_internal.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	/* What may be left of a line, and as much again as is taken at least. */
	INPUT_BYTES_MAX = SMTP_CLIENT_LINE_BYTES_MAX + SMTP_CLIENT_INPUT_BYTES,
	OUTPUT_BYTES_MAX = 8 * SMTP_CLIENT_PIECE_BYTES_MAX,
	OUTPUT_SMALL_BYTES = 64 << 10, /* below it more of the body is asked for */
	COMMAND_BYTES_MAX = 16 << 10,
	SECRET_BYTES_MAX = 4 << 10,
	MAIL_BYTES_MAX = (SMTP_CLIENT_RCPT_MAX + 1) *
	    (ADDRESS_BYTES_MAX + SMTP_CLIENT_ORCPT_BYTES_MAX + 128),
};

/* What a session of this state may be doing, for the checks. */
enum { AWAITS = BIT(0), READS = BIT(1), TIMED = BIT(2) };

#define TO(state) BIT(STATE_##state)
#define TO_SESSION (TO(AUTH_PLAIN) | TO(AUTH_LOGIN) | TO(READY) | TO(FAILING))
#define WAITING (AWAITS | READS | TIMED)

static const struct {
	const char *name;
	enum smtp_client_stage stage;
	unsigned is;
	unsigned next; /* states that this one may move to */
	smtp_client_take *take[4]; /* for 2xx, 3xx, 4xx, 5xx */
} states[STATE_COUNT] = {
    [STATE_GREETING] = {"greeting", SMTP_CLIENT_GREETING, WAITING, TO(EHLO) | TO(FAILING),
	{smtp_client_greeted, smtp_client_out_of_step, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_EHLO] = {"ehlo", SMTP_CLIENT_EHLO, WAITING,
	TO_SESSION | TO(HELO) | TO(STARTTLS),
	{smtp_client_hello_ok, smtp_client_out_of_step, smtp_client_denied,
	    smtp_client_ehlo_never}},
    [STATE_HELO] = {"helo", SMTP_CLIENT_EHLO, WAITING, TO_SESSION,
	{smtp_client_hello_ok, smtp_client_out_of_step, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_STARTTLS] = {"starttls", SMTP_CLIENT_STARTTLS, WAITING,
	TO_SESSION | TO(START_TLS),
	{smtp_client_tls_ok, smtp_client_out_of_step, smtp_client_tls_refused,
	    smtp_client_tls_refused}},
    [STATE_START_TLS] = {"start-tls", SMTP_CLIENT_STARTTLS, TIMED,
	TO(HANDSHAKE) | TO(FAILING), {0}},
    [STATE_HANDSHAKE] = {"handshake", SMTP_CLIENT_STARTTLS, TIMED, TO(EHLO) | TO(FAILING),
	{0}},
    [STATE_AUTH_PLAIN] = {"auth-plain", SMTP_CLIENT_AUTH, WAITING,
	TO(AUTH_END) | TO(READY) | TO(FAILING),
	{smtp_client_auth_ok, smtp_client_plain_more, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_AUTH_LOGIN] = {"auth-login", SMTP_CLIENT_AUTH, WAITING,
	TO(AUTH_USER) | TO(FAILING),
	{smtp_client_out_of_step, smtp_client_login_more, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_AUTH_USER] = {"auth-user", SMTP_CLIENT_AUTH, WAITING,
	TO(AUTH_END) | TO(FAILING),
	{smtp_client_out_of_step, smtp_client_user_more, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_AUTH_END] = {"auth-end", SMTP_CLIENT_AUTH, WAITING, TO(READY) | TO(FAILING),
	{smtp_client_auth_ok, smtp_client_out_of_step, smtp_client_denied,
	    smtp_client_denied}},
    [STATE_READY] = {"ready", SMTP_CLIENT_MAIL, READS, TO(IDLE) | TO(QUIT) | TO(FAILING),
	{0}},
    [STATE_IDLE] = {"idle", SMTP_CLIENT_MAIL, READS,
	TO(RSET) | TO(MAIL) | TO(LOCAL) | TO(VERDICT) | TO(QUIT) | TO(FAILING), {0}},
    [STATE_LOCAL] = {"local", SMTP_CLIENT_MAIL, 0, TO(VERDICT) | TO(FAILING), {0}},
    [STATE_RSET] = {"rset", SMTP_CLIENT_MAIL, WAITING, TO(MAIL) | TO(FAILING),
	{smtp_client_reset, smtp_client_out_of_step, smtp_client_reset,
	    smtp_client_reset}},
    [STATE_MAIL] = {"mail", SMTP_CLIENT_MAIL, WAITING,
	TO(RCPT) | TO(VERDICT) | TO(FAILING),
	{smtp_client_mail_ok, smtp_client_out_of_step, smtp_client_mail_refused,
	    smtp_client_mail_refused}},
    [STATE_RCPT] = {"rcpt", SMTP_CLIENT_RCPT, WAITING,
	TO(DATA) | TO(BODY_WANT) | TO(VERDICT) | TO(FAILING),
	{smtp_client_rcpt_ok, smtp_client_out_of_step, smtp_client_rcpt_refused,
	    smtp_client_rcpt_refused}},
    [STATE_DATA] = {"data", SMTP_CLIENT_DATA, WAITING,
	TO(BODY_WANT) | TO(VERDICT) | TO(FAILING),
	{smtp_client_out_of_step, smtp_client_data_go, smtp_client_data_refused,
	    smtp_client_data_refused}},
    [STATE_BODY_WANT] = {"body-want", SMTP_CLIENT_DATA, READS | TIMED,
	TO(BODY_GIVE) | TO(DOT) | TO(VERDICT) | TO(FAILING),
	{smtp_client_chunk_ok, smtp_client_out_of_step, smtp_client_chunk_refused,
	    smtp_client_chunk_refused}},
    [STATE_BODY_GIVE] = {"body-give", SMTP_CLIENT_DATA, READS | TIMED,
	TO(BODY_WANT) | TO(DOT) | TO(VERDICT) | TO(FAILING),
	{smtp_client_chunk_ok, smtp_client_out_of_step, smtp_client_chunk_refused,
	    smtp_client_chunk_refused}},
    [STATE_DOT] = {"dot", SMTP_CLIENT_BODY_SENT, WAITING, TO(VERDICT) | TO(FAILING),
	{smtp_client_dot_done, smtp_client_out_of_step, smtp_client_dot_done,
	    smtp_client_dot_done}},
    [STATE_VERDICT] = {"verdict", SMTP_CLIENT_DATA, 0,
	TO(DRAIN) | TO(READY) | TO(MAIL) | TO(CLOSING) | TO(FAILING), {0}},
    [STATE_DRAIN] = {"drain", SMTP_CLIENT_DATA, WAITING,
	TO(DROP) | TO(READY) | TO(FAILING),
	{smtp_client_drain, smtp_client_drain_data, smtp_client_drain,
	    smtp_client_drain}},
    [STATE_DROP] = {"drop", SMTP_CLIENT_DATA, WAITING, TO(READY) | TO(FAILING),
	{smtp_client_dropped, smtp_client_out_of_step, smtp_client_dropped,
	    smtp_client_dropped}},
    [STATE_QUIT] = {"quit", SMTP_CLIENT_QUIT, WAITING, TO(CLOSING) | TO(FAILING),
	{smtp_client_quit_done, smtp_client_quit_done, smtp_client_quit_done,
	    smtp_client_quit_done}},
    [STATE_CLOSING] = {"closing", SMTP_CLIENT_QUIT, 0, TO(CLOSED), {0}},
    [STATE_CLOSED] = {"closed", SMTP_CLIENT_QUIT, 0, 0, {0}},
    [STATE_FAILING] = {"failing", SMTP_CLIENT_QUIT, 0, TO(FAILED), {0}},
    [STATE_FAILED] = {"failed", SMTP_CLIENT_QUIT, 0, 0, {0}},
};

static void
check_invariants(const struct smtp_client *client)
{
	if (states[client->state].is & AWAITS)
		check(client->in_flight > 0);
	if (client->state == STATE_READY || client->state == STATE_IDLE)
		check(client->in_flight == 0);
	if (client->state == STATE_BODY_WANT || client->state == STATE_DOT)
		check(client->rcpt_ok > 0);
}

void
smtp_client_move(struct smtp_client *client, enum smtp_client_state next)
{
	check(states[client->state].next & BIT(next));
	if (next == STATE_VERDICT || next == STATE_FAILING)
		client->stage = states[client->state].stage;
	client->state = next;
	check_invariants(client);
}

bool
smtp_client_is_timed(const struct smtp_client *client)
{
	return states[client->state].is & TIMED;
}

void
smtp_client_refuse(struct smtp_client *client, enum err err)
{
	/*
	 * Once the end of the body is out, only a clear refusal says that the
	 * server did not take the message.
	 */
	client->in_doubt = client->state == STATE_DOT && err != ERR_DENIED;
	client->err = err;
	smtp_client_move(client, STATE_FAILING);
}

void
smtp_client_fail(struct smtp_client *client, enum err err)
{
	client->reply = (struct smtp_client_reply){0};
	buf_reset(&client->text);
	smtp_client_refuse(client, err);
}

enum smtp_client_event_kind
smtp_client_out_of_step(struct smtp_client *client)
{
	smtp_client_refuse(client, ERR_SYNTAX);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_denied(struct smtp_client *client)
{
	smtp_client_refuse(client, ERR_DENIED);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_quit_done(struct smtp_client *client)
{
	smtp_client_move(client, STATE_CLOSING);
	return SMTP_CLIENT_WAIT;
}

void
smtp_client_command(struct smtp_client *client, const char *format, ...)
{
	char line[COMMAND_BYTES_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	check(len >= 0 && (size_t)len < sizeof(line));
	if (client->said)
		smtp_client_tell_command(client, span_of(line, (size_t)len));
	buf_add(&client->output, span_of(line, (size_t)len));
	buf_add(&client->output, SPAN("\r\n"));
	check(buf_finish(&client->output) == OK);
	mem_wipe(line, (size_t)len);
	if (client->asked_ms == 0)
		client->asked_ms = client->now_ms;
	client->in_flight++;
	smtp_client_touch(client);
}

/* A reply that no command asked for: never the answer to what comes later. */
static void
run_unasked(struct smtp_client *client)
{
	bool refusal = client->reply.code >= 400;

	smtp_client_refuse(client, refusal ? ERR_DENIED : ERR_SYNTAX);
}

/* Reads and takes one reply; false where none is whole yet. */
static bool
run_reply(struct smtp_client *client, enum smtp_client_event_kind *kind)
{
	*kind = SMTP_CLIENT_WAIT;
	if (!smtp_client_read_reply(client)) {
		if (!client->eof)
			return false;
		if (client->state == STATE_QUIT)
			smtp_client_move(client, STATE_CLOSING);
		else
			smtp_client_fail(client, ERR_CLOSED);
		return true;
	}
	if (smtp_client_has_ended(client))
		return true;
	smtp_client_touch(client);
	if (client->in_flight == 0) {
		run_unasked(client);
		return true;
	}
	client->in_flight--;
	smtp_client_note_quickness(client);
	/*
	 * A 421 says that the server is about to close, whatever was asked.  From LMTP, after the
	 * message, it is one recipient's, and others may have theirs.
	 */
	if (client->reply.code == 421 && client->state != STATE_QUIT &&
	    !(client->lmtp && client->state == STATE_DOT))
		smtp_client_refuse(client, ERR_DENIED);
	else
		*kind = states[client->state].take[client->reply.code / 100 - 2](client);
	return true;
}

/* The event that the state owes; WAIT for none. */
static enum smtp_client_event_kind
run_owed(struct smtp_client *client)
{
	switch (client->state) {
	case STATE_START_TLS:
		if (client->output.len)
			return SMTP_CLIENT_WAIT;
		smtp_client_move(client, STATE_HANDSHAKE);
		return SMTP_CLIENT_START_TLS;
	case STATE_READY:
		smtp_client_move(client, STATE_IDLE);
		return SMTP_CLIENT_READY;
	case STATE_LOCAL:
		if (++client->rcpt_index == client->now.mail.rcpt_count)
			smtp_client_move(client, STATE_VERDICT);
		return SMTP_CLIENT_RCPT_DONE;
	case STATE_BODY_WANT:
		if (client->output.len >= OUTPUT_SMALL_BYTES)
			return SMTP_CLIENT_WAIT;
		smtp_client_move(client, STATE_BODY_GIVE);
		return SMTP_CLIENT_BODY_WANTED;
	case STATE_VERDICT:
		smtp_client_mail_over(client);
		return SMTP_CLIENT_MAIL_DONE;
	case STATE_CLOSING:
		smtp_client_move(client, STATE_CLOSED);
		return SMTP_CLIENT_CLOSED;
	case STATE_FAILING:
		smtp_client_move(client, STATE_FAILED);
		return SMTP_CLIENT_FAILED;
	case STATE_GREETING:
	case STATE_EHLO:
	case STATE_HELO:
	case STATE_STARTTLS:
	case STATE_HANDSHAKE:
	case STATE_AUTH_PLAIN:
	case STATE_AUTH_LOGIN:
	case STATE_AUTH_USER:
	case STATE_AUTH_END:
	case STATE_IDLE:
	case STATE_RSET:
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_DATA:
	case STATE_BODY_GIVE:
	case STATE_DOT:
	case STATE_DRAIN:
	case STATE_DROP:
	case STATE_QUIT:
	case STATE_CLOSED:
	case STATE_FAILED:
	case STATE_COUNT:
		break;
	}
	return SMTP_CLIENT_WAIT;
}

static struct smtp_client_event
event_of(struct smtp_client *client, enum smtp_client_event_kind kind)
{
	struct smtp_client_event event = {.kind = kind};

	event.stage = states[client->state].stage;
	if (kind == SMTP_CLIENT_RCPT_DONE) {
		event.stage = SMTP_CLIENT_RCPT;
		event.rcpt_index = client->rcpt_index - 1;
	}
	if (kind == SMTP_CLIENT_RCPT_VERDICT) {
		event.stage = SMTP_CLIENT_BODY_SENT;
		event.rcpt_index = client->verdict_index - 1;
	}
	if (kind == SMTP_CLIENT_MAIL_DONE || kind == SMTP_CLIENT_FAILED)
		event.stage = client->stage;
	if (kind == SMTP_CLIENT_FAILED)
		event.err = client->err;
	if (kind == SMTP_CLIENT_RCPT_DONE || kind == SMTP_CLIENT_RCPT_VERDICT ||
	    kind == SMTP_CLIENT_MAIL_DONE || kind == SMTP_CLIENT_FAILED) {
		event.reply = client->reply;
		event.reply.text = buf_span(&client->text);
	}
	return event;
}

struct smtp_client_event
smtp_client_next(struct smtp_client *client)
{
	enum smtp_client_event_kind kind = SMTP_CLIENT_WAIT;

	while (kind == SMTP_CLIENT_WAIT) {
		/*
		 * Reading comes before the events of READY and BODY_WANT: what the
		 * server said unasked must not become the answer to what follows.
		 */
		if ((states[client->state].is & READS) && run_reply(client, &kind))
			continue;
		kind = run_owed(client);
		if (kind == SMTP_CLIENT_WAIT)
			break;
	}
	return event_of(client, kind);
}

struct smtp_client *
smtp_client_create(const struct smtp_client_options *options, uint64_t now_ms)
{
	struct smtp_client *client = mem_alloc(sizeof(*client));

	check(options->helo.len > 0 && options->helo.len <= ADDRESS_DOMAIN_BYTES_MAX);
	check(options->login.len + options->password.len <= SECRET_BYTES_MAX);
	client->tls = options->tls;
	client->is_tls = options->tls == SMTP_CLIENT_TLS_IMPLICIT;
	client->auth_without_tls = options->auth_without_tls;
	client->lmtp = options->lmtp;
	client->no_chunks = options->no_chunks;
	client->reply_timeout_ms = options->reply_timeout_ms;
	client->said = options->said;
	client->said_owner = options->said_owner;
	client->helo = mem_copy(options->helo);
	client->login = mem_copy(options->login);
	client->password = mem_copy(options->password);
	arena_init(&client->now.arena, MAIL_BYTES_MAX);
	arena_init(&client->ahead.arena, MAIL_BYTES_MAX);
	client->quickest_ms = UINT64_MAX;
	buf_init(&client->text, SMTP_CLIENT_REPLY_TEXT_MAX);
	buf_init(&client->input, INPUT_BYTES_MAX);
	buf_init(&client->output, OUTPUT_BYTES_MAX);
	client->in_flight = 1; /* the greeting */
	smtp_client_note_time(client, now_ms);
	smtp_client_touch(client);
	return client;
}

void
smtp_client_destroy(struct smtp_client *client)
{
	if (!client)
		return;
	mem_wipe(client->password, strlen(client->password));
	/* It may have held the password. */
	mem_wipe(client->output.ptr, client->output.room);
	mem_free(client->helo);
	mem_free(client->login);
	mem_free(client->password);
	arena_fini(&client->now.arena);
	arena_fini(&client->ahead.arena);
	buf_fini(&client->text);
	buf_fini(&client->input);
	buf_fini(&client->output);
	mem_free(client);
}

size_t
smtp_client_input(struct smtp_client *client, struct span bytes, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (smtp_client_has_ended(client))
		return bytes.len;
	/*
	 * Plain bytes between the answer to STARTTLS and the handshake are not
	 * the server's: somebody in the middle put them there.
	 */
	if ((client->state == STATE_START_TLS || client->state == STATE_HANDSHAKE) &&
	    bytes.len) {
		smtp_client_fail(client, ERR_SYNTAX);
		return bytes.len;
	}
	buf_consume(&client->input, client->input_done);
	client->input_done = 0;
	bytes = span_first(bytes, buf_space(&client->input));
	buf_add(&client->input, bytes);
	return bytes.len;
}

void
smtp_client_eof(struct smtp_client *client)
{
	client->eof = true;
	if (client->state == STATE_START_TLS || client->state == STATE_HANDSHAKE)
		smtp_client_fail(client, ERR_CLOSED);
}

void
smtp_client_quit(struct smtp_client *client, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (smtp_client_has_ended(client) || client->state == STATE_QUIT)
		return;
	check(client->state == STATE_READY || client->state == STATE_IDLE);
	smtp_client_command(client, "QUIT");
	smtp_client_move(client, STATE_QUIT);
}

struct span
smtp_client_output(const struct smtp_client *client)
{
	return buf_span(&client->output);
}

void
smtp_client_output_done(struct smtp_client *client, size_t sent)
{
	buf_consume(&client->output, sent);
}

bool
smtp_client_is_tls(const struct smtp_client *client)
{
	return client->is_tls;
}

bool
smtp_client_was_ahead(const struct smtp_client *client)
{
	return client->was_ahead;
}

bool
smtp_client_lacks(const struct smtp_client *client)
{
	return client->lacks;
}

bool
smtp_client_takes_utf8(const struct smtp_client *client)
{
	return client->offers & OFFER_SMTPUTF8;
}

bool
smtp_client_takes_8bit(const struct smtp_client *client)
{
	return client->offers & OFFER_8BITMIME;
}

bool
smtp_client_takes_binary(const struct smtp_client *client)
{
	return !client->lmtp && !(~client->offers & (OFFER_BINARYMIME | OFFER_CHUNKING));
}

bool
smtp_client_passes_dsn(const struct smtp_client *client)
{
	return client->offers & OFFER_DSN;
}

bool
smtp_client_passes_by(const struct smtp_client *client)
{
	return client->offers & OFFER_DELIVERBY;
}

bool
smtp_client_in_doubt(const struct smtp_client *client)
{
	return client->in_doubt;
}

const char *
smtp_client_stage_name(enum smtp_client_stage stage)
{
	static const char *const names[] = {
	    [SMTP_CLIENT_GREETING] = "greeting",
	    [SMTP_CLIENT_EHLO] = "ehlo",
	    [SMTP_CLIENT_STARTTLS] = "starttls",
	    [SMTP_CLIENT_AUTH] = "auth",
	    [SMTP_CLIENT_MAIL] = "mail",
	    [SMTP_CLIENT_RCPT] = "rcpt",
	    [SMTP_CLIENT_DATA] = "data",
	    [SMTP_CLIENT_BODY_SENT] = "body-sent",
	    [SMTP_CLIENT_QUIT] = "quit",
	};

	check((size_t)stage < LEN(names));
	return names[stage];
}
