/*
 * Drives a server session for tests and the fuzzer: bytes in, a transcript out.
 *
 * What the caller of the session would decide is decided by names: a mailbox
 * that begins with "no" gets a 550, "later" a 451, "bye" a 421; a message that
 * begins with those words is answered likewise; a password is right if it is
 * "secret", and "later" fails for now.  The byte \x02 in what the client sends
 * stands for a TLS handshake.
 */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "sasl/sasl.h"
#include "smtp/smtp_server_internal.h"

/* How the client's bytes are cut into pieces. */
enum drive_split { DRIVE_WHOLE, DRIVE_BYTES, DRIVE_RANDOM, DRIVE_SPLIT_COUNT = 6 };

enum { DRIVE_TEXT_MAX = 1 << 20 };

struct drive {
	struct smtp_server *server;
	struct sasl *sasl; /* the exchange under way */
	struct buf events; /* "mail a@b; rcpt c@d; data; end(text|); close" */
	struct buf replies; /* "220 250" */
	struct buf output; /* all that was said, byte for byte */
	struct buf body;
	uint64_t seed;
	uint64_t now_ms;
	int open; /* transactions accepted and not ended: 0 or 1 */
	bool accepted, in_body, closed, binary;
};

static inline struct smtp_server_options
drive_options(void)
{
	return (struct smtp_server_options){
	    .hostname = SPAN("mx.test"),
	    .message_bytes_max = 100000,
	    .command_bytes_max = 512,
	    .line_bytes_max = 1000,
	    .header_bytes_max = 10000,
	    .rcpt_max = 100,
	    .received_max = 30,
	    .command_timeout_ms = 300000,
	    .data_timeout_ms = 600000,
	    .session_timeout_ms = 3600000,
	};
}

static inline void
drive_init(struct drive *drive, const struct smtp_server_options *options)
{
	*drive = (struct drive){.server = smtp_server_create(options, 0), .seed = 1};
	buf_init(&drive->events, DRIVE_TEXT_MAX);
	buf_init(&drive->replies, DRIVE_TEXT_MAX);
	buf_init(&drive->output, DRIVE_TEXT_MAX);
	buf_init(&drive->body, DRIVE_TEXT_MAX);
}

static inline void
drive_fini(struct drive *drive)
{
	smtp_server_destroy(drive->server);
	sasl_destroy(drive->sasl);
	buf_fini(&drive->events);
	buf_fini(&drive->replies);
	buf_fini(&drive->output);
	buf_fini(&drive->body);
}

/* Adds the codes of the whole replies that wait, and takes them out. */
static inline void
drive_read_output(struct drive *drive)
{
	struct span output = smtp_server_output(drive->server);
	size_t all = output.len;

	buf_add(&drive->output, output);
	while (output.len > 0) {
		size_t end = span_find(output, '\n');

		check(output.len >= 6 && end < output.len && output.ptr[end - 1] == '\r');
		if (output.ptr[3] == ' ') {
			if (drive->replies.len)
				buf_add_char(&drive->replies, ' ');
			buf_add(&drive->replies, span_first(output, 3));
		}
		output = span_skip(output, end + 1);
	}
	smtp_server_output_done(drive->server, all);
}

static inline void
drive_note(struct drive *drive, const char *what)
{
	if (drive->events.len)
		buf_add_str(&drive->events, "; ");
	buf_add_str(&drive->events, what);
}

/* The reply that a name asks for. */
static inline enum reply_id
drive_decide(struct span name, enum reply_id good)
{
	if (span_starts(name, SPAN("no")))
		return REPLY_USER_UNKNOWN;
	if (span_starts(name, SPAN("later")))
		return REPLY_LOOKUP_FAILED;
	if (span_starts(name, SPAN("bye")))
		return REPLY_SHUTTING_DOWN;
	return good;
}

static inline void
drive_reply(struct drive *drive, enum reply_id id)
{
	check(smtp_server_owes_reply(drive->server));
	check(!smtp_server_wants_input(drive->server));
	check(smtp_server_deadline_ms(drive->server) == UINT64_MAX);
	check(smtp_server_next(drive->server).kind == SMTP_SERVER_WAIT);
	smtp_server_reply(drive->server, &(struct reply){.id = id, .args = {SPAN("x")}});
	check(drive->server->options.lmtp || !smtp_server_owes_reply(drive->server));
}

