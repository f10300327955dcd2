/*
 * A copy of the ledger beside a copy of the spool's log, which ends at a position: what the ledger
 * knows of later than that is left out, as the copied log goes on differently from there.
 */
#pragma once

#include "io/io.h"

/* Copies into "ledger/" of a directory that has none; durable when this returns OK. */
MUST_USE enum err ledger_copy(
    struct io_dir *from, struct io_dir *to, uint64_t until, uint64_t *bytes);
