/*
 * A sender that behaves: the dialogue of one session at a time, with or without PIPELINING, with
 * DATA or BDAT, in pieces.  What it was promised, and what it cannot know, it tells the oracle.
 */
#include "sim_client.h"

#include <stdio.h>

#include "base/id.h"

enum {
	REPLY_MS_MAX = 10 * 60 * 1000,
	PENDING_MAX = 64 << 10,
	BACK_OFF_MS = 20 * 1000,
	BACK_OFF_MS_MAX = 15 * 60 * 1000,
};

static void send_more(struct sender *sender);

struct sim *
sender_sim(const struct sender *sender)
{
	return oracle_sim(sender->options.oracle);
}

static uint64_t
chance(const struct sender *sender, uint64_t below)
{
	return sim_chance(sender_sim(sender), below);
}

static void
want(struct sender *sender, enum want_kind kind, unsigned rcpt)
{
	check(sender->want_count < LEN(sender->wants));
	sender->wants[sender->want_count++] = (struct want){kind, rcpt};
	io_timer_start(sender->options.io, &sender->timer, REPLY_MS_MAX);
}

static void
say(struct sender *sender, enum want_kind kind, unsigned rcpt, const char *format, ...)
{
	struct buf line;
	va_list arguments;
	char text[600];

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	buf_init(&line, 700);
	buf_addf(&line, "%s\r\n", text);
	io_send(sender->stream, buf_span(&line));
	buf_fini(&line);
	want(sender, kind, rcpt);
}

/* The try, if its end was sent, came to this. */
static void
try_over(struct sender *sender, enum try_state state, uint64_t id)
{
	if (!sender->try_open)
		return;
	sender->try_open = false;
	oracle_try_over(
	    sender->options.oracle, sender->job->letter, sender->try, state, id);
}

static void
later(struct sender *sender, struct job *job)
{
	uint64_t wait_ms = (uint64_t)BACK_OFF_MS << (job->tries < 8 ? job->tries : 8);

	job->tries++;
	if (wait_ms > BACK_OFF_MS_MAX)
		wait_ms = BACK_OFF_MS_MAX;
	job->due_ms = sim_now_ms(sender_sim(sender)) + wait_ms / 2 + chance(sender, wait_ms);
}

static void
go_on_at(struct sender *sender, uint64_t at_ms)
{
	uint64_t now_ms = sim_now_ms(sender_sim(sender));

	io_timer_start(sender->options.io, &sender->timer, at_ms > now_ms ? at_ms - now_ms : 1);
}

/* The letter that is due first; NULL: all are settled. */
static struct job *
first_job(struct sender *sender)
{
	struct job *first = NULL;

	for (size_t i = 0; i < sender->job_count; i++) {
		struct job *job = &sender->jobs[i];

		if (job->open_mask && (!first || job->due_ms < first->due_ms))
			first = job;
	}
	return first;
}

/* The session is over, in whatever way; the next begins when something is due. */
void
sender_session_over(struct sender *sender)
{
	struct job *next;

	try_over(sender, TRY_DOUBT, 0);
	if (sender->job && sender->job->open_mask)
		later(sender, sender->job);
	sender->job = NULL;
	io_timer_stop(sender->options.io, &sender->timer);
	io_timer_stop(sender->options.io, &sender->pause);
	io_close(sender->stream);
	sender->stream = NULL;
	sender->want_count = 0;
	sender->sending = sender->draining = false;
	buf_reset(&sender->input);
	next = first_job(sender);
	if (next)
		go_on_at(sender, next->due_ms);
}

static void
abort_session(struct sender *sender)
{
	io_abort(sender->stream);
	sender->stream = NULL;
	sender_session_over(sender);
}

/* Now and then a client is switched off in the middle. */
static bool
goes_away(struct sender *sender)
{
	const struct mood *mood = sender->options.mood;

	if (mood->healed || !sim_happens(sender_sim(sender), mood->client_ppm))
		return false;
	sim_trace(sender_sim(sender), "%s goes away", sender->options.name);
	abort_session(sender);
	return true;
}

