/*
 * What a run of many seeds says at its end, or as it goes.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "sim_run.h"

/* So many seeds should reach every mark. */
enum { MARKS_SEEDS_MIN = 300, PROGRESS_SEEDS = 500 };

/* Marks that a simulation does not reach, and why. */
static const struct {
	const char *name, *why;
} allowed[] = {
    {"spool.copy_overtaken",
        "a mark must fall into the moment of a copy; src/spool/spool_test.c makes it fall there"},
    {"spool.body_missing", "no fault takes a file away that was synced; a deliberate bug does"},
    {"reception.commit_waits", "the queue must be megabytes behind; test/e2e has it so"},
    {"spool.segment_no_space",
        "room is looked for before: the disk must fill between that and the allocation"},
    {"spool.first_header_torn",
        "one seed in 400 has it so; src/spool/spool_header_test.c tears every header"},
};

struct tally {
	const struct run_options *options;
	uint64_t passed, failed, twice_differs;
	struct scenario_numbers sum;
	uint64_t marks[RUN_MARKS_MAX];
	unsigned mark_seeds[RUN_MARKS_MAX]; /* that reached it */
};

static void
add(struct scenario_numbers *sum, const struct scenario_numbers *numbers)
{
	sum->steps += numbers->steps;
	sum->simulated_ms += numbers->simulated_ms;
	sum->letters += numbers->letters;
	sum->promised += numbers->promised;
	sum->copies += numbers->copies;
	sum->bounces += numbers->bounces;
	sum->notices += numbers->notices;
	sum->doubts += numbers->doubts;
	sum->deleted += numbers->deleted;
	sum->dropped += numbers->dropped;
	sum->damaged += numbers->damaged;
	sum->duplicates += numbers->duplicates;
	sum->actor_faults += numbers->actor_faults;
	for (int i = 0; i < SIM_EVENT_COUNT; i++)
		sum->events[i] += numbers->events[i];
}

static void
say_failure(const struct run_options *options, const struct run_result *result)
{
	printf("seed %llu failed:\n%s", (unsigned long long)result->seed, result->said);
	printf("    to see it again: make sim SEED=%llu%s%s\n", (unsigned long long)result->seed,
	    options->bug ? " BUG=" : "", options->bug ? sim_bug_name(options->bug) : "");
}

static void say_sum(const struct tally *tally);

static bool
take(void *owner, const struct run_result *result)
{
	struct tally *tally = owner;

	if (!result->passed) {
		tally->failed++;
		say_failure(tally->options, result);
		return !tally->options->first_failure;
	}
	tally->passed++;
	add(&tally->sum, &result->numbers);
	for (size_t i = 0; i < RUN_MARKS_MAX; i++) {
		tally->marks[i] += result->marks[i];
		tally->mark_seeds[i] += result->marks[i] > 0;
	}
	if (tally->options->say_hash)
		printf("seed %llu: hash %016llx, %llu steps\n", (unsigned long long)result->seed,
		    (unsigned long long)result->numbers.hash,
		    (unsigned long long)result->numbers.steps);
	if ((tally->passed + tally->failed) % PROGRESS_SEEDS == 0)
		say_sum(tally);
	return true;
}

static void
say_sum(const struct tally *tally)
{
	const struct scenario_numbers *sum = &tally->sum;
	double days = (double)sum->simulated_ms / 86400000;

	printf("%llu seeds, %.1f days simulated, %llu steps\n",
	    (unsigned long long)(tally->passed + tally->failed), days,
	    (unsigned long long)sum->steps);
	printf("%llu letters: %llu accepted, %llu left in doubt; %llu copies, %llu bounces, "
	       "%llu other notifications, %llu bounces dropped\n",
	    (unsigned long long)sum->letters, (unsigned long long)sum->promised,
	    (unsigned long long)sum->doubts, (unsigned long long)sum->copies,
	    (unsigned long long)sum->bounces, (unsigned long long)sum->notices,
	    (unsigned long long)sum->dropped);
	printf("second copies, each with its reason: %llu; damage reported: %llu\n",
	    (unsigned long long)sum->duplicates, (unsigned long long)sum->damaged);
	printf("faults: of other servers and the DNS %llu", (unsigned long long)sum->actor_faults);
	for (int i = 0; i < SIM_EVENT_COUNT; i++)
		printf(", %s %llu", sim_event_name((enum sim_event_kind)i),
		    (unsigned long long)sum->events[i]);
	printf("\n");
}

bool
run_mark_is_allowed(const char *name)
{
	for (size_t i = 0; i < LEN(allowed); i++)
		if (allowed[i].name[0] && strcmp(allowed[i].name, name) == 0)
			return true;
	return false;
}

/* A mark may stand at more than one place; gives how many were never reached. */
static unsigned
say_marks(const struct tally *tally, bool all)
{
	unsigned reached = 0, never = 0;

	for (size_t i = 0; i < sim_mark_count(); i++) {
		const struct sim_mark *mark = sim_mark_at(i);

		if (all)
			printf("%10llu in %4u seeds: %s (%s:%d)\n",
			    (unsigned long long)tally->marks[i], tally->mark_seeds[i],
			    mark->name, mark->file, mark->line);
		if (tally->marks[i] > 0) {
			reached++;
		} else if (!run_mark_is_allowed(mark->name)) {
			never++;
			printf("mark never reached: %s (%s:%d)\n", mark->name, mark->file,
			    mark->line);
		}
	}
	printf("marks: %u reached, %u never\n", reached, never);
	return never;
}

int
run_seeds(const struct run_options *options)
{
	struct tally *tally = mem_alloc(sizeof(*tally));
	unsigned never;
	int status;

	tally->options = options;
	run_each(options, take, tally);
	say_sum(tally);
	never = say_marks(tally, options->say_marks);
	if (tally->passed >= MARKS_SEEDS_MIN && never > 0 && !options->bug)
		tally->failed++;
	printf("%llu passed, %llu failed\n", (unsigned long long)tally->passed,
	    (unsigned long long)tally->failed);
	status = tally->failed > 0 || tally->passed == 0;
	mem_free(tally);
	return status;
}
