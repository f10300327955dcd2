/*
 * From the greeting to READY: EHLO, STARTTLS (RFC 3207), AUTH (RFC 4954).
 *
 * What a server offered before the handshake is forgotten after it: it may have
 * been somebody else who said it.
 */
#include "smtp/smtp_client_internal.h"

#include "base/base64.h"

/* A command line of RFC 5321 has 512 octets; a longer response goes on a line of its own. */
enum { AUTH_INITIAL_BYTES_MAX = 490, AUTH_TEXT_BYTES_MAX = 8 << 10 };

static void
forget_offers(struct smtp_client *client)
{
	client->offers = 0;
	client->size_max = client->by_s_min = 0;
}

static void
say_ehlo(struct smtp_client *client)
{
	forget_offers(client);
	smtp_client_command(client, "%s %s", client->lmtp ? "LHLO" : "EHLO", client->helo);
	smtp_client_move(client, STATE_EHLO);
}

enum smtp_client_event_kind
smtp_client_greeted(struct smtp_client *client)
{
	if (client->reply.code != 220)
		return smtp_client_out_of_step(client);
	say_ehlo(client);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_ehlo_never(struct smtp_client *client)
{
	/* LMTP has nothing simpler to fall back to. */
	if (client->lmtp)
		return smtp_client_denied(client);
	forget_offers(client);
	smtp_client_command(client, "HELO %s", client->helo);
	smtp_client_move(client, STATE_HELO);
	return SMTP_CLIENT_WAIT;
}

static void
note_mechanisms(struct smtp_client *client, struct span words)
{
	struct span word;

	while (span_cut(&words, ' ', &word)) {
		if (span_eq_nocase(word, SPAN("PLAIN")))
			client->offers |= OFFER_PLAIN;
		if (span_eq_nocase(word, SPAN("LOGIN")))
			client->offers |= OFFER_LOGIN;
	}
}

void
smtp_client_note_offer(struct smtp_client *client, struct span line)
{
	static const struct {
		struct span keyword;
		unsigned offer;
	} offers[] = {
	    {{"STARTTLS", 8}, OFFER_STARTTLS},
	    {{"PIPELINING", 10}, OFFER_PIPELINING},
	    {{"8BITMIME", 8}, OFFER_8BITMIME},
	    {{"SMTPUTF8", 8}, OFFER_SMTPUTF8},
	    {{"SIZE", 4}, OFFER_SIZE},
	    {{"DSN", 3}, OFFER_DSN},
	    {{"DELIVERBY", 9}, OFFER_DELIVERBY},
	    {{"MT-PRIORITY", 11}, OFFER_PRIORITY},
	    {{"REQUIRETLS", 10}, OFFER_REQUIRETLS},
	    {{"CHUNKING", 8}, OFFER_CHUNKING},
	    {{"BINARYMIME", 10}, OFFER_BINARYMIME},
	};
	struct span rest = span_trim(line);
	struct span keyword = {0};

	/* "AUTH=" is how servers of the nineties say it, for clients of then. */
	if (span_starts_nocase(rest, SPAN("AUTH ")) ||
	    span_starts_nocase(rest, SPAN("AUTH="))) {
		note_mechanisms(client, span_skip(rest, 5));
		return;
	}
	(void)span_cut(&rest, ' ', &keyword);
	for (size_t i = 0; i < LEN(offers); i++) {
		if (span_eq_nocase(keyword, offers[i].keyword))
			client->offers |= offers[i].offer;
	}
	if (span_eq_nocase(keyword, SPAN("SIZE")) &&
	    !span_u64(span_trim(rest), UINT64_MAX, &client->size_max))
		client->size_max = 0;
	/* Its parameter is the least time that it takes mail for. */
	if (span_eq_nocase(keyword, SPAN("DELIVERBY")) &&
	    !span_u64(span_trim(rest), INT64_MAX, &client->by_s_min))
		client->by_s_min = 0;
}

/* Fails for a reason of ours that belongs to a later stage than the last reply. */
static void
fail_at(struct smtp_client *client, enum smtp_client_stage stage, enum err err)
{
	smtp_client_fail(client, err);
	client->stage = stage;
}

/* The base64 form of the parts, with a NUL in front of each but the first. */
static void
encode(struct buf *out, const char *const *parts, size_t count)
{
	struct buf text;

	buf_init(&text, AUTH_TEXT_BYTES_MAX);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_char(&text, '\0');
		buf_add_str(&text, parts[i]);
	}
	buf_init(out, 2 * AUTH_TEXT_BYTES_MAX - 16);
	base64_encode(out, buf_span(&text));
	check(buf_finish(&text) == OK && buf_finish(out) == OK);
	mem_wipe(text.ptr, text.room);
	buf_fini(&text);
}

