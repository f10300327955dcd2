#include "smtp/smtp_server_table.h"

#include "base/check.h"

/* Where a session waits for commands. */
#define OUTSIDE (BIT(SERVER_GREETED) | BIT(SERVER_READY))
#define ENVELOPE (BIT(SERVER_MAIL) | BIT(SERVER_RCPT))
#define INSIDE (ENVELOPE | BIT(SERVER_CHUNKS))
#define ANYWHERE (OUTSIDE | INSIDE)
#define ANY_LINE (ANYWHERE | BIT(SERVER_AUTH_LINE))
#define OCTETS (BIT(SERVER_BODY) | BIT(SERVER_CHUNK))
#define BAD_OCTETS (BIT(SERVER_BODY_BAD) | BIT(SERVER_CHUNK_BAD))
#define ALIVE (BIT(SERVER_CLOSED) - 1)
#define MUTE (BIT(SERVER_CONNECTED) | BIT(SERVER_HANDSHAKE))
#define OWING                                                                            \
	(BIT(SERVER_ASKED) | BIT(SERVER_AUTH_ASKED) | BIT(SERVER_MAIL_ASKED) |           \
	    BIT(SERVER_RCPT_ASKED) | BIT(SERVER_VERDICT))
#define NOTHING REPLY_COUNT

