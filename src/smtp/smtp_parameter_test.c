/* Parameters of MAIL and RCPT: what is taken, and what is said of what is not. */
#include "smtp/smtp_parameter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/check.h"

#define ALL UINT32_MAX
/* 2026-11-27T03:48:26Z */
#define NOW_MS UINT64_C(1795751306000)

static struct smtp_parameter_rules
rules_of(unsigned extensions)
{
	return (struct smtp_parameter_rules){
	    .extensions = extensions,
	    .tls = true,
	    .hold_max_s = 7 * 86400,
	    .by_min_s = 60,
	    .wall_ms = NOW_MS,
	    .solicit_refused = SPAN("net.example:ADV,org.example:ADV:ADLT"),
	};
}

/* "size=1 8bit ...", or the code and text of the refusal. */
/* A refusal without the topic that it ends with: which topic, other tests say. */
static void
add_refusal(struct buf *out, const struct reply *refusal)
{
	size_t begin = out->len;

	reply_write(out, refusal, true, false);
	for (size_t at = begin; at < out->len; at++)
		if (span_starts(span_skip(buf_span(out), at), SPAN(" (HELP ")))
			out->len = at;
}

static const char *
read_mail(const char *text, const struct smtp_parameter_rules *rules, struct buf *out)
{
	struct smtp_mail_parameters mail;
	struct reply refusal;

	buf_reset(out);
	if (!smtp_parameter_read_mail(span_str(text), rules, &mail, &refusal)) {
		add_refusal(out, &refusal);
		buf_add_char(out, '\0');
		return out->ptr;
	}
	buf_addf(out, "size=%llu body=%d", (unsigned long long)mail.size, (int)mail.body);
	if (mail.smtputf8)
		buf_add_str(out, " utf8");
	if (mail.requiretls)
		buf_add_str(out, " requiretls");
	if (mail.ret != SMTP_RET_UNSAID)
		buf_addf(out, " ret=%s", mail.ret == SMTP_RET_FULL ? "full" : "hdrs");
	if (mail.envid.len)
		buf_addf(out, " envid=%.*s", SPAN_ARGS(mail.envid));
	if (mail.hold_for_s)
		buf_addf(out, " for=%llu", (unsigned long long)mail.hold_for_s);
	if (mail.hold_until_wall_ms)
		buf_addf(out, " until=%llu",
		    (unsigned long long)(mail.hold_until_wall_ms - NOW_MS));
	if (mail.by != SMTP_BY_NONE)
		buf_addf(out, " by=%lld%c%s", (long long)mail.by_s,
		    mail.by == SMTP_BY_RETURN ? 'R' : 'N', mail.by_trace ? "T" : "");
	if (mail.has_priority)
		buf_addf(out, " priority=%d", mail.priority);
	if (mail.auth.len)
		buf_addf(out, " auth=%.*s", SPAN_ARGS(mail.auth));
	if (mail.solicit.len)
		buf_addf(out, " solicit=%.*s", SPAN_ARGS(mail.solicit));
	buf_add_char(out, '\0');
	return out->ptr;
}

static const char *
read_rcpt(const char *text, const struct smtp_parameter_rules *rules, struct buf *out)
{
	struct smtp_rcpt_parameters rcpt;
	struct reply refusal;

	buf_reset(out);
	if (smtp_parameter_read_rcpt(span_str(text), rules, &rcpt, &refusal)) {
		buf_addf(out, "notify=%u orcpt=%.*s", rcpt.notify, SPAN_ARGS(rcpt.orcpt));
	} else {
		add_refusal(out, &refusal);
	}
	buf_add_char(out, '\0');
	return out->ptr;
}

