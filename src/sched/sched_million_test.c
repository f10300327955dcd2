/*
 * A million recipients: what they cost in memory, how long each operation takes (printed, not
 * judged: machines differ), and that whoever has little to send need not wait for who has much.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include "sched/test_sched.h"

enum {
	MILLION = 1000000,
	BYTES_AIM = 100,
	BYTES_MAX = 150,
	RATE = 2000, /* recipients served in a second, in simulated time */
	SERVICE_MS = 5,
	LIGHT_MAX = 50,
};

static size_t
bytes_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
say_time(const char *what, double since)
{
	printf("# %s: %.0f ns\n", what, (seconds() - since) / MILLION * 1e9);
}

static void
say_bytes(const char *what, size_t before, size_t max)
{
	size_t bytes = bytes_used() - before;

	printf("# %s: %.1f bytes a recipient\n", what, (double)bytes / MILLION);
	assert_true(bytes < max * MILLION);
}

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Messages of one recipient each, to so many destinations from so many senders. */
static void
fill(struct test_sched *test, unsigned destinations, unsigned senders)
{
	uint64_t seed = 88172645463325252;

	for (int i = 0; i < MILLION; i++) {
		char key[40];

		snprintf(key, sizeof(key), "mx:host%u.example",
		    (unsigned)(chance(&seed) % destinations));
		test_sched_add(test, key, (uint32_t)(chance(&seed) % senders));
	}
}

/* Everything that a recipient costs: its message, table, line or wheel, and its reply. */
static void
a_recipient_costs_a_hundred_bytes(void **state)
{
	struct test_sched test;
	uint64_t seed = 88172645463325252;
	size_t before = bytes_used();
	double since;

	(void)state;
	test_sched_init_light(&test, LIGHT_MAX);
	test.limits.concurrency_start = test.limits.concurrency_max = 10000;
	since = seconds();
	fill(&test, 1000, 10);
	say_time("add and make ready", since);
	say_bytes("ready", before, BYTES_AIM);
	since = seconds();
	for (int i = 0; i < MILLION; i++) {
		uint32_t rcpt = test_sched_take(&test);
		struct sched_rcpt known = test_sched_rcpt(&test, rcpt);

		known.tries = 1;
		sched_rcpt_note(test.sched, rcpt, &known);
		sched_rcpt_reply(test.sched, rcpt,
		    sched_reply_keep(test.sched,
		        &(struct sched_reply){.code = 450, .text = SPAN("try again")}));
		sched_rcpt_wait(test.sched, rcpt,
		    test.now_wall_ms + 1 + chance(&seed) % (6 * 3600000));
		sched_attempt_over(
		    test.sched, known.destination, SCHED_SERVED, 0, test.now_ms);
	}
	say_time("take, defer", since);
	say_bytes("waiting", before, BYTES_AIM);
	since = seconds();
	for (int hour = 0; hour < 6; hour++)
		for (int second = 0; second < 3600; second++)
			test_sched_pass(&test, 1000);
	say_time("six hours of the wheel, back to ready", since);
	since = seconds();
	for (int i = 0; i < MILLION; i++)
		test_sched_over(&test, test_sched_take(&test), SCHED_SERVED, true);
	say_time("take, end, remove", since);
	assert_int_equal(sched_message_count(test.sched), 0);
	/* Memory comes back. */
	assert_true(bytes_used() - before < 2 * MILLION);
	test_sched_fini(&test);
}

/* At worst each has a sender of its own, and a lane for it. */
static void
a_million_senders_cost_no_more_than_the_bound(void **state)
{
	struct test_sched test;
	size_t before = bytes_used();

	(void)state;
	test_sched_init_light(&test, LIGHT_MAX);
	fill(&test, 1000, UINT32_MAX);
	say_bytes("ready, a sender each", before, BYTES_MAX);
	test_sched_fini(&test);
}

