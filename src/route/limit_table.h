/*
 * What is known of clients' addresses and networks: sessions at a time and rates, over all
 * reception processes.  Pure: it works on memory that is given to it, which the processes share,
 * and on times that are arguments.
 *
 * The memory is believed by nobody: another process may be in the hands of an attacker.  No
 * offset, length or pointer is read from it, only numbers, and each number has a range that is
 * held where it is read.  So a wrong one can refuse clients, or let some pass, and do no more.
 *
 * The table has a fixed size: sets of eight slots.  An address is looked for in one set only.
 * Where it is in none of them it takes the place of one that need not be remembered, else of the
 * one without sessions that may be forgotten first; where all eight have sessions it is not
 * counted (and the limit of all sessions still holds).
 */
#pragma once

#include <stdatomic.h>

#include "base/net.h"
#include "route/rate.h"

enum limit_rate {
	LIMIT_RATE_CONNECTIONS,
	LIMIT_RATE_MESSAGES,
	LIMIT_RATE_RECIPIENTS,
	LIMIT_RATE_FAILURES,
	LIMIT_RATE_COUNT,
};

enum { LIMIT_TABLE_WAYS = 8, LIMIT_TABLE_INSTANCES_MAX = 64 };

#define LIMIT_NO_SLOT UINT32_MAX

struct limit_head;
struct limit_slot;

struct limit_table {
	struct limit_head *head;
	_Atomic uint64_t *tags; /* what a slot is for; 0: nothing */
	struct limit_slot *slots;
	size_t set_count;
	uint64_t seed[2];
	unsigned instance;
};

/* How much memory is shared where there may be so many sessions. */
size_t limit_table_bytes(uint64_t sessions_max);
/* Once, before any process uses it: the memory is zero, and the seed is random. */
void limit_table_format(void *memory, const uint64_t seed[2]);
/*
 * One process's view; bytes is what limit_table_bytes gave when the memory was made.  Forgets the
 * sessions of the process that had this instance before.
 */
void limit_table_open(
    struct limit_table *table, void *memory, size_t bytes, unsigned instance);

/* The slot of a key; LIMIT_NO_SLOT where there is no room.  All that follows takes that too. */
uint32_t limit_table_find(struct limit_table *table, struct span key, uint64_t now_ms);
/* Sessions at a time, of all processes. */
unsigned limit_table_sessions(const struct limit_table *table, uint32_t slot);
void limit_table_enter(struct limit_table *table, uint32_t slot);
void limit_table_leave(struct limit_table *table, uint32_t slot);
/* Whether a token is there. */
bool limit_table_may(const struct limit_table *table, uint32_t slot, enum limit_rate rate,
    const struct rate_limit *limit, uint64_t now_ms);
/* Takes one, there or not. */
void limit_table_charge(struct limit_table *table, uint32_t slot, enum limit_rate rate,
    const struct rate_limit *limit, uint64_t now_ms);

/* Sessions in all: of all processes; and what this one has. */
uint64_t limit_table_total(const struct limit_table *table);
void limit_table_set_total(struct limit_table *table, uint64_t sessions);
