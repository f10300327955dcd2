/* The client session: transactions, one by one and pipelined, and bodies. */
#include "smtp/smtp_client_play.h"

#define HELLO S("220 mx ESMTP") C("EHLO me.example")
#define PLAIN_HELLO HELLO S("250-mx") S("250 HELP")
#define PIPE_HELLO HELLO S("250-mx") S("250 PIPELINING")
#define BYE C("QUIT") S("221 bye")
#define LOCKSTEP_ONE                                                                     \
	C("MAIL FROM:<a@x>")                                                             \
	S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA") S("354 go")

static const struct mail one = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct mail three = {
    .from = "a@x", .to = {"b@y", "c@y", "d@y"}, .body = "Hi\r\n"};
static const struct mail bounce = {.from = "", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct mail large = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .bytes = 1001};
static const struct mail eight = {
    .from = "a@x", .to = {"b@y"}, .body = "\xc3\xbc\r\n", .body_8bit = true};
static const struct mail utf8 = {.from = "\xc3\xbc@x",
    .to = {"b@y", "c@y"},
    .body = "Hi\r\n",
    .body_8bit = true,
    .smtputf8 = true};
static const struct mail unspeakable = {
    .from = "a@x", .to = {"b@y>\r\nDATA"}, .body = "Hi\r\n"};
static const struct mail empty = {.from = "a@x", .to = {"b@y"}, .body = ""};
static const struct mail dots = {
    .from = "a@x", .to = {"b@y"}, .body = ".\r\n..\r\na.b\r\n.\r\n\r\n.c\r\n"};
static const struct mail open_end = {.from = "a@x", .to = {"b@y"}, .body = "a\r\n.b"};
static const struct mail bare = {
    .from = "a@x", .to = {"b@y"}, .body = "a\n.\nb\r.\rc\n.\r\nd\r\n"};

#define DSN_HELLO HELLO S("250-mx") S("250-DSN") S("250-DELIVERBY 60") S("250 MT-PRIORITY")
static const struct smtp_client_rcpt_asks asks[] = {
    {SMTP_CLIENT_NOTIFY_SUCCESS | SMTP_CLIENT_NOTIFY_DELAY, SPAN("rfc822;B+2B@y")},
    {SMTP_CLIENT_NOTIFY_NEVER, SPAN("")},
    {0, SPAN("rfc822;a b")}};
static const struct smtp_client_mail dsn_asks = {.asks = asks,
    .ret = SMTP_CLIENT_RET_HDRS,
    .envid = SPAN("QQ1"),
    .by = SMTP_CLIENT_BY_NOTIFY,
    .by_s = -5,
    .by_trace = true,
    .has_priority = true,
    .priority = -2};
static const struct smtp_client_mail by_asks = {.by = SMTP_CLIENT_BY_RETURN, .by_s = 100};
static const struct smtp_client_mail short_asks = {.by = SMTP_CLIENT_BY_RETURN, .by_s = 59};
static const struct smtp_client_mail late_asks = {.by = SMTP_CLIENT_BY_RETURN, .by_s = 0};
static const struct smtp_client_mail tls_asks = {.requiretls = true};
static const struct smtp_client_mail binary_asks = {.body_binary = true};
static const struct smtp_client_mail envelope_asks = {.envelope_only = true};
static const struct mail envelope = {
    .from = "a@x", .to = {"b@y", "c@y"}, .body = "Hi\r\n", .asks = &envelope_asks};
static const struct mail dsn = {
    .from = "a@x", .to = {"b@y", "c@y", "d@y"}, .body = "Hi\r\n", .asks = &dsn_asks};
static const struct mail by = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .asks = &by_asks};
static const struct mail by_short = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .asks = &short_asks};
static const struct mail by_late = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .asks = &late_asks};
static const struct mail tls_only = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .asks = &tls_asks};
static const struct mail binary = {
    .from = "a@x", .to = {"b@y", "c@y"}, .body = "a\n.\r\n", .asks = &binary_asks};

