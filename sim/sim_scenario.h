/*
 * A scenario: from a seed, servers, clients, other servers, letters and a time that they have;
 * faults; then a healed world in which everything must come to its end.
 */
#pragma once

#include "sim.h"

struct scenario_numbers {
	uint64_t hash, steps, simulated_ms;
	uint64_t letters, promised, copies, bounces, notices, doubts;
	uint64_t deleted, dropped, damaged, duplicates;
	uint64_t actor_faults;
	uint64_t events[SIM_EVENT_COUNT];
};

/* Runs it to its end; whatever is wrong ends the process (sim_fail). */
struct scenario_numbers scenario_run(const struct sim_options *options);
