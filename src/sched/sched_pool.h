/*
 * Slots of one size, named by 32-bit numbers, in chunks: nothing moves when it grows, and
 * chunks that nobody uses are given back.  Private to src/sched.
 */
#pragma once

#include "base/span.h"

enum { POOL_CHUNK_BITS = 10, POOL_CHUNK_SLOTS = 1 << POOL_CHUNK_BITS };
#define POOL_NONE UINT32_MAX
#define POOL_SLOTS_MAX 0xfffff000u /* numbers above it have meanings of their own */

struct pool_chunk {
	char *slots;         /* NULL: given back */
	uint32_t used, free; /* free: the first free slot, POOL_NONE at the end */
	uint32_t prev, next; /* among chunks that have a free slot */
	uint32_t fresh;      /* slots from here on were never used */
};

struct pool {
	size_t slot_bytes;
	struct pool_chunk *chunks;
	uint32_t chunk_count, chunk_room;
	uint32_t open;   /* the first chunk with a free slot */
	uint32_t absent; /* the first chunk that was given back */
	size_t count;
};

/* slot_bytes at least 4. */
void sched_pool_init(struct pool *pool, size_t slot_bytes);
void sched_pool_fini(struct pool *pool);
/* A slot, zeroed. */
uint32_t sched_pool_take(struct pool *pool);
void sched_pool_give(struct pool *pool, uint32_t slot);
/* All slots in use are below it. */
uint32_t sched_pool_end(const struct pool *pool);

static inline void *
sched_pool_at(const struct pool *pool, uint32_t slot)
{
	return pool->chunks[slot >> POOL_CHUNK_BITS].slots +
	    (slot & (POOL_CHUNK_SLOTS - 1)) * pool->slot_bytes;
}

/* Whether a slot is there and was ever taken; it may be free again all the same. */
static inline bool
sched_pool_has_slot(const struct pool *pool, uint32_t slot)
{
	const struct pool_chunk *chunk = &pool->chunks[slot >> POOL_CHUNK_BITS];

	return (slot & (POOL_CHUNK_SLOTS - 1)) < chunk->fresh;
}
