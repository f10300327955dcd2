/*
 * Sites: destinations that share a window, a rate and a pause, and take turns in what they have;
 * what that costs where there are very many of them.
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

static struct sched_site
site_named(const struct test_sched *test, const char *name)
{
	uint32_t at = sched_site_find(test->sched, 0, span_str(name));
	struct sched_site site;

	assert_int_not_equal(at, SCHED_NONE);
	sched_site_get(test->sched, at, &site);
	return site;
}

static void
all_of_a_site_share_its_window(void **state)
{
	struct test_sched test;
	uint32_t a[2], b, c, other;

	(void)state;
	test_sched_init(&test);
	a[0] = test_sched_add(&test, "a@p", 1);
	a[1] = test_sched_add(&test, "a@p", 1);
	b = test_sched_add(&test, "b@p", 1);
	c = test_sched_add(&test, "c@p", 1);
	other = test_sched_add(&test, "x@q", 1);
	assert_int_equal(test_sched_take(&test), a[0]);
	assert_int_equal(test_sched_take(&test), other);
	assert_int_equal(test_sched_take(&test), b);
	/* Each of them has room; all together have not. */
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(test_sched_why(&test, c).reason, SCHED_WHY_SITE);
	assert_int_equal(test_sched_why(&test, a[1]).reason, SCHED_WHY_SITE);
	assert_int_equal(site_named(&test, "p").active, 2);
	assert_int_equal(site_named(&test, "p").destination_count, 3);
	/* It opens with success: two more may go, and those who had no turn are first. */
	test_sched_over(&test, b, SCHED_SERVED, true);
	assert_int_equal(site_named(&test, "p").window, 3);
	assert_int_equal(test_sched_take(&test), c);
	assert_int_equal(test_sched_take(&test), a[1]);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, a[0], SCHED_SERVED, true);
	test_sched_over(&test, a[1], SCHED_SERVED, true);
	test_sched_over(&test, c, SCHED_SERVED, true);
	test_sched_over(&test, other, SCHED_SERVED, true);
	assert_int_equal(sched_site_count(test.sched), 0);
	test_sched_fini(&test);
}

/* One with many messages has no more turns than one with few. */
static void
destinations_of_a_site_take_turns(void **state)
{
	struct test_sched test;
	uint32_t many[6], few[2], one;

	(void)state;
	test_sched_init(&test);
	test.site_limits.concurrency_start = test.site_limits.concurrency_max = 1;
	for (size_t i = 0; i < LEN(many); i++)
		many[i] = test_sched_add(&test, "a@p", 1);
	for (size_t i = 0; i < LEN(few); i++)
		few[i] = test_sched_add(&test, "b@p", 1);
	one = test_sched_add(&test, "c@p", 1);
	serve(&test, many[0]);
	serve(&test, few[0]);
	serve(&test, one);
	serve(&test, many[1]);
	serve(&test, few[1]);
	for (size_t i = 2; i < LEN(many); i++)
		serve(&test, many[i]);
	test_sched_fini(&test);
}

/* However many domains a provider has, it is one of those who take turns. */
static void
a_site_takes_turns_as_one_destination(void **state)
{
	struct test_sched test;
	uint32_t at[3], other[3];

	(void)state;
	test_sched_init(&test);
	at[0] = test_sched_add(&test, "a@p", 1);
	at[1] = test_sched_add(&test, "b@p", 1);
	at[2] = test_sched_add(&test, "c@p", 1);
	for (size_t i = 0; i < LEN(other); i++)
		other[i] = test_sched_add(&test, "x", 1);
	for (size_t i = 0; i < LEN(at); i++) {
		serve(&test, at[i]);
		serve(&test, other[i]);
	}
	test_sched_fini(&test);
}

