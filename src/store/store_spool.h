/* The spool as a store. */
#pragma once

#include "store/store.h"

struct store_spool_options {
	uint64_t segment_bytes; /* 1 MB to 1 GB */
	uint64_t disk_reserve_bytes; /* store_put says ERR_NO_SPACE when less would be free */
};

/*
 * Opens (or makes) the spool in a directory, recovers, and reports what is live.  ERR_BUSY:
 * another server has it.  ERR_VERSION: it is from a newer version; nothing was changed.
 */
MUST_USE enum err store_spool_open(struct io *io, struct io_dir *dir,
    const struct store_spool_options *spool_options, const struct store_options *options,
    const struct store_scan *scan, struct store **store);
