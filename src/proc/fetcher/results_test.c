/* Results are counted by policy and kind, written, read as they were, and refused where damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "proc/fetcher/results.h"

static const uint64_t seed[2] = {1, 2};

#define FILE_TEXT                                                                             \
	"postrider tls results 1 2026-11-27\nleft-out 0\n"                                      \
	"policy sts far.example 2 3\nsays version: STSv1\nsays mode: enforce\n"                 \
	"failure certificate-expired 2 mx.far.example 192.0.2.1 it expired?on monday\n"         \
	"failure sts-policy-fetch-error 1 - - HTTP 404\n"                                       \
	"policy no-policy-found far.example 0 1\n"                                              \
	"failure starttls-not-supported 1 mx.far.example 192.0.2.1 \n"

static void
add(struct results *results, enum ipc_policy_kind kind, enum ipc_tls_result result,
    const char *host, const char *reason)
{
	const struct result one = {
	    .kind = kind,
	    .result = result,
	    .domain = SPAN("Far.Example"),
	    .host = span_str(host),
	    .address = span_str(*host ? "192.0.2.1" : ""),
	    .reason = span_str(reason),
	    .policy = kind == IPC_POLICY_KIND_STS ? SPAN("version: STSv1\nmode: enforce\n")
						  : SPAN(""),
	};

	results_add(results, &one);
}

static void
sessions_are_counted_and_kept(void **state)
{
	struct results results, again;
	struct buf out;

	(void)state;
	results_init(&results, seed);
	results_init(&again, seed);
	results_begin(&results, "2026-11-27");
	add(&results, IPC_POLICY_KIND_STS, IPC_TLS_SUCCESS, "mx.far.example", "");
	add(&results, IPC_POLICY_KIND_STS, IPC_TLS_SUCCESS, "mx.far.example", "");
	for (int i = 0; i < 2; i++)
		add(&results, IPC_POLICY_KIND_STS, IPC_TLS_CERTIFICATE_EXPIRED, "mx.far.example",
		    "it expired\non monday");
	add(&results, IPC_POLICY_KIND_STS, IPC_TLS_STS_POLICY_FETCH_ERROR, "", "HTTP 404");
	add(&results, IPC_POLICY_KIND_NONE, IPC_TLS_STARTTLS_NOT_SUPPORTED, "mx.far.example", "");
	buf_init(&out, RESULTS_BYTES_MAX);
	results_write(&results, &out);
	assert_true(span_eq(buf_span(&out), SPAN(FILE_TEXT)));
	assert_int_equal(results_read(&again, buf_span(&out)), OK);
	buf_reset(&out);
	results_write(&again, &out);
	assert_true(span_eq(buf_span(&out), SPAN(FILE_TEXT)));
	add(&again, IPC_POLICY_KIND_STS, IPC_TLS_SUCCESS, "mx.far.example", "");
	assert_int_equal(again.count, 2);
	assert_int_equal(again.policies[0]->good, 3);
	buf_fini(&out);
	results_fini(&results);
	results_fini(&again);
}

static void
kinds_of_failure_have_a_bound(void **state)
{
	struct results results;
	char host[32];

	(void)state;
	results_init(&results, seed);
	results_begin(&results, "2026-11-27");
	for (int i = 0; i < 100; i++) {
		snprintf(host, sizeof(host), "mx%d.far.example", i);
		add(&results, IPC_POLICY_KIND_STS, IPC_TLS_CERTIFICATE_EXPIRED, host, "");
	}
	assert_int_equal(results.policies[0]->failed, 100);
	assert_int_equal(results.policies[0]->failure_count, RESULTS_FAILURES_MAX);
	results_fini(&results);
}

static void
damaged_files_are_refused(void **state)
{
	static const struct span files[] = {
	    SPAN(""),
	    SPAN("postrider tls results 2 2026-11-27\n"),
	    SPAN("postrider tls results 1 2026-11-2x\n"),
	    SPAN("postrider tls results 1 2026-11-27\nfailure certificate-expired 1 - - x\n"),
	    SPAN("postrider tls results 1 2026-11-27\npolicy other far.example 1 1\n"),
	    SPAN("postrider tls results 1 2026-11-27\npolicy sts far.example 1 x\n"),
	    SPAN("postrider tls results 1 2026-11-27\npolicy sts far.example 1 1\nfailure "
		 "success 1 - - x\n"),
	};
	struct results results;

	(void)state;
	results_init(&results, seed);
	for (size_t i = 0; i < LEN(files); i++) {
		assert_int_equal(results_read(&results, files[i]), ERR_SYNTAX);
		assert_int_equal(results.count, 0);
	}
	results_fini(&results);
}

static void
days_have_files(void **state)
{
	char day[RESULTS_DAY_BYTES], name[RESULTS_NAME_BYTES];

	(void)state;
	results_day(UINT64_C(1795780800000) - 1, day);
	assert_string_equal(day, "2026-11-27");
	results_file_name(day, name);
	assert_string_equal(name, "results-2026-11-27");
	assert_true(results_file_day(name, day));
	assert_false(results_file_day("results-x", day));
	assert_false(results_file_day("far.example.policy", day));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_are_counted_and_kept),
	    cmocka_unit_test(kinds_of_failure_have_a_bound),
	    cmocka_unit_test(damaged_files_are_refused),
	    cmocka_unit_test(days_have_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
