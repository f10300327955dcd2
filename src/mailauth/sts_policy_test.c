#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "mailauth/sts_policy.h"

static void
records_are_told_apart(void **state)
{
	static const struct {
		const char *txt;
		enum err err;
	} rows[] = {
	    {"v=STSv1; id=20160831085700Z;", OK},
	    {"v=STSv1;id=1", OK},
	    {"v=STSv1 ; x-new=a ; id=abc", OK},
	    {"v=STSv1; id=12345678901234567890123456789012;", OK},
	    {"v=STSv1; id=123456789012345678901234567890123;", ERR_SYNTAX},
	    {"v=STSv1;", ERR_SYNTAX},
	    {"v=STSv1; id=;", ERR_SYNTAX},
	    {"v=STSv1; id=a-b;", ERR_SYNTAX},
	    {"v=STSv1; id=a; id=b", ERR_SYNTAX},
	    {"v=STSv1; id", ERR_SYNTAX},
	    {"v=STSv1;; id=a", ERR_SYNTAX},
	    {"v=STSv1; id=a; x=\x01", ERR_SYNTAX},
	    {"v=STSv12; id=a", ERR_NOT_FOUND},
	    {"V=STSv1; id=a", ERR_NOT_FOUND},
	    {"v=spf1 -all", ERR_NOT_FOUND},
	    {"", ERR_NOT_FOUND},
	};
	struct sts_record record;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(
		    sts_record_parse(span_str(rows[i].txt), &record), rows[i].err);
	assert_int_equal(sts_record_parse(span_str(rows[0].txt), &record), OK);
	assert_string_equal(record.id, "20160831085700Z");
}

static void
one_record_counts_and_two_are_none(void **state)
{
	const struct span one[] = {SPAN("hello"), SPAN("v=STSv1; id=a")};
	const struct span two[] = {SPAN("v=STSv1; id=a"), SPAN("v=STSv1; id=b")};
	struct sts_record record;

	(void)state;
	assert_int_equal(sts_record_find(one, 2, &record), OK);
	assert_string_equal(record.id, "a");
	assert_int_equal(sts_record_find(one, 1, &record), ERR_NOT_FOUND);
	assert_int_equal(sts_record_find(two, 2, &record), ERR_SYNTAX);
}

static void
strings_of_a_record_are_joined(void **state)
{
	char text[10];
	struct span joined;

	(void)state;
	assert_int_equal(sts_txt_join(SPAN("\3abc\5de"), text, 10, &joined), ERR_SYNTAX);
	assert_int_equal(sts_txt_join(SPAN("\3abc\2de"), text, 4, &joined), ERR_TOO_LONG);
	assert_int_equal(sts_txt_join(SPAN("\3abc\0\2de"), text, 10, &joined), OK);
	assert_true(span_eq(joined, SPAN("abcde")));
	assert_int_equal(sts_txt_join(SPAN(""), text, 10, &joined), OK);
	assert_int_equal(joined.len, 0);
}

static void
a_policy_is_read(void **state)
{
	struct sts_policy policy;
	enum sts_fault fault;

	(void)state;
	assert_int_equal(
	    sts_policy_parse(SPAN("version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.com\r\n"
				  "mx: *.example.net\r\nx-later: what (ever)\r\n"
				  "max_age: 604800  \r\nmode: none\r\n"),
		&policy, &fault),
	    OK);
	assert_int_equal(policy.mode, STS_ENFORCE);
	assert_int_equal(policy.max_age_s, 604800);
	assert_int_equal(policy.mx_count, 2);
	assert_string_equal(policy.mx[0], "mail.example.com");
	assert_true(sts_policy_has_mx(&policy, SPAN("MAIL.example.com.")));
	assert_true(sts_policy_has_mx(&policy, SPAN("mx1.example.net")));
	assert_false(sts_policy_has_mx(&policy, SPAN("a.mx1.example.net")));
	assert_false(sts_policy_has_mx(&policy, SPAN("example.net")));
	assert_false(sts_policy_has_mx(&policy, SPAN(".example.net")));
	assert_false(sts_policy_has_mx(&policy, SPAN("mx.example.com")));
	assert_false(sts_policy_has_mx(&policy, SPAN("")));

	assert_int_equal(sts_policy_parse(SPAN("version: STSv1\nmode: none\nmax_age: 9999999999"),
			     &policy, &fault),
	    OK);
	assert_int_equal(policy.max_age_s, STS_AGE_S_MAX);
}

static void
faults_are_named(void **state)
{
	static const struct {
		const char *text;
		enum sts_fault fault;
	} rows[] = {
	    {"", STS_FAULT_VERSION},
	    {"version: STSv2\nmode: none\nmax_age: 1\n", STS_FAULT_VERSION},
	    {"mode: none\nmax_age: 1\n", STS_FAULT_VERSION},
	    {"version: STSv1\nmax_age: 1\nmx: a.example\n", STS_FAULT_MODE},
	    {"version: STSv1\nmode: Enforce\nmax_age: 1\nmx: a.example\n", STS_FAULT_MODE},
	    {"version: STSv1\nmode: testing\nmx: a.example\n", STS_FAULT_AGE},
	    {"version: STSv1\nmode: testing\nmax_age: -1\nmx: a.example\n", STS_FAULT_AGE},
	    {"version: STSv1\nmode: testing\nmax_age: 12345678901\n", STS_FAULT_AGE},
	    {"version: STSv1\nmode: testing\nmax_age: 1\n", STS_FAULT_MX},
	    {"version: STSv1\nmode: testing\nmax_age: 1\nmx: a..b\n", STS_FAULT_MX},
	    {"version: STSv1\nmode: testing\nmax_age: 1\nmx: *.\n", STS_FAULT_MX},
	    {"version: STSv1\nmode: testing\nmax_age: 1\nmx: a.*.b\n", STS_FAULT_MX},
	    {"<!DOCTYPE html>\n", STS_FAULT_LINE},
	    {"version: STSv1\nmo de: none\n", STS_FAULT_LINE},
	    {"version: STSv1\nmode: \x1b[2J\n", STS_FAULT_LINE},
	};
	struct sts_policy policy;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		enum sts_fault fault;

		assert_int_equal(
		    sts_policy_parse(span_str(rows[i].text), &policy, &fault), ERR_SYNTAX);
		assert_int_equal(fault, rows[i].fault);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_are_told_apart),
	    cmocka_unit_test(one_record_counts_and_two_are_none),
	    cmocka_unit_test(strings_of_a_record_are_joined),
	    cmocka_unit_test(a_policy_is_read),
	    cmocka_unit_test(faults_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