static void
light_mail_goes_first_in_a_site_too(void **state)
{
	struct test_sched test;
	uint32_t heavy[6], letters[3];

	(void)state;
	test_sched_init_light(&test, 1);
	test.site_limits.concurrency_start = test.site_limits.concurrency_max = 1;
	for (size_t i = 0; i < LEN(heavy); i++)
		heavy[i] = test_sched_add(&test, "a@p", 1);
	/* The first of them was light. */
	serve(&test, heavy[0]);
	letters[0] = test_sched_add(&test, "b@p", 2);
	letters[1] = test_sched_add(&test, "c@p", 3);
	serve(&test, letters[0]);
	serve(&test, letters[1]);
	for (size_t i = 1; i < LEN(heavy); i++)
		serve(&test, heavy[i]);
	test_sched_fini(&test);
}

static void
a_site_has_one_rate(void **state)
{
	struct test_sched test;
	uint32_t first, second;

	(void)state;
	test_sched_init(&test);
	test.site_limits.rate = (struct rate_limit){.count = 6, .period_ms = 60000};
	first = test_sched_add(&test, "a@p", 1);
	second = test_sched_add(&test, "b@p", 1);
	serve(&test, first);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(test_sched_why(&test, second).reason, SCHED_WHY_SITE_RATE);
	assert_int_equal(test_sched_why(&test, second).at_wall_ms, TEST_WALL_MS + 10000);
	assert_true(test_sched_idle(&test, 60000) <= 10000);
	test_sched_pass(&test, 9999);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 1);
	serve(&test, second);
	/* What it had is remembered after its destinations are forgotten. */
	assert_int_equal(sched_destination_count(test.sched), 0);
	first = test_sched_add(&test, "c@p", 1);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 10000);
	serve(&test, first);
	test_sched_pass(&test, 10000);
	assert_int_equal(sched_site_count(test.sched), 0);
	test_sched_fini(&test);
}

/* Those of one site pause together, and nobody else; a pause ends by itself. */
static void
a_site_that_asked_for_a_pause_has_no_turn(void **state)
{
	struct test_sched test;
	uint32_t first, second, other;

	(void)state;
	test_sched_init(&test);
	first = test_sched_add(&test, "a@p", 1);
	second = test_sched_add(&test, "b@p", 1);
	other = test_sched_add(&test, "c@q", 1);
	test.site_limits.pause_until_ms = test.now_ms + 60000;
	sched_ask_site(test.sched, sched_site_find(test.sched, 0, SPAN("p")));
	assert_int_equal(test_sched_why(&test, first).reason, SCHED_WHY_PAUSE);
	assert_int_equal(test_sched_why(&test, second).at_wall_ms, TEST_WALL_MS + 60000);
	serve(&test, other);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 59999);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_pass(&test, 1);
	serve(&test, first);
	serve(&test, second);
	test_sched_fini(&test);
}

/* Until it is known who serves it, it is limited alone; then it moves, with its attempts. */
static void
a_destination_moves_when_its_site_is_known(void **state)
{
	struct test_sched test;
	uint32_t a[3], b;

	(void)state;
	test_sched_init(&test);
	test.site_limits.concurrency_start = test.site_limits.concurrency_max = 2;
	test.sites_unknown = true;
	for (size_t i = 0; i < LEN(a); i++)
		a[i] = test_sched_add(&test, "a@p", 1);
	assert_int_equal(test_sched_take(&test), a[0]);
	assert_int_equal(test_sched_take(&test), a[1]);
	assert_int_equal(sched_site_count(test.sched), 0);
	test.sites_unknown = false;
	b = test_sched_add(&test, "b@p", 1);
	sched_ask(test.sched, test_sched_rcpt(&test, a[0]).destination);
	assert_int_equal(site_named(&test, "p").active, 2);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	assert_int_equal(test_sched_why(&test, b).reason, SCHED_WHY_SITE);
	/* And away again. */
	test.sites_unknown = true;
	sched_ask(test.sched, test_sched_rcpt(&test, a[0]).destination);
	assert_int_equal(site_named(&test, "p").active, 0);
	assert_int_equal(test_sched_take(&test), b);
	test_sched_over(&test, a[0], SCHED_SERVED, true);
	assert_int_equal(test_sched_take(&test), a[2]);
	test_sched_over(&test, a[1], SCHED_SERVED, true);
	test_sched_over(&test, a[2], SCHED_SERVED, true);
	test_sched_over(&test, b, SCHED_SERVED, true);
	assert_int_equal(sched_site_count(test.sched), 0);
	test_sched_fini(&test);
}

