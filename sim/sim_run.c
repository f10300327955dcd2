/*
 * Each seed runs in a process of its own, so that a failed check ends that seed alone, and no
 * state is left from one to the next.  What it found comes back through a pipe.
 */
#include "sim_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

enum { DEATHS_SYNC_US = 50000 };

/* A seed that runs. */
struct running {
	pid_t pid;
	int fd;
	FILE *said;
	uint64_t seed;
};

const char *
run_emphasis_name(enum emphasis emphasis)
{
	static const char *const names[EMPHASIS_COUNT] = {"none", "cuts", "rot", "syncs", "deaths",
	    "slow"};

	return names[emphasis];
}

static void
emphasise(struct sim_options *options, enum emphasis emphasis)
{
	struct sim_faults *faults = &options->faults;

	switch (emphasis) {
	case EMPHASIS_CUTS:
		faults->power_cut = 500;
		break;
	case EMPHASIS_ROT:
		faults->bit_rot = 5000;
		faults->read_error = 5000;
		faults->role_death = 200;
		break;
	case EMPHASIS_SYNCS:
		faults->sync_error = 20000;
		faults->read_error = 1000;
		faults->power_cut = 200;
		break;
	case EMPHASIS_DEATHS:
		faults->role_death = 1000;
		/* So that some fall into what waits for a sync. */
		if (options->sync_us_max < DEATHS_SYNC_US)
			options->sync_us_max = DEATHS_SYNC_US;
		break;
	case EMPHASIS_SLOW:
		faults->disk_stall = 20000;
		faults->role_death = 3000;
		options->sync_us_max = 300000;
		break;
	case EMPHASIS_NONE:
	case EMPHASIS_COUNT:
		break;
	}
}

static void
run_child(const struct run_options *options, uint64_t seed, int fd)
{
	struct sim_options sim = sim_options_from_seed(seed);
	struct run_result *result = mem_alloc(sizeof(*result));
	enum emphasis emphasis = options->emphasis;

	sim.verbose = options->verbose;
	sim.bug = options->bug;
	/* Half of the seeds have more of one kind of fault than a mix has. */
	if (emphasis == EMPHASIS_NONE && seed % 2 == 1)
		emphasis = (enum emphasis)(1 + seed / 2 % (EMPHASIS_COUNT - 1));
	emphasise(&sim, emphasis);
	sim_marks_reset();
	result->seed = seed;
	result->numbers = scenario_run(&sim);
	result->passed = true;
	for (size_t i = 0; i < sim_mark_count() && i < RUN_MARKS_MAX; i++)
		result->marks[i] = sim_mark_at(i)->hits;
	fflush(stdout);
	for (size_t at = 0; at < sizeof(*result);) {
		ssize_t count = write(fd, (const char *)result + at, sizeof(*result) - at);

		if (count <= 0)
			_exit(1);
		at += (size_t)count;
	}
	_exit(0);
}

static struct running
start(const struct run_options *options, uint64_t seed)
{
	struct running running = {.seed = seed};
	int fds[2];

	running.said = tmpfile();
	if (!running.said || pipe(fds) != 0) {
		perror("postrider-sim");
		exit(2);
	}
	fflush(stdout);
	running.pid = fork();
	if (running.pid < 0) {
		perror("postrider-sim: fork");
		exit(2);
	}
	if (running.pid == 0) {
		close(fds[0]);
		if (!options->verbose)
			dup2(fileno(running.said), 1);
		dup2(fileno(running.said), 2);
		run_child(options, seed, fds[1]);
	}
	close(fds[1]);
	running.fd = fds[0];
	return running;
}

static void
finish(struct running *running, struct run_result *result)
{
	size_t at = 0;
	ssize_t count;
	int status;

	while (at < sizeof(*result) &&
	    (count = read(running->fd, (char *)result + at, sizeof(*result) - at)) > 0)
		at += (size_t)count;
	if (at < sizeof(*result))
		*result = (struct run_result){0};
	result->seed = running->seed;
	close(running->fd);
	waitpid(running->pid, &status, 0);
	if (fseek(running->said, 0, SEEK_END) == 0) {
		long bytes = ftell(running->said);

		fseek(running->said, bytes > RUN_TEXT_BYTES - 1 ? bytes - RUN_TEXT_BYTES + 1 : 0,
		    SEEK_SET);
	}
	at = fread(result->said, 1, sizeof(result->said) - 1, running->said);
	result->said[at] = '\0';
	fclose(running->said);
	if (WIFSIGNALED(status) && at + 40 < sizeof(result->said))
		snprintf(result->said + at, 40, "ended by signal %d\n", WTERMSIG(status));
}

static bool
is_time(const struct run_options *options, const struct timespec *begun)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return options->minutes > 0 &&
	    (uint64_t)(now.tv_sec - begun->tv_sec) >= options->minutes * 60;
}

void
run_each(const struct run_options *options,
    bool (*each)(void *owner, const struct run_result *result), void *owner)
{
	struct running ring[RUN_JOBS_MAX];
	struct run_result *result = mem_alloc(sizeof(*result));
	bool endless = options->until_stopped || options->minutes > 0;
	uint64_t next = options->from, started = 0, ended = 0;
	struct timespec begun;
	bool more = true;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (more || ended < started) {
		while (more && started - ended < options->jobs &&
		    (endless || started < options->count) && !is_time(options, &begun)) {
			ring[started % RUN_JOBS_MAX] = start(options, next++);
			started++;
		}
		if (ended == started)
			break;
		finish(&ring[ended++ % RUN_JOBS_MAX], result);
		if (more)
			more = each(owner, result);
	}
	mem_free(result);
}
