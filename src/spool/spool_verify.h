/*
 * The spool as its files say, read and never written: for checks, copies and
 * reports.  It shares the bytes (spool_record.h) with the spool and nothing of
 * start-up, so that each is a check on the other.
 *
 * The log is read in passes, each from where the one before ended.  Of a spool
 * that nobody has open one pass reads all.  Of one in use (options.running) a
 * pass ends where the writer is; segments that are used again meanwhile and
 * bodies that go are no damage, since what ended them is found further on; and
 * what looks like damage is reported only when it looked the same for
 * SPOOL_VERIFY_DOUBTS passes.  Let a moment go by between passes.
 */
#pragma once

#include "base/buf.h"
#include "io/io.h"
#include "spool/spool.h"

enum {
	SPOOL_VERIFY_DOUBTS = 3,
	SPOOL_PROBLEMS_MAX = 10000, /* remembered; what comes after is only counted */
};

enum spool_problem_kind {
	SPOOL_BAD_EPOCH, /* both slots of the epoch file */
	SPOOL_BAD_HEAD, /* both copies of a segment's header */
	SPOOL_BAD_HEAD_COPY, /* one of them: nothing is lost */
	SPOOL_BAD_TWIN, /* two segments say that they are the same one */
	SPOOL_BAD_RECORD, /* bytes that were durable and are no sound record now */
	SPOOL_BAD_BODY, /* a body, in its record or a file; the message is live without it */
	SPOOL_BAD_CHECKPOINT, /* it can't be used, or does not say what the log says */
	SPOOL_GONE_SEGMENT, /* one that the next one names */
	SPOOL_GONE_BODY, /* a body file */
	SPOOL_GONE_END, /* a segment's file is shorter than it was */
	/* What a crash may leave, and the server puts right at its next start: */
	SPOOL_TORN_END, /* of a batch that nobody was told of */
	SPOOL_LEFT_BODY, /* a body file without a message */
	SPOOL_PROBLEM_COUNT,
};

enum spool_loss {
	SPOOL_LOST_NOTHING,
	SPOOL_LOST_MESSAGE,
	SPOOL_LOST_MARK, /* a state change: what was done may be done again */
	SPOOL_LOST_REMOVAL, /* an ended message is there again */
	SPOOL_LOST_UNKNOWN, /* what these bytes were cannot be told */
};

enum { SPOOL_FILE_NAME_BYTES = 48 };

struct spool_problem {
	enum spool_problem_kind kind;
	enum spool_loss loss;
	char file[SPOOL_FILE_NAME_BYTES]; /* within the directory */
	uint64_t offset, bytes; /* bytes 0: not known */
	uint64_t id; /* 0: not known */
	enum err err; /* of a read that failed; else OK */
};

/* Whether anything that was durable is gone or damaged; else it is what crashes leave. */
bool spool_problem_is_damage(const struct spool_problem *problem);
const char *spool_problem_text(enum spool_problem_kind kind);
const char *spool_loss_text(enum spool_loss loss);

struct spool_verify_numbers {
	uint64_t epoch;
	uint64_t position; /* after the last record: as the feed counts */
	uint64_t segments, segments_live; /* files; of which in the log */
	uint64_t log_bytes; /* records, as far as they were read */
	uint64_t records[SPOOL_SEAL + 1]; /* by type */
	uint64_t messages, body_files, body_file_bytes;
	uint64_t checkpoint_messages; /* in the checkpoint */
	uint64_t version_min, version_max; /* of the segments in the log */
	uint64_t damages; /* also those that are not remembered */
};

struct spool_verify_options {
	void *owner;
	bool running;
	/* A stretch of the log was read. */
	void (*read)(void *owner, const char *segment, uint64_t sequence, uint64_t start,
	    uint64_t end);
	/* A segment was used again before it was read to its end: what was read of it is void. */
	void (*gone)(void *owner, const char *segment, uint64_t sequence);
	/* Each sound PUT, MARK and REMOVE, in the order of the log.  Any of these may be NULL. */
	void (*record)(void *owner, uint64_t position, enum spool_record_type type,
	    uint64_t id, struct span payload, uint64_t body_bytes);
};

struct spool_verify;

/* ERR_NOT_FOUND: there is no spool in dir.  ERR_VERSION: it is of a newer version. */
MUST_USE enum err spool_verify_open(struct io *io, struct io_dir *dir,
    const struct spool_verify_options *options, struct spool_verify **verify);
/* NULL is nothing. */
void spool_verify_close(struct spool_verify *verify);
/* Reads on.  ERR_AGAIN: something is in doubt, and another pass is wanted. */
MUST_USE enum err spool_verify_pass(struct spool_verify *verify);
/* Reads each live body file to its end, and looks for those that belong to none. */
MUST_USE enum err spool_verify_bodies(struct spool_verify *verify);
/* Compares the checkpoint, if there is one, with what was read of the log. */
MUST_USE enum err spool_verify_checkpoint(struct spool_verify *verify);
void spool_verify_numbers(
    const struct spool_verify *verify, struct spool_verify_numbers *numbers);
/* The problems found until now, in no order; NULL behind the last. */
const struct spool_problem *
spool_verify_problem(const struct spool_verify *verify, size_t at);

/* A message that lives, as far as the log was read. */
struct spool_verify_message {
	uint64_t id, sequence, offset, body_bytes;
	uint64_t body_file; /* its number; 0: the body is in the record */
	char segment[SPOOL_FILE_NAME_BYTES], body[SPOOL_FILE_NAME_BYTES]; /* "": in the record */
	uint32_t body_crc;
};

/* Calls each for every message, in the order of the log. */
void spool_verify_each(struct spool_verify *verify,
    void (*each)(void *owner, const struct spool_verify_message *message), void *owner);
/* ERR_NOT_FOUND. */
MUST_USE enum err spool_verify_find(
    struct spool_verify *verify, uint64_t id, struct spool_verify_message *message);
/*
 * Reads again, and checks again: the envelope is added to envelope, and mark called for each
 * mark in order.  Each may be NULL.
 */
MUST_USE enum err spool_verify_message(struct spool_verify *verify, uint64_t id,
    struct buf *envelope, void (*mark)(void *owner, struct span mark), void *owner);
/* Gives the body in pieces.  ERR_CORRUPT comes after what was given. */
MUST_USE enum err spool_verify_body(struct spool_verify *verify, uint64_t id,
    void (*piece)(void *owner, struct span bytes), void *owner);
