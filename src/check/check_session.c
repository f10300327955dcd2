#include "check/check_session.h"

#include <stdio.h>

#include "base/check.h"
#include "base/date.h"

enum { SMTP = 25, SUBMISSIONS = 465, SUBMISSION = 587 };

struct judge {
	struct check_report *report;
	struct span subject;
	const struct check_session *session;
	int64_t now_s;
};

static void
say(const struct judge *judge, enum finding id)
{
	check_add(judge->report, id, judge->subject, WORD_COUNT, NULL);
}

/* The finding, with what the server said. */
static void
say_heard(const struct judge *judge, enum finding id, const struct check_reply *reply)
{
	char text[CHECK_TEXT_BYTES_MAX];

	check_reply_first(reply, text, sizeof(text));
	check_add(judge->report, id, judge->subject, WORD_CHECK_HEARD,
	    &(struct word_fields){.text = span_str(text)});
}

static void
say_asked(const struct judge *judge, enum finding id, const struct check_ask *ask)
{
	char text[CHECK_TEXT_BYTES_MAX];

	check_reply_first(&ask->reply, text, sizeof(text));
	check_add(judge->report, id, judge->subject, WORD_CHECK_ASKED,
	    &(struct word_fields){.a = span_str(ask->command), .text = span_str(text)});
}

static void
say_reason(const struct judge *judge, enum finding id, const char *why)
{
	check_add(judge->report, id, judge->subject, WORD_CHECK_REASON,
	    &(struct word_fields){.text = span_str(why)});
}

static void
say_took(const struct judge *judge, enum finding id, uint64_t ms, const char *after)
{
	char seconds[32];

	snprintf(seconds, sizeof(seconds), "%.1f", (double)ms / 1000);
	check_add(judge->report, id, judge->subject,
	    *after ? WORD_CHECK_TOOK_AFTER : WORD_CHECK_TOOK,
	    &(struct word_fields){.a = span_str(seconds), .text = span_str(after)});
}

enum check_port
check_port_of(uint16_t port)
{
	return port == SMTP	     ? CHECK_PORT_SMTP
	       : port == SUBMISSION  ? CHECK_PORT_SUBMISSION
	       : port == SUBMISSIONS ? CHECK_PORT_SUBMISSIONS
				     : CHECK_PORT_OTHER;
}

bool
check_session_greets(const struct check_session *session)
{
	return session->start == CHECK_START_GREETED && session->greeting.code == 220 &&
	       session->protocol == CHECK_PROTOCOL_SMTP;
}

static void
judge_connection(const struct judge *judge)
{
	const struct check_session *session = judge->session;

	if (session->no_ipv6)
		say(judge, FINDING_IPV6_NOT_HERE);
	else if (!session->wanted && session->others_answer)
		say(judge, FINDING_PORT_NOT_SERVED);
	else if (session->connect == ERR_REFUSED)
		say(judge, FINDING_PORT_REFUSED);
	else if (session->connect == ERR_TIMEOUT)
		say(judge, FINDING_PORT_NO_ANSWER);
	else
		say(judge, FINDING_PORT_UNREACHABLE);
}

static bool
is_other_protocol(enum check_protocol protocol)
{
	return protocol != CHECK_PROTOCOL_UNKNOWN && protocol != CHECK_PROTOCOL_SMTP &&
	       protocol != CHECK_PROTOCOL_TLS;
}

static void
say_first(const struct judge *judge, enum finding id)
{
	const struct check_session *session = judge->session;
	struct span first = span_of(session->first, session->first_bytes);

	first = span_trim(span_first(first, span_find(first, '\n')));
	check_add(judge->report, id, judge->subject, first.len ? WORD_CHECK_HEARD : WORD_COUNT,
	    &(struct word_fields){.text = first});
}

