/*
 * "postrider sandbox": what each role may, and whether that is true.  Exit codes: EX_OK; 1 where
 * a forbidden act succeeded or one that is needed failed; those of sysexits.h.
 */
#include "cli/cli_sandbox.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_sandbox_internal.h"

static const char usage[] =
    "usage: postrider sandbox show [ROLE]\n"
    "       postrider sandbox test [ROLE] [--json] [--without calls | files | both]\n"
    "\n"
    "  show    what each role may, with whom it talks, and which calls of the kernel it may\n"
    "          make\n"
    "  test    starts each role's sandbox as the server does and tries in it what is\n"
    "          forbidden, and what is needed; no running server and none of its files is\n"
    "          touched\n"
    "\n"
    "  --without   leave out seccomp (calls) or Landlock (files), to see what the rest holds\n"
    "  --json      one JSON document, for programs\n"
    "\n"
    "Exit codes: 0 good; 1 a forbidden act succeeded, or a needed one failed; 67 a role's user\n"
    "does not exist; 71 it could not be tried; 64 wrong use.\n";

enum { LINE_WIDTH = 92, INDENT = 15 };

static const char *const may_words[] = {
    "start threads",
    "take connections from its listening sockets",
    "connect over TCP to any address",
    "connect to Unix sockets",
    "ask name servers over UDP and TCP",
    "use files below the spool's directory",
    "use files below the Maildirs' directory",
    "keep its memory out of the swap",
    "use files below the directory of TLS policies",
    "choose the address that a connection comes from",
    "start programs, and do whatever its user may",
};
_Static_assert(LEN(may_words) == MAY_BITS, "each bit has its words");

struct listing {
	int column;
};

static void
print_word(struct listing *listing, const char *text)
{
	const int len = (int)strlen(text);

	if (listing->column + len + 2 > LINE_WIDTH) {
		printf("\n%*s", INDENT, "");
		listing->column = INDENT;
	}
	printf(" %s", text);
	listing->column += len + 1;
}

static void
print_call(void *owner, int number, const char *condition)
{
	char *name = proc_call_name(number);
	char text[96];

	snprintf(text, sizeof(text), condition[0] ? "%s(%s)" : "%s%s", name ? name : "?",
	    condition);
	mem_free(name);
	print_word(owner, text);
}

static void
print_links(enum proc proc)
{
	struct listing listing = {.column = INDENT};
	const struct proc_link_def *def;
	unsigned told = 0;

	printf("  talks with  ");
	print_word(&listing, "supervisor");
	for (size_t i = 0; (def = proc_link_def(i)) != NULL; i++) {
		const enum proc peer = def->a == proc ? def->b : def->a;

		if ((def->a != proc && def->b != proc) || told & 1U << peer)
			continue;
		told |= 1U << peer;
		print_word(&listing, proc_def(peer)->name);
	}
	putchar('\n');
}

static void
show_role(enum proc proc)
{
	const struct proc_def *def = proc_def(proc);
	struct listing listing = {.column = INDENT};
	const char *label = "may";

	printf("%s\n", def->name);
	printf("  user         %s, where started as root\n",
	    def->user ? def->user : "each of the configuration's has a process");
	printf("  root         %s\n", def->empty_root ? "an empty directory, where started as root"
						     : "that of the system");
	for (unsigned i = 0; i < MAY_BITS; i++)
		if (def->may & 1U << i) {
			printf("  %-12s %s\n", label, may_words[i]);
			label = "";
		}
	if (def->descriptors_max > 0)
		printf("  descriptors  at most %u\n", def->descriptors_max);
	if (def->memory_mb_more > 0)
		printf("  memory       at most %u MB more than it begins with\n",
		    def->memory_mb_more);
	print_links(proc);
	printf("  calls       ");
	if (def->may & MAY_RUN_PROGRAMS)
		print_word(&listing, "all but those that the supervisor has given up");
	else
		proc_calls_list(def->may, print_call, &listing);
	printf("\n");
}

/* Whether a word names a process; *proc is PROC_COUNT where there is no word. */
static bool
find_proc(const char *name, enum proc *proc)
{
	*proc = PROC_COUNT;
	for (unsigned i = 0; name && i < PROC_COUNT; i++)
		if (strcmp(name, proc_def((enum proc)i)->name) == 0)
			*proc = (enum proc)i;
	return !name || *proc != PROC_COUNT;
}

static int
say_unknown(const char *name)
{
	const char *names[PROC_COUNT];
	const char *nearest;

	for (unsigned i = 0; i < PROC_COUNT; i++)
		names[i] = proc_def((enum proc)i)->name;
	nearest = cli_nearest(name, names, PROC_COUNT);
	return cli_wrong_use(usage, "there is no role \"%s\"%s%s%s",
	    cli_quote(name).text, nearest ? "; did you mean " : "", nearest ? nearest : "",
	    nearest ? "?" : "");
}

static void
show_supervisor(void)
{
	printf("supervisor\n"
	       "  user         whoever started it\n"
	       "  may          everything but what neither it nor a role needs: mount, load\n"
	       "               kernel modules, trace, use BPF, io_uring or kernel keys, open\n"
	       "               raw sockets, set the clock\n");
}

static int
show(enum proc only)
{
	if (only == PROC_COUNT || only == PROC_SUPERVISOR)
		show_supervisor();
	for (unsigned i = PROC_SUPERVISOR + 1; i < PROC_COUNT; i++) {
		if (only != PROC_COUNT && only != (enum proc)i)
			continue;
		if (only == PROC_COUNT)
			putchar('\n');
		show_role((enum proc)i);
	}
	return EX_OK;
}

static int
test(struct cli_sandbox_wanted *wanted, const char *without)
{
	const bool both = without && strcmp(without, "both") == 0;
	const bool calls = both || (without && strcmp(without, "calls") == 0);
	const bool files = both || (without && strcmp(without, "files") == 0);

	if (without && !calls && !files)
		return cli_wrong_use(usage, "--without is calls, files or both, not \"%s\"",
		    cli_quote(without).text);
	wanted->parts = (struct proc_sandbox_parts){.calls = !calls, .files = !files};
	return cli_sandbox_try(wanted);
}

int
cli_sandbox(int argc, char **argv)
{
	struct cli_sandbox_wanted wanted = {0};
	const char *without = NULL;
	bool help = false;
	const struct cli_option options[] = {{"--help", &help, NULL},
	    {"--json", &wanted.json, NULL}, {"--without", NULL, &without}};
	int words = cli_options(argc, argv, options, LEN(options), usage);

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words < 1 || words > 2)
		return cli_wrong_use(usage, "show or test?");
	if (!find_proc(words == 2 ? argv[2] : NULL, &wanted.only))
		return say_unknown(argv[2]);
	if (strcmp(argv[1], "show") == 0 && !without && !wanted.json)
		return show(wanted.only);
	if (strcmp(argv[1], "test") == 0)
		return test(&wanted, without);
	return cli_wrong_use(usage, "show or test?");
}
