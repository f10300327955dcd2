/*
 * Memory.  mem.c is the one home of malloc and free in the tree.
 *
 * An arena is named after a lifetime (session, transaction, attempt, turn):
 * all that lives as long comes from it and is freed at once.  What lives and
 * dies on its own comes from mem_alloc.  Running out of memory ends the
 * process: whatever a peer can make us allocate is bounded before, by a limit
 * that has an SMTP reply.
 */
#pragma once

#include "base/span.h"

/* Zeroed memory; never NULL.  The caller frees it with mem_free. */
void *mem_alloc(size_t bytes);
/* Grows or shrinks; what is new is not zeroed.  NULL is as mem_alloc. */
void *mem_realloc(void *ptr, size_t bytes);
void mem_free(void *ptr);
/* A NUL-terminated copy of a span, for mem_free. */
char *mem_copy(struct span span);
/* Overwrites memory that held a secret; the compiler may not leave it out. */
void mem_wipe(void *ptr, size_t bytes);

struct arena_block;

struct arena {
	struct arena_block *block;
	size_t used;      /* bytes handed out since the last reset */
	size_t bytes_max; /* hard size */
};

/* An arena that hands out at most bytes_max bytes; no memory is taken yet. */
void arena_init(struct arena *arena, size_t bytes_max);
/* Frees everything; the arena may be used again. */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);
/* Zeroed, aligned memory; NULL where the hard size would be passed. */
void *arena_alloc(struct arena *arena, size_t bytes);
/* A NUL-terminated copy; *copy is untouched and false is returned where there is no room. */
bool arena_copy(struct arena *arena, struct span from, struct span *copy);
