/*
 * What the files smtp_server*.c share; nobody else includes this.
 *
 * smtp_server.c owns the life of a session, its clock and its pump;
 * smtp_server_table.c says what is answered and where it leads, and
 * smtp_server_state.c is the only one that writes server->state, and speaks;
 * smtp_server_input.c owns the bytes from the client; smtp_server_command.c the
 * command table, smtp_server_auth.c the SASL exchange, smtp_server_body.c the octets of a
 * message.
 */
#pragma once

#include "smtp/smtp_server.h"
#include "smtp/smtp_server_table.h"

enum {
	SERVER_PENDING_MAX = 4,
	SERVER_DIGITS_MAX = 24,
	SERVER_AUTH_LINE_BYTES_MAX = 12288, /* RFC 4954 section 4 */
};

/* Bytes from the client that no event has used up: ptr[start..end). */
struct smtp_server_input {
	char *ptr; /* NULL while there are none */
	size_t start, end, room;
	size_t scanned; /* of the first line: known to hold neither CR nor LF */
	bool skipping;  /* the first line is too long; what came of it is gone */
	bool secret;    /* held credentials: wipe before it is freed */
};

/* What makes a message be refused, in the order of what the client is told. */
enum smtp_server_flaw {
	FLAW_BARE_LINE_END,
	FLAW_NUL,
	FLAW_LOOP,
	FLAW_HEADER_TOO_BIG,
	FLAW_LINE_TOO_LONG,
	FLAW_TOO_BIG,
	FLAW_COUNT
};

enum smtp_server_body_at {
	BODY_AT_LINE_START,
	BODY_AT_DOT,    /* a dot stood at the start of the line and was removed */
	BODY_AT_DOT_CR, /* and then a CR: an LF now ends the message */
	BODY_AT_TEXT,
	BODY_AT_END,
};

struct smtp_server_body {
	uint64_t bytes;        /* dot-unstuffed */
	uint64_t line_bytes;   /* of the line under way */
	uint64_t header_bytes;
	uint64_t received;     /* Received fields */
	uint64_t chunk_left;   /* BDAT: octets to come */
	unsigned flaws;        /* bits of enum smtp_server_flaw */
	enum smtp_server_body_at at;
	bool dots;             /* DATA: dots are stuffed and end the message */
	bool after_cr;         /* the last octet was a CR */
	bool binary;           /* BINARYMIME: behind the header any octet may come */
	bool in_header;
	uint8_t matched;       /* octets of "Received:" that the line began with */
};

/* An AUTH exchange under way. */
struct smtp_server_auth {
	enum sasl_mechanism mechanism;
	bool begun;  /* the caller knows of it */
	char *text;  /* the decoded answer, wiped before it is freed */
	size_t room;
};

struct smtp_server_pending {
	enum smtp_server_event_kind kind;
	enum reply_id reply;
	struct span command;
};

struct smtp_server {
	/* The session; a limit of 0 was replaced by UINT64_MAX. */
	struct smtp_server_options options;
	enum smtp_server_state state;
	bool tls, esmtp;
	bool shutting_down;
	bool spoken_for; /* XCLIENT told of the client */
	char *helo, *login;
	uint64_t commands, messages, errors, auth_failures;
	uint64_t idle_commands; /* since a message was accepted */

	/* The clock. */
	uint64_t now_ms, created_ms;
	uint64_t progress_ms;  /* since when the client keeps us waiting */
	bool progress_unknown; /* since a reply() that nobody told the time of */
	uint64_t message_ms;   /* since when a message comes */
	uint64_t window_ms, window_bytes; /* what came of it since then */

	struct smtp_server_input input;
	struct buf output;
	struct smtp_server_pending pending[SERVER_PENDING_MAX];
	size_t pending_count;
	struct span line; /* the command that runs, for the log */
	struct smtp_server_auth *auth;

