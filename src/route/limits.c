/* See limits.h. */
#include "route/limits.h"

#include <assert.h>

#include "route/route.h"
#include "route/window.h"

static_assert(
    (int)RATE_COUNT_MAX >= (int)CONF_RATE_COUNT_MAX, "what may be said can be kept to");
static_assert(RATE_PERIOD_MS_MAX >= CONF_RATE_PERIOD_MS_MAX, "and for how long");

const struct conf_destination *
route_destination(const struct conf *conf, struct span destination)
{
	if (destination.len == 0)
		return NULL;
	if (destination.len > 2 && destination.ptr[0] == '[' &&
	    destination.ptr[destination.len - 1] == ']')
		destination = span_of(destination.ptr + 1, destination.len - 2);
	if (span_starts_nocase(destination, SPAN("IPv6:")))
		destination = span_skip(destination, 5);
	for (size_t i = 0; i < conf->destination_count; i++)
		if (route_matches(conf->destinations[i].pattern, destination))
			return &conf->destinations[i];
	return NULL;
}

const struct conf_limits *
route_limits(const struct conf *conf, struct span destination)
{
	const struct conf_destination *block = route_destination(conf, destination);

	return block ? &block->limits : &conf->limits;
}