static void
judge_code(const struct judge *judge)
{
	const struct check_session *session = judge->session;

	switch (session->greeting.code) {
	case 220:
		say_heard(judge, FINDING_GREETING_GOOD, &session->greeting);
		if (check_greeting_name(&session->greeting).len == 0)
			say(judge, FINDING_GREETING_NO_NAME);
		else if (session->greeting_place == CHECK_PLACE_ELSEWHERE)
			check_add(judge->report, FINDING_GREETING_NAME_ELSEWHERE,
			    judge->subject, WORD_CHECK_FOUND,
			    &(struct word_fields){
				.text = check_greeting_name(&session->greeting)});
		return;
	case 421:
		say_heard(judge, FINDING_GREETING_421, &session->greeting);
		return;
	case 521:
		say_heard(judge, FINDING_GREETING_521, &session->greeting);
		return;
	case 554:
		say_heard(judge, FINDING_GREETING_554, &session->greeting);
		return;
	default:
		say_heard(judge, FINDING_GREETING_OTHER, &session->greeting);
		return;
	}
}

static void
judge_start(const struct judge *judge)
{
	const struct check_session *session = judge->session;

	if (is_other_protocol(session->protocol)) {
		check_add(judge->report, FINDING_WRONG_PROTOCOL, judge->subject,
		    WORD_CHECK_SPEAKS,
		    &(struct word_fields){
			.text = span_str(check_protocol_name(session->protocol))});
		return;
	}
	switch (session->start) {
	case CHECK_START_GREETED:
		judge_code(judge);
		if (session->greeting_ms >= CHECK_SLOW_GREETING_MS)
			say_took(judge, FINDING_GREETING_SLOW, session->greeting_ms, "");
		return;
	case CHECK_START_SILENT:
		say(judge, session->tls_answers || session->protocol == CHECK_PROTOCOL_TLS
			       ? FINDING_TLS_EXPECTED
			       : FINDING_PORT_SILENT);
		return;
	case CHECK_START_CLOSED:
		say(judge, FINDING_GREETING_CLOSED);
		return;
	case CHECK_START_MALFORMED:
		say_first(judge, FINDING_GREETING_MALFORMED);
		return;
	case CHECK_START_ENDLESS:
		say(judge, FINDING_GREETING_ENDLESS);
		return;
	case CHECK_START_NONE:
		return;
	}
}

static void
judge_hello(const struct judge *judge)
{
	const struct check_session *session = judge->session;
	const struct check_ask *ehlo =
	    session->ehlo_tls.reply.code ? &session->ehlo_tls : &session->ehlo;
	struct check_offer offer;
	char size[32];

	if (session->helo.reply.code && session->helo.reply.code != 250)
		say_asked(judge, FINDING_HELO_REFUSED, &session->helo);
	else if (session->ehlo.reply.code && session->ehlo.reply.code != 250)
		say_asked(judge, FINDING_EHLO_REFUSED, &session->ehlo);
	if (ehlo->reply.code != 250)
		return;
	check_offer_read(&ehlo->reply, &offer);
	if (!offer.pipelining)
		say(judge, FINDING_PIPELINING_MISSING);
	if (!offer.enhanced)
		say(judge, FINDING_ENHANCED_MISSING);
	if (offer.size && offer.size_bytes > 0 && offer.size_bytes < CHECK_SMALL_BYTES) {
		snprintf(size, sizeof(size), "SIZE %llu",
		    (unsigned long long)offer.size_bytes);
		check_add(judge->report, FINDING_SIZE_SMALL, judge->subject,
		    WORD_CHECK_FOUND, &(struct word_fields){.text = span_str(size)});
	}
}

