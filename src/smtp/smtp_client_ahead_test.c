/* The client session: a mail sent behind the end of another. */
#include "smtp/smtp_client_play.h"

#define HELLO S("220 mx ESMTP") C("EHLO me.example") S("250-mx")
#define PIPE_HELLO HELLO S("250-SIZE 1000") S("250 PIPELINING")
#define CHUNK_HELLO HELLO S("250-CHUNKING") S("250 PIPELINING")
#define BYE C("QUIT") S("221 bye")
#define GROUP C("MAIL FROM:<a@x> SIZE=4") C("RCPT TO:<b@y>") C("DATA")
#define ENDING C("Hi") C(".")
#define SECOND C("MAIL FROM:<z@x> SIZE=5") C("RCPT TO:<c@y>") C("RCPT TO:<d@y>") C("DATA")
#define FIRST_TAKEN PIPE_HELLO GROUP S("250 ok") S("250 ok") S("354 go") ENDING

static const struct mail one = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct mail two = {.from = "z@x", .to = {"c@y", "d@y"}, .body = "You\r\n"};
static const struct mail large = {.from = "z@x", .to = {"c@y"}, .body = "Hi\r\n", .bytes = 1001};
static const struct mail eight = {
    .from = "z@x", .to = {"c@y"}, .body = "\xc3\xbc\r\n", .body_8bit = true};

static const struct dialogue ahead[] = {
    {.name = "one round trip a message",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") S("250 ok") S("250 ok") S("250 ok")
	    S("354 go") C("You") C(".") S("250 second") BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; rcpt 0 250; rcpt 1 250; "
		  "done body-sent 250 second; ready; closed; "},
    {.name = "replies one by one",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") "T 1\f" S("250 ok") "T 1\f" S("250 ok")
	    "T 1\f" S("550 no") "T 1\f" S("354 go") C("You") C(".") S("250 second") BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; rcpt 0 250; rcpt 1 550; "
		  "done body-sent 250 second; ready; closed; "},
    {.name = "what the server says of the first one is of no matter for the second",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("554 no") S("250 ok") S("250 ok") S("250 ok") S("354 go")
	    C("You") C(".") S("250 second") BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 554 no; rcpt 0 250; rcpt 1 250; "
		  "done body-sent 250 second; ready; closed; "},
    {.name = "nobody of the second is taken, but the server wants its body",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") S("250 ok") S("550 no") S("550 no")
	    S("354 go") C(".") S("554 none") BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; rcpt 0 550; rcpt 1 550; "
		  "done rcpt 550 no; ready; closed; "},
    {.name = "MAIL is refused, and so is all behind it",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") S("452 later") S("503 a") S("503 b") S("503 c")
	    BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; done mail 452 later; ready; "
		  "closed; "},
    {.name = "the connection ends before the reply: the first is in doubt, the second is not",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND "E\f",
	.events = "ready; rcpt 0 250; ahead; failed body-sent, connection closed, in doubt; "},
    {.name = "and after it",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") "E\f",
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; "
		  "failed mail, connection closed; "},
    {.name = "the server is about to close",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("421 enough"),
	.events = "ready; rcpt 0 250; ahead; failed body-sent, permission denied 421 enough; "},
    {.name = "a server that forgets what came behind the body",
	.ahead = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") "T 1000\f",
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; failed mail, timed out; "},
    {.name = "given up before the reply: the session ends with the first",
	.ahead = true,
	.drops = true,
	.mails = {&one, &two},
	.script = FIRST_TAKEN SECOND S("250 first") S("250 ok") S("250 ok") S("250 ok") S("354 go"),
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; closed; "},
    {.name = "behind a chunk, and with one",
	.ahead = true,
	.whole_only = true,
	.mails = {&one, &two},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 4 LAST") C("Hi") C("MAIL FROM:<z@x>") C("RCPT TO:<c@y>")
		C("RCPT TO:<d@y>") S("250 first") S("250 ok") S("250 ok") S("250 ok")
		    C("BDAT 5 LAST") C("You") S("250 second") BYE,
	.events = "ready; rcpt 0 250; ahead; done body-sent 250 first; rcpt 0 250; rcpt 1 250; "
		  "done body-sent 250 second; ready; closed; "},
    {.name = "a chunk is refused: nobody knows what becomes of what is behind it",
	.ahead = true,
	.whole_only = true,
	.mails = {&one, &two},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 4 LAST") C("Hi") C("MAIL FROM:<z@x>") C("RCPT TO:<c@y>")
		C("RCPT TO:<d@y>") S("552 no") S("503 nested") S("250 ok") S("250 ok"),
	.events = "ready; rcpt 0 250; ahead; done body-sent 552 no; closed; "},
    {.name = "without PIPELINING the second waits",
	.ahead = true,
	.mails = {&one, &two},
	.script = HELLO S("250 HELP") C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 ok") C("DATA") S("354 go") ENDING S("250 first") C("MAIL FROM:<z@x>") S("250 ok")
		C("RCPT TO:<c@y>") S("250 ok") C("RCPT TO:<d@y>") S("250 ok") C("DATA")
		    S("354 go") C("You") C(".") S("250 second") BYE,
	.events = "ready; rcpt 0 250; not ahead; done body-sent 250 first; ready; rcpt 0 250; "
		  "rcpt 1 250; done body-sent 250 second; ready; closed; "},
    {.name = "what the server cannot have is not sent ahead",
	.ahead = true,
	.mails = {&one, &large},
	.script = FIRST_TAKEN S("250 first") BYE,
	.events = "ready; rcpt 0 250; not ahead; done body-sent 250 first; ready; "
		  "done mail 552 5.3.4 Message exceeds the limit of 1000 octets (HELP size); "
		  "ready; closed; "},
    {.name = "nor what it would have to be converted for",
	.ahead = true,
	.mails = {&one, &eight},
	.script = FIRST_TAKEN S("250 first") BYE,
	.events = "ready; rcpt 0 250; not ahead; done body-sent 250 first; ready; "
		  "done mail 550 5.6.3 The server does not offer 8BITMIME, which this message "
		  "needs; ready; closed; "},
};

static void
a_mail_behind_another(void **state)
{
	(void)state;
	drive_all(ahead, LEN(ahead));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mail_behind_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
