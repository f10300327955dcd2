/*
 * For the tests of the client session: plays dialogues, each whole, one byte at
 * a time and split at random, and compares every event and every byte sent.
 *
 * "S: " is a line of the server, "S+ " bytes of it without a line end, "C: " a
 * line that the client must have sent by then, "E" the end of the connection,
 * "T n" n milliseconds in which nothing comes.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "smtp/smtp_client.h"

enum { SENT_BYTES_MAX = 1 << 20, TIMEOUT_MS = 1000, RCPTS = 3 };
enum split { WHOLE, BYTEWISE, RANDOM, RANDOM_LAST = RANDOM + 4 };

struct mail {
	const char *from;
	const char *to[RCPTS];
	const char *body;
	uint64_t bytes;
	bool body_8bit, smtputf8;
	const struct smtp_client_mail *asks; /* what else there is; its addresses do not count */
};

struct dialogue {
	const char *name;
	enum smtp_client_tls tls;
	const char *login;
	bool auth_without_tls;
	bool lmtp;
	bool no_chunks;
	bool tls_fails;
	bool ahead; /* the second mail goes behind the end of the first one */
	bool drops; /* and is given up at once */
	bool stays; /* at rest after the last mail, instead of QUIT */
	bool whole_only; /* what the client does next depends on what came with it */
	const struct mail *mails[2];
	const char *script;
	const char *events;
};

struct run {
	const struct dialogue *dialogue;
	struct smtp_client *client;
	struct buf events;
	struct buf sent;
	size_t mail_index;
	struct span body;
	uint64_t now_ms;
	uint32_t seed;
	enum split split;
	bool tls_wanted;
	bool is_ahead; /* the second mail is, and the first one has not ended */
};

/* A linear congruential generator: the splits are the same in each run. */
static uint32_t
draw(struct run *run)
{
	run->seed = run->seed * 1664525 + 1013904223;
	return run->seed >> 8;
}

static size_t
piece(struct run *run, size_t bytes)
{
	size_t n = bytes;

	if (run->split == BYTEWISE)
		n = 1;
	else if (run->split != WHOLE)
		n = 1 + draw(run) % 9;
	return n < bytes ? n : bytes;
}

static void
note_reply(struct run *run, const struct smtp_client_event *event)
{
	const struct smtp_client_reply *reply = &event->reply;

	if (reply->code)
		buf_addf(&run->events, " %u", reply->code);
	if (reply->status[0])
		buf_addf(&run->events, " %u.%u.%u", reply->status[0], reply->status[1],
		    reply->status[2]);
	if (event->kind == SMTP_CLIENT_RCPT_DONE || event->kind == SMTP_CLIENT_RCPT_VERDICT ||
	    reply->text.len == 0)
		return;
	buf_add_str(&run->events, " ");
	for (size_t i = 0; i < reply->text.len; i++)
		buf_add_char(
		    &run->events, reply->text.ptr[i] == '\n' ? '|' : reply->text.ptr[i]);
}

static struct smtp_client_mail
make(const struct mail *mail, struct span rcpts[RCPTS])
{
	struct smtp_client_mail out = {0};

	if (mail->asks)
		out = *mail->asks;
	out.rcpts = rcpts;
	out.reverse_path = span_str(mail->from);
	out.body_bytes = mail->bytes ? mail->bytes : strlen(mail->body);
	out.body_8bit = mail->body_8bit;
	out.smtputf8 = mail->smtputf8;
	while (out.rcpt_count < RCPTS && mail->to[out.rcpt_count]) {
		rcpts[out.rcpt_count] = span_str(mail->to[out.rcpt_count]);
		out.rcpt_count++;
	}
	return out;
}

static void
send_next(struct run *run)
{
	const struct mail *mail = NULL;
	struct span rcpts[RCPTS];
	struct smtp_client_mail out;

	if (run->mail_index < LEN(run->dialogue->mails))
		mail = run->dialogue->mails[run->mail_index++];
	if (!mail && run->dialogue->stays) {
		/* Nothing is awaited, however long it takes. */
		assert_true(smtp_client_deadline_ms(run->client) == UINT64_MAX);
		return;
	}
	if (!mail) {
		smtp_client_quit(run->client, run->now_ms);
		return;
	}
	out = make(mail, rcpts);
	run->body = span_str(mail->body);
	smtp_client_send(run->client, &out, run->now_ms);
}

