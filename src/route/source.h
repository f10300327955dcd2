/* Which address mail leaves from.  Pure. */
#pragma once

#include "conf/conf.h"

/*
 * The address for mail of a sender's domain to a server of that family (4, 6): one of its pool,
 * else of the pool for all others, by weight; chance is any number.  NULL: the system chooses.
 */
const struct conf_source *route_source(
    const struct conf *conf, struct span sender_domain, uint8_t family, uint64_t chance);
