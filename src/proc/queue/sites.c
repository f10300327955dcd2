/* See sites.h. */
#include "proc/queue/sites.h"

#include "base/arena.h"
#include "base/check.h"

void
sites_init(struct sites *sites, const uint64_t seed[2])
{
	*sites = (struct sites){.seed = {seed[0], seed[1]}};
	map_init(&sites->names, seed);
}

static void
release(struct sites *sites, struct site_name *site)
{
	if (!site || --site->users > 0)
		return;
	map_remove(&sites->names, site->name);
	mem_free(site);
}

void
sites_fini(struct sites *sites)
{
	for (size_t i = 0; sites->known && i < SITES_KNOWN; i++)
		release(sites, sites->known[i].site);
	check(sites->names.count == 0);
	map_fini(&sites->names);
	mem_free(sites->known);
	sites->known = NULL;
}

static uint64_t
id_of(const struct sites *sites, struct span key)
{
	uint64_t id = map_hash(sites->seed, key);

	return id != 0 ? id : 1;
}

struct span
sites_of(const struct sites *sites, struct span key)
{
	uint64_t id = id_of(sites, key);
	const struct site_known *known;

	if (!sites->known)
		return SPAN("");
	known = &sites->known[id % SITES_KNOWN];
	return known->destination == id ? known->site->name : SPAN("");
}

static struct site_name *
take(struct sites *sites, struct span name)
{
	struct site_name *site = map_get(&sites->names, name);
	char *bytes;

	if (!site) {
		site = mem_alloc(sizeof(*site) + name.len);
		bytes = (char *)(site + 1);
		memcpy(bytes, name.ptr, name.len);
		site->name = span_of(bytes, name.len);
		map_set(&sites->names, site->name, site);
	}
	site->users++;
	return site;
}

bool
sites_learn(struct sites *sites, struct span key, struct span name)
{
	uint64_t id = id_of(sites, key);
	struct site_known *known;
	struct site_name *was;

	check(name.len > 0);
	if (!sites->known)
		sites->known = mem_alloc(SITES_KNOWN * sizeof(*sites->known));
	known = &sites->known[id % SITES_KNOWN];
	was = known->site;
	if (known->destination == id && span_eq(was->name, name))
		return false;
	*known = (struct site_known){id, take(sites, name)};
	release(sites, was);
	return true;
}
