/*
 * The client session: whole dialogues that stop at each byte of the server's.  Whatever follows
 * there, what was told before stays as it was, one failure is told of all that is left, and only
 * a message whose end is out, and has no answer, is in doubt.
 */
#include "smtp/smtp_client_play.h"

#define HELLO S("220-mx") S("220 ESMTP") C("EHLO me.example")
#define PLAIN_HELLO HELLO S("250-mx") S("250 HELP")
#define PIPE_HELLO HELLO S("250-mx") S("250-SIZE 1000") S("250 PIPELINING")
#define TLS_HELLO                                                                        \
	HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("220 go") C("EHLO me.example") \
	S("250-mx") S("250 AUTH PLAIN") C("AUTH PLAIN AGpvZQBzZWNyZXQ=") S("235 2.7.0 ok")
#define LMTP_HELLO S("220 mx") C("LHLO me.example") S("250-mx") S("250 PIPELINING")
#define ENVELOPE_ONE                                                                     \
	C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA") S("354 go")
#define PIPED_ENVELOPE                                                                   \
	C("MAIL FROM:<a@x>")                                                             \
	C("RCPT TO:<b@y>") C("RCPT TO:<c@y>") C("RCPT TO:<d@y>") C("DATA") S("250 2.1.0 ok")
#define BYE C("QUIT") S("221 bye")

static const struct mail one = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct mail three = {
    .from = "a@x", .to = {"b@y", "c@y", "d@y"}, .body = "Hi\r\n..\r\n"};
static const struct smtp_client_mail binary_asks = {.body_binary = true};
static const struct mail binary = {
    .from = "a@x", .to = {"b@y"}, .body = "a\n.\r\n", .asks = &binary_asks};

static const struct dialogue dialogues[] = {
    {.name = "lockstep, two messages",
	.mails = {&one, &one},
	.script = PLAIN_HELLO ENVELOPE_ONE C("Hi") C(".") S("250-2.0.0 taken") S("250 2.0.0 ok")
	    ENVELOPE_ONE C("Hi") C(".") S("554 no") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 2.0.0 taken|ok; ready; rcpt 0 250; "
		  "done body-sent 554 no; ready; closed; "},
    {.name = "pipelined, one recipient refused",
	.mails = {&three, &one},
	.script = PIPE_HELLO
	    "C: MAIL FROM:<a@x> SIZE=8\f" C("RCPT TO:<b@y>") C("RCPT TO:<c@y>") C("RCPT TO:<d@y>")
		C("DATA") S("250 ok") S("250 ok") S("550-5.1.1 no") S("550 5.1.1 c") S("250 ok")
		    S("354 go") C("Hi") C("...") C(".") S("250 ok")
			"C: MAIL FROM:<a@x> SIZE=4\f" C("RCPT TO:<b@y>") C("DATA") S("250 ok")
			    S("250 ok") S("354 go") C("Hi") C(".") S("451 no") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 550 5.1.1; rcpt 2 250; done body-sent 250 ok; ready; "
		  "rcpt 0 250; done body-sent 451 no; ready; closed; "},
    {.name = "STARTTLS and AUTH",
	.login = "joe",
	.mails = {&one},
	.script = TLS_HELLO ENVELOPE_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "tls; ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "BDAT",
	.whole_only = true,
	.mails = {&binary},
	.script = HELLO S("250-mx") S("250-BINARYMIME") S("250 CHUNKING")
	    C("MAIL FROM:<a@x> BODY=BINARYMIME") S("250 ok") C("RCPT TO:<b@y>") S("250 ok")
		"C: BDAT 5 LAST\r\na\n.\f" S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "LMTP",
	.lmtp = true,
	.mails = {&three},
	.script = LMTP_HELLO PIPED_ENVELOPE S("250 b") S("450 c") S("250 d") S("354 go") C("Hi")
	    C("...") C(".") S("250 2.0.0 b") S("552 5.2.2 full") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 450; rcpt 2 250; verdict 0 250 2.0.0; "
		  "verdict 2 552 5.2.2; done body-sent 552 5.2.2 full; ready; closed; "},
};

