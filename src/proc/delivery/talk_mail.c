/*
 * The dialogue with one host.  What the machine learns about recipients goes to the queue at once.
 *
 * A connection that was kept may have died since, or the host may have had enough of it: as long
 * as no reply to MAIL came but "later", nothing is known of the host, and the attempt goes on by
 * a new connection.  After that there is no difference between the first transaction and others.
 */
#include "proc/delivery/delivery_internal.h"

#include <assert.h>
#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"

enum { BY_S_MAX = 999999999 };

static uint64_t
now_ms(const struct talk *talk)
{
	return io_now_ms(talk->delivery->env->io);
}

void
talk_flush(struct talk *talk)
{
	struct span plain = smtp_client_output(talk->smtp);
	struct span wire;

	if (!talk->tls) {
		io_send(talk->stream, plain);
		smtp_client_output_done(talk->smtp, plain.len);
		return;
	}
	if (!talk->handshaking) {
		if (plain.len > 0)
			err_ignore(tls_write(talk->tls, plain),
			    "a broken session ends when it is read");
		smtp_client_output_done(talk->smtp, plain.len);
	}
	wire = tls_output(talk->tls);
	io_send(talk->stream, wire);
	tls_output_done(talk->tls, wire.len);
}

static_assert(SMTP_CLIENT_NOTIFY_NEVER == (int)IPC_NOTIFY_NEVER &&
        SMTP_CLIENT_NOTIFY_SUCCESS == (int)IPC_NOTIFY_SUCCESS &&
        SMTP_CLIENT_NOTIFY_FAILURE == (int)IPC_NOTIFY_FAILURE &&
        SMTP_CLIENT_NOTIFY_DELAY == (int)IPC_NOTIFY_DELAY &&
        SMTP_CLIENT_RET_HDRS == (int)IPC_RET_HDRS &&
        SMTP_CLIENT_RET_FULL == (int)IPC_RET_FULL &&
        SMTP_CLIENT_BY_RETURN == (int)IPC_BY_RETURN &&
        SMTP_CLIENT_BY_NOTIFY == (int)IPC_BY_NOTIFY,
    "what is asked for is the same on the link and in the dialogue");

/* What is left of the time that the sender gave; below 0 it is over. */
static int64_t
by_s(const struct attempt *attempt)
{
	uint64_t by_wall_ms = attempt->extras.by_wall_ms;
	uint64_t now_wall_ms = io_wall_ms(attempt->delivery->env->io);
	uint64_t s = by_wall_ms > now_wall_ms ? (by_wall_ms - now_wall_ms) / 1000
	                                      : (now_wall_ms - by_wall_ms) / 1000;

	/* RFC 2852: nine digits. */
	s = s < BY_S_MAX ? s : BY_S_MAX;
	return by_wall_ms > now_wall_ms ? (int64_t)s : -(int64_t)s;
}

static void
note_asked(const struct attempt *attempt, struct smtp_client_mail *mail)
{
	const struct ipc_extras *extras = &attempt->extras;

	mail->ret = (enum smtp_client_ret)extras->ret;
	mail->envid = extras->envid;
	mail->by = (enum smtp_client_by)extras->by;
	mail->by_s = extras->by != IPC_BY_NONE ? by_s(attempt) : 0;
	mail->by_trace = extras->by_trace;
	mail->has_priority = extras->has_priority;
	mail->priority = extras->priority;
}

/* An attempt's mail, as the machine takes it. */
struct offer {
	struct span *rcpts;
	struct smtp_client_rcpt_asks *asks;
	struct smtp_client_mail mail;
};

static struct offer
make_offer(const struct talk *talk, struct attempt *attempt)
{
	struct offer offer = {
	    .rcpts = mem_alloc(attempt->rcpt_count * sizeof(*offer.rcpts)),
	    .asks = mem_alloc(attempt->rcpt_count * sizeof(*offer.asks)),
	};
	struct smtp_client_mail *mail = &offer.mail;

	*mail = (struct smtp_client_mail){
	    .reverse_path = attempt->reverse_path,
	    .rcpts = offer.rcpts,
	    .rcpt_count = attempt->rcpt_count,
	    .asks = offer.asks,
	    .body_bytes = attempt->body_bytes,
	    .body_8bit = attempt->flags & IPC_MESSAGE_8BIT,
	    .body_binary = attempt->flags & IPC_MESSAGE_BINARY,
	    .smtputf8 = attempt->flags & IPC_MESSAGE_SMTPUTF8,
	    .requiretls = attempt_wants_tls(attempt),
	    .envelope_only = attempt_is_probe(attempt),
	};
	note_asked(attempt, mail);
	for (size_t i = 0; i < attempt->rcpt_count; i++) {
		offer.rcpts[i] = attempt->rcpts[i].address;
		offer.asks[i].orcpt = attempt->rcpts[i].orcpt;
		offer.asks[i].notify = attempt->rcpts[i].notify;
		/* Nobody is to be told what becomes of a notification (RFC 3461 section 6.3). */
		if (attempt->flags & IPC_MESSAGE_BOUNCE)
			offer.asks[i].notify = IPC_NOTIFY_NEVER;
	}
	if (mail->smtputf8 && !smtp_client_takes_utf8(talk->smtp) &&
	    attempt_plain_envelope(attempt, &mail->reverse_path, offer.rcpts, mail->rcpt_count))
		mail->smtputf8 = false;
	return offer;
}

