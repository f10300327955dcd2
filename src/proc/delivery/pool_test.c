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

/* The next one, by a kept connection or a new one. */
static struct pool_want *
next_of(struct pool *pool, struct pool_way *way, struct pool_entry **kept)
{
	enum pool_by by;
	struct pool_want *want = pool_next(pool, way, &by, kept);

	assert_true(!want || by == (*kept ? POOL_KEPT : POOL_NEW));
	return want;
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
	assert_ptr_equal(next_of(&pool, x, &kept), &wants[0]);
	assert_ptr_equal(kept, &b);
	assert_ptr_equal(next_of(&pool, x, &kept), &wants[1]);
	assert_ptr_equal(kept, &a);
	assert_null(next_of(&pool, x, &kept));
	assert_ptr_equal(pool_oldest(&pool), &c);
	assert_int_equal(pool_oldest(&pool)->since_ms, 30);
	pool_gone(&pool, &a);
	pool_gone(&pool, &b);
	pool_gone(&pool, &c);
	pool_gone(&pool, &c);
	pool_fini(&pool);
}

/* Behind what is under way rather than by a new connection; who may not waits for one. */
static void
room_is_taken_before_a_new_one_is_opened(void **state)
{
	struct pool pool;
	struct pool_way *way;
	struct pool_entry a, b, *entry;
	struct pool_want wants[4] = {0};
	enum pool_by by;

	(void)state;
	pool_init(&pool, seed);
	way = pool_way(&pool, SPAN("x"));
	open_one(way, &a);
	open_one(way, &b);
	pool_room(&pool, &a);
	pool_keep(&pool, &b, 10);
	for (size_t i = 0; i < LEN(wants); i++)
		pool_queue(way, &wants[i]);
	assert_ptr_equal(pool_next(&pool, way, &by, &entry), &wants[0]);
	assert_int_equal(by, POOL_KEPT);
	assert_ptr_equal(entry, &b);
	assert_ptr_equal(pool_next(&pool, way, &by, &entry), &wants[1]);
	assert_int_equal(by, POOL_ROOM);
	assert_ptr_equal(entry, &a);
	/* It could not: it is the first again, and goes alone. */
	pool_room(&pool, &a);
	pool_unsend(way, &wants[1]);
	assert_ptr_equal(pool_next(&pool, way, &by, &entry), &wants[1]);
	assert_int_equal(by, POOL_NEW);
	assert_null(entry);
	pool_no_room(&pool, &a);
	pool_no_room(&pool, &a);
	assert_ptr_equal(pool_next(&pool, way, &by, &entry), &wants[2]);
	assert_int_equal(by, POOL_NEW);
	/* One that goes leaves no room behind. */
	pool_room(&pool, &a);
	pool_gone(&pool, &a);
	assert_ptr_equal(pool_next(&pool, way, &by, &entry), &wants[3]);
	assert_int_equal(by, POOL_NEW);
	pool_gone(&pool, &b);
	pool_fini(&pool);
}

/* Where a site has all that it may, a way of it waits until one is closed, and comes first then. */
static void
a_full_site_opens_no_more(void **state)
{
	struct pool pool;
	struct pool_way *x, *y;
	struct pool_entry a, b, *entry;
	struct pool_want one = {.site = 7, .site_max = 2}, other = {.site = 8, .site_max = 1};
	enum pool_by by;

	(void)state;
	pool_init(&pool, seed);
	x = pool_way(&pool, SPAN("x"));
	y = pool_way(&pool, SPAN("y"));
	open_one(x, &a);
	open_one(x, &b);
	pool_set_site(&pool, &a, 7);
	pool_set_site(&pool, &b, 7);
	pool_queue(y, &one);
	assert_false(pool_site_is_wanted(&a));
	assert_null(pool_next(&pool, y, &by, &entry));
	assert_null(pool_next(&pool, y, &by, &entry));
	assert_true(pool_site_is_wanted(&a));
	assert_null(pool_again(&pool));
	/* A kept one can make room. */
	pool_keep(&pool, &b, 10);
	assert_ptr_equal(pool_next(&pool, y, &by, &entry), &one);
	pool_queue(y, &one);
	pool_gone(&pool, &b);
	assert_ptr_equal(pool_again(&pool), y);
	assert_null(pool_again(&pool));
	assert_false(pool_site_is_wanted(&a));
	assert_ptr_equal(pool_next(&pool, y, &by, &entry), &one);
	assert_int_equal(by, POOL_NEW);
	/* Another site is another matter. */
	pool_queue(x, &other);
	assert_ptr_equal(pool_next(&pool, x, &by, &entry), &other);
	pool_gone(&pool, &a);
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
			assert_ptr_equal(next_of(&pool, way, &kept), &wants[begun]);
			assert_null(kept);
			pool_opening(way, &entries[begun++]);
		}
		assert_null(next_of(&pool, way, &kept));
		while (opened < begun)
			pool_opened(&entries[opened++]);
	}
	for (size_t i = 0; i < begun; i++)
		pool_gone(&pool, &entries[i]);
	/* All are gone: one at a time again. */
	assert_non_null(next_of(&pool, way, &kept));
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
	assert_ptr_equal(next_of(&pool, way, &kept), &b);
	assert_null(next_of(&pool, way, &kept));
	pool_fini(&pool);
}

struct model {
	struct pool pool;
	struct pool_want wants[WANTS];
	struct pool_entry entries[ENTRIES];
	enum { CLOSED, OPENING, BUSY, KEPT, ROOM } is[ENTRIES];
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
	struct pool_entry *entry;
	enum pool_by by;
	size_t free = 0;

	while (pool_next(&model->pool, way, &by, &entry)) {
		if (entry) {
			assert_true(model->is[entry - model->entries] ==
			    (by == POOL_KEPT ? KEPT : ROOM));
			model->is[entry - model->entries] = BUSY;
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
		if (model->is[at] == OPENING) {
			pool_opened(&model->entries[at]);
			model->is[at] = BUSY;
		} else if (model->is[at] == BUSY && model->chance >> 12 & 1) {
			pool_room(&model->pool, &model->entries[at]);
			model->is[at] = ROOM;
		} else if (model->is[at] == BUSY || model->is[at] == ROOM) {
			pool_no_room(&model->pool, &model->entries[at]);
			pool_keep(&model->pool, &model->entries[at], now_ms);
			model->is[at] = KEPT;
		}
	}
	serve(model, any_way(model));
	if (model->chance % 64 == 0)
		pool_sweep(&model->pool);
}

static void
check_model(struct model *model)
{
	size_t kept = 0, rooms = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		kept += model->is[i] == KEPT;
		rooms += model->is[i] == ROOM;
		assert_true((model->entries[i].way == NULL) == (model->is[i] == CLOSED));
	}
	assert_int_equal(model->pool.kept_count, kept);
	assert_int_equal(model->pool.room_count, rooms);
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
	    cmocka_unit_test(room_is_taken_before_a_new_one_is_opened),
	    cmocka_unit_test(a_full_site_opens_no_more),
	    cmocka_unit_test(connections_are_opened_slowly),
	    cmocka_unit_test(who_leaves_is_not_served),
	    cmocka_unit_test(many_steps_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
