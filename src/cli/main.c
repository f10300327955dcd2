/* The program: sub-commands, and what they are for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli.h"
#include "cli/cli_audit.h"
#include "cli/cli_check.h"
#include "cli/cli_config.h"
#include "cli/cli_explain.h"
#include "cli/cli_ledger.h"
#include "cli/cli_probe.h"
#include "cli/cli_protocol.h"
#include "cli/cli_providers.h"
#include "cli/cli_queue.h"
#include "cli/cli_reference.h"
#include "cli/cli_route.h"
#include "cli/cli_sandbox.h"
#include "cli/cli_send.h"
#include "cli/cli_serve.h"
#include "cli/cli_spool.h"
#include "cli/cli_suppression.h"
#include "cli/cli_tlsrpt.h"
#include "cli/cli_trace.h"
#include "cli/cli_user.h"
#include "cli/cli_why.h"
#include "proc/proc.h"

static int cli_help(int argc, char **argv);
static int cli_version(int argc, char **argv);

static const char help_usage[] = "usage: postrider help [COMMAND]\n"
				 "\n"
				 "Lists the commands, or prints the help of one.\n";
static const char version_usage[] = "usage: postrider version\n"
				    "\n"
				    "Prints the version of this program.\n";

static int
cli_role(int argc, char **argv)
{
	return proc_main(argc - 1, argv + 1);
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *line; /* NULL: not for people */
} commands[] = {
    {"serve", cli_serve, "run the mail server"},
    {"config", cli_config, "check or show the configuration, print its manual"},
    {"queue", cli_queue, "list, show, retry, hold, release, delete messages"},
    {"suppression", cli_suppression, "addresses that do not exist, to which nothing is sent"},
    {"trace", cli_trace, "what was said in attempts that failed or were slow"},
    {"tlsrpt", cli_tlsrpt, "how TLS with the servers of other domains went, by day"},
    {"ledger", cli_ledger, "what happened to a message; what was queued when"},
    {"audit", cli_audit, "hold what was accepted against what ended and what waits"},
    {"spool", cli_spool, "check, dump, back up, restore the files of the queue"},
    {"user", cli_user, "list, add, remove logins, change passwords"},
    {"send", cli_send, "send a message over SMTP, for trying and scripting"},
    {"sandbox", cli_sandbox, "what each process may, and a test that it may no more"},
    {"explain", cli_explain, "explain a reply code or an enhanced status code"},
    {"why", cli_why, "why a message did not arrive: a bounce, or an id of this server"},
    {"compare", cli_compare, "tell two codes apart"},
    {"reference", cli_reference, "write the web reference of all codes as files"},
    {"check", cli_check, "find out what is wrong with a server, a domain, this machine"},
    {"probe", cli_probe, "walk the way to a destination, without sending a message"},
    {"route", cli_route, "which way mail for an address goes, and which line says so"},
    {"protocol", cli_protocol, "what is answered to which SMTP command, and when"},
    {"providers", cli_providers, "large providers, and how much mail at a time they want"},
    {"version", cli_version, "print the version"},
    {"help", cli_help, "list the commands, or print the help of one"},
    {"role", cli_role, NULL},
};

static const struct command *
find(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; i < LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
print_help(FILE *out)
{
	fprintf(out, "postrider: a mail server that never loses a message\n\n"
		     "usage: postrider COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < LEN(commands); i++)
		if (commands[i].line)
			fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].line);
	fprintf(out, "\nMore of a command: postrider help COMMAND\n");
}

static int
say_unknown(const char *name)
{
	const char *names[LEN(commands)];
	const char *nearest;
	size_t count = 0;

	for (size_t i = 0; i < LEN(commands); i++)
		if (commands[i].line)
			names[count++] = commands[i].name;
	nearest = cli_nearest(name, names, count);
	fprintf(stderr, "postrider: there is no command \"%s\"%s%s%s\n\n",
	    cli_quote(name).text, nearest ? "; did you mean " : "",
	    nearest ? nearest : "", nearest ? "?" : "");
	print_help(stderr);
	return EX_USAGE;
}

static int
cli_help(int argc, char **argv)
{
	bool asked = false;
	const struct cli_option options[] = {{"--help", &asked, NULL}};
	int words = cli_options(argc, argv, options, LEN(options), help_usage);
	const struct command *command;
	char flag[] = "--help";
	char *help[] = {NULL, flag, NULL};

	if (words < 0)
		return EX_USAGE;
	if (words > 1)
		return cli_wrong_use(help_usage, "help is for one command at a time");
	if (words == 0) {
		print_help(stdout);
		return EX_OK;
	}
	command = find(argv[1]);
	if (!command || !command->line)
		return say_unknown(argv[1]);
	if (command->run == cli_help) {
		fputs(help_usage, stdout);
		return EX_OK;
	}
	help[0] = argv[1];
	return command->run(2, help);
}

static int
cli_version(int argc, char **argv)
{
	bool asked = false;
	const struct cli_option options[] = {{"--help", &asked, NULL}};
	int words = cli_options(argc, argv, options, LEN(options), version_usage);

	if (words < 0)
		return EX_USAGE;
	if (words > 0)
		return cli_wrong_use(version_usage, "version takes no arguments");
	if (asked)
		fputs(version_usage, stdout);
	else
		printf("postrider %s\n", POSTRIDER_VERSION);
	return EX_OK;
}

/*
 * A standard descriptor that is closed would be given to the next file or socket
 * that is opened, and what is meant for people would be written into that.  What
 * takes the place of standard output cannot be written, so that it is noticed.
 */
static void
fill_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			(void)open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

int
main(int argc, char **argv)
{
	const struct command *command;

	fill_standard_descriptors();
	if (argc < 2) {
		fprintf(stderr, "postrider: which command?\n\n");
		print_help(stderr);
		return EX_USAGE;
	}
	command = find(argv[1]);
	if (!command)
		return say_unknown(argv[1]);
	return cli_finish(command->run(argc - 1, argv + 1));
}
