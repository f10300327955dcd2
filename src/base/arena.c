/*
 * Arenas are chains of blocks, newest first.  Debug builds overwrite what is
 * reset, so that a pointer kept too long is noticed.
 */
#include "base/arena.h"

#include <stdalign.h>

#include "base/check.h"

enum { BLOCK_BYTES_MIN = 1024 };

struct arena_block {
	struct arena_block *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char bytes[];
};

void
arena_init(struct arena *arena, size_t bytes_max)
{
	*arena = (struct arena){.bytes_max = bytes_max};
}

void
arena_reset(struct arena *arena)
{
	while (arena->block) {
		struct arena_block *next = arena->block->next;

#ifndef NDEBUG
		memset(arena->block->bytes, 0xDB, arena->block->used);
#endif
		mem_free(arena->block);
		arena->block = next;
	}
	arena->used = 0;
}

void
arena_fini(struct arena *arena)
{
	if (arena)
		arena_reset(arena);
}

static struct arena_block *
block_with_room(struct arena *arena, size_t bytes)
{
	struct arena_block *block = arena->block;
	size_t size;

	if (block && block->size - block->used >= bytes)
		return block;
	size = bytes > BLOCK_BYTES_MIN ? bytes : BLOCK_BYTES_MIN;
	block = mem_alloc(sizeof(*block) + size);
	block->size = size;
	block->next = arena->block;
	arena->block = block;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *block;
	void *ptr;

	if (bytes > arena->bytes_max)
		return NULL;
	bytes = (bytes + align - 1) / align * align;
	if (bytes > arena->bytes_max - arena->used)
		return NULL;
	block = block_with_room(arena, bytes);
	ptr = block->bytes + block->used;
	block->used += bytes;
	arena->used += bytes;
	return ptr;
}

bool
arena_copy(struct arena *arena, struct span from, struct span *copy)
{
	char *ptr = arena_alloc(arena, from.len + 1);

	if (!ptr)
		return false;
	if (from.len)
		memcpy(ptr, from.ptr, from.len);
	ptr[from.len] = '\0';
	*copy = span_of(ptr, from.len);
	return true;
}
