/* Attempts that yield their places to others, and destinations at the end of a long line. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/test_sched.h"

static void
set_yields(struct test_sched *test, uint32_t rcpt, bool yields)
{
	sched_attempt_yields(test->sched, test_sched_rcpt(test, rcpt).destination, yields);
}

/* Who yields counts for no window, neither its destination's nor its site's. */
static void
who_yields_lets_another_start(void **state)
{
	struct test_sched test;
	uint32_t at[4];

	(void)state;
	test_sched_init(&test);
	test.limits.concurrency_start = test.limits.concurrency_max = 1;
	test.site_limits.concurrency_start = test.site_limits.concurrency_max = 1;
	for (size_t i = 0; i < LEN(at); i++)
		at[i] = test_sched_add(&test, i < 3 ? "a@p" : "b@p", 1);
	assert_int_equal(test_sched_take(&test), at[0]);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	set_yields(&test, at[0], true);
	assert_int_equal(test_sched_destination(&test, at[0]).active, 0);
	/* The site's other destination has its turn. */
	assert_int_equal(test_sched_take(&test), at[3]);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	set_yields(&test, at[3], true);
	assert_int_equal(test_sched_take(&test), at[1]);
	assert_int_equal(test_sched_why(&test, at[2]).reason, SCHED_WHY_WINDOW);
	/* It counts again before it is over, and then is gone. */
	set_yields(&test, at[0], false);
	assert_int_equal(test_sched_destination(&test, at[0]).active, 2);
	test_sched_over(&test, at[0], SCHED_SERVED, true);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	set_yields(&test, at[3], false);
	test_sched_over(&test, at[3], SCHED_SERVED, true);
	test_sched_over(&test, at[1], SCHED_SERVED, true);
	assert_int_equal(test_sched_take(&test), at[2]);
	test_sched_over(&test, at[2], SCHED_SERVED, true);
	assert_int_equal(sched_site_count(test.sched), 0);
	test_sched_fini(&test);
}

/* A site that is learned meanwhile counts what its destination has in the window. */
static void
who_yields_moves_with_its_destination(void **state)
{
	struct test_sched test;
	struct sched_site site;
	uint32_t at[3];

	(void)state;
	test_sched_init(&test);
	test.sites_unknown = true;
	for (size_t i = 0; i < LEN(at); i++)
		at[i] = test_sched_add(&test, "a@p", 1);
	assert_int_equal(test_sched_take(&test), at[0]);
	assert_int_equal(test_sched_take(&test), at[1]);
	set_yields(&test, at[1], true);
	test.sites_unknown = false;
	sched_reload(test.sched);
	sched_site_get(test.sched, sched_site_find(test.sched, 0, SPAN("p")), &site);
	assert_int_equal(site.active, 1);
	set_yields(&test, at[1], false);
	sched_site_get(test.sched, sched_site_find(test.sched, 0, SPAN("p")), &site);
	assert_int_equal(site.active, 2);
	for (size_t i = 0; i < 2; i++)
		test_sched_over(&test, at[i], SCHED_SERVED, true);
	test_sched_fini(&test);
}

/* The window opens further where the line is long, and no further than before where it is not. */
static void
a_long_line_has_a_wider_window(void **state)
{
	struct test_sched test;
	uint32_t first = 0;

	(void)state;
	test_sched_init(&test);
	test.limits.concurrency_start = 1;
	test.limits.concurrency_max = 2;
	test.limits.concurrency_far_max = 4;
	for (size_t i = 0; i < 20; i++)
		first = test_sched_add(&test, "a", 1);
	for (size_t i = 0; i < 5; i++)
		test_sched_over(&test, test_sched_take(&test), SCHED_SERVED, true);
	assert_int_equal(test_sched_destination(&test, first).window, 2);
	sched_destination_far(test.sched, test_sched_rcpt(&test, first).destination, true);
	for (size_t i = 0; i < 5; i++)
		test_sched_over(&test, test_sched_take(&test), SCHED_SERVED, true);
	assert_int_equal(test_sched_destination(&test, first).window, 4);
	assert_int_equal(test_sched_destination(&test, first).window_max, 4);
	sched_destination_far(test.sched, test_sched_rcpt(&test, first).destination, false);
	assert_int_equal(test_sched_destination(&test, first).window, 2);
	/* Where nothing is said of it, a long line is as any other. */
	test.limits.concurrency_far_max = 0;
	sched_reload(test.sched);
	sched_destination_far(test.sched, test_sched_rcpt(&test, first).destination, true);
	assert_int_equal(test_sched_destination(&test, first).window_max, 2);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_yields_lets_another_start),
	    cmocka_unit_test(who_yields_moves_with_its_destination),
	    cmocka_unit_test(a_long_line_has_a_wider_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
