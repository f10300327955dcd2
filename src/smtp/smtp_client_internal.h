/*
 * The client session's inside, shared by smtp_client*.c and nobody else.
 *
 *   GREETING ─► EHLO ──► STARTTLS ─► START_TLS ─► HANDSHAKE ─► EHLO again
 *                │ └► HELO   │
 *                ▼           ▼
 *               AUTH_PLAIN │ AUTH_LOGIN ─► AUTH_USER ─► AUTH_END
 *                ▼
 *     ┌───────► READY ─► IDLE ─► RSET ─► MAIL ─► RCPT ─► DATA ─► BODY_WANT ◄─► BODY_GIVE
 *     │                   │               │       │       │          ▼
 *     │                   ├► LOCAL ─┐     └───────┴───────┤         DOT
 *     │                   ▼         └────────────────────►│          │
 *   DRAIN, DROP ◄─────────┼────────────────────────────── VERDICT ◄──┘
 *                         ▼
 *                        QUIT ─► CLOSING ─► CLOSED        any ─► FAILING ─► FAILED
 *
 * With LMTP, DOT takes a reply for each recipient that was accepted.
 *
 * A mail that is sent ahead, in DOT, goes from VERDICT straight to MAIL.
 *
 * BDAT goes from RCPT straight to BODY_WANT; each of its chunks has a reply.
 *
 * Every reply is counted against a command in flight, so one that nobody asked
 * for is seen as such in every state.
 */
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "smtp/smtp_client.h"

#define BIT(n) (1u << (n))

enum { SMTP_CLIENT_ORCPT_BYTES_MAX = 500 };

enum smtp_client_state {
	STATE_GREETING,
	STATE_EHLO,
	STATE_HELO,
	STATE_STARTTLS,
	STATE_START_TLS, /* owes the event, once the output is empty */
	STATE_HANDSHAKE,
	STATE_AUTH_PLAIN,
	STATE_AUTH_LOGIN,
	STATE_AUTH_USER,
	STATE_AUTH_END,
	STATE_READY, /* owes the event */
	STATE_IDLE,
	STATE_LOCAL, /* owes a refusal of our own for each recipient */
	STATE_RSET,
	STATE_MAIL,
	STATE_RCPT,
	STATE_DATA,
	STATE_BODY_WANT, /* owes the event, while the output is small */
	STATE_BODY_GIVE,
	STATE_DOT,
	STATE_VERDICT, /* owes the event */
	STATE_DRAIN, /* reads what a pipelined transaction that failed still answers */
	STATE_DROP, /* ended a body that nobody is to get */
	STATE_QUIT,
	STATE_CLOSING, /* owes the event */
	STATE_CLOSED,
	STATE_FAILING, /* owes the event */
	STATE_FAILED,
	STATE_COUNT,
};

enum smtp_client_offer {
	OFFER_STARTTLS = BIT(0),
	OFFER_PIPELINING = BIT(1),
	OFFER_8BITMIME = BIT(2),
	OFFER_SMTPUTF8 = BIT(3),
	OFFER_SIZE = BIT(4),
	OFFER_PLAIN = BIT(5),
	OFFER_LOGIN = BIT(6),
	OFFER_DSN = BIT(7),
	OFFER_DELIVERBY = BIT(8),
	OFFER_PRIORITY = BIT(9),
	OFFER_REQUIRETLS = BIT(10),
	OFFER_CHUNKING = BIT(11),
	OFFER_BINARYMIME = BIT(12),
};

struct smtp_client_copy {
	struct arena arena;
	struct smtp_client_mail mail; /* its spans are in the arena */
	bool *accepted;               /* by recipient; in the arena */
};

struct smtp_client {
	enum smtp_client_state state;
	enum smtp_client_tls tls;
	bool is_tls;
	bool auth_without_tls;
	bool lmtp, no_chunks;
	char *helo, *login, *password;
	uint64_t reply_timeout_ms;
	smtp_client_said *said;
	void *said_owner;

	/* What the last EHLO said. */
	unsigned offers;
	uint64_t size_max; /* 0: no limit */
	uint64_t by_s_min; /* DELIVERBY; 0: any */

	/* The transaction. */
	struct smtp_client_copy now;
	size_t rcpt_index, rcpt_ok;
	size_t verdict_index; /* LMTP: recipients before it have their verdict */
	bool open; /* the server took MAIL and has not ended the transaction */
	bool lacks; /* the last mail needs what the server has not */
	uint64_t body_given; /* bytes of the body so far */
	char tail[2]; /* the last two bytes of the body */

	/* The one that was sent ahead, behind the end of that. */
	struct smtp_client_copy ahead;
	size_t ahead_in_flight; /* its commands; 0: there is none */
	bool ahead_dropped;
	bool was_ahead; /* the mail at hand was sent so */

