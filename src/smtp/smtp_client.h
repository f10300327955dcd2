/*
 * SMTP client session (RFC 5321) as a pure state machine, the mirror of
 * smtp_server.h: bytes from the server go in, events come out, bytes for the
 * server wait in the output.  One connection may carry many transactions.
 *
 * Everything that a server can say is bounded: length of a line, lines of a
 * reply, bytes before an answer.
 *
 * LMTP (RFC 2033) is the same with LHLO, and with a reply for each recipient after the message.
 */
#pragma once

#include "replies/reply.h"
#include "smtp/address.h"

struct smtp_client;

enum {
	SMTP_CLIENT_REPLY_LINES_MAX = 100,
	SMTP_CLIENT_REPLY_TEXT_MAX = 2048, /* of all lines together; the rest is cut */
	SMTP_CLIENT_LINE_BYTES_MAX = 4096,
	SMTP_CLIENT_RCPT_MAX = 1000,
	SMTP_CLIENT_INPUT_BYTES = 96 << 10, /* taken at least, after WAIT */
	/*
	 * All replies before a body may take so many times what one may, and a part of that more
	 * for each recipient; as may LMTP's replies to the body.
	 */
	SMTP_CLIENT_ALL_REPLIES = 3,
	SMTP_CLIENT_RCPT_SHARE = 30,
	SMTP_CLIENT_AHEAD_REPLY_MS = 30 * 1000, /* at most, for the reply to such a MAIL */
	SMTP_CLIENT_PIECE_BYTES_MAX = 1 << 20, /* of a body, in one call */
};

enum smtp_client_tls {
	SMTP_CLIENT_TLS_MAY,      /* STARTTLS when offered */
	SMTP_CLIENT_TLS_REQUIRED, /* fail without it */
	SMTP_CLIENT_TLS_NEVER,
	SMTP_CLIENT_TLS_IMPLICIT, /* the caller did the handshake before the first input */
};

/* A line of the dialogue, without secrets and the message; the spans live for the call. */
enum smtp_client_way { SMTP_CLIENT_WE_SAID, SMTP_CLIENT_THEY_SAID };
typedef void smtp_client_said(
    void *owner, enum smtp_client_way way, struct span line, uint64_t now_ms);

struct smtp_client_options {
	struct span helo;
	enum smtp_client_tls tls;
	struct span login, password; /* AUTH PLAIN or LOGIN where login is not empty */
	bool auth_without_tls;       /* allow AUTH on a plain connection (loopback only) */
	bool lmtp;
	bool no_chunks; /* BDAT only for what is binary */
	uint64_t reply_timeout_ms;
	smtp_client_said *said; /* told of each line of the dialogue; NULL: nobody is */
	void *said_owner;
};

/* What the sender wants to be told of a recipient: bits of NOTIFY (RFC 3461); 0: unsaid. */
enum {
	SMTP_CLIENT_NOTIFY_NEVER = 1,
	SMTP_CLIENT_NOTIFY_SUCCESS = 2,
	SMTP_CLIENT_NOTIFY_FAILURE = 4,
	SMTP_CLIENT_NOTIFY_DELAY = 8,
};
enum smtp_client_ret { SMTP_CLIENT_RET_UNSAID, SMTP_CLIENT_RET_FULL, SMTP_CLIENT_RET_HDRS };
enum smtp_client_by { SMTP_CLIENT_BY_NONE, SMTP_CLIENT_BY_RETURN, SMTP_CLIENT_BY_NOTIFY };

struct smtp_client_rcpt_asks {
	unsigned notify;
	struct span orcpt; /* "rfc822;xtext"; "": none */
};

struct smtp_client_mail {
	struct span reverse_path;    /* "" for <>; without brackets */
	const struct span *rcpts;    /* without brackets; 1 to SMTP_CLIENT_RCPT_MAX */
	size_t rcpt_count;
	uint64_t body_bytes;         /* for SIZE: as many as body comes, or a few more */
	bool body_8bit, smtputf8;
	bool body_binary; /* lines end as they may: only BDAT will do */
	bool envelope_only; /* to probe: it ends with the replies to the recipients */
	bool requiretls;  /* RFC 8689; the caller has verified the server's certificate */
	/* The rest is said where the server offers it, but for a by that is a condition. */
	const struct smtp_client_rcpt_asks *asks; /* of each recipient; NULL: nothing */
	enum smtp_client_ret ret;
	struct span envid; /* xtext; "": none */
	enum smtp_client_by by;
	int64_t by_s; /* how long it may take from now on */
	bool by_trace;
	bool has_priority;
	int priority; /* RFC 6710: -9 to 9 */
};

/* The stage at which something happened, for logs and bounces. */
enum smtp_client_stage {
	SMTP_CLIENT_GREETING,
	SMTP_CLIENT_EHLO,
	SMTP_CLIENT_STARTTLS,
	SMTP_CLIENT_AUTH,
	SMTP_CLIENT_MAIL,
	SMTP_CLIENT_RCPT,
	SMTP_CLIENT_DATA,
	SMTP_CLIENT_BODY_SENT, /* after the final dot */
	SMTP_CLIENT_QUIT,
};
const char *smtp_client_stage_name(enum smtp_client_stage stage);

