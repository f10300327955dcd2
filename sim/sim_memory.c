/*
 * Memory of the simulated world, in the place of src/base/mem.c: what a role allocates is charged
 * to it, bounded, and freed as a whole when it dies, as the kernel does.
 *
 * Whose code runs is the one thing that is known at file scope here.
 */
#include <stdalign.h>
#include <stdlib.h>

#include "sim/sim_internal.h"

enum { FILL_NEW = 0xa5, FILL_OLD = 0xdb, FILL_BYTES_MAX = 1024 };

struct block {
	alignas(max_align_t) struct list link;
	struct sim_pool *pool;
	size_t bytes;
};

static struct sim_current current;

struct sim_current *
sim_current(void)
{
	return &current;
}

void
sim_pool_init(struct sim_pool *pool, uint64_t bytes_max)
{
	*pool = (struct sim_pool){.bytes_max = bytes_max};
	list_init(&pool->blocks);
}

void
sim_pool_free(struct sim_pool *pool)
{
	struct list *link;

	while ((link = list_pop(&pool->blocks)))
		free(container_of(link, struct block, link));
	pool->bytes = 0;
}

static void
charge(struct sim_pool *pool, struct block *block)
{
	if (!pool)
		return;
	list_push(&pool->blocks, &block->link);
	pool->bytes += block->bytes;
	if (pool->bytes > pool->peak)
		pool->peak = pool->bytes;
	if (pool->bytes_max > 0 && pool->bytes > pool->bytes_max)
		sim_fail(current.sim, "a role has %llu bytes of memory, more than %llu",
		    (unsigned long long)pool->bytes, (unsigned long long)pool->bytes_max);
}

static void
discharge(struct block *block)
{
	if (block->pool) {
		list_remove(&block->link);
		block->pool->bytes -= block->bytes;
	}
}

static void *
alloc(struct sim_pool *pool, size_t bytes)
{
	struct block *block = calloc(1, sizeof(*block) + bytes);

	check(block != NULL);
	block->pool = pool;
	block->bytes = bytes;
	charge(pool, block);
	return block + 1;
}

static void *
grow(struct sim_pool *pool, void *ptr, size_t bytes)
{
	struct block *block = ptr ? (struct block *)ptr - 1 : NULL;
	size_t old = block ? block->bytes : 0;

	if (block) {
		pool = block->pool;
		discharge(block);
	}
	block = realloc(block, sizeof(*block) + bytes);
	check(block != NULL);
	if (!ptr)
		block->link = (struct list){NULL, NULL};
	block->pool = pool;
	block->bytes = bytes;
	if (bytes > old)
		memset((char *)(block + 1) + old, FILL_NEW,
		    bytes - old < FILL_BYTES_MAX ? bytes - old : FILL_BYTES_MAX);
	charge(pool, block);
	return block + 1;
}

void *
mem_alloc(size_t bytes)
{
	return alloc(current.pool, bytes);
}

void *
mem_realloc(void *ptr, size_t bytes)
{
	return grow(current.pool, ptr, bytes);
}

void
mem_free(void *ptr)
{
	struct block *block = ptr ? (struct block *)ptr - 1 : NULL;

	if (!block)
		return;
	/* A role that frees another's memory would share it, which processes can't. */
	check(block->pool == current.pool || !current.pool);
	discharge(block);
	memset(ptr, FILL_OLD, block->bytes < 64 ? block->bytes : 64);
	free(block);
}

char *
mem_copy(struct span span)
{
	char *copy = mem_alloc(span.len + 1);

	if (span.len)
		memcpy(copy, span.ptr, span.len);
	return copy;
}

void
mem_wipe(void *ptr, size_t bytes)
{
	if (bytes)
		explicit_bzero(ptr, bytes);
}

void *
sim_alloc(struct sim *sim, size_t bytes)
{
	return alloc(&sim->pool, bytes);
}

void *
sim_grow(struct sim *sim, void *ptr, size_t bytes)
{
	return grow(&sim->pool, ptr, bytes);
}

void
sim_free(void *ptr)
{
	struct block *block = ptr ? (struct block *)ptr - 1 : NULL;

	if (!block)
		return;
	discharge(block);
	free(block);
}

char *
sim_copy(struct sim *sim, const char *string)
{
	size_t len = strlen(string);
	char *copy = sim_alloc(sim, len + 1);

	memcpy(copy, string, len);
	return copy;
}
