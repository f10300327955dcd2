/* A table of sets; a key may be in one of the ways of its set. */
#include "sasl/guard.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"

struct entry {
	uint64_t key; /* hash of it */
	uint64_t last_ms;
	_Atomic uint64_t count; /* 0: free */
};

struct guard {
	uint64_t seed[2];
	struct entry entries[GUARD_SETS][GUARD_WAYS];
};

struct guard *
guard_create(const uint64_t seed[2])
{
	struct guard *guard = mem_alloc(sizeof(*guard));

	memcpy(guard->seed, seed, sizeof(guard->seed));
	return guard;
}

void
guard_destroy(struct guard *guard)
{
	mem_free(guard);
}

size_t
guard_bytes(void)
{
	return sizeof(struct guard);
}

void
guard_format(void *memory, const uint64_t seed[2])
{
	struct guard *guard = memory;

	memcpy(guard->seed, seed, sizeof(guard->seed));
}

struct guard *
guard_open(void *memory)
{
	return memory;
}

/* Another process, which shares the memory, may be a little ahead of our clock. */
static uint64_t
since_ms(const struct entry *entry, uint64_t now_ms)
{
	return now_ms > entry->last_ms ? now_ms - entry->last_ms : 0;
}

static bool
is_old(const struct entry *entry, uint64_t now_ms)
{
	return entry->count == 0 || since_ms(entry, now_ms) >= GUARD_FORGET_MS;
}

static struct entry *
find(const struct guard *guard, struct span key)
{
	uint64_t hash = map_hash(guard->seed, key);
	const struct entry *set = guard->entries[hash % GUARD_SETS];

	for (size_t i = 0; i < GUARD_WAYS; i++)
		if (set[i].count > 0 && set[i].key == hash)
			return (struct entry *)(uintptr_t)&set[i];
	return NULL;
}

uint64_t
guard_wait_ms(const struct guard *guard, struct span key, uint64_t limit,
    uint64_t pause_ms, uint64_t now_ms)
{
	const struct entry *entry = find(guard, key);
	uint64_t past_ms;

	if (!entry || limit == 0 || entry->count < limit || is_old(entry, now_ms))
		return 0;
	for (uint64_t i = limit; i < entry->count && pause_ms < GUARD_PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > GUARD_PAUSE_MAX_MS)
		pause_ms = GUARD_PAUSE_MAX_MS;
	past_ms = since_ms(entry, now_ms);
	return past_ms < pause_ms ? pause_ms - past_ms : 0;
}

/* The way of a set that a new key takes: a free one, else the one with the fewest failures. */
static struct entry *
make_room(struct guard *guard, uint64_t hash, uint64_t now_ms)
{
	struct entry *set = guard->entries[hash % GUARD_SETS], *least = &set[0];

	for (size_t i = 0; i < GUARD_WAYS; i++) {
		if (is_old(&set[i], now_ms)) {
			least = &set[i];
			break;
		}
		if (set[i].count < least->count ||
		    (set[i].count == least->count && set[i].last_ms < least->last_ms))
			least = &set[i];
	}
	*least = (struct entry){.key = hash};
	return least;
}

uint64_t
guard_count(struct guard *guard, struct span key, uint64_t now_ms)
{
	struct entry *entry = find(guard, key);

	if (!entry)
		entry = make_room(guard, map_hash(guard->seed, key), now_ms);
	if (is_old(entry, now_ms))
		entry->count = 0;
	entry->count++;
	entry->last_ms = now_ms;
	return entry->count;
}

void
guard_take_back(struct guard *guard, struct span key)
{
	struct entry *entry = find(guard, key);
	uint64_t count = entry ? entry->count : 0;

	if (count > 0)
		entry->count = count - 1;
}

void
guard_forget(struct guard *guard, struct span key)
{
	struct entry *entry = find(guard, key);

	if (entry)
		entry->count = 0;
}

bool
guard_knows(const struct guard *guard, struct span key, uint64_t now_ms)
{
	const struct entry *entry = find(guard, key);

	return entry && !is_old(entry, now_ms);
}

uint64_t
guard_delay_ms(uint64_t count, uint64_t delay_ms)
{
	uint64_t doubled = count > 0 ? count - 1 : 0;

	return delay_ms << (doubled < GUARD_DELAY_DOUBLED_MAX ? doubled
							      : GUARD_DELAY_DOUBLED_MAX);
}
