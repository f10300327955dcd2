/*
 * Which mail a route is for.  Pure.
 */
#pragma once

#include "base/span.h"

/*
 * True where the pattern fits the domain, without regard to case: "example.org" that name only,
 * ".example.org" all names below it, "" every name.
 */
bool route_matches(struct span pattern, struct span domain);
