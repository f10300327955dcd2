/*
 * A hierarchical timer wheel over the slots of a pool: adding, removing and firing cost the same
 * however many wait.  Private to src/sched.
 *
 * A time is a number of 48 bits in six digits of 8 bits each.  What waits is filed under the
 * first digit in which its time differs from the present, and under the value of that digit;
 * when the present reaches that value, it is filed again one or more digits lower.  So each is
 * moved at most five times on its way.
 */
#pragma once

#include "sched/sched_pool.h"

enum { WHEEL_LEVELS = 6, WHEEL_SPOKES = 256 };
#define WHEEL_TIME_MAX ((UINT64_C(1) << 48) - 1)

/* At the beginning of each slot of the pool. */
struct wheel_node {
	uint32_t prev, next; /* prev above POOL_SLOTS_MAX: the first of a spoke */
	uint64_t due_ms;
};

struct wheel {
	struct pool *pool;
	uint64_t now_ms;
	size_t count;
	uint64_t used[WHEEL_LEVELS][WHEEL_SPOKES / 64];
	uint32_t first[WHEEL_LEVELS][WHEEL_SPOKES];
};

void sched_wheel_init(struct wheel *wheel, struct pool *pool, uint64_t now_ms);
void sched_wheel_add(struct wheel *wheel, uint32_t slot, uint64_t due_ms);
void sched_wheel_remove(struct wheel *wheel, uint32_t slot);
/*
 * Takes out one that is due at now_ms; POOL_NONE: there is none, or *budget (counted down by
 * whatever is moved) is used up.  now_ms may be less than it was: then all that waits is filed
 * again, which takes as long as there is of it.
 */
uint32_t sched_wheel_pop(struct wheel *wheel, uint64_t now_ms, unsigned *budget);
/* Nothing is due before that time (and it may be none is then); UINT64_MAX: nothing waits. */
uint64_t sched_wheel_next_ms(const struct wheel *wheel);
