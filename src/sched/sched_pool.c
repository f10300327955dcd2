/* Chunks with a free slot are in one list, those that were given back in another. */
#include "sched/sched_pool.h"

#include "base/arena.h"
#include "base/check.h"

void
sched_pool_init(struct pool *pool, size_t slot_bytes)
{
	check(slot_bytes >= sizeof(uint32_t));
	*pool = (struct pool){
	    .slot_bytes = slot_bytes, .open = POOL_NONE, .absent = POOL_NONE};
}

void
sched_pool_fini(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->chunk_count; i++)
		mem_free(pool->chunks[i].slots);
	mem_free(pool->chunks);
	*pool = (struct pool){0};
}

static void
open_chunk(struct pool *pool, uint32_t at)
{
	struct pool_chunk *chunk = &pool->chunks[at];

	chunk->prev = POOL_NONE;
	chunk->next = pool->open;
	if (pool->open != POOL_NONE)
		pool->chunks[pool->open].prev = at;
	pool->open = at;
}

static void
shut_chunk(struct pool *pool, uint32_t at)
{
	struct pool_chunk *chunk = &pool->chunks[at];

	if (chunk->prev != POOL_NONE)
		pool->chunks[chunk->prev].next = chunk->next;
	else
		pool->open = chunk->next;
	if (chunk->next != POOL_NONE)
		pool->chunks[chunk->next].prev = chunk->prev;
}

static uint32_t
new_chunk(struct pool *pool)
{
	if (pool->chunk_count == pool->chunk_room) {
		pool->chunk_room = pool->chunk_room ? pool->chunk_room * 2 : 16;
		pool->chunks =
		    mem_realloc(pool->chunks, pool->chunk_room * sizeof(*pool->chunks));
	}
	check(pool->chunk_count < POOL_SLOTS_MAX >> POOL_CHUNK_BITS);
	return pool->chunk_count++;
}

static void
add_chunk(struct pool *pool)
{
	uint32_t at = pool->absent;

	if (at != POOL_NONE)
		pool->absent = pool->chunks[at].next;
	else
		at = new_chunk(pool);
	pool->chunks[at] = (struct pool_chunk){
	    .slots = mem_alloc(POOL_CHUNK_SLOTS * pool->slot_bytes), .free = POOL_NONE};
	open_chunk(pool, at);
}

uint32_t
sched_pool_take(struct pool *pool)
{
	struct pool_chunk *chunk;
	uint32_t at, slot;

	if (pool->open == POOL_NONE)
		add_chunk(pool);
	at = pool->open;
	chunk = &pool->chunks[at];
	if (chunk->free != POOL_NONE) {
		slot = chunk->free;
		memcpy(&chunk->free, sched_pool_at(pool, slot), sizeof(chunk->free));
		memset(sched_pool_at(pool, slot), 0, pool->slot_bytes);
	} else {
		slot = at << POOL_CHUNK_BITS | chunk->fresh++;
	}
	pool->count++;
	if (++chunk->used == POOL_CHUNK_SLOTS)
		shut_chunk(pool, at);
	return slot;
}

void
sched_pool_give(struct pool *pool, uint32_t slot)
{
	uint32_t at = slot >> POOL_CHUNK_BITS;
	struct pool_chunk *chunk = &pool->chunks[at];

	check(at < pool->chunk_count && chunk->used > 0);
	memset(sched_pool_at(pool, slot), 0, pool->slot_bytes);
	memcpy(sched_pool_at(pool, slot), &chunk->free, sizeof(chunk->free));
	chunk->free = slot;
	pool->count--;
	if (chunk->used-- == POOL_CHUNK_SLOTS)
		open_chunk(pool, at);
	/* The last one that is open stays: a queue that is empty most of the time is quick. */
	if (chunk->used > 0 || (pool->open == at && chunk->next == POOL_NONE))
		return;
	shut_chunk(pool, at);
	mem_free(chunk->slots);
	*chunk = (struct pool_chunk){.next = pool->absent};
	pool->absent = at;
}

uint32_t
sched_pool_end(const struct pool *pool)
{
	return pool->chunk_count << POOL_CHUNK_BITS;
}
