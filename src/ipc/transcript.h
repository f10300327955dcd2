/*
 * The transcript of one attempt: what was said both ways, and what happened, each with its time.
 * Bounded: the first half of the room keeps what came first, the other half what came last.  To
 * add a step costs a copy; only who needs the transcript pays for making it fit to be shown.
 *
 * Whoever adds leaves out what nobody is to see: secrets, and the message itself.
 */
#pragma once

#include "base/wire.h"

enum {
	TRANSCRIPT_LINE_MAX = 400, /* bytes of a step that are kept */
	/* of one as it is written: the last character may become four, and "..." */
	TRANSCRIPT_TEXT_MAX = TRANSCRIPT_LINE_MAX + 8,
	TRANSCRIPT_STEP_MAX = TRANSCRIPT_TEXT_MAX + 16,
};

enum transcript_kind {
	TRANSCRIPT_FACT, /* connected, what TLS came to, what DNS said */
	TRANSCRIPT_SENT, /* a line that we said */
	TRANSCRIPT_GOT,  /* a line that the other side said */
	TRANSCRIPT_GAP,  /* steps are left out here; the text is how many */
	TRANSCRIPT_KIND_COUNT,
};

struct transcript {
	uint64_t start_ms;
	struct buf first, last;
	uint64_t gap; /* steps that are no longer kept, between the two */
	size_t half;  /* bytes of each; 0: nothing is kept */
};

void transcript_init(struct transcript *transcript, size_t bytes_max, uint64_t now_ms);
void transcript_fini(struct transcript *transcript);
void transcript_add(struct transcript *transcript, enum transcript_kind kind, struct span text,
    uint64_t now_ms);
/* A fact, made from parts. */
void transcript_fact(struct transcript *transcript, uint64_t now_ms, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Adds it to out, to be read by transcript_next: control characters become "\x1b", long lines are
 * cut, and what does not fit into out is left out at the end.
 */
void transcript_write(const struct transcript *transcript, struct buf *out);

struct transcript_step {
	enum transcript_kind kind;
	uint64_t ms; /* since the attempt began */
	struct span text;
};
/* The next step; false at the end or at a fault, which reader_finish() tells apart. */
bool transcript_next(struct reader *reader, struct transcript_step *step);
