/* STARTTLS and AUTH: who may say what when, and what must not leak through. */
#include "smtp/test_smtp_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* base64 */
#define USER "dXNlcg==" /* user */
#define SECRET "c2VjcmV0" /* secret */
#define WRONG "d3Jvbmc=" /* wrong */
#define PLAIN_SECRET "AHVzZXIAc2VjcmV0" /* NUL user NUL secret */
#define PLAIN_WRONG "AHVzZXIAd3Jvbmc="
#define PLAIN_LATER "AHVzZXIAbGF0ZXI="
#define PLAIN_SELF "dXNlcgB1c2VyAHNlY3JldA==" /* user NUL user NUL secret */
#define PLAIN_OTHER "cm9vdAB1c2VyAHNlY3JldA==" /* root NUL user NUL secret */
#define PLAIN_EMPTY "AHVzZXIA" /* NUL user NUL */
#define PLAIN_ONE_NUL "dXNlcgBzZWNyZXQ=" /* user NUL secret */
#define PLAIN_THREE_NULS "AHVzZXIAc2VjAHJldA=="
#define TLS "STARTTLS\r\n\x02"

enum kind { MX, SUBMISSION, SUBMISSION_TLS, NO_TLS, KIND_COUNT };

static struct smtp_server_options
options_of(enum kind kind)
{
	struct smtp_server_options options = drive_options();

	options.tls_offered = kind != NO_TLS;
	options.auth_mechanisms =
	    kind != MX ? SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN) : 0;
	options.submission = kind != MX;
	options.tls_from_start = kind == SUBMISSION_TLS;
	options.auth_failures_max = 2;
	return options;
}

struct dialogue {
	const char *name;
	enum kind kind;
	const char *client;
	const char *events;
	const char *replies;
};

