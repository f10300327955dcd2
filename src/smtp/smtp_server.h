/*
 * SMTP server session (RFC 5321) as a pure state machine.
 *
 * Bytes from the client go in through smtp_server_input(); what they mean
 * comes out of smtp_server_next(), one event at a time; bytes for the client
 * wait in smtp_server_output().  No system call, no clock, no callback, no log:
 * the server, the fuzzer and the simulator all drive this same code.
 *
 * While an event owes a reply, next() gives WAIT and later commands stay in the
 * input, so pipelining (RFC 2920) needs nothing of the caller.
 */
#pragma once

#include "base/net.h"
#include "replies/reply.h"
#include "sasl/sasl_mechanism.h"
#include "smtp/address.h"
#include "smtp/smtp_parameter.h"

struct smtp_server;

enum { SMTP_SERVER_INPUT_BYTES = 66 * 1024 };

enum smtp_server_for { SMTP_SERVER_FOR_NOBODY, SMTP_SERVER_FOR_LOGINS, SMTP_SERVER_FOR_ALL };

struct smtp_server_options {
	struct span hostname;    /* must live as long as the session */
	bool software_in_greeting;
	bool submission;         /* MAIL needs AUTH first */
	bool lmtp;               /* LHLO; one reply to a message for each of its recipients */
	bool no_mail;            /* 521, and nothing else */
	bool xclient;            /* the client may say for whom it speaks */
	enum smtp_server_for vrfy, expn; /* who gets real answers */
	bool tls_offered;        /* STARTTLS may be used */
	bool tls_from_start;     /* the greeting waits for smtp_server_tls_started() */
	unsigned auth_mechanisms; /* a set of SASL mechanisms, offered under TLS only */
	unsigned extensions;     /* bits of enum smtp_extension: what EHLO offers of them */
	struct span solicit_refused; /* NO-SOLICITING: "a,b"; lives as hostname */
	uint64_t hold_max_s;     /* FUTURERELEASE: how long mail may be held */
	uint64_t by_min_s;       /* DELIVERBY: the least time that may be asked for; 0 none */
	uint64_t wall_ms;        /* the calendar's time when the session is created */
	uint64_t message_bytes_max;
	uint64_t command_bytes_max;
	uint64_t line_bytes_max;
	bool repair_line_ends; /* a bare CR or LF in a message becomes CRLF */
	uint64_t header_bytes_max;
	uint64_t rcpt_max;
	uint64_t received_max;
	uint64_t commands_max;
	uint64_t messages_max;
	uint64_t errors_max;
	uint64_t auth_failures_max;
	uint64_t command_timeout_ms;
	uint64_t data_timeout_ms;
	uint64_t session_timeout_ms;
	uint64_t idle_commands_max;  /* that bring no message nearer, between two of them */
	uint64_t transfer_bytes_min; /* of a message in each window */
	uint64_t transfer_window_ms;
	uint64_t message_timeout_ms; /* from DATA or the first BDAT to the end */
};

enum smtp_server_event_kind {
	SMTP_SERVER_WAIT,     /* nothing until input, an owed reply, a tick or sent output */
	SMTP_SERVER_MAIL,     /* address, mail: owes a reply */
	SMTP_SERVER_RCPT,     /* address, rcpt: owes a reply */
	SMTP_SERVER_DATA,     /* DATA or the first BDAT was allowed: a body begins; owes nothing */
	SMTP_SERVER_BODY,     /* bytes: dot-unstuffed, CRLF lines; valid until the next call */
	SMTP_SERVER_BODY_END, /* owes a reply, once it is durable; LMTP: one per recipient */
	SMTP_SERVER_VRFY,     /* query: owes a reply */
	SMTP_SERVER_EXPN,     /* query: owes a reply */
	SMTP_SERVER_ETRN,     /* query, a destination: owes a reply */
	SMTP_SERVER_XCLIENT,  /* client, login: it speaks for another; owes nothing */
	SMTP_SERVER_ABORT,    /* RSET, EHLO, a refused body, a lost session: drop the transaction */
	SMTP_SERVER_STARTTLS, /* send the output, then handshake, then smtp_server_tls_started() */
	SMTP_SERVER_AUTH,     /* auth: owes a challenge, auth_ok() or a reply */
	SMTP_SERVER_AUTH_ENDED, /* the client gave up an exchange; owes nothing */
	SMTP_SERVER_REFUSED,  /* a refusal by the machine itself, for the log: reply, command */
	SMTP_SERVER_CLOSE,    /* send the output, then close */
};