/* Every second recipient of some letters asks for all notifications there are. */
static bool
asks_dsn(const struct sender *sender)
{
	return sender->offers_dsn && letter_asks(&sender->job->letter->letter);
}

static void
say_rcpt(struct sender *sender, unsigned rcpt)
{
	say(sender, WANT_RCPT, rcpt, "RCPT TO:<%s>%s", sender->job->letter->rcpts[rcpt].address,
	    asks_dsn(sender) && rcpt % 2 == 0
	        ? " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;sim+2Brcpt@x"
	        : "");
}

/* The first recipient from that on that is still open; LETTER_RCPTS_MAX: none. */
static unsigned
open_rcpt(const struct sender *sender, unsigned from)
{
	while (from < LETTER_RCPTS_MAX && !(sender->job->open_mask >> from & 1))
		from++;
	return from;
}

static void
begin_message(struct sender *sender)
{
	const struct oracle_letter *letter = sender->job->letter;
	bool eight = letter->letter.shape == LETTER_8BIT && sender->offers_8bit;

	sender->accepted = 0;
	sender->mail_ok = sender->sending = false;
	sender->by_bdat = sender->offers_chunking && chance(sender, 3) == 0;
	sender->pipelined = sender->offers_pipelining && chance(sender, 2) == 0;
	say(sender, WANT_MAIL, 0, "MAIL FROM:<%s>%s%s", letter->letter.from,
	    eight ? " BODY=8BITMIME" : "", asks_dsn(sender) ? " RET=HDRS ENVID=sim+2Bletter" : "");
	if (!sender->pipelined)
		return;
	for (unsigned i = open_rcpt(sender, 0); i < LETTER_RCPTS_MAX; i = open_rcpt(sender, i + 1))
		say_rcpt(sender, i);
	if (!sender->by_bdat)
		say(sender, WANT_DATA, 0, "DATA");
}

/* Another message in this session, or the end of it. */
static void
next_message(struct sender *sender)
{
	struct job *job = first_job(sender);

	sender->job = NULL;
	if (job && job->due_ms <= sim_now_ms(sender_sim(sender))) {
		sender->job = job;
		begin_message(sender);
	} else {
		say(sender, WANT_QUIT, 0, "QUIT");
	}
}

/* The message was not, or not wholly, taken: the rest of it comes later. */
static void
message_over(struct sender *sender, bool reset)
{
	if (sender->job->open_mask)
		later(sender, sender->job);
	if (reset)
		say(sender, WANT_RESET, 0, "RSET");
	else
		next_message(sender);
}

static void
stuff(struct buf *out, struct span bytes)
{
	while (bytes.len > 0) {
		size_t end = span_find(bytes, '\n') + 1;

		if (bytes.ptr[0] == '.')
			buf_add_char(out, '.');
		buf_add(out, span_first(bytes, end));
		bytes = span_skip(bytes, end);
	}
	buf_add_str(out, ".\r\n");
}

static void
begin_body(struct sender *sender)
{
	struct buf plain;

	buf_init(&plain, 2 * LETTER_BYTES_MAX);
	buf_reset(&sender->body);
	if (sender->accepted)
		letter_write(&plain, &sender->job->letter->letter);
	if (sender->by_bdat)
		buf_add(&sender->body, buf_span(&plain));
	else
		stuff(&sender->body, buf_span(&plain));
	check(buf_finish(&plain) == OK && buf_finish(&sender->body) == OK);
	buf_fini(&plain);
	sender->given = 0;
	sender->chunk_end = sender->by_bdat ? 0 : sender->body.len;
	sender->sending = true;
	if (!sender->by_bdat)
		want(sender, WANT_END, 0);
	send_more(sender);
}

/* From here on nobody knows what becomes of it, until a reply comes. */
static void
note_sent(struct sender *sender)
{
	sender->sending = false;
	if (!sender->accepted)
		return;
	sender->try = oracle_try_sent(
	    sender->options.oracle, sender->job->letter, sender->accepted);
	sender->try_open = true;
}