static const struct smtp_server_row rows[] = {
    /* Hello. */
    {CUE_HELO, WHEN_NOT_HERE, ANYWHERE, REPLY_LHLO_ONLY, SERVER_SAME},
    {CUE_HELO, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_HELO, WHEN_FINE, ANYWHERE, REPLY_HELLO, SERVER_READY},
    {CUE_EHLO, WHEN_NOT_HERE, ANYWHERE, REPLY_LHLO_ONLY, SERVER_SAME},
    {CUE_EHLO, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_EHLO, WHEN_FINE, ANYWHERE, REPLY_HELLO, SERVER_READY},
    {CUE_LHLO, WHEN_NOT_HERE, ANYWHERE, REPLY_UNKNOWN_COMMAND, SERVER_SAME},
    {CUE_LHLO, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_LHLO, WHEN_FINE, ANYWHERE, REPLY_HELLO, SERVER_READY},

    /* The envelope. */
    {CUE_MAIL, WHEN_ORDER, BIT(SERVER_GREETED) | INSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_MAIL, WHEN_MESSAGES, BIT(SERVER_READY), REPLY_TOO_MANY_MESSAGES, SERVER_CLOSED},
    {CUE_MAIL, WHEN_NEEDS_TLS, BIT(SERVER_READY), REPLY_TLS_REQUIRED, SERVER_SAME},
    {CUE_MAIL, WHEN_NEEDS_AUTH, BIT(SERVER_READY), REPLY_AUTH_REQUIRED, SERVER_SAME},
    {CUE_MAIL, WHEN_SYNTAX, BIT(SERVER_READY), REPLY_SYNTAX, SERVER_SAME},
    {CUE_MAIL, WHEN_BAD_ADDRESS, BIT(SERVER_READY), REPLY_BAD_SENDER_SYNTAX, SERVER_SAME},
    {CUE_MAIL, WHEN_PARAMETER, BIT(SERVER_READY), REPLY_PARAMETER_UNKNOWN, SERVER_SAME},
    {CUE_MAIL, WHEN_HOLD, BIT(SERVER_READY), REPLY_HOLD_REFUSED, SERVER_SAME},
    {CUE_MAIL, WHEN_BY, BIT(SERVER_READY), REPLY_BY_TOO_SOON, SERVER_SAME},
    {CUE_MAIL, WHEN_REQUIRETLS, BIT(SERVER_READY), REPLY_REQUIRETLS_NEEDS_TLS, SERVER_SAME},
    {CUE_MAIL, WHEN_SOLICITATION, BIT(SERVER_READY), REPLY_SOLICITATION_REFUSED,
	SERVER_SAME},
    {CUE_MAIL, WHEN_TOO_BIG, BIT(SERVER_READY), REPLY_MESSAGE_TOO_BIG, SERVER_SAME},
    {CUE_MAIL, WHEN_UTF8, BIT(SERVER_READY), REPLY_UTF8_NOT_ANNOUNCED, SERVER_SAME},
    {CUE_MAIL, WHEN_FINE, BIT(SERVER_READY), NOTHING, SERVER_MAIL_ASKED},
    {CUE_RCPT, WHEN_ORDER, OUTSIDE | BIT(SERVER_CHUNKS), REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_RCPT, WHEN_SYNTAX, ENVELOPE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_RCPT, WHEN_BAD_ADDRESS, ENVELOPE, REPLY_BAD_RECIPIENT_SYNTAX, SERVER_SAME},
    {CUE_RCPT, WHEN_PARAMETER, ENVELOPE, REPLY_PARAMETER_UNKNOWN, SERVER_SAME},
    {CUE_RCPT, WHEN_UTF8, ENVELOPE, REPLY_UTF8_NOT_ANNOUNCED, SERVER_SAME},
    {CUE_RCPT, WHEN_RCPTS, ENVELOPE, REPLY_TOO_MANY_RECIPIENTS, SERVER_SAME},
    {CUE_RCPT, WHEN_FINE, ENVELOPE, NOTHING, SERVER_RCPT_ASKED},

    /* The message. */
    {CUE_DATA, WHEN_ORDER, OUTSIDE | BIT(SERVER_CHUNKS) | BIT(SERVER_MAIL),
	REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_DATA, WHEN_SYNTAX, ENVELOPE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_DATA, WHEN_NO_RCPT, BIT(SERVER_MAIL), REPLY_NO_RECIPIENTS, SERVER_SAME},
    {CUE_DATA, WHEN_BINARY, BIT(SERVER_RCPT), REPLY_BINARY_NEEDS_BDAT, SERVER_SAME},
    {CUE_DATA, WHEN_FINE, BIT(SERVER_RCPT), REPLY_START_MAIL, SERVER_BODY},
    /* The octets of a BDAT follow right away: they are taken, and then refused. */
    {CUE_BDAT, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_CLOSED},
    {CUE_BDAT, WHEN_MISPLACED, OUTSIDE | BIT(SERVER_MAIL), NOTHING, SERVER_CHUNK_BAD},
    {CUE_BDAT, WHEN_FINE, BIT(SERVER_RCPT) | BIT(SERVER_CHUNKS), NOTHING, SERVER_CHUNK},
    {CUE_OCTETS, WHEN_FLAW, BIT(SERVER_BODY), NOTHING, SERVER_BODY_BAD},
    {CUE_OCTETS, WHEN_FLAW, BIT(SERVER_CHUNK), NOTHING, SERVER_CHUNK_BAD},
    {CUE_OCTETS, WHEN_MORE, BIT(SERVER_CHUNK), REPLY_CHUNK_OK, SERVER_CHUNKS},
    {CUE_OCTETS, WHEN_FINE, OCTETS, NOTHING, SERVER_VERDICT},
    {CUE_OCTETS, WHEN_ORDER, BIT(SERVER_CHUNK_BAD), REPLY_BAD_SEQUENCE, SERVER_IDLE},
    {CUE_OCTETS, WHEN_NO_RCPT, BIT(SERVER_CHUNK_BAD), REPLY_NO_RECIPIENTS, SERVER_IDLE},
    {CUE_OCTETS, WHEN_BARE, BAD_OCTETS, REPLY_BARE_LINE_END_IN_DATA, SERVER_IDLE},
    {CUE_OCTETS, WHEN_NUL, BAD_OCTETS, REPLY_NUL_IN_DATA, SERVER_IDLE},
    {CUE_OCTETS, WHEN_LOOP, BAD_OCTETS, REPLY_LOOP, SERVER_IDLE},
    {CUE_OCTETS, WHEN_HEADER, BAD_OCTETS, REPLY_HEADER_TOO_BIG, SERVER_IDLE},
    {CUE_OCTETS, WHEN_TEXT_LINE, BAD_OCTETS, REPLY_TEXT_LINE_TOO_LONG, SERVER_IDLE},
    {CUE_OCTETS, WHEN_TOO_BIG, BAD_OCTETS, REPLY_MESSAGE_TOO_BIG, SERVER_IDLE},

    /* Commands that change no transaction, but for RSET and QUIT. */
    {CUE_RSET, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_RSET, WHEN_FINE, ANYWHERE, REPLY_OK, SERVER_IDLE},
    {CUE_NOOP, WHEN_FINE, ANYWHERE, REPLY_OK, SERVER_SAME},
    {CUE_QUIT, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_QUIT, WHEN_FINE, ANYWHERE, REPLY_CLOSING, SERVER_CLOSED},
    {CUE_HELP, WHEN_UNKNOWN, ANYWHERE, REPLY_NO_HELP, SERVER_SAME},
    {CUE_HELP, WHEN_FINE, ANYWHERE, REPLY_HELP, SERVER_SAME},
    {CUE_VRFY, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_VRFY, WHEN_ASK, BIT(SERVER_READY), NOTHING, SERVER_ASKED},
    {CUE_VRFY, WHEN_FINE, ANYWHERE, REPLY_CANNOT_VERIFY, SERVER_SAME},
    {CUE_EXPN, WHEN_SYNTAX, ANYWHERE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_EXPN, WHEN_ASK, BIT(SERVER_READY), NOTHING, SERVER_ASKED},
    {CUE_EXPN, WHEN_FINE, ANYWHERE, REPLY_CANNOT_VERIFY, SERVER_SAME},
    {CUE_ETRN, WHEN_ORDER, BIT(SERVER_GREETED) | INSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_ETRN, WHEN_NOT_HERE, BIT(SERVER_READY), REPLY_NOT_IMPLEMENTED, SERVER_SAME},
    {CUE_ETRN, WHEN_SYNTAX, BIT(SERVER_READY), REPLY_SYNTAX, SERVER_SAME},
    {CUE_ETRN, WHEN_FINE, BIT(SERVER_READY), NOTHING, SERVER_ASKED},

    /* Who the client is. */
    {CUE_STARTTLS, WHEN_ORDER, INSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_STARTTLS, WHEN_SYNTAX, OUTSIDE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_STARTTLS, WHEN_TLS_ACTIVE, OUTSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_STARTTLS, WHEN_NOT_HERE, OUTSIDE, REPLY_TLS_UNAVAILABLE, SERVER_SAME},
    {CUE_STARTTLS, WHEN_FINE, OUTSIDE, REPLY_TLS_READY, SERVER_HANDSHAKE},
    {CUE_AUTH, WHEN_ORDER, BIT(SERVER_GREETED) | INSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_AUTH, WHEN_SYNTAX, BIT(SERVER_READY), REPLY_SYNTAX, SERVER_SAME},
    {CUE_AUTH, WHEN_AUTHENTICATED, BIT(SERVER_READY), REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_AUTH, WHEN_NOT_HERE, BIT(SERVER_READY), REPLY_NOT_IMPLEMENTED, SERVER_SAME},
    {CUE_AUTH, WHEN_NEEDS_TLS, BIT(SERVER_READY), REPLY_AUTH_NEEDS_TLS, SERVER_SAME},
    {CUE_AUTH, WHEN_MECHANISM, BIT(SERVER_READY), REPLY_MECHANISM_UNKNOWN, SERVER_SAME},
    {CUE_AUTH, WHEN_BASE64, BIT(SERVER_READY), REPLY_BAD_BASE64, SERVER_SAME},
    {CUE_AUTH, WHEN_FINE, BIT(SERVER_READY), NOTHING, SERVER_AUTH_ASKED},
    {CUE_AUTH_LINE, WHEN_CANCELLED, BIT(SERVER_AUTH_LINE), REPLY_AUTH_CANCELLED,
	SERVER_READY},
    {CUE_AUTH_LINE, WHEN_TOO_LONG, BIT(SERVER_AUTH_LINE), REPLY_AUTH_LINE_TOO_LONG,
	SERVER_READY},
    {CUE_AUTH_LINE, WHEN_BASE64, BIT(SERVER_AUTH_LINE), REPLY_BAD_BASE64, SERVER_READY},
    {CUE_AUTH_LINE, WHEN_FINE, BIT(SERVER_AUTH_LINE), NOTHING, SERVER_AUTH_ASKED},
    {CUE_XCLIENT, WHEN_ORDER, INSIDE, REPLY_BAD_SEQUENCE, SERVER_SAME},
    {CUE_XCLIENT, WHEN_STRANGER, OUTSIDE, REPLY_XCLIENT_REFUSED, SERVER_SAME},
    {CUE_XCLIENT, WHEN_SYNTAX, OUTSIDE, REPLY_SYNTAX, SERVER_SAME},
    {CUE_XCLIENT, WHEN_FINE, OUTSIDE, REPLY_GREETING, SERVER_GREETED},

    /* Lines that are no commands. */
    {CUE_LINE, WHEN_UNKNOWN, ANYWHERE, REPLY_UNKNOWN_COMMAND, SERVER_SAME},
    {CUE_LINE, WHEN_NUL, ANYWHERE, REPLY_NUL_IN_COMMAND, SERVER_SAME},
    {CUE_LINE, WHEN_TOO_LONG, ANYWHERE, REPLY_LINE_TOO_LONG, SERVER_SAME},
    {CUE_LINE, WHEN_BARE, ANY_LINE, REPLY_BARE_LINE_END, SERVER_CLOSED},

    /* The caller's answers: what is said is theirs. */
    {CUE_ANSWER, WHEN_CLOSE, OWING, NOTHING, SERVER_CLOSED},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_MAIL_ASKED), NOTHING, SERVER_MAIL},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_MAIL_ASKED), NOTHING, SERVER_READY},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_RCPT_ASKED), NOTHING, SERVER_RCPT},
    {CUE_ANSWER, WHEN_EARLIER, BIT(SERVER_RCPT_ASKED), NOTHING, SERVER_RCPT},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_RCPT_ASKED), NOTHING, SERVER_MAIL},
    {CUE_ANSWER, WHEN_MORE, BIT(SERVER_VERDICT), NOTHING, SERVER_SAME},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_VERDICT), NOTHING, SERVER_READY},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_VERDICT), NOTHING, SERVER_READY},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_ASKED), NOTHING, SERVER_READY},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_ASKED), NOTHING, SERVER_READY},
    {CUE_ANSWER, WHEN_CHALLENGE, BIT(SERVER_AUTH_ASKED), REPLY_AUTH_CHALLENGE,
	SERVER_AUTH_LINE},
    {CUE_ANSWER, WHEN_FINE, BIT(SERVER_AUTH_ASKED), REPLY_AUTH_OK, SERVER_READY},
    {CUE_ANSWER, WHEN_NO, BIT(SERVER_AUTH_ASKED), NOTHING, SERVER_READY},

    /* What is no answer to anything. */
    {CUE_OPENED, WHEN_NO_MAIL, BIT(SERVER_CONNECTED), REPLY_NO_MAIL_HERE, SERVER_CLOSED},
    {CUE_OPENED, WHEN_FINE, BIT(SERVER_CONNECTED), REPLY_GREETING, SERVER_GREETED},
    {CUE_TLS, WHEN_NO_MAIL, BIT(SERVER_CONNECTED), REPLY_NO_MAIL_HERE, SERVER_CLOSED},
    {CUE_TLS, WHEN_FINE, BIT(SERVER_CONNECTED), REPLY_GREETING, SERVER_GREETED},
    {CUE_TLS, WHEN_FINE, BIT(SERVER_HANDSHAKE), NOTHING, SERVER_GREETED},
    {CUE_LIMIT, WHEN_ERRORS, ALIVE, REPLY_TOO_MANY_ERRORS, SERVER_CLOSED},
    {CUE_LIMIT, WHEN_AUTH_FAILURES, ALIVE, REPLY_TOO_MANY_AUTH_FAILURES, SERVER_CLOSED},
    {CUE_LIMIT, WHEN_COMMANDS, ANYWHERE, REPLY_TOO_MANY_COMMANDS, SERVER_CLOSED},
    {CUE_LIMIT, WHEN_SHUT_DOWN, (ANY_LINE & ~BIT(SERVER_CHUNKS)) | MUTE,
	REPLY_SHUTTING_DOWN, SERVER_CLOSED},
    {CUE_TIME, WHEN_SESSION_TIME, ALIVE & ~OWING, REPLY_SESSION_TIMEOUT, SERVER_CLOSED},
    {CUE_TIME, WHEN_DATA_TIME, OCTETS | BAD_OCTETS, REPLY_DATA_TIMEOUT, SERVER_CLOSED},
    {CUE_TIME, WHEN_COMMAND_TIME, ANY_LINE | MUTE, REPLY_COMMAND_TIMEOUT, SERVER_CLOSED},
    {CUE_LEFT, WHEN_FINE, ALIVE, NOTHING, SERVER_CLOSED},
};