static void
looking_one_up_takes_no_time(void **state)
{
	struct test_sched test;
	uint64_t seed = 88172645463325252;
	struct sched_why why = {0};
	unsigned budget = 2 * MILLION;
	double since;

	(void)state;
	test_sched_init_light(&test, LIGHT_MAX);
	fill(&test, 1000, 1);
	since = seconds();
	for (int i = 0; i < MILLION; i++) {
		uint32_t at = sched_message_find(test.sched, 1 + chance(&seed) % MILLION);

		sched_why(test.sched, sched_rcpt_find(test.sched, at, 0), &why);
	}
	say_time("find by id, and say why it waits", since);
	assert_int_equal(why.reason, SCHED_WHY_TURN);
	since = seconds();
	assert_int_equal(sched_expired(test.sched, &budget), SCHED_NONE);
	printf("# a sweep over all: %.1f ms\n", (seconds() - since) * 500);
	since = seconds();
	for (uint32_t at = sched_message_first(test.sched); at != SCHED_NONE;
	     at = sched_message_next(test.sched, at))
		sched_message_flags(test.sched, at, SCHED_HELD, 0);
	say_time("hold", since);
	test_sched_fini(&test);
}

/*
 * Serves RATE recipients a second, each for SERVICE_MS, until this one is done; gives the
 * milliseconds until then.
 */
static uint64_t
serve_until(struct test_sched *test, uint32_t wanted)
{
	enum { SLOTS = RATE * SERVICE_MS / 1000 };
	uint32_t under_way[SLOTS + 1];
	uint64_t began_ms = test->now_ms;

	for (;;) {
		size_t count = 0;
		bool done = false;

		while (count < SLOTS &&
		    (under_way[count] = test_sched_take(test)) != SCHED_NONE)
			count++;
		test_sched_pass(test, SERVICE_MS);
		while (count > 0) {
			done |= under_way[--count] == wanted;
			test_sched_over(test, under_way[count], SCHED_SERVED, true);
		}
		if (done)
			return test->now_ms - began_ms;
		assert_true(test->now_ms - began_ms < 1000000);
	}
}

/* The queue has been busy with the newsletter for a while when the letter comes. */
static void
a_letter_does_not_wait_for_a_newsletter(void **state)
{
	struct test_sched test;
	uint32_t other_destination, other_sender, next;

	(void)state;
	test_sched_init_light(&test, LIGHT_MAX);
	for (int i = 0; i < MILLION; i++)
		next = test_sched_add(&test, "mx:big.example", 1);
	serve_until(&test, sched_rcpt_find(test.sched, sched_message_find(test.sched, 5000), 0));
	other_destination = test_sched_add(&test, "mx:small.example", 1);
	assert_in_range(serve_until(&test, other_destination), 0, 1000);
	other_sender = test_sched_add(&test, "mx:big.example", 2);
	assert_int_equal(test_sched_why(&test, other_sender).ahead, 0);
	assert_in_range(serve_until(&test, other_sender), 0, 1000);
	/* And one that has been deferred is not starved by what is fresh. */
	other_sender = test_sched_add(&test, "mx:big.example", 2);
	test_sched_defer(&test, other_sender, 1);
	assert_in_range(serve_until(&test, other_sender), 0, 1000);
	(void)next;
	test_sched_fini(&test);
}

/* A newsletter to very many destinations, many of which do not answer. */
static void
a_letter_does_not_wait_for_a_newsletter_to_everybody(void **state)
{
	struct test_sched test;
	uint32_t letter;

	(void)state;
	test_sched_init_light(&test, LIGHT_MAX);
	fill(&test, 200000, 1);
	letter = test_sched_add(&test, "mx:small.example", 2);
	assert_in_range(serve_until(&test, letter), 0, 1000);
	letter = test_sched_add(&test, "mx:host7.example", 3);
	assert_in_range(serve_until(&test, letter), 0, 1000);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_recipient_costs_a_hundred_bytes),
	    cmocka_unit_test(a_million_senders_cost_no_more_than_the_bound),
	    cmocka_unit_test(looking_one_up_takes_no_time),
	    cmocka_unit_test(a_letter_does_not_wait_for_a_newsletter),
	    cmocka_unit_test(a_letter_does_not_wait_for_a_newsletter_to_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