/* What a sender asks for is passed on where the server offers it. */
static const struct dialogue asking[] = {
    {.name = "all that DSN, DELIVERBY and MT-PRIORITY have; what is no value is left out",
	.mails = {&dsn},
	.script = DSN_HELLO
	    C("MAIL FROM:<a@x> RET=HDRS ENVID=QQ1 BY=-5;NT MT-PRIORITY=-2") S("250 ok")
		C("RCPT TO:<b@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2B@y") S("250 ok")
		    C("RCPT TO:<c@y> NOTIFY=NEVER") S("250 ok") C("RCPT TO:<d@y>") S("250 ok")
			C("DATA") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; done body-sent 250 ok; ready; "
		  "closed; "},
    {.name = "no more than recipients, to probe",
	.mails = {&envelope},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("550 no")
	    C("RCPT TO:<c@y>") S("250 ok") BYE,
	.events = "ready; rcpt 0 550; rcpt 1 250; done rcpt 250 ok; ready; closed; "},
    {.name = "the same, pipelined",
	.mails = {&envelope},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>")
	    S("250 ok") S("250 ok") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 250; done rcpt 250 ok; ready; closed; "},
    {.name = "nothing of it where nothing is offered",
	.mails = {&dsn},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>")
	    C("RCPT TO:<d@y>") C("DATA") S("250 ok") S("250 ok") S("250 ok") S("250 ok")
		S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; done body-sent 250 ok; ready; "
		  "closed; "},
    {.name = "to be returned in time: only to a server that sees to it",
	.mails = {&by, &by_short},
	.script = DSN_HELLO C("MAIL FROM:<a@x> BY=100;R") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 ok") C("DATA") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; done mail 550 5.4.7 The "
		  "server says that it needs more time than the sender gives it; ready; closed; "},
    {.name = "to be returned in time, and no server sees to it, or it is over",
	.mails = {&by, &by_late},
	.script = PLAIN_HELLO BYE,
	.events = "ready; done mail 550 5.3.3 The server does not offer DELIVERBY, so it may "
		  "not have it in time; ready; done mail 550 5.4.7 The time in which the sender "
		  "wants it there is over; ready; closed; "},
    {.name = "REQUIRETLS without TLS",
	.mails = {&tls_only},
	.script = HELLO S("250-mx") S("250 REQUIRETLS") BYE,
	.events = "ready; done mail 550 5.7.30 The server does not offer REQUIRETLS, which the "
		  "sender demands; ready; closed; "},
    {.name = "REQUIRETLS is said under TLS",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.mails = {&tls_only},
	.script = HELLO S("250-mx") S("250 REQUIRETLS") C("MAIL FROM:<a@x> REQUIRETLS")
	    S("550 no") BYE,
	.events = "ready; done mail 550 no; ready; closed; "},
    {.name = "REQUIRETLS under TLS, not offered",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.mails = {&tls_only},
	.script = PLAIN_HELLO BYE,
	.events = "ready; done mail 550 5.7.30 The server does not offer REQUIRETLS, which the "
		  "sender demands; ready; closed; "},
    {.name = "BINARYMIME needs BDAT",
	.mails = {&binary},
	.script = HELLO S("250-mx") S("250 BINARYMIME") BYE,
	.events = "ready; done mail 550 5.6.3 The server does not offer BINARYMIME and CHUNKING, "
		  "which this message needs; ready; closed; "},
    {.name = "a binary message goes as it is, and the next mail is well",
	.whole_only = true,
	.mails = {&binary, &one},
	.script = HELLO S("250-mx") S("250-BINARYMIME") S("250 CHUNKING")
	    C("MAIL FROM:<a@x> BODY=BINARYMIME") S("250 ok") C("RCPT TO:<b@y>") S("250 ok")
		C("RCPT TO:<c@y>") S("450 no") "C: BDAT 5 LAST\r\na\n.\f" S("250 ok")
		    C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA")
			S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 450; done body-sent 250 ok; ready; rcpt 0 250; done "
		  "body-sent 250 ok; ready; closed; "},
};

static void
what_is_asked_for_is_passed_on(void **state)
{
	(void)state;
	drive_all(asking, LEN(asking));
}

static const struct dialogue lockstep[] = {
    {.name = "three recipients, one refused, one by one",
	.mails = {&three},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 2.1.5 ok") C("RCPT TO:<c@y>") S("550-5.1.1 no") S("550 5.1.1 such")
		C("RCPT TO:<d@y>") S("251 fine") C("DATA") S("354 go") C("Hi") C(".")
		    S("250 2.0.0 queued") BYE,
	.events = "ready; rcpt 0 250 2.1.5; rcpt 1 550 5.1.1; rcpt 2 251; "
		  "done body-sent 250 2.0.0 queued; ready; closed; "},
    {.name = "two messages",
	.mails = {&one, &bounce},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") C("MAIL FROM:<>")
	    S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA") S("354 go") C("Hi")
		C(".") S("250 too") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; rcpt 0 250; "
		  "done body-sent 250 too; ready; closed; "},
    {.name = "MAIL refused",
	.mails = {&three, &one},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("550 5.7.1 no") LOCKSTEP_ONE C("Hi")
	    C(".") S("250 ok") BYE,
	.events = "ready; done mail 550 5.7.1 no; ready; rcpt 0 250; "
		  "done body-sent 250 ok; ready; closed; "},
    {.name = "all recipients refused; then RSET",
	.mails = {&three, &one},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("550 b") C("RCPT TO:<c@y>") S("450 c") C("RCPT TO:<d@y>") S("550 d")
		C("RSET") S("250 ok") LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 550; rcpt 1 450; rcpt 2 550; done rcpt 550 d; ready; "
		  "rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "all recipients refused; then QUIT",
	.mails = {&one},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("550 b") BYE,
	.events = "ready; rcpt 0 550; done rcpt 550 b; ready; closed; "},
    {.name = "DATA refused",
	.mails = {&one, &one},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 ok") C("DATA") S("451 no") C("RSET") S("250 ok") LOCKSTEP_ONE C("Hi")
		C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done data 451 no; ready; rcpt 0 250; "
		  "done body-sent 250 ok; ready; closed; "},
    {.name = "the message refused; no RSET is needed",
	.mails = {&one, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("554 5.7.1 spam")
	    LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 554 5.7.1 spam; ready; rcpt 0 250; "
		  "done body-sent 250 ok; ready; closed; "},
    {.name = "a recipient accepted with 354",
	.mails = {&one},
	.script =
	    PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>") S("354 go"),
	.events = "ready; failed rcpt, malformed 354 go; "},
    {.name = "DATA accepted with 250",
	.mails = {&one},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 ok") C("DATA") S("250 ok"),
	.events = "ready; rcpt 0 250; failed data, malformed 250 ok; "},
    {.name = "421 in the middle, and the end after it adds nothing",
	.mails = {&three},
	.script = PLAIN_HELLO C("MAIL FROM:<a@x>") S("250 ok") C("RCPT TO:<b@y>")
	    S("250 ok") C("RCPT TO:<c@y>") S("421 4.3.2 bye") "E\f",
	.events = "ready; rcpt 0 250; failed rcpt, permission denied 421 4.3.2 bye; "},
    {.name = "the end before the final reply leaves doubt",
	.mails = {&one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") SRAW("250") "E\f",
	.events = "ready; rcpt 0 250; failed body-sent, connection closed, in doubt; "},
    {.name = "a final reply that is none leaves doubt",
	.mails = {&one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("what?"),
	.events = "ready; rcpt 0 250; failed body-sent, malformed what?, in doubt; "},
    {.name = "a final 421 leaves none",
	.mails = {&one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("421 no") "E\f",
	.events = "ready; rcpt 0 250; failed body-sent, permission denied 421 no; "},
    {.name = "the end with the next transaction",
	.mails = {&one, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok")
	    C("MAIL FROM:<a@x>") "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, connection closed; "},
};

/* Sessions that are kept at rest: what ends them is seen as the session's end, not a mail's. */
static const struct dialogue kept[] = {
    {.name = "nothing happens for an hour",
	.mails = {&one},
	.stays = true,
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") "T 3600000\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "},
    {.name = "the server ends it",
	.mails = {&one},
	.stays = true,
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") "T 3600000\f"
	    "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, connection closed; "},
    {.name = "the server has waited long enough, and says so",
	.mails = {&one},
	.stays = true,
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") "T 300000\f"
	    S("421 4.4.2 idle") "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, permission denied 421 4.4.2 idle; "},
    {.name = "a reply that nobody asked for is not the next mail's",
	.mails = {&one},
	.stays = true,
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") "T 1\f" S("250 ok"),
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, malformed 250 ok; "},
    {.name = "421 to the second MAIL",
	.mails = {&one, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok")
	    C("MAIL FROM:<a@x>") S("421 4.7.0 enough") "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, permission denied 421 4.7.0 enough; "},
    {.name = "421 to RSET, with all that follows it sent already",
	.mails = {&one, &one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("250 ok") S("451 no") C("RSET") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>")
		C("DATA") S("421 bye") "E\f",
	.events = "ready; rcpt 0 250; done data 451 no; ready; "
		  "failed mail, permission denied 421 bye; "},
    {.name = "the end before the second MAIL is answered, all sent already",
	.mails = {&one, &one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") C("MAIL FROM:<a@x>")
		C("RCPT TO:<b@y>") C("DATA") "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; "
		  "failed mail, connection closed; "},
    {.name = "the end after the second message leaves doubt about that one only",
	.mails = {&one, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") LOCKSTEP_ONE C("Hi")
	    C(".") "E\f",
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; rcpt 0 250; "
		  "failed body-sent, connection closed, in doubt; "},
};

static const struct dialogue pipelined[] = {
    {.name = "all at once",
	.mails = {&three},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>")
	    C("RCPT TO:<d@y>") C("DATA") S("250 ok") S("250 b") S("550-no") S("550 c")
		S("250 d") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 550; rcpt 2 250; done body-sent 250 ok; "
		  "ready; closed; "},
    {.name = "MAIL refused",
	.mails = {&three, &one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>")
	    C("RCPT TO:<d@y>") C("DATA") S("452 full") S("503 b") S("503 c") S("503 d")
		S("503 e") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
		    S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; done mail 452 full; ready; rcpt 0 250; done body-sent 250 ok; "
		  "ready; closed; "},
    {.name = "all recipients refused, and DATA",
	.mails = {&three, &one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>")
	    C("RCPT TO:<d@y>") C("DATA") S("250 ok") S("550 b") S("550 c") S("550 d")
		S("554 nobody") C("RSET") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>")
		    C("DATA") S("250 ok") S("250 ok") S("250 ok") S("354 go") C("Hi")
			C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 550; rcpt 1 550; rcpt 2 550; done rcpt 550 d; ready; "
		  "rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "all recipients refused, but not DATA",
	.mails = {&one, &one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("550 b") S("354 go") C(".") S("554 nobody") C("MAIL FROM:<a@x>")
		C("RCPT TO:<b@y>") C("DATA") S("250 ok") S("250 ok") S("451 later") BYE,
	.events = "ready; rcpt 0 550; done rcpt 550 b; ready; rcpt 0 250; "
		  "done data 451 later; ready; closed; "},
    {.name = "421 to a refused transaction's rest",
	.mails = {&one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("550 no")
	    S("421 bye"),
	.events = "ready; done mail 550 no; failed data, permission denied 421 bye; "},
    {.name = "a reply that comes before the body ends is not its reply",
	.mails = {&one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("250 ok") S("354 go") S("250 queued"),
	.whole_only = true,
	.events = "ready; rcpt 0 250; failed data, malformed 250 queued; "},
    {.name = "nor does a refusal before its end count as its refusal",
	.mails = {&one},
	.script = PIPE_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("250 ok") S("354 go") S("552 enough"),
	.whole_only = true,
	.events = "ready; rcpt 0 250; failed data, permission denied 552 enough; "},
    {.name = "an answer too many",
	.mails = {&one},
	.script = HELLO S("250 mx") S("250 mx"),
	.whole_only = true,
	.events = "failed mail, malformed 250 mx; "},
};

static const struct dialogue extended[] = {
    {.name = "SIZE, 8BITMIME and SMTPUTF8",
	.mails = {&utf8},
	.script = HELLO S("250-mx") S("250-SIZE 1000") S("250-8bitmime") S("250-SMTPUTF8")
	    S("250 PIPELINING") C("MAIL FROM:<\xc3\xbc@x> SIZE=4 BODY=8BITMIME SMTPUTF8")
		C("RCPT TO:<b@y>") C("RCPT TO:<c@y>") C("DATA") S("250 ok") S("250 ok")
		    S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events =
	    "ready; rcpt 0 250; rcpt 1 250; done body-sent 250 ok; ready; closed; "},
    {.name = "SMTPUTF8 needed and not offered",
	.mails = {&utf8, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events =
	    "ready; rcpt 0 550 5.6.7; rcpt 1 550 5.6.7; done mail 550 5.6.7 The server "
	    "does not offer SMTPUTF8, which this message needs; ready; rcpt 0 250; "
	    "done body-sent 250 ok; ready; closed; "},
    {.name = "8BITMIME needed and not offered",
	.mails = {&eight, &one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; done mail 550 5.6.3 The server does not offer 8BITMIME, which this "
		  "message needs; ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "too large for this server",
	.mails = {&large, &one},
	.script = HELLO S("250-mx") S("250 SIZE 1000") C("MAIL FROM:<a@x> SIZE=4")
	    S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA") S("354 go") C("Hi")
		C(".") S("250 ok") BYE,
	.events = "ready; done mail 552 5.3.4 Message exceeds the limit of 1000 octets "
		  "(HELP size); "
		  "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "SIZE without a limit",
	.mails = {&large},
	.script = HELLO S("250-mx") S("250 SIZE 0") C("MAIL FROM:<a@x> SIZE=1001")
	    S("552 no") BYE,
	.events = "ready; done mail 552 no; ready; closed; "},
    {.name = "an address that would be a command",
	.mails = {&unspeakable},
	.script = PIPE_HELLO BYE,
	.events = "ready; done mail 553 5.1.3 Address cannot be sent; ready; closed; "},
    {.name = "an empty body",
	.mails = {&empty},
	.script = PLAIN_HELLO LOCKSTEP_ONE C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "dots are stuffed",
	.mails = {&dots},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("..") C("...") C("a.b") C("..") C("")
	    C("..c") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "a last line without its end",
	.mails = {&open_end},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("a") C("..b") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "no bare line end makes a dot the end",
	.mails = {&bare},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("a") C("..") C("b") C("..") C("c") C("..")
	    C("d") C(".")
	    S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
};

static void
test_lockstep(void **state)
{
	(void)state;
	drive_all(lockstep, LEN(lockstep));
}

static void
test_kept(void **state)
{
	(void)state;
	drive_all(kept, LEN(kept));
}

static void
test_pipelined(void **state)
{
	(void)state;
	drive_all(pipelined, LEN(pipelined));
}

static void
test_extensions_and_bodies(void **state)
{
	(void)state;
	drive_all(extended, LEN(extended));
}

/* Chunks: their sizes say where the body ends, so that nothing in it is changed. */
#define CHUNK_HELLO HELLO S("250-mx") S("250-CHUNKING") S("250 PIPELINING")
static const struct dialogue chunked[] = {
    {.name = "a text is one chunk, its dots as they are; no DATA",
	.whole_only = true,
	.mails = {&dots, &one},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 21 LAST") C(".") C("..") C("a.b") C(".") C("") C(".c") S("250 ok")
		C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
		    C("BDAT 4 LAST") C("Hi") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; rcpt 0 250; "
		  "done body-sent 250 ok; ready; closed; "},
    {.name = "its lines end as they have to",
	.whole_only = true,
	.mails = {&open_end},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 7 LAST") C("a") C(".b") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "also those that stand alone",
	.whole_only = true,
	.mails = {&bare},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 21 LAST") C("a") C(".") C("b") C(".") C("c") C(".") C("d") S("250 ok")
		BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "an empty one",
	.mails = {&empty},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 0 LAST") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "nothing is sent where nobody is taken",
	.mails = {&one, &one},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("550 no")
	    C("RSET") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
		S("550 no") BYE,
	.events = "ready; rcpt 0 550; done rcpt 550 no; ready; rcpt 0 550; done rcpt 550 no; "
		  "ready; closed; "},
    {.name = "a chunk is refused; nobody says what became of the transaction",
	.whole_only = true,
	.mails = {&one, &one},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") S("250 ok") S("250 ok")
	    C("BDAT 4 LAST") C("Hi") S("554 no") C("RSET") C("MAIL FROM:<a@x>")
		C("RCPT TO:<b@y>") S("250 ok") S("250 ok") S("250 ok") C("BDAT 4 LAST") C("Hi")
		    S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 554 no; ready; rcpt 0 250; "
		  "done body-sent 250 ok; ready; closed; "},
    {.name = "without PIPELINING each chunk would have to wait",
	.mails = {&one},
	.script = HELLO S("250-mx") S("250 CHUNKING") LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "it is switched off",
	.no_chunks = true,
	.mails = {&one},
	.script = CHUNK_HELLO C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>") C("DATA") S("250 ok")
	    S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "but what is binary goes so",
	.no_chunks = true,
	.whole_only = true,
	.mails = {&binary},
	.script = HELLO S("250-mx") S("250-BINARYMIME") S("250-PIPELINING") S("250 CHUNKING")
	    C("MAIL FROM:<a@x> BODY=BINARYMIME") C("RCPT TO:<b@y>") C("RCPT TO:<c@y>") S("250 ok")
		S("250 ok") S("250 ok") "C: BDAT 5 LAST\r\na\n.\f" S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 250; done body-sent 250 ok; ready; closed; "},
};

static void
test_chunked(void **state)
{
	(void)state;
	drive_all(chunked, LEN(chunked));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chunked),
	    cmocka_unit_test(what_is_asked_for_is_passed_on),
	    cmocka_unit_test(test_lockstep),
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_pipelined),
	    cmocka_unit_test(test_extensions_and_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