static void
trouble_closes_the_window_of_the_site(void **state)
{
	struct test_sched test;
	uint32_t at[9];

	(void)state;
	test_sched_init(&test);
	test.site_limits.concurrency_start = 8;
	for (size_t i = 0; i < LEN(at); i++) {
		char key[16];

		snprintf(key, sizeof(key), "d%zu@p", i);
		at[i] = test_sched_add(&test, key, 1);
	}
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(test_sched_take(&test), at[i]);
	/* Nobody has got through yet: it may be that domain's affair. */
	test_sched_over(&test, at[0], SCHED_NO_ANSWER, true);
	assert_int_equal(site_named(&test, "p").window, 8);
	test_sched_over(&test, at[1], SCHED_SERVED, true);
	assert_int_equal(site_named(&test, "p").window, 9);
	/* While others get through, there are too many; what began before says the same. */
	test_sched_over(&test, at[2], SCHED_NO_ANSWER, true);
	assert_int_equal(site_named(&test, "p").window, 4);
	test_sched_over(&test, at[3], SCHED_REFUSED, true);
	assert_int_equal(site_named(&test, "p").window, 4);
	assert_int_equal(test_sched_take(&test), SCHED_NONE);
	test_sched_over(&test, at[4], SCHED_UNTRIED, true);
	assert_int_equal(test_sched_take(&test), at[8]);
	for (size_t i = 5; i < LEN(at); i++)
		test_sched_over(&test, at[i], SCHED_SERVED, true);
	test_sched_fini(&test);
}

enum { DOMAINS = 100000 };

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double
take_and_serve_all(struct test_sched *test)
{
	double since = seconds();

	for (int i = 0; i < DOMAINS; i++) {
		uint32_t rcpt = test_sched_take(test);

		/* A full site, and one that is not: both again and again. */
		assert_int_equal(test_sched_take(test), SCHED_NONE);
		test_sched_over(test, rcpt, SCHED_SERVED, true);
	}
	return seconds() - since;
}

/*
 * 100,000 domains at one provider, which has one attempt at a time.  The time is printed, not
 * judged; but one look at each domain in a take would be 10^10 of them, which no test outlives.
 */
static void
many_domains_at_a_provider_cost_no_more(void **state)
{
	struct test_sched test;
	struct mallinfo2 info = mallinfo2();
	size_t before = info.uordblks + info.hblkhd;

	(void)state;
	test_sched_init(&test);
	test.site_limits.concurrency_start = test.site_limits.concurrency_max = 1;
	for (int i = 0; i < DOMAINS; i++) {
		char key[40];

		snprintf(key, sizeof(key), "mx:host%d.example@provider", i);
		test_sched_add(&test, key, (uint32_t)i);
	}
	info = mallinfo2();
	printf("# a domain of a site, with one recipient: %.0f bytes\n",
	    (double)(info.uordblks + info.hblkhd - before) / DOMAINS);
	assert_int_equal(site_named(&test, "provider").destination_count, DOMAINS);
	printf("# take and serve: %.0f ns\n", take_and_serve_all(&test) / DOMAINS * 1e9);
	assert_int_equal(sched_site_count(test.sched), 0);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_of_a_site_share_its_window),
	    cmocka_unit_test(destinations_of_a_site_take_turns),
	    cmocka_unit_test(a_site_takes_turns_as_one_destination),
	    cmocka_unit_test(light_mail_goes_first_in_a_site_too),
	    cmocka_unit_test(a_site_has_one_rate),
	    cmocka_unit_test(a_site_that_asked_for_a_pause_has_no_turn),
	    cmocka_unit_test(a_destination_moves_when_its_site_is_known),
	    cmocka_unit_test(trouble_closes_the_window_of_the_site),
	    cmocka_unit_test(many_domains_at_a_provider_cost_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
