/*
 * The limits of a destination: when to try again, how long, how much at a time.  Pure.
 */
#pragma once

#include "conf/conf.h"
#include "route/rate.h"

/*
 * The limits for a destination, by name: the recipient's domain for mail that goes by MX (an
 * address in brackets is taken without them), the host's for mail that goes through a
 * smart host, "" for the mailboxes here.  Of the configuration's blocks it is the first
 * whose pattern fits, else what the queue says.  It points into the conf.
 */
const struct conf_limits *route_limits(const struct conf *conf, struct span destination);
/* The block that they come from; NULL: from the queue's. */
const struct conf_destination *
route_destination(const struct conf *conf, struct span destination);

enum { ROUTE_CONNECTIONS = 20, ROUTE_FAR_CONNECTIONS = 50 };

/* Connections at a time where the line is long. */
static inline uint64_t
route_far_connections(const struct conf_limits *limits)
{
	if (limits->connections_far_max > 0)
		return limits->connections_far_max;
	/* Who says how many they are means all. */
	return limits->connections_max == ROUTE_CONNECTIONS ? ROUTE_FAR_CONNECTIONS
							    : limits->connections_max;
}

/* The rate of limits, for rate_take() and the like. */
static inline struct rate_limit
route_rate(const struct conf_limits *limits)
{
	return (struct rate_limit){
	    .count = (uint32_t)limits->rate_count, .period_ms = limits->rate_period_ms};
}
