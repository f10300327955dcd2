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
