/*
 * When to try again.  Pure: the schedule, the age and chance are arguments.
 */
#pragma once

#include "base/span.h"

/*
 * The wait before the next try after tries failed tries (1 is the first): the schedule's entry,
 * its last one repeating, changed by up to jitter_percent (at most 100) of it either way, by
 * chance (any number).
 */
uint64_t retry_wait_ms(const uint64_t *schedule_ms, size_t schedule_count, unsigned tries,
    uint64_t jitter_percent, uint64_t chance);