static void
begin_chunk(struct sender *sender)
{
	size_t left = sender->body.len - sender->given;
	size_t bytes = chance(sender, 3) ? left : chance(sender, left + 1);
	bool last = bytes == left && chance(sender, 4);

	if (sender->chunks++ > 20) {
		bytes = left;
		last = true;
	}
	sender->chunk_end = sender->given + bytes;
	say(sender, last ? WANT_END : WANT_CHUNK, 0, "BDAT %zu%s", bytes, last ? " LAST" : "");
	sender->chunk_is_last = last;
	if (bytes == 0) {
		if (last)
			note_sent(sender);
		else
			sender->sending = false;
	}
}

static void
drained(struct io_op *op)
{
	struct sender *sender = op->owner;

	sender->draining = false;
	if (op->err)
		sender_session_over(sender);
	else
		send_more(sender);
}

static void
pause_over(struct io_timer *timer)
{
	send_more(timer->owner);
}

/* Sends the body in pieces, as fast as the other side takes it, sometimes slower. */
static void
send_more(struct sender *sender)
{
	while (sender->stream && sender->sending && !sender->draining) {
		size_t left;
		struct span piece;

		if (sender->given == sender->chunk_end) {
			begin_chunk(sender);
			continue;
		}
		if (io_pending(sender->stream) > PENDING_MAX) {
			sender->draining = true;
			io_drain(sender->stream, &sender->drain, PENDING_MAX / 2);
			return;
		}
		left = sender->chunk_end - sender->given;
		piece = span_of(sender->body.ptr + sender->given, left);
		piece = span_first(piece, 1 + chance(sender, 40000));
		sender->given += piece.len;
		if (piece.len == left && (!sender->by_bdat || sender->chunk_is_last))
			note_sent(sender);
		else if (piece.len == left)
			sender->sending = false;
		io_send(sender->stream, piece);
		if (sender->sending && chance(sender, 30) == 0) {
			io_timer_start(sender->options.io, &sender->pause,
			    1 + chance(sender, 20000));
			return;
		}
	}
}

static void
envelope_done(struct sender *sender)
{
	if (!sender->accepted) {
		message_over(sender, sender->mail_ok);
	} else if (sender->by_bdat) {
		sender->chunks = 0;
		begin_body(sender);
	} else {
		say(sender, WANT_DATA, 0, "DATA");
	}
}

static void
take_rcpt(struct sender *sender, unsigned rcpt, unsigned code)
{
	unsigned next = open_rcpt(sender, rcpt + 1);

	if (sender->mail_ok) {
		oracle_rcpt_replied(sender->options.oracle, sender->job->letter, rcpt, code);
		if (code >= 500)
			sender->job->open_mask &= ~(1u << rcpt);
		else if (code < 300)
			sender->accepted |= 1u << rcpt;
	}
	if (!sender->pipelined && next < LETTER_RCPTS_MAX)
		say_rcpt(sender, next);
	else if (!sender->pipelined || (sender->by_bdat && sender->want_count == 0))
		envelope_done(sender);
}

static void
take_end(struct sender *sender, unsigned code, struct span text)
{
	static const char queued[] = "queued as ";
	const char *at = memmem(text.ptr, text.len, queued, sizeof(queued) - 1);
	uint64_t id = 0;

	/* A reply before all was sent: the server gave up, and the rest means nothing to it. */
	if (sender->sending) {
		abort_session(sender);
		return;
	}
	if (code < 300) {
		struct span rest = at ? span_skip(text, (size_t)(at - text.ptr) +
		                                sizeof(queued) - 1)
		                      : SPAN("");

		if (id_parse(span_trim(rest), &id) != OK)
			sim_fail(sender_sim(sender), "property 8: a 250 without an id");
		sender->job->open_mask &= ~sender->accepted;
		try_over(sender, TRY_PROMISED, id);
	} else if (code >= 500 && sender->accepted) {
		sim_fail(sender_sim(sender), "property 6: T%06u is a good letter and got %u %.*s",
		    sender->job->letter->letter.number, code, SPAN_ARGS(text));
	} else {
		bool doubt = memmem(text.ptr, text.len, "may then arrive twice", 21) != NULL;

		try_over(sender, doubt ? TRY_DOUBT : TRY_REFUSED, 0);
	}
	message_over(sender, false);
}

