/* What the files of start-up share: the state of one recovery. */
#pragma once

#include "base/map.h"
#include "spool/spool_block.h"
#include "spool/spool_internal.h"

enum { DAMAGES_MAX = 4096 }; /* remembered in one segment; what comes after is not told */

struct damage {
	uint64_t offset, id;
};

struct recovery {
	struct spool *spool;
	const struct spool_scan *scan;
	uint64_t epoch, oldest;
	uint64_t epochs_lost; /* given out, perhaps, above epoch */
	struct segment **log; /* by sequence */
	size_t log_count;
	/* a checkpoint; NULL: none, or none that is of use */
	struct io_file *checkpoint;
	struct spool_checkpoint_head head;
	uint64_t told; /* messages that its blocks tell of */
	char *part;
	size_t part_room;
	struct segment *newest; /* the last with a record in it */
	enum err err;
	/* of the segment being scanned: */
	struct segment *segment;
	struct damage *damages;
	size_t damage_count;
	uint64_t proven, records;
	bool unreadable; /* some of its bytes could not be read at all */
	bool torn; /* of any but the newest: some that was never durable is missing */
	char *window;
	uint64_t window_room, window_start, window_bytes;
	/* body files: */
	uint64_t *orphans;
	size_t orphan_count, orphan_room;
	struct map files; /* number → its message's struct spool_file_body */
};

/* Two copies of which one may be torn; what both say decides. */
struct copies {
	char bytes[2][SPOOL_HEAD_BYTES];
	bool blank; /* nothing was ever written */
	bool second_blank; /* the first was never made durable */
};

/* spool_recover.c */
void spool_recovery_report(struct recovery *recovery, const struct segment *segment,
    uint64_t offset, uint64_t id);
/* For qsort and bsearch over recovery->log. */
int spool_recovery_by_sequence(const void *a, const void *b);
/* Calls each for every message in the order of the log; it may forget the message. */
void spool_recovery_each(struct recovery *recovery,
    void (*each)(struct recovery *recovery, uint32_t slot, struct spool_message *message));

/* The marks from one on, and those merged into the record before. */
void spool_recovery_tell_marks(
    struct recovery *recovery, struct spool_message *message, uint32_t from);

/* spool_replay.c: bytes of a segment, through a window; valid until the next call. */
enum err spool_recovery_bytes(struct recovery *recovery, struct segment *segment,
    uint64_t offset, uint64_t bytes, struct span *out);

/* spool_load.c */
void spool_recovery_load(struct recovery *recovery);
void spool_recovery_tell_digests(struct recovery *recovery);

/* spool_replay.c */
/*
 * Writes again what nothing proves durable.  A sync that failed before this process may have left
 * it in the kernel's memory, as if it were on the disk: then no sync ever writes it.  used: false
 * where the segment has no records.
 */
MUST_USE enum err spool_recovery_rewrite(
    struct recovery *recovery, struct segment *segment, bool *used);
void spool_recovery_scan(struct recovery *recovery, size_t at);
/* A sound record has this id: its epoch must not come again. */
void spool_recovery_saw(struct recovery *recovery, uint64_t id);
void spool_recovery_forget(struct spool *spool, uint32_t slot);

/* spool_files.c */
enum err spool_recovery_copies(
    struct io_file *file, uint64_t second, size_t bytes, struct copies *copies);
enum err spool_recovery_read_epoch(struct recovery *recovery);
enum err spool_recovery_write_epoch(struct recovery *recovery);
enum err spool_recovery_files(struct recovery *recovery);
