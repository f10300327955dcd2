/* The table that receptions share: counts and rates, room, and memory that is not believed. */
#include "route/limit_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"

enum { SESSIONS = 100, SECOND = 1000 };

static const uint64_t seed[2] = {1, 2};
static const struct rate_limit ten = {10, 10 * SECOND};

/* Two processes, of one memory. */
struct world {
	void *memory;
	size_t bytes;
	struct limit_table a, b;
};

static void
make(struct world *world)
{
	world->bytes = limit_table_bytes(SESSIONS);
	world->memory = mem_alloc(world->bytes);
	limit_table_format(world->memory, seed);
	limit_table_open(&world->a, world->memory, world->bytes, 0);
	limit_table_open(&world->b, world->memory, world->bytes, 1);
}

static struct span
key_of(char *bytes, unsigned number)
{
	memcpy(bytes, &number, sizeof(number));
	return span_of(bytes, sizeof(number));
}

static void
sessions_are_counted_over_processes(void **state)
{
	struct world world;
	uint32_t slot;

	(void)state;
	make(&world);
	slot = limit_table_find(&world.a, SPAN("host"), 0);
	assert_int_not_equal(slot, LIMIT_NO_SLOT);
	assert_int_equal(limit_table_find(&world.b, SPAN("host"), 0), slot);
	limit_table_enter(&world.a, slot);
	limit_table_enter(&world.b, slot);
	limit_table_enter(&world.b, slot);
	assert_int_equal(limit_table_sessions(&world.a, slot), 3);
	limit_table_leave(&world.b, slot);
	limit_table_leave(&world.a, slot);
	limit_table_leave(&world.a, slot);
	assert_int_equal(limit_table_sessions(&world.a, slot), 1);
	limit_table_set_total(&world.a, 5);
	limit_table_set_total(&world.b, 7);
	assert_int_equal(limit_table_total(&world.a), 12);
	mem_free(world.memory);
}

/* What a process had when it died is no longer there; the others' is. */
static void
a_dead_process_leaves_nothing(void **state)
{
	struct world world;
	uint32_t slot;

	(void)state;
	make(&world);
	slot = limit_table_find(&world.a, SPAN("host"), 0);
	limit_table_enter(&world.a, slot);
	limit_table_enter(&world.b, slot);
	limit_table_set_total(&world.a, 1);
	limit_table_set_total(&world.b, 1);
	limit_table_open(&world.b, world.memory, world.bytes, 1);
	assert_int_equal(limit_table_sessions(&world.a, slot), 1);
	assert_int_equal(limit_table_total(&world.a), 1);
	mem_free(world.memory);
}

static void
rates_hold_over_processes(void **state)
{
	struct world world;
	unsigned taken = 0;
	uint32_t slot;

	(void)state;
	make(&world);
	slot = limit_table_find(&world.a, SPAN("host"), 0);
	for (uint64_t now_ms = 100 * SECOND; now_ms < 110 * SECOND; now_ms += 50) {
		struct limit_table *table = now_ms % 100 ? &world.a : &world.b;

		if (!limit_table_may(table, slot, LIMIT_RATE_MESSAGES, &ten, now_ms))
			continue;
		limit_table_charge(table, slot, LIMIT_RATE_MESSAGES, &ten, now_ms);
		taken++;
	}
	assert_int_equal(taken, 10);
	/* One rate is not another. */
	assert_true(limit_table_may(&world.a, slot, LIMIT_RATE_FAILURES, &ten, 110 * SECOND));
	mem_free(world.memory);
}

