/*
 * How much a new address may send a day ("warm up"), and how that is spread over the day.  Pure;
 * days are counted since 1970, in UTC.
 *
 * A few may go at once when the day begins; the rest of its share is released evenly until it
 * ends.  What was released while there was no mail is not lost: it goes out later, but no faster
 * than WARMUP_HASTE times the even rate.
 */
#pragma once

#include "conf/conf.h"

#define WARMUP_DAY_MS UINT64_C(86400000)
/* It is warm: it may send any number. */
#define WARMUP_NO_LIMIT UINT64_MAX

enum {
	WARMUP_BURST_MIN = 20, /* go at once, whatever the share; else what an hour has of it */
	WARMUP_HASTE = 4,
};

/* To how many recipients it may send on that day; 0: it has not begun. */
uint64_t warmup_share(const struct conf_warmup *warmup, uint64_t day);
/* Which day of its schedule that is, from 1; 0: it has not begun. */
uint64_t warmup_number(const struct conf_warmup *warmup, uint64_t day);
/* The first day after that one whose share is another; 0: it stays as it is. */
uint64_t warmup_next_change(const struct conf_warmup *warmup, uint64_t day);

/* How many of a share may go at once; at most the share, which has a limit. */
uint64_t warmup_burst(uint64_t share);
/* How many of it may have gone so long (less than a day) after its day began. */
uint64_t warmup_released(uint64_t share, uint64_t into_day_ms);
/* The inverse: how long after its day began that many may; a day: not on that one. */
uint64_t warmup_release_ms(uint64_t share, uint64_t count);
/* Between two of them where they go as fast as any may; the share is not 0. */
uint64_t warmup_interval_ns(uint64_t share);
