/* Domains are compared as they are written, but for the case of letters. */
#include "route/route.h"

bool
route_matches(struct span pattern, struct span domain)
{
	if (pattern.len == 0)
		return true;
	if (pattern.ptr[0] == '.')
		return domain.len > pattern.len && span_ends_nocase(domain, pattern);
	return span_eq_nocase(pattern, domain);
}

bool
route_takes(struct span pattern, struct span address)
{
	if (span_find(pattern, '@') < pattern.len)
		return span_eq_nocase(pattern, address);
	return route_matches(pattern, span_skip(address, span_find_last(address, '@') + 1));
}

const struct conf_route *
route_find(const struct conf *conf, struct span address)
{
	for (size_t i = 0; i < conf->route_count; i++)
		if (route_takes(conf->routes[i].domain, address))
			return &conf->routes[i];
	return NULL;
}
