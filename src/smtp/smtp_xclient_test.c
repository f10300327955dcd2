#include "smtp/smtp_xclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static const struct {
	const char *args, *read; /* NULL: refused */
} rows[] = {
    {"ADDR=192.0.2.1", "192.0.2.1"},
    {"addr=192.0.2.1 PORT=25 NAME=mx.example PROTO=ESMTP HELO=a DESTADDR=192.0.2.2",
	"192.0.2.1:25"},
    {"PORT=25  ADDR=IPV6:2001:db8::1", "2001:db8::1:25"},
    {"ADDR=2001:db8::1", "2001:db8::1"},
    {"NAME=[UNAVAILABLE] ADDR=[unavailable] LOGIN=[UNAVAILABLE]", " login="},
    {"LOGIN=user+40example.org", " login=user@example.org"},
    {"HELO=a NAME=[TEMPUNAVAIL]", ""},
    {"", NULL},
    {"  ", NULL},
    {"ADDR", NULL},
    {"ADDR=", NULL},
    {"ADDR=192.0.2", NULL},
    {"ADDR=192.0.2.1:25", NULL},
    {"PORT=65536", NULL},
    {"PORT=-1", NULL},
    {"LOGIN=", NULL},
    {"LOGIN=a+0Db", NULL},
    {"LOGIN=a+4", NULL},
    {"LOGIN=a+4x", NULL},
    {"FOO=1", NULL},
    {"ADDR=192.0.2.1 FOO=1", NULL},
};

static void
attributes_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct smtp_xclient xclient;
		struct buf out;

		assert_int_equal(
		    smtp_xclient_read(span_str(rows[i].args), &xclient), rows[i].read != NULL);
		if (!rows[i].read)
			continue;
		buf_init(&out, 400);
		if (xclient.has_addr)
			net_addr_write(&out, &xclient.addr);
		if (xclient.has_port)
			buf_addf(&out, ":%u", xclient.addr.port);
		if (xclient.has_login)
			buf_addf(
			    &out, " login=%.*s", (int)xclient.login_bytes, xclient.login);
		buf_add_char(&out, '\0');
		assert_string_equal(out.ptr, rows[i].read);
		buf_fini(&out);
	}
}

static void
a_login_has_a_limit(void **state)
{
	char args[6 + SMTP_XCLIENT_LOGIN_BYTES_MAX + 1];
	struct smtp_xclient xclient;

	(void)state;
	memset(args, 'a', sizeof(args));
	memcpy(args, "LOGIN=", 6);
	assert_true(smtp_xclient_read(span_of(args, sizeof(args) - 1), &xclient));
	assert_int_equal(xclient.login_bytes, SMTP_XCLIENT_LOGIN_BYTES_MAX);
	assert_false(smtp_xclient_read(span_of(args, sizeof(args)), &xclient));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes_are_read),
	    cmocka_unit_test(a_login_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
