/* See health.h. */
#include "proc/delivery/health.h"

#include "base/arena.h"
#include "base/check.h"

enum { KEY_BYTES = 19 };

struct silent {
	struct list age;
	char key[KEY_BYTES];
	uint64_t wait_ms, until_ms;
};

static struct span
key_of(const struct net_addr *addr, char key[KEY_BYTES])
{
	key[0] = (char)addr->family;
	memcpy(key + 1, addr->bytes, sizeof(addr->bytes));
	memcpy(key + 1 + sizeof(addr->bytes), &addr->port, sizeof(addr->port));
	return span_of(key, KEY_BYTES);
}

static struct silent *
find(const struct health *health, const struct net_addr *addr)
{
	char key[KEY_BYTES];

	return map_get(&health->silent, key_of(addr, key));
}

static void
forget(struct health *health, struct silent *silent)
{
	check(map_remove(&health->silent, span_of(silent->key, KEY_BYTES)) == silent);
	list_remove(&silent->age);
	mem_free(silent);
	health->count--;
}

void
health_init(struct health *health, const uint64_t seed[2], uint64_t wait_ms_min,
    uint64_t wait_ms_max)
{
	health->wait_ms_min = wait_ms_min;
	health->wait_ms_max = wait_ms_max;
	map_init(&health->silent, seed);
	list_init(&health->ages);
	health->count = 0;
}

void
health_fini(struct health *health)
{
	while (health->count > 0)
		forget(health, container_of(health->ages.next, struct silent, age));
	map_fini(&health->silent);
}

void
health_silent(struct health *health, const struct net_addr *addr, uint64_t now_ms,
    uint64_t wait_ms_max)
{
	struct silent *silent = find(health, addr);
	uint64_t max = wait_ms_max < health->wait_ms_max ? wait_ms_max : health->wait_ms_max;

	if (!silent) {
		if (health->count == HEALTH_COUNT_MAX)
			forget(health, container_of(health->ages.next, struct silent, age));
		silent = mem_alloc(sizeof(*silent));
		map_set(&health->silent, key_of(addr, silent->key), silent);
		list_push(&health->ages, &silent->age);
		health->count++;
		silent->wait_ms = health->wait_ms_min / 2;
	}
	silent->wait_ms = 2 * silent->wait_ms < max ? 2 * silent->wait_ms : max;
	silent->until_ms = now_ms + silent->wait_ms;
}

void
health_answers(struct health *health, const struct net_addr *addr)
{
	struct silent *silent = find(health, addr);

	if (silent)
		forget(health, silent);
}

uint64_t
health_wait_ms(const struct health *health, const struct net_addr *addr, uint64_t now_ms)
{
	const struct silent *silent = find(health, addr);

	return silent && silent->until_ms > now_ms ? silent->until_ms - now_ms : 0;
}

void
health_probing(struct health *health, const struct net_addr *addr, uint64_t now_ms,
    uint64_t probe_ms)
{
	struct silent *silent = find(health, addr);

	if (silent && silent->until_ms < now_ms + probe_ms)
		silent->until_ms = now_ms + probe_ms;
}
