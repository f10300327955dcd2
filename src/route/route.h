/*
 * Which mail a route is for.  Pure.
 */
#pragma once

#include "conf/conf.h"

/*
 * True where the pattern fits the domain, without regard to case: "example.org" that name only,
 * ".example.org" all names below it, "" every name.
 */
bool route_matches(struct span pattern, struct span domain);
/*
 * As route_matches for the address's domain; "joe@example.org" fits that address only.
 */
bool route_takes(struct span pattern, struct span address);
/* The first route that takes mail for the address; NULL is by MX, encrypted where offered. */
const struct conf_route *route_find(const struct conf *conf, struct span address);