static inline void
drive_mail_parameters(struct buf *out, const struct smtp_mail_parameters *mail)
{
	if (mail->size)
		buf_addf(out, " size=%u", (unsigned)mail->size);
	if (mail->body != SMTP_BODY_7BIT)
		buf_add_str(out, mail->body == SMTP_BODY_8BITMIME ? " 8bit" : " binary");
	if (mail->smtputf8)
		buf_add_str(out, " utf8");
	if (mail->ret != SMTP_RET_UNSAID)
		buf_add_str(out, mail->ret == SMTP_RET_FULL ? " full" : " hdrs");
	if (mail->envid.len)
		buf_addf(out, " envid=%.*s", SPAN_ARGS(mail->envid));
	if (mail->hold_for_s)
		buf_addf(out, " for=%u", (unsigned)mail->hold_for_s);
	if (mail->hold_until_wall_ms)
		buf_addf(out, " until=%llu", (unsigned long long)mail->hold_until_wall_ms);
	if (mail->by != SMTP_BY_NONE)
		buf_addf(out, " by=%d%c%s", (int)mail->by_s,
		    mail->by == SMTP_BY_RETURN ? 'R' : 'N', mail->by_trace ? "T" : "");
	if (mail->has_priority)
		buf_addf(out, " priority=%d", mail->priority);
	if (mail->requiretls)
		buf_add_str(out, " requiretls");
	if (mail->solicit.len)
		buf_addf(out, " solicit=%.*s", SPAN_ARGS(mail->solicit));
}

static inline void
drive_mail(struct drive *drive, const struct smtp_server_event *event)
{
	enum reply_id id = drive_decide(event->address.local, REPLY_SENDER_OK);

	check(drive->open == 0);
	drive_note(drive, "mail ");
	buf_add(&drive->events, event->address.whole);
	drive_mail_parameters(&drive->events, &event->mail);
	drive->binary = event->mail.body == SMTP_BODY_BINARYMIME;
	drive_reply(drive, id);
	drive->open = reply_code(id) / 100 == 2;
}

static inline void
drive_rcpt(struct drive *drive, const struct smtp_server_event *event)
{
	check(drive->open == 1 && !drive->in_body);
	drive_note(drive, "rcpt ");
	buf_add(&drive->events, event->address.whole);
	if (event->rcpt.notify)
		buf_addf(&drive->events, " notify=%u", event->rcpt.notify);
	if (event->rcpt.orcpt.len)
		buf_addf(&drive->events, " orcpt=%.*s", SPAN_ARGS(event->rcpt.orcpt));
	drive_reply(drive, drive_decide(event->address.local, REPLY_RECIPIENT_OK));
}

static inline void
drive_auth(struct drive *drive, const struct smtp_server_event *event)
{
	struct sasl_out out;
	enum sasl_step step;

	check(event->auth.begins == !drive->sasl);
	if (!drive->sasl)
		drive->sasl =
		    sasl_create(event->auth.mechanism, &(struct sasl_context){0});
	step = sasl_take(
	    drive->sasl, event->auth.has_response, event->auth.response, &out);
	if (step == SASL_CHALLENGE) {
		smtp_server_auth_challenge(drive->server, out.challenge);
		return;
	}
	if (step == SASL_CHECK_PASSWORD) {
		drive_note(drive, "auth ");
		buf_add(&drive->events, out.login);
		buf_add_char(&drive->events, ':');
		buf_add(&drive->events, out.password);
	}
	if (step == SASL_CHECK_PASSWORD && span_eq(out.password, SPAN("secret")))
		smtp_server_auth_ok(drive->server, out.login);
	else if (step == SASL_CHECK_PASSWORD && span_eq(out.password, SPAN("later")))
		drive_reply(drive, REPLY_AUTH_TEMPORARY);
	else
		drive_reply(
		    drive, step == SASL_MALFORMED ? REPLY_SYNTAX : REPLY_AUTH_INVALID);
	sasl_destroy(drive->sasl);
	drive->sasl = NULL;
}

static inline void
drive_end(struct drive *drive)
{
	struct span body = buf_span(&drive->body);

	check(drive->open == 1 && drive->in_body);
	drive->open = 0;
	drive->in_body = false;
	drive_note(drive, "end(");
	for (size_t i = 0; i < body.len; i++) {
		/* A line end is one thing; what is not one must not look like one. */
		if (i + 1 < body.len && memcmp(body.ptr + i, "\r\n", 2) == 0) {
			buf_add_char(&drive->events, '|');
			i++;
		} else {
			check(drive->binary || (body.ptr[i] != '\r' && body.ptr[i] != '\n'));
			buf_add_char(&drive->events, body.ptr[i]);
		}
	}
	buf_add_char(&drive->events, ')');
	/* LMTP: the first recipient as the body says, the others well. */
	drive_reply(drive, drive_decide(body, REPLY_QUEUED));
	while (smtp_server_owes_reply(drive->server))
		drive_reply(drive, REPLY_QUEUED);
}