/* What comes instead of the byte where the dialogue stops. */
enum stop { CLOSE, SILENCE, DRIP, ENDLESS_LINE, ENDLESS_REPLY, NUL, STOP_COUNT };
static const char *const reasons[STOP_COUNT] = {"connection closed", "timed out", "timed out",
    "malformed", "", ""}; /* "": more than one may be */

/* All that was sent since the session began; what waits is sent first. */
struct cut {
	struct run run;
	struct buf sent;
	size_t left; /* bytes of the server's until it stops */
};

static void
note_sent(struct cut *cut)
{
	buf_add(&cut->sent, buf_span(&cut->run.sent));
	buf_reset(&cut->run.sent);
}

static void
hear(struct cut *cut, struct span bytes)
{
	note_sent(cut);
	feed(&cut->run, bytes);
	note_sent(cut);
}

/* Plays until the server has said so much, or, with a NUL there, all of it. */
static void
play_until(struct cut *cut, bool nul)
{
	struct span script = span_str(cut->run.dialogue->script);
	struct span line;
	char text[200];

	while (cut->left > 0 && span_cut(&script, '\f', &line)) {
		size_t bytes;

		if (line.ptr[0] != 'S')
			continue;
		bytes = (size_t)snprintf(
		    text, sizeof(text), "%.*s\r\n", SPAN_ARGS(span_skip(line, 3)));
		assert_true(bytes < sizeof(text));
		if (nul && cut->left > 0 && cut->left <= bytes)
			text[cut->left - 1] = '\0';
		else if (!nul && cut->left < bytes)
			bytes = cut->left;
		hear(cut, span_of(text, bytes));
		cut->left = nul && cut->left <= bytes ? SIZE_MAX : cut->left - bytes;
	}
}

/* Where a text begins in another; its length where it does not. */
static size_t
find(struct span in, struct span text)
{
	for (size_t i = 0; i < in.len; i++)
		if (span_starts(span_skip(in, i), text))
			return i;
	return in.len;
}

static bool
ends(struct span in, struct span text)
{
	return in.len >= text.len && span_eq(span_skip(in, in.len - text.len), text);
}

static bool
is_over(const struct cut *cut)
{
	struct span events = buf_span(&cut->run.events);

	return find(events, SPAN("failed ")) < events.len ||
	    find(events, SPAN("; closed; ")) < events.len;
}

/* So much every so often; how long the session lasted from now on. */
static uint64_t
say_each(struct cut *cut, struct span bytes, uint64_t ms)
{
	uint64_t begun_ms = cut->run.now_ms;

	while (!is_over(cut)) {
		char text[20];

		snprintf(text, sizeof(text), "%llu", (unsigned long long)ms);
		pass_time(&cut->run, span_str(text));
		if (!is_over(cut))
			hear(cut, bytes);
		assert_true(cut->run.now_ms - begun_ms < 10 * TIMEOUT_MS);
	}
	return cut->run.now_ms - begun_ms;
}

static void
stop_with(struct cut *cut, enum stop stop)
{
	size_t said = 0;

	switch (stop) {
	case SILENCE:
		assert_true(say_each(cut, SPAN(""), 100) <= TIMEOUT_MS);
		return;
	case DRIP:
		/* However often a byte comes, a line has its time. */
		assert_true(say_each(cut, SPAN("2"), 100) <= TIMEOUT_MS);
		return;
	case ENDLESS_LINE:
		while (!is_over(cut)) {
			hear(cut, SPAN("2222222222222222"));
			assert_true((said += 16) <= SMTP_CLIENT_LINE_BYTES_MAX + 200);
		}
		return;
	case ENDLESS_REPLY:
		/* And a reply has that of two. */
		assert_true(say_each(cut, SPAN("250-x\r\n"), 90) <= 2 * TIMEOUT_MS + 200);
		return;
	case CLOSE:
	case NUL:
	case STOP_COUNT:
		break;
	}
	note_sent(cut);
	smtp_client_eof(cut->run.client);
	pump(&cut->run);
	note_sent(cut);
}

