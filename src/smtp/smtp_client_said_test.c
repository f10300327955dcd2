/* What is told of the dialogue: each line, without what logs us in and without the message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "smtp/smtp_client.h"

static void
said(void *owner, enum smtp_client_way way, struct span line, uint64_t now_ms)
{
	struct buf *lines = owner;

	assert_int_equal(now_ms, 7);
	buf_addf(lines, "%c %.*s\n", way == SMTP_CLIENT_WE_SAID ? '>' : '<', SPAN_ARGS(line));
}

struct client {
	struct smtp_client *smtp;
	struct buf lines;
};

static void
start(struct client *client, const char *login)
{
	const struct smtp_client_options options = {
	    .helo = SPAN("me.example"),
	    .tls = SMTP_CLIENT_TLS_NEVER,
	    .login = span_str(login),
	    .password = login[0] ? SPAN("secret") : SPAN(""),
	    .auth_without_tls = true,
	    .reply_timeout_ms = 1000,
	    .said = said,
	    .said_owner = &client->lines,
	};

	buf_init(&client->lines, 1 << 16);
	client->smtp = smtp_client_create(&options, 7);
}

/* Gives lines, and takes what comes of it until nothing does. */
static enum smtp_client_event_kind
hear(struct client *client, const char *lines)
{
	struct smtp_client_event event;
	enum smtp_client_event_kind last = SMTP_CLIENT_WAIT;

	assert_int_equal(smtp_client_input(client->smtp, span_str(lines), 7), strlen(lines));
	while ((event = smtp_client_next(client->smtp)).kind != SMTP_CLIENT_WAIT)
		last = event.kind;
	return last;
}

static void
finish(struct client *client, const char *wanted)
{
	buf_add_char(&client->lines, '\0');
	assert_string_equal(client->lines.ptr, wanted);
	smtp_client_destroy(client->smtp);
	buf_fini(&client->lines);
}

static void
a_message_is_told_by_its_size(void **state)
{
	const struct span to = SPAN("b@y");
	const struct smtp_client_mail mail = {
	    .reverse_path = SPAN("a@x"), .rcpts = &to, .rcpt_count = 1, .body_bytes = 12};
	struct client client;

	(void)state;
	start(&client, "");
	assert_int_equal(hear(&client, "220 mx\r\n"), SMTP_CLIENT_WAIT);
	assert_int_equal(hear(&client, "250-mx\r\n250 HELP\r\n"), SMTP_CLIENT_READY);
	smtp_client_send(client.smtp, &mail, 7);
	hear(&client, "250 ok\r\n");
	hear(&client, "250 ok\r\n");
	assert_int_equal(hear(&client, "354 go\r\n"), SMTP_CLIENT_BODY_WANTED);
	smtp_client_body(client.smtp, SPAN("private\r\n"), false, 7);
	hear(&client, "");
	smtp_client_body(client.smtp, SPAN("x\r\n"), true, 7);
	assert_int_equal(hear(&client, "250 taken\r\n"), SMTP_CLIENT_READY);
	finish(&client,
	    "< 220 mx\n> EHLO me.example\n< 250-mx\n< 250 HELP\n> MAIL FROM:<a@x>\n< 250 ok\n"
	    "> RCPT TO:<b@y>\n< 250 ok\n> DATA\n< 354 go\n> [the message: 12 bytes]\n> .\n"
	    "< 250 taken\n");
}

static void
credentials_are_never_told(void **state)
{
	static const struct {
		const char *offer, *told;
		const char *replies[4];
	} cases[] = {
	    {"PLAIN", "> AUTH PLAIN [credentials]\n< 235 ok\n", {"235 ok\r\n"}},
	    {"PLAIN", "> AUTH PLAIN [credentials]\n< 334\n> [credentials]\n< 235 ok\n",
	        {"334 AGpvZQBzZWNyZXQ=\r\n", "235 ok\r\n"}},
	    {"LOGIN",
	        "> AUTH LOGIN\n< 334\n> [credentials]\n< 334\n> [credentials]\n< 535 no\n",
	        {"334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "535 no\r\n"}},
	    /* A server that repeats the password. */
	    {"PLAIN", "> AUTH PLAIN [credentials]\n< 535\n", {"535 not with \"secret\"\r\n"}},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char text[200], wanted[500];
		struct client client;

		start(&client, "joe");
		hear(&client, "220 mx\r\n");
		snprintf(text, sizeof(text), "250-mx\r\n250 AUTH %s\r\n", cases[i].offer);
		hear(&client, text);
		for (size_t at = 0; at < LEN(cases[i].replies) && cases[i].replies[at]; at++)
			hear(&client, cases[i].replies[at]);
		snprintf(wanted, sizeof(wanted),
		    "< 220 mx\n> EHLO me.example\n< 250-mx\n< 250 AUTH %s\n%s",
		    cases[i].offer, cases[i].told);
		finish(&client, wanted);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_is_told_by_its_size),
	    cmocka_unit_test(credentials_are_never_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
