/* The client session with LMTP: a reply for each recipient after the message. */
#include "smtp/smtp_client_play.h"

#define HELLO S("220 mx LMTP") C("LHLO me.example") S("250 mx")
#define PIPE_HELLO S("220 mx LMTP") C("LHLO me.example") S("250-mx") S("250 PIPELINING")
#define BYE C("QUIT") S("221 bye")
#define PIPED_THREE                                                                      \
	C("MAIL FROM:<a@x>")                                                             \
	C("RCPT TO:<b@y>") C("RCPT TO:<c@y>") C("RCPT TO:<d@y>") C("DATA") S("250 ok")

static const struct mail three = {
    .from = "a@x", .to = {"b@y", "c@y", "d@y"}, .body = "Hi\r\n"};
static const struct mail one = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct smtp_client_mail binary_asks = {.body_binary = true};
static const struct mail binary = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .asks = &binary_asks};

static void
test_verdicts(void **state)
{
	static const struct dialogue dialogues[] = {
	    {.name = "one for each",
		.lmtp = true,
		.mails = {&three},
		.script = PIPE_HELLO PIPED_THREE S("250 b") S("250 c") S("250 d") S("354 go")
		    C("Hi") C(".") S("250 2.0.0 b") S("452 4.2.2 full") S("550 5.1.1 no") BYE,
		.events = "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; verdict 0 250 2.0.0; "
		          "verdict 1 452 4.2.2; verdict 2 550 5.1.1; "
		          "done body-sent 550 5.1.1 no; ready; closed; "},
	    {.name = "none for those who were refused",
		.lmtp = true,
		.mails = {&three, &one},
		.script = PIPE_HELLO PIPED_THREE S("550 b") S("250 c") S("450 d") S("354 go")
		    C("Hi") C(".") S("250 c") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA")
		        S("250 ok") S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") BYE,
		.events = "ready; rcpt 0 550; rcpt 1 250; rcpt 2 450; verdict 1 250; "
		          "done body-sent 250 c; ready; rcpt 0 250; verdict 0 250; "
		          "done body-sent 250 ok; ready; closed; "},
	    {.name = "in lockstep",
		.lmtp = true,
		.mails = {&one},
		.script = HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("250 ok")
		    C("DATA") S("354 go") C("Hi") C(".") S("250 ok") BYE,
		.events = "ready; rcpt 0 250; verdict 0 250; done body-sent 250 ok; ready; "
		          "closed; "},
	    {.name = "421 is one recipient's",
		.lmtp = true,
		.mails = {&three},
		.script = PIPE_HELLO PIPED_THREE S("250 b") S("250 c") S("250 d") S("354 go")
		    C("Hi") C(".") S("250 b") S("421 4.3.2 bye") "E\f",
		.events = "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; verdict 0 250; "
		          "verdict 1 421 4.3.2; failed body-sent, connection closed, "
		          "in doubt; "},
	    {.name = "more replies than recipients",
		.lmtp = true,
		.whole_only = true,
		.mails = {&one},
		.stays = true,
		.script = HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("250 ok")
		    C("DATA") S("354 go") C("Hi") C(".") S("250 ok") S("250 ok"),
		.events = "ready; rcpt 0 250; verdict 0 250; done body-sent 250 ok; "
		          "failed mail, malformed 250 ok; "},
	};

	(void)state;
	drive_all(dialogues, LEN(dialogues));
}

static void
test_what_lmtp_has_not(void **state)
{
	static const struct dialogue dialogues[] = {
	    {.name = "no HELO",
		.lmtp = true,
		.script = S("220 mx") C("LHLO me.example") S("500 what?"),
		.events = "failed ehlo, permission denied 500 what?; "},
	    {.name = "no recipient, and DATA is taken",
		.lmtp = true,
		.mails = {&one},
		.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA")
		    S("250 ok") S("550 no") S("354 go"),
		.events = "ready; rcpt 0 550; done rcpt 550 no; failed data, "
		          "malformed 354 go; "},
	    {.name = "no recipient",
		.lmtp = true,
		.mails = {&one},
		.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA")
		    S("250 ok") S("550 no") S("503 none") BYE,
		.events = "ready; rcpt 0 550; done rcpt 550 no; ready; closed; "},
	    {.name = "no BDAT",
		.lmtp = true,
		.mails = {&binary},
		.script = S("220 mx LMTP") C("LHLO me.example") S("250-mx") S("250-BINARYMIME")
		    S("250 CHUNKING") BYE,
		.events = "ready; done mail 550 5.6.3 The server does not offer BINARYMIME and "
		          "CHUNKING, which this message needs; ready; closed; "},
	};

	(void)state;
	drive_all(dialogues, LEN(dialogues));
}

/* The connection ends at each step of the verdicts. */
static void
test_cut(void **state)
{
	static const char *const seen[] = {"", "verdict 0 250; ",
	    "verdict 0 250; verdict 1 452; "};
	static const char *const said[] = {
	    "", S("250 b"), S("250 b") S("452 c")};

	(void)state;
	for (size_t i = 0; i < LEN(seen); i++) {
		char script[1000], events[1000];
		struct dialogue dialogue = {.name = "cut",
		    .lmtp = true,
		    .mails = {&three},
		    .script = script,
		    .events = events};

		snprintf(script, sizeof(script), "%s%s%s",
		    PIPE_HELLO PIPED_THREE S("250 b") S("250 c") S("250 d") S("354 go") C("Hi")
		        C("."),
		    said[i], "E\f");
		snprintf(events, sizeof(events),
		    "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; %s"
		    "failed body-sent, connection closed, in doubt; ",
		    seen[i]);
		drive_all(&dialogue, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_what_lmtp_has_not),
	    cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
