/* Addresses that do not answer: who may try them, and when. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/delivery/health.h"

enum { LONG_MS = 3600 * 1000, PROBE_MS = 7000 };

enum { WAIT_MS_MIN = 30 * 1000, WAIT_MS_MAX = 5 * 60 * 1000 };

static const uint64_t seed[2] = {3, 4};

static struct net_addr
addr_of(const char *text, uint16_t port)
{
	struct net_addr addr;

	assert_int_equal(net_addr_parse(span_str(text), &addr), OK);
	addr.port = port;
	return addr;
}

static void
one_is_left_alone_and_others_are_not(void **state)
{
	const struct net_addr a = addr_of("192.0.2.1", 25);
	const struct net_addr others[] = {
	    addr_of("192.0.2.2", 25), addr_of("192.0.2.1", 587), addr_of("2001:db8::1", 25)};
	struct health health;

	(void)state;
	health_init(&health, seed, WAIT_MS_MIN, WAIT_MS_MAX);
	assert_int_equal(health_wait_ms(&health, &a, 1000), 0);
	health_silent(&health, &a, 1000, LONG_MS);
	assert_int_equal(health_wait_ms(&health, &a, 1000), WAIT_MS_MIN);
	assert_int_equal(health_wait_ms(&health, &a, 1000 + WAIT_MS_MIN - 1), 1);
	assert_int_equal(health_wait_ms(&health, &a, 1000 + WAIT_MS_MIN), 0);
	for (size_t i = 0; i < LEN(others); i++)
		assert_int_equal(health_wait_ms(&health, &others[i], 1000), 0);
	health_answers(&health, &a);
	health_answers(&health, &others[0]);
	assert_int_equal(health_wait_ms(&health, &a, 1000), 0);
	assert_int_equal(health.count, 0);
	health_fini(&health);
}

static void
waits_double_to_their_maximum(void **state)
{
	const struct net_addr a = addr_of("192.0.2.1", 25);
	struct health health;
	uint64_t wait = WAIT_MS_MIN;

	(void)state;
	health_init(&health, seed, WAIT_MS_MIN, WAIT_MS_MAX);
	for (int i = 0; i < 10; i++) {
		health_silent(&health, &a, 0, LONG_MS);
		assert_int_equal(health_wait_ms(&health, &a, 0), wait);
		wait = 2 * wait < WAIT_MS_MAX ? 2 * wait : WAIT_MS_MAX;
	}
	assert_int_equal(wait, WAIT_MS_MAX);
	/* Nobody waits longer than for a retry. */
	health_silent(&health, &a, 0, 200);
	assert_int_equal(health_wait_ms(&health, &a, 0), 200);
	assert_int_equal(health.count, 1);
	health_fini(&health);
}

static void
one_at_a_time_probes(void **state)
{
	const struct net_addr a = addr_of("192.0.2.1", 25), b = addr_of("192.0.2.2", 25);
	struct health health;
	uint64_t now = WAIT_MS_MIN;

	(void)state;
	health_init(&health, seed, WAIT_MS_MIN, WAIT_MS_MAX);
	health_silent(&health, &a, 0, LONG_MS);
	assert_int_equal(health_wait_ms(&health, &a, now), 0);
	health_probing(&health, &a, now, PROBE_MS);
	assert_int_equal(health_wait_ms(&health, &a, now), PROBE_MS);
	/* A prober that is never heard of again: somebody else's turn. */
	assert_int_equal(health_wait_ms(&health, &a, now + PROBE_MS), 0);
	/* An address of which nothing bad is known is everybody's. */
	health_probing(&health, &b, now, PROBE_MS);
	assert_int_equal(health_wait_ms(&health, &b, now), 0);
	/* Its failure doubles the wait. */
	health_silent(&health, &a, now, LONG_MS);
	assert_int_equal(health_wait_ms(&health, &a, now), 2 * WAIT_MS_MIN);
	health_fini(&health);
}

static void
the_oldest_is_forgotten(void **state)
{
	struct net_addr a = addr_of("10.0.0.0", 25), first = a;
	struct health health;

	(void)state;
	health_init(&health, seed, WAIT_MS_MIN, WAIT_MS_MAX);
	for (unsigned i = 0; i <= HEALTH_COUNT_MAX; i++) {
		a.bytes[2] = (uint8_t)(i >> 8);
		a.bytes[3] = (uint8_t)i;
		health_silent(&health, &a, 0, LONG_MS);
	}
	assert_int_equal(health.count, HEALTH_COUNT_MAX);
	assert_int_equal(health_wait_ms(&health, &first, 0), 0);
	assert_int_equal(health_wait_ms(&health, &a, 0), WAIT_MS_MIN);
	health_fini(&health);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_is_left_alone_and_others_are_not),
	    cmocka_unit_test(waits_double_to_their_maximum),
	    cmocka_unit_test(one_at_a_time_probes),
	    cmocka_unit_test(the_oldest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