static void
free_offer(struct offer *offer)
{
	mem_free(offer->rcpts);
	mem_free(offer->asks);
}

/* Gives the machine the attempt's mail, once it is known what of it the server may have. */
static void
offer_mail(struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	struct offer offer = make_offer(talk, attempt);

	if (attempt_convert(talk, &offer.mail)) {
		attempt->mail_sent = true;
		smtp_client_send(talk->smtp, &offer.mail, now_ms(talk));
	}
	free_offer(&offer);
}

bool
talk_send_ahead(struct talk *talk, struct attempt *attempt)
{
	struct offer offer = make_offer(talk, attempt);
	bool sent = smtp_client_send_ahead(talk->smtp, &offer.mail, now_ms(talk));

	free_offer(&offer);
	return sent;
}

/* The machine is ready for it. */
static void
send_mail(struct talk *talk)
{
	talk->mails++;
	offer_mail(talk);
}

/* The first mail of a session; who waits for the way to open is seen to afterwards. */
static void
begin(struct talk *talk)
{
	attempt_session_opened(talk);
	if (probe_ready(talk))
		return;
	send_mail(talk);
	talk_opened(talk);
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
	if (outcome_of(event->reply.code) != IPC_DELIVERED || SIM_BUG(REMOVE_BEFORE_REPLY))
		attempt_tell(attempt, event->rcpt_index, outcome_of(event->reply.code),
		    &event->reply);
}

/* The same host once more, on a new connection; the attempt has none by now. */
static void
try_again(struct attempt *attempt)
{
	struct event event;

	check(attempt->body_given == 0);
	SIM_MARK("delivery.kept_connection_gone");
	attempt->without_kept = true;
	recorder_fact(attempt, "the kept connection was of no use any more", SPAN(""));
	attempt_event_begin(attempt, &event, "reconnect");
	event_str(&event, "text", "a kept connection was of no use any more");
	event_end(&event);
	talk_start(attempt);
}

/* Another host may have what this one lacks; its connection is as good as before. */
static void
take_lack(struct attempt *attempt, const struct smtp_client_event *event)
{
	const char *why = attempt->conversion.why;
	char status[ATTEMPT_STATUS_BYTES], text[IPC_TEXT_MAX];

	SIM_MARK("delivery.extension_lacking");
	attempt_write_status(status, &event->reply);
	snprintf(text, sizeof(text), "%.*s%s%s", SPAN_ARGS(event->reply.text),
	    why ? "; it cannot be converted: " : "", why ? why : "");
	attempt_fail(attempt, IPC_FAILED, event->reply.code, status, text);
	attempt->failure.host_level = true;
	attempt_next(attempt);
}

static void
note_passed(struct talk *talk)
{
	talk->attempt->passed =
	    (uint8_t)((smtp_client_passes_dsn(talk->smtp) ? IPC_PASSED_DSN : 0) |
	        (smtp_client_passes_by(talk->smtp) ? IPC_PASSED_BY : 0));
}

/* LMTP: what became of one recipient. */
static void
take_verdict(struct talk *talk, const struct smtp_client_event *event)
{
	check(event->rcpt_index < talk->attempt->rcpt_count);
	note_passed(talk);
	attempt_tell(talk->attempt, event->rcpt_index,
	    SIM_BUG(LMTP_ALL_GOOD) ? IPC_DELIVERED : outcome_of(event->reply.code),
	    &event->reply);
}

