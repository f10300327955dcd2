/*
 * Configuration files from disk into a bundle, and the bundle parsed: what "serve" and
 * "config" begin with.  Nothing is kept open.
 */
#pragma once

#include "conf/conf.h"

/* The configuration that is meant where none is named. */
const char *conf_load_default_path(void);

/*
 * Reads path and every file that it names.  Where path itself cannot be read, *bundle is
 * NULL and problems tells people why.
 */
MUST_USE enum err
conf_load_bundle(const char *path, struct conf_bundle **bundle, struct buf *problems);

/*
 * Reads path and every file that it names, and parses them.  Names of files become
 * absolute.  OK gives both (conf_bundle_destroy, conf_destroy) and leaves problems alone.
 * Otherwise both are NULL and problems tells people why: ERR_SYNTAX where the
 * configuration is wrong, another error where path itself cannot be read.
 */
MUST_USE enum err conf_load(const char *path, struct conf_bundle **bundle,
    struct conf **conf, struct buf *problems);
