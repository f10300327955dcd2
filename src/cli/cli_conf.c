/* See cli_conf.h. */
#include "cli/cli_conf.h"

#include <stdio.h>
#include <sysexits.h>

#include "base/buf.h"
#include "proc/supervisor/conf_load.h"

enum { PROBLEMS_BYTES = 64 << 10 };

int
cli_conf_load(const char *path, const char *what, const char *otherwise,
    struct conf_bundle **bundle, struct conf **conf)
{
	struct buf problems;
	enum err err;

	buf_init(&problems, PROBLEMS_BYTES);
	err = conf_load(path ? path : conf_load_default_path(), bundle, conf, &problems);
	if (err)
		fprintf(stderr,
		    "postrider: the configuration %s, but:\n%.*s--config FILE is another one%s\n",
		    what, SPAN_ARGS(buf_span(&problems)), otherwise);
	buf_fini(&problems);
	return !err ? EX_OK : err == ERR_SYNTAX ? EX_CONFIG : EX_NOINPUT;
}
