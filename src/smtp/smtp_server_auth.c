/*
 * AUTH PLAIN and LOGIN (RFC 4954, RFC 4616).
 *
 * What a client answers is decoded into memory of its own, of a size known
 * before, so that no copy stays behind when a buffer grows; it is wiped as soon
 * as the exchange ends.  The log sees the mechanism and nothing else.
 */
#include "smtp/smtp_server_internal.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"

#define USERNAME_PROMPT "VXNlcm5hbWU6"
#define PASSWORD_PROMPT "UGFzc3dvcmQ6"

void
smtp_server_auth_end(struct smtp_server *server)
{
	struct smtp_server_auth *auth = server->auth;

	if (!auth)
		return;
	for (size_t i = 0; i < LEN(auth->text); i++) {
		if (auth->text[i])
			mem_wipe(auth->text[i], auth->room[i]);
		mem_free(auth->text[i]);
	}
	mem_wipe(auth, sizeof(*auth));
	mem_free(auth);
	server->auth = NULL;
}

struct span
smtp_server_auth_public(struct span line)
{
	struct span rest = line;

	if (!span_starts_nocase(line, SPAN("AUTH")))
		return line;
	rest = span_skip(rest, span_find(rest, ' '));
	while (rest.len > 0 && rest.ptr[0] == ' ')
		rest = span_skip(rest, 1);
	rest = span_skip(rest, span_find(rest, ' '));
	return span_first(line, line.len - rest.len);
}

static bool
has_nul(struct span text)
{
	return span_find(text, '\0') < text.len;
}

/* Ends the exchange with a refusal. */
static void
fail(struct smtp_server *server, enum reply_id id, struct span arg)
{
	smtp_server_refuse(server, id, arg);
	smtp_server_move(server, SERVER_READY);
}

/* False where the text is not base64; "=" is the empty response of RFC 4954 section 4. */
static bool
decode(struct smtp_server_auth *auth, size_t slot, struct span text, struct span *plain)
{
	struct buf buf;
	enum err err;

	check(slot < LEN(auth->text) && !auth->text[slot]);
	buf_init(&buf, text.len + 1);
	buf.room = text.len + 1;
	buf.ptr = auth->text[slot] = mem_alloc(buf.room);
	auth->room[slot] = buf.room;
	err = base64_decode(&buf, text);
	check(buf.ptr == auth->text[slot]);
	*plain = span_of(buf.ptr, buf.len);
	return err == OK;
}

/* The credentials are complete: the caller is asked. */
static void
ask(struct smtp_server *server, struct smtp_server_event *event)
{
	struct smtp_server_auth *auth = server->auth;

	if (auth->login.len == 0 || auth->password.len == 0) {
		fail(server, REPLY_AUTH_INVALID, SPAN(""));
		return;
	}
	event->kind = SMTP_SERVER_AUTH;
	event->login = auth->login;
	event->password = auth->password;
	smtp_server_move(server, SERVER_AUTH_ASKED);
}

static void
take_plain(struct smtp_server *server, struct span plain, struct smtp_server_event *event)
{
	struct smtp_server_auth *auth = server->auth;
	size_t first = span_find(plain, '\0');
	struct span identity = span_first(plain, first),
		    rest = span_skip(plain, first + 1);
	size_t second = span_find(rest, '\0');

	auth->login = span_first(rest, second);
	auth->password = span_skip(rest, second + 1);
	if (first == plain.len || second == rest.len || has_nul(auth->password)) {
		fail(server, REPLY_SYNTAX,
		    SPAN("base64 of identity NUL user NUL password"));
		return;
	}
	/* Nobody may act for another user here. */
	if (identity.len > 0 && !span_eq(identity, auth->login)) {
		fail(server, REPLY_AUTH_INVALID, SPAN(""));
		return;
	}
	ask(server, event);
}

static void
take_login(struct smtp_server *server, struct span plain, struct smtp_server_event *event)
{
	struct smtp_server_auth *auth = server->auth;

	if (has_nul(plain)) {
		fail(server, REPLY_SYNTAX, SPAN("base64 of a text without NUL"));
	} else if (!auth->text[1]) {
		auth->login = plain;
		smtp_server_say(server, REPLY_AUTH_CHALLENGE, SPAN(PASSWORD_PROMPT));
		smtp_server_move(server, SERVER_AUTH_LINE);
	} else {
		auth->password = plain;
		ask(server, event);
	}
}

/* One answer of the client, in base64. */
static void
take_answer(struct smtp_server *server, struct span text, struct smtp_server_event *event)
{
	struct smtp_server_auth *auth = server->auth;
	struct span plain;

	if (!decode(auth, auth->text[0] ? 1 : 0, text, &plain))
		fail(server, REPLY_BAD_BASE64, SPAN(""));
	else if (auth->plain)
		take_plain(server, plain, event);
	else
		take_login(server, plain, event);
}

void
smtp_server_auth_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event)
{
	if (span_eq(line, SPAN("*")))
		fail(server, REPLY_AUTH_CANCELLED, SPAN(""));
	else
		take_answer(server, line, event);
}

/* False where AUTH is refused whatever its mechanism. */
static bool
may_begin(struct smtp_server *server)
{
	if (server->login) {
		smtp_server_refuse(
		    server, REPLY_BAD_SEQUENCE, SPAN("authenticated already"));
		return false;
	}
	if (!server->options.auth_offered) {
		smtp_server_refuse(server, REPLY_NOT_IMPLEMENTED, SPAN(""));
		return false;
	}
	if (!server->tls) {
		smtp_server_refuse(server, REPLY_AUTH_NEEDS_TLS, SPAN(""));
		return false;
	}
	return true;
}

void
smtp_server_auth_begin(
    struct smtp_server *server, struct span args, struct smtp_server_event *event)
{
	struct span mechanism = span_first(args, span_find(args, ' '));
	struct span initial = span_trim(span_skip(args, mechanism.len));
	bool plain = span_eq_nocase(mechanism, SPAN("PLAIN"));

	if (!may_begin(server))
		return;
	if (!plain && !span_eq_nocase(mechanism, SPAN("LOGIN"))) {
		smtp_server_refuse(server, REPLY_MECHANISM_UNKNOWN, SPAN(""));
		return;
	}
	server->auth = mem_alloc(sizeof(*server->auth));
	server->auth->plain = plain;
	smtp_server_move(server, SERVER_AUTH_LINE);
	if (span_eq(initial, SPAN("=")))
		take_answer(server, SPAN(""), event);
	else if (initial.len > 0)
		take_answer(server, initial, event);
	else
		smtp_server_say(server, REPLY_AUTH_CHALLENGE,
		    plain ? SPAN("") : SPAN(USERNAME_PROMPT));
}
