/*
 * Small files that a role keeps in a directory of its own, read and replaced as a whole.  Each call
 * waits for the disk: for starts, and for what an operator waits for.
 */
#pragma once

#include "base/buf.h"
#include "io/io.h"

/*
 * Adds what the file holds.  ERR_NOT_FOUND: there is none.  ERR_TOO_LONG: it is longer than out has
 * room for, and nothing is added.
 */
MUST_USE enum err proc_file_read(struct io_dir *dir, const char *name, struct buf *out);
/*
 * Puts bytes in the place of the file, durably: after a power cut it is the old or the new one.
 * name_new is where they are written first; one that a crash left there goes.
 */
MUST_USE enum err proc_file_replace(
    struct io_dir *dir, const char *name, const char *name_new, struct span bytes);
