/* Runs of many seeds. */
#pragma once

#include "sim_scenario.h"

enum { RUN_JOBS_MAX = 64, RUN_MARKS_MAX = 512, RUN_TEXT_BYTES = 1 << 14 };

/* Faults beside those that a seed has of its own: what finds a certain kind of bug. */
enum emphasis {
	EMPHASIS_NONE,
	EMPHASIS_CUTS,
	EMPHASIS_ROT,
	EMPHASIS_SYNCS,
	EMPHASIS_DEATHS,
	EMPHASIS_SLOW,
	EMPHASIS_COUNT,
};
const char *run_emphasis_name(enum emphasis emphasis);

struct run_options {
	uint64_t from, count, minutes;
	unsigned jobs;
	enum sim_bug bug;
	enum emphasis emphasis;
	bool verbose, until_stopped, say_marks, say_hash, first_failure;
};

/* What a seed's process says when it is over. */
struct run_result {
	uint64_t seed;
	bool passed;
	struct scenario_numbers numbers;
	uint64_t marks[RUN_MARKS_MAX];
	char said[RUN_TEXT_BYTES]; /* what it printed, or the end of it */
};

/*
 * Runs the seeds, several at a time; calls each for every result, in the order in which they end.
 * It ends early when each says false.
 */
void run_each(const struct run_options *options,
    bool (*each)(void *owner, const struct run_result *result), void *owner);

/* A mark that no simulation reaches, as sim_report.c says why. */
bool run_mark_is_allowed(const char *name);

/* Exit statuses. */
int run_seeds(const struct run_options *options);
int run_tap(const struct run_options *options);
