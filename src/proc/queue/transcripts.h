/*
 * Transcripts of the latest attempts that failed or were slow, in memory: so many, and so many
 * bytes, the oldest go first.  Pure, but for memory.
 */
#pragma once

#include "base/list.h"
#include "base/span.h"

struct transcripts {
	struct list kept; /* the oldest first */
	size_t count, bytes;
};

struct transcript_kept {
	struct list node;
	uint64_t id, began_wall_ms, took_ms;
	bool slow;
	struct span destination, steps; /* behind it */
};

void transcripts_init(struct transcripts *transcripts);
void transcripts_fini(struct transcripts *transcripts);
/* Copies what is given; what is beyond the limits goes. */
void transcripts_keep(struct transcripts *transcripts, const struct transcript_kept *given,
    size_t count_max, size_t bytes_max);
