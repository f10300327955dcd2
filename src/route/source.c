/* See source.h. */
#include "route/source.h"

#include "route/route.h"

static bool
is_of_pool(const struct conf_source *source, bool own, struct span domain, uint8_t family)
{
	if (source->addr.family != family)
		return false;
	return own ? source->sender.len > 0 && route_matches(source->sender, domain)
	           : source->sender.len == 0;
}

static const struct conf_source *
choose(const struct conf *conf, bool own, struct span domain, uint8_t family, uint64_t chance)
{
	uint64_t total = 0;

	for (size_t i = 0; i < conf->source_count; i++)
		if (is_of_pool(&conf->sources[i], own, domain, family))
			total += conf->sources[i].weight;
	if (total == 0)
		return NULL;
	chance %= total;
	for (size_t i = 0; i < conf->source_count; i++) {
		const struct conf_source *source = &conf->sources[i];

		if (!is_of_pool(source, own, domain, family))
			continue;
		if (chance < source->weight)
			return source;
		chance -= source->weight;
	}
	return NULL;
}

const struct conf_source *
route_source(
    const struct conf *conf, struct span sender_domain, uint8_t family, uint64_t chance)
{
	const struct conf_source *source = choose(conf, true, sender_domain, family, chance);

	return source ? source : choose(conf, false, sender_domain, family, chance);
}
