/*
 * The one home of malloc and free.  The simulator has another (sim/sim_memory.c), which charges
 * each role for what it allocates.
 */
#include "base/arena.h"

#include <stdlib.h>

#include "base/check.h"

void *
mem_alloc(size_t bytes)
{
	void *ptr = calloc(1, bytes ? bytes : 1);

	check(ptr != NULL);
	return ptr;
}

void *
mem_realloc(void *ptr, size_t bytes)
{
	void *grown = realloc(ptr, bytes ? bytes : 1);

	check(grown != NULL);
	return grown;
}

void
mem_free(void *ptr)
{
	free(ptr);
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
