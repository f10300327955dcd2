/* Numbers of suppressed addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/suppressed.h"

static void
case_makes_no_difference_all_else_does(void **state)
{
	uint64_t hash = ipc_suppressed_hash(SPAN("home.example"), SPAN("ann@far.example"));

	(void)state;
	assert_true(hash == ipc_suppressed_hash(SPAN("HOME.example"), SPAN("Ann@FAR.example")));
	assert_true(hash != ipc_suppressed_hash(SPAN("*"), SPAN("ann@far.example")));
	assert_true(hash != ipc_suppressed_hash(SPAN("home.example"), SPAN("bob@far.example")));
	assert_true(hash != ipc_suppressed_hash(SPAN("home.exampl"), SPAN("eann@far.example")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(case_makes_no_difference_all_else_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
