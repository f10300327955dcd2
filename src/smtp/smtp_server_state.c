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
 * RSET, HELO and EHLO lead from MAIL, RCPT and CHUNKS back to READY, a misplaced
 * BDAT leads through CHUNK_BAD, and CLOSED can be reached from everywhere.
 *
 * Invariants:
 *  1. move() is the only writer of the state.
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

static const struct smtp_server_traits states[SERVER_STATE_COUNT] = {
#define CLOSED_TOO BIT(SERVER_CLOSED)
    [SERVER_CONNECTED] = {.name = "connected", .next = BIT(SERVER_GREETED) | CLOSED_TOO},
    [SERVER_GREETED] = {.name = "greeted",
	.next = BIT(SERVER_READY) | BIT(SERVER_HANDSHAKE) | BIT(SERVER_CHUNK_BAD) |
		CLOSED_TOO,
	.lines = true,
	.first = "EHLO or HELO first"},
    [SERVER_READY] = {.name = "ready",
	.next = BIT(SERVER_READY) | BIT(SERVER_AUTH_ASKED) | BIT(SERVER_MAIL_ASKED) |
		BIT(SERVER_HANDSHAKE) | BIT(SERVER_CHUNK_BAD) | CLOSED_TOO,
	.lines = true,
	.first = "MAIL first"},
    [SERVER_AUTH_LINE] = {.name = "auth line",
	.next = BIT(SERVER_AUTH_ASKED) | BIT(SERVER_READY) | CLOSED_TOO,
	.lines = true},
    [SERVER_AUTH_ASKED] = {.name = "auth asked",
	.next = BIT(SERVER_AUTH_LINE) | BIT(SERVER_READY) | CLOSED_TOO,
	.owes = true},
    [SERVER_MAIL_ASKED] = {.name = "mail asked",
	.next = BIT(SERVER_MAIL) | BIT(SERVER_READY) | CLOSED_TOO,
	.owes = true},
    [SERVER_MAIL] = {.name = "mail",
	.next = BIT(SERVER_RCPT_ASKED) | BIT(SERVER_CHUNK_BAD) | BIT(SERVER_READY) |
		CLOSED_TOO,
	.open = true,
	.lines = true,
	.first = "RCPT or RSET first"},
    [SERVER_RCPT_ASKED] = {.name = "rcpt asked",
	.next = BIT(SERVER_MAIL) | BIT(SERVER_RCPT) | CLOSED_TOO,
	.open = true,
	.owes = true},
    [SERVER_RCPT] = {.name = "rcpt",
	.next = BIT(SERVER_RCPT_ASKED) | BIT(SERVER_BODY) | BIT(SERVER_CHUNK) |
		BIT(SERVER_CHUNK_BAD) | BIT(SERVER_READY) | CLOSED_TOO,
	.open = true,
	.lines = true,
	.first = "DATA, BDAT or RSET first"},
    [SERVER_BODY] = {.name = "body",
	.next = BIT(SERVER_BODY_BAD) | BIT(SERVER_VERDICT) | CLOSED_TOO,
	.open = true,
	.body = true},
    [SERVER_BODY_BAD] = {.name = "bad body",
	.next = BIT(SERVER_READY) | CLOSED_TOO,
	.body = true},
    [SERVER_CHUNK] = {.name = "chunk",
	.next =
	    BIT(SERVER_CHUNKS) | BIT(SERVER_CHUNK_BAD) | BIT(SERVER_VERDICT) | CLOSED_TOO,
	.open = true,
	.body = true},
    [SERVER_CHUNK_BAD] = {.name = "bad chunk",
	.next = BIT(SERVER_GREETED) | BIT(SERVER_READY) | CLOSED_TOO,
	.body = true},
    [SERVER_CHUNKS] = {.name = "chunks",
	.next =
	    BIT(SERVER_CHUNK) | BIT(SERVER_CHUNK_BAD) | BIT(SERVER_READY) | CLOSED_TOO,
	.open = true,
	.lines = true,
	.first = "BDAT or RSET first"},
    [SERVER_VERDICT] = {.name = "verdict",
	.next = BIT(SERVER_READY) | CLOSED_TOO,
	.owes = true},
    [SERVER_HANDSHAKE] = {.name = "handshake", .next = BIT(SERVER_GREETED) | CLOSED_TOO},
    [SERVER_CLOSED] = {.name = "closed"},
#undef CLOSED_TOO
};

