/*
 * A transaction: MAIL, RCPT, DATA or BDAT.  The body is in smtp_client_body.c.
 *
 * Where the server offers PIPELINING all commands go out at once (RFC 2920), and
 * their replies are taken in the same states, in the same order, as in lockstep.
 * A transaction that fails early then leaves replies in flight; DRAIN reads them,
 * and should the server have taken DATA by then, an empty body ends it.
 */
#include "smtp/smtp_client_internal.h"

#include <stdio.h>

enum { MAIL_LINE_BYTES_MAX = 2048, ENVID_BYTES_MAX = 100 };

bool
smtp_client_is_chunked(const struct smtp_client *client, const struct smtp_client_mail *mail)
{
	/* Chunks follow each other without a wait (RFC 3030 section 4.2). */
	return mail->body_binary ||
	    (!client->lmtp && !client->no_chunks &&
	        !(~client->offers & (OFFER_CHUNKING | OFFER_PIPELINING)));
}

static bool
is_pipelined(const struct smtp_client *client)
{
	return client->offers & OFFER_PIPELINING;
}

/* A parameter's value goes into the command as it is. */
static bool
is_value(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] <= ' ' || value.ptr[i] > 126)
			return false;
	return value.len > 0;
}

static void
add_dsn(struct buf *out, const struct smtp_client_mail *mail)
{
	if (mail->ret != SMTP_CLIENT_RET_UNSAID)
		buf_add_str(out, mail->ret == SMTP_CLIENT_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (is_value(mail->envid))
		buf_addf(out, " ENVID=%.*s", SPAN_ARGS(mail->envid));
}

static const char *
body_of(const struct smtp_client *client, const struct smtp_client_mail *mail)
{
	if (mail->body_binary)
		return " BODY=BINARYMIME";
	return mail->body_8bit && (client->offers & OFFER_8BITMIME) ? " BODY=8BITMIME" : "";
}

static void
say_mail(struct smtp_client *client, const struct smtp_client_mail *mail)
{
	struct buf line;

	buf_init(&line, MAIL_LINE_BYTES_MAX);
	buf_addf(&line, "MAIL FROM:<%.*s>", SPAN_ARGS(mail->reverse_path));
	if (client->offers & OFFER_SIZE)
		buf_addf(&line, " SIZE=%llu", (unsigned long long)mail->body_bytes);
	buf_add_str(&line, body_of(client, mail));
	buf_add_str(&line, mail->smtputf8 ? " SMTPUTF8" : "");
	buf_add_str(&line, mail->requiretls ? " REQUIRETLS" : "");
	if (client->offers & OFFER_DSN)
		add_dsn(&line, mail);
	if (mail->by != SMTP_CLIENT_BY_NONE && (client->offers & OFFER_DELIVERBY))
		buf_addf(&line, " BY=%lld;%c%s", (long long)mail->by_s,
		    mail->by == SMTP_CLIENT_BY_RETURN ? 'R' : 'N', mail->by_trace ? "T" : "");
	if (mail->has_priority && (client->offers & OFFER_PRIORITY))
		buf_addf(&line, " MT-PRIORITY=%d", mail->priority);
	check(buf_finish(&line) == OK);
	smtp_client_command(client, "%.*s", SPAN_ARGS(buf_span(&line)));
	buf_fini(&line);
}

static void
add_notify(struct buf *out, unsigned notify)
{
	static const char *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
	const char *before = " NOTIFY=";

	for (unsigned i = 0; i < LEN(words); i++) {
		if (!(notify & BIT(i)))
			continue;
		buf_addf(out, "%s%s", before, words[i]);
		before = ",";
	}
}

static void
say_rcpt(struct smtp_client *client, const struct smtp_client_mail *mail, size_t index)
{
	const struct smtp_client_rcpt_asks *asks = mail->asks;
	struct buf line;

	buf_init(&line, MAIL_LINE_BYTES_MAX);
	buf_addf(&line, "RCPT TO:<%.*s>", SPAN_ARGS(mail->rcpts[index]));
	if (asks && (client->offers & OFFER_DSN)) {
		add_notify(&line, asks[index].notify);
		if (is_value(asks[index].orcpt))
			buf_addf(&line, " ORCPT=%.*s", SPAN_ARGS(asks[index].orcpt));
	}
	check(buf_finish(&line) == OK);
	smtp_client_command(client, "%.*s", SPAN_ARGS(buf_span(&line)));
	buf_fini(&line);
}

void
smtp_client_say_envelope(struct smtp_client *client, const struct smtp_client_mail *mail)
{
	say_mail(client, mail);
	for (size_t i = 0; i < mail->rcpt_count; i++)
		say_rcpt(client, mail, i);
	if (!smtp_client_is_chunked(client, mail) && !mail->envelope_only)
		smtp_client_command(client, "DATA");
}

static void
say_transaction(struct smtp_client *client)
{
	if (client->open)
		smtp_client_command(client, "RSET");
	if (client->open && !is_pipelined(client))
		return;
	if (is_pipelined(client))
		smtp_client_say_envelope(client, &client->now.mail);
	else
		say_mail(client, &client->now.mail);
}

/* What would not go into a command line as itself; the queue should not hold it. */
static bool
is_speakable(struct span path)
{
	for (size_t i = 0; i < path.len; i++) {
		if ((unsigned char)path.ptr[i] < ' ' || path.ptr[i] == 127)
			return false;
	}
	return path.len <= ADDRESS_BYTES_MAX;
}

static bool
are_speakable(const struct smtp_client_mail *mail)
{
	for (size_t i = 0; i < mail->rcpt_count; i++) {
		if (!is_speakable(mail->rcpts[i]))
			return false;
	}
	return is_speakable(mail->reverse_path);
}

void
smtp_client_copy_mail(struct smtp_client_copy *into, const struct smtp_client_mail *mail)
{
	struct arena *arena = &into->arena;
	struct span *rcpts;
	struct smtp_client_rcpt_asks *asks = NULL;
	bool copied = true;

	arena_reset(arena);
	rcpts = arena_alloc(arena, mail->rcpt_count * sizeof(*rcpts));
	check(rcpts != NULL);
	into->mail = *mail;
	into->mail.rcpts = rcpts;
	copied = arena_copy(arena, mail->reverse_path, &into->mail.reverse_path) &&
	    arena_copy(arena, span_first(mail->envid, ENVID_BYTES_MAX), &into->mail.envid);
	if (mail->asks)
		asks = arena_alloc(arena, mail->rcpt_count * sizeof(*asks));
	into->mail.asks = asks;
	for (size_t i = 0; i < mail->rcpt_count && copied; i++) {
		copied = arena_copy(arena, mail->rcpts[i], &rcpts[i]);
		if (!asks)
			continue;
		asks[i].notify = mail->asks[i].notify;
		copied = copied && arena_copy(arena,
		    span_first(mail->asks[i].orcpt, SMTP_CLIENT_ORCPT_BYTES_MAX), &asks[i].orcpt);
	}
	into->accepted = arena_alloc(arena, mail->rcpt_count * sizeof(*into->accepted));
	check(copied && into->accepted);
	memset(into->accepted, 0, mail->rcpt_count * sizeof(*into->accepted));
}

/* What the mail needs and this server lacks; the enhanced code is made of subject and detail. */
struct lack {
	unsigned subject, detail;
	const char *text;
};

static bool
has_lack(const struct smtp_client *client, const struct smtp_client_mail *mail,
    struct lack *lack)
{
	unsigned offers = client->offers;

	if (mail->requiretls && (!client->is_tls || !(offers & OFFER_REQUIRETLS)))
		*lack = (struct lack){7, 30,
		    "The server does not offer REQUIRETLS, which the sender demands"};
	else if (mail->body_binary && !smtp_client_takes_binary(client))
		*lack = (struct lack){6, 3,
		    "The server does not offer BINARYMIME and CHUNKING, which this message needs"};
	else if (mail->body_8bit && !smtp_client_takes_8bit(client))
		*lack = (struct lack){6, 3,
		    "The server does not offer 8BITMIME, which this message needs"};
	else if (mail->by == SMTP_CLIENT_BY_RETURN && mail->by_s < 1)
		*lack = (struct lack){4, 7, "The time in which the sender wants it there is over"};
	else if (mail->by == SMTP_CLIENT_BY_RETURN && !(offers & OFFER_DELIVERBY))
		*lack = (struct lack){3, 3,
		    "The server does not offer DELIVERBY, so it may not have it in time"};
	else if (mail->by == SMTP_CLIENT_BY_RETURN && client->by_s_min > (uint64_t)mail->by_s)
		*lack = (struct lack){4, 7,
		    "The server says that it needs more time than the sender gives it"};
	else
		return false;
	return true;
}

/* What is refused here, before a byte is sent, as this server would refuse it anyhow. */
enum refusal { REFUSAL_NONE, REFUSAL_ADDRESS, REFUSAL_UTF8, REFUSAL_LACK, REFUSAL_SIZE };

static enum refusal
refusal_of(const struct smtp_client *client, const struct smtp_client_mail *mail,
    struct lack *lack)
{
	if (!are_speakable(mail))
		return REFUSAL_ADDRESS;
	if (mail->smtputf8 && !(client->offers & OFFER_SMTPUTF8))
		return REFUSAL_UTF8;
	if (has_lack(client, mail, lack))
		return REFUSAL_LACK;
	return client->size_max && mail->body_bytes > client->size_max ? REFUSAL_SIZE
								       : REFUSAL_NONE;
}

bool
smtp_client_cannot_have(const struct smtp_client *client, const struct smtp_client_mail *mail)
{
	struct lack lack;

	return refusal_of(client, mail, &lack) != REFUSAL_NONE;
}

static void
reply_too_large(struct smtp_client *client)
{
	struct reply reply = {.id = REPLY_MESSAGE_TOO_BIG};
	char limit[21];

	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)client->size_max);
	reply.args[0] = span_str(limit);
	smtp_client_reply_local(client, 552, 3, 4, "");
	reply_text(&client->text, &reply);
}

