/*
 * Open addressing with linear probing.  What is removed leaves no trace: those behind it move up.
 * A shard is between 45 and 80 percent full, whatever its size, which need be no power of two.
 *
 * Beside each place stands a byte of the hash, 0 where it is free: keys, which are anywhere in
 * memory, are looked at only where it fits, one in 255 of the others.
 */
#include "sched/sched_index.h"

#include "base/arena.h"
#include "base/check.h"
#include "sched/sched_pool.h"

enum { ROOM_MIN = 8 };

/* A slot and its tag; the tags stand behind all slots of a shard. */
#define PLACE_BYTES (sizeof(uint32_t) + sizeof(uint8_t))

void
sched_index_init(struct index *index, const void *owner,
    uint32_t (*hash)(const void *owner, uint32_t slot))
{
	*index = (struct index){.owner = owner, .hash = hash};
}

void
sched_index_fini(struct index *index)
{
	for (size_t i = 0; i < INDEX_SHARDS; i++)
		mem_free(index->shards[i].places);
	*index = (struct index){0};
}

uint32_t
sched_index_mix(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ seed) * 0x9e3779b97f4a7c15;

	x ^= x >> 32;
	x = (x + b) * 0xd6e8feb86659fd93;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93;
	return (uint32_t)(x >> 32);
}

static struct index_shard *
shard_of(struct index *index, uint32_t hash)
{
	return &index->shards[hash & (INDEX_SHARDS - 1)];
}

/* Where a hash belongs: its upper bits, for the lower ones are the same in all of a shard. */
static uint32_t
home_of(const struct index_shard *shard, uint32_t hash)
{
	return (uint32_t)((uint64_t)(hash >> INDEX_SHARD_BITS) * shard->room >>
	    (32 - INDEX_SHARD_BITS));
}

/* The byte of a hash that is kept; bits that say neither the shard nor much of the home. */
static uint8_t
tag_of(uint32_t hash)
{
	return (uint8_t)((hash >> INDEX_SHARD_BITS) % UINT8_MAX + 1);
}

static uint8_t *
tags_of(const struct index_shard *shard)
{
	return (uint8_t *)(shard->places + shard->room);
}

static uint32_t
after(const struct index_shard *shard, uint32_t at)
{
	return at + 1 == shard->room ? 0 : at + 1;
}

uint32_t
sched_index_find(const struct index *index, uint32_t hash,
    bool (*is)(const void *owner, uint32_t slot, const void *key), const void *key)
{
	const struct index_shard *shard = &index->shards[hash & (INDEX_SHARDS - 1)];
	const uint8_t *tags = tags_of(shard);
	const uint8_t tag = tag_of(hash);

	if (shard->count == 0)
		return POOL_NONE;
	for (uint32_t at = home_of(shard, hash); tags[at]; at = after(shard, at))
		if (tags[at] == tag && is(index->owner, shard->places[at], key))
			return shard->places[at];
	return POOL_NONE;
}

static void
put(struct index_shard *shard, uint32_t hash, uint32_t slot)
{
	uint32_t at = home_of(shard, hash);
	uint8_t *tags = tags_of(shard);

	while (tags[at])
		at = after(shard, at);
	tags[at] = tag_of(hash);
	shard->places[at] = slot;
}

static void
resize(struct index *index, struct index_shard *shard, uint32_t room)
{
	struct index_shard old = *shard;

	shard->room = room;
	shard->places = mem_alloc(room * PLACE_BYTES);
	for (uint32_t i = 0; i < old.room; i++)
		if (tags_of(&old)[i])
			put(shard, index->hash(index->owner, old.places[i]), old.places[i]);
	mem_free(old.places);
}

static bool
has_room(const struct index_shard *shard, uint32_t count)
{
	return (uint64_t)count * 5 <= (uint64_t)shard->room * 4;
}

void
sched_index_reserve(struct index *index, size_t count)
{
	/* Chance makes some shards a little larger than others. */
	uint32_t each = (uint32_t)(count / INDEX_SHARDS + count / INDEX_SHARDS / 64);

	check(count <= POOL_SLOTS_MAX);
	for (size_t i = 0; i < INDEX_SHARDS; i++)
		if (!has_room(&index->shards[i], each))
			resize(index, &index->shards[i], each + each / 3 + 1);
}

void
sched_index_add(struct index *index, uint32_t slot)
{
	uint32_t hash = index->hash(index->owner, slot);
	struct index_shard *shard = shard_of(index, hash);

	if (!has_room(shard, shard->count + 1))
		resize(index, shard, shard->room ? shard->room + shard->room / 3 + 1 : ROOM_MIN);
	put(shard, hash, slot);
	shard->count++;
	index->count++;
}

/* Moves up whoever is behind the free place and would be found no more. */
static void
close_gap(struct index *index, struct index_shard *shard, uint32_t gap)
{
	uint8_t *tags = tags_of(shard);
	uint32_t at = gap;

	for (;;) {
		uint32_t home, distance, to_gap;

		at = after(shard, at);
		if (!tags[at])
			break;
		home = home_of(shard, index->hash(index->owner, shard->places[at]));
		distance = at >= home ? at - home : at + shard->room - home;
		to_gap = at >= gap ? at - gap : at + shard->room - gap;
		if (distance < to_gap)
			continue;
		shard->places[gap] = shard->places[at];
		tags[gap] = tags[at];
		gap = at;
	}
	tags[gap] = 0;
}

void
sched_index_remove(struct index *index, uint32_t slot)
{
	uint32_t hash = index->hash(index->owner, slot);
	struct index_shard *shard = shard_of(index, hash);
	uint32_t at;

	check(shard->count > 0);
	for (at = home_of(shard, hash); shard->places[at] != slot; at = after(shard, at))
		check(tags_of(shard)[at] != 0);
	check(tags_of(shard)[at] == tag_of(hash));
	close_gap(index, shard, at);
	shard->count--;
	index->count--;
	if (shard->room > ROOM_MIN && shard->count < shard->room / 4)
		resize(index, shard, shard->room / 2 > ROOM_MIN ? shard->room / 2 : ROOM_MIN);
}

size_t
sched_index_bytes(const struct index *index)
{
	size_t bytes = 0;

	for (size_t i = 0; i < INDEX_SHARDS; i++)
		bytes += index->shards[i].room * PLACE_BYTES;
	return bytes;
}
