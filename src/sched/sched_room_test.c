/*
 * Who may start an attempt while there are only so many for all: neither slow destinations with
 * many attempts each, nor very many with one each, keep others waiting.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "sched/test_sched.h"

enum { ATTEMPTS = 180, SPARE = 20, NEWSLETTER = 1, LETTERS = 100, LIGHT_MAX = 1 };

static void
init(struct test_sched *test, uint32_t concurrency)
{
	test_sched_init_light(test, LIGHT_MAX);
	test->limits.concurrency_start = test->limits.concurrency_max = concurrency;
	test->site_limits.concurrency_start = test->site_limits.concurrency_max = concurrency;
	sched_room(test->sched, 0, ATTEMPTS, SPARE);
}

/* Messages, each for so many destinations, of one sender, or from LETTERS on of one each. */
static void
fill(struct test_sched *test, const char *name, int destinations, int each, uint32_t sender)
{
	for (int i = 0; i < destinations; i++) {
		char key[40];

		snprintf(key, sizeof(key), "%s%d", name, i);
		for (int k = 0; k < each; k++)
			test_sched_add(test, key,
			    sender >= LETTERS ? sender + (uint32_t)(i * each + k) : sender);
	}
}

/* Whose letter it is that a name begins like this. */
static bool
is_for(const struct test_sched *test, uint32_t rcpt, const char *name)
{
	struct sched_destination to;

	sched_destination_get(test->sched, test_sched_rcpt(test, rcpt).destination, &to);
	return span_starts(to.key, span_str(name));
}

static unsigned
count_for(const struct test_sched *test, const uint32_t *under_way, const char *name)
{
	unsigned count = 0;

	for (; *under_way != SCHED_NONE; under_way++)
		count += is_for(test, *under_way, name);
	return count;
}

/* Starts all that may start; gives how many. */
static unsigned
start(struct test_sched *test, uint32_t *under_way)
{
	unsigned count = 0;

	while ((under_way[count] = test_sched_take(test)) != SCHED_NONE)
		count++;
	return count;
}

static void
end(struct test_sched *test, const uint32_t *under_way, unsigned count)
{
	while (count > 0)
		test_sched_over(test, under_way[--count], SCHED_UNTRIED, true);
}

static void
who_has_nothing_under_way_goes_first(void **state)
{
	struct test_sched test;
	uint32_t first, second, third, fresh, site;

	(void)state;
	init(&test, 20);
	fill(&test, "busy", 1, 5, NEWSLETTER);
	first = test_sched_take(&test);
	second = test_sched_take(&test);
	fresh = test_sched_add(&test, "fresh", 2);
	site = test_sched_add(&test, "a@site", 3);
	assert_int_equal(test_sched_take(&test), fresh);
	assert_int_equal(test_sched_take(&test), site);
	third = test_sched_take(&test);
	assert_true(is_for(&test, third, "busy"));
	end(&test, (const uint32_t[]){first, second, third, fresh, site}, 5);
	test_sched_fini(&test);
}

/* However many slow ones there are, and whoever's mail it is. */
static void
slow_destinations_leave_room_for_others(void **state)
{
	static const uint32_t senders[] = {NEWSLETTER, LETTERS};
	uint32_t slow[ATTEMPTS + 1], fresh[ATTEMPTS + 1];
	struct test_sched test;

	(void)state;
	for (size_t i = 0; i < LEN(senders); i++) {
		unsigned count;

		init(&test, 20);
		fill(&test, "slow", 50, 30, senders[i]);
		count = start(&test, slow);
		assert_int_equal(count, ATTEMPTS - SPARE);
		fill(&test, "fresh", 1, 1, LETTERS + 10000);
		fill(&test, "a@site", 1, 1, LETTERS + 10001);
		assert_int_equal(start(&test, fresh), 2);
		end(&test, fresh, 2);
		/* One that is in no hurry gets some of it too, and leaves some to letters. */
		fill(&test, "other", SPARE, 1, NEWSLETTER);
		assert_int_equal(start(&test, fresh), SPARE / 2);
		assert_true(is_for(&test, fresh[0], "other"));
		end(&test, fresh, SPARE / 2);
		end(&test, slow, count);
		test_sched_fini(&test);
	}
}

/* What becomes free goes to who has least, up to what each would have in equal parts. */
static void
who_has_less_than_its_part_catches_up(void **state)
{
	uint32_t slow[ATTEMPTS + 1], quick[ATTEMPTS + 1];
	struct test_sched test;
	unsigned count, had = 0;

	(void)state;
	init(&test, 40);
	fill(&test, "slow", 8, 60, NEWSLETTER);
	count = start(&test, slow);
	assert_int_equal(count, ATTEMPTS - SPARE);
	fill(&test, "quick", 1, 100, NEWSLETTER);
	had = start(&test, quick);
	assert_int_equal(had, SPARE / 2);
	/* Of nine each would have 20. */
	for (unsigned i = 0; i < 100; i++) {
		test_sched_over(&test, slow[--count], SCHED_UNTRIED, true);
		had += start(&test, quick + had);
	}
	had = count_for(&test, quick, "quick");
	assert_in_range(had, 15, 31);
	while (count > 0)
		test_sched_over(&test, slow[--count], SCHED_UNTRIED, true);
	for (uint32_t at = 0; quick[at] != SCHED_NONE; at++)
		test_sched_over(&test, quick[at], SCHED_UNTRIED, true);
	test_sched_fini(&test);
}

