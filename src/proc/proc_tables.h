/* Loading the tables that the configuration names, at a role's start. */
#pragma once

#include "proc/proc.h"
#include "table/table.h"

/*
 * Loads a table; an empty path is an empty table (NULL).  False: it was said in the log what is
 * wrong.
 */
bool proc_load_table(struct proc_env *env, struct span path,
    const struct table_options *options, struct table **table);
/* True where every table that the configuration names can be loaded; else it was said why not. */
bool proc_check_tables(struct proc_env *env);
/* Adds a whole file to out; ERR_TOO_LONG where it does not fit. */
MUST_USE enum err proc_read_file(struct proc_env *env, struct span path, struct buf *out);
