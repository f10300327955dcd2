/*
 * The domains that there are, and a DNS that in a mood is late, lies, or says now this, now that.
 */
#include <stdio.h>

#include "base/arena.h"
#include "sim_actors.h"

enum { DOMAINS_MAX = 32, HOSTS_MAX = 64, NAME_MAX_BYTES = 64 };

struct domain {
	char name[NAME_MAX_BYTES];
	enum zone_kind kind;
	struct {
		unsigned preference;
		char host[NAME_MAX_BYTES];
	} mx[ZONE_HOSTS_MAX];
	size_t mx_count;
};

struct host {
	char name[NAME_MAX_BYTES];
	struct net_addr addr;
};

struct zone {
	struct sim *sim;
	const struct mood *mood;
	struct domain domains[DOMAINS_MAX];
	size_t domain_count;
	struct host hosts[HOSTS_MAX];
	size_t host_count;
	uint64_t faults;
};

static struct domain *
find_domain(struct zone *zone, struct span name)
{
	for (size_t i = 0; i < zone->domain_count; i++)
		if (span_eq_nocase(name, span_str(zone->domains[i].name)))
			return &zone->domains[i];
	return NULL;
}

static const struct host *
find_host(const struct zone *zone, struct span name)
{
	for (size_t i = 0; i < zone->host_count; i++)
		if (span_eq_nocase(name, span_str(zone->hosts[i].name)))
			return &zone->hosts[i];
	return NULL;
}

/*
 * Half of the domains have a policy, in mode testing: what one in mode enforce asks for, TLS, is
 * not in this world.
 */
static struct domain *
find_policy(struct zone *zone, struct span name, struct span before)
{
	struct domain *domain;

	if (!span_starts(name, before))
		return NULL;
	domain = find_domain(zone, span_skip(name, before.len));
	return domain && (domain - zone->domains) % 2 == 0 ? domain : NULL;
}

static enum err
fetch(void *owner, struct span host, struct buf *body)
{
	struct zone *zone = owner;
	const struct domain *domain = find_policy(zone, host, SPAN("mta-sts."));

	if (!domain)
		return ERR_NOT_FOUND;
	if (!zone->mood->healed && sim_happens(zone->sim, zone->mood->dns_ppm)) {
		zone->faults++;
		buf_add_str(body, "<html>");
		return sim_chance(zone->sim, 2) ? OK : ERR_TIMEOUT;
	}
	buf_add_str(body, "version: STSv1\nmode: testing\nmax_age: 3600\nmx: ");
	buf_add_str(body, domain->mx_count > 0 ? domain->mx[0].host : "none.example");
	buf_add_char(body, '\n');
	return OK;
}

static void
answer_truly(struct zone *zone, struct span name, enum io_dns_type type,
    struct sim_dns_answer *answer)
{
	const struct domain *domain = find_domain(zone, name);
	const struct host *host = find_host(zone, name);

	answer->ttl_s = 300;
	answer->secure = zone->mood->dns_signed;
	if (type == IO_DNS_TXT && find_policy(zone, name, SPAN("_mta-sts."))) {
		sim_dns_add_txt(answer, SPAN("v=STSv1; id=1;"));
		return;
	}
	if (type == IO_DNS_A && find_policy(zone, name, SPAN("mta-sts.")) && zone->host_count > 0) {
		sim_dns_add_addr(answer, &zone->hosts[0].addr);
		return;
	}
	if (!domain && !host)
		answer->rcode = 3;
	if (type == IO_DNS_A && host)
		sim_dns_add_addr(answer, &host->addr);
	if (type == IO_DNS_MX && domain && domain->kind == ZONE_NULL_MX)
		sim_dns_add_mx(answer, 0, SPAN(""));
	if (type == IO_DNS_MX && domain && domain->kind == ZONE_MX)
		for (size_t i = 0; i < domain->mx_count; i++)
			sim_dns_add_mx(answer, domain->mx[i].preference,
			    span_str(domain->mx[i].host));
}

/* More servers than anybody tries, of which the last is there. */
static void
add_many_mx(struct zone *zone, struct sim_dns_answer *answer)
{
	char name[NAME_MAX_BYTES];

	for (unsigned i = 0; i + 1 < SIM_DNS_RECORDS_MAX; i++) {
		snprintf(name, sizeof(name), "mx%u.nowhere.example", i);
		sim_dns_add_mx(answer, i, span_str(name));
	}
	if (zone->host_count > 0)
		sim_dns_add_mx(answer, 100, span_str(zone->hosts[0].name));
}

static void
answer_falsely(struct zone *zone, enum io_dns_type type, struct sim_dns_answer *answer)
{
	switch (sim_chance(zone->sim, 7)) {
	case 0:
		answer->err = ERR_TIMEOUT;
		break;
	case 1:
		answer->err = ERR_DNS;
		break;
	case 2:
		answer->rcode = 3;
		break;
	case 3:
		if (type == IO_DNS_A && zone->host_count > 0)
			sim_dns_add_addr(answer,
			    &zone->hosts[sim_chance(zone->sim, zone->host_count)].addr);
		else if (type == IO_DNS_MX && zone->host_count > 0)
			sim_dns_add_mx(answer, 1,
			    span_str(zone->hosts[sim_chance(zone->sim, zone->host_count)].name));
		break;
	case 4:
		/* Records that are none: cut short, and with a name that points nowhere. */
		sim_dns_add(answer, SPAN("\0"));
		sim_dns_add(answer, SPAN("\0\12\300\0\77"));
		break;
	case 5:
		if (type == IO_DNS_MX)
			add_many_mx(zone, answer);
		break;
	default:
		answer->bogus = true;
		answer->rcode = 2;
	}
}

static void
answer(void *owner, struct span name, enum io_dns_type type, struct sim_dns_answer *out)
{
	struct zone *zone = owner;

	if (!zone->mood->healed && sim_happens(zone->sim, zone->mood->dns_ppm)) {
		zone->faults++;
		sim_trace(zone->sim, "dns lies about %.*s", SPAN_ARGS(name));
		answer_falsely(zone, type, out);
	} else {
		answer_truly(zone, name, type, out);
	}
}

struct zone *
zone_create(struct sim *sim, const struct mood *mood)
{
	struct zone *zone = mem_alloc(sizeof(*zone));

	zone->sim = sim;
	zone->mood = mood;
	sim_on_dns(sim, answer, zone);
	sim_on_fetch(sim, fetch, zone);
	return zone;
}

void
zone_destroy(struct zone *zone)
{
	mem_free(zone);
}

void
zone_add_domain(struct zone *zone, const char *name, enum zone_kind kind)
{
	struct domain *domain = &zone->domains[zone->domain_count++];

	check(zone->domain_count <= DOMAINS_MAX);
	domain->kind = kind;
	snprintf(domain->name, sizeof(domain->name), "%s", name);
}

void
zone_add_mx(struct zone *zone, const char *name, unsigned preference, const char *host)
{
	struct domain *domain = find_domain(zone, span_str(name));

	check(domain && domain->mx_count < ZONE_HOSTS_MAX);
	domain->mx[domain->mx_count].preference = preference;
	snprintf(domain->mx[domain->mx_count++].host, NAME_MAX_BYTES, "%s", host);
}

void
zone_add_host(struct zone *zone, const char *name, const struct net_addr *addr)
{
	struct host *host = &zone->hosts[zone->host_count++];

	check(zone->host_count <= HOSTS_MAX);
	host->addr = *addr;
	snprintf(host->name, sizeof(host->name), "%s", name);
}

uint64_t
zone_faults(const struct zone *zone)
{
	return zone->faults;
}
