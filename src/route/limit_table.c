/*
 * The memory, in this order:
 *
 *     head        the seed, and each process's sessions
 *     tags        8 bytes for each slot: 64 for a set
 *     slots       four rates, and each process's sessions
 *
 * Each process writes only its own counts of sessions, so that what a process had when it died
 * can be told from the rest.  Rates are written by all, by compare-and-swap.
 */
#include "route/limit_table.h"

#include <assert.h>

#include "base/check.h"
#include "base/map.h"

enum {
	HEAD_BYTES = 64 + LIMIT_TABLE_INSTANCES_MAX * 64,
	/* A session has two slots, of its address and of its network; sets must not be full. */
	SLOTS_PER_SESSION = 8,
	SETS_MIN = 512,
	SETS_MAX = 1 << 17,
	SWAPS_MAX = 8, /* a rate that many processes change at once is not waited for */
};

struct limit_total {
	_Atomic uint64_t sessions;
	_Atomic uint64_t opened; /* there was a process of this instance */
	char pad[48]; /* of a cache line each */
};

struct limit_head {
	uint64_t seed[2];
	char pad[48];
	struct limit_total totals[LIMIT_TABLE_INSTANCES_MAX];
};

struct limit_slot {
	_Atomic uint64_t full_ns[LIMIT_RATE_COUNT];
	_Atomic uint16_t sessions[LIMIT_TABLE_INSTANCES_MAX]; /* of each process */
};

static_assert(sizeof(struct limit_head) == HEAD_BYTES, "as it is laid out");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "no locks in memory that others write");

static size_t
count_sets(uint64_t sessions_max)
{
	size_t sets = SETS_MIN;

	while (sets < SETS_MAX &&
	    (uint64_t)sets * LIMIT_TABLE_WAYS < sessions_max * SLOTS_PER_SESSION)
		sets *= 2;
	return sets;
}

static const size_t set_bytes =
    LIMIT_TABLE_WAYS * (sizeof(uint64_t) + sizeof(struct limit_slot));

size_t
limit_table_bytes(uint64_t sessions_max)
{
	return HEAD_BYTES + count_sets(sessions_max) * set_bytes;
}

void
limit_table_format(void *memory, const uint64_t seed[2])
{
	struct limit_head *head = memory;

	head->seed[0] = seed[0];
	head->seed[1] = seed[1];
}

static struct limit_slot *
slot_at(const struct limit_table *table, uint32_t slot)
{
	check(slot < table->set_count * LIMIT_TABLE_WAYS);
	return &table->slots[slot];
}

void
limit_table_open(struct limit_table *table, void *memory, size_t bytes, unsigned instance)
{
	size_t slots;

	check(instance < LIMIT_TABLE_INSTANCES_MAX);
	check(bytes >= HEAD_BYTES + SETS_MIN * set_bytes);
	table->head = memory;
	table->set_count = SETS_MIN;
	while (HEAD_BYTES + 2 * table->set_count * set_bytes <= bytes)
		table->set_count *= 2;
	table->instance = instance;
	slots = table->set_count * LIMIT_TABLE_WAYS;
	table->tags = (_Atomic uint64_t *)(void *)((char *)memory + HEAD_BYTES);
	table->slots = (struct limit_slot *)(void *)(table->tags + slots);
	memcpy(table->seed, table->head->seed, sizeof(table->seed));
	limit_table_set_total(table, 0);
	if (atomic_exchange(&table->head->totals[instance].opened, 1) == 0)
		return;
	for (uint32_t i = 0; i < slots; i++)
		if (atomic_load_explicit(&table->tags[i], memory_order_relaxed) != 0)
			atomic_store_explicit(&slot_at(table, i)->sessions[instance], 0,
			    memory_order_relaxed);
}

static uint64_t
load_rate(const struct limit_slot *slot, unsigned rate, uint64_t now_ms)
{
	uint64_t full_ns = atomic_load_explicit(&slot->full_ns[rate], memory_order_relaxed);
	uint64_t latest_ns = (now_ms + RATE_PERIOD_MS_MAX) * 1000000;

	/* No honest process wrote that. */
	return full_ns > latest_ns ? 0 : full_ns;
}

static unsigned
count_sessions(const struct limit_slot *slot)
{
	unsigned sessions = 0;

	for (unsigned i = 0; i < LIMIT_TABLE_INSTANCES_MAX; i++)
		sessions += atomic_load_explicit(&slot->sessions[i], memory_order_relaxed);
	return sessions;
}

