/*
 * Hash tables from a key to a slot of a pool: 5 bytes a place.  The keys stay in the slots,
 * and the owner of the table gives their hashes.  Private to src/sched.
 *
 * The table is in shards, each of which grows alone, so that no operation takes long.
 */
#pragma once

#include "base/span.h"

enum { INDEX_SHARD_BITS = 6, INDEX_SHARDS = 1 << INDEX_SHARD_BITS };

struct index_shard {
	uint32_t *places; /* slots, and behind them a byte of each one's hash */
	uint32_t room, count;
};

struct index {
	const void *owner;
	uint32_t (*hash)(const void *owner, uint32_t slot); /* of a slot's key */
	struct index_shard shards[INDEX_SHARDS];
	size_t count;
};

void sched_index_init(struct index *index, const void *owner,
    uint32_t (*hash)(const void *owner, uint32_t slot));
void sched_index_fini(struct index *index);
/* The slot with this hash that is the one; POOL_NONE. */
uint32_t sched_index_find(const struct index *index, uint32_t hash,
    bool (*is)(const void *owner, uint32_t slot, const void *key), const void *key);
/* Makes room for so many in all, so that it need not grow on the way there. */
void sched_index_reserve(struct index *index, size_t count);
/* The key is in the slot, and not in the table. */
void sched_index_add(struct index *index, uint32_t slot);
/* The key is still in the slot, and the slot in the table. */
void sched_index_remove(struct index *index, uint32_t slot);
size_t sched_index_bytes(const struct index *index);

/* A hash of two numbers, with a seed. */
uint32_t sched_index_mix(uint64_t seed, uint64_t a, uint64_t b);
