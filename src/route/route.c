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

bool
route_takes_sender(struct span pattern, struct span reverse_path)
{
	if (pattern.len == 0)
		return true;
	if (span_eq(pattern, SPAN("<>")) || reverse_path.len == 0)
		return span_eq(pattern, SPAN("<>")) && reverse_path.len == 0;
	return route_takes(pattern, reverse_path);
}

const struct conf_route *
route_find_place(const struct conf *conf, struct span reverse_path, struct span address,
    struct route_place *place)
{
	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *route = &conf->routes[i], *way;

		*place = (struct route_place){route->file, route->line};
		if (route->kind != CONF_ROUTE_TABLE) {
			if (route_takes_sender(route->sender, reverse_path) &&
			    route_takes(route->domain, address))
				return route;
			continue;
		}
		if (conf_table_is_by_sender(route->table))
			way = conf_table_nearest(route->table,
			    reverse_path.len > 0 ? reverse_path : SPAN("<>"), &place->line);
		else
			way = conf_table_nearest(route->table, address, &place->line);
		if (way) {
			place->file = way->file;
			return way;
		}
	}
	*place = (struct route_place){0};
	return NULL;
}

const struct conf_route *
route_find(const struct conf *conf, struct span reverse_path, struct span address)
{
	struct route_place place;

	return route_find_place(conf, reverse_path, address, &place);
}

void
route_write(struct buf *out, const struct conf_route *route, const struct route_place *place)
{
	conf_route_write(out, route);
	buf_addf(out, ", %.*s:%u", SPAN_ARGS(place->file), place->line);
}