static const struct smtp_server_traits states[SERVER_STATE_COUNT] = {
    [SERVER_CONNECTED] = {.name = "connected",
	.meaning = "TLS from the start: the handshake comes before the greeting",
	.mute = true},
    [SERVER_GREETED] = {.name = "greeted",
	.meaning = "no HELO, EHLO or LHLO yet",
	.lines = true,
	.first = "EHLO or HELO first"},
    [SERVER_READY] = {.name = "ready",
	.meaning = "no transaction",
	.lines = true,
	.first = "MAIL first"},
    [SERVER_ASKED] = {.name = "asked",
	.meaning = "ETRN, VRFY or EXPN is looked into",
	.owes = true},
    [SERVER_AUTH_LINE] = {.name = "auth line",
	.meaning = "the next line answers a challenge of AUTH",
	.lines = true},
    [SERVER_AUTH_ASKED] = {.name = "auth asked",
	.meaning = "what the client answered is checked",
	.owes = true},
    [SERVER_MAIL_ASKED] = {.name = "mail asked", .meaning = "MAIL is decided", .owes = true},
    [SERVER_MAIL] = {.name = "mail",
	.meaning = "a transaction without an accepted recipient",
	.open = true,
	.lines = true,
	.first = "RCPT or RSET first"},
    [SERVER_RCPT_ASKED] = {.name = "rcpt asked",
	.meaning = "RCPT is decided",
	.open = true,
	.owes = true},
    [SERVER_RCPT] = {.name = "rcpt",
	.meaning = "a transaction with a recipient",
	.open = true,
	.lines = true,
	.first = "DATA, BDAT or RSET first"},
    [SERVER_BODY] = {.name = "body",
	.meaning = "the message, after the 354",
	.open = true,
	.body = true},
    [SERVER_BODY_BAD] = {.name = "bad body",
	.meaning = "the rest of a message that will be refused",
	.body = true},
    [SERVER_CHUNK] = {.name = "chunk",
	.meaning = "the octets of a BDAT",
	.open = true,
	.body = true},
    [SERVER_CHUNK_BAD] = {.name = "bad chunk",
	.meaning = "the octets of a BDAT that will be refused",
	.body = true},
    [SERVER_CHUNKS] = {.name = "chunks",
	.meaning = "between one BDAT and the next",
	.open = true,
	.lines = true,
	.first = "BDAT or RSET first"},
    [SERVER_VERDICT] = {.name = "verdict",
	.meaning = "the message is complete, and made durable",
	.owes = true},
    [SERVER_HANDSHAKE] = {.name = "handshake",
	.meaning = "STARTTLS was accepted",
	.mute = true},
    [SERVER_CLOSED] = {.name = "closed", .meaning = "the session is over"},
};

