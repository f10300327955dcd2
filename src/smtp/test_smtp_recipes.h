/* How a session is brought into each state, and how each row of the table is done to it there. */
#pragma once

#include "smtp/smtp_server_table.h"
#include "smtp/test_smtp_server.h"

#define LATER_MS 100000000u

/* How a session is brought into each state; "HELLO" stands for EHLO or LHLO. */
static const struct {
	const char *bytes;
	bool tls;
} prefixes[SERVER_STATE_COUNT] = {
    [SERVER_CONNECTED] = {"", true},
    [SERVER_GREETED] = {"", false},
    [SERVER_READY] = {"HELLO a\r\n", false},
    [SERVER_ASKED] = {"HELLO a\r\nVRFY x\r\n", false},
    [SERVER_AUTH_LINE] = {"HELLO a\r\nAUTH LOGIN\r\n", true},
    [SERVER_AUTH_ASKED] = {"HELLO a\r\nAUTH PLAIN AGEAYg==\r\n", true},
    [SERVER_MAIL_ASKED] = {"HELLO a\r\nMAIL FROM:<x@a>\r\n", false},
    [SERVER_MAIL] = {"HELLO a\r\nMAIL FROM:<x@a>\r\n", false},
    [SERVER_RCPT_ASKED] = {"HELLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n", false},
    [SERVER_RCPT] = {"HELLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n", false},
#define RCPT "HELLO a\r\nMAIL FROM:<x@a>\r\nRCPT TO:<y@b>\r\n"
    [SERVER_BODY] = {RCPT "DATA\r\nab", false},
    [SERVER_BODY_BAD] = {RCPT "DATA\r\na\nb", false},
    [SERVER_CHUNK] = {RCPT "BDAT 5\r\nab", false},
    [SERVER_CHUNK_BAD] = {RCPT "BDAT 8\r\na\nb", false},
    [SERVER_CHUNKS] = {RCPT "BDAT 2\r\nab", false},
    [SERVER_VERDICT] = {RCPT "DATA\r\n.\r\n", false},
    [SERVER_HANDSHAKE] = {"HELLO a\r\nSTARTTLS\r\n", false},
    [SERVER_CLOSED] = {"QUIT\r\n", false},
};

static struct smtp_server_options
options_of(bool tls)
{
	struct smtp_server_options options = drive_options();

	options.tls_offered = true;
	options.tls_from_start = tls;
	options.auth_mechanisms = SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN);
	options.extensions = UINT32_MAX;
	options.hold_max_s = 10;
	options.by_min_s = 10;
	options.solicit_refused = SPAN("a");
	options.vrfy = options.expn = SMTP_SERVER_FOR_ALL;
	options.xclient = true;
	return options;
}

/* Takes events; answers each but in the state until, where it stops. */
static void
take_events(struct smtp_server *server, enum smtp_server_state until)
{
	struct smtp_server_event event;

	do {
		event = smtp_server_next(server);
		if (!smtp_server_owes_reply(server))
			continue;
		if (until == SERVER_STATE_COUNT || server->state == until)
			return;
		if (server->state == SERVER_AUTH_ASKED)
			smtp_server_auth_challenge(server, SPAN(""));
		else
			smtp_server_reply(server, &(struct reply){.id = REPLY_OK});
	} while (event.kind != SMTP_SERVER_WAIT && event.kind != SMTP_SERVER_CLOSE);
}

static void
feed(struct smtp_server *server, const char *bytes, enum smtp_server_state until)
{
	if (span_starts(span_str(bytes), SPAN("HELLO"))) {
		struct span hello = server->options.lmtp ? SPAN("LHLO") : SPAN("EHLO");

		assert_int_equal(smtp_server_input(server, hello, 0), 4);
		bytes += 5;
	}
	if (*bytes)
		assert_int_equal(
		    smtp_server_input(server, span_str(bytes), 0), strlen(bytes));
	take_events(server, until);
}

