/*
 * The protocol as a table: in which state, what happens, under which condition, is answered how,
 * and leads where.
 *
 * The first row that fits decides.  The machine looks up what it says and where it goes here and
 * nowhere else; the test of every command in every state walks it, HELP lists it, and
 * smtp_server_page.c prints it as docs/smtp-states.md.
 */
#pragma once

#include "replies/reply.h"

#define BIT(n) (1u << (n))

/* Diagram: smtp_server_state.c. */
enum smtp_server_state {
	SERVER_CONNECTED,  /* TLS from the start: the handshake comes first */
	SERVER_GREETED,    /* no HELO or EHLO yet */
	SERVER_READY,      /* no transaction */
	SERVER_ASKED,      /* ETRN, VRFY or EXPN: owes a reply */
	SERVER_AUTH_LINE,  /* a 334 was said: the next line is its answer */
	SERVER_AUTH_ASKED, /* owes a reply */
	SERVER_MAIL_ASKED, /* owes a reply */
	SERVER_MAIL,       /* transaction without an accepted recipient */
	SERVER_RCPT_ASKED, /* owes a reply */
	SERVER_RCPT,       /* transaction with a recipient */
	SERVER_BODY,       /* after the 354 */
	SERVER_BODY_BAD,   /* the same, of a message that will be refused */
	SERVER_CHUNK,      /* the octets of a BDAT */
	SERVER_CHUNK_BAD,  /* the same, of a BDAT that will be refused */
	SERVER_CHUNKS,     /* between one BDAT and the next */
	SERVER_VERDICT,    /* the message is complete: owes a reply */
	SERVER_HANDSHAKE,  /* STARTTLS was accepted */
	SERVER_CLOSED,
	SERVER_STATE_COUNT,
	/* Only as a row's next. */
	SERVER_SAME = SERVER_STATE_COUNT, /* stays */
	SERVER_IDLE,                      /* READY, or GREETED before HELO */
};

/* What happens to a session: commands first. */
enum smtp_server_cue {
	CUE_HELO,
	CUE_EHLO,
	CUE_LHLO,
	CUE_MAIL,
	CUE_RCPT,
	CUE_DATA,
	CUE_BDAT,
	CUE_RSET,
	CUE_NOOP,
	CUE_QUIT,
	CUE_HELP,
	CUE_VRFY,
	CUE_EXPN,
	CUE_ETRN,
	CUE_STARTTLS,
	CUE_AUTH,
	CUE_XCLIENT,
	CUE_COMMAND_COUNT,
	CUE_LINE = CUE_COMMAND_COUNT, /* a line that is no command */
	CUE_AUTH_LINE, /* the line after a 334 */
	CUE_OCTETS,    /* of a message */
	CUE_ANSWER,    /* the caller's reply */
	CUE_TLS,       /* the handshake is done */
	CUE_OPENED,    /* the session begins, without TLS */
	CUE_LIMIT,     /* one of the session was passed, or the server ends */
	CUE_TIME,      /* a deadline was */
	CUE_LEFT,      /* the client is gone */
	CUE_COUNT
};

/* Conditions; FINE is the row for "nothing is wrong". */
enum smtp_server_when {
	WHEN_FINE,
	WHEN_ORDER,        /* the state is none for this command */
	WHEN_SYNTAX,
	WHEN_NOT_HERE,     /* the command is not offered on this listener */
	WHEN_NO_MAIL,      /* the listener accepts no mail */
	WHEN_MESSAGES,     /* as many as one session may bring */
	WHEN_NEEDS_TLS,
	WHEN_NEEDS_AUTH,
	WHEN_BAD_ADDRESS,
	WHEN_PARAMETER,    /* not known, or not offered */
	WHEN_HOLD,
	WHEN_BY,
	WHEN_REQUIRETLS,
	WHEN_SOLICITATION,
	WHEN_TOO_BIG,
	WHEN_UTF8,         /* an address that is not ASCII, without SMTPUTF8 */
	WHEN_RCPTS,        /* as many as one transaction may have */
	WHEN_NO_RCPT,      /* all recipients were refused */
	WHEN_BINARY,       /* DATA with BINARYMIME */
	WHEN_MISPLACED,    /* BDAT out of order: its octets are on their way */
	WHEN_ASK,          /* the caller knows more */
	WHEN_TLS_ACTIVE,
	WHEN_AUTHENTICATED,
	WHEN_MECHANISM,
	WHEN_STRANGER,     /* not one who may */
	WHEN_UNKNOWN,
	WHEN_NUL,
	WHEN_TOO_LONG,
	WHEN_BARE,
	WHEN_CANCELLED,
	WHEN_BASE64,
	WHEN_FLAW,         /* the first thing wrong in a message */
	WHEN_MORE,         /* the end of a BDAT that is not the last; more replies to come */
	WHEN_LOOP,
	WHEN_HEADER,
	WHEN_TEXT_LINE,
	WHEN_NO,           /* the caller refused */
	WHEN_CLOSE,        /* the caller said 421 */
	WHEN_CHALLENGE,
	WHEN_EARLIER,      /* refused, but there are recipients already */
	WHEN_ERRORS,
	WHEN_AUTH_FAILURES,
	WHEN_COMMANDS,
	WHEN_SHUT_DOWN,
	WHEN_COMMAND_TIME,
	WHEN_DATA_TIME,
	WHEN_SESSION_TIME,
	WHEN_COUNT
};

struct smtp_server_row {
	enum smtp_server_cue cue;
	enum smtp_server_when when;
	unsigned states;             /* bits */
	enum reply_id reply;         /* REPLY_COUNT: nothing is said here */
	enum smtp_server_state next; /* or SERVER_SAME, SERVER_IDLE */
};

/* What a state is, whatever comes. */
struct smtp_server_traits {
	const char *name;
	const char *meaning;
	bool open;         /* a transaction is open: the caller holds a message for it */
	bool owes;         /* waits for an answer of the caller */
	bool lines;        /* reads lines */
	bool body;         /* reads octets of a message */
	bool mute;         /* nothing may be said in clear text: the client expects a handshake */
	const char *first; /* the commands that are expected, for a 503 */
};

size_t smtp_server_row_count(void);
const struct smtp_server_row *smtp_server_row_at(size_t index);
/* The row that decides; NULL where there is none, which is a bug of whoever asks. */
const struct smtp_server_row *smtp_server_row_find(
    enum smtp_server_state state, enum smtp_server_cue cue, enum smtp_server_when when);
/* The same, by what is to be said. */
const struct smtp_server_row *smtp_server_row_find_reply(
    enum smtp_server_state state, enum smtp_server_cue cue, enum reply_id reply);
/* Whether a command has any row in the state but that it is out of order there. */
bool smtp_server_row_is_legal(enum smtp_server_state state, enum smtp_server_cue cue);

const struct smtp_server_traits *smtp_server_state_traits(enum smtp_server_state state);
/* "MAIL"; of what is no command a few words. */
const char *smtp_server_cue_name(enum smtp_server_cue cue);
const char *smtp_server_when_name(enum smtp_server_when when);
