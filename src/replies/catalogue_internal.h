/*
 * What tools/catalogue_gen.c makes of src/replies/catalogue/: the tables
 * behind catalogue.h.  Nobody but catalogue*.c includes this.
 */
#pragma once

#include "replies/catalogue.h"

/* Two codes that were compared by hand; the lower one is a. */
struct catalogue_pair {
	const char *a;
	const char *b;
	const char *difference;
	const char *when; /* "" in pairs of classes, as client */
	const char *client;
	const char *choose;
};

extern const struct catalogue_entry catalogue_entries[];
extern const size_t catalogue_entry_count;
extern const struct catalogue_group catalogue_groups[];
extern const size_t catalogue_group_count;
extern const struct catalogue_pair catalogue_pairs[];
extern const size_t catalogue_pair_count;
/* Sorted by kind. */
extern const struct catalogue_topic catalogue_topics[];
extern const size_t catalogue_topic_count;
