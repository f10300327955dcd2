/* Dovecot's lines, read and written. */
#include "sasl/dovecot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static const struct {
	const char *line;
	bool good;
	enum dovecot_kind kind;
	uint64_t number;
	enum sasl_mechanism mechanism;
	const char *user, *data;
	bool temporary;
} lines[] = {
    {"VERSION\t1\t2", true, DOVECOT_VERSION, 1, SASL_MECHANISM_COUNT, "", "", false},
    {"VERSION\tx", false, DOVECOT_VERSION, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"MECH\tPLAIN\tplaintext", true, DOVECOT_MECH, 0, SASL_PLAIN, "", "", false},
    {"MECH\tNTLM", true, DOVECOT_MECH, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"MECH", false, DOVECOT_MECH, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"SPID\t1", true, DOVECOT_OTHER, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"COOKIE\t0123", true, DOVECOT_OTHER, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"DONE", true, DOVECOT_DONE, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"OK\t7\tuser=ann@a.example\tx=y", true, DOVECOT_OK, 7, SASL_MECHANISM_COUNT,
	"ann@a.example", "", false},
    {"OK\t7", false, DOVECOT_OK, 7, SASL_MECHANISM_COUNT, "", "", false},
    {"OK\tuser=ann", false, DOVECOT_OK, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"FAIL\t7\tuser=ann", true, DOVECOT_FAIL, 7, SASL_MECHANISM_COUNT, "ann", "", false},
    {"FAIL\t7\tuser=ann\ttemp", true, DOVECOT_FAIL, 7, SASL_MECHANISM_COUNT, "ann", "",
	true},
    {"FAIL\t7\tcode=temp_fail", true, DOVECOT_FAIL, 7, SASL_MECHANISM_COUNT, "", "",
	true},
    {"FAIL\t99999999999", false, DOVECOT_FAIL, 0, SASL_MECHANISM_COUNT, "", "", false},
    {"CONT\t7\tVXNlcm5hbWU6", true, DOVECOT_CONT, 7, SASL_MECHANISM_COUNT, "",
	"VXNlcm5hbWU6", false},
    {"CONT\t7", true, DOVECOT_CONT, 7, SASL_MECHANISM_COUNT, "", "", false},
    {"", false, DOVECOT_OTHER, 0, SASL_MECHANISM_COUNT, "", "", false},
};

static void
lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(lines); i++) {
		struct dovecot_line line;
		bool good = dovecot_parse(span_str(lines[i].line), &line);

		print_message("  %s\n", lines[i].line);
		assert_int_equal(good, lines[i].good);
		assert_int_equal(line.kind, lines[i].kind);
		if (!good)
			continue;
		assert_int_equal(line.number, lines[i].number);
		assert_int_equal(line.mechanism, lines[i].mechanism);
		assert_true(span_eq(line.user, span_str(lines[i].user)));
		assert_true(span_eq(line.data, span_str(lines[i].data)));
		assert_int_equal(line.temporary, lines[i].temporary);
	}
}

static void
lines_are_written(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	dovecot_write_hello(&out, 42);
	dovecot_write_auth(&out, 1, SASL_PLAIN, SPAN("192.0.2.1"), true, SPAN("\0a\0b"));
	dovecot_write_auth(&out, 2, SASL_LOGIN, SPAN("1\tuser=root"), false, SPAN(""));
	dovecot_write_cont(&out, 2, SPAN("ann"));
	dovecot_write_cancel(&out, 2);
	assert_true(span_eq(buf_span(&out),
	    SPAN(
		"VERSION\t1\t2\nCPID\t42\n"
		"AUTH\t1\tPLAIN\tservice=smtp\tsecured\tnologin\tno-penalty\t"
		"rip=192.0.2.1\tresp=AGEAYg==\n"
		"AUTH\t2\tLOGIN\tservice=smtp\tsecured\tnologin\tno-penalty\n"
		"CONT\t2\tYW5u\nCANCEL\t2\n")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_read),
	    cmocka_unit_test(lines_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