static bool
is_refused_here(struct smtp_client *client, const struct smtp_client_mail *mail)
{
	struct lack lack;
	enum refusal refusal = refusal_of(client, mail, &lack);

	client->lacks = refusal == REFUSAL_LACK || refusal == REFUSAL_SIZE;
	switch (refusal) {
	case REFUSAL_NONE:
		return false;
	case REFUSAL_ADDRESS:
		smtp_client_reply_local(client, 553, 1, 3, "Address cannot be sent");
		break;
	case REFUSAL_UTF8:
		smtp_client_reply_local(client, 550, 6, 7,
		    "The server does not offer SMTPUTF8, which this message needs");
		client->now.mail = (struct smtp_client_mail){.rcpt_count = mail->rcpt_count};
		break;
	case REFUSAL_LACK:
		smtp_client_reply_local(client, 550, lack.subject, lack.detail, lack.text);
		break;
	case REFUSAL_SIZE:
		reply_too_large(client);
		break;
	}
	smtp_client_move(client, refusal == REFUSAL_UTF8 ? STATE_LOCAL : STATE_VERDICT);
	return true;
}

void
smtp_client_begin_mail(struct smtp_client *client)
{
	client->begun_ms = client->now_ms;
	client->rcpt_index = client->rcpt_ok = client->verdict_index = 0;
	client->body_given = 0;
	memcpy(client->tail, "\r\n", 2);
}

