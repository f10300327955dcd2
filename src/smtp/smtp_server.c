/*
 * The life of a session, its clock and its pump; see smtp_server_state.c for
 * the states that it goes through.
 */
#include "smtp/smtp_server_internal.h"

#include <assert.h>

#include "base/arena.h"
#include "base/check.h"

enum {
	/* With more than this unsent nothing is read: a client that does not read must wait. */
	OUTPUT_UNSENT_MAX = 64 * 1024,
	/* What one command may add to it, and a 421. */
	OUTPUT_ONE_STEP_MAX = 16 * 1024,
};

static void
greet(struct smtp_server *server, enum smtp_server_cue cue)
{
	smtp_server_take(server, cue, server->options.no_mail ? WHEN_NO_MAIL : WHEN_FINE,
	    server->options.hostname);
}

/* A limit of 0 is none. */
static void
lift_zero_limits(struct smtp_server_options *options)
{
	uint64_t *limits[] = {&options->message_bytes_max, &options->command_bytes_max,
	    &options->line_bytes_max, &options->header_bytes_max, &options->rcpt_max,
	    &options->received_max, &options->commands_max, &options->messages_max,
	    &options->errors_max, &options->auth_failures_max,
	    &options->command_timeout_ms, &options->data_timeout_ms,
	    &options->session_timeout_ms, &options->idle_commands_max,
	    &options->transfer_window_ms, &options->message_timeout_ms};

	for (size_t i = 0; i < LEN(limits); i++)
		if (*limits[i] == 0)
			*limits[i] = UINT64_MAX;
}

/* Ten thousand sessions that wait must cost little. */
static_assert(sizeof(struct smtp_server) < 700, "an idle session is small");

struct smtp_server *
smtp_server_create(const struct smtp_server_options *options, uint64_t now_ms)
{
	struct smtp_server *server = mem_alloc(sizeof(*server));

	server->options = *options;
	lift_zero_limits(&server->options);
	/* A line must fit into the input, whatever is configured. */
	if (server->options.command_bytes_max > SMTP_SERVER_INPUT_BYTES / 2)
		server->options.command_bytes_max = SMTP_SERVER_INPUT_BYTES / 2;
	check(server->options.command_bytes_max >= 16);
	buf_init(&server->output, OUTPUT_UNSENT_MAX + OUTPUT_ONE_STEP_MAX);
	server->now_ms = server->created_ms = server->progress_ms = now_ms;
	server->line = SPAN("");
	check(server->state == SERVER_CONNECTED);
	if (!options->tls_from_start)
		greet(server, CUE_OPENED);
	return server;
}

void
smtp_server_destroy(struct smtp_server *server)
{
	if (!server)
		return;
	smtp_server_auth_end(server);
	smtp_server_input_release(server);
	buf_fini(&server->output);
	mem_free(server->helo);
	mem_free(server->login);
	mem_free(server);
}

static void
forget_helo(struct smtp_server *server)
{
	mem_free(server->helo);
	server->helo = NULL;
}

void
smtp_server_tls_started(struct smtp_server *server, uint64_t now_ms)
{
	bool greeting = server->state == SERVER_CONNECTED;

	if (server->state == SERVER_CLOSED)
		return;
	check(greeting || server->state == SERVER_HANDSHAKE);
	smtp_server_input_release(server);
	forget_helo(server);
	server->tls = true;
	server->esmtp = false;
	server->now_ms = server->progress_ms = now_ms;
	if (greeting)
		greet(server, CUE_TLS);
	else
		smtp_server_take(server, CUE_TLS, WHEN_FINE, SPAN(""));
}

void
smtp_server_shut_down(struct smtp_server *server)
{
	server->shutting_down = true;
}

void
smtp_server_eof(struct smtp_server *server)
{
	if (server->state == SERVER_CLOSED)
		return;
	server->line = SPAN("");
	smtp_server_take(server, CUE_LEFT, WHEN_FINE, SPAN(""));
}

/* Input. */

/* The time is known again: from here on the client keeps us waiting. */
static void
set_now(struct smtp_server *server, uint64_t now_ms)
{
	server->now_ms = now_ms;
	if (server->progress_unknown)
		server->progress_ms = now_ms;
	server->progress_unknown = false;
}

