/*
 * postrider-sim: runs seeds, each in a process of its own, and sums up.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim_run.h"

static void
usage(void)
{
	fprintf(stderr,
	    "usage: postrider-sim [--seed N] [--seeds N] [--from N] [--bug NAME] [--jobs N]\n"
	    "                     [--verbose] [--minutes N] [--until-stopped] [--marks] [--hash]\n"
	    "                     [--first-failure] [--more cuts|rot|syncs|deaths|slow]\n"
	    "       postrider-sim --tap [--jobs N]\n");
	exit(2);
}

static enum sim_bug
find_bug(const char *name)
{
	for (int i = 0; i < SIM_BUG_COUNT; i++)
		if (strcmp(name, sim_bug_name((enum sim_bug)i)) == 0)
			return (enum sim_bug)i;
	fprintf(stderr, "postrider-sim: there is no bug %s; there are\n", name);
	for (int i = 1; i < SIM_BUG_COUNT; i++)
		fprintf(stderr, "    %-28s %s\n", sim_bug_name((enum sim_bug)i),
		    sim_bug_text((enum sim_bug)i));
	exit(2);
}

static enum emphasis
find_emphasis(const char *name)
{
	for (int i = 0; i < EMPHASIS_COUNT; i++)
		if (strcmp(name, run_emphasis_name((enum emphasis)i)) == 0)
			return (enum emphasis)i;
	fprintf(stderr, "postrider-sim: --more takes none, cuts, rot, syncs, deaths or slow\n");
	exit(2);
}

static uint64_t
number(const char *text)
{
	uint64_t value;

	if (!span_u64(span_str(text), UINT64_MAX, &value))
		usage();
	return value;
}

static void
read_options(int argc, char **argv, struct run_options *options, bool *tap)
{
	static const struct option names[] = {
	    {"seed", required_argument, NULL, 's'},
	    {"seeds", required_argument, NULL, 'n'},
	    {"from", required_argument, NULL, 'f'},
	    {"bug", required_argument, NULL, 'b'},
	    {"more", required_argument, NULL, 'e'},
	    {"jobs", required_argument, NULL, 'j'},
	    {"minutes", required_argument, NULL, 'm'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"until-stopped", no_argument, NULL, 'u'},
	    {"marks", no_argument, NULL, 'k'},
	    {"hash", no_argument, NULL, 'h'},
	    {"first-failure", no_argument, NULL, '1'},
	    {"tap", no_argument, NULL, 't'},
	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 's':
			options->from = number(optarg);
			options->count = 1;
			options->say_hash = true;
			break;
		case 'n':
			options->count = number(optarg);
			break;
		case 'f':
			options->from = number(optarg);
			break;
		case 'b':
			options->bug = find_bug(optarg);
			break;
		case 'e':
			options->emphasis = find_emphasis(optarg);
			break;
		case 'j':
			options->jobs = (unsigned)number(optarg);
			break;
		case 'm':
			options->minutes = number(optarg);
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'u':
			options->until_stopped = true;
			break;
		case 'k':
			options->say_marks = true;
			break;
		case 'h':
			options->say_hash = true;
			break;
		case '1':
			options->first_failure = true;
			break;
		case 't':
			*tap = true;
			break;
		default:
			usage();
		}
	}
}

int
main(int argc, char **argv)
{
	struct run_options options = {.from = 1, .count = 100, .jobs = 1};
	bool tap = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	read_options(argc, argv, &options, &tap);
	if (optind < argc || options.jobs < 1 || options.jobs > RUN_JOBS_MAX)
		usage();
	return tap ? run_tap(&options) : run_seeds(&options);
}