static void
judge_tls(const struct judge *judge)
{
	const struct check_session *session = judge->session;
	struct check_offer offer;

	check_offer_read(&session->ehlo.reply, &offer);
	if (!session->tls_implicit && session->ehlo.reply.code == 250 && !offer.starttls)
		say(judge, FINDING_STARTTLS_MISSING);
	if (session->starttls.reply.code && session->starttls.reply.code != 220)
		say_asked(judge, FINDING_STARTTLS_REFUSED, &session->starttls);
	if (session->tls_tried && !session->tls_done)
		say_reason(judge, FINDING_TLS_FAILED, session->tls_why);
	if (!session->tls_done)
		return;
	if (session->tls_old)
		say(judge, FINDING_TLS_OLD);
	if (session->peer.version < 0x0304)
		say(judge, FINDING_TLS_NO_13);
	check_certificate_judge(judge->report, judge->subject, span_str(session->host),
	    &session->peer, judge->now_s);
}

static void
judge_auth(const struct judge *judge)
{
	const struct check_session *session = judge->session;
	bool users = session->port == CHECK_PORT_SUBMISSION ||
		     session->port == CHECK_PORT_SUBMISSIONS;
	struct check_offer clear, inside;

	check_offer_read(&session->ehlo.reply, &clear);
	check_offer_read(&session->ehlo_tls.reply, &inside);
	if (session->tls_implicit)
		inside = clear;
	else if (clear.auth)
		say(judge, FINDING_AUTH_IN_CLEAR);
	if (users && session->tls_done && !inside.auth &&
	    (session->tls_implicit || session->ehlo_tls.reply.code == 250))
		say(judge, FINDING_AUTH_MISSING);
}

/* Whether an answer says something about the address, or only about VRFY. */
static bool
tells(unsigned code)
{
	return code == 250 || code == 251 || code == 252 || code == 550 || code == 551 ||
	       code == 553;
}

static void
judge_vrfy(const struct judge *judge)
{
	const struct check_session *session = judge->session;
	unsigned known = session->vrfy_known.reply.code;
	unsigned unknown = session->vrfy_unknown.reply.code;
	char first[CHECK_TEXT_BYTES_MAX], second[CHECK_TEXT_BYTES_MAX];

	if (known && unknown && known != unknown && tells(known) && tells(unknown)) {
		check_reply_first(&session->vrfy_known.reply, first, sizeof(first));
		check_reply_first(&session->vrfy_unknown.reply, second, sizeof(second));
		check_add(judge->report, FINDING_VRFY_LEAKS, judge->subject,
		    WORD_CHECK_ASKED_TWO,
		    &(struct word_fields){.a = span_str(session->vrfy_known.command),
			.text = span_str(first),
			.b = span_str(session->vrfy_unknown.command),
			.other = span_str(second)});
	} else if (known && unknown) {
		say_asked(judge, FINDING_VRFY_GUARDED, &session->vrfy_unknown);
	}
	if (session->expn.reply.code == 250)
		say_asked(judge, FINDING_EXPN_LEAKS, &session->expn);
}

static void
judge_relay(const struct judge *judge)
{
	const struct check_session *session = judge->session;
	const struct check_ask *unclear = NULL;

	/* Whoever must log in first is no stranger any more. */
	if (session->relay_mail.reply.code == 530) {
		say_asked(judge, FINDING_RELAY_REFUSED, &session->relay_mail);
		return;
	}
	if (session->relay_mail.asked && session->relay_mail.reply.code != 250)
		unclear = &session->relay_mail;
	for (size_t i = 0; i < session->relay_count; i++) {
		unsigned code = session->relays[i].reply.code;

		if (code >= 200 && code < 300) {
			say_asked(judge, FINDING_OPEN_RELAY, &session->relays[i]);
			return;
		}
		if (code < 500)
			unclear = &session->relays[i];
	}
	if (unclear)
		say_asked(judge, FINDING_RELAY_UNCLEAR, unclear);
	else if (session->relay_count > 0)
		say_asked(judge, FINDING_RELAY_REFUSED, &session->relays[0]);
}