static const struct {
	const char *text, *read;
} taken[] = {
    {"", "size=0 body=0"},
    {"  ", "size=0 body=0"},
    {" SIZE=18446744073709551615 body=8bitmime", "size=18446744073709551615 body=1"},
    {" BODY=BINARYMIME SMTPUTF8 REQUIRETLS", "size=0 body=2 utf8 requiretls"},
    {" RET=FULL ENVID=QQ314159", "size=0 body=0 ret=full envid=QQ314159"},
    {" ret=hdrs ENVID=a+20+2Bb+3D", "size=0 body=0 ret=hdrs envid=a+20+2Bb+3D"},
    {" HOLDFOR=1", "size=0 body=0 for=1"},
    {" HOLDFOR=604800", "size=0 body=0 for=604800"},
    {" HOLDUNTIL=2026-11-27T03:48:27Z", "size=0 body=0 until=1000"},
    {" HOLDUNTIL=2026-12-04T03:48:26.9Z", "size=0 body=0 until=604800900"},
    {" HOLDUNTIL=2026-11-27T04:49:26+01:00", "size=0 body=0 until=60000"},
    {" BY=120;R", "size=0 body=0 by=120R"},
    {" BY=60;rt", "size=0 body=0 by=60RT"},
    {" BY=+120;NT", "size=0 body=0 by=120NT"},
    {" BY=-120;N", "size=0 body=0 by=-120N"},
    {" BY=0;N", "size=0 body=0 by=0N"},
    {" MT-PRIORITY=0", "size=0 body=0 priority=0"},
    {" MT-PRIORITY=9", "size=0 body=0 priority=9"},
    {" MT-PRIORITY=-9", "size=0 body=0 priority=-9"},
    {" AUTH=<>", "size=0 body=0 auth=<>"},
    {" AUTH=e+3Dmc2@example.com", "size=0 body=0 auth=e+3Dmc2@example.com"},
    {" SOLICIT=org.example:ADV,com.example:NEWS", "size=0 body=0 "
						  "solicit=org.example:ADV,com.example:NEWS"},
};

static void
what_is_right_is_taken(void **state)
{
	struct smtp_parameter_rules rules = rules_of(ALL);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < LEN(taken); i++)
		assert_string_equal(read_mail(taken[i].text, &rules, &out), taken[i].read);
	buf_fini(&out);
}

static const struct {
	const char *text, *said;
} refused[] = {
    {"x", "501 5.5.4 Syntax: a space is needed after the address"},
    {" FOO=1", "555 5.5.4 Parameter not recognized or not implemented: FOO"},
    {" NOTIFY=NEVER", "555 5.5.4 Parameter not recognized or not implemented: NOTIFY"},
    {" SIZE", "501 5.5.4 Syntax: SIZE=octets"},
    {" SIZE=1 SIZE=1", "501 5.5.4 Syntax: each parameter at most once"},
    {" SIZE=18446744073709551616", "501 5.5.4 Syntax: SIZE=octets"},
    {" SMTPUTF8=", "501 5.5.4 Syntax: SMTPUTF8 has no value"},
    {" REQUIRETLS=1", "501 5.5.4 Syntax: REQUIRETLS has no value"},
    {" RET=BODY", "501 5.5.4 Syntax: RET=FULL|HDRS"},
    {" ENVID=",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" ENVID=a=b",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" ENVID=a+0D+0Ab",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" ENVID=a+2b",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" ENVID=a+2",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" ENVID=a+E4",
	"501 5.5.4 Syntax: ENVID=xtext of printable ASCII, at most 100 octets"},
    {" HOLDFOR=0", "501 5.5.4 Syntax: HOLDFOR=1 to 999999999 seconds"},
    {" HOLDFOR=01", "501 5.5.4 Syntax: HOLDFOR=1 to 999999999 seconds"},
    {" HOLDFOR=1000000000", "501 5.5.4 Syntax: HOLDFOR=1 to 999999999 seconds"},
    {" HOLDFOR=604801",
	"501 5.5.4 Mail can't be held so: longer than FUTURERELEASE of EHLO allows"},
    {" HOLDFOR=1 HOLDUNTIL=2026-11-27T03:48:27Z",
	"501 5.5.4 Mail can't be held so: HOLDFOR or HOLDUNTIL, not both"},
    {" HOLDUNTIL=2026-11-27T03:48:27Z HOLDFOR=1",
	"501 5.5.4 Mail can't be held so: HOLDFOR or HOLDUNTIL, not both"},
    {" HOLDUNTIL=2026-11-27T03:48:26Z",
	"501 5.5.4 Mail can't be held so: the time has passed already"},
    {" HOLDUNTIL=2026-12-04T03:48:27Z",
	"501 5.5.4 Mail can't be held so: longer than FUTURERELEASE of EHLO allows"},
    {" HOLDUNTIL=tomorrow",
	"501 5.5.4 Syntax: HOLDUNTIL=date and time as in 2026-12-31T23:59:59Z"},
    {" BY=120", "501 5.5.4 Syntax: BY=seconds;R or BY=seconds;N, T after it for trace; "
		"with R more than 0"},
    {" BY=;R", "501 5.5.4 Syntax: BY=seconds;R or BY=seconds;N, T after it for trace; "
	       "with R more than 0"},
    {" BY=120;RX", "501 5.5.4 Syntax: BY=seconds;R or BY=seconds;N, T after it for trace; "
		   "with R more than 0"},
    {" BY=-1;R", "501 5.5.4 Syntax: BY=seconds;R or BY=seconds;N, T after it for trace; "
		 "with R more than 0"},
    {" BY=1000000000;R", "501 5.5.4 Syntax: BY=seconds;R or BY=seconds;N, T after it for "
			 "trace; with R more than 0"},
    {" BY=59;R", "550 5.4.7 Nothing is promised so soon: EHLO tells the least time for BY "
		 "behind DELIVERBY"},
    {" MT-PRIORITY=10", "501 5.5.4 Syntax: MT-PRIORITY=-9 to 9"},
    {" MT-PRIORITY=", "501 5.5.4 Syntax: MT-PRIORITY=-9 to 9"},
    {" MT-PRIORITY=+1", "501 5.5.4 Syntax: MT-PRIORITY=-9 to 9"},
    {" AUTH=", "501 5.5.4 Syntax: AUTH=mailbox in xtext, or AUTH=<>"},
    {" AUTH=a+x", "501 5.5.4 Syntax: AUTH=mailbox in xtext, or AUTH=<>"},
    {" SOLICIT=", "501 5.5.4 Syntax: SOLICIT=class,..."},
    {" SOLICIT=a,", "501 5.5.4 Syntax: SOLICIT=class,..."},
    {" SOLICIT=a,,b", "501 5.5.4 Syntax: SOLICIT=class,..."},
    {" SOLICIT=1a", "501 5.5.4 Syntax: SOLICIT=class,..."},
    {" SOLICIT=a;b", "501 5.5.4 Syntax: SOLICIT=class,..."},
    {" SOLICIT=com.example:NEWS,Org.example:ADV:ADLT",
	"550 5.7.1 Solicitation of class Org.example:ADV:ADLT is not wanted here"},
};

