/* Exit codes: EX_OK, EX_USAGE. */
#include "cli/cli_protocol.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/check.h"
#include "cli/cli.h"
#include "smtp/smtp_server_page.h"

static const char usage[] =
    "usage: postrider protocol [--markdown]\n"
    "\n"
    "Prints what the server answers to each command in each state, and where that leads.\n";

int
cli_protocol(int argc, char **argv)
{
	bool help = false, markdown = false;
	const struct cli_option options[] = {
	    {"--help", &help, NULL}, {"--markdown", &markdown, NULL}};
	int words = cli_options(argc, argv, options, LEN(options), usage);
	struct buf page;

	if (words < 0)
		return EX_USAGE;
	if (words > 0)
		return cli_wrong_use(usage, "protocol takes no words");
	buf_init(&page, SMTP_SERVER_PAGE_BYTES_MAX);
	if (help)
		buf_add_str(&page, usage);
	else
		smtp_server_page_write(&page, markdown);
	check(buf_finish(&page) == OK);
	(void)fwrite(page.ptr, 1, page.len, stdout);
	buf_fini(&page);
	return cli_finish(EX_OK);
}
