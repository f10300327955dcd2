#include "base/arena.h"
#include "check/check_reply.h"
#include "check/test_check.h"

static void
replies_are_taken_off(void **state)
{
	static const struct {
		const char *bytes;
		enum err err;
		unsigned code;
		const char *text;
		size_t used;
	} rows[] = {
	    {"220 mx.example.org ESMTP\r\nmore", OK, 220, "mx.example.org ESMTP", 26},
	    {"250-a\r\n250-b\r\n250 c\r\n", OK, 250, "a\nb\nc", 21},
	    {"250-a\n250\n", OK, 250, "a\n", 10},
	    {"221\r\n", OK, 221, "", 5},
	    {"", ERR_AGAIN, 0, "", 0},
	    {"2", ERR_AGAIN, 0, "", 0},
	    {"220 half", ERR_AGAIN, 0, "", 0},
	    {"250-a\r\n25", ERR_AGAIN, 0, "", 0},
	    {"SSH-2.0", ERR_SYNTAX, 0, "", 0},
	    {"\r\n", ERR_SYNTAX, 0, "", 0},
	    {"22x hello", ERR_SYNTAX, 0, "", 0},
	    {"620 no such class\r\n", ERR_SYNTAX, 0, "", 0},
	    {"2200 four digits\r\n", ERR_SYNTAX, 0, "", 0},
	    {"250-a\r\n251 b\r\n", ERR_SYNTAX, 0, "", 0},
	    {"250-a\r\n251 b", ERR_SYNTAX, 0, "", 0},
	};
	struct check_reply *reply = mem_alloc(sizeof(*reply));

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t used = 0;

		assert_int_equal(
		    check_reply_take(span_str(rows[i].bytes), reply, &used), rows[i].err);
		if (rows[i].err)
			continue;
		assert_int_equal(reply->code, rows[i].code);
		assert_string_equal(reply->text, rows[i].text);
		assert_int_equal(used, rows[i].used);
	}
	mem_free(reply);
}

static void
what_does_not_end_is_too_long(void **state)
{
	struct check_reply *reply = mem_alloc(sizeof(*reply));
	struct buf text;
	size_t used;

	(void)state;
	buf_init(&text, 100000);
	buf_add_str(&text, "220 ");
	for (int i = 0; i < CHECK_REPLY_LINE_MAX; i++)
		buf_add_char(&text, 'a');
	assert_int_equal(check_reply_take(buf_span(&text), reply, &used), ERR_TOO_LONG);
	buf_reset(&text);
	for (int i = 0; i < 3000; i++)
		buf_add_str(&text, "220-a\r\n");
	assert_int_equal(check_reply_take(buf_span(&text), reply, &used), ERR_TOO_LONG);
	assert_true(reply->text_bytes <= CHECK_REPLY_KEPT_MAX);
	buf_fini(&text);
	mem_free(reply);
}

static void
protocols_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		enum check_protocol protocol;
	} rows[] = {
	    {"220 mx ESMTP\r\n", CHECK_PROTOCOL_SMTP},
	    {"554 no\r\n", CHECK_PROTOCOL_SMTP},
	    {"220 ProFTPD Server\r\n", CHECK_PROTOCOL_FTP},
	    {"220 ftp.example.org ESMTP\r\n", CHECK_PROTOCOL_SMTP},
	    {"SSH-2.0-OpenSSH\r\n", CHECK_PROTOCOL_SSH},
	    {"HTTP/1.1 400 Bad Request\r\n", CHECK_PROTOCOL_HTTP},
	    {"* OK IMAP4rev1\r\n", CHECK_PROTOCOL_IMAP},
	    {"+OK POP3\r\n", CHECK_PROTOCOL_POP3},
	    {"\x15\x03\x01", CHECK_PROTOCOL_TLS},
	    {"hello\r\n", CHECK_PROTOCOL_UNKNOWN},
	    {"", CHECK_PROTOCOL_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(check_protocol_of(span_str(rows[i].bytes)), rows[i].protocol);
}

static void
offers_are_read(void **state)
{
	struct check_reply *reply = mem_alloc(sizeof(*reply));
	struct check_offer offer;
	size_t used;

	(void)state;
	assert_int_equal(check_reply_take(SPAN("250-mx greets STARTTLS\r\n250-size 1000\r\n"
					       "250-PIPELINING\r\n250-AUTH=LOGIN\r\n250 X\r\n"),
			     reply, &used),
	    OK);
	check_offer_read(reply, &offer);
	assert_false(offer.starttls);
	assert_true(offer.pipelining && offer.auth && offer.size);
	assert_int_equal(offer.size_bytes, 1000);
	reply->code = 550;
	check_offer_read(reply, &offer);
	assert_false(offer.pipelining);
	mem_free(reply);
}

static void
greetings_name_the_host(void **state)
{
	static const struct {
		const char *line;
		const char *name;
	} rows[] = {
	    {"220 mx.example.org ESMTP\r\n", "mx.example.org"},
	    {"220 mx.example.org\r\n", "mx.example.org"},
	    {"220 ********\r\n", ""},
	    {"220 ESMTP ready\r\n", ""},
	    {"220 192.0.2.1 hello\r\n", ""},
	    {"220\r\n", ""},
	};
	struct check_reply *reply = mem_alloc(sizeof(*reply));

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t used;

		assert_int_equal(check_reply_take(span_str(rows[i].line), reply, &used), OK);
		assert_true(span_eq(check_greeting_name(reply), span_str(rows[i].name)));
	}
	mem_free(reply);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_are_taken_off),
	    cmocka_unit_test(what_does_not_end_is_too_long),
	    cmocka_unit_test(protocols_are_told_apart),
	    cmocka_unit_test(offers_are_read),
	    cmocka_unit_test(greetings_name_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
