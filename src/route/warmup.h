/* How much a new address may send a day ("warm up").  Pure; days are counted since 1970, in UTC. */
#pragma once

#include "conf/conf.h"

#define WARMUP_DAY_MS UINT64_C(86400000)
/* It is warm: it may send any number. */
#define WARMUP_NO_LIMIT UINT64_MAX

/* To how many recipients it may send on that day; 0: it has not begun. */
uint64_t warmup_share(const struct conf_warmup *warmup, uint64_t day);
/* Which day of its schedule that is, from 1; 0: it has not begun. */
uint64_t warmup_number(const struct conf_warmup *warmup, uint64_t day);
/* The first day after that one whose share is another; 0: it stays as it is. */
uint64_t warmup_next_change(const struct conf_warmup *warmup, uint64_t day);
