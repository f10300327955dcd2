/*
 * Connections that wait for the next attempt that goes the same way, found by a key that says
 * which way that is.  The pool owns nothing: an entry is a member of what it keeps.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"

struct pool_entry {
	struct list node;  /* by age */
	struct span key;   /* the owner's memory, for as long as it is kept */
	struct pool_entry *older, *newer; /* of the same key */
	uint64_t since_ms;
};

struct pool {
	struct map ways; /* the newest of each key */
	struct list entries; /* the oldest in front */
	size_t count;
};

void pool_init(struct pool *pool, const uint64_t seed[2]);
/* The pool is empty. */
void pool_fini(struct pool *pool);
/* Keeps an entry, whose key is set, and which is in no pool. */
void pool_put(struct pool *pool, struct pool_entry *entry, uint64_t now_ms);
/* Takes out the one that was put last under a key; NULL where there is none. */
struct pool_entry *pool_take(struct pool *pool, struct span key);
/* Takes one out; nothing where it is in no pool. */
void pool_remove(struct pool *pool, struct pool_entry *entry);
/* The one that has waited longest; NULL where the pool is empty. */
struct pool_entry *pool_oldest(const struct pool *pool);