static const struct dialogue dialogues[] = {
    {"STARTTLS, and EHLO anew", MX, "EHLO a\r\n" TLS "MAIL FROM:<x@a>\r\nEHLO a\r\n",
	"starttls; refused 503", "220 250 220 503 250"},
    {"STARTTLS before EHLO", MX, TLS "EHLO a\r\nMAIL FROM:<x@a>\r\n",
	"starttls; mail x@a", "220 220 250 250"},
    {"STARTTLS with a parameter", MX, "STARTTLS now\r\n", "refused 501", "220 501"},
    {"STARTTLS twice", MX, TLS "STARTTLS\r\nEHLO a\r\nSTARTTLS\r\n",
	"starttls; refused 503; refused 503", "220 220 503 250 503"},
    {"STARTTLS where there is none", NO_TLS, "EHLO a\r\nSTARTTLS\r\n", "refused 454",
	"220 250 454"},
    {"STARTTLS in a transaction", MX, "EHLO a\r\nMAIL FROM:<x@a>\r\nSTARTTLS\r\n",
	"mail x@a; refused 503", "220 250 250 503"},
    {"commands put behind STARTTLS in the clear are not run", MX,
	"EHLO a\r\nSTARTTLS\r\nEHLO b\r\nMAIL FROM:<evil@a>\r\nQUIT\r\n\x02"
	"MAIL FROM:<x@a>\r\n",
	"starttls; refused 503", "220 250 220 503"},
    {"half a command put behind it is forgotten", MX,
	"STARTTLS\r\nEHLO x.\x02"
	"EHLO a\r\n",
	"starttls", "220 220 250"},
    {"a bare line end put behind it is forgotten", MX,
	"STARTTLS\r\n\n\r\r\x02"
	"EHLO a\r\n",
	"starttls", "220 220 250"},
    {"TLS from the start greets after the handshake", SUBMISSION_TLS,
	"EHLO evil\r\n\x02"
	"EHLO a\r\n",
	"", "220 250"},

    {"submission wants TLS, then AUTH", SUBMISSION,
	"EHLO a\r\nMAIL FROM:<x@a>\r\nAUTH PLAIN " PLAIN_SECRET "\r\n" TLS
	"EHLO a\r\nMAIL FROM:<x@a>\r\nAUTH PLAIN " PLAIN_SECRET "\r\nMAIL FROM:<x@a>\r\n",
	"refused 530; refused 538; starttls; refused 530; auth user:secret; mail x@a",
	"220 250 530 538 220 250 530 235 250"},
    {"AUTH where TLS cannot be had", NO_TLS, "EHLO a\r\nAUTH LOGIN\r\nMAIL FROM:<>\r\n",
	"refused 538; refused 530", "220 250 538 530"},
    {"AUTH where it is not offered", MX, TLS "EHLO a\r\nAUTH PLAIN " PLAIN_SECRET "\r\n",
	"starttls; refused 502", "220 220 250 502"},
    {"AUTH before EHLO", SUBMISSION_TLS,
	"\x02"
	"AUTH PLAIN " PLAIN_SECRET "\r\n",
	"refused 503", "220 503"},
    {"PLAIN after a challenge", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN\r\n" PLAIN_SECRET "\r\n",
	"auth user:secret", "220 250 334 235"},
    {"PLAIN in any case", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nauth plain   " PLAIN_SECRET " \r\n",
	"auth user:secret", "220 250 235"},
    {"PLAIN with its own name as identity", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_SELF "\r\n",
	"auth user:secret", "220 250 235"},
    {"PLAIN for somebody else", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_OTHER "\r\n",
	"", "220 250 535"},
    {"PLAIN without a password is not asked for", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_EMPTY "\r\n",
	"", "220 250 535"},
    {"PLAIN malformed", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_ONE_NUL "\r\nAUTH PLAIN " PLAIN_THREE_NULS
	"\r\nAUTH PLAIN =\r\nAUTH PLAIN\r\n\r\n",
	"", "220 250 501 501 501 334 501"},
    {"LOGIN", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH LOGIN\r\n" USER "\r\n" SECRET "\r\n",
	"auth user:secret", "220 250 334 334 235"},
    {"LOGIN with the name at once", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH LOGIN " USER "\r\n" SECRET "\r\nMAIL FROM:<x@a>\r\n",
	"auth user:secret; mail x@a", "220 250 334 235 250"},
    {"LOGIN without a name", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH LOGIN =\r\n" SECRET "\r\n",
	"", "220 250 334 535"},
    {"LOGIN with a NUL", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH LOGIN " PLAIN_SELF "\r\n",
	"", "220 250 501"},
    {"a wrong password, then the right one", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_WRONG
	"\r\nMAIL FROM:<x@a>\r\nAUTH PLAIN " PLAIN_SECRET "\r\n",
	"auth user:wrong; refused 530; auth user:secret", "220 250 535 530 235"},
    {"failing for now is no failure", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_LATER "\r\nAUTH PLAIN " PLAIN_LATER
	"\r\nAUTH PLAIN " PLAIN_LATER "\r\nNOOP\r\n",
	"auth user:later; auth user:later; auth user:later", "220 250 454 454 454 250"},
    {"too many wrong passwords", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_WRONG "\r\nAUTH PLAIN " PLAIN_OTHER
	"\r\nAUTH LOGIN " USER "\r\n" WRONG "\r\nNOOP\r\n",
	"auth user:wrong; auth user:wrong; refused 421; close",
	"220 250 535 535 334 535 421"},
    {"cancelled", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN\r\n*\r\nAUTH LOGIN " USER "\r\n*\r\nNOOP\r\n",
	"refused 501; refused 501", "220 250 334 501 334 501 250"},
    {"not base64", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN a\r\nAUTH PLAIN\r\nQUIT\r\nAUTH LOGIN\r\n" USER
	"\r\n!\r\nNOOP\r\n",
	"refused 501; refused 501", "220 250 501 334 501 334 334 501 250"},
    {"an unknown mechanism, and none", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH CRAM-MD5\r\nAUTH\r\n",
	"refused 504; refused 501", "220 250 504 501"},
    {"once is enough", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_SECRET "\r\nAUTH PLAIN " PLAIN_SECRET
	"\r\nMAIL FROM:<x@a>\r\nAUTH PLAIN\r\n",
	"auth user:secret; refused 503; mail x@a; refused 503",
	"220 250 235 503 250 503"},
    {"EHLO does not undo it", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN " PLAIN_SECRET "\r\nEHLO b\r\nMAIL FROM:<x@a>\r\n",
	"auth user:secret; mail x@a", "220 250 235 250 250"},
    {"a bare LF in an answer", SUBMISSION_TLS,
	"\x02"
	"EHLO a\r\nAUTH PLAIN\r\n*\n",
	"refused 500; close", "220 250 334 500"},
};

static void
sessions_go_as_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(dialogues); i++) {
		print_message("  %s\n", dialogues[i].name);
		for (int split = 0; split < DRIVE_SPLIT_COUNT; split++) {
			struct smtp_server_options options =
			    options_of(dialogues[i].kind);
			struct drive drive;

			drive_init(&drive, &options);
			drive_pump(&drive);
			drive_send(&drive, span_str(dialogues[i].client),
			    (enum drive_split)split);
			assert_string_equal(
			    drive_text(&drive.events), dialogues[i].events);
			assert_string_equal(
			    drive_text(&drive.replies), dialogues[i].replies);
			drive_fini(&drive);
		}
	}
}

static void
an_answer_has_a_limit(void **state)
{
	struct smtp_server_options options = options_of(SUBMISSION_TLS);
	struct drive drive;
	char line[SERVER_AUTH_LINE_BYTES_MAX + 1];

	(void)state;
	for (int split = 0; split < DRIVE_SPLIT_COUNT; split++) {
		drive_init(&drive, &options);
		drive_send_str(&drive, "\x02"
				       "EHLO a\r\nAUTH PLAIN\r\n");
		memset(line, '!', sizeof(line));
		memcpy(line + sizeof(line) - 2, "\r\n", 2);
		buf_reset(&drive.replies);
		drive_send(&drive, span_of(line, sizeof(line)), (enum drive_split)split);
		assert_string_equal(drive_text(&drive.replies), "500");
		/* One octet less is judged by what it says; as an initial response, too. */
		drive_send_str(&drive, "AUTH PLAIN\r\n");
		drive_send(
		    &drive, span_of(line + 1, sizeof(line) - 1), (enum drive_split)split);
		memcpy(line + 1, "AUTH PLAIN ", 11);
		drive_send(
		    &drive, span_of(line + 1, sizeof(line) - 1), (enum drive_split)split);
		assert_string_equal(drive_text(&drive.replies), "500 334 501 501");
		drive_fini(&drive);
	}
}