	/* The transaction. */
	uint64_t rcpt_count;
	uint64_t verdicts_left; /* replies that the message is still owed */
	bool accepted;          /* one of them was a 2xx */
	bool rcpt_tried, smtputf8, binary;
	bool chunk_last;
	uint64_t chunk_bytes;
	enum reply_id chunk_refusal; /* REPLY_COUNT: what the body's flaws say */
	enum smtp_server_state chunk_from; /* where a misplaced BDAT came */
	struct smtp_server_body body;
};

/* smtp_server_state.c */
const struct smtp_server_traits *smtp_server_traits(const struct smtp_server *server);
/*
 * Something happened: says and does what the table's row has for it.  arg is the reply's %1.
 * A 4xx or 5xx is told to the log, and counted.
 */
void smtp_server_take(struct smtp_server *server, enum smtp_server_cue cue,
    enum smtp_server_when when, struct span arg);
/* The same, where what is to be said is known. */
void smtp_server_take_reply(struct smtp_server *server, enum smtp_server_cue cue,
    enum reply_id id, struct span arg);
/* Adds a reply of the caller to the output. */
void smtp_server_say_reply(struct smtp_server *server, const struct reply *reply);
/* The commands that are expected in a state, for a 503. */
struct span smtp_server_expected(enum smtp_server_state state);
/* A number as text, in the caller's memory. */
struct span smtp_server_number(char digits[static SERVER_DIGITS_MAX], uint64_t number);

/* smtp_server_input.c */
enum smtp_server_line {
	SERVER_LINE_MORE,     /* not all of it is there */
	SERVER_LINE_TAKEN,
	SERVER_LINE_TOO_LONG, /* taken, and gone */
	SERVER_LINE_BARE,     /* a CR or LF alone: the line is what is before it */
};
/* Takes what fits and gives how much. */
size_t smtp_server_input_add(struct smtp_server_input *input, struct span bytes);
struct span smtp_server_input_unread(const struct smtp_server_input *input);
void smtp_server_input_consume(struct smtp_server_input *input, size_t count);
/* Takes the first line; *line is without its CRLF. */
enum smtp_server_line smtp_server_input_line(
    struct smtp_server *server, struct span *line);
/* Forgets what there is and gives the memory back. */
void smtp_server_input_release(struct smtp_server *server);

/* smtp_server_command.c: one command line, without CRLF. */
void smtp_server_run_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event);

/* smtp_server_hello.c: the text of the reply to EHLO or LHLO, a line for each extension. */
void smtp_server_hello_write(const struct smtp_server *server, struct buf *hello);
/* Whether this session is one of those. */
bool smtp_server_is_for(const struct smtp_server *server, enum smtp_server_for who);

/* smtp_server_auth.c: judges AUTH; where that is FINE the event is filled. */
enum smtp_server_when smtp_server_auth_begin(
    struct smtp_server *server, struct span args, struct smtp_server_event *event);
/* The line that answers a 334. */
void smtp_server_auth_line(
    struct smtp_server *server, struct span line, struct smtp_server_event *event);
/* What of a command line the log may see: of AUTH the mechanism and nothing behind it. */
struct span smtp_server_auth_public(struct span line);
/* Wipes and frees; server->auth is NULL after it. */
void smtp_server_auth_end(struct smtp_server *server);

/* smtp_server_body.c */
/* dots: of DATA, else of BDAT.  binary: BINARYMIME. */
void smtp_server_body_begin(struct smtp_server_body *body, bool dots, bool binary);
/*
 * Takes octets: gives how many, at least one of a text that is not empty, unless there is a
 * *run.  *run is what belongs to the message: a part of text or a repaired line end, and "" once
 * there is a flaw or the end.
 */
size_t smtp_server_body_take(struct smtp_server_body *body,
    const struct smtp_server_options *options, struct span text, struct span *run);
/* BDAT LAST: no more octets come.  True where a CRLF must be added to end the last line. */
bool smtp_server_body_finish(
    struct smtp_server_body *body, const struct smtp_server_options *options);
/* The refusal of a body with flaws; *number is its %1 where it has one. */
enum reply_id smtp_server_body_refusal(const struct smtp_server_body *body,
    const struct smtp_server_options *options, uint64_t *number);
