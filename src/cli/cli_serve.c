/* Finds the configuration and this program's own file, and supervises. */
#include "cli/cli_serve.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/cli.h"
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
	const char *conf_path = NULL;
	bool help = false;
	const struct cli_option options[] = {
	    {"--help", &help, NULL}, {"--config", NULL, &conf_path}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	char program[4096];
	ssize_t len;

	if (words < 0)
		return EX_USAGE;
	if (help) {
		fputs(usage, stdout);
		return EX_OK;
	}
	if (words > 0)
		return cli_wrong_use(usage,
		    "what is \"%s\"? The configuration is given with --config",
		    cli_quote(argv[1]).text);
	len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (len <= 0) {
		fprintf(stderr, "postrider: cannot find its own program file in /proc\n");
		return EX_OSERR;
	}
	program[len] = '\0';
	return supervisor_serve(
	    program, conf_path ? conf_path : conf_load_default_path());
}
