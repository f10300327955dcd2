/*
 * The states of a session, and what is said to the client.
 *
 *   CONNECTED --tls_started--> GREETED --HELO, EHLO--> READY <----------------+
 *                               ^  |                  | | |                   |
 *                   tls_started |  | STARTTLS         | | +-AUTH-> AUTH_LINE  |
 *                               |  v                  | |          AUTH_ASKED-+
 *                             HANDSHAKE <--STARTTLS---+ |                     |
 *                                                      MAIL                   |
 *                                                       v                     |
 *            +--2xx-- RCPT_ASKED <-RCPT-- MAIL <-2xx- MAIL_ASKED --4xx, 5xx-->+
 *            v           ^                                                    |
 *          RCPT ---RCPT--+                                                    |
 *            +-DATA-> BODY -----------------end---------> VERDICT --reply---->+
 *            |          +-flaw-> BODY_BAD --end------------------------------>+
 *            +-BDAT-> CHUNK ---------------LAST---------> VERDICT --reply---->+
 *                     |  ^ +-flaw-> CHUNK_BAD --end-------------------------->+
 *                     v  |
 *                    CHUNKS
 *
 * ETRN, VRFY and EXPN may lead from READY to ASKED and back.  RSET, HELO and EHLO lead from
 * MAIL, RCPT and CHUNKS back to READY, XCLIENT from READY to GREETED, a misplaced BDAT
 * leads through CHUNK_BAD, and CLOSED can be reached from everywhere.
 *
 * Invariants:
 *  1. move() is the only writer of the state, and goes where the table says
 *     (smtp_server_table.c): docs/smtp-states.md is that table, printed.
 *  2. A transaction is open in the states so marked, and only there.  move()
 *     announces ABORT when it leaves them, except for VERDICT: so each MAIL that
 *     got a 2xx ends in exactly one ABORT or BODY_END.
 *  3. While a reply is owed nothing is read from the input.
 *  4. Each command gets one reply, in order; only a 421 may come on top.
 */
#include "smtp/smtp_server_internal.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"

const struct smtp_server_traits *
smtp_server_traits(const struct smtp_server *server)
{
	return smtp_server_state_traits(server->state);
}

static void
check_invariants(const struct smtp_server *server)
{
	switch (server->state) {
	case SERVER_RCPT:
	case SERVER_BODY:
	case SERVER_CHUNK:
	case SERVER_CHUNKS:
	case SERVER_VERDICT:
		check(server->rcpt_count > 0);
		check(server->helo != NULL);
		break;
	case SERVER_READY:
		check(server->helo != NULL);
		check(server->rcpt_count == 0 && !server->rcpt_tried);
		check(server->auth == NULL);
		break;
	case SERVER_GREETED:
		check(server->helo == NULL);
		break;
	case SERVER_AUTH_LINE:
	case SERVER_AUTH_ASKED:
		check(server->auth != NULL && server->tls);
		break;
	case SERVER_MAIL:
		check(server->rcpt_count == 0);
		break;
	case SERVER_CONNECTED:
	case SERVER_ASKED:
	case SERVER_MAIL_ASKED:
	case SERVER_RCPT_ASKED:
	case SERVER_BODY_BAD:
	case SERVER_CHUNK_BAD:
	case SERVER_HANDSHAKE:
	case SERVER_CLOSED:
	case SERVER_STATE_COUNT:
	case SERVER_IDLE:
		break;
	}
}

static void
announce(struct smtp_server *server, struct smtp_server_pending pending)
{
	check(server->pending_count < SERVER_PENDING_MAX);
	server->pending[server->pending_count++] = pending;
}

/* The only writer of the state. */
static void
move(struct smtp_server *server, enum smtp_server_state next)
{
	enum smtp_server_state last = server->state;

	server->state = next;
	if (smtp_server_state_traits(last)->open && !smtp_server_state_traits(next)->open &&
	    next != SERVER_VERDICT)
		announce(server, (struct smtp_server_pending){.kind = SMTP_SERVER_ABORT});
	/* An exchange that waited for its client's answer is over without one. */
	if (last == SERVER_AUTH_LINE && next != SERVER_AUTH_ASKED)
		announce(server, (struct smtp_server_pending){.kind = SMTP_SERVER_AUTH_ENDED});
	if (next == SERVER_READY) {
		server->rcpt_count = 0;
		server->rcpt_tried = server->smtputf8 = server->binary = false;
	}
	if (next != SERVER_AUTH_LINE && next != SERVER_AUTH_ASKED)
		smtp_server_auth_end(server);
	check_invariants(server);
}

void
smtp_server_say_reply(struct smtp_server *server, const struct reply *reply)
{
	reply_write(&server->output, reply, true, server->smtputf8);
	check(buf_finish(&server->output) == OK);
}

/* A 4xx or 5xx: told to the log, and counted where it is an error. */
static void
note_refusal(struct smtp_server *server, enum reply_id id)
{
	announce(server,
	    (struct smtp_server_pending){
		.kind = SMTP_SERVER_REFUSED, .reply = id, .command = server->line});
	/* Counted apart: the limit of wrong passwords is another one. */
	if (id == REPLY_AUTH_INVALID)
		server->auth_failures++;
	else if (reply_code(id) >= 500)
		server->errors++;
}

static void
fill_greeting(const struct smtp_server *server, struct reply *reply)
{
	reply->args[0] = server->options.hostname;
	reply->args[1] = server->options.lmtp ? SPAN("LMTP") : SPAN("ESMTP");
	reply->args[2] =
	    server->options.software_in_greeting ? SPAN(" Postrider") : SPAN("");
}

static void
take_row(struct smtp_server *server, const struct smtp_server_row *row, struct span arg)
{
	bool mute = smtp_server_traits(server)->mute &&
		    (row->cue == CUE_LIMIT || row->cue == CUE_TIME);

	struct reply reply = {.id = row->reply, .args = {arg}};

	if (row->reply == REPLY_GREETING)
		fill_greeting(server, &reply);
	if (row->reply != REPLY_COUNT && !mute)
		smtp_server_say_reply(server, &reply);
	if (row->next == SERVER_IDLE)
		move(server, server->helo ? SERVER_READY : SERVER_GREETED);
	else if (row->next != SERVER_SAME)
		move(server, row->next);
	if (row->reply != REPLY_COUNT && reply_code(row->reply) >= 400)
		note_refusal(server, row->reply);
}

void
smtp_server_take(struct smtp_server *server, enum smtp_server_cue cue,
    enum smtp_server_when when, struct span arg)
{
	const struct smtp_server_row *row = smtp_server_row_find(server->state, cue, when);

	check(row != NULL);
	take_row(server, row, arg);
}

void
smtp_server_take_reply(
    struct smtp_server *server, enum smtp_server_cue cue, enum reply_id id, struct span arg)
{
	const struct smtp_server_row *row = smtp_server_row_find_reply(server->state, cue, id);

	check(row != NULL);
	take_row(server, row, arg);
}

struct span
smtp_server_number(char digits[static SERVER_DIGITS_MAX], uint64_t number)
{
	int len = snprintf(digits, SERVER_DIGITS_MAX, "%llu", (unsigned long long)number);

	check(len > 0 && len < SERVER_DIGITS_MAX);
	return span_of(digits, (size_t)len);
}

struct span
smtp_server_expected(enum smtp_server_state state)
{
	const char *first = smtp_server_state_traits(state)->first;

	check(first != NULL);
	return span_str(first);
}