/* More addresses than there are slots: those with sessions stay, the others make room. */
static void
the_table_never_grows(void **state)
{
	struct world world;
	char bytes[4];
	uint32_t kept[50];
	unsigned lost = 0;

	(void)state;
	make(&world);
	for (unsigned i = 0; i < LEN(kept); i++) {
		kept[i] = limit_table_find(&world.a, key_of(bytes, i), 0);
		limit_table_enter(&world.a, kept[i]);
	}
	for (unsigned i = 1000; i < 200000; i++) {
		uint32_t slot = limit_table_find(&world.b, key_of(bytes, i), 0);

		assert_int_not_equal(slot, LIMIT_NO_SLOT);
		limit_table_charge(&world.b, slot, LIMIT_RATE_FAILURES, &ten, 0);
	}
	for (unsigned i = 0; i < LEN(kept); i++) {
		assert_int_equal(limit_table_find(&world.b, key_of(bytes, i), 0), kept[i]);
		assert_int_equal(limit_table_sessions(&world.b, kept[i]), 1);
	}
	/* Where all have sessions there is no room, and that is no error. */
	for (unsigned i = 200000; i < 300000; i++) {
		uint32_t slot = limit_table_find(&world.a, key_of(bytes, i), 0);

		lost += slot == LIMIT_NO_SLOT;
		limit_table_enter(&world.a, slot);
	}
	assert_true(lost > 0);
	assert_int_equal(limit_table_sessions(&world.a, LIMIT_NO_SLOT), 0);
	assert_true(limit_table_may(&world.a, LIMIT_NO_SLOT, LIMIT_RATE_MESSAGES, &ten, 0));
	limit_table_leave(&world.a, LIMIT_NO_SLOT);
	mem_free(world.memory);
}

/* A slot that is taken over begins anew. */
static void
what_is_forgotten_is_gone(void **state)
{
	struct world world;
	char bytes[4];
	uint32_t slot;

	(void)state;
	make(&world);
	for (unsigned i = 0; i < 100000; i++) {
		slot = limit_table_find(&world.a, key_of(bytes, i), 0);
		assert_true(limit_table_may(&world.a, slot, LIMIT_RATE_FAILURES, &ten, 0));
		for (int k = 0; k < 30; k++)
			limit_table_charge(&world.a, slot, LIMIT_RATE_FAILURES, &ten, 0);
		assert_false(limit_table_may(&world.a, slot, LIMIT_RATE_FAILURES, &ten, 0));
	}
	mem_free(world.memory);
}

/* Another process writes whatever it wants, all over the memory. */
static void
no_memory_is_believed(void **state)
{
	struct world world;
	uint64_t noise = 1;
	char bytes[4];

	(void)state;
	make(&world);
	for (unsigned round = 0; round < 200; round++) {
		for (size_t i = 0; i < world.bytes / 8; i += 1 + round % 7) {
			noise = noise * 6364136223846793005u + 1442695040888963407u;
			((uint64_t *)world.memory)[i] = round % 3 ? noise : UINT64_MAX;
		}
		for (unsigned i = 0; i < 200; i++) {
			uint64_t now_ms = 1000000 + round * 7;
			uint32_t slot = limit_table_find(&world.a, key_of(bytes, i), now_ms);

			limit_table_enter(&world.a, slot);
			limit_table_charge(
			    &world.a, slot, LIMIT_RATE_CONNECTIONS, &ten, now_ms);
			limit_table_may(&world.a, slot, LIMIT_RATE_CONNECTIONS, &ten, now_ms);
			limit_table_leave(&world.a, slot);
			/* What was wrong is over after a period at the latest. */
			assert_true(limit_table_may(&world.a, slot, LIMIT_RATE_CONNECTIONS,
			    &ten, now_ms + RATE_PERIOD_MS_MAX + ten.period_ms));
		}
		limit_table_total(&world.a);
		limit_table_open(&world.b, world.memory, world.bytes, 1);
	}
	mem_free(world.memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_are_counted_over_processes),
	    cmocka_unit_test(a_dead_process_leaves_nothing),
	    cmocka_unit_test(rates_hold_over_processes),
	    cmocka_unit_test(the_table_never_grows),
	    cmocka_unit_test(what_is_forgotten_is_gone),
	    cmocka_unit_test(no_memory_is_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