/* What EHLO offers depends on what may be done next. */
static void
offers_are_true(void **state)
{
	static const struct {
		enum kind kind;
		const char *client;
		bool starttls, auth;
	} rows[] = {
	    {MX, "EHLO a\r\n", true, false},
	    {MX, TLS "EHLO a\r\n", false, false},
	    {SUBMISSION, "EHLO a\r\n", true, false},
	    {SUBMISSION, TLS "EHLO a\r\n", false, true},
	    {SUBMISSION_TLS,
		"\x02"
		"EHLO a\r\n",
		false, true},
	    {NO_TLS, "EHLO a\r\n", false, false},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct smtp_server_options options = options_of(rows[i].kind);
		struct drive drive;
		const char *said;

		drive_init(&drive, &options);
		drive_send_str(&drive, rows[i].client);
		said = drive_text(&drive.output);
		assert_int_equal(
		    strstr(said, "250-STARTTLS\r\n") != NULL, rows[i].starttls);
		assert_int_equal(
		    strstr(said, "250-AUTH PLAIN LOGIN\r\n") != NULL, rows[i].auth);
		assert_non_null(strstr(said, "250-mx.test greets you\r\n"));
		assert_non_null(strstr(said,
		    "250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n"
		    "250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n"));
		assert_non_null(strstr(said, "250 HELP\r\n"));
		drive_fini(&drive);
	}
}

static void
protocols_have_their_names(void **state)
{
	static const struct {
		enum kind kind;
		const char *client;
		const char *protocol;
	} rows[] = {
	    {MX, "", "SMTP"},
	    {MX, "HELO a\r\n", "SMTP"},
	    {MX, "EHLO a\r\n", "ESMTP"},
	    {MX, TLS, "SMTP"},
	    {MX, "EHLO a\r\n" TLS "HELO a\r\n", "SMTP"},
	    {MX, TLS "EHLO a\r\n", "ESMTPS"},
	    {MX, "EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\n", "UTF8SMTP"},
	    {MX, "EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\nRSET\r\n", "ESMTP"},
	    {MX, TLS "EHLO a\r\nMAIL FROM:<> SMTPUTF8\r\n", "UTF8SMTPS"},
	    {SUBMISSION_TLS,
		"\x02"
		"EHLO a\r\nAUTH PLAIN " PLAIN_SECRET "\r\n",
		"ESMTPSA"},
	    {SUBMISSION_TLS,
		"\x02"
		"EHLO a\r\nAUTH PLAIN " PLAIN_SECRET "\r\nMAIL FROM:<> SMTPUTF8\r\n",
		"UTF8SMTPSA"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct smtp_server_options options = options_of(rows[i].kind);
		struct drive drive;

		drive_init(&drive, &options);
		drive_send_str(&drive, rows[i].client);
		assert_string_equal(smtp_server_protocol(drive.server), rows[i].protocol);
		drive_fini(&drive);
	}
}

/* The log gets the command of a refusal: never a password, however it went wrong. */
static void
the_log_sees_no_password(void **state)
{
	static const struct {
		const char *client;
		const char *command;
	} rows[] = {
	    {"AUTH PLAIN !" SECRET "\r\n", "AUTH PLAIN"},
	    {"auth  plain  !!\r\n", "auth  plain"},
	    {"AUTH X-OWN " SECRET "\r\n", "AUTH X-OWN"},
	    {"AUTH PLAIN\r\n!" SECRET "\r\n", ""},
	    {"AUTH PLAIN\r\nsecret\n", ""},
	    {"AUTH PLAIN " SECRET "\n", "AUTH PLAIN"},
	    {"RSET " SECRET "\r\n", "RSET " SECRET},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct smtp_server_options options = options_of(SUBMISSION_TLS);
		struct smtp_server_event event;
		struct smtp_server *server = smtp_server_create(&options, 0);

		smtp_server_tls_started(server, 0);
		smtp_server_input(server, SPAN("EHLO a\r\n"), 0);
		smtp_server_input(server, span_str(rows[i].client), 0);
		event = smtp_server_next(server);
		if (event.kind == SMTP_SERVER_AUTH) {
			smtp_server_auth_challenge(server, SPAN("secret"));
			event = smtp_server_next(server);
		}
		if (event.kind == SMTP_SERVER_AUTH_ENDED)
			event = smtp_server_next(server);
		assert_int_equal(event.kind, SMTP_SERVER_REFUSED);
		assert_true(span_eq(event.command, span_str(rows[i].command)));
		smtp_server_destroy(server);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_go_as_written),
	    cmocka_unit_test(an_answer_has_a_limit),
	    cmocka_unit_test(offers_are_true),
	    cmocka_unit_test(protocols_have_their_names),
	    cmocka_unit_test(the_log_sees_no_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
