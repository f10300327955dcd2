/* What the files of the read-only scan share; nobody else includes it. */
#pragma once

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "spool/spool_index.h"
#include "spool/spool_record.h"
#include "spool/spool_verify.h"

/* A file of the log. */
struct verify_segment {
	bool there; /* seen by the last look at the directory */
	bool sound; /* a header can be read */
	bool blank; /* the second copy of its header is, so no record was ever written */
	bool half; /* one copy of its header cannot be read */
	bool over; /* read to its end, or given up */
	bool told; /* a problem with its header was said */
	uint16_t number;
	struct spool_head head;
	struct spool_key key;
	uint64_t bytes;
	uint64_t at; /* where reading goes on */
	uint64_t end; /* after the last sound record */
	uint64_t proven; /* before this all was durable */
	unsigned doubts; /* passes that found a hole where none should be */
};

struct verify_window {
	char *bytes;
	uint64_t room, start, count;
};

struct spool_verify {
	struct io *io;
	struct io_dir *dir;
	struct spool_verify_options options;
	struct spool_index index;
	struct verify_segment **segments; /* by number; NULL: never seen */
	size_t segment_count;
	struct verify_segment **log; /* those in the log, by sequence */
	size_t log_count;
	uint64_t oldest;
	bool passed; /* one pass was made */
	bool doubtful; /* this pass */
	enum err err;
	struct verify_window window;
	struct io_file *file; /* of the segment being read */
	uint16_t file_number;
	struct spool_problem *problems;
	size_t problem_count, problem_room;
	size_t first_problem; /* of the segment being read */
	struct map by_id; /* id → index of its BAD_RECORD, plus 1 */
	struct spool_verify_numbers numbers;
};

/* spool_verify.c */
/* NULL where the list is full. */
struct spool_problem *spool_verify_note(struct spool_verify *verify,
    enum spool_problem_kind kind, const char *file, uint64_t offset);
void spool_verify_name(char name[SPOOL_FILE_NAME_BYTES], uint16_t number);
void spool_verify_body_name(char name[SPOOL_FILE_NAME_BYTES], uint64_t number);
/* Opens a segment's file for verify->file; the one that is open is closed. */
MUST_USE enum err spool_verify_use(struct spool_verify *verify, uint16_t number);
/* Bytes of the file that is open, valid until the next call. */
enum err spool_verify_load(
    struct spool_verify *verify, uint64_t offset, uint64_t bytes, struct span *out);

/* spool_verify_heads.c */
/* Looks at the directory: which segments there are, and which are the log. */
MUST_USE enum err spool_verify_look(struct spool_verify *verify);
/* Whether the file still is the segment that it was. */
bool spool_verify_is_same(
    struct spool_verify *verify, const struct verify_segment *segment);
MUST_USE enum err spool_verify_epoch(struct spool_verify *verify, bool *found);

/* spool_verify_log.c */
/* Reads on in one segment; true where the next may be read. */
bool spool_verify_segment(struct spool_verify *verify, size_t at);
