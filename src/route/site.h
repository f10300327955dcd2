/*
 * Sites: all destinations that the same servers take mail for, and what they may have together.
 * A site is a provider that is known (src/providers), the MX hosts that a block "provider" of the
 * configuration names, or else the MX host by itself.  Pure.
 */
#pragma once

#include "base/span.h"
#include "conf/conf.h"
#include "route/rate.h"

enum { ROUTE_SITE_NAME_MAX = 255 };

/*
 * The name of the site that an MX host is of: points into the conf, to a constant, or into bytes,
 * where a host's own name is, in small letters; cut where it is longer than any host's.
 */
struct span route_site_name(
    const struct conf *conf, struct span host, char bytes[ROUTE_SITE_NAME_MAX]);

/* Who says what a site may have. */
enum route_site_source {
	ROUTE_SITE_QUEUE,    /* the block "queue": of all sites */
	ROUTE_SITE_SHIPPED,  /* src/providers */
	ROUTE_SITE_PROVIDER, /* a block "provider" */
};

struct route_site {
	uint64_t connections_start, connections_max; /* 1 to WINDOW_MAX */
	struct rate_limit rate;                      /* count 0: none */
	enum route_site_source connections_source, rate_source;
	const struct conf_provider *block; /* NULL: none is about it */
};

void route_site(const struct conf *conf, struct span name, struct route_site *into);

/*
 * Transactions on one connection (0: any number), and recipients of one transaction: of a
 * destination, by its name (limits.h), and its site ("" where none is known).
 */
uint64_t route_messages_max(
    const struct conf *conf, struct span destination, struct span site);
uint64_t route_rcpts_max(const struct conf *conf, struct span destination, struct span site);
