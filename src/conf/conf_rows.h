/*
 * What the files with rows share; nobody else includes it.  A default or a range is written in a
 * row, once and nowhere else.  conf_show and the manual have the rows in the order of these
 * functions.
 */
#pragma once

#include "conf/conf_option.h"

#define KB (UINT64_C(1) << 10)
#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)
#define TB (UINT64_C(1) << 40)
#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(member) .offset = offsetof(struct conf, member)
/* What is in "rate period". */
#define RATE(name, member, number)                                                     \
	.words = (name), .type = CONF_COUNT, AT(member), .preset = (number), .min = 1, \
	.max = 1000000, .zero = "unlimited", .syntax = "NUMBER | unlimited"
/* Rows of the blocks "destination" and "provider". */
#define LIMIT(member) .offset = offsetof(struct conf_limits, member)

/* conf_option_rows.c: what stands outside of blocks. */
const struct conf_option *conf_rows_general(size_t *count);
/* conf_rows_limits.c: limits, submission. */
const struct conf_option *conf_rows_limits(size_t *count);
/* conf_rows_queue.c: queue, destination, provider, ledger, delivery. */
const struct conf_option *conf_rows_queue(size_t *count);
