/*
 * Moments as people write them, all in UTC as everything that the server says:
 * "09:07", "2026-11-26 09:07", "2026-11-26", "yesterday", "yesterday 09:07", "2h" (ago).
 */
#pragma once

#include "base/buf.h"

/* A moment is as long as it was said exactly: "09:07" is a minute, "2026-11-26" a day. */
struct cli_moment {
	uint64_t from_ms, until_ms; /* both included */
};

/* False for anything else.  A time of day that is still to come today is yesterday's. */
bool cli_time_parse(const char *text, uint64_t now_ms, struct cli_moment *moment);
/* What is understood, for messages. */
extern const char cli_time_forms[];

/* Adds "26 Nov 09:07:01 UTC", with the year where it is not that of now. */
void cli_time_write(struct buf *out, uint64_t wall_ms, uint64_t now_ms);
/* Adds "2026-11-26T09:07:01.123Z". */
void cli_time_write_json(struct buf *out, uint64_t wall_ms);
uint64_t cli_time_now_ms(void);