/* The transaction ended: its reply holds for all who were not refused. */
static void
take_mail_done(struct talk *talk, const struct smtp_client_event *event)
{
	struct attempt *attempt = talk->attempt;
	enum ipc_outcome outcome = outcome_of(event->reply.code);
	bool stumbles = talk_stumbles(talk, event);

	note_passed(talk);
	talk_detach(talk);
	if (smtp_client_lacks(talk->smtp)) {
		take_lack(attempt, event);
		return;
	}
	if (stumbles ||
	    (talk->mails > 1 && event->stage == SMTP_CLIENT_MAIL && outcome == IPC_DEFERRED)) {
		talk->spent = true;
		try_again(attempt);
		return;
	}
	for (size_t i = 0; i < attempt->rcpt_count; i++)
		if (!attempt->rcpts[i].told)
			attempt_tell(attempt, i, outcome, &event->reply);
	attempt_finish(attempt);
}

static const char *
failure_text(const struct talk *talk, const struct smtp_client_event *event)
{
	switch ((int)event->err) {
	case ERR_CLOSED:
		return "the other server closed the connection";
	case ERR_TIMEOUT:
		return "the other server did not answer in time";
	case ERR_SYNTAX:
		return talk->attempt->lmtp ? "the other server does not speak LMTP"
		                           : "the other server does not speak SMTP";
	case ERR_CRYPTO:
		return talk->tls_mode == CONF_TLS_MAY ? "TLS could not be used"
		                                      : "TLS is required and could not be used";
	case ERR_UNSUPPORTED:
		return "the other server lacks what is needed";
	default:
		return "refused";
	}
}

/* What became of the handshake; "": there was none. */
static const char *
handshake_failure(const struct talk *talk)
{
	const char *why = talk->tls ? tls_failure(talk->tls) : "";

	return why[0] || !talk->handshaking ? why : "the connection ended within the handshake";
}

/* Why there is no way around TLS. */
static const char *
who_demands(const struct talk *talk)
{
	if (attempt_wants_tls(talk->attempt))
		return " (the message demands it)";
	if (talk->tls_mode == CONF_TLS_DANE)
		return " (TLSA records of the server demand it)";
	if (talk->attempt->addrs[talk->attempt->addr_index].by_policy)
		return " (the policy, MTA-STS, of the domain demands it)";
	return "";
}

/* The failure that the queue is told of, unless another host does better. */
static void
note_failure(struct talk *talk, const struct smtp_client_event *event)
{
	struct attempt *attempt = talk->attempt;
	const char *stage = smtp_client_stage_name(event->stage);
	char text[IPC_TEXT_MAX];
	char status[ATTEMPT_STATUS_BYTES] = "4.4.2";

	attempt->in_doubt = smtp_client_in_doubt(talk->smtp);
	if (attempt->in_doubt)
		SIM_MARK("delivery.in_doubt");
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
		const char *why = event->err == ERR_CRYPTO ? handshake_failure(talk) : "";

		snprintf(text, sizeof(text), "%s%s (at: %s)%s%s", failure_text(talk, event),
		    event->err == ERR_CRYPTO ? who_demands(talk) : "", stage, why[0] ? ": " : "",
		    why);
		if (event->err == ERR_CRYPTO && attempt_wants_tls(attempt))
			attempt_fail(attempt, IPC_FAILED, 0, "5.7.30", text);
		else
			attempt_fail(attempt, IPC_DEFERRED, 0,
			    event->err == ERR_CRYPTO ? "4.7.5" : status, text);
	}
	attempt->failure.host_level = !attempt->mail_sent;
	if (attempt->in_doubt && attempt->lmtp)
		SIM_MARK("delivery.lmtp_cut");
	if (attempt->in_doubt &&
	    (SIM_BUG(DOUBT_IS_DELIVERED) || (attempt->lmtp && SIM_BUG(LMTP_CUT_IS_GOOD))))
		attempt->failure.outcome = IPC_DELIVERED;
}

static void
take_failed(struct talk *talk, const struct smtp_client_event *event)
{
	struct attempt *attempt = talk->attempt;
	bool had_tls = talk->tls != NULL;
	enum conf_tls talk_tls = talk->tls_mode;
	struct event fell_back;

	if (!attempt) {
		/* What happens between two mails concerns nobody. */
		talk_close(talk);
		return;
	}
	(void)talk_stumbles(talk, event);
	if (talk->mails > 1 && event->stage == SMTP_CLIENT_MAIL) {
		talk_close(talk);
		try_again(attempt);
		return;
	}
	note_failure(talk, event);
	if (event->err == ERR_CRYPTO)
		attempt_session_failed(talk);
	if (attempt->failure.host_level)
		talk_fail_queued(talk);
	talk_close(talk);
	if (event->err == ERR_CRYPTO && talk_tls == CONF_TLS_MAY && had_tls &&
	    !attempt->without_tls) {
		/* Encryption was a wish: the same host once more, in clear. */
		attempt_event_begin(attempt, &fell_back, "tls_fell_back");
		event_span(&fell_back, "text", buf_span(&attempt->failure.text));
		event_end(&fell_back);
		attempt->without_tls = true;
		recorder_fact(attempt, "once more, in clear text", SPAN(""));
		talk_start(attempt);
		return;
	}
	attempt_next(attempt);
}