static void
send_ahead(struct run *run)
{
	const struct mail *mail = run->dialogue->mails[1];
	struct span rcpts[RCPTS];
	struct smtp_client_mail out = make(mail, rcpts);

	run->is_ahead = smtp_client_send_ahead(run->client, &out, run->now_ms);
	buf_add_str(&run->events, run->is_ahead ? "ahead; " : "not ahead; ");
	if (!run->is_ahead)
		return;
	assert_false(smtp_client_may_send_ahead(run->client));
	run->mail_index++;
	if (run->dialogue->drops)
		smtp_client_drop_ahead(run->client);
}

static void
give_body(struct run *run)
{
	size_t n = piece(run, run->body.len);
	struct span bytes = span_first(run->body, n);

	run->body = span_skip(run->body, n);
	smtp_client_body(run->client, bytes, run->body.len == 0, run->now_ms);
	if (run->dialogue->ahead && run->body.len == 0 && run->mail_index == 1)
		send_ahead(run);
}

static void
take(struct run *run, const struct smtp_client_event *event)
{
	const char *stage = smtp_client_stage_name(event->stage);

	switch (event->kind) {
	case SMTP_CLIENT_WAIT:
		return;
	case SMTP_CLIENT_START_TLS:
		assert_int_equal(smtp_client_output(run->client).len, 0);
		run->tls_wanted = true;
		buf_add_str(&run->events, "tls");
		break;
	case SMTP_CLIENT_READY:
		buf_add_str(&run->events, "ready");
		send_next(run);
		break;
	case SMTP_CLIENT_RCPT_DONE:
		buf_addf(&run->events, "rcpt %zu", event->rcpt_index);
		note_reply(run, event);
		break;
	case SMTP_CLIENT_RCPT_VERDICT:
		buf_addf(&run->events, "verdict %zu", event->rcpt_index);
		note_reply(run, event);
		break;
	case SMTP_CLIENT_BODY_WANTED:
		give_body(run);
		return;
	case SMTP_CLIENT_MAIL_DONE:
		buf_addf(&run->events, "done %s", stage);
		note_reply(run, event);
		if (run->is_ahead)
			run->body = span_str(run->dialogue->mails[1]->body);
		run->is_ahead = false;
		break;
	case SMTP_CLIENT_FAILED:
		buf_addf(&run->events, "failed %s, %s", stage, err_text(event->err));
		note_reply(run, event);
		if (smtp_client_in_doubt(run->client))
			buf_add_str(&run->events, ", in doubt");
		break;
	case SMTP_CLIENT_CLOSED:
		buf_add_str(&run->events, "closed");
		break;
	}
	buf_add_str(&run->events, "; ");
}

/* Pulls events and sends output until nothing is left to do. */
static void
pump(struct run *run)
{
	struct smtp_client_event event;
	struct span output;

	do {
		event = smtp_client_next(run->client);
		take(run, &event);
		output = smtp_client_output(run->client);
		if (event.kind != SMTP_CLIENT_WAIT || output.len == 0)
			continue;
		output = span_first(output, piece(run, output.len));
		buf_add(&run->sent, output);
		smtp_client_output_done(run->client, output.len);
		event.kind = SMTP_CLIENT_READY; /* go on */
	} while (event.kind != SMTP_CLIENT_WAIT);
}

/* What comes in one go, a handshake waits for. */
static void
feed(struct run *run, struct span bytes)
{
	if (run->sent.len)
		fail_msg("%s: sent unexpected: %.*s", run->dialogue->name,
		    SPAN_ARGS(buf_span(&run->sent)));
	while (bytes.len) {
		struct span part = span_first(bytes, piece(run, bytes.len));
		size_t taken = smtp_client_input(run->client, part, run->now_ms);

		assert_true(taken > 0);
		bytes = span_skip(bytes, taken);
		pump(run);
	}
	if (!run->tls_wanted)
		return;
	run->tls_wanted = false;
	if (run->dialogue->tls_fails)
		smtp_client_tls_failed(run->client);
	else
		smtp_client_tls_started(run->client, run->now_ms);
	pump(run);
}

