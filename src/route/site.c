/* See site.h. */
#include "route/site.h"

#include "providers/providers.h"
#include "route/limits.h"
#include "route/route.h"
#include "route/window.h"

struct span
route_site_name(
    const struct conf *conf, struct span host, char bytes[ROUTE_SITE_NAME_MAX])
{
	const struct provider *known = provider_of_host(host);

	for (size_t i = 0; i < conf->provider_count; i++)
		if (conf->providers[i].is_host && route_matches(conf->providers[i].name, host))
			return conf->providers[i].name;
	if (known)
		return span_str(known->name);
	return span_lower(bytes, span_first(host, ROUTE_SITE_NAME_MAX));
}

static const struct conf_provider *
block_of(const struct conf *conf, struct span name)
{
	for (size_t i = 0; i < conf->provider_count; i++)
		if (span_eq(conf->providers[i].name, name))
			return &conf->providers[i];
	return NULL;
}

static const struct provider *
shipped(const struct conf *conf, struct span name)
{
	return conf->provider_limits ? provider_named(name) : NULL;
}

static uint64_t
within(uint64_t number, uint64_t max)
{
	return number == 0 || number > max ? max : number;
}

void
route_site(const struct conf *conf, struct span name, struct route_site *into)
{
	const struct conf_provider *block = block_of(conf, name);
	const struct conf_limits *limits = block ? &block->limits : NULL;
	const struct provider *known = shipped(conf, name);
	uint64_t start = conf->limits.connections_start;

	*into = (struct route_site){
	    .connections_max = within(conf->host_connections_max, WINDOW_MAX), .block = block};
	if (known && known->connections > 0) {
		into->connections_max = known->connections;
		into->connections_source = ROUTE_SITE_SHIPPED;
	}
	if (known && known->rate_count > 0) {
		into->rate = (struct rate_limit){known->rate_count, known->rate_period_ms};
		into->rate_source = ROUTE_SITE_SHIPPED;
	}
	if (limits && limits->connections_max != CONF_UNSAID) {
		into->connections_max = limits->connections_max;
		into->connections_source = ROUTE_SITE_PROVIDER;
	}
	if (limits && limits->rate_count != CONF_UNSAID) {
		into->rate = route_rate(limits);
		into->rate_source = ROUTE_SITE_PROVIDER;
	}
	if (limits && limits->connections_start != CONF_UNSAID)
		start = limits->connections_start;
	into->connections_start = within(start, into->connections_max);
}

/* What a block says, the destination's or the provider's; else the shipped, within the preset. */
static uint64_t
first_said(uint64_t own, uint64_t block, uint64_t shipped_max, uint64_t preset)
{
	if (own != CONF_UNSAID)
		return own;
	if (block != CONF_UNSAID)
		return block;
	return shipped_max > 0 ? within(shipped_max, within(preset, UINT64_MAX)) : preset;
}

uint64_t
route_messages_max(const struct conf *conf, struct span destination, struct span site)
{
	const struct conf_destination *own = route_destination(conf, destination);
	const struct conf_provider *block = block_of(conf, site);
	const struct provider *known = shipped(conf, site);

	return first_said(own ? own->limits.messages_max : CONF_UNSAID,
	    block ? block->limits.messages_max : CONF_UNSAID, known ? known->messages_max : 0,
	    conf->connection_messages_max);
}

uint64_t
route_rcpts_max(const struct conf *conf, struct span destination, struct span site)
{
	const struct conf_destination *own = route_destination(conf, destination);
	const struct conf_provider *block = block_of(conf, site);
	const struct provider *known = shipped(conf, site);

	return first_said(own ? own->limits.rcpts_max : CONF_UNSAID,
	    block ? block->limits.rcpts_max : CONF_UNSAID, known ? known->rcpts_max : 0,
	    conf->rcpt_per_transaction_max);
}
