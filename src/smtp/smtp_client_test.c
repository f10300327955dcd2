/* The client session: greeting, EHLO, STARTTLS, AUTH, the end, time. */
#include "smtp/smtp_client_play.h"

#define HELLO S("220 mx ESMTP") C("EHLO me.example")
#define PLAIN_HELLO HELLO S("250-mx") S("250 HELP")
#define BYE C("QUIT") S("221 bye")
#define LOCKSTEP_ONE                                                                     \
	C("MAIL FROM:<a@x>")                                                             \
	S("250 ok") C("RCPT TO:<b@y>") S("250 ok") C("DATA") S("354 go")

static const struct mail one = {.from = "a@x", .to = {"b@y"}, .body = "Hi\r\n"};
static const struct mail large = {
    .from = "a@x", .to = {"b@y"}, .body = "Hi\r\n", .bytes = 1001};

static const struct dialogue hellos[] = {
    {.name = "nothing to send", .script = PLAIN_HELLO BYE, .events = "ready; closed; "},
    {.name = "a greeting of many lines",
	.script =
	    S("220-mx") S("220-") S("220 ESMTP") C("EHLO me.example") S("250 mx") BYE,
	.events = "ready; closed; "},
    {.name = "lines that end without CR",
	.script = SRAW("220 mx\n") C("EHLO me.example") SRAW("250-mx\n250 SIZE\n") BYE,
	.events = "ready; closed; "},
    {.name = "a server that does no mail",
	.script = S("554 5.3.2 no mail here"),
	.events = "failed greeting, permission denied 554 5.3.2 no mail here; "},
    {.name = "a server that blocks us",
	.script = S("521-you are") S("521 blocked"),
	.events = "failed greeting, permission denied 521 you are|blocked; "},
    {.name = "a busy server",
	.script = S("421 busy") "E\f",
	.events = "failed greeting, permission denied 421 busy; "},
    {.name = "a greeting that is none",
	.script = S("250 hello"),
	.events = "failed greeting, malformed 250 hello; "},
    {.name = "another protocol",
	.script = S("SSH-2.0-OpenSSH_9.2"),
	.events = "failed greeting, malformed SSH-2.0-OpenSSH_9.2; "},
    {.name = "lines of one reply that disagree",
	.script = S("220-mx") S("250 mx"),
	.events = "failed greeting, malformed 250 mx; "},
    {.name = "EHLO is not known",
	.mails = {&one},
	.script = HELLO S("502-SIZE 1") S("502 what?") C("HELO me.example") S("250 mx")
	    LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "neither EHLO nor HELO",
	.script = HELLO S("550 no") C("HELO me.example") S("550 go away"),
	.events = "failed ehlo, permission denied 550 go away; "},
    {.name = "EHLO not now",
	.script = HELLO S("450 later"),
	.events = "failed ehlo, permission denied 450 later; "},
    {.name = "the connection ends before the greeting",
	.script = "E\f",
	.events = "failed greeting, connection closed; "},
    {.name = "the connection ends in a line",
	.script = SRAW("220 m") "E\f",
	.events = "failed greeting, connection closed; "},
    {.name = "QUIT without an answer",
	.script = PLAIN_HELLO C("QUIT") "E\f",
	.events = "ready; closed; "},
};

