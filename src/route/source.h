/* Which address mail leaves from.  Pure. */
#pragma once

#include "conf/conf.h"

struct route_source_asked {
	struct span pool;          /* that the message names; "", or one that is not there: none */
	struct span sender_domain;
	uint8_t family;            /* of the server: 4, 6 */
	uint64_t chance;           /* any number */
	bool (*may)(const void *owner, const struct conf_source *source); /* NULL: each may */
	const void *owner;
};

enum route_source_found {
	ROUTE_SOURCE_SYSTEM, /* nothing is said: the system chooses */
	ROUTE_SOURCE_THIS,
	ROUTE_SOURCE_NONE,   /* the pool that the message names has no address of the family */
	ROUTE_SOURCE_MAY_NOT, /* none of its pool may just now */
};

/*
 * One of the pool that the message names; else of its sender's, where that has one of the family;
 * else of the pool for all others.  By weight, of those that may.  *source: THIS; else NULL.
 */
enum route_source_found route_source(const struct conf *conf,
    const struct route_source_asked *asked, const struct conf_source **source);
/* Whether there is a pool of that name, in any case of its letters. */
bool route_pool_is_known(const struct conf *conf, struct span pool);
/* Whether the source is of the pool from which route_source takes for what is asked. */
bool route_source_fits(const struct conf *conf, const struct route_source_asked *asked,
    const struct conf_source *source);
