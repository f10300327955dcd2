/*
 * Dates and times of RFC 3339, for protocols: milliseconds since 1970 in UTC.
 */
#pragma once

#include "base/buf.h"

enum {
	DATE_TEXT_BYTES = 20, /* "2026-11-24T03:04:05Z" */
	DATE_DAY_BYTES = 10,  /* "2026-11-24" */
};

struct date {
	unsigned year, month, day; /* month and day from 1 */
	unsigned weekday;          /* from 0, Sunday */
	unsigned hour, minute, second, ms;
};

/* What is past the year 9999 is its end. */
struct date date_of(uint64_t wall_ms);

/*
 * Reads "2026-11-24T03:04:05Z", with fractions of a second and offsets as "+01:00" where it has
 * them; from the year 1970 to 9999.  False where it is none.
 */
bool date_read(struct span text, uint64_t *wall_ms);
/* Reads "2026-11-24": when that day begins, in UTC. */
bool date_read_day(struct span text, uint64_t *wall_ms);
/* Adds the date in UTC, in seconds. */
void date_write(struct buf *out, uint64_t wall_ms);
/* In milliseconds, for logs: "2026-11-24T03:04:05.123Z". */
void date_write_ms(struct buf *out, uint64_t wall_ms);
/* The day alone. */
void date_write_day(struct buf *out, uint64_t wall_ms);