static const char *const cues[CUE_COUNT] = {
    [CUE_HELO] = "HELO",
    [CUE_EHLO] = "EHLO",
    [CUE_LHLO] = "LHLO",
    [CUE_MAIL] = "MAIL",
    [CUE_RCPT] = "RCPT",
    [CUE_DATA] = "DATA",
    [CUE_BDAT] = "BDAT",
    [CUE_RSET] = "RSET",
    [CUE_NOOP] = "NOOP",
    [CUE_QUIT] = "QUIT",
    [CUE_HELP] = "HELP",
    [CUE_VRFY] = "VRFY",
    [CUE_EXPN] = "EXPN",
    [CUE_ETRN] = "ETRN",
    [CUE_STARTTLS] = "STARTTLS",
    [CUE_AUTH] = "AUTH",
    [CUE_XCLIENT] = "XCLIENT",
    [CUE_LINE] = "any other line",
    [CUE_AUTH_LINE] = "answer to a challenge",
    [CUE_OCTETS] = "octets of a message",
    [CUE_ANSWER] = "our own answer",
    [CUE_TLS] = "handshake done",
    [CUE_OPENED] = "connection",
    [CUE_LIMIT] = "limit of the session",
    [CUE_TIME] = "time runs out",
    [CUE_LEFT] = "client gone",
};