enum smtp_client_event_kind {
	SMTP_CLIENT_WAIT,      /* nothing until input or a tick */
	SMTP_CLIENT_START_TLS, /* output is empty: handshake, then smtp_client_tls_started() */
	SMTP_CLIENT_READY,     /* greeted, encrypted, authenticated: smtp_client_send(), _quit() */
	/*
	 * Recipient index: refused, with its reply; or accepted so far (2xx).  In order, each at
	 * most once; none where MAIL was refused.
	 */
	SMTP_CLIENT_RCPT_DONE,
	/*
	 * A piece, or a few, with smtp_client_body(); comes again once these are taken and the
	 * output is small.
	 */
	SMTP_CLIENT_BODY_WANTED,
	/*
	 * LMTP, after the message: what became of recipient index, of those accepted so far.  In
	 * order; where the session fails before all were told, the rest is in doubt.
	 */
	SMTP_CLIENT_RCPT_VERDICT,
	/*
	 * The transaction ended: reply holds for all recipients not refused.  READY follows, or
	 * FAILED, which then concerns no recipient.
	 */
	SMTP_CLIENT_MAIL_DONE,
	SMTP_CLIENT_FAILED, /* the session can't go on: stage, err, reply if there was one */
	SMTP_CLIENT_CLOSED, /* after QUIT was answered */
};

struct smtp_client_reply {
	unsigned code;             /* 0: none came */
	unsigned short status[3];  /* enhanced code; zeros: none */
	struct span text;          /* all lines, joined with "\n", raw; valid until the next call */
};

struct smtp_client_event {
	enum smtp_client_event_kind kind;
	enum smtp_client_stage stage;
	size_t rcpt_index;               /* RCPT_DONE, RCPT_VERDICT */
	struct smtp_client_reply reply;  /* a line that is no reply is its text, with code 0 */
	enum err err; /* FAILED: ERR_CLOSED, ERR_TIMEOUT, ERR_SYNTAX (not SMTP), ERR_CRYPTO (no TLS
	                 where it is required), ERR_DENIED (refused, see reply), ERR_UNSUPPORTED
	                 (no AUTH mechanism that we know) */
};

/* options' spans are copied. */
struct smtp_client *smtp_client_create(
    const struct smtp_client_options *options, uint64_t now_ms);
void smtp_client_destroy(struct smtp_client *client);

/*
 * Takes what fits and gives how much; pull events until WAIT, then give the rest: by then any
 * SMTP_CLIENT_INPUT_BYTES fit, such as the replies to a thousand pipelined recipients.  All
 * that was read before START_TLS has to be given before the handshake: such bytes are an attack.
 */
size_t smtp_client_input(struct smtp_client *client, struct span bytes, uint64_t now_ms);
/* The server closed its side, or the connection broke. */
void smtp_client_eof(struct smtp_client *client);
struct smtp_client_event smtp_client_next(struct smtp_client *client);

void smtp_client_tls_started(struct smtp_client *client, uint64_t now_ms);
/* The handshake failed after the server agreed to it: FAILED with ERR_CRYPTO follows. */
void smtp_client_tls_failed(struct smtp_client *client);
/*
 * After READY.  The mail's spans are copied.  What this server would refuse anyhow (too large), or
 * lacks an extension for (smtp_client_lacks), ends at once with a reply of ours.  Without effect
 * on a session that failed meanwhile, as are the other calls.
 */
void smtp_client_send(
    struct smtp_client *client, const struct smtp_client_mail *mail, uint64_t now_ms);
/*
 * Another mail, whose commands go out behind the end of the body that was given last, before that
 * is answered (RFC 2920 section 3.1).  From that one's MAIL_DONE on, which no READY follows, events
 * concern this one; or CLOSED follows, and then nothing became of it.  Where the session fails
 * before MAIL_DONE, nothing became of it either.
 *
 * False, and nothing is done: not now, or not with this server (smtp_client_may_send_ahead), or the
 * server lacks what it needs.
 */
bool smtp_client_send_ahead(
    struct smtp_client *client, const struct smtp_client_mail *mail, uint64_t now_ms);
bool smtp_client_may_send_ahead(const struct smtp_client *client);
/* Whether the mail at hand, since its turn came, is one that was sent ahead. */
bool smtp_client_was_ahead(const struct smtp_client *client);
/* Before MAIL_DONE: it is not to be sent after all; so the session ends with what is before it. */
void smtp_client_drop_ahead(struct smtp_client *client);
/*
 * After BODY_WANTED: lines end with CRLF already; dots are stuffed here, or the piece becomes a
 * chunk (BDAT) where the server offers CHUNKING and PIPELINING; last adds the end.
 */
void smtp_client_body(
    struct smtp_client *client, struct span bytes, bool last, uint64_t now_ms);
void smtp_client_quit(struct smtp_client *client, uint64_t now_ms);

struct span smtp_client_output(const struct smtp_client *client);
void smtp_client_output_done(struct smtp_client *client, size_t sent);

uint64_t smtp_client_deadline_ms(const struct smtp_client *client);
/* Past the deadline: FAILED with ERR_TIMEOUT. */
void smtp_client_tick(struct smtp_client *client, uint64_t now_ms);
bool smtp_client_is_tls(const struct smtp_client *client);
/*
 * Whether the last mail was refused by us, for want of an extension, or because it is larger than
 * the server takes: another server may do.
 */
bool smtp_client_lacks(const struct smtp_client *client);
/* Whether the server offers SMTPUTF8; 8BITMIME; BINARYMIME, with CHUNKING.  After READY. */
bool smtp_client_takes_utf8(const struct smtp_client *client);
bool smtp_client_takes_8bit(const struct smtp_client *client);
bool smtp_client_takes_binary(const struct smtp_client *client);
/* Whether the server takes over what the sender wants to be told (DSN), and the time (BY). */
bool smtp_client_passes_dsn(const struct smtp_client *client);
bool smtp_client_passes_by(const struct smtp_client *client);
/*
 * How long the server took for the quickest of its replies: about what the line takes, where it is
 * long.  UINT64_MAX: there was none yet.
 */
uint64_t smtp_client_quickest_ms(const struct smtp_client *client);
/* True where the last failure came after the final dot: the server may have taken the message. */
bool smtp_client_in_doubt(const struct smtp_client *client);
