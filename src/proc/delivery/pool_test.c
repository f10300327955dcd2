/* The pool of connections: who gets which, how fast new ones are opened, and what is freed. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/delivery/pool.h"

enum { WANTS = 60, ENTRIES = 200, STEPS = 50000, WAYS = 4 };

static const uint64_t seed[2] = {1, 2};

static void
open_one(struct pool_way *way, struct pool_entry *entry)
{
	*entry = (struct pool_entry){0};
	pool_opening(way, entry);
	pool_opened(entry);
}

static void
the_last_kept_goes_first(void **state)
{
	struct pool pool;
	struct pool_way *x, *y;
	struct pool_entry a, b, c, *kept;
	struct pool_want wants[4] = {0};

	(void)state;
	pool_init(&pool, seed);
	x = pool_way(&pool, SPAN("x"));
	y = pool_way(&pool, SPAN("y"));
	assert_ptr_equal(pool_way(&pool, SPAN("x")), x);
	assert_null(pool_oldest(&pool));
	open_one(x, &a);
	open_one(x, &b);
	open_one(y, &c);
	pool_keep(&pool, &a, 10);
	pool_keep(&pool, &b, 20);
	pool_keep(&pool, &c, 30);
	assert_ptr_equal(pool_oldest(&pool), &a);
	pool_queue(x, &wants[0]);
	pool_queue(x, &wants[1]);
	assert_ptr_equal(pool_next(&pool, x, &kept), &wants[0]);
	assert_ptr_equal(kept, &b);
	assert_ptr_equal(pool_next(&pool, x, &kept), &wants[1]);
	assert_ptr_equal(kept, &a);
	assert_null(pool_next(&pool, x, &kept));
	assert_ptr_equal(pool_oldest(&pool), &c);
	assert_int_equal(pool_oldest(&pool)->since_ms, 30);
	pool_gone(&pool, &a);
	pool_gone(&pool, &b);
	pool_gone(&pool, &c);
	pool_gone(&pool, &c);
	pool_fini(&pool);
}

/* One at a time while none is open; then as many as are open. */
static void
connections_are_opened_slowly(void **state)
{
	static const size_t may_open[] = {1, 1, 2, 4, 8};
	struct pool pool;
	struct pool_way *way;
	struct pool_entry entries[32] = {0}, *kept;
	struct pool_want wants[40] = {0};
	size_t opened = 0, begun = 0;

	(void)state;
	pool_init(&pool, seed);
	way = pool_way(&pool, SPAN("x"));
	for (size_t i = 0; i < LEN(wants); i++)
		pool_queue(way, &wants[i]);
	for (size_t round = 0; round < LEN(may_open); round++) {
		for (size_t i = 0; i < may_open[round]; i++) {
			assert_ptr_equal(pool_next(&pool, way, &kept), &wants[begun]);
			assert_null(kept);
			pool_opening(way, &entries[begun++]);
		}
		assert_null(pool_next(&pool, way, &kept));
		while (opened < begun)
			pool_opened(&entries[opened++]);
	}
	for (size_t i = 0; i < begun; i++)
		pool_gone(&pool, &entries[i]);
	/* All are gone: one at a time again. */
	assert_non_null(pool_next(&pool, way, &kept));
	while (pool_first(way))
		continue;
	pool_fini(&pool);
}

static void
who_leaves_is_not_served(void **state)
{
	struct pool pool;
	struct pool_way *way;
	struct pool_want a = {0}, b = {0};
	struct pool_entry *kept;

	(void)state;
	pool_init(&pool, seed);
	way = pool_way(&pool, SPAN(""));
	pool_queue(way, &a);
	pool_queue(way, &b);
	pool_leave(&a);
	pool_leave(&a);
	assert_ptr_equal(pool_next(&pool, way, &kept), &b);
	assert_null(pool_next(&pool, way, &kept));
	pool_fini(&pool);
}

struct model {
	struct pool pool;
	struct pool_want wants[WANTS];
	struct pool_entry entries[ENTRIES];
	enum { CLOSED, OPENING, BUSY, KEPT } is[ENTRIES];
	uint32_t chance;
};

static struct pool_way *
any_way(struct model *model)
{
	static const char *const keys[WAYS] = {"a", "b", "cc", "dd"};

	return pool_way(&model->pool, span_str(keys[(model->chance >> 20) % WAYS]));
}

