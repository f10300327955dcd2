/*
 * Segments: they are used again and given back, and what stays in old ones moves forward.
 */
#include "spool/spool_fixture.h"

enum { MB = 1 << 20 };

static void
segments_are_used_again(void **state)
{
	struct spool_numbers numbers;
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	for (uint64_t round = 0; round < 60; round++) {
		put_many(&world, round * 100 + 1, 100, 4096);
		for (uint64_t id = round * 100 + 1; id <= round * 100 + 100; id++)
			spool_remove(world.spool, NULL, id, SPAN(""));
		if (round % 20 == 19) {
			world_reopen(&world);
			assert_int_equal(world.seen_count, 0);
			assert_int_equal(world.damage_count, 0);
		}
	}
	spool_numbers(world.spool, &numbers);
	assert_int_equal(numbers.messages, 0);
	assert_int_equal(numbers.live_bytes, 0);
	/* 24 MB went through. */
	assert_in_range(numbers.segments, 2, 8);
	world_fini(&world);
}

static void
peaks_are_given_back(void **state)
{
	struct spool_numbers peak, after;
	struct world world;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	put_many(&world, 1, 6000, 4096);
	spool_numbers(world.spool, &peak);
	assert_in_range(peak.segments, 24, 32);
	for (uint64_t id = 1; id <= 6000; id++)
		spool_remove(world.spool, NULL, id, SPAN(""));
	for (uint64_t round = 1; round < 20; round++) {
		put_many(&world, round * 10000, 100, 4096);
		for (uint64_t i = 0; i < 100; i++)
			spool_remove(world.spool, NULL, round * 10000 + i, SPAN(""));
		assert_int_equal(flush(&world), OK);
	}
	spool_numbers(world.spool, &after);
	assert_in_range(after.segments, 2, 9);
	world_reopen(&world);
	assert_int_equal(world.seen_count, 0);
	assert_int_equal(world.damage_count, 0);
	world_fini(&world);
}

/*
 * Some messages stay while hundreds of megabytes go by: they are copied forward
 * with their marks, and the log stays short.
 */
static void
what_stays_moves_forward_with_its_marks(void **state)
{
	struct spool_numbers numbers;
	struct world world;
	char expected[64];

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	put_many(&world, 1, 40, 3000);
	assert_int_equal(put(&world, 41, 2 * MB), OK);
	for (uint64_t round = 1; round <= 60; round++) {
		uint64_t first = round * 1000;

		if (round % 20 == 5)
			for (uint64_t id = 1; id <= 41; id += 2) {
				char text[16];

				(void)snprintf(text, sizeof(text), "m%d", (int)round);
				spool_mark(world.spool, NULL, id, span_str(text));
			}
		put_many(&world, first, 100, 4000);
		for (uint64_t i = 0; i < 100; i++)
			spool_remove(world.spool, NULL, first + i, SPAN(""));
		if (round == 30)
			world_reopen(&world);
	}
	spool_numbers(world.spool, &numbers);
	assert_int_equal(numbers.messages, 41);
	assert_in_range(numbers.segments, 3, 14);
	for (int round = 0; round < 2; round++) {
		for (uint64_t id = 1; id <= 40; id++)
			assert_int_equal(read_body(&world, id, 3000, 1000), OK);
		assert_int_equal(read_body(&world, 41, 2 * MB, 65536), OK);
		world_reopen(&world);
		assert_int_equal(world.seen_count, 41);
		assert_int_equal(world.damage_count, 0);
	}
	(void)snprintf(expected, sizeof(expected), "m5;m25;m45;");
	for (uint64_t id = 1; id <= 41; id++) {
		assert_non_null(seen(&world, id));
		assert_true(seen(&world, id)->envelope_right);
		assert_string_equal(seen(&world, id)->marks, id % 2 ? expected : "");
	}
	world_fini(&world);
}

/* Marks and removals hit messages while they are being moved. */
static void
marks_and_moves_may_cross(void **state)
{
	struct world world;
	char marks[41][SEEN_MARKS] = {{0}};
	uint64_t turn = 0;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	put_many(&world, 1, 40, 3000);
	for (uint64_t first = 1000; first < 7000; first += 20) {
		char text[16];
		uint64_t id = turn++ % 40 + 1;

		(void)snprintf(text, sizeof(text), "%d", (int)(turn % 10));
		put_many(&world, first, 20, 4000);
		for (uint64_t i = 0; i < 20; i++)
			spool_remove(world.spool, NULL, first + i, SPAN(""));
		for (; id <= 40; id += 3) {
			size_t used = strlen(marks[id]);

			if (used + 8 > SEEN_MARKS)
				continue;
			spool_mark(world.spool, NULL, id, span_str(text));
			(void)snprintf(marks[id] + used, SEEN_MARKS - used, "%s;", text);
		}
	}
	world_reopen(&world);
	assert_int_equal(world.seen_count, 40);
	for (uint64_t id = 1; id <= 40; id++)
		assert_string_equal(seen(&world, id)->marks, marks[id]);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(segments_are_used_again),
	    cmocka_unit_test(peaks_are_given_back),
	    cmocka_unit_test(what_stays_moves_forward_with_its_marks),
	    cmocka_unit_test(marks_and_moves_may_cross),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
