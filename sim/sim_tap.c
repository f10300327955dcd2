/*
 * The tests, as TAP: many seeds hold, the same seed is the same run, every mark is reached, and
 * each deliberate bug is found.
 */
#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "sim_run.h"

enum { BATCHES = 40, BATCH_SEEDS = 10, TWICE_SEEDS = 8 };
/* The last batch has slow disks: what takes a death within a sync is not left to luck. */
enum { SLOW_BATCH = BATCHES - 1, SLOW_FROM = 1 };
/* Cases before those of the bugs: batches, seeds twice, marks. */
enum { CASES = BATCHES + TWICE_SEEDS + 1 };

/* Where each bug is found: within so many seeds from there. */
static const struct {
	enum sim_bug bug;
	enum emphasis emphasis;
	uint64_t from, count;
} bugs[] = {
    {SIM_BUG_REPLY_BEFORE_SYNC, EMPHASIS_CUTS, 1, 30},
    {SIM_BUG_SYNC_NOTHING, EMPHASIS_CUTS, 1, 30},
    {SIM_BUG_NO_DIRECTORY_SYNC, EMPHASIS_CUTS, 1, 50},
    {SIM_BUG_BODY_NOT_SYNCED, EMPHASIS_CUTS, 1, 50},
    {SIM_BUG_SYNC_AGAIN, EMPHASIS_SYNCS, 1, 50},
    {SIM_BUG_REMOVE_BEFORE_REPLY, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_FORGET_RCPT, EMPHASIS_DEATHS, 1, 30},
    {SIM_BUG_FORGET_MARK, EMPHASIS_DEATHS, 1, 30},
    {SIM_BUG_BOUNCE_NOT_DURABLE, EMPHASIS_SYNCS, 1, 50},
    {SIM_BUG_BOUNCE_A_BOUNCE, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_MAILDIR_NOT_SYNCED, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_MAILDIR_NO_DIRECTORY_SYNC, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_PROGRAM_IS_BELIEVED, EMPHASIS_NONE, 1, 30},
    {SIM_BUG_BODY_PIECE_TWICE, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_LOSE_ATTEMPT, EMPHASIS_DEATHS, 1, 30},
    {SIM_BUG_NO_CHECKSUM, EMPHASIS_ROT, 1, 50},
    {SIM_BUG_IDS_AGAIN, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_DOTS_TAKEN, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_DOUBT_IS_DELIVERED, EMPHASIS_NONE, 1, 30},
    {SIM_BUG_FORGET_DEFERRED, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_RELAY_FOR_ALL, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_FORGET_BEGUN, EMPHASIS_DEATHS, 1, 50},
    {SIM_BUG_LEDGER_FORGETS, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_LEDGER_NOT_SYNCED, EMPHASIS_CUTS, 1, 50},
    {SIM_BUG_LMTP_ALL_GOOD, EMPHASIS_NONE, 1, 10},
    {SIM_BUG_LMTP_CUT_IS_GOOD, EMPHASIS_NONE, 1, 30},
    {SIM_BUG_BEHIND_SHARES_REPLY, EMPHASIS_NONE, 1, 50},
    {SIM_BUG_FALL_BACK_FROM_ROUTES, EMPHASIS_NONE, 1, 80},
    {SIM_BUG_SUPPRESS_ANY_REFUSAL, EMPHASIS_NONE, 1, 80},
    {SIM_BUG_REFUSED_IS_DISCARDED, EMPHASIS_NONE, 1, 10},
};

struct outcome {
	uint64_t passed, failed, hash;
	bool stop_at_failure;
	uint64_t marks[RUN_MARKS_MAX];
	struct run_result first; /* that failed */
};

static bool
take(void *owner, const struct run_result *result)
{
	struct outcome *outcome = owner;

	if (!result->passed) {
		if (outcome->failed++ == 0)
			outcome->first = *result;
		return !outcome->stop_at_failure;
	}
	outcome->passed++;
	outcome->hash = result->numbers.hash;
	for (size_t i = 0; i < RUN_MARKS_MAX; i++)
		outcome->marks[i] += result->marks[i];
	return true;
}

/* The text as TAP comments. */
static void
say_comment(const char *text)
{
	struct span rest = span_str(text), line;

	while (span_cut(&rest, '\n', &line))
		printf("# %.*s\n", SPAN_ARGS(line));
}

