/* See spool_overlap.h. */
#include "spool/spool_overlap.h"

enum {
	ALONE_FIRST = 16, /* timed before the first try */
	ALONE_AGAIN = 32, /* timed again after a long time beside others */
	ALONE_LONG = 512, /* where it did not pay */
	BESIDE_LEAST = 32, /* timed before it is judged */
	BESIDE_LONG = 4096, /* then it is compared with alone again */
	SLOW_US = 2500, /* a sync that is worth it */
	SHARE = 4, /* begun in the time that one takes */
};

void
spool_overlap_init(struct spool_overlap *overlap)
{
	*overlap = (struct spool_overlap){.alone_left = ALONE_FIRST};
}

static uint64_t
smooth(uint64_t before, uint64_t now)
{
	return before ? (before * 7 + now) / 8 : now;
}

void
spool_overlap_alone(struct spool_overlap *overlap, uint64_t took_us)
{
	overlap->alone_us = smooth(overlap->alone_us, took_us);
	if (overlap->alone_left)
		overlap->alone_left--;
}

void
spool_overlap_beside(struct spool_overlap *overlap, uint64_t took_us)
{
	unsigned alone = 0;

	overlap->beside_us = smooth(overlap->beside_us, took_us);
	overlap->beside_count++;
	/* Who comes waits half a turn for a batch that goes alone, so a third more is as good. */
	if (overlap->beside_count >= BESIDE_LEAST &&
	    overlap->beside_us > overlap->alone_us + overlap->alone_us / 3)
		alone = ALONE_LONG;
	else if (overlap->beside_count >= BESIDE_LONG)
		alone = ALONE_AGAIN;
	if (alone == 0)
		return;
	overlap->alone_left = alone;
	overlap->beside_count = 0;
	overlap->beside_us = 0;
}

uint64_t
spool_overlap_wait_ms(const struct spool_overlap *overlap)
{
	uint64_t wait_ms = overlap->alone_us / 1000 / SHARE;

	if (overlap->alone_left || overlap->alone_us < SLOW_US)
		return 0;
	return wait_ms ? wait_ms : 1;
}
