/*
 * Hash maps from a number or from bytes to a pointer.  The map owns neither
 * keys nor values: a key given as a span must live as long as its entry (it
 * usually is a part of the value).  Hashing is keyed (SipHash-1-3), so that
 * nobody outside can choose keys that collide.
 */
#pragma once

#include "base/span.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t count;
	size_t room;    /* slots; a power of two, or 0 */
	size_t deleted; /* slots that held something */
	uint64_t seed[2];
};

/* An empty map; seed may be any two numbers, in production random ones. */
void map_init(struct map *map, const uint64_t seed[2]);
void map_fini(struct map *map);

void *map_get(const struct map *map, struct span key);
/* Sets; an entry with the same key is replaced, its key too. */
void map_set(struct map *map, struct span key, void *value);
/* Removes and gives what was there; NULL where nothing was. */
void *map_remove(struct map *map, struct span key);

void *map_get_u64(const struct map *map, uint64_t key);
void map_set_u64(struct map *map, uint64_t key, void *value);
void *map_remove_u64(struct map *map, uint64_t key);

/*
 * Walks all entries in no order: *at starts at 0; NULL ends.  Entries may be
 * removed meanwhile, not added.
 */
void *map_next(const struct map *map, size_t *at);

/* SipHash-1-3 of bytes. */
uint64_t map_hash(const uint64_t seed[2], struct span key);
