/*
 * One SMTP session of "postrider check": what was seen, and what follows from
 * it.  The command line does the talking; the deciding is here.
 */
#pragma once

#include "check/check.h"
#include "check/check_reply.h"
#include "tls/tls_peer.h"

enum {
	CHECK_SLOW_GREETING_MS = 5000,
	CHECK_SLOW_REPLY_MS = 2000,
	CHECK_SMALL_BYTES = 10 << 20,
	CHECK_SOON_S = 14 * 86400,
	CHECK_RELAYS_MAX = 4,
	CHECK_FIRST_BYTES = 80,
	CHECK_WHY_BYTES = 300,
};

enum check_port {
	CHECK_PORT_SMTP,
	CHECK_PORT_SUBMISSION,
	CHECK_PORT_SUBMISSIONS,
	CHECK_PORT_OTHER
};

enum check_start {
	CHECK_START_NONE,      /* there is no connection */
	CHECK_START_GREETED,
	CHECK_START_SILENT,
	CHECK_START_CLOSED,
	CHECK_START_MALFORMED,
	CHECK_START_ENDLESS,
};

/* Of a name that a server gives itself. */
enum check_place { CHECK_PLACE_UNKNOWN, CHECK_PLACE_HERE, CHECK_PLACE_ELSEWHERE };

/* A command and its answer. */
struct check_ask {
	bool asked;
	char command[100];
	struct check_reply reply;
};

struct check_session {
	enum check_port port;
	bool wanted;      /* the port must answer: it was asked for, or is the one for mail */
	bool others_answer; /* another port of the host does */
	bool no_ipv6;     /* this machine has no way to addresses like that */
	char host[256];   /* the name that was asked for; "" where it was an address */
	enum err connect; /* ERR_REFUSED, ERR_TIMEOUT, ERR_UNREACHABLE */
	uint64_t connect_ms;

	enum check_start start;
	uint64_t greeting_ms;
	struct check_reply greeting;
	char first[CHECK_FIRST_BYTES]; /* the start of what is no greeting */
	size_t first_bytes;
	enum check_protocol protocol; /* by the first bytes, or by the answer to what we said */
	bool tls_answers; /* to a handshake where nothing was said in the clear */
	enum check_place greeting_place; /* of its name */

	bool tls_implicit; /* TLS from the first byte */
	bool tls_tried, tls_done;
	char tls_why[CHECK_WHY_BYTES]; /* it failed */
	struct tls_peer peer;
	bool tls_old; /* 1.1 or older is taken */

	struct check_ask ehlo, helo, starttls, ehlo_tls;
	struct check_ask vrfy_known, vrfy_unknown, expn;
	struct check_ask relays[CHECK_RELAYS_MAX];
	size_t relay_count;
	struct check_ask relay_mail;
	unsigned lf_replies; /* to NOOP LF NOOP CRLF; 0: not tried */

	enum err broke; /* OK; ERR_SYNTAX: a reply is none; ERR_CLOSED, ERR_TIMEOUT, ERR_TOO_LONG */
	char broke_at[100]; /* the command before that */
	uint64_t slowest_ms;
	char slowest[100];
};

/* All that follows from the session.  now_s: since 1970. */
void check_session_judge(struct check_report *report, struct span subject,
    const struct check_session *session, int64_t now_s);
/* A certificate by itself. */
void check_certificate_judge(struct check_report *report, struct span subject,
    struct span name, const struct tls_peer *peer, int64_t now_s);
/* Whether it greeted as a mail server does: a session can go on. */
bool check_session_greets(const struct check_session *session);
enum check_port check_port_of(uint16_t port);
