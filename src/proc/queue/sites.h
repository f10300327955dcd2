/*
 * Which site each destination is of: learned from who answers there (src/route/site.h).  All of it
 * is memory: after a start the next reply teaches it anew.  Pure.
 */
#pragma once

#include "base/map.h"

enum {
	SITES_KNOWN = 1 << 18, /* destinations; two that fall together are learned again */
};

struct site_name {
	size_t users; /* destinations */
	struct span name; /* the memory after the struct */
};

struct site_known {
	uint64_t destination; /* a hash; 0: nobody */
	struct site_name *site;
};

struct sites {
	uint64_t seed[2];
	struct site_known *known; /* SITES_KNOWN; NULL: nothing is known yet */
	struct map names;
};

void sites_init(struct sites *sites, const uint64_t seed[2]);
void sites_fini(struct sites *sites);
/* By a destination's key; "": it is not known.  Good until something is learned. */
struct span sites_of(const struct sites *sites, struct span key);
/* True: it was not known, or another. */
bool sites_learn(struct sites *sites, struct span key, struct span name);