static void
check_events(const struct cut *cut, enum stop stop)
{
	struct span events = buf_span(&cut->run.events);
	struct span whole = span_str(cut->run.dialogue->events);
	struct span sent = buf_span(&cut->sent);
	struct span bdat = SPAN("BDAT 5 LAST\r\na\n.\r\n");
	size_t told = find(events, SPAN("failed "));
	struct span failure = span_skip(events, told);
	bool owes_answer = ends(sent, SPAN("\r\n.\r\n")) || ends(sent, bdat);
	bool in_doubt = ends(events, SPAN(", in doubt; "));

	if (told == events.len) {
		/* The last word was said, or what is missing is the answer to QUIT. */
		assert_true(stop == NUL || span_eq(events, whole));
		assert_true(ends(events, SPAN("; closed; ")));
		return;
	}
	assert_true(find(events, SPAN("; closed; ")) == events.len);
	assert_true(find(span_skip(failure, 1), SPAN("; ")) == failure.len - 3);
	assert_int_equal(in_doubt, owes_answer);
	assert_int_equal(span_starts(failure, SPAN("failed body-sent")), owes_answer);
	assert_true(find(failure, span_str(reasons[stop])) < failure.len);
	if (stop != NUL && stop != ENDLESS_REPLY)
		assert_true(span_starts(whole, span_first(events, told)));
}

static void
cut_at(const struct dialogue *dialogue, size_t at, enum stop stop)
{
	struct smtp_client_options options = {
	    .helo = SPAN("me.example"),
	    .login = span_str(dialogue->login),
	    .password = span_str(dialogue->login ? "secret" : NULL),
	    .lmtp = dialogue->lmtp,
	    .reply_timeout_ms = TIMEOUT_MS,
	};
	struct cut cut = {.run = {.dialogue = dialogue, .now_ms = 5}, .left = at};

	cut.run.client = smtp_client_create(&options, cut.run.now_ms);
	buf_init(&cut.run.events, SENT_BYTES_MAX);
	buf_init(&cut.run.sent, SENT_BYTES_MAX);
	buf_init(&cut.sent, SENT_BYTES_MAX);
	pump(&cut.run);
	play_until(&cut, stop == NUL);
	if (!is_over(&cut))
		stop_with(&cut, stop);
	check_events(&cut, stop);
	smtp_client_destroy(cut.run.client);
	buf_fini(&cut.run.events);
	buf_fini(&cut.run.sent);
	buf_fini(&cut.sent);
}

static size_t
server_bytes(const struct dialogue *dialogue)
{
	struct span script = span_str(dialogue->script);
	struct span line;
	size_t bytes = 0;

	while (span_cut(&script, '\f', &line))
		if (line.ptr[0] == 'S')
			bytes += line.len - 3 + 2;
	return bytes;
}

static void
each_byte(enum stop stop)
{
	for (size_t i = 0; i < LEN(dialogues); i++) {
		size_t bytes = server_bytes(&dialogues[i]);

		for (size_t at = stop == NUL; at <= bytes; at++)
			cut_at(&dialogues[i], at, stop);
	}
}

static void
test_the_whole_dialogues(void **state)
{
	(void)state;
	drive_all(dialogues, LEN(dialogues));
}

static void
test_it_closes_at_each_byte(void **state)
{
	(void)state;
	each_byte(CLOSE);
}

static void
test_it_falls_silent_at_each_byte(void **state)
{
	(void)state;
	each_byte(SILENCE);
}

static void
test_it_drips_from_each_byte_on(void **state)
{
	(void)state;
	each_byte(DRIP);
}

static void
test_a_line_has_no_end_from_each_byte_on(void **state)
{
	(void)state;
	each_byte(ENDLESS_LINE);
}

static void
test_a_reply_has_no_end_from_each_byte_on(void **state)
{
	(void)state;
	each_byte(ENDLESS_REPLY);
}

static void
test_each_byte_is_a_nul(void **state)
{
	(void)state;
	each_byte(NUL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_whole_dialogues),
	    cmocka_unit_test(test_it_closes_at_each_byte),
	    cmocka_unit_test(test_it_falls_silent_at_each_byte),
	    cmocka_unit_test(test_it_drips_from_each_byte_on),
	    cmocka_unit_test(test_a_line_has_no_end_from_each_byte_on),
	    cmocka_unit_test(test_a_reply_has_no_end_from_each_byte_on),
	    cmocka_unit_test(test_each_byte_is_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
