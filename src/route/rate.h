/*
 * A rate limit: a bucket of tokens, so many in a period.  Pure; time is an argument, from any
 * clock that does not run backwards.
 *
 * At most count tokens are given in any period: a tenth of them (at least one) at once after
 * a pause, the rest spread evenly.  The bucket is one number, the time at which it is full
 * again, so it costs 8 bytes, and a bucket that is full is the same as a new one.
 */
#pragma once

#include "base/span.h"

enum { RATE_COUNT_MAX = 1000000 };
#define RATE_PERIOD_MS_MAX UINT64_C(2592000000) /* 30 days */

struct rate {
	uint64_t full_ns; /* when the bucket is full again; in the past: it is */
};

/* What is configured; a count of 0 is no limit. */
struct rate_limit {
	uint32_t count;
	uint64_t period_ms;
};

/* When a token may be taken: now_ms, or later. */
uint64_t
rate_next_ms(const struct rate *rate, const struct rate_limit *limit, uint64_t now_ms);
/* Takes one, which is there. */
void rate_take(struct rate *rate, const struct rate_limit *limit, uint64_t now_ms);
/* Takes one, there or not: what is owed delays the next ones, by no more than a period. */
void rate_charge(struct rate *rate, const struct rate_limit *limit, uint64_t now_ms);
/* Whether nothing needs to be remembered: a new bucket would do as well. */
bool rate_is_full(const struct rate *rate, uint64_t now_ms);
/* From when on it is. */
uint64_t rate_full_ms(const struct rate *rate);