static void
what_is_wrong_is_told_how(void **state)
{
	struct smtp_parameter_rules rules = rules_of(ALL);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < LEN(refused); i++)
		assert_string_equal(read_mail(refused[i].text, &rules, &out), refused[i].said);
	buf_fini(&out);
}

static const struct {
	const char *text, *read;
} recipients[] = {
    {"", "notify=0 orcpt="},
    {" NOTIFY=NEVER", "notify=1 orcpt="},
    {" NOTIFY=success,FAILURE,Delay", "notify=14 orcpt="},
    {" NOTIFY=SUCCESS,SUCCESS", "notify=2 orcpt="},
    {" ORCPT=rfc822;Bob@Example.COM NOTIFY=DELAY",
	"notify=8 orcpt=rfc822;Bob@Example.COM"},
    {" ORCPT=rfc822;a+2Bb@c", "notify=0 orcpt=rfc822;a+2Bb@c"},
    {"x", "501 5.5.4 Syntax: a space is needed after the address"},
    {" SIZE=1", "555 5.5.4 Parameter not recognized or not implemented: SIZE"},
#define NOTIFY_RULE \
	"501 5.5.4 Syntax: NOTIFY=NEVER alone, or NOTIFY= with some of SUCCESS,FAILURE,DELAY"
    {" NOTIFY=", NOTIFY_RULE},
    {" NOTIFY=NEVER,DELAY", NOTIFY_RULE},
    {" NOTIFY=DELAY,NEVER", NOTIFY_RULE},
    {" NOTIFY=DELAY,", NOTIFY_RULE},
    {" NOTIFY=,DELAY", NOTIFY_RULE},
    {" NOTIFY=ALWAYS", NOTIFY_RULE},
#define ORCPT_RULE "501 5.5.4 Syntax: ORCPT=type;address in xtext, at most 500 octets"
    {" ORCPT=", ORCPT_RULE},
    {" ORCPT=rfc822", ORCPT_RULE},
    {" ORCPT=rfc822;", ORCPT_RULE},
    {" ORCPT=;a@b", ORCPT_RULE},
    {" ORCPT=rfc822;a+0Ab", ORCPT_RULE},
    {" ORCPT=rfc 822;a", ORCPT_RULE},
    {" ORCPT=rfc822;a+b", ORCPT_RULE},
    {" ORCPT=utf-8;\xc3\xbc@b", ORCPT_RULE},
};

