/*
 * What the end of a program means for the message that it was given: its exit status as
 * sysexits.h has them, unless the program says itself what it means.  Pure.
 */
#pragma once

#include "base/buf.h"
#include "ipc/ipc.h"

enum { VERDICT_STATUS_BYTES = 16 };

struct verdict_end {
	struct span program; /* its path */
	struct span user;    /* whom it ran as */
	enum err err;        /* why it could not be started */
	int status;          /* its exit status, or 128 + the signal that ended it */
	uint64_t time_ms;    /* after which it was told to end; 0: it was not */
	struct span output;  /* what it said, any bytes */
};

struct verdict {
	enum ipc_outcome outcome;
	bool in_doubt; /* it may have the message all the same */
	char status[VERDICT_STATUS_BYTES];
};

/* text is empty, and gets what there is to say, for people; what does not fit is cut. */
void verdict_find(
    const struct verdict_end *end, struct verdict *verdict, struct buf *text);

/* Adds output in one line that can be shown: lines are parted by "; ". */
void verdict_write_output(struct buf *out, struct span output);
