/* Open addressing with linear probing; at most three quarters of the slots are in use. */
#include "base/map.h"

#include "base/arena.h"
#include "base/check.h"

enum { ROOM_MIN = 16 };

struct map_slot {
	struct span key; /* ptr NULL: the key is the number */
	uint64_t number; /* the hash of a byte key, or the key itself */
	void *value;     /* NULL: free; DELETED: was in use */
};

static char deleted_marker(void);
#define DELETED ((void *)(uintptr_t)deleted_marker)

/* Exists for its address only. */
static char
deleted_marker(void)
{
	return 0;
}

static uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t
map_hash(const uint64_t seed[2], struct span key)
{
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
	    seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
	uint64_t word;
	size_t left = key.len;
	const char *at = key.ptr;

	for (; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = (uint64_t)key.len << 56;
	if (left)
		memcpy(&word, at, left);
	word = (word & 0x00ffffffffffffff) | (uint64_t)key.len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
map_init(struct map *map, const uint64_t seed[2])
{
	*map = (struct map){.seed = {seed[0], seed[1]}};
}

void
map_fini(struct map *map)
{
	if (!map)
		return;
	mem_free(map->slots);
	map->slots = NULL;
	map->count = map->room = map->deleted = 0;
}

static bool
same_key(const struct map_slot *slot, struct span key, uint64_t number)
{
	if (slot->number != number || (slot->key.ptr == NULL) != (key.ptr == NULL))
		return false;
	return key.ptr == NULL || span_eq(slot->key, key);
}

static size_t
slot_of_number(const struct map *map, uint64_t number)
{
	/* Numbers come in sequences: spread them over the table. */
	return (size_t)((number * 0x9e3779b97f4a7c15) >> 20) & (map->room - 1);
}

static struct map_slot *
find(const struct map *map, struct span key, uint64_t number)
{
	if (map->room == 0)
		return NULL;
	for (size_t at = slot_of_number(map, number);; at = (at + 1) & (map->room - 1)) {
		struct map_slot *slot = &map->slots[at];

		if (slot->value == NULL)
			return NULL;
		if (slot->value != DELETED && same_key(slot, key, number))
			return slot;
	}
}

static void
insert(struct map *map, struct map_slot entry)
{
	size_t at = slot_of_number(map, entry.number);

	while (map->slots[at].value != NULL && map->slots[at].value != DELETED)
		at = (at + 1) & (map->room - 1);
	if (map->slots[at].value == DELETED)
		map->deleted--;
	map->slots[at] = entry;
	map->count++;
}

static void
make_room(struct map *map)
{
	struct map old = *map;

	if (map->room && (map->count + map->deleted + 1) * 4 <= map->room * 3)
		return;
	map->room = map->room ? map->room : ROOM_MIN;
	while ((map->count + 1) * 2 > map->room)
		map->room *= 2;
	map->slots = mem_alloc(map->room * sizeof(*map->slots));
	map->count = map->deleted = 0;
	for (size_t i = 0; i < old.room; i++)
		if (old.slots[i].value != NULL && old.slots[i].value != DELETED)
			insert(map, old.slots[i]);
	mem_free(old.slots);
}

static void
set(struct map *map, struct span key, uint64_t number, void *value)
{
	struct map_slot *slot = find(map, key, number);

	check(value != NULL);
	if (slot) {
		slot->key = key;
		slot->value = value;
		return;
	}
	make_room(map);
	insert(map, (struct map_slot){key, number, value});
}

static void *
take(struct map *map, struct map_slot *slot)
{
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	*slot = (struct map_slot){.value = DELETED};
	map->count--;
	map->deleted++;
	return value;
}

static struct span
byte_key(struct span key)
{
	return key.ptr ? key : SPAN("");
}

void *
map_get(const struct map *map, struct span key)
{
	struct map_slot *slot = find(map, byte_key(key), map_hash(map->seed, key));

	return slot ? slot->value : NULL;
}

void
map_set(struct map *map, struct span key, void *value)
{
	set(map, byte_key(key), map_hash(map->seed, key), value);
}

void *
map_remove(struct map *map, struct span key)
{
	return take(map, find(map, byte_key(key), map_hash(map->seed, key)));
}

void *
map_get_u64(const struct map *map, uint64_t key)
{
	struct map_slot *slot = find(map, (struct span){0}, key);

	return slot ? slot->value : NULL;
}

void
map_set_u64(struct map *map, uint64_t key, void *value)
{
	set(map, (struct span){0}, key, value);
}

void *
map_remove_u64(struct map *map, uint64_t key)
{
	return take(map, find(map, (struct span){0}, key));
}

void *
map_next(const struct map *map, size_t *at)
{
	while (*at < map->room) {
		void *value = map->slots[(*at)++].value;

		if (value != NULL && value != DELETED)
			return value;
	}
	return NULL;
}