static const char *const whens[WHEN_COUNT] = {
    [WHEN_FINE] = "nothing is wrong",
    [WHEN_ORDER] = "out of order",
    [WHEN_SYNTAX] = "its arguments are wrong",
    [WHEN_NOT_HERE] = "not offered here",
    [WHEN_NO_MAIL] = "no mail is accepted here",
    [WHEN_MESSAGES] = "the session brought as many messages as it may",
    [WHEN_NEEDS_TLS] = "TLS is needed first",
    [WHEN_NEEDS_AUTH] = "AUTH is needed first",
    [WHEN_BAD_ADDRESS] = "the address is none",
    [WHEN_PARAMETER] = "a parameter is not known here",
    [WHEN_HOLD] = "HOLDFOR or HOLDUNTIL can't be kept",
    [WHEN_BY] = "BY is too soon",
    [WHEN_REQUIRETLS] = "REQUIRETLS without TLS",
    [WHEN_SOLICITATION] = "a class of SOLICIT is not wanted",
    [WHEN_TOO_BIG] = "the message is too big",
    [WHEN_UTF8] = "the address is not ASCII, and SMTPUTF8 was not said",
    [WHEN_RCPTS] = "the transaction has as many recipients as it may",
    [WHEN_NO_RCPT] = "every recipient was refused",
    [WHEN_BINARY] = "MAIL said BODY=BINARYMIME",
    [WHEN_MISPLACED] = "out of order, or without a recipient",
    [WHEN_ASK] = "the client may ask",
    [WHEN_TLS_ACTIVE] = "TLS is active",
    [WHEN_AUTHENTICATED] = "authenticated already",
    [WHEN_MECHANISM] = "the mechanism is not offered",
    [WHEN_STRANGER] = "the client may not",
    [WHEN_UNKNOWN] = "not known",
    [WHEN_NUL] = "it holds a NUL",
    [WHEN_TOO_LONG] = "it is too long",
    [WHEN_BARE] = "a CR or LF stands alone",
    [WHEN_CANCELLED] = "the client gave up",
    [WHEN_BASE64] = "it is no base64",
    [WHEN_FLAW] = "the first thing is wrong",
    [WHEN_MORE] = "more is to come",
    [WHEN_LOOP] = "too many Received fields",
    [WHEN_HEADER] = "the header is too big",
    [WHEN_TEXT_LINE] = "a line is too long",
    [WHEN_NO] = "4xx or 5xx",
    [WHEN_CLOSE] = "421",
    [WHEN_CHALLENGE] = "one more challenge",
    [WHEN_EARLIER] = "4xx or 5xx, and there is a recipient already",
    [WHEN_ERRORS] = "too many errors",
    [WHEN_AUTH_FAILURES] = "too many failed authentications",
    [WHEN_COMMANDS] = "too many commands",
    [WHEN_SHUT_DOWN] = "the server is stopping",
    [WHEN_COMMAND_TIME] = "no command came",
    [WHEN_DATA_TIME] = "no more of the message came",
    [WHEN_SESSION_TIME] = "the session lasts too long",
};

