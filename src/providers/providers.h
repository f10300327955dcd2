/*
 * Providers that many domains have their mail with: known by the names of their MX hosts.  What is
 * asked of one of their domains is asked of all.
 *
 * With some comes what they let one sender have: figures that they publish, or that operators of
 * other servers keep to.  They are defaults; a configuration may say otherwise.
 */
#pragma once

#include "base/span.h"

enum { PROVIDER_HOSTS_MAX = 4 };

struct provider {
	const char *name;
	const char *hosts[PROVIDER_HOSTS_MAX]; /* ends of the names of their MX hosts */
	/* What a sender may have; 0: no figure was found. */
	unsigned connections;  /* at a time, for all their domains */
	unsigned messages_max; /* on one connection */
	unsigned rcpts_max;    /* in one transaction */
	unsigned rate_count, rate_period_ms; /* messages in a time, for all their domains */
	const char *source; /* an address, or whose experience it is; where there are figures */
	const char *date;   /* when it was looked up: "2026-11" */
};

/* The provider whose host that is; NULL: none that is known. */
const struct provider *provider_of_host(struct span host);
/* By its name, letters in either case; NULL: there is none. */
const struct provider *provider_named(struct span name);
/* NULL past the end. */
const struct provider *provider_at(size_t index);
