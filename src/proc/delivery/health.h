/*
 * Addresses that are left alone for a while: those that let time run out instead of answering.
 * Each costs one time-out for all the mail that would go there; then one attempt at a time probes
 * it, after a wait that doubles.  One that says no at once costs nothing, and is none of them.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "base/net.h"

enum {
	HEALTH_COUNT_MAX = 4096, /* addresses; the one that was added first is forgotten */
};

struct health {
	uint64_t wait_ms_min, wait_ms_max;
	struct map silent;
	struct list ages; /* the oldest in front */
	size_t count;
};

/* The first wait, which doubles up to the last one. */
void health_init(struct health *health, const uint64_t seed[2], uint64_t wait_ms_min,
    uint64_t wait_ms_max);
void health_fini(struct health *health);
/* No answer came; it is left alone for a while, but no longer than wait_ms_max. */
void health_silent(struct health *health, const struct net_addr *addr, uint64_t now_ms,
    uint64_t wait_ms_max);
/* It answered, whatever it said. */
void health_answers(struct health *health, const struct net_addr *addr);
/* How long it is to be left alone; 0: it may be tried. */
uint64_t health_wait_ms(
    const struct health *health, const struct net_addr *addr, uint64_t now_ms);
/* Somebody tries it, and takes so long at most: nobody else does meanwhile.  Nothing of others. */
void health_probing(struct health *health, const struct net_addr *addr, uint64_t now_ms,
    uint64_t probe_ms);