size_t
smtp_server_row_count(void)
{
	return LEN(rows);
}

const struct smtp_server_row *
smtp_server_row_at(size_t index)
{
	check(index < LEN(rows));
	return &rows[index];
}

const struct smtp_server_row *
smtp_server_row_find(
    enum smtp_server_state state, enum smtp_server_cue cue, enum smtp_server_when when)
{
	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].cue == cue && rows[i].when == when &&
		    (rows[i].states & BIT(state)))
			return &rows[i];
	return NULL;
}

const struct smtp_server_row *
smtp_server_row_find_reply(
    enum smtp_server_state state, enum smtp_server_cue cue, enum reply_id reply)
{
	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].cue == cue && rows[i].reply == reply &&
		    (rows[i].states & BIT(state)))
			return &rows[i];
	return NULL;
}

bool
smtp_server_row_is_legal(enum smtp_server_state state, enum smtp_server_cue cue)
{
	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].cue == cue && rows[i].when != WHEN_ORDER &&
		    (rows[i].states & BIT(state)))
			return true;
	return false;
}

const struct smtp_server_traits *
smtp_server_state_traits(enum smtp_server_state state)
{
	check(state < SERVER_STATE_COUNT);
	return &states[state];
}

const char *
smtp_server_cue_name(enum smtp_server_cue cue)
{
	check(cue < CUE_COUNT);
	return cues[cue];
}

const char *
smtp_server_when_name(enum smtp_server_when when)
{
	check(when < WHEN_COUNT);
	return whens[when];
}