void
smtp_client_send(
    struct smtp_client *client, const struct smtp_client_mail *mail, uint64_t now_ms)
{
	smtp_client_note_time(client, now_ms);
	if (smtp_client_has_ended(client))
		return;
	check(client->state == STATE_IDLE);
	check(mail->rcpt_count >= 1 && mail->rcpt_count <= SMTP_CLIENT_RCPT_MAX);
	smtp_client_begin_mail(client);
	client->was_ahead = false;
	if (is_refused_here(client, mail))
		return;
	smtp_client_copy_mail(&client->now, mail);
	say_transaction(client);
	smtp_client_move(client, client->open ? STATE_RSET : STATE_MAIL);
}

enum smtp_client_event_kind
smtp_client_reset(struct smtp_client *client)
{
	client->open = false;
	if (!is_pipelined(client))
		say_mail(client, &client->now.mail);
	smtp_client_move(client, STATE_MAIL);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_mail_ok(struct smtp_client *client)
{
	client->open = true;
	if (!is_pipelined(client))
		say_rcpt(client, &client->now.mail, 0);
	smtp_client_move(client, STATE_RCPT);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_mail_refused(struct smtp_client *client)
{
	smtp_client_move(client, STATE_VERDICT);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_rcpt_refused(struct smtp_client *client)
{
	client->rcpt_index++;
	if (client->rcpt_index < client->now.mail.rcpt_count) {
		if (!is_pipelined(client))
			say_rcpt(client, &client->now.mail, client->rcpt_index);
	} else if (client->rcpt_ok == 0 || client->now.mail.envelope_only) {
		smtp_client_move(client, STATE_VERDICT);
	} else if (smtp_client_is_chunked(client, &client->now.mail)) {
		smtp_client_move(client, STATE_BODY_WANT);
	} else {
		if (!is_pipelined(client))
			smtp_client_command(client, "DATA");
		smtp_client_move(client, STATE_DATA);
	}
	return SMTP_CLIENT_RCPT_DONE;
}

enum smtp_client_event_kind
smtp_client_rcpt_ok(struct smtp_client *client)
{
	client->rcpt_ok++;
	client->now.accepted[client->rcpt_index] = true;
	return smtp_client_rcpt_refused(client);
}

enum smtp_client_event_kind
smtp_client_data_go(struct smtp_client *client)
{
	smtp_client_move(client, STATE_BODY_WANT);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_data_refused(struct smtp_client *client)
{
	smtp_client_move(client, STATE_VERDICT);
	return SMTP_CLIENT_WAIT;
}

/* A chunk that is not the last; the rest comes anyhow. */
enum smtp_client_event_kind
smtp_client_chunk_ok(struct smtp_client *client)
{
	(void)client;
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_chunk_refused(struct smtp_client *client)
{
	smtp_client_move(client, STATE_VERDICT);
	return SMTP_CLIENT_WAIT;
}

/* The reply is for the next of those who were accepted. */
static enum smtp_client_event_kind
take_verdict(struct smtp_client *client)
{
	while (!client->now.accepted[client->verdict_index++])
		check(client->verdict_index < client->now.mail.rcpt_count);
	if (client->in_flight == 0) {
		client->open = false;
		smtp_client_move(client, STATE_VERDICT);
	}
	return SMTP_CLIENT_RCPT_VERDICT;
}

enum smtp_client_event_kind
smtp_client_dot_done(struct smtp_client *client)
{
	if (client->lmtp)
		return take_verdict(client);
	/* The replies to chunks before the last may come as late as this. */
	if (client->in_flight > client->ahead_in_flight && client->reply.code < 300)
		return SMTP_CLIENT_WAIT;
	if (client->in_flight > client->ahead_in_flight)
		return smtp_client_chunk_refused(client);
	/* RFC 3030 does not say that a chunk that is refused ends the transaction. */
	client->open =
	    client->reply.code >= 400 && smtp_client_is_chunked(client, &client->now.mail);
	smtp_client_move(client, STATE_VERDICT);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_drain(struct smtp_client *client)
{
	if (client->in_flight == 0)
		smtp_client_move(client, STATE_READY);
	return SMTP_CLIENT_WAIT;
}

/* Only the last command in flight, DATA, may be answered with "go on". */
enum smtp_client_event_kind
smtp_client_drain_data(struct smtp_client *client)
{
	/* An LMTP server without recipients has nothing to answer to a body. */
	if (client->in_flight > 0 || smtp_client_is_chunked(client, &client->now.mail) ||
	    client->lmtp)
		return smtp_client_out_of_step(client);
	smtp_client_command(client, ".");
	smtp_client_move(client, STATE_DROP);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_event_kind
smtp_client_dropped(struct smtp_client *client)
{
	client->open = false;
	smtp_client_move(client, STATE_READY);
	return SMTP_CLIENT_WAIT;
}