static inline void
drive_query(struct drive *drive, const struct smtp_server_event *event)
{
	const char *name = event->kind == SMTP_SERVER_VRFY   ? "vrfy "
			   : event->kind == SMTP_SERVER_EXPN ? "expn "
							     : "etrn ";

	drive_note(drive, name);
	buf_add(&drive->events, event->query);
	drive_reply(drive, drive_decide(event->query, REPLY_VERIFIED));
}

static inline void
drive_event(struct drive *drive, const struct smtp_server_event *event)
{
	switch (event->kind) {
	case SMTP_SERVER_MAIL:
		drive_mail(drive, event);
		break;
	case SMTP_SERVER_RCPT:
		drive_rcpt(drive, event);
		break;
	case SMTP_SERVER_DATA:
		check(drive->open == 1 && !drive->in_body);
		drive->in_body = true;
		buf_reset(&drive->body);
		drive_note(drive, "data");
		break;
	case SMTP_SERVER_BODY:
		check(drive->open == 1 && drive->in_body && event->body.len > 0);
		buf_add(&drive->body, event->body);
		break;
	case SMTP_SERVER_BODY_END:
		drive_end(drive);
		break;
	case SMTP_SERVER_ABORT:
		check(drive->open == 1);
		drive->open = 0;
		drive->in_body = false;
		drive_note(drive, "abort");
		break;
	case SMTP_SERVER_VRFY:
	case SMTP_SERVER_EXPN:
	case SMTP_SERVER_ETRN:
		drive_query(drive, event);
		break;
	case SMTP_SERVER_XCLIENT:
		drive_note(drive, "xclient ");
		if (event->client.family)
			net_addr_write(&drive->events, &event->client);
		buf_addf(&drive->events, " %.*s", SPAN_ARGS(smtp_server_login(drive->server)));
		break;
	case SMTP_SERVER_STARTTLS:
		drive_note(drive, "starttls");
		break;
	case SMTP_SERVER_AUTH:
		drive_auth(drive, event);
		break;
	case SMTP_SERVER_AUTH_ENDED:
		check(drive->sasl != NULL);
		sasl_destroy(drive->sasl);
		drive->sasl = NULL;
		break;
	case SMTP_SERVER_REFUSED:
		drive_note(drive, "refused ");
		buf_add_u64(&drive->events, reply_code(event->reply));
		break;
	case SMTP_SERVER_CLOSE:
		check(drive->open == 0);
		if (!drive->closed)
			drive_note(drive, "close");
		drive->closed = true;
		break;
	case SMTP_SERVER_WAIT:
		break;
	}
}

/* Takes events until nothing happens any more. */
static inline void
drive_pump(struct drive *drive)
{
	struct smtp_server_event event;
	bool unread;

	do {
		event = smtp_server_next(drive->server);
		drive_event(drive, &event);
		unread = smtp_server_output(drive->server).len > 0;
		drive_read_output(drive);
	} while (event.kind != SMTP_SERVER_CLOSE &&
		 (event.kind != SMTP_SERVER_WAIT || unread));
}

static inline size_t
drive_piece(struct drive *drive, enum drive_split split, size_t left)
{
	size_t piece = left;

	if (split == DRIVE_BYTES)
		piece = 1;
	if (split >= DRIVE_RANDOM) {
		drive->seed = drive->seed * 6364136223846793005u + 1442695040888963407u;
		piece =
		    1 + (size_t)(drive->seed >> 33) % (split == DRIVE_RANDOM ? 7 : 90);
	}
	return piece < left ? piece : left;
}

static inline void
drive_send(struct drive *drive, struct span client, enum drive_split split)
{
	drive->seed += (uint64_t)split;
	while (client.len > 0) {
		size_t taken = 1;

		if (client.ptr[0] == '\x02') {
			smtp_server_tls_started(drive->server, drive->now_ms);
		} else {
			taken = drive_piece(drive, split, span_find(client, '\x02'));
			taken = smtp_server_input(
			    drive->server, span_first(client, taken), drive->now_ms);
			check(taken > 0);
		}
		drive_pump(drive);
		client = span_skip(client, taken);
	}
}

static inline void
drive_send_str(struct drive *drive, const char *client)
{
	drive_send(drive, span_str(client), DRIVE_WHOLE);
}

/* The transcripts as strings, valid until the next call. */
static inline const char *
drive_text(struct buf *buf)
{
	buf_add_char(buf, '\0');
	check(buf_finish(buf) == OK);
	buf->len--;
	return buf->ptr;
}
