/*
 * Whether, and how soon, a batch may begin beside others: pure, from how long batches took.
 *
 * A batch that begins at once waits less but carries less.  That pays where syncs take
 * long and truly run side by side; it does not where they are quick, nor where the disk
 * does one after the other.  So batches are timed: some alone, then some beside others;
 * if those took much longer, they go alone for a while, and then it is tried again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct spool_overlap {
	uint64_t alone_us, beside_us; /* how long one takes, smoothed */
	unsigned alone_left; /* so many more go alone */
	unsigned beside_count; /* timed since then */
};

void spool_overlap_init(struct spool_overlap *overlap);
/* A batch ended that began alone (and stayed alone), or beside others. */
void spool_overlap_alone(struct spool_overlap *overlap, uint64_t took_us);
void spool_overlap_beside(struct spool_overlap *overlap, uint64_t took_us);
/* After how long the next may begin beside the newest; 0: only when it has ended. */
uint64_t spool_overlap_wait_ms(const struct spool_overlap *overlap);
