/* The program: sub-commands, and what they are for. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli_config.h"
#include "cli/cli_explain.h"
#include "cli/cli_queue.h"
#include "cli/cli_send.h"
#include "cli/cli_serve.h"
#include "proc/proc.h"

static int cli_help(int argc, char **argv);
static int cli_version(int argc, char **argv);

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
    {"send", cli_send, "send a message over SMTP, for trying and scripting"},
    {"explain", cli_explain, "explain a reply code or an enhanced status code"},
    {"compare", cli_compare, "tell two codes apart"},
    {"version", cli_version, "print the version"},
    {"help", cli_help, "print this, or the help of a command"},
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
			fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].line);
	fprintf(out, "\nMore of a command: postrider help COMMAND\n");
}

static int
cli_help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;
	char flag[] = "--help";
	char *help[] = {argc > 1 ? argv[1] : NULL, flag, NULL};

	if (argc > 1 && !command) {
		fprintf(stderr, "postrider: there is no command \"%s\"\n\n", argv[1]);
		print_help(stderr);
		return EX_USAGE;
	}
	if (command && command->run != cli_help && command->run != cli_version &&
	    command->line)
		return command->run(2, help);
	print_help(stdout);
	return EX_OK;
}

static int
cli_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("postrider %s\n", POSTRIDER_VERSION);
	return EX_OK;
}

int
main(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_help(stderr);
		return EX_USAGE;
	}
	command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "postrider: there is no command \"%s\"\n\n", argv[1]);
		print_help(stderr);
		return EX_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
