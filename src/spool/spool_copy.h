/*
 * A copy of a spool, of one in use or not: backup, and back again.
 *
 * The log is copied from its oldest segment on, as the read-only scan goes
 * through it, up to where the writer is; so the copy is the log until some moment
 * during the copying, and what was freed meanwhile is found again (moved) or
 * over (removed) further on.  Bodies in files come after the log: one that is gone by
 * then was removed, and the log is followed until it says so.
 */
#pragma once

#include "io/io.h"
#include "spool/spool_verify.h"

struct spool_copy_options {
	bool running; /* a server may have it open */
	uint64_t epochs; /* the copy's epoch is higher by so many */
	void *owner;
	void (*wait)(void *owner); /* lets a moment go by; NULL: not at all */
};

struct spool_copy_result {
	struct spool_verify_numbers numbers; /* of what was read */
	uint64_t files, bytes;
	const char *what; /* ERR: what could not be read or written */
};

/*
 * Copies into an empty directory, synced when this returns OK.  ERR_AGAIN: the spool changed
 * faster than it could be followed.  Damage is copied as it is: check the copy.
 */
MUST_USE enum err spool_copy(struct io *io, struct io_dir *from, struct io_dir *to,
    const struct spool_copy_options *options, struct spool_copy_result *result);