/* One step of an AUTH exchange; valid until it is answered, then wiped. */
struct smtp_server_step {
	bool begins;           /* the first of its exchange: mechanism is set */
	enum sasl_mechanism mechanism;
	bool has_response;     /* at the start there may be none */
	struct span response;  /* decoded */
};

struct smtp_server_event {
	enum smtp_server_event_kind kind;
	struct address address;     /* MAIL, RCPT; valid until the next call */
	struct smtp_mail_parameters mail; /* MAIL; valid until the next call */
	struct smtp_rcpt_parameters rcpt; /* RCPT; likewise */
	struct span body;           /* BODY */
	struct span query;          /* VRFY, EXPN, ETRN; valid until the next call */
	struct net_addr client;     /* XCLIENT: the client's; family 0: not said */
	struct smtp_server_step auth; /* AUTH */
	enum reply_id reply;        /* REFUSED */
	struct span command;        /* REFUSED: the line, raw */
};

struct smtp_server *smtp_server_create(
    const struct smtp_server_options *options, uint64_t now_ms);
void smtp_server_destroy(struct smtp_server *server);

/* Takes what fits and gives how much; the rest waits in the kernel. */
size_t smtp_server_input(struct smtp_server *server, struct span bytes, uint64_t now_ms);
struct smtp_server_event smtp_server_next(struct smtp_server *server);
/*
 * The reply that an event owes.  Its code decides what the session does:
 * a 2xx moves it on, another leaves it; a 421 closes it.
 */
void smtp_server_reply(struct smtp_server *server, const struct reply *reply);
/* Other answers to AUTH: one more challenge, as it is before base64; 235, for this login. */
void smtp_server_auth_challenge(struct smtp_server *server, struct span challenge);
void smtp_server_auth_ok(struct smtp_server *server, struct span login);
/* Other mechanisms from now on: those that a client may begin. */
void smtp_server_offer_auth(struct smtp_server *server, unsigned mechanisms);
/* The next owed reply will come late, or input is slow: the deadline starts anew. */
void smtp_server_touch(struct smtp_server *server, uint64_t now_ms);

struct span smtp_server_output(const struct smtp_server *server);
void smtp_server_output_done(struct smtp_server *server, size_t sent);

/* The handshake is done: what came before it is forgotten (RFC 3207 section 4.2). */
void smtp_server_tls_started(struct smtp_server *server, uint64_t now_ms);

/* The client closed its side, or the connection broke: ABORT where it applies, then CLOSE. */
void smtp_server_eof(struct smtp_server *server);

/* When smtp_server_tick() must be called at the latest. */
uint64_t smtp_server_deadline_ms(const struct smtp_server *server);
/* Past the deadline: a 421 and CLOSE. */
void smtp_server_tick(struct smtp_server *server, uint64_t now_ms);
/* Says 421 and closes as soon as no reply is owed and no body is under way. */
void smtp_server_shut_down(struct smtp_server *server);

/* Other limits than those of the options, from now on; 0 is none. */
struct smtp_server_limits {
	uint64_t command_timeout_ms, data_timeout_ms;
	uint64_t errors_max, idle_commands_max;
};
void smtp_server_limit(struct smtp_server *server, const struct smtp_server_limits *limits);

/* Observers. */
/* Refused commands so far, and wrong passwords. */
uint64_t smtp_server_errors(const struct smtp_server *server);
/* Memory that it holds for bytes in and out. */
size_t smtp_server_bytes(const struct smtp_server *server);
struct span smtp_server_helo(const struct smtp_server *server); /* "" before HELO or EHLO */
struct span smtp_server_login(const struct smtp_server *server); /* "" without AUTH */
/* "SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "UTF8SMTP...", "LMTP...": RFC 3848, RFC 6531. */
const char *smtp_server_protocol(const struct smtp_server *server);
bool smtp_server_is_tls(const struct smtp_server *server);
bool smtp_server_owes_reply(const struct smtp_server *server);
/* True while the client may still send: false once the machine waits only for its own side. */
bool smtp_server_wants_input(const struct smtp_server *server);
