/*
 * A hostile server against the client session.  The first byte chooses options
 * and the size of the pieces; the rest is what the server says, with 0xff for
 * "time passes" and 0xfe for the end.
 *
 * Checked: recipients are told in order and at most once a transaction, a
 * transaction ends at most once, a failed session stays silent, output and time
 * are bounded, and what the client says is whole lines without any of the
 * server's bytes.
 */
#include "base/check.h"
#include "smtp/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAILS_MAX = 3, RCPTS = 3, OUTPUT_BYTES_MAX = 8 << 10, EVENTS_MAX = 200 };

struct run {
	struct smtp_client *client;
	uint64_t now_ms;
	size_t mail_count;
	size_t rcpt_next; /* the index that the next RCPT_DONE may have */
	bool lmtp;
	bool accepted[RCPTS]; /* and has no verdict yet */
	size_t verdict_next;
	bool ahead;   /* another one is behind it */
	bool sending; /* between smtp_client_send() and MAIL_DONE */
	bool resting; /* READY came, and the next mail waits until time passes */
	bool over; /* FAILED or CLOSED came */
};

static const struct span rcpts[RCPTS] = {{"b@y", 3}, {"c@y", 3}, {"d@y", 3}};

static void
send_next(struct run *run)
{
	struct smtp_client_mail mail = {
	    .reverse_path = SPAN("a@x"), .rcpts = rcpts, .rcpt_count = RCPTS};

	if (run->mail_count++ == MAILS_MAX) {
		smtp_client_quit(run->client, run->now_ms);
		return;
	}
	mail.body_bytes = run->mail_count * 100;
	mail.body_8bit = mail.smtputf8 = run->mail_count == MAILS_MAX;
	mail.body_binary = run->mail_count == 1 && run->now_ms % 2;
	mail.envelope_only = run->now_ms % 5 == 1;
	run->sending = true;
	run->rcpt_next = run->verdict_next = 0;
	memset(run->accepted, 0, sizeof(run->accepted));
	smtp_client_send(run->client, &mail, run->now_ms);
}

/* Behind the end of a body; at times it is given up, and at times time passes before. */
static void
send_ahead(struct run *run)
{
	const struct smtp_client_mail mail = {.reverse_path = SPAN("a@x"),
	    .rcpts = rcpts,
	    .rcpt_count = RCPTS,
	    .body_bytes = 7,
	    .body_binary = run->now_ms % 7 == 3};

	if (run->mail_count >= MAILS_MAX || run->now_ms % 4 == 1 ||
	    !smtp_client_send_ahead(run->client, &mail, run->now_ms))
		return;
	check(!run->lmtp);
	run->mail_count++;
	run->ahead = true;
	if (run->now_ms % 5 == 2)
		smtp_client_drop_ahead(run->client);
}

static void
take(struct run *run, const struct smtp_client_event *event)
{
	check(!run->over || event->kind == SMTP_CLIENT_WAIT);
	check(event->reply.text.len <= SMTP_CLIENT_REPLY_TEXT_MAX);
	switch (event->kind) {
	case SMTP_CLIENT_WAIT:
		break;
	case SMTP_CLIENT_START_TLS:
		check(smtp_client_output(run->client).len == 0);
		if (run->now_ms & 1)
			smtp_client_tls_failed(run->client);
		else
			smtp_client_tls_started(run->client, run->now_ms);
		break;
	case SMTP_CLIENT_READY:
		check(!run->sending && !run->resting);
		check(smtp_client_deadline_ms(run->client) == UINT64_MAX);
		/* A session between two mails may be kept for a while. */
		run->resting = run->mail_count > 0 && run->now_ms % 2;
		if (!run->resting)
			send_next(run);
		break;
	case SMTP_CLIENT_RCPT_DONE:
		check(run->sending && event->rcpt_index == run->rcpt_next++);
		check(event->rcpt_index < RCPTS && event->reply.code >= 200);
		run->accepted[event->rcpt_index] = event->reply.code < 300;
		break;
	case SMTP_CLIENT_RCPT_VERDICT:
		check(run->lmtp && run->sending && event->rcpt_index >= run->verdict_next);
		check(event->rcpt_index < RCPTS && run->accepted[event->rcpt_index]);
		check(event->reply.code >= 200);
		run->accepted[event->rcpt_index] = false;
		run->verdict_next = event->rcpt_index + 1;
		break;
	case SMTP_CLIENT_BODY_WANTED:
		check(run->sending && run->rcpt_next == RCPTS);
		smtp_client_body(
		    run->client, SPAN("Hi\r\n.\r\n"), run->now_ms % 3 == 0, run->now_ms);
		send_ahead(run);
		break;
	case SMTP_CLIENT_MAIL_DONE:
		check(run->sending && event->reply.code >= 200);
		for (size_t i = 0; i < RCPTS && run->lmtp; i++)
			check(!run->accepted[i] || event->stage != SMTP_CLIENT_BODY_SENT);
		run->sending = run->ahead;
		if (run->ahead)
			run->rcpt_next = 0;
		run->ahead = false;
		break;
	case SMTP_CLIENT_FAILED:
		check(event->err != OK);
		check(!smtp_client_in_doubt(run->client) ||
		      (run->sending && event->stage == SMTP_CLIENT_BODY_SENT));
		run->over = true;
		break;
	case SMTP_CLIENT_CLOSED:
		/* The one that was sent ahead may end with the session. */
		check(!run->sending || run->rcpt_next == 0);
		run->over = true;
		break;
	}
}