size_t
smtp_server_input(struct smtp_server *server, struct span bytes, uint64_t now_ms)
{
	set_now(server, now_ms);
	/* RFC 3207 section 4.2: what comes in clear text next to a handshake is dropped. */
	if (server->state == SERVER_CLOSED || server->state == SERVER_HANDSHAKE ||
	    server->state == SERVER_CONNECTED)
		return bytes.len;
	if (bytes.len == 0)
		return 0;
	if (smtp_server_traits(server)->body) {
		server->progress_ms = now_ms;
		server->window_bytes += bytes.len;
	}

	return smtp_server_input_add(&server->input, bytes);
}

/* The pump. */

static void
refuse_long_line(struct smtp_server *server)
{
	smtp_server_take(server, server->state == SERVER_AUTH_LINE ? CUE_AUTH_LINE : CUE_LINE,
	    WHEN_TOO_LONG, SPAN(""));
}

/* Commands that a message needs any number of; all others are to lead to one. */
static bool
is_of_message(struct span line)
{
	struct span verb = span_first(line, 4);

	return span_eq_nocase(verb, SPAN("RCPT")) || span_eq_nocase(verb, SPAN("DATA")) ||
	       span_eq_nocase(verb, SPAN("BDAT"));
}

/* False where there is no whole line. */
static bool
step_line(struct smtp_server *server, struct smtp_server_event *event)
{
	enum smtp_server_line status;
	bool secret = server->state == SERVER_AUTH_LINE;
	bool goes_on = server->state == SERVER_CHUNKS;
	struct span line;

	status = smtp_server_input_line(server, &line);
	if (status == SERVER_LINE_MORE)
		return false;
	server->progress_ms = server->now_ms;
	server->idle_commands += !is_of_message(line);
	server->input.secret |= secret || span_starts_nocase(line, SPAN("AUTH"));
	server->line = secret ? SPAN("") : smtp_server_auth_public(line);
	switch (status) {
	case SERVER_LINE_TAKEN:
		if (secret)
			smtp_server_auth_line(server, line, event);
		else
			smtp_server_run_line(server, line, event);
		break;
	case SERVER_LINE_TOO_LONG:
		server->line = SPAN("");
		refuse_long_line(server);
		break;
	case SERVER_LINE_BARE:
		/*
		 * A lone CR or LF ends the session rather than the line.  Servers
		 * that disagree about line ends can be made to see two messages in
		 * one; RFC 5321 section 2.3.8 forbids both to the client.
		 */
		smtp_server_take(server, CUE_LINE, WHEN_BARE, SPAN(""));
		break;
	case SERVER_LINE_MORE:
		break;
	}
	if (smtp_server_traits(server)->body) {
		server->window_ms = server->now_ms;
		server->window_bytes = smtp_server_input_unread(&server->input).len;
		if (!goes_on)
			server->message_ms = server->now_ms;
	}
	server->line = SPAN("");
	return true;
}

/* How many replies the message gets: with LMTP one for each recipient. */
static uint64_t
verdicts(const struct smtp_server *server)
{
	return server->options.lmtp && server->rcpt_count > 1 ? server->rcpt_count : 1;
}

static void
end_message(struct smtp_server *server, struct smtp_server_event *event)
{
	event->kind = SMTP_SERVER_BODY_END;
	server->verdicts_left = verdicts(server);
	server->accepted = false;
	smtp_server_take(server, CUE_OCTETS, WHEN_FINE, SPAN(""));
}

static void
refuse_body(struct smtp_server *server)
{
	uint64_t number = 0;
	char digits[SERVER_DIGITS_MAX];
	enum reply_id id = server->chunk_refusal;
	struct reply reply;

	if (server->state == SERVER_CHUNK_BAD && id != REPLY_COUNT) {
		smtp_server_take_reply(server, CUE_OCTETS, id,
		    id == REPLY_BAD_SEQUENCE ? smtp_server_expected(server->chunk_from)
					     : SPAN(""));
		return;
	}
	id = smtp_server_body_refusal(&server->body, &server->options, &number);
	reply = (struct reply){.id = id, .args = {smtp_server_number(digits, number)}};
	/* LMTP: one for each recipient (RFC 2033 section 4.2). */
	if (server->state == SERVER_BODY_BAD || server->chunk_last)
		for (uint64_t i = 1; i < verdicts(server); i++)
			smtp_server_say_reply(server, &reply);
	smtp_server_take_reply(server, CUE_OCTETS, id, reply.args[0]);
}