/*
 * Very many destinations with one message each, and no attempt there ends: who has something under
 * way goes on, and so does other mail for who has nothing.
 */
static void
very_many_destinations_starve_nobody(void **state)
{
	static const uint32_t senders[] = {NEWSLETTER, LETTERS};
	uint32_t dead[ATTEMPTS + 1], under_way[ATTEMPTS + 1], busy;
	struct test_sched test;

	(void)state;
	for (size_t i = 0; i < LEN(senders); i++) {
		unsigned count;

		init(&test, 100);
		fill(&test, "busy", 1, 300, NEWSLETTER + 1);
		busy = test_sched_take(&test);
		assert_int_equal(busy, 0);
		fill(&test, "dead", 5000, 1, senders[i]);
		count = start(&test, dead);
		/* Letters have what others may have, too. */
		assert_in_range(count_for(&test, dead, "dead"), ATTEMPTS - 2 * SPARE,
		    senders[i] == LETTERS ? ATTEMPTS - SPARE - 1 : ATTEMPTS - 2 * SPARE + 1);
		assert_in_range(count, ATTEMPTS - SPARE - 1, ATTEMPTS);
		/* Whoever has not had its turn with the dead ones. */
		fill(&test, "other", 30, 1, senders[i] == LETTERS ? NEWSLETTER : LETTERS + 9000);
		test_sched_over(&test, busy, SCHED_UNTRIED, true);
		start(&test, under_way);
		assert_true(count_for(&test, under_way, "busy") >= 1);
		if (senders[i] == NEWSLETTER)
			assert_in_range(count_for(&test, under_way, "other"), SPARE - 2, SPARE);
		while (count > 0)
			test_sched_over(&test, dead[--count], SCHED_UNTRIED, true);
		for (count = 0; under_way[count] != SCHED_NONE; count++)
			test_sched_over(&test, under_way[count], SCHED_UNTRIED, true);
		test_sched_fini(&test);
	}
}

/* Those who are down are probed all the same, while ever more come that have nothing under way. */
static void
who_is_down_is_probed_among_many(void **state)
{
	struct test_sched test;
	unsigned turns = 0;
	uint32_t first;

	(void)state;
	init(&test, 1);
	first = test_sched_add(&test, "down", LETTERS - 1);
	assert_int_equal(test_sched_take(&test), first);
	fail_to_reach(&test, first);
	fill(&test, "fresh", 100, 1, LETTERS);
	test_sched_pass(&test, test.limits.down_ms_min);
	while (test_sched_rcpt(&test, first).state != SCHED_ACTIVE) {
		uint32_t rcpt = test_sched_take(&test);

		if (rcpt != first)
			test_sched_over(&test, rcpt, SCHED_SERVED, true);
		turns++;
	}
	assert_in_range(turns, 2, 8);
	test_sched_over(&test, first, SCHED_SERVED, true);
	test_sched_fini(&test);
}

static void
it_says_that_all_attempts_are_taken(void **state)
{
	uint32_t slow[ATTEMPTS + 1], waits, fresh;
	struct sched_destination known;
	struct test_sched test;
	unsigned count;

	(void)state;
	init(&test, 200);
	fill(&test, "slow", 2, 200, NEWSLETTER);
	waits = test_sched_add(&test, "slow0", NEWSLETTER);
	assert_int_equal(test_sched_why(&test, waits).reason, SCHED_WHY_TURN);
	count = start(&test, slow);
	assert_int_equal(test_sched_why(&test, waits).reason, SCHED_WHY_FULL);
	sched_destination_get(
	    test.sched, test_sched_rcpt(&test, waits).destination, &known);
	assert_true(known.full);
	/* What is kept free is not for it, but for this one. */
	fresh = test_sched_add(&test, "fresh", 2);
	assert_int_equal(test_sched_why(&test, fresh).reason, SCHED_WHY_TURN);
	sched_room(test.sched, 0, 0, SPARE);
	assert_int_equal(test_sched_why(&test, fresh).reason, SCHED_WHY_FULL);
	end(&test, slow, count);
	assert_int_equal(test_sched_why(&test, waits).reason, SCHED_WHY_TURN);
	/* Where there is nobody to make one, that is no matter of others. */
	sched_room(test.sched, 0, 0, 0);
	assert_int_equal(test_sched_why(&test, waits).reason, SCHED_WHY_TURN);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_has_nothing_under_way_goes_first),
	    cmocka_unit_test(slow_destinations_leave_room_for_others),
	    cmocka_unit_test(who_has_less_than_its_part_catches_up),
	    cmocka_unit_test(very_many_destinations_starve_nobody),
	    cmocka_unit_test(who_is_down_is_probed_among_many),
	    cmocka_unit_test(it_says_that_all_attempts_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