const struct smtp_server_traits *
smtp_server_traits(const struct smtp_server *server)
{
	return &states[server->state];
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
		check(server->helo == NULL && server->login == NULL);
		break;
	case SERVER_AUTH_LINE:
	case SERVER_AUTH_ASKED:
		check(server->auth != NULL && server->tls);
		break;
	case SERVER_MAIL:
		check(server->rcpt_count == 0);
		break;
	case SERVER_CONNECTED:
	case SERVER_MAIL_ASKED:
	case SERVER_RCPT_ASKED:
	case SERVER_BODY_BAD:
	case SERVER_CHUNK_BAD:
	case SERVER_HANDSHAKE:
	case SERVER_CLOSED:
	case SERVER_STATE_COUNT:
		break;
	}
}

static void
announce(struct smtp_server *server, struct smtp_server_pending pending)
{
	check(server->pending_count < SERVER_PENDING_MAX);
	server->pending[server->pending_count++] = pending;
}

void
smtp_server_move(struct smtp_server *server, enum smtp_server_state next)
{
	enum smtp_server_state last = server->state;

	check(states[last].next & BIT(next));
	server->state = next;
	if (states[last].open && !states[next].open && next != SERVER_VERDICT)
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

enum smtp_server_state
smtp_server_idle_state(const struct smtp_server *server)
{
	return server->helo ? SERVER_READY : SERVER_GREETED;
}

void
smtp_server_say_reply(struct smtp_server *server, const struct reply *reply)
{
	reply_write(&server->output, reply, true, server->smtputf8);
	check(buf_finish(&server->output) == OK);
}

void
smtp_server_say(struct smtp_server *server, enum reply_id id, struct span arg)
{
	smtp_server_say_reply(server, &(struct reply){.id = id, .args = {arg}});
}

static void
announce_refusal(struct smtp_server *server, enum reply_id id)
{
	announce(server,
	    (struct smtp_server_pending){
		.kind = SMTP_SERVER_REFUSED, .reply = id, .command = server->line});
}

void
smtp_server_refuse(struct smtp_server *server, enum reply_id id, struct span arg)
{
	smtp_server_say(server, id, arg);
	announce_refusal(server, id);
	/* Counted apart: the limit of wrong passwords is another one. */
	if (id == REPLY_AUTH_INVALID)
		server->auth_failures++;
	else if (reply_code(id) >= 500)
		server->errors++;
}

struct span
smtp_server_number(char digits[static SERVER_DIGITS_MAX], uint64_t number)
{
	int len = snprintf(digits, SERVER_DIGITS_MAX, "%llu", (unsigned long long)number);

	check(len > 0 && len < SERVER_DIGITS_MAX);
	return span_of(digits, (size_t)len);
}

void
smtp_server_refuse_order(struct smtp_server *server, enum smtp_server_state state)
{
	check(states[state].first != NULL);
	smtp_server_refuse(server, REPLY_BAD_SEQUENCE, span_str(states[state].first));
}

void
smtp_server_close(struct smtp_server *server, enum reply_id id)
{
	/* Nothing may be said in clear text to a client that expects a handshake. */
	bool silent =
	    server->state == SERVER_CONNECTED || server->state == SERVER_HANDSHAKE;

	smtp_server_move(server, SERVER_CLOSED);
	if (!silent)
		smtp_server_say(server, id, server->options.hostname);
	announce_refusal(server, id);
}