static void
expect_sent(struct run *run, struct span line)
{
	struct span sent = buf_span(&run->sent);
	size_t bytes = line.len + 2;

	if (!span_starts(sent, line) ||
	    !span_starts(span_skip(sent, line.len), SPAN("\r\n")))
		fail_msg("%s (split %d): want \"%.*s\", sent \"%.*s\"",
		    run->dialogue->name, (int)run->split, SPAN_ARGS(line),
		    SPAN_ARGS(sent));
	buf_consume(&run->sent, bytes);
}

static void
pass_time(struct run *run, struct span text)
{
	uint64_t ms;

	assert_true(span_u64(text, 1 << 30, &ms));
	run->now_ms += ms;
	if (run->now_ms >= smtp_client_deadline_ms(run->client))
		smtp_client_tick(run->client, run->now_ms);
	pump(run);
}

static void
play(struct run *run)
{
	struct span script = span_str(run->dialogue->script);
	struct span line;
	struct buf said;

	buf_init(&said, SENT_BYTES_MAX);
	while (span_cut(&script, '\f', &line)) {
		struct span text = span_skip(line, 3);

		if (said.len && line.ptr[0] != 'S') {
			feed(run, buf_span(&said));
			buf_reset(&said);
		}
		if (span_starts(line, SPAN("S"))) {
			buf_add(&said, text);
			if (line.ptr[1] == ':')
				buf_add(&said, SPAN("\r\n"));
		} else if (span_starts(line, SPAN("C: "))) {
			expect_sent(run, text);
		} else if (span_starts(line, SPAN("T "))) {
			pass_time(run, span_skip(line, 2));
		} else {
			assert_true(span_eq(line, SPAN("E")));
			smtp_client_eof(run->client);
			pump(run);
		}
	}
	feed(run, buf_span(&said));
	buf_fini(&said);
}

static void
drive(const struct dialogue *dialogue, enum split split)
{
	struct smtp_client_options options = {
	    .helo = SPAN("me.example"),
	    .tls = dialogue->tls,
	    .login = span_str(dialogue->login),
	    .password = span_str(dialogue->login ? "secret" : NULL),
	    .auth_without_tls = dialogue->auth_without_tls,
	    .lmtp = dialogue->lmtp,
	    .no_chunks = dialogue->no_chunks,
	    .reply_timeout_ms = TIMEOUT_MS,
	};
	struct run run = {.dialogue = dialogue,
	    .split = split,
	    .seed = (uint32_t)split + 1,
	    .now_ms = 5};

	run.client = smtp_client_create(&options, run.now_ms);
	buf_init(&run.events, SENT_BYTES_MAX);
	buf_init(&run.sent, SENT_BYTES_MAX);
	pump(&run);
	play(&run);
	if (run.sent.len)
		fail_msg("%s: sent unexpected: %.*s", dialogue->name,
		    SPAN_ARGS(buf_span(&run.sent)));
	if (!span_eq(buf_span(&run.events), span_str(dialogue->events)))
		fail_msg("%s (split %d):\n got \"%.*s\"\nwant \"%s\"", dialogue->name,
		    (int)split, SPAN_ARGS(buf_span(&run.events)), dialogue->events);
	smtp_client_destroy(run.client);
	buf_fini(&run.events);
	buf_fini(&run.sent);
}

static void
drive_all(const struct dialogue *dialogues, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int last = dialogues[i].whole_only ? WHOLE : RANDOM_LAST;

		for (int split = WHOLE; split <= last; split++)
			drive(&dialogues[i], (enum split)split);
	}
}

#define S(text) "S: " text "\f"
#define SRAW(text) "S+ " text "\f"
#define C(text) "C: " text "\f"
