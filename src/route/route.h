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
/*
 * As route_takes for a reverse-path; "<>" fits only where there is none (""), and only that and ""
 * fit then.
 */
bool route_takes_sender(struct span pattern, struct span reverse_path);
/*
 * The first route that takes mail of that reverse-path ("": none) for the address: of a table, the
 * way of the nearest line that fits.  NULL is by MX, encrypted where offered.
 */
const struct conf_route *route_find(
    const struct conf *conf, struct span reverse_path, struct span address);
/* Where the statement, or the line of a table, stands that chose it; nowhere: file is empty. */
struct route_place {
	struct span file;
	unsigned line;
};
const struct conf_route *route_find_place(const struct conf *conf, struct span reverse_path,
    struct span address, struct route_place *place);
/* Adds what it does and where it stands, for people: "through mx.example:25 ..., FILE:12". */
void route_write(
    struct buf *out, const struct conf_route *route, const struct route_place *place);
