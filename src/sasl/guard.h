/*
 * Counts of failed authentications, for each client address and each login, in bounded memory.
 *
 * Each key has a count and the time of its last failure.  Up to a limit nothing happens but that
 * answers come later and later; from the limit on the key may not try for a pause, which doubles
 * with each further failure.  A key without a failure for GUARD_FORGET_MS is forgotten.
 *
 * An attempt is counted before it is judged, and taken back where it succeeds, so that a thousand
 * attempts at a time are a thousand.  Where there is no room, the key with the fewest failures
 * makes it: whoever makes up new keys can't push out one that has failed often.
 */
#pragma once

#include "base/span.h"

enum {
	GUARD_WAYS = 8,
	GUARD_SETS = 1024, /* keys kept: GUARD_SETS * GUARD_WAYS */
	GUARD_FORGET_MS = 24 * 3600 * 1000,
	GUARD_PAUSE_MAX_MS = 3600 * 1000,
	GUARD_COUNT = 3, /* of them in the keyring: hosts, logins, and logins' friends */
	GUARD_DELAY_DOUBLED_MAX = 4, /* answers wait up to 16 times the first delay */
};

struct guard;

struct guard *guard_create(const uint64_t seed[2]);
void guard_destroy(struct guard *guard);

/*
 * One in memory of guard_bytes() zeros that processes share: formatted once, opened by each, never
 * destroyed.  Two may use it at the same time, as at a reload; a count may then be one off.
 */
size_t guard_bytes(void);
void guard_format(void *memory, const uint64_t seed[2]);
struct guard *guard_open(void *memory);

/* How long the key may not try; 0: it may.  limit 0: always. */
uint64_t guard_wait_ms(const struct guard *guard, struct span key, uint64_t limit,
    uint64_t pause_ms, uint64_t now_ms);
/* Counts an attempt of the key; gives how many are counted now. */
uint64_t guard_count(struct guard *guard, struct span key, uint64_t now_ms);
/* The attempt was no failure. */
void guard_take_back(struct guard *guard, struct span key);
/* The key is as good as new. */
void guard_forget(struct guard *guard, struct span key);
/* True where the key is counted. */
bool guard_knows(const struct guard *guard, struct span key, uint64_t now_ms);
/* How late the answer to the count-th failure comes, for a first delay. */
uint64_t guard_delay_ms(uint64_t count, uint64_t delay_ms);