/* All octets of a BDAT have come. */
static void
end_chunk(struct smtp_server *server, struct smtp_server_event *event)
{
	char digits[SERVER_DIGITS_MAX];

	if (server->state == SERVER_CHUNK_BAD) {
		refuse_body(server);
		return;
	}
	if (!server->chunk_last) {
		smtp_server_take(server, CUE_OCTETS, WHEN_MORE,
		    smtp_server_number(digits, server->chunk_bytes));
		return;
	}
	if (smtp_server_body_finish(&server->body, &server->options)) {
		event->kind = SMTP_SERVER_BODY;
		event->body = SPAN("\r\n");
	} else if (server->body.flaws) {
		smtp_server_take(server, CUE_OCTETS, WHEN_FLAW, SPAN(""));
	} else {
		end_message(server, event);
	}
}

static bool
step_chunk(struct smtp_server *server, struct smtp_server_event *event)
{
	struct smtp_server_body *body = &server->body;
	struct span text = smtp_server_input_unread(&server->input), run = SPAN("");
	size_t taken;

	if (body->chunk_left == 0) {
		end_chunk(server, event);
		return true;
	}
	if (text.len == 0)
		return false;
	if (text.len > body->chunk_left)
		text.len = (size_t)body->chunk_left;
	taken = text.len;
	if (server->state == SERVER_CHUNK || server->chunk_refusal == REPLY_COUNT)
		taken = smtp_server_body_take(body, &server->options, text, &run);
	smtp_server_input_consume(&server->input, taken);
	body->chunk_left -= taken;
	if (server->state == SERVER_CHUNK && body->flaws)
		smtp_server_take(server, CUE_OCTETS, WHEN_FLAW, SPAN(""));
	if (run.len > 0) {
		event->kind = SMTP_SERVER_BODY;
		event->body = run;
	}
	return true;
}

static bool
step_data(struct smtp_server *server, struct smtp_server_event *event)
{
	struct smtp_server_body *body = &server->body;
	struct span text = smtp_server_input_unread(&server->input), run;
	size_t taken;

	if (text.len == 0)
		return false;
	taken = smtp_server_body_take(body, &server->options, text, &run);
	smtp_server_input_consume(&server->input, taken);
	if (server->state == SERVER_BODY && body->flaws)
		smtp_server_take(server, CUE_OCTETS, WHEN_FLAW, SPAN(""));
	if (run.len > 0) {
		event->kind = SMTP_SERVER_BODY;
		event->body = run;
	} else if (body->at == BODY_AT_END && server->state == SERVER_BODY_BAD) {
		refuse_body(server);
	} else if (body->at == BODY_AT_END) {
		end_message(server, event);
	}
	return true;
}

/* Closes where a limit of the session was passed, or the server ends. */
static bool
step_limits(struct smtp_server *server)
{
	const struct smtp_server_options *options = &server->options;
	enum smtp_server_when when;

	if (server->auth_failures > options->auth_failures_max)
		when = WHEN_AUTH_FAILURES;
	else if (server->errors > options->errors_max)
		when = WHEN_ERRORS;
	else if (server->idle_commands > options->idle_commands_max)
		when = WHEN_NO_PROGRESS;
	else if (server->shutting_down && server->state != SERVER_CHUNKS &&
		 !smtp_server_traits(server)->owes && !smtp_server_traits(server)->body)
		when = WHEN_SHUT_DOWN;
	else
		return false;
	smtp_server_take(server, CUE_LIMIT, when, options->hostname);
	return true;
}