static struct smtp_server *
reach(enum smtp_server_state state, bool lmtp)
{
	struct smtp_server_options options = options_of(prefixes[state].tls);
	struct smtp_server *server;

	options.lmtp = lmtp;
	server = smtp_server_create(&options, 0);
	if (state != SERVER_CONNECTED && options.tls_from_start)
		smtp_server_tls_started(server, 0);
	feed(server, prefixes[state].bytes, state);
	assert_int_equal(server->state, state);
	smtp_server_output_done(server, smtp_server_output(server).len);
	return server;
}

/* What is done, besides sending bytes. */
static void
tls_starts(struct smtp_server *server)
{
	smtp_server_tls_started(server, 0);
}

static void
client_goes(struct smtp_server *server)
{
	smtp_server_eof(server);
}

static void
time_passes(struct smtp_server *server)
{
	server->options.session_timeout_ms = UINT64_MAX;
	smtp_server_touch(server, 0);
	smtp_server_tick(server, LATER_MS);
}

static void
session_lasts(struct smtp_server *server)
{
	server->options.command_timeout_ms = server->options.data_timeout_ms = UINT64_MAX;
	smtp_server_touch(server, 0);
	smtp_server_tick(server, LATER_MS);
}

static void
message_lasts(struct smtp_server *server)
{
	server->options.command_timeout_ms = server->options.data_timeout_ms = UINT64_MAX;
	server->options.session_timeout_ms = UINT64_MAX;
	server->options.message_timeout_ms = 1;
	smtp_server_touch(server, 0);
	smtp_server_tick(server, LATER_MS);
}

static void
message_crawls(struct smtp_server *server)
{
	server->options.data_timeout_ms = server->options.session_timeout_ms = UINT64_MAX;
	server->options.message_timeout_ms = UINT64_MAX;
	server->options.transfer_bytes_min = server->options.transfer_window_ms = 1;
	smtp_server_touch(server, 0);
	smtp_server_tick(server, LATER_MS);
}

static void
caller_says_yes(struct smtp_server *server)
{
	smtp_server_reply(server, &(struct reply){.id = REPLY_OK});
}

static void
caller_says_no(struct smtp_server *server)
{
	smtp_server_reply(server, &(struct reply){.id = REPLY_USER_UNKNOWN});
}

static void
caller_says_later(struct smtp_server *server)
{
	smtp_server_reply(server, &(struct reply){.id = REPLY_LOOKUP_FAILED});
}

static void
caller_closes(struct smtp_server *server)
{
	smtp_server_reply(server, &(struct reply){.id = REPLY_SHUTTING_DOWN});
}

static void
caller_challenges(struct smtp_server *server)
{
	smtp_server_auth_challenge(server, SPAN("more"));
}

static void
caller_knows(struct smtp_server *server)
{
	smtp_server_auth_ok(server, SPAN("me"));
}

static void
one_more_reply(struct smtp_server *server)
{
	server->verdicts_left = 2;
	caller_says_no(server);
}

static void
refused_with_another(struct smtp_server *server)
{
	server->rcpt_count = 1;
	caller_says_no(server);
}

/* What is so before the bytes come. */
static void
no_messages(struct smtp_server *server)
{
	server->messages = 1;
	server->options.messages_max = 1;
}

static void
is_submission(struct smtp_server *server)
{
	server->options.submission = true;
}

static void
is_submission_without_tls(struct smtp_server *server)
{
	is_submission(server);
	server->options.tls_offered = false;
}

static void
no_more_rcpts(struct smtp_server *server)
{
	server->options.rcpt_max = server->rcpt_count;
}

static void
rcpt_refused(struct smtp_server *server)
{
	server->rcpt_tried = true;
}

static void
is_binary(struct smtp_server *server)
{
	server->binary = true;
}

static void
is_last(struct smtp_server *server)
{
	server->chunk_last = true;
}

static void
came_early(struct smtp_server *server)
{
	server->chunk_refusal = REPLY_BAD_SEQUENCE;
	server->chunk_from = SERVER_READY;
}

