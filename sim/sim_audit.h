/* Whether ledger and spool of a server agree, by its files. */
#pragma once

#include "sim.h"

#define AUDIT_SPOOL "/spool"

/*
 * Fails the run where they do not.  *live: how many messages the spool has.  False: they cannot be
 * read (there is no spool yet, or a file was damaged).
 */
bool audit_server(struct sim *sim, struct sim_server *server, uint64_t *live);
