/* Trace fields: dates of known moments, and fields that nobody can break out of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "mime/header.h"
#include "mime/trace.h"

static void
expect(struct buf *out, const char *want)
{
	if (!span_eq(buf_span(out), span_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SPAN_ARGS(buf_span(out)), want);
	buf_reset(out);
}

static const struct {
	uint64_t wall_ms;
	const char *date;
} dates[] = {
    {0, "Thu, 1 Jan 1970 00:00:00 +0000"},
    {951782399999, "Mon, 28 Feb 2000 23:59:59 +0000"},
    {951782400000, "Tue, 29 Feb 2000 00:00:00 +0000"},
    {951868800001, "Wed, 1 Mar 2000 00:00:00 +0000"},
    {1735689599000, "Tue, 31 Dec 2024 23:59:59 +0000"},
    {1735689600000, "Wed, 1 Jan 2025 00:00:00 +0000"},
    {1795489445123, "Tue, 24 Nov 2026 03:04:05 +0000"},
    {4107542399000, "Sun, 28 Feb 2100 23:59:59 +0000"},
    {4107542400000, "Mon, 1 Mar 2100 00:00:00 +0000"},
    {253402300799999, "Fri, 31 Dec 9999 23:59:59 +0000"},
};

static void
test_dates(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (size_t i = 0; i < LEN(dates); i++) {
		trace_write_date(&out, dates[i].wall_ms);
		expect(&out, dates[i].date);
	}
	buf_fini(&out);
}

static struct net_addr
address_of(const char *text)
{
	struct net_addr addr = {0};

	if (*text)
		assert_int_equal(net_addr_parse(span_str(text), &addr), OK);
	return addr;
}

static const struct {
	const char *name;
	struct span helo;
	const char *client, *protocol, *tls;
	struct span for_address;
	const char *want; /* between "Received: " and "by", and behind the id */
	const char *then;
} fields[] = {
    {"a plain one", SPAN("mx.example.net"), "192.0.2.1", "ESMTP", "",
	SPAN("b@example.org"), "from mx.example.net ([192.0.2.1])\r\n",
	"\r\n\tfor <b@example.org>"},
    {"with TLS, over IPv6", SPAN("[IPv6:2001:db8::1]"), "2001:db8::1", "ESMTPS",
	"TLSv1.3 TLS_AES_256_GCM_SHA384", SPAN(""),
	"from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
	"\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n",
	""},
    {"by hand, without a client", SPAN(""), "", "SMTP", "", SPAN(""), "from unknown\r\n",
	""},
    {"a name that would be more than a name", SPAN("x (\\)\r\nEvil: y; <z>\"\0\xc3\xbc"),
	"192.0.2.1", "ESMTP", "", SPAN(""),
	"from x??????Evil:?y???z????? ([192.0.2.1])\r\n", ""},
    {"a comment that would end", SPAN("a"), "192.0.2.1", "ESMTPS", "T) by \\(\r\n",
	SPAN(""), "from a ([192.0.2.1])\r\n\t(T\\) by \\\\\\(?\?)\r\n", ""},
    {"an address that would go on", SPAN("a"), "192.0.2.1", "ESMTP", "", SPAN("a\r\nb"),
	"from a ([192.0.2.1])\r\n", "\r\n\tfor <a?\?b>"},
    {"UTF-8 in an ASCII header", SPAN("a"), "192.0.2.1", "ESMTP", "", SPAN("\xc3\xbc@x"),
	"from a ([192.0.2.1])\r\n", ""},
    {"UTF-8 where it was agreed", SPAN("a"), "192.0.2.1", "UTF8SMTPS", "",
	SPAN("\xc3\xbc@x"), "from a ([192.0.2.1])\r\n", "\r\n\tfor <\xc3\xbc@x>"},
};

static void
test_received(void **state)
{
	struct buf out, want;

	(void)state;
	buf_init(&out, 2000);
	buf_init(&want, 2000);
	for (size_t i = 0; i < LEN(fields); i++) {
		struct trace_received received = {
		    .helo = fields[i].helo,
		    .client = address_of(fields[i].client),
		    .by = SPAN("mail.example.org"),
		    .protocol = fields[i].protocol,
		    .tls = span_str(fields[i].tls),
		    .id = SPAN("3k9"),
		    .for_address = fields[i].for_address,
		    .wall_ms = 1795489445123,
		};

		buf_reset(&want);
		buf_addf(&want,
		    "Received: %s\tby mail.example.org with %s id 3k9%s;\r\n"
		    "\tTue, 24 Nov 2026 03:04:05 +0000\r\n",
		    fields[i].want, fields[i].protocol, fields[i].then);
		buf_add_char(&want, '\0');
		trace_write_received(&out, &received);
		expect(&out, want.ptr);
	}
	buf_fini(&out);
	buf_fini(&want);
}

static void
test_the_longest_is_one_field_of_short_lines(void **state)
{
	static char bytes[5000];
	struct span all = span_of(bytes, sizeof(bytes));
	struct trace_received received = {.helo = all,
	    .by = all,
	    .protocol = "ESMTP",
	    .tls = all,
	    .id = all,
	    .for_address = all};
	struct header_field field;
	struct span rest, line;
	struct buf out;

	(void)state;
	buf_init(&out, 20000);
	memset(bytes, '(', sizeof(bytes));
	trace_write_received(&out, &received);
	assert_int_equal(buf_finish(&out), OK);
	rest = buf_span(&out);
	while (span_cut(&rest, '\n', &line))
		assert_true(line.len < 998);
	rest = buf_span(&out);
	assert_true(header_next(&rest, &field));
	assert_int_equal(rest.len, 0);
	buf_fini(&out);
}

static void
test_return_path(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	trace_write_return_path(&out, SPAN(""));
	expect(&out, "Return-Path: <>\r\n");
	trace_write_return_path(&out, SPAN("a@b\r\nX: y"));
	expect(&out, "Return-Path: <a@b?\?X: y>\r\n");
	buf_fini(&out);
}

static void
test_client_is_hidden(void **state)
{
	struct trace_received received = {
	    .helo = SPAN("laptop.home"),
	    .client = address_of("192.0.2.1"),
	    .hides_client = true,
	    .by = SPAN("mail.example.org"),
	    .protocol = "ESMTPSA",
	    .tls = SPAN("TLSv1.3"),
	    .id = SPAN("abc"),
	    .for_address = SPAN("b@example.org"),
	};
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	trace_write_received(&out, &received);
	assert_true(span_eq(buf_span(&out),
	    SPAN("Received: by mail.example.org with ESMTPSA id abc\r\n"
		 "\tfor <b@example.org>;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_received),
	    cmocka_unit_test(test_the_longest_is_one_field_of_short_lines),
	    cmocka_unit_test(test_return_path),
	    cmocka_unit_test(test_client_is_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
