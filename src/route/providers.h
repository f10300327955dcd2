/*
 * Providers that many domains have their mail with: known by the names of their MX hosts.  What is
 * asked of one of their domains is asked of all.
 */
#pragma once

#include "base/span.h"

enum { PROVIDER_HOSTS_MAX = 4 };

struct provider {
	const char *name;
	const char *hosts[PROVIDER_HOSTS_MAX]; /* ends of the names of their MX hosts */
};

/* The provider whose host that is; NULL: none that is known. */
const struct provider *provider_of_host(struct span host);
/* NULL past the end. */
const struct provider *provider_at(size_t index);