static void
recipients_have_theirs(void **state)
{
	struct smtp_parameter_rules rules = rules_of(ALL);
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < LEN(recipients); i++)
		assert_string_equal(
		    read_rcpt(recipients[i].text, &rules, &out), recipients[i].read);
	rules.smtputf8 = true;
	assert_string_equal(read_rcpt(" ORCPT=utf-8;\xc3\xbc@b", &rules, &out),
	    "notify=0 orcpt=utf-8;\xc3\xbc@b");
	buf_fini(&out);
}

static void
lengths_are_held(void **state)
{
	struct smtp_parameter_rules rules = rules_of(ALL);
	char text[1100];
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	struct reply refusal;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, " ENVID=", 7);
	assert_true(
	    smtp_parameter_read_mail(span_of(text, 107), &rules, &mail, &refusal));
	assert_false(
	    smtp_parameter_read_mail(span_of(text, 108), &rules, &mail, &refusal));
	memcpy(text, " ORCPT=rfc822;", 14);
	assert_true(
	    smtp_parameter_read_rcpt(span_of(text, 507), &rules, &rcpt, &refusal));
	assert_false(
	    smtp_parameter_read_rcpt(span_of(text, 508), &rules, &rcpt, &refusal));
	memcpy(text, " SOLICIT=aaaaa", 14);
	assert_true(
	    smtp_parameter_read_mail(span_of(text, 1009), &rules, &mail, &refusal));
	assert_false(
	    smtp_parameter_read_mail(span_of(text, 1010), &rules, &mail, &refusal));
}

/* Each parameter is known where its extension is offered, and nowhere else. */
static void
only_what_is_offered_is_known(void **state)
{
	static const struct {
		const char *text;
		unsigned extension;
	} rows[] = {
	    {" RET=FULL", SMTP_EXTENSION_DSN},
	    {" ENVID=a", SMTP_EXTENSION_DSN},
	    {" HOLDFOR=1", SMTP_EXTENSION_FUTURERELEASE},
	    {" HOLDUNTIL=2026-11-27T03:48:27Z", SMTP_EXTENSION_FUTURERELEASE},
	    {" BY=100;R", SMTP_EXTENSION_DELIVERBY},
	    {" MT-PRIORITY=1", SMTP_EXTENSION_MT_PRIORITY},
	    {" REQUIRETLS", SMTP_EXTENSION_REQUIRETLS},
	    {" SOLICIT=a", SMTP_EXTENSION_NO_SOLICITING},
	};
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct smtp_parameter_rules rules = rules_of(rows[i].extension);

		assert_int_equal(read_mail(rows[i].text, &rules, &out)[0], 's');
		rules.extensions = ~rows[i].extension;
		assert_memory_equal(read_mail(rows[i].text, &rules, &out), "555 5.5.4", 9);
	}
	struct smtp_parameter_rules rules = rules_of(0);

	assert_memory_equal(read_mail(" BODY=BINARYMIME", &rules, &out), "501", 3);
	assert_memory_equal(read_rcpt(" NOTIFY=NEVER", &rules, &out), "555", 3);
	rules = rules_of(ALL);
	rules.tls = false;
	assert_string_equal(read_mail(" REQUIRETLS", &rules, &out),
	    "530 5.7.0 REQUIRETLS needs TLS: issue STARTTLS first");
	buf_fini(&out);
}

static void
help_has_what_is_offered(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	smtp_parameter_write_syntax(&out, 0, true);
	assert_true(span_eq(buf_span(&out),
	    SPAN(" [SIZE=octets] [BODY=7BIT|8BITMIME] [SMTPUTF8] [AUTH=mailbox]")));
	buf_reset(&out);
	smtp_parameter_write_syntax(&out, 0, false);
	assert_int_equal(out.len, 0);
	smtp_parameter_write_syntax(&out, SMTP_EXTENSION_DSN, false);
	assert_true(span_eq(buf_span(&out),
	    SPAN(" [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=rfc822;address]")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_right_is_taken),
	    cmocka_unit_test(what_is_wrong_is_told_how),
	    cmocka_unit_test(recipients_have_theirs),
	    cmocka_unit_test(lengths_are_held),
	    cmocka_unit_test(only_what_is_offered_is_known),
	    cmocka_unit_test(help_has_what_is_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