static void
serve(struct model *model, struct pool_way *way)
{
	struct pool_entry *kept;
	size_t free = 0;

	while (pool_next(&model->pool, way, &kept)) {
		if (kept) {
			assert_true(model->is[kept - model->entries] == KEPT);
			model->is[kept - model->entries] = BUSY;
			continue;
		}
		while (free < ENTRIES && model->is[free] != CLOSED)
			free++;
		if (free == ENTRIES)
			return;
		model->is[free] = OPENING;
		pool_opening(way, &model->entries[free]);
	}
}

static void
step(struct model *model, uint64_t now_ms)
{
	size_t at = (model->chance >> 8) % ENTRIES;
	struct pool_want *want = &model->wants[(model->chance >> 4) % WANTS];

	switch (model->chance >> 28 & 3) {
	case 0:
		if (list_linked(&want->node))
			pool_leave(want);
		else
			pool_queue(any_way(model), want);
		break;
	case 1:
		if (model->is[at] != CLOSED)
			pool_gone(&model->pool, &model->entries[at]);
		model->is[at] = CLOSED;
		break;
	default:
		if (model->is[at] == OPENING)
			pool_opened(&model->entries[at]);
		else if (model->is[at] == BUSY)
			pool_keep(&model->pool, &model->entries[at], now_ms);
		if (model->is[at] == OPENING || model->is[at] == BUSY)
			model->is[at]++;
	}
	serve(model, any_way(model));
	if (model->chance % 64 == 0)
		pool_sweep(&model->pool);
}

static void
check_model(struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		kept += model->is[i] == KEPT;
		assert_true((model->entries[i].way == NULL) == (model->is[i] == CLOSED));
	}
	assert_int_equal(model->pool.kept_count, kept);
}

static void
many_steps_at_random(void **state)
{
	struct model *model = test_calloc(1, sizeof(*model));

	(void)state;
	pool_init(&model->pool, seed);
	for (uint64_t i = 1; i <= STEPS; i++) {
		model->chance = model->chance * 1664525 + 1013904223;
		step(model, i);
		check_model(model);
	}
	for (size_t i = 0; i < WANTS; i++)
		pool_leave(&model->wants[i]);
	while (pool_oldest(&model->pool))
		pool_gone(&model->pool, pool_oldest(&model->pool));
	for (size_t i = 0; i < ENTRIES; i++)
		pool_gone(&model->pool, &model->entries[i]);
	/* Ways whose last want left are swept when they are met again. */
	for (model->chance = 0; model->chance < WAYS << 20; model->chance += 1 << 20) {
		struct pool_entry entry = {0};

		pool_opening(any_way(model), &entry);
		pool_gone(&model->pool, &entry);
	}
	pool_fini(&model->pool);
	test_free(model);
}

/* Kept ones of a site make room for a new one, whatever their ways; the oldest first. */
static void
a_site_has_so_many(void **state)
{
	struct pool pool;
	struct pool_way *x, *y;
	struct pool_entry a, b, c, other;

	(void)state;
	pool_init(&pool, seed);
	x = pool_way(&pool, SPAN("x"));
	y = pool_way(&pool, SPAN("y"));
	open_one(x, &a);
	open_one(y, &b);
	open_one(y, &c);
	open_one(y, &other);
	pool_set_site(&pool, &a, 7);
	pool_set_site(&pool, &b, 7);
	pool_set_site(&pool, &c, 7);
	pool_set_site(&pool, &other, 8);
	assert_false(pool_site_is_over(&a, 3));
	assert_true(pool_site_is_over(&a, 2));
	assert_null(pool_site_spare(&pool, 7, 2));
	pool_keep(&pool, &other, 5);
	pool_keep(&pool, &b, 10);
	pool_keep(&pool, &a, 20);
	assert_ptr_equal(pool_site_spare(&pool, 7, 3), &b);
	assert_null(pool_site_spare(&pool, 7, 4));
	assert_null(pool_site_spare(&pool, 0, 0));
	assert_null(pool_site_spare(&pool, 9, 0));
	pool_gone(&pool, &b);
	assert_null(pool_site_spare(&pool, 7, 3));
	assert_ptr_equal(pool_site_spare(&pool, 7, 2), &a);
	/* What is not known any more does not count. */
	pool_set_site(&pool, &c, 0);
	assert_false(pool_site_is_over(&c, 0));
	assert_false(pool_site_is_over(&a, 1));
	pool_gone(&pool, &a);
	pool_gone(&pool, &c);
	pool_gone(&pool, &other);
	pool_fini(&pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_site_has_so_many),
	    cmocka_unit_test(the_last_kept_goes_first),
	    cmocka_unit_test(connections_are_opened_slowly),
	    cmocka_unit_test(who_leaves_is_not_served),
	    cmocka_unit_test(many_steps_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