/* One step of work; false where it needs something from outside. */
static bool
step(struct smtp_server *server, struct smtp_server_event *event)
{
	if (step_limits(server))
		return true;
	if (smtp_server_traits(server)->owes || server->output.len > OUTPUT_UNSENT_MAX)
		return false;
	if (smtp_server_traits(server)->lines)
		return step_line(server, event);
	if (server->state == SERVER_CHUNK || server->state == SERVER_CHUNK_BAD)
		return step_chunk(server, event);
	if (smtp_server_traits(server)->body)
		return step_data(server, event);
	return false;
}

static struct smtp_server_event
take_pending(struct smtp_server *server)
{
	struct smtp_server_pending first = server->pending[0];

	server->pending_count--;
	memmove(server->pending, server->pending + 1,
	    server->pending_count * sizeof(server->pending[0]));
	return (struct smtp_server_event){
	    .kind = first.kind, .reply = first.reply, .command = first.command};
}

struct smtp_server_event
smtp_server_next(struct smtp_server *server)
{
	struct smtp_server_event event = {.kind = SMTP_SERVER_WAIT};

	while (event.kind == SMTP_SERVER_WAIT) {
		if (server->pending_count > 0)
			return take_pending(server);
		if (server->state == SERVER_CLOSED) {
			smtp_server_input_release(server);
			event.kind = SMTP_SERVER_CLOSE;
		} else if (!step(server, &event)) {
			break;
		}
	}
	/* An idle session holds no input buffer. */
	if (event.kind == SMTP_SERVER_WAIT &&
	    smtp_server_input_unread(&server->input).len == 0)
		smtp_server_input_release(server);
	return event;
}

/* What the caller's answer comes to; what it counts is counted. */
static enum smtp_server_when
judge_answer(struct smtp_server *server, enum reply_id id)
{
	unsigned code = reply_code(id);
	bool yes = code / 100 == 2;

	if (code / 100 == 5 && id != REPLY_AUTH_INVALID)
		server->errors++;
	if (code == 421)
		return WHEN_CLOSE;
	if (server->state == SERVER_AUTH_ASKED) {
		check(!yes);
		server->auth_failures += id == REPLY_AUTH_INVALID;
	} else if (server->state == SERVER_RCPT_ASKED) {
		server->rcpt_tried = true;
		server->rcpt_count += yes;
		if (!yes && server->rcpt_count > 0)
			return WHEN_EARLIER;
	} else if (server->state == SERVER_VERDICT) {
		server->accepted |= yes;
		if (--server->verdicts_left > 0)
			return WHEN_MORE;
		server->messages += server->accepted;
		if (server->accepted)
			server->idle_commands = 0;
	}
	return yes ? WHEN_FINE : WHEN_NO;
}

void
smtp_server_reply(struct smtp_server *server, const struct reply *reply)
{
	unsigned class = reply_code(reply->id) / 100;

	/* The client may have gone while the answer was made. */
	if (server->state == SERVER_CLOSED)
		return;
	check(smtp_server_traits(server)->owes);
	check(class == 2 || class == 4 || class == 5);
	smtp_server_say_reply(server, reply);
	server->progress_unknown = true;
	smtp_server_take(server, CUE_ANSWER, judge_answer(server, reply->id), SPAN(""));
}

/* The clock. */

static uint64_t
later(uint64_t from_ms, uint64_t timeout_ms)
{
	return timeout_ms > UINT64_MAX - from_ms ? UINT64_MAX : from_ms + timeout_ms;
}

static uint64_t
progress_deadline_ms(const struct smtp_server *server)
{
	return later(server->progress_ms, smtp_server_traits(server)->body
					      ? server->options.data_timeout_ms
					      : server->options.command_timeout_ms);
}

/* Of a message under way; UINT64_MAX where there is none. */
static uint64_t
message_deadline_ms(const struct smtp_server *server)
{
	if (!smtp_server_traits(server)->body && server->state != SERVER_CHUNKS)
		return UINT64_MAX;
	return later(server->message_ms, server->options.message_timeout_ms);
}

