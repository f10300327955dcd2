/* The latest are kept, within a number and within bytes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/queue/transcripts.h"

static void
keep(struct transcripts *transcripts, uint64_t id, const char *steps, size_t count_max,
    size_t bytes_max)
{
	const struct transcript_kept given = {.id = id,
	    .took_ms = id * 10,
	    .destination = SPAN("mx:far.example"),
	    .steps = span_str(steps)};

	transcripts_keep(transcripts, &given, count_max, bytes_max);
}

static const struct transcript_kept *
first(const struct transcripts *transcripts)
{
	return container_of(transcripts->kept.next, struct transcript_kept, node);
}

static void
the_latest_of_a_number_are_kept(void **state)
{
	struct transcripts transcripts;

	(void)state;
	transcripts_init(&transcripts);
	for (uint64_t id = 1; id <= 10; id++)
		keep(&transcripts, id, "steps", 3, 1 << 20);
	assert_int_equal(transcripts.count, 3);
	assert_int_equal(first(&transcripts)->id, 8);
	assert_int_equal(first(&transcripts)->took_ms, 80);
	assert_true(span_eq(first(&transcripts)->destination, SPAN("mx:far.example")));
	assert_true(span_eq(first(&transcripts)->steps, SPAN("steps")));
	/* A lower limit holds from the next on; none is none. */
	keep(&transcripts, 11, "", 1, 1 << 20);
	assert_int_equal(first(&transcripts)->id, 11);
	keep(&transcripts, 12, "", 0, 1 << 20);
	assert_int_equal(transcripts.count, 0);
	assert_int_equal(transcripts.bytes, 0);
	transcripts_fini(&transcripts);
}

static void
no_more_bytes_are_kept_than_allowed(void **state)
{
	char steps[1001];
	struct transcripts transcripts;

	(void)state;
	memset(steps, 'x', 1000);
	steps[1000] = '\0';
	transcripts_init(&transcripts);
	for (uint64_t id = 1; id <= 20; id++) {
		keep(&transcripts, id, steps, 100, 5000);
		assert_true(transcripts.bytes <= 5000);
	}
	assert_true(transcripts.count >= 3 && transcripts.count <= 4);
	/* One that is too large by itself is not kept. */
	keep(&transcripts, 21, steps, 100, 900);
	assert_int_equal(transcripts.count, 0);
	transcripts_fini(&transcripts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_latest_of_a_number_are_kept),
	    cmocka_unit_test(no_more_bytes_are_kept_than_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
