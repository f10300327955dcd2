/*
 * Operations by chance, many of them, given to the scheduler and to a slow model of it; they are
 * compared after each.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sched/test_model_run.h"

enum { RUNS = 25, BYTES = 12000 };

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
it_does_as_the_model_does(void **state)
{
	static char bytes[BYTES];
	uint64_t seed = 88172645463325252, takes = 0, expired = 0;
	uint64_t site_takes = 0, site_waits = 0, full_waits = 0, probe_turns = 0;
	uint64_t light_firsts = 0, yields = 0;
	struct model model;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		for (size_t i = 0; i < BYTES; i++)
			bytes[i] = (char)(chance(&seed) >> 32);
		model_run(&model, span_of(bytes, BYTES));
		takes += model.takes;
		expired += model.expired;
		site_takes += model.site_takes;
		site_waits += model.site_waits;
		full_waits += model.full_waits;
		probe_turns += model.probe_turns;
		light_firsts += model.light_firsts;
		yields += model.yields;
	}
	/* The runs went where they were meant to go. */
	assert_true(takes > RUNS * 100);
	assert_true(expired > RUNS);
	assert_true(site_takes > RUNS * 30 && site_waits > RUNS * 100);
	assert_true(full_waits > RUNS * 100 && probe_turns > RUNS * 10);
	assert_true(light_firsts > RUNS * 20 && yields > RUNS * 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_does_as_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