static void
say_case(unsigned number, bool passed, const char *name, const struct outcome *outcome)
{
	printf("%s %u - %s\n", passed ? "ok" : "not ok", number, name);
	if (passed)
		return;
	if (outcome->failed > 0) {
		printf("# seed %llu:\n", (unsigned long long)outcome->first.seed);
		say_comment(outcome->first.said);
	}
}

static void
run(struct outcome *outcome, const struct run_options *like, enum sim_bug bug, uint64_t from,
    uint64_t count)
{
	const struct run_options options = {.from = from,
	    .count = count,
	    .jobs = like->jobs,
	    .bug = bug,
	    .emphasis = like->emphasis};

	run_each(&options, take, outcome);
}

static bool
marks_are_reached(const struct outcome *all)
{
	bool reached = true;

	for (size_t i = 0; i < sim_mark_count(); i++) {
		if (all->marks[i] > 0 || run_mark_is_allowed(sim_mark_at(i)->name))
			continue;
		printf("# never reached: %s (%s:%d)\n", sim_mark_at(i)->name,
		    sim_mark_at(i)->file, sim_mark_at(i)->line);
		reached = false;
	}
	return reached;
}

/* Gives how many batches failed; what they reached and found is added to all. */
static unsigned
run_batches(const struct run_options *options, struct outcome *all)
{
	unsigned bad = 0;
	char name[200];

	for (unsigned i = 0; i < BATCHES; i++) {
		struct outcome *outcome = mem_alloc(sizeof(*outcome));
		uint64_t from = i == SLOW_BATCH ? SLOW_FROM : 1 + i * BATCH_SEEDS;
		struct run_options with = *options;

		if (i == SLOW_BATCH)
			with.emphasis = EMPHASIS_SLOW;
		run(outcome, &with, SIM_BUG_NONE, from, BATCH_SEEDS);
		snprintf(name, sizeof(name), "seeds %llu to %llu hold every property%s",
		    (unsigned long long)from, (unsigned long long)from + BATCH_SEEDS - 1,
		    i == SLOW_BATCH ? ", with slow disks" : "");
		say_case(i + 1, outcome->failed == 0, name, outcome);
		bad += outcome->failed > 0;
		for (size_t j = 0; j < RUN_MARKS_MAX; j++)
			all->marks[j] += outcome->marks[j];
		mem_free(outcome);
	}
	return bad;
}

static unsigned
run_twice(const struct run_options *options, unsigned number)
{
	struct outcome *outcome = mem_alloc(sizeof(*outcome));
	unsigned bad = 0;
	char name[100];

	for (unsigned i = 1; i <= TWICE_SEEDS; i++) {
		uint64_t hash;

		run(outcome, options, SIM_BUG_NONE, i, 1);
		hash = outcome->hash;
		run(outcome, options, SIM_BUG_NONE, i, 1);
		snprintf(name, sizeof(name), "seed %u gives the same trace twice", i);
		say_case(++number, hash == outcome->hash && outcome->failed == 0, name, outcome);
		bad += hash != outcome->hash || outcome->failed > 0;
	}
	mem_free(outcome);
	return bad;
}

static unsigned
run_bugs(const struct run_options *options, unsigned number)
{
	unsigned bad = 0;
	char name[300];

	for (size_t i = 0; i < LEN(bugs); i++) {
		struct outcome *outcome = mem_alloc(sizeof(*outcome));

		struct run_options with = *options;

		with.emphasis = bugs[i].emphasis;
		outcome->stop_at_failure = true;
		run(outcome, &with, bugs[i].bug, bugs[i].from, bugs[i].count);
		snprintf(name, sizeof(name), "the bug \"%s\" is found within %llu seeds",
		    sim_bug_text(bugs[i].bug), (unsigned long long)bugs[i].count);
		printf("%s %u - %s\n", outcome->failed > 0 ? "ok" : "not ok", ++number, name);
		if (outcome->failed > 0)
			printf("# by seed %llu\n", (unsigned long long)outcome->first.seed);
		bad += outcome->failed == 0;
		mem_free(outcome);
	}
	return bad;
}

int
run_tap(const struct run_options *options)
{
	struct outcome *all = mem_alloc(sizeof(*all));
	unsigned bad = 0;
	bool reached;

	printf("1..%zu\n", (size_t)CASES + LEN(bugs));
	bad += run_batches(options, all);
	bad += run_twice(options, BATCHES);
	reached = marks_are_reached(all);
	printf("%s %d - every mark is reached\n", reached ? "ok" : "not ok", CASES);
	bad += !reached;
	bad += run_bugs(options, CASES);
	mem_free(all);
	return bad > 0;
}