void
talk_unreachable(struct talk *talk, const char *text)
{
	struct attempt *attempt = talk->attempt;

	attempt_fail(attempt, IPC_DEFERRED, 0, "4.4.1", text);
	attempt->failure.host_level = attempt->failure.down = true;
	talk_fail_queued(talk);
	talk_close(talk);
	attempt_next(attempt);
}

/* What is converted goes in pieces that the machine takes; false: the attempt is over. */
static bool
give_converted(struct talk *talk, struct span bytes, bool last)
{
	struct attempt *attempt = talk->attempt;
	struct buf out;
	enum err err = OK;

	buf_init(&out, CONVERT_OUT_BYTES_MAX);
	do {
		struct span piece = span_first(bytes, CONVERT_PIECE_BYTES_MAX);
		bool is_last = last && piece.len == bytes.len;

		buf_reset(&out);
		err = attempt_convert_body(attempt, piece, is_last, &out);
		if (!err)
			err = buf_finish(&out);
		if (!err)
			smtp_client_body(talk->smtp, buf_span(&out), is_last, now_ms(talk));
		bytes = span_skip(bytes, piece.len);
	} while (!err && bytes.len > 0);
	buf_fini(&out);
	if (!err)
		return true;
	/* Without an end, what was sent is no message. */
	attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0",
	    "the message read again is not what it was");
	attempt_finish(attempt);
	return false;
}

/* Gives the machine what is there of the body, while the host takes it. */
static void
give_body(struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	struct span piece;
	bool last;

	if (!attempt || !attempt->body_wanted ||
	    io_pending(talk->stream) > DELIVERY_OUTPUT_MAX)
		return;
	piece = buf_span(&attempt->body);
	last = attempt->body_given + piece.len == attempt->body_bytes;
	if (piece.len == 0 && !last) {
		delivery_ask_more(attempt);
		return;
	}
	if (SIM_BUG(BODY_PIECE_TWICE) && !last)
		smtp_client_body(talk->smtp, piece, false, now_ms(talk));
	if (!attempt->conversion.convert)
		smtp_client_body(talk->smtp, piece, last, now_ms(talk));
	else if (!give_converted(talk, piece, last))
		return;
	attempt->body_given += piece.len;
	buf_reset(&attempt->body);
	talk_flush(talk);
	if (!last) {
		delivery_ask_more(attempt);
		return;
	}
	attempt->body_wanted = false;
	talk_end_sent(talk);
}

/* Everything that the other server can make us do passes through this switch. */
void
talk_pump(struct talk *talk)
{
	struct smtp_client_event event;

	do {
		event = smtp_client_next(talk->smtp);
		switch (event.kind) {
		case SMTP_CLIENT_START_TLS:
			talk_flush(talk);
			talk_start_tls(talk);
			break;
		case SMTP_CLIENT_READY:
			if (talk->attempt)
				begin(talk);
			else
				talk_rest(talk);
			break;
		case SMTP_CLIENT_RCPT_DONE:
			take_rcpt(talk->attempt, &event);
			break;
		case SMTP_CLIENT_RCPT_VERDICT:
			take_verdict(talk, &event);
			break;
		case SMTP_CLIENT_BODY_WANTED:
			talk->attempt->body_wanted = true;
			break;
		case SMTP_CLIENT_MAIL_DONE:
			take_mail_done(talk, &event);
			talk_mail_over(talk, &event);
			break;
		case SMTP_CLIENT_FAILED:
			take_failed(talk, &event);
			break;
		case SMTP_CLIENT_CLOSED:
			talk_close(talk);
			break;
		case SMTP_CLIENT_WAIT:
			break;
		}
		if (talk->is_closed)
			return;
	} while (event.kind != SMTP_CLIENT_WAIT);
	talk_flush(talk);
	give_body(talk);
	if (!talk->is_closed)
		talk_settle(talk);
}

void
talk_mail(struct talk *talk)
{
	send_mail(talk);
	talk_pump(talk);
}

void
talk_mail_again(struct talk *talk)
{
	offer_mail(talk);
	talk_pump(talk);
}

void
talk_body(struct attempt *attempt)
{
	if (attempt->state == ATTEMPT_TALKING && attempt->talk && attempt->body_wanted)
		talk_pump(attempt->talk);
}