/* When all rates of a slot are as new ones; UINT64_MAX: never, it has sessions. */
static uint64_t
forgettable_ns(const struct limit_slot *slot, uint64_t now_ms)
{
	uint64_t latest_ns = 0;

	if (count_sessions(slot) > 0)
		return UINT64_MAX;
	for (unsigned i = 0; i < LIMIT_RATE_COUNT; i++) {
		uint64_t full_ns = load_rate(slot, i, now_ms);

		if (full_ns > latest_ns)
			latest_ns = full_ns;
	}
	return latest_ns;
}

/* Makes a slot another key's; false where another process was faster. */
static bool
claim(struct limit_table *table, uint32_t slot, uint64_t before, uint64_t tag)
{
	if (!atomic_compare_exchange_strong(&table->tags[slot], &before, tag))
		return false;
	for (unsigned i = 0; i < LIMIT_RATE_COUNT; i++)
		atomic_store_explicit(
		    &slot_at(table, slot)->full_ns[i], 0, memory_order_relaxed);
	return true;
}

uint32_t
limit_table_find(struct limit_table *table, struct span key, uint64_t now_ms)
{
	uint64_t tag = map_hash(table->seed, key) | 1;
	uint32_t first = (uint32_t)((tag >> 1) & (table->set_count - 1)) * LIMIT_TABLE_WAYS;
	uint32_t best = LIMIT_NO_SLOT;
	uint64_t best_ns = UINT64_MAX, best_tag = 0;

	for (uint32_t i = first; i < first + LIMIT_TABLE_WAYS; i++)
		if (atomic_load_explicit(&table->tags[i], memory_order_relaxed) == tag)
			return i;
	for (uint32_t i = first; i < first + LIMIT_TABLE_WAYS && best_ns > 0; i++) {
		uint64_t old = atomic_load_explicit(&table->tags[i], memory_order_relaxed);
		uint64_t ns = old ? forgettable_ns(slot_at(table, i), now_ms) : 0;

		if (ns < best_ns) {
			best = i;
			best_ns = ns;
			best_tag = old;
		}
	}
	return best != LIMIT_NO_SLOT && claim(table, best, best_tag, tag) ? best : LIMIT_NO_SLOT;
}

unsigned
limit_table_sessions(const struct limit_table *table, uint32_t slot)
{
	return slot == LIMIT_NO_SLOT ? 0 : count_sessions(slot_at(table, slot));
}

/* Only this process writes its count, so to load and to store is enough. */
static void
add_sessions(struct limit_table *table, uint32_t slot, int add)
{
	_Atomic uint16_t *own;
	unsigned now;

	if (slot == LIMIT_NO_SLOT)
		return;
	own = &slot_at(table, slot)->sessions[table->instance];
	now = atomic_load_explicit(own, memory_order_relaxed);
	if (add < 0 && now > 0)
		now--;
	if (add > 0 && now < UINT16_MAX)
		now++;
	atomic_store_explicit(own, (uint16_t)now, memory_order_relaxed);
}

void
limit_table_enter(struct limit_table *table, uint32_t slot)
{
	add_sessions(table, slot, 1);
}

void
limit_table_leave(struct limit_table *table, uint32_t slot)
{
	add_sessions(table, slot, -1);
}

bool
limit_table_may(const struct limit_table *table, uint32_t slot, enum limit_rate rate,
    const struct rate_limit *limit, uint64_t now_ms)
{
	struct rate now;

	if (slot == LIMIT_NO_SLOT || limit->count == 0)
		return true;
	now.full_ns = load_rate(slot_at(table, slot), rate, now_ms);
	return rate_next_ms(&now, limit, now_ms) <= now_ms;
}

void
limit_table_charge(struct limit_table *table, uint32_t slot, enum limit_rate rate,
    const struct rate_limit *limit, uint64_t now_ms)
{
	_Atomic uint64_t *full_ns;

	if (slot == LIMIT_NO_SLOT || limit->count == 0)
		return;
	full_ns = &slot_at(table, slot)->full_ns[rate];
	for (int i = 0; i < SWAPS_MAX; i++) {
		uint64_t before = atomic_load_explicit(full_ns, memory_order_relaxed);
		struct rate after = {.full_ns = load_rate(slot_at(table, slot), rate, now_ms)};

		rate_charge(&after, limit, now_ms);
		if (atomic_compare_exchange_weak(full_ns, &before, after.full_ns))
			return;
	}
}

uint64_t
limit_table_total(const struct limit_table *table)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < LIMIT_TABLE_INSTANCES_MAX; i++)
		total += atomic_load_explicit(
		    &table->head->totals[i].sessions, memory_order_relaxed) & UINT32_MAX;
	return total;
}

void
limit_table_set_total(struct limit_table *table, uint64_t sessions)
{
	atomic_store_explicit(&table->head->totals[table->instance].sessions, sessions,
	    memory_order_relaxed);
}
