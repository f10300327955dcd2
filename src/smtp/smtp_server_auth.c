/*
 * The framing of AUTH (RFC 4954): base64, challenges, the end of an exchange.
 *
 * The mechanisms are in sasl/, and run where the secrets are; here it is only known which are
 * offered.  What a client answers is decoded into memory of its own, of a size known before, so
 * that no copy stays behind when a buffer grows; it is wiped as soon as it was answered.  The log
 * sees the mechanism and nothing else.
 */
#include "smtp/smtp_server_internal.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"

static void
wipe_response(struct smtp_server_auth *auth)
{
	if (auth->text)
		mem_wipe(auth->text, auth->room);
	mem_free(auth->text);
	auth->text = NULL;
	auth->room = 0;
}

void
smtp_server_auth_end(struct smtp_server *server)
{
	if (!server->auth)
		return;
	wipe_response(server->auth);
	mem_free(server->auth);
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

/* False where the text is not base64; "=" is the empty response of RFC 4954 section 4. */
static bool
decode(struct smtp_server_auth *auth, struct span text, struct span *plain)
{
	struct buf buf;
	enum err err;

	check(!auth->text);
	buf_init(&buf, text.len + 1);
	buf.room = text.len + 1;
	buf.ptr = auth->text = mem_alloc(buf.room);
	auth->room = buf.room;
	err = base64_decode(&buf, text);
	check(buf.ptr == auth->text);
	*plain = span_of(buf.ptr, buf.len);
	return err == OK;
}

/* One answer of the client: where it is FINE, the caller is asked what becomes of the exchange. */
static enum smtp_server_when
judge(struct smtp_server *server, bool has_response, struct span text,
    struct smtp_server_event *event)
{
	struct smtp_server_auth *auth = server->auth;
	struct span response = SPAN("");

	if (has_response && !decode(auth, text, &response))
		return WHEN_BASE64;
	event->kind = SMTP_SERVER_AUTH;
	event->auth = (struct smtp_server_step){
	    .begins = !auth->begun,
	    .mechanism = auth->mechanism,
	    .has_response = has_response,
	    .response = response,
	};
	auth->begun = true;
	return WHEN_FINE;
}

void
smtp_server_auth_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event)
{
	enum smtp_server_when when = WHEN_CANCELLED;

	if (!span_eq(line, SPAN("*")))
		when = judge(server, true, line, event);
	smtp_server_take(server, CUE_AUTH_LINE, when, SPAN(""));
}

enum smtp_server_when
smtp_server_auth_begin(
    struct smtp_server *server, struct span args, struct smtp_server_event *event)
{
	struct span name = span_first(args, span_find(args, ' '));
	struct span initial = span_trim(span_skip(args, name.len));
	enum sasl_mechanism mechanism = sasl_mechanism_find(name);

	enum smtp_server_when when;

	if (server->login)
		return WHEN_AUTHENTICATED;
	if (!server->options.auth_mechanisms)
		return WHEN_NOT_HERE;
	if (!server->tls)
		return WHEN_NEEDS_TLS;
	if (mechanism == SASL_MECHANISM_COUNT ||
	    !(server->options.auth_mechanisms & SASL_BIT(mechanism)))
		return WHEN_MECHANISM;
	server->auth = mem_alloc(sizeof(*server->auth));
	server->auth->mechanism = mechanism;
	if (span_eq(initial, SPAN("=")))
		when = judge(server, true, SPAN(""), event);
	else
		when = judge(server, initial.len > 0, initial, event);
	if (when != WHEN_FINE)
		smtp_server_auth_end(server);
	return when;
}

void
smtp_server_auth_challenge(struct smtp_server *server, struct span challenge)
{
	struct buf text;

	/* The client may have gone while the answer was made. */
	if (server->state == SERVER_CLOSED)
		return;
	check(server->state == SERVER_AUTH_ASKED);
	buf_init(&text, SERVER_AUTH_LINE_BYTES_MAX);
	base64_encode(&text, challenge);
	check(buf_finish(&text) == OK);
	wipe_response(server->auth);
	server->progress_unknown = true;
	smtp_server_take(server, CUE_ANSWER, WHEN_CHALLENGE, buf_span(&text));
	buf_fini(&text);
}

void
smtp_server_auth_ok(struct smtp_server *server, struct span login)
{
	if (server->state == SERVER_CLOSED)
		return;
	check(server->state == SERVER_AUTH_ASKED);
	check(login.len > 0 && server->login == NULL);
	server->login = mem_copy(login);
	server->progress_unknown = true;
	smtp_server_take(server, CUE_ANSWER, WHEN_FINE, SPAN(""));
}

void
smtp_server_offer_auth(struct smtp_server *server, unsigned mechanisms)
{
	server->options.auth_mechanisms = mechanisms;
}
