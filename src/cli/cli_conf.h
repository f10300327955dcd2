/*
 * The configuration, for commands that need what it names.
 */
#pragma once

#include "conf/conf.h"

/*
 * Loads the file, or where there is no path the one that a server would take.  Gives EX_OK; or
 * EX_CONFIG or EX_NOINPUT, after it has told what is wrong: "the configuration WHAT, but: ...
 * --config FILE is another oneOTHERWISE".  The caller owns both, in every case.
 */
int cli_conf_load(const char *path, const char *what, const char *otherwise,
    struct conf_bundle **bundle, struct conf **conf);