static void
came_without_rcpt(struct smtp_server *server)
{
	server->chunk_refusal = REPLY_NO_RECIPIENTS;
}

static void
has_nul(struct smtp_server *server)
{
	server->body.flaws = BIT(FLAW_NUL);
}

static void
has_loop(struct smtp_server *server)
{
	server->body.flaws = BIT(FLAW_LOOP);
}

static void
has_big_header(struct smtp_server *server)
{
	server->body.flaws = BIT(FLAW_HEADER_TOO_BIG);
}

static void
has_long_line(struct smtp_server *server)
{
	server->body.flaws = BIT(FLAW_LINE_TOO_LONG);
}

static void
is_too_big(struct smtp_server *server)
{
	server->body.flaws = BIT(FLAW_TOO_BIG);
}

static void
is_stranger(struct smtp_server *server)
{
	server->options.vrfy = server->options.expn = SMTP_SERVER_FOR_NOBODY;
	server->options.xclient = false;
}

static void
offers_nothing(struct smtp_server *server)
{
	server->options.extensions = 0;
	server->options.auth_mechanisms = 0;
	server->options.tls_offered = false;
}

static void
has_tls(struct smtp_server *server)
{
	server->tls = true;
}

static void
has_login(struct smtp_server *server)
{
	server->login = mem_copy(SPAN("me"));
}

static void
short_lines(struct smtp_server *server)
{
	server->options.command_bytes_max = 16;
}

static void
no_mail(struct smtp_server *server)
{
	server->options.no_mail = true;
}

static void
many_errors(struct smtp_server *server)
{
	server->options.errors_max = 0;
	server->errors = 1;
}

static void
many_idle_commands(struct smtp_server *server)
{
	server->options.idle_commands_max = 0;
	server->idle_commands = 1;
}

static void
many_failures(struct smtp_server *server)
{
	server->options.auth_failures_max = 0;
	server->auth_failures = 1;
}

static void
many_commands(struct smtp_server *server)
{
	server->options.commands_max = server->commands;
}

static void
is_stopping(struct smtp_server *server)
{
	smtp_server_shut_down(server);
}

/* How each row is brought about: set is done, then the bytes come, then act is done. */
struct recipe {
	enum smtp_server_cue cue;
	enum smtp_server_when when;
	unsigned states; /* 0: all */
	const char *bytes;
	void (*set)(struct smtp_server *server);
	void (*act)(struct smtp_server *server);
	bool lmtp;
};

#define BODIES BIT(SERVER_BODY_BAD)
#define CHUNKS BIT(SERVER_CHUNK_BAD)
#define END_OF_DATA "\r\n.\r\n"
#define REST "cdefg"

