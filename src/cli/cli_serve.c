/* Finds the configuration and this program's own file, and supervises. */
#include "cli/cli_serve.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proc/supervisor/conf_load.h"
#include "proc/supervisor/supervisor.h"

static const char usage[] =
    "usage: postrider serve [--config FILE]\n"
    "\n"
    "Runs the mail server in the foreground until SIGINT or SIGTERM. SIGHUP reads the\n"
    "configuration again; one with an error changes nothing.\n"
    "FILE is $POSTRIDER_CONFIG, else /etc/postrider/postrider.conf.\n";

int
cli_serve(int argc, char **argv)
{
	const char *conf_path = conf_load_default_path();
	char program[4096];
	ssize_t len;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			return EX_OK;
		}
		if (strcmp(argv[i], "--config") != 0 || i + 1 == argc) {
			fputs(usage, stderr);
			return EX_USAGE;
		}
		conf_path = argv[++i];
	}
	len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (len <= 0) {
		fprintf(stderr, "postrider: cannot find its own program file in /proc\n");
		return EX_OSERR;
	}
	program[len] = '\0';
	return supervisor_serve(program, conf_path);
}
