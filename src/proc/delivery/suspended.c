/*
 * Providers that an operator has suspended: none of their servers is asked for anything.  The queue
 * holds back what it knows to be theirs; what it does not know is found here, by the names of the
 * hosts, before there is a connection.
 */
#include "proc/delivery/delivery_internal.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/sim_point.h"
#include "route/name.h"
#include "route/site.h"

enum { SUSPENDED_MAX = 10000 }; /* the queue tells fewer */

enum err
suspended_take(struct delivery *delivery, const struct ipc_qd_suspended *told)
{
	if (told->first) {
		for (size_t i = 0; i < delivery->suspended_count; i++)
			mem_free((char *)(uintptr_t)delivery->suspended[i].ptr);
		delivery->suspended_count = 0;
	}
	if (told->site.len == 0)
		return OK;
	if (delivery->suspended_count == SUSPENDED_MAX)
		return ERR_LIMIT;
	delivery->suspended = mem_realloc(delivery->suspended,
	    (delivery->suspended_count + 1) * sizeof(*delivery->suspended));
	delivery->suspended[delivery->suspended_count++] =
	    span_of(mem_copy(told->site), told->site.len);
	return OK;
}

/* The site of the host, where that is suspended; else "". */
static struct span
suspended_site(
    const struct delivery *delivery, struct span host, char bytes[ROUTE_SITE_NAME_MAX])
{
	struct span site = route_site_name(delivery->conf, host, bytes);

	for (size_t i = 0; i < delivery->suspended_count; i++)
		if (route_name_fits_site(delivery->suspended[i], site))
			return site;
	return SPAN("");
}

bool
suspended_stops(struct attempt *attempt)
{
	const struct delivery *delivery = attempt->delivery;
	char bytes[ROUTE_SITE_NAME_MAX], text[ROUTE_SITE_NAME_MAX + 60];
	size_t kept = 0;
	struct span site;

	/* Routes name their servers themselves. */
	if (delivery->suspended_count == 0 || attempt->host.len > 0 || attempt->addr_count == 0)
		return false;
	site = suspended_site(delivery, attempt->addrs[0].host, bytes);
	if (site.len > 0) {
		SIM_MARK("delivery.suspended");
		snprintf(text, sizeof(text), "an operator suspended %.*s, which takes its mail",
		    SPAN_ARGS(site));
		attempt_fail(attempt, IPC_SUSPENDED, 0, "4.3.2", text);
		return true;
	}
	for (size_t i = 0; i < attempt->addr_count; i++)
		if (suspended_site(delivery, attempt->addrs[i].host, bytes).len == 0)
			attempt->addrs[kept++] = attempt->addrs[i];
	attempt->addr_count = kept;
	return false;
}
