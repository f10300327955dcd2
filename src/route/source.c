/* See source.h. */
#include "route/source.h"

#include "route/route.h"

enum pool { NAMED, OF_SENDER, OF_ALL_OTHERS };

/* An address may be in a pool by several statements: the first counts. */
static bool
is_first_of_pool(const struct conf *conf, const struct conf_source *source)
{
	for (const struct conf_source *before = conf->sources; before < source; before++)
		if (span_eq(before->pool, source->pool) &&
		    net_addr_same_host(&before->addr, &source->addr))
			return false;
	return true;
}

static bool
is_of_pool(const struct conf *conf, const struct conf_source *source, enum pool pool,
    const struct route_source_asked *asked)
{
	if (source->addr.family != asked->family)
		return false;
	switch (pool) {
	case NAMED:
		return span_eq_nocase(source->pool, asked->pool) &&
		    is_first_of_pool(conf, source);
	case OF_SENDER:
		return source->sender.len > 0 &&
		    route_matches(source->sender, asked->sender_domain);
	case OF_ALL_OTHERS:
		return source->sender.len == 0 && source->pool.len == 0;
	}
	return false;
}

bool
route_pool_is_known(const struct conf *conf, struct span pool)
{
	for (size_t i = 0; i < conf->source_count && pool.len > 0; i++)
		if (span_eq_nocase(conf->sources[i].pool, pool))
			return true;
	return false;
}

static bool
has_any(const struct conf *conf, enum pool pool, const struct route_source_asked *asked)
{
	for (size_t i = 0; i < conf->source_count; i++)
		if (is_of_pool(conf, &conf->sources[i], pool, asked))
			return true;
	return false;
}

static enum pool
pool_of(const struct conf *conf, const struct route_source_asked *asked)
{
	if (route_pool_is_known(conf, asked->pool))
		return NAMED;
	return has_any(conf, OF_SENDER, asked) ? OF_SENDER : OF_ALL_OTHERS;
}

bool
route_source_fits(const struct conf *conf, const struct route_source_asked *asked,
    const struct conf_source *source)
{
	return is_of_pool(conf, source, pool_of(conf, asked), asked);
}

static bool
may(const struct conf *conf, const struct conf_source *source, enum pool pool,
    const struct route_source_asked *asked)
{
	return is_of_pool(conf, source, pool, asked) &&
	    (!asked->may || asked->may(asked->owner, source));
}

enum route_source_found
route_source(const struct conf *conf, const struct route_source_asked *asked,
    const struct conf_source **source)
{
	enum pool pool = pool_of(conf, asked);
	uint64_t total = 0, chance;

	*source = NULL;
	if (!has_any(conf, pool, asked))
		return pool == NAMED ? ROUTE_SOURCE_NONE : ROUTE_SOURCE_SYSTEM;
	for (size_t i = 0; i < conf->source_count; i++)
		if (may(conf, &conf->sources[i], pool, asked))
			total += conf->sources[i].weight;
	if (total == 0)
		return ROUTE_SOURCE_MAY_NOT;
	chance = asked->chance % total;
	for (size_t i = 0; !*source; i++) {
		if (!may(conf, &conf->sources[i], pool, asked))
			continue;
		if (chance < conf->sources[i].weight)
			*source = &conf->sources[i];
		else
			chance -= conf->sources[i].weight;
	}
	return ROUTE_SOURCE_THIS;
}