/* When enough of the message must have come. */
static uint64_t
window_deadline_ms(const struct smtp_server *server)
{
	if (!smtp_server_traits(server)->body || server->options.transfer_bytes_min == 0)
		return UINT64_MAX;
	return later(server->window_ms, server->options.transfer_window_ms);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
smtp_server_deadline_ms(const struct smtp_server *server)
{
	uint64_t session_ms =
	    later(server->created_ms, server->options.session_timeout_ms);

	if (server->state == SERVER_CLOSED || smtp_server_traits(server)->owes)
		return UINT64_MAX;
	return least(least(session_ms, progress_deadline_ms(server)),
	    least(message_deadline_ms(server), window_deadline_ms(server)));
}

/* Which deadline has passed. */
static enum smtp_server_when
passed(const struct smtp_server *server)
{
	if (server->now_ms >= progress_deadline_ms(server))
		return smtp_server_traits(server)->body ? WHEN_DATA_TIME
							: WHEN_COMMAND_TIME;
	if (server->now_ms >= message_deadline_ms(server))
		return WHEN_MESSAGE_TIME;
	if (server->now_ms >= window_deadline_ms(server))
		return WHEN_TOO_SLOW;
	return WHEN_SESSION_TIME;
}

void
smtp_server_tick(struct smtp_server *server, uint64_t now_ms)
{
	enum smtp_server_when when;

	set_now(server, now_ms);
	if (now_ms < smtp_server_deadline_ms(server) || server->state == SERVER_CLOSED ||
	    smtp_server_traits(server)->owes)
		return;
	server->line = SPAN("");
	when = passed(server);
	if (when == WHEN_TOO_SLOW && server->window_bytes >= server->options.transfer_bytes_min) {
		server->window_ms = now_ms;
		server->window_bytes = 0;
		return;
	}
	smtp_server_take(server, CUE_TIME, when, server->options.hostname);
}

void
smtp_server_touch(struct smtp_server *server, uint64_t now_ms)
{
	set_now(server, now_ms);
	server->progress_ms = server->window_ms = now_ms;
	server->window_bytes = 0;
}

void
smtp_server_limit(struct smtp_server *server, const struct smtp_server_limits *limits)
{
	server->options.command_timeout_ms = limits->command_timeout_ms;
	server->options.data_timeout_ms = limits->data_timeout_ms;
	server->options.errors_max = limits->errors_max;
	server->options.idle_commands_max = limits->idle_commands_max;
	lift_zero_limits(&server->options);
}

/* Output, and observers. */

struct span
smtp_server_output(const struct smtp_server *server)
{
	return buf_span(&server->output);
}

void
smtp_server_output_done(struct smtp_server *server, size_t sent)
{
	buf_consume(&server->output, sent);
	if (server->output.len == 0)
		buf_fini(&server->output);
}

struct span
smtp_server_helo(const struct smtp_server *server)
{
	return span_str(server->helo);
}

struct span
smtp_server_login(const struct smtp_server *server)
{
	return span_str(server->login);
}

const char *
smtp_server_protocol(const struct smtp_server *server)
{
	static const char *const names[2][2][2][2] = {
	    {{{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
		{{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}}},
	    {{{"LMTP", "LMTPA"}, {"LMTPS", "LMTPSA"}},
		{{"UTF8LMTP", "UTF8LMTPA"}, {"UTF8LMTPS", "UTF8LMTPSA"}}},
	};

	if (!server->esmtp)
		return "SMTP";
	return names[server->options.lmtp][server->smtputf8][server->tls][server->login != NULL];
}

uint64_t
smtp_server_errors(const struct smtp_server *server)
{
	return server->errors + server->auth_failures;
}

size_t
smtp_server_bytes(const struct smtp_server *server)
{
	return server->input.room + server->output.room;
}

bool
smtp_server_is_tls(const struct smtp_server *server)
{
	return server->tls;
}

bool
smtp_server_owes_reply(const struct smtp_server *server)
{
	return smtp_server_traits(server)->owes;
}

bool
smtp_server_wants_input(const struct smtp_server *server)
{
	if (!smtp_server_traits(server)->lines && !smtp_server_traits(server)->body)
		return false;
	return server->output.len <= OUTPUT_UNSENT_MAX &&
	       smtp_server_input_unread(&server->input).len < SMTP_SERVER_INPUT_BYTES;
}