static void
say_secret(
    struct smtp_client *client, const char *verb, const char *const *parts, size_t count)
{
	struct buf text;

	encode(&text, parts, count);
	smtp_client_command(client, "%s%.*s", verb, SPAN_ARGS(buf_span(&text)));
	mem_wipe(text.ptr, text.room);
	buf_fini(&text);
}

static size_t
plain_bytes(const struct smtp_client *client)
{
	return (strlen(client->login) + strlen(client->password) + 4) / 3 * 4;
}

static void
say_plain(struct smtp_client *client, const char *verb)
{
	const char *const parts[] = {"", client->login, client->password};

	say_secret(client, verb, parts, LEN(parts));
}

static void
authenticate(struct smtp_client *client)
{
	if (*client->login == '\0') {
		smtp_client_move(client, STATE_READY);
	} else if (!client->is_tls && !client->auth_without_tls) {
		fail_at(client, SMTP_CLIENT_AUTH, ERR_CRYPTO);
	} else if (client->offers & OFFER_PLAIN) {
		if (plain_bytes(client) > AUTH_INITIAL_BYTES_MAX)
			smtp_client_command(client, "AUTH PLAIN");
		else
			say_plain(client, "AUTH PLAIN ");
		smtp_client_move(client, STATE_AUTH_PLAIN);
	} else if (client->offers & OFFER_LOGIN) {
		smtp_client_command(client, "AUTH LOGIN");
		smtp_client_move(client, STATE_AUTH_LOGIN);
	} else {
		fail_at(client, SMTP_CLIENT_AUTH, ERR_UNSUPPORTED);
	}
}

enum smtp_client_event_kind
smtp_client_hello_ok(struct smtp_client *client)
{
	bool wanted =
	    client->tls == SMTP_CLIENT_TLS_MAY || client->tls == SMTP_CLIENT_TLS_REQUIRED;

	if (!client->is_tls && wanted && (client->offers & OFFER_STARTTLS)) {
		smtp_client_command(client, "STARTTLS");
		smtp_client_move(client, STATE_STARTTLS);
	} else if (!client->is_tls && client->tls == SMTP_CLIENT_TLS_REQUIRED) {
		fail_at(client, SMTP_CLIENT_STARTTLS, ERR_CRYPTO);
	} else {
		authenticate(client);
	}
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_tls_ok(struct smtp_client *client)
{
	if (client->input.len)
		smtp_client_fail(client, ERR_SYNTAX);
	else
		smtp_client_move(client, STATE_START_TLS);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_tls_refused(struct smtp_client *client)
{
	if (client->tls == SMTP_CLIENT_TLS_REQUIRED)
		smtp_client_refuse(client, ERR_CRYPTO);
	else
		authenticate(client);
	return SMTP_CLIENT_WAIT;
}

void
smtp_client_tls_started(struct smtp_client *client, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (smtp_client_has_ended(client))
		return;
	check(client->state == STATE_HANDSHAKE);
	client->is_tls = true;
	say_ehlo(client);
}

void
smtp_client_tls_failed(struct smtp_client *client)
{
	if (smtp_client_has_ended(client))
		return;
	check(client->state == STATE_HANDSHAKE);
	smtp_client_fail(client, ERR_CRYPTO);
}

enum smtp_client_event_kind
smtp_client_plain_more(struct smtp_client *client)
{
	say_plain(client, "");
	smtp_client_move(client, STATE_AUTH_END);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_login_more(struct smtp_client *client)
{
	const char *const login = client->login;

	say_secret(client, "", &login, 1);
	smtp_client_move(client, STATE_AUTH_USER);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_user_more(struct smtp_client *client)
{
	const char *const password = client->password;

	say_secret(client, "", &password, 1);
	smtp_client_move(client, STATE_AUTH_END);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_auth_ok(struct smtp_client *client)
{
	smtp_client_move(client, STATE_READY);
	return SMTP_CLIENT_WAIT;
}