static const struct dialogue secured[] = {
    {.name = "STARTTLS where it is offered",
	.script = HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("220 go")
	    C("EHLO me.example") S("250-mx") S("250 STARTTLS") BYE,
	.events = "tls; ready; closed; "},
    {.name = "what was offered before the handshake is forgotten",
	.mails = {&large},
	.script = HELLO S("250-mx") S("250-SIZE 5") S("250-PIPELINING") S("250 starttls")
	    C("STARTTLS") S("220 go") C("EHLO me.example") S("250 mx")
		LOCKSTEP_ONE C("Hi") C(".") S("250 ok") BYE,
	.events = "tls; ready; rcpt 0 250; done body-sent 250 ok; ready; closed; "},
    {.name = "bytes after the answer to STARTTLS",
	.script = HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("220 go")
	    S("250 injected"),
	.whole_only = true,
	.events = "failed starttls, malformed; "},
    {.name = "STARTTLS refused where it was optional",
	.script = HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("454 not now") BYE,
	.events = "ready; closed; "},
    {.name = "STARTTLS refused where it is required",
	.tls = SMTP_CLIENT_TLS_REQUIRED,
	.script = HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("454 not now"),
	.events = "failed starttls, cryptographic failure 454 not now; "},
    {.name = "STARTTLS required and not offered",
	.tls = SMTP_CLIENT_TLS_REQUIRED,
	.script = PLAIN_HELLO,
	.events = "failed starttls, cryptographic failure; "},
    {.name = "STARTTLS required and EHLO not known",
	.tls = SMTP_CLIENT_TLS_REQUIRED,
	.script =
	    HELLO S("500-STARTTLS") S("500 STARTTLS") C("HELO me.example") S("250 x"),
	.events = "failed starttls, cryptographic failure; "},
    {.name = "STARTTLS never",
	.tls = SMTP_CLIENT_TLS_NEVER,
	.script = HELLO S("250-mx") S("250 STARTTLS") BYE,
	.events = "ready; closed; "},
    {.name = "TLS from the start",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.script = HELLO S("250-mx") S("250 STARTTLS") BYE,
	.events = "ready; closed; "},
    {.name = "the handshake fails",
	.tls_fails = true,
	.script = HELLO S("250-mx") S("250 STARTTLS") C("STARTTLS") S("220 go"),
	.events = "tls; failed starttls, cryptographic failure; "},
    {.name = "AUTH PLAIN",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH LOGIN PLAIN")
	    C("AUTH PLAIN AGpvZQBzZWNyZXQ=") S("235 2.7.0 ok") BYE,
	.events = "ready; closed; "},
    {.name = "AUTH PLAIN in two steps",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH=PLAIN") C("AUTH PLAIN AGpvZQBzZWNyZXQ=")
	    S("334 ") C("AGpvZQBzZWNyZXQ=") S("235 ok") BYE,
	.events = "ready; closed; "},
    {.name = "AUTH LOGIN",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 auth cram-md5 login") C("AUTH LOGIN")
	    S("334 VXNlcm5hbWU6") C("am9l") S("334 UGFzc3dvcmQ6") C("c2VjcmV0")
		S("235 ok") BYE,
	.events = "ready; closed; "},
    {.name = "AUTH with a wrong password",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH PLAIN") C("AUTH PLAIN AGpvZQBzZWNyZXQ=")
	    S("535 5.7.8 no"),
	.events = "failed auth, permission denied 535 5.7.8 no; "},
    {.name = "AUTH LOGIN with a wrong password",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH LOGIN") C("AUTH LOGIN") S(
	    "334 VXNlcm5hbWU6") C("am9l") S("334 UGFzc3dvcmQ6") C("c2VjcmV0") S("535 no"),
	.events = "failed auth, permission denied 535 no; "},
    {.name = "no mechanism that we know",
	.tls = SMTP_CLIENT_TLS_IMPLICIT,
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH GSSAPI"),
	.events = "failed auth, not supported; "},
    {.name = "no password on a plain connection",
	.login = "joe",
	.script = HELLO S("250-mx") S("250 AUTH PLAIN"),
	.events = "failed auth, cryptographic failure; "},
    {.name = "a password on a plain connection by leave",
	.login = "joe",
	.auth_without_tls = true,
	.script = HELLO S("250-mx") S("250 AUTH PLAIN") C("AUTH PLAIN AGpvZQBzZWNyZXQ=")
	    S("235 ok") BYE,
	.events = "ready; closed; "},
};

static const struct mail three = {
    .from = "a@x", .to = {"b@y", "c@y", "d@y"}, .body = "Hi\r\n"};

#define THREE                                                                            \
	HELLO S("250-mx") S("250 PIPELINING") C("MAIL FROM:<a@x>") C("RCPT TO:<b@y>")           \
	    C("RCPT TO:<c@y>") C("RCPT TO:<d@y>") C("DATA") "T 900\f" S("250 ok")                \
		"T 900\f" S("250 ok") "T 900\f" S("250 ok")

static const struct dialogue timed[] = {
    {.name = "no greeting",
	.script = "T 999\f"
		  "T 1\f",
	.events = "failed greeting, timed out; "},
    {.name = "each line gives more time",
	.script = "T 900\f" S("220-mx") "T 900\f" S("220 x")
	    C("EHLO me.example") "T 900\f" S("250-mx") "T 900\f" S("250 mx") BYE,
	.events = "ready; closed; "},
    {.name = "but a part of a line does not",
	.script = "T 900\f" SRAW("22") "T 100\f",
	.events = "failed greeting, timed out; "},
    {.name = "nor many lines",
	.script = "T 900\f" S("220-a") "T 900\f" S("220-b") "T 200\f",
	.events = "failed greeting, timed out; "},
    {.name = "time is up after the final dot",
	.mails = {&one},
	.script = PLAIN_HELLO LOCKSTEP_ONE C("Hi") C(".") "T 1000\f" S("250 late"),
	.events = "ready; rcpt 0 250; failed body-sent, timed out, in doubt; "},
    {.name = "each reply just in time, and all together too late",
	.mails = {&three},
	.script = THREE "T 398\fT 1\f",
	.events = "ready; rcpt 0 250; rcpt 1 250; failed rcpt, timed out; "},
    {.name = "and one moment earlier",
	.mails = {&three},
	.script = THREE "T 398\f" S("250 ok") S("354 go") C("Hi") C(".") S("250 ok") BYE,
	.events = "ready; rcpt 0 250; rcpt 1 250; rcpt 2 250; done body-sent 250 ok; ready; "
		  "closed; "},
    {.name = "time is up at QUIT",
	.script = PLAIN_HELLO C("QUIT") "T 1000\f",
	.events = "ready; failed quit, timed out; "},
};

static void
test_hellos(void **state)
{
	(void)state;
	drive_all(hellos, LEN(hellos));
}

static void
test_tls_and_auth(void **state)
{
	(void)state;
	drive_all(secured, LEN(secured));
}

static void
test_time(void **state)
{
	(void)state;
	drive_all(timed, LEN(timed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hellos),
	    cmocka_unit_test(test_tls_and_auth),
	    cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
