#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "proc/queue/sites.h"

static const uint64_t seed[2] = {1, 2};

static void
assert_site(const struct sites *sites, const char *key, const char *name)
{
	assert_true(span_eq(sites_of(sites, span_str(key)), span_str(name)));
}

static void
who_serves_a_destination_is_learned(void **state)
{
	struct sites sites;

	(void)state;
	sites_init(&sites, seed);
	assert_site(&sites, "mx:a.example", "");
	assert_true(sites_learn(&sites, SPAN("mx:a.example"), SPAN("Gmail")));
	assert_false(sites_learn(&sites, SPAN("mx:a.example"), SPAN("Gmail")));
	assert_true(sites_learn(&sites, SPAN("mx:b.example"), SPAN("Gmail")));
	assert_site(&sites, "mx:a.example", "Gmail");
	assert_site(&sites, "mx:c.example", "");
	assert_int_equal(sites.names.count, 1);
	/* It moves; the old name goes with the last who has it. */
	assert_true(sites_learn(&sites, SPAN("mx:a.example"), SPAN("mx.far.example")));
	assert_int_equal(sites.names.count, 2);
	assert_true(sites_learn(&sites, SPAN("mx:b.example"), SPAN("mx.far.example")));
	assert_int_equal(sites.names.count, 1);
	assert_site(&sites, "mx:b.example", "mx.far.example");
	sites_fini(&sites);
}

/* However many there are, memory is bounded; who fell out is not known, and never wrong. */
static void
more_than_have_room_are_forgotten(void **state)
{
	enum { MANY = 2 * SITES_KNOWN };
	struct sites sites;
	char key[40], name[40];
	unsigned known = 0;

	(void)state;
	sites_init(&sites, seed);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "mx:d%u.example", i);
		snprintf(name, sizeof(name), "mx%u.example", i);
		assert_true(sites_learn(&sites, span_str(key), span_str(name)));
		assert_site(&sites, key, name);
	}
	assert_true(sites.names.count <= SITES_KNOWN);
	for (unsigned i = 0; i < MANY; i++) {
		struct span found;

		snprintf(key, sizeof(key), "mx:d%u.example", i);
		snprintf(name, sizeof(name), "mx%u.example", i);
		found = sites_of(&sites, span_str(key));
		known += found.len > 0;
		assert_true(found.len == 0 || span_eq(found, span_str(name)));
	}
	assert_int_equal(known, sites.names.count);
	assert_true(known > SITES_KNOWN / 2);
	sites_fini(&sites);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_serves_a_destination_is_learned),
	    cmocka_unit_test(more_than_have_room_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