static void
judge_end(const struct judge *judge)
{
	const struct check_session *session = judge->session;

	if (session->broke == ERR_SYNTAX || session->broke == ERR_TOO_LONG)
		check_add(judge->report, FINDING_REPLY_MALFORMED, judge->subject,
		    WORD_CHECK_AFTER, &(struct word_fields){.a = span_str(session->broke_at)});
	else if (session->broke)
		check_add(judge->report, FINDING_SESSION_BROKE, judge->subject,
		    WORD_CHECK_AFTER, &(struct word_fields){.a = span_str(session->broke_at)});
	if (session->slowest_ms >= CHECK_SLOW_REPLY_MS)
		say_took(
		    judge, FINDING_REPLY_SLOW, session->slowest_ms, session->slowest);
	if (session->lf_replies > 1)
		say(judge, FINDING_BARE_LF_COMMAND);
}

void
check_session_judge(struct check_report *report, struct span subject,
    const struct check_session *session, int64_t now_s)
{
	const struct judge judge = {report, subject, session, now_s};

	if (session->connect != OK) {
		judge_connection(&judge);
		return;
	}
	if (session->port == CHECK_PORT_SUBMISSIONS && !session->tls_implicit &&
	    session->start == CHECK_START_GREETED)
		say_heard(&judge, FINDING_PLAIN_ON_TLS_PORT, &session->greeting);
	if (session->tls_implicit && session->tls_tried && !session->tls_done) {
		say_reason(&judge, FINDING_TLS_FAILED, session->tls_why);
		return;
	}
	judge_start(&judge);
	if (session->tls_implicit)
		judge_tls(&judge);
	if (!check_session_greets(session))
		return;
	judge_hello(&judge);
	if (!session->tls_implicit)
		judge_tls(&judge);
	judge_auth(&judge);
	judge_vrfy(&judge);
	judge_relay(&judge);
	judge_end(&judge);
}

static void
say_date(struct check_report *report, enum finding id, struct span subject, enum word word,
    int64_t seconds)
{
	struct buf date;

	buf_init(&date, DATE_TEXT_BYTES + 1);
	date_write(&date, seconds > 0 ? (uint64_t)seconds * 1000 : 0);
	check_add(report, id, subject, word,
	    &(struct word_fields){.text = span_first(buf_span(&date), 10)});
	buf_fini(&date);
}

void
check_certificate_judge(struct check_report *report, struct span subject,
    struct span name, const struct tls_peer *peer, int64_t now_s)
{
	bool good = (name.len == 0 || peer->name_fits) && peer->trusted;

	if (peer->chain_count == 0)
		return;
	if (peer->until_s < now_s)
		say_date(report, FINDING_CERTIFICATE_EXPIRED, subject, WORD_CHECK_ENDED,
		    peer->until_s);
	else if (peer->from_s > now_s)
		say_date(report, FINDING_CERTIFICATE_NOT_YET, subject, WORD_CHECK_BEGINS,
		    peer->from_s);
	else if (peer->until_s < now_s + CHECK_SOON_S)
		say_date(report, FINDING_CERTIFICATE_EXPIRES_SOON, subject,
		    WORD_CHECK_ENDS, peer->until_s);
	else if (good)
		say_date(report, FINDING_CERTIFICATE_GOOD, subject, WORD_CHECK_ENDS,
		    peer->until_s);
	if (!peer->name_fits && name.len > 0)
		check_add(report, FINDING_CERTIFICATE_NAME, subject, WORD_CHECK_NAMES,
		    &(struct word_fields){.text = span_str(peer->names), .name = name});
	if (peer->self_signed && !peer->trusted)
		check_add(report, FINDING_CERTIFICATE_SELF_SIGNED, subject, WORD_COUNT, NULL);
	else if (!peer->trusted)
		check_add(report, FINDING_CERTIFICATE_UNTRUSTED, subject,
		    WORD_CHECK_REASON,
		    &(struct word_fields){.text = span_str(peer->why)});
	if (peer->weak_key || peer->weak_signature)
		check_add(report, FINDING_CERTIFICATE_WEAK, subject, WORD_COUNT, NULL);
}
