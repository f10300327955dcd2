/* Policies as they are kept: written, read again, refused where they are damaged, over in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "proc/fetcher/policy.h"

#define FILE_TEXT                                                                \
	"postrider tls policy 1\nid 20260101T00\nfetched 1000000\nversion: STSv1\n" \
	"mode: enforce\nmax_age: 600\nmx: mx.far.example\nmx: *.far.example\n"

static void
a_policy_is_kept_as_it_was(void **state)
{
	struct policy policy = {0};
	struct buf out;

	(void)state;
	assert_int_equal(policy_read(SPAN(FILE_TEXT), &policy), OK);
	assert_int_equal(policy.mode, STS_ENFORCE);
	assert_string_equal(policy.id, "20260101T00");
	buf_init(&out, POLICY_FILE_BYTES_MAX);
	policy_write(&policy, &out);
	assert_true(span_eq(buf_span(&out), SPAN(FILE_TEXT)));
	buf_fini(&out);
	policy_fini(&policy);
}

static void
its_time_ends(void **state)
{
	struct policy policy = {0};

	(void)state;
	assert_false(policy_is_valid(&policy, 0));
	assert_int_equal(policy_read(SPAN(FILE_TEXT), &policy), OK);
	assert_false(policy_is_old(&policy, 1000000 + 299999));
	assert_true(policy_is_old(&policy, 1000000 + 300000));
	assert_true(policy_is_valid(&policy, 1000000 + 599999));
	assert_false(policy_is_valid(&policy, 1000000 + 600000));
	policy_fini(&policy);
}

static void
damaged_files_are_refused(void **state)
{
	static const struct span files[] = {
	    SPAN(""),
	    SPAN("postrider tls policy 2\nid a\nfetched 1\nversion: STSv1\nmode: none\n"
		 "max_age: 1\n"),
	    SPAN("postrider tls policy 1\nid a/b\nfetched 1\nversion: STSv1\nmode: none\n"
		 "max_age: 1\n"),
	    SPAN("postrider tls policy 1\nid a\nfetched x\nversion: STSv1\nmode: none\n"
		 "max_age: 1\n"),
	    SPAN("postrider tls policy 1\nid a\nfetched 1\nversion: STSv1\nmode: enforce\n"
		 "max_age: 1\n"),
	};
	struct policy policy = {0};

	(void)state;
	for (size_t i = 0; i < LEN(files); i++)
		assert_int_equal(policy_read(files[i], &policy), ERR_SYNTAX);
	assert_null(policy.hosts);
}

static void
files_are_named_after_domains(void **state)
{
	char name[POLICY_NAME_BYTES], domain[POLICY_NAME_BYTES];

	(void)state;
	assert_true(policy_domain(SPAN("Far.Example"), domain));
	assert_string_equal(domain, "far.example");
	policy_file_name(domain, name);
	assert_string_equal(name, "far.example.policy");
	assert_true(policy_file_domain(name, domain));
	assert_string_equal(domain, "far.example");
	assert_false(policy_file_domain("results-2026-01-01", domain));
	assert_false(policy_file_domain("../x.policy", domain));
	assert_false(policy_domain(SPAN("a/b"), domain));
	assert_false(policy_domain(SPAN(""), domain));
	assert_false(policy_domain(SPAN(".."), domain));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_policy_is_kept_as_it_was),
	    cmocka_unit_test(its_time_ends),
	    cmocka_unit_test(damaged_files_are_refused),
	    cmocka_unit_test(files_are_named_after_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
