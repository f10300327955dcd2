/* Batches on disks of several kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "spool/spool_overlap.h"

/* Feeds count batches; gives how many of them went beside others. */
static unsigned
run(struct spool_overlap *overlap, unsigned count, uint64_t alone_us, uint64_t beside_us)
{
	unsigned beside = 0;

	for (unsigned i = 0; i < count; i++) {
		if (spool_overlap_wait_ms(overlap)) {
			spool_overlap_beside(overlap, beside_us);
			beside++;
		} else {
			spool_overlap_alone(overlap, alone_us);
		}
	}
	return beside;
}

static void
quick_syncs_go_alone(void **state)
{
	struct spool_overlap overlap;

	(void)state;
	spool_overlap_init(&overlap);
	assert_int_equal(run(&overlap, 10000, 600, 700), 0);
}

static void
slow_syncs_that_run_side_by_side_overlap(void **state)
{
	struct spool_overlap overlap;

	(void)state;
	spool_overlap_init(&overlap);
	assert_true(run(&overlap, 10000, 6000, 6500) > 9500);
	assert_in_range(spool_overlap_wait_ms(&overlap), 1, 2);
}

static void
where_one_comes_after_the_other_there_is_no_use(void **state)
{
	struct spool_overlap overlap;

	(void)state;
	spool_overlap_init(&overlap);
	assert_true(run(&overlap, 10000, 6000, 14000) < 1000);
}

static void
a_disk_that_changes_is_noticed(void **state)
{
	struct spool_overlap overlap;

	(void)state;
	spool_overlap_init(&overlap);
	assert_int_equal(run(&overlap, 1000, 600, 700), 0);
	assert_true(run(&overlap, 2000, 8000, 8500) > 1000);
	(void)run(&overlap, 6000, 600, 700);
	assert_int_equal(run(&overlap, 1000, 600, 700), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quick_syncs_go_alone),
	    cmocka_unit_test(slow_syncs_that_run_side_by_side_overlap),
	    cmocka_unit_test(where_one_comes_after_the_other_there_is_no_use),
	    cmocka_unit_test(a_disk_that_changes_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