static void
take_ehlo(struct sender *sender, unsigned code)
{
	struct span all = buf_span(&sender->reply);

	if (code != 250) {
		sender_session_over(sender);
		return;
	}
	sender->offers_pipelining = memmem(all.ptr, all.len, "PIPELINING", 10) != NULL;
	sender->offers_chunking = memmem(all.ptr, all.len, "CHUNKING", 8) != NULL;
	sender->offers_dsn = memmem(all.ptr, all.len, "DSN", 3) != NULL;
	sender->offers_8bit = memmem(all.ptr, all.len, "8BITMIME", 8) != NULL;
	begin_message(sender);
}

/* A whole reply: what it means depends on what it answers. */
void
sender_take_reply(struct sender *sender, unsigned code, struct span text)
{
	struct want head;

	if (sender->want_count == 0 || code == 421) {
		sender_session_over(sender);
		return;
	}
	head = sender->wants[0];
	memmove(sender->wants, sender->wants + 1, --sender->want_count * sizeof(head));
	if (head.kind != WANT_QUIT && goes_away(sender))
		return;
	switch (head.kind) {
	case WANT_GREETING:
		if (code == 220)
			say(sender, WANT_EHLO, 0, "EHLO %s", sender->options.name);
		else
			sender_session_over(sender);
		return;
	case WANT_EHLO:
		take_ehlo(sender, code);
		return;
	case WANT_MAIL:
		sender->mail_ok = code == 250;
		if (!sender->pipelined && sender->mail_ok)
			say_rcpt(sender, open_rcpt(sender, 0));
		else if (!sender->pipelined)
			message_over(sender, false);
		return;
	case WANT_RCPT:
		take_rcpt(sender, head.rcpt, code);
		return;
	case WANT_DATA:
		if (code == 354)
			begin_body(sender);
		else
			message_over(sender, sender->mail_ok);
		return;
	case WANT_CHUNK:
		if (sender->sending) {
			abort_session(sender);
		} else if (code != 250) {
			message_over(sender, true);
		} else {
			sender->sending = true;
			send_more(sender);
		}
		return;
	case WANT_END:
		take_end(sender, code, text);
		return;
	case WANT_RESET:
		next_message(sender);
		return;
	case WANT_QUIT:
		sender_session_over(sender);
		return;
	}
}

/* The next session, when something is due. */
static void
begin_session(struct sender *sender)
{
	sender->job = first_job(sender);
	if (!sender->job)
		return;
	if (sender->job->due_ms > sim_now_ms(sender_sim(sender))) {
		uint64_t due_ms = sender->job->due_ms;

		sender->job = NULL;
		go_on_at(sender, due_ms);
		return;
	}
	want(sender, WANT_GREETING, 0);
	sender_connect(sender);
}

static void
timed_out(struct io_timer *timer)
{
	struct sender *sender = timer->owner;

	if (sender->stream || sender->connecting)
		sender_give_up(sender);
	else
		begin_session(sender);
}

struct sender *
sender_create(const struct sender_options *options)
{
	struct sender *sender = mem_alloc(sizeof(*sender));

	sender->options = *options;
	sender->timer = (struct io_timer){.fired = timed_out, .owner = sender};
	sender->pause = (struct io_timer){.fired = pause_over, .owner = sender};
	sender->drain = (struct io_op){.done = drained, .owner = sender};
	sender_wire_init(sender);
	return sender;
}

void
sender_add(struct sender *sender, struct oracle_letter *letter, uint64_t at_ms)
{
	check(sender->job_count < LEN(sender->jobs));
	sender->jobs[sender->job_count++] = (struct job){
	    .letter = letter,
	    .open_mask = (uint32_t)((UINT64_C(1) << letter->rcpt_count) - 1),
	    .due_ms = at_ms,
	};
	if (!sender->stream && !sender->connecting)
		go_on_at(sender, first_job(sender)->due_ms);
}

bool
sender_is_done(const struct sender *sender)
{
	for (size_t i = 0; i < sender->job_count; i++)
		if (sender->jobs[i].open_mask)
			return false;
	return !sender->stream && !sender->connecting;
}