static void
pump(struct run *run)
{
	struct smtp_client_event event = {.kind = SMTP_CLIENT_READY};
	size_t idle = 0;

	/* A body may go on for as long as this side wants to give it. */
	for (size_t i = 0; i < EVENTS_MAX && idle < 2; i++) {
		struct span output = smtp_client_output(run->client);

		check(output.len <= OUTPUT_BYTES_MAX);
		check(output.len == 0 || output.ptr[output.len - 1] == '\n');
		smtp_client_output_done(run->client, output.len);
		event = smtp_client_next(run->client);
		take(run, &event);
		run->now_ms++;
		idle = event.kind == SMTP_CLIENT_WAIT ? idle + 1 : 0;
	}
	check(event.kind == SMTP_CLIENT_WAIT);
}

static void
pass_time(struct run *run)
{
	uint64_t deadline_ms = smtp_client_deadline_ms(run->client);

	run->now_ms += 1000;
	check(deadline_ms == UINT64_MAX || deadline_ms <= run->now_ms + 2000);
	smtp_client_tick(run->client, run->now_ms);
	if (run->resting && !run->over) {
		run->resting = false;
		send_next(run);
	}
	pump(run);
}

static void
feed(struct run *run, struct span bytes, size_t piece)
{
	while (bytes.len) {
		size_t taken =
		    smtp_client_input(run->client, span_first(bytes, piece), run->now_ms);

		check(taken > 0 && taken <= piece);
		bytes = span_skip(bytes, taken);
		pump(run);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};
	unsigned how = size ? data[0] : 0;
	struct smtp_client_options options = {
	    .helo = SPAN("me"),
	    .tls = (enum smtp_client_tls)(how & 3),
	    .login = how & 4 ? SPAN("joe") : SPAN(""),
	    .password = SPAN("secret"),
	    .auth_without_tls = how & 8,
	    .lmtp = (how & 3) == SMTP_CLIENT_TLS_NEVER && how & 4,
	    .reply_timeout_ms = 1000,
	};
	struct run run = {.lmtp = options.lmtp, .client = smtp_client_create(&options, 0)};

	pump(&run);
	bytes = span_skip(bytes, 1);
	while (bytes.len) {
		size_t n = 0;

		while (n < bytes.len && (unsigned char)bytes.ptr[n] < 0xfe)
			n++;
		feed(&run, span_first(bytes, n), how & 16 ? 1 : 1 + (how >> 5) * 97);
		if (n < bytes.len && (unsigned char)bytes.ptr[n] == 0xff)
			pass_time(&run);
		else if (n < bytes.len)
			smtp_client_eof(run.client);
		pump(&run);
		bytes = span_skip(bytes, n + 1);
	}
	smtp_client_eof(run.client);
	pump(&run);
	check(run.over);
	smtp_client_destroy(run.client);
	return 0;
}