	/* The reply being read, or the last one. */
	size_t line_count; /* lines read of a reply that goes on; 0: none */
	struct smtp_client_reply reply; /* its text is in text */
	struct buf text;

	size_t in_flight; /* commands sent whose replies did not come yet */
	struct buf input, output;
	size_t input_done; /* bytes of the input that were read */
	bool eof;

	uint64_t begun_ms, end_ms; /* the transaction; the last piece of its body was given */
	uint64_t asked_ms; /* when the first command was sent whose reply is awaited; 0: none was */
	uint64_t quickest_ms; /* of all replies; UINT64_MAX: there was none */
	uint64_t now_ms, wait_ms, line_ms; /* now; the wait began; the last line came */
	enum smtp_client_stage stage; /* of VERDICT and FAILING */
	enum err err;
	bool in_doubt;
};

static inline bool
smtp_client_has_ended(const struct smtp_client *client)
{
	return client->state >= STATE_CLOSING;
}

/* Time never goes backwards, whatever the caller says. */
static inline void
smtp_client_note_time(struct smtp_client *client, uint64_t now_ms)
{
	if (now_ms > client->now_ms)
		client->now_ms = now_ms;
}

/* The only place that writes client->state. */
void smtp_client_move(struct smtp_client *client, enum smtp_client_state next);
/* Ends the session; the event carries no reply. */
void smtp_client_fail(struct smtp_client *client, enum err err);
/* Ends the session over the reply that just came. */
void smtp_client_refuse(struct smtp_client *client, enum err err);
/* Adds a command line, CRLF included, whose reply is awaited. */
void smtp_client_command(struct smtp_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether something is waited for. */
bool smtp_client_is_timed(const struct smtp_client *client);

/* smtp_client_reply.c: true once a whole reply is there, or the session failed over it. */
bool smtp_client_read_reply(struct smtp_client *client);
/* A reply of our own, in the place of one that the server would have given. */
void smtp_client_reply_local(struct smtp_client *client, unsigned code, unsigned subject,
    unsigned detail, const char *text);

/* smtp_client_time.c */
/* Waiting begins anew. */
void smtp_client_touch(struct smtp_client *client);
/* A reply came: how long it took, if it is the first one to what was sent since the last. */
void smtp_client_note_quickness(struct smtp_client *client);

/* smtp_client_said.c: what the owner is told of the dialogue */
/* A command, without what logs us in. */
void smtp_client_tell_command(const struct smtp_client *client, struct span line);
/* What went to the server instead of a line: the message. */
void smtp_client_say_bytes(struct smtp_client *client, uint64_t count);
/* A line that the server said, of which a reply is made. */
void smtp_client_hear(struct smtp_client *client, struct span line);

/* smtp_client_mail.c: a transaction */
/* Whether its body goes by BDAT. */
bool smtp_client_is_chunked(
    const struct smtp_client *client, const struct smtp_client_mail *mail);
/* Makes a copy of all that mail points to. */
void smtp_client_copy_mail(struct smtp_client_copy *into, const struct smtp_client_mail *mail);
/* Whether smtp_client_send() would refuse it by itself. */
bool smtp_client_cannot_have(const struct smtp_client *client, const struct smtp_client_mail *mail);
/* All commands that come before the body, in one group. */
void smtp_client_say_envelope(struct smtp_client *client, const struct smtp_client_mail *mail);
/* A transaction begins: nobody has answered yet. */
void smtp_client_begin_mail(struct smtp_client *client);
/* smtp_client_ahead.c: what follows the end of one. */
void smtp_client_mail_over(struct smtp_client *client);

/* smtp_client_hello.c: one line of an EHLO reply. */
void smtp_client_note_offer(struct smtp_client *client, struct span line);

/* What a state does with a reply of one class; gives the event that comes of it, or WAIT. */
typedef enum smtp_client_event_kind smtp_client_take(struct smtp_client *client);

smtp_client_take smtp_client_out_of_step, smtp_client_denied;
smtp_client_take smtp_client_greeted, smtp_client_hello_ok, smtp_client_ehlo_never;
smtp_client_take smtp_client_tls_ok, smtp_client_tls_refused;
smtp_client_take smtp_client_plain_more, smtp_client_login_more, smtp_client_user_more;
smtp_client_take smtp_client_auth_ok;
smtp_client_take smtp_client_reset, smtp_client_mail_ok, smtp_client_mail_refused;
smtp_client_take smtp_client_rcpt_ok, smtp_client_rcpt_refused;
smtp_client_take smtp_client_chunk_ok, smtp_client_chunk_refused;
smtp_client_take smtp_client_data_go, smtp_client_data_refused, smtp_client_dot_done;
smtp_client_take smtp_client_drain, smtp_client_drain_data, smtp_client_dropped;
smtp_client_take smtp_client_quit_done;