static const struct recipe recipes[] = {
    {CUE_HELO, WHEN_NOT_HERE, 0, "HELO a\r\n", NULL, NULL, true},
    {CUE_HELO, WHEN_SYNTAX, 0, "HELO\r\n", NULL, NULL, false},
    {CUE_HELO, WHEN_FINE, 0, "HELO a\r\n", NULL, NULL, false},
    {CUE_EHLO, WHEN_NOT_HERE, 0, "EHLO a\r\n", NULL, NULL, true},
    {CUE_EHLO, WHEN_SYNTAX, 0, "EHLO (a)\r\n", NULL, NULL, false},
    {CUE_EHLO, WHEN_FINE, 0, "EHLO a\r\n", NULL, NULL, false},
    {CUE_LHLO, WHEN_NOT_HERE, 0, "LHLO a\r\n", NULL, NULL, false},
    {CUE_LHLO, WHEN_SYNTAX, 0, "LHLO\r\n", NULL, NULL, true},
    {CUE_LHLO, WHEN_FINE, 0, "LHLO a\r\n", NULL, NULL, true},
#define MAIL "MAIL FROM:<x@a>"
    {CUE_MAIL, WHEN_ORDER, 0, MAIL "\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_MESSAGES, 0, MAIL "\r\n", no_messages, NULL, false},
    {CUE_MAIL, WHEN_NEEDS_TLS, 0, MAIL "\r\n", is_submission, NULL, false},
    {CUE_MAIL, WHEN_NEEDS_AUTH, 0, MAIL "\r\n", is_submission_without_tls, NULL, false},
    {CUE_MAIL, WHEN_SYNTAX, 0, "MAIL\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_BAD_ADDRESS, 0, "MAIL FROM:x@a\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_PARAMETER, 0, MAIL " FOO=1\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_HOLD, 0, MAIL " HOLDFOR=11\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_BY, 0, MAIL " BY=9;R\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_REQUIRETLS, 0, MAIL " REQUIRETLS\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_SOLICITATION, 0, MAIL " SOLICIT=a\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_TOO_BIG, 0, MAIL " SIZE=100001\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_UTF8, 0, "MAIL FROM:<\xc3\xbc@a>\r\n", NULL, NULL, false},
    {CUE_MAIL, WHEN_FINE, 0, MAIL "\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_ORDER, 0, "RCPT TO:<y@b>\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_SYNTAX, 0, "RCPT\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_BAD_ADDRESS, 0, "RCPT TO:<>\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_PARAMETER, 0, "RCPT TO:<y@b> FOO=1\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_UTF8, 0, "RCPT TO:<\xc3\xbc@a>\r\n", NULL, NULL, false},
    {CUE_RCPT, WHEN_RCPTS, 0, "RCPT TO:<y@b>\r\n", no_more_rcpts, NULL, false},
    {CUE_RCPT, WHEN_FINE, 0, "RCPT TO:<y@b>\r\n", NULL, NULL, false},
    {CUE_DATA, WHEN_ORDER, 0, "DATA\r\n", NULL, NULL, false},
    {CUE_DATA, WHEN_SYNTAX, 0, "DATA x\r\n", NULL, NULL, false},
    {CUE_DATA, WHEN_NO_RCPT, 0, "DATA\r\n", rcpt_refused, NULL, false},
    {CUE_DATA, WHEN_BINARY, 0, "DATA\r\n", is_binary, NULL, false},
    {CUE_DATA, WHEN_FINE, 0, "DATA\r\n", NULL, NULL, false},
    {CUE_BDAT, WHEN_SYNTAX, 0, "BDAT x\r\n", NULL, NULL, false},
    {CUE_BDAT, WHEN_MISPLACED, 0, "BDAT 5\r\n", NULL, NULL, false},
    {CUE_BDAT, WHEN_FINE, 0, "BDAT 5\r\n", NULL, NULL, false},
    {CUE_OCTETS, WHEN_FLAW, 0, "\nx", NULL, NULL, false},
    {CUE_OCTETS, WHEN_MORE, 0, "cde", NULL, NULL, false},
    {CUE_OCTETS, WHEN_FINE, BIT(SERVER_BODY), END_OF_DATA, NULL, NULL, false},
    {CUE_OCTETS, WHEN_FINE, BIT(SERVER_CHUNK), "c\r\n", is_last, NULL, false},
    {CUE_OCTETS, WHEN_ORDER, 0, REST, came_early, NULL, false},
    {CUE_OCTETS, WHEN_NO_RCPT, 0, REST, came_without_rcpt, NULL, false},
    {CUE_OCTETS, WHEN_BARE, BODIES, END_OF_DATA, NULL, NULL, false},
    {CUE_OCTETS, WHEN_BARE, CHUNKS, REST, NULL, NULL, false},
    {CUE_OCTETS, WHEN_NUL, BODIES, END_OF_DATA, has_nul, NULL, false},
    {CUE_OCTETS, WHEN_NUL, CHUNKS, REST, has_nul, NULL, false},
    {CUE_OCTETS, WHEN_LOOP, BODIES, END_OF_DATA, has_loop, NULL, false},
    {CUE_OCTETS, WHEN_LOOP, CHUNKS, REST, has_loop, NULL, false},
    {CUE_OCTETS, WHEN_HEADER, BODIES, END_OF_DATA, has_big_header, NULL, false},
    {CUE_OCTETS, WHEN_HEADER, CHUNKS, REST, has_big_header, NULL, false},
    {CUE_OCTETS, WHEN_TEXT_LINE, BODIES, END_OF_DATA, has_long_line, NULL, false},
    {CUE_OCTETS, WHEN_TEXT_LINE, CHUNKS, REST, has_long_line, NULL, false},
    {CUE_OCTETS, WHEN_TOO_BIG, BODIES, END_OF_DATA, is_too_big, NULL, false},
    {CUE_OCTETS, WHEN_TOO_BIG, CHUNKS, REST, is_too_big, NULL, false},
    {CUE_RSET, WHEN_SYNTAX, 0, "RSET x\r\n", NULL, NULL, false},
    {CUE_RSET, WHEN_FINE, 0, "RSET\r\n", NULL, NULL, false},
    {CUE_NOOP, WHEN_FINE, 0, "NOOP x\r\n", NULL, NULL, false},
    {CUE_QUIT, WHEN_SYNTAX, 0, "QUIT x\r\n", NULL, NULL, false},
    {CUE_QUIT, WHEN_FINE, 0, "QUIT\r\n", NULL, NULL, false},
    {CUE_HELP, WHEN_UNKNOWN, 0, "HELP x\r\n", NULL, NULL, false},
    {CUE_HELP, WHEN_FINE, 0, "HELP\r\n", NULL, NULL, false},
    {CUE_VRFY, WHEN_SYNTAX, 0, "VRFY\r\n", NULL, NULL, false},
    {CUE_VRFY, WHEN_ASK, 0, "VRFY x\r\n", NULL, NULL, false},
    {CUE_VRFY, WHEN_FINE, 0, "VRFY x\r\n", is_stranger, NULL, false},
    {CUE_EXPN, WHEN_SYNTAX, 0, "EXPN\r\n", NULL, NULL, false},
    {CUE_EXPN, WHEN_ASK, 0, "EXPN x\r\n", NULL, NULL, false},
    {CUE_EXPN, WHEN_FINE, 0, "EXPN x\r\n", is_stranger, NULL, false},
    {CUE_ETRN, WHEN_ORDER, 0, "ETRN b\r\n", NULL, NULL, false},
    {CUE_ETRN, WHEN_NOT_HERE, 0, "ETRN b\r\n", offers_nothing, NULL, false},
    {CUE_ETRN, WHEN_SYNTAX, 0, "ETRN #b\r\n", NULL, NULL, false},
    {CUE_ETRN, WHEN_FINE, 0, "ETRN @b\r\n", NULL, NULL, false},
    {CUE_STARTTLS, WHEN_ORDER, 0, "STARTTLS\r\n", NULL, NULL, false},
    {CUE_STARTTLS, WHEN_SYNTAX, 0, "STARTTLS x\r\n", NULL, NULL, false},
    {CUE_STARTTLS, WHEN_TLS_ACTIVE, 0, "STARTTLS\r\n", has_tls, NULL, false},
    {CUE_STARTTLS, WHEN_NOT_HERE, 0, "STARTTLS\r\n", offers_nothing, NULL, false},
    {CUE_STARTTLS, WHEN_FINE, 0, "STARTTLS\r\n", NULL, NULL, false},
    {CUE_AUTH, WHEN_ORDER, 0, "AUTH PLAIN\r\n", NULL, NULL, false},
    {CUE_AUTH, WHEN_SYNTAX, 0, "AUTH\r\n", NULL, NULL, false},
    {CUE_AUTH, WHEN_AUTHENTICATED, 0, "AUTH PLAIN\r\n", has_login, NULL, false},
    {CUE_AUTH, WHEN_NOT_HERE, 0, "AUTH PLAIN\r\n", offers_nothing, NULL, false},
    {CUE_AUTH, WHEN_NEEDS_TLS, 0, "AUTH PLAIN\r\n", NULL, NULL, false},
    {CUE_AUTH, WHEN_MECHANISM, 0, "AUTH NONE\r\n", has_tls, NULL, false},
    {CUE_AUTH, WHEN_BASE64, 0, "AUTH PLAIN !\r\n", has_tls, NULL, false},
    {CUE_AUTH, WHEN_FINE, 0, "AUTH PLAIN\r\n", has_tls, NULL, false},
    {CUE_AUTH_LINE, WHEN_CANCELLED, 0, "*\r\n", NULL, NULL, false},
    {CUE_AUTH_LINE, WHEN_BASE64, 0, "!\r\n", NULL, NULL, false},
    {CUE_AUTH_LINE, WHEN_FINE, 0, "YQ==\r\n", NULL, NULL, false},
    {CUE_XCLIENT, WHEN_ORDER, 0, "XCLIENT ADDR=192.0.2.1\r\n", NULL, NULL, false},
    {CUE_XCLIENT, WHEN_STRANGER, 0, "XCLIENT ADDR=192.0.2.1\r\n", is_stranger, NULL, false},
    {CUE_XCLIENT, WHEN_SYNTAX, 0, "XCLIENT FOO=1\r\n", NULL, NULL, false},
    {CUE_XCLIENT, WHEN_FINE, 0, "XCLIENT ADDR=192.0.2.1 LOGIN=me\r\n", NULL, NULL, false},
    {CUE_LINE, WHEN_UNKNOWN, 0, "FOO\r\n", NULL, NULL, false},
    {CUE_LINE, WHEN_TOO_LONG, 0, "NOOP abcdefghijklmnopq\r\n", short_lines, NULL, false},
    {CUE_LINE, WHEN_BARE, 0, "NOOP\n", NULL, NULL, false},
    {CUE_ANSWER, WHEN_CLOSE, 0, "", NULL, caller_closes, false},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_AUTH_ASKED), "", NULL, caller_knows, false},
    {CUE_ANSWER, WHEN_FINE, 0, "", NULL, caller_says_yes, false},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_ASKED) | BIT(SERVER_VERDICT), "", NULL,
	caller_says_later, false},
    {CUE_ANSWER, WHEN_NO, 0, "", NULL, caller_says_no, false},
    {CUE_ANSWER, WHEN_EARLIER, 0, "", NULL, refused_with_another, false},
    {CUE_ANSWER, WHEN_MORE, 0, "", NULL, one_more_reply, false},
    {CUE_ANSWER, WHEN_CHALLENGE, 0, "", NULL, caller_challenges, false},
    {CUE_TLS, WHEN_NO_MAIL, 0, "", no_mail, tls_starts, false},
    {CUE_TLS, WHEN_FINE, 0, "", NULL, tls_starts, false},
    {CUE_LIMIT, WHEN_ERRORS, 0, "", many_errors, NULL, false},
    {CUE_LIMIT, WHEN_AUTH_FAILURES, 0, "", many_failures, NULL, false},
    {CUE_LIMIT, WHEN_NO_PROGRESS, 0, "", many_idle_commands, NULL, false},
    {CUE_LIMIT, WHEN_COMMANDS, 0, "NOOP\r\n", many_commands, NULL, false},
    {CUE_LIMIT, WHEN_SHUT_DOWN, 0, "", is_stopping, NULL, false},
    {CUE_TIME, WHEN_SESSION_TIME, 0, "", NULL, session_lasts, false},
    {CUE_TIME, WHEN_DATA_TIME, 0, "", NULL, time_passes, false},
    {CUE_TIME, WHEN_MESSAGE_TIME, 0, "", NULL, message_lasts, false},
    {CUE_TIME, WHEN_TOO_SLOW, 0, "", NULL, message_crawls, false},
    {CUE_TIME, WHEN_COMMAND_TIME, 0, "", NULL, time_passes, false},
    {CUE_LEFT, WHEN_FINE, 0, "", NULL, client_goes, false},
};
