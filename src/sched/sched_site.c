/*
 * Sites: what destinations share that the same servers take mail for.  A site has a window, a rate
 * and a pause of its own, for all of them together, and the turns of those that may start an
 * attempt but for these.  It has a turn among the destinations while it may, and they do.
 *
 * sched_site_look() is the one place that says whether it has one, and until when it is left alone.
 */
#include "sched/sched_internal.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/sim_point.h"

struct site_key {
	uint32_t hash;
	unsigned kind;
	struct span name;
};

static struct site_key
key_of(const struct sched *sched, unsigned kind, struct span name)
{
	return (struct site_key){name_hash(sched, kind, name), kind, name};
}

static uint32_t
site_hash(const void *owner, uint32_t slot)
{
	return site_at(owner, slot)->hash;
}

static bool
is_site(const void *owner, uint32_t slot, const void *wanted)
{
	const struct site *site = site_at(owner, slot);
	const struct site_key *key = wanted;

	return site->hash == key->hash && site->turn.kind == key->kind &&
	    span_eq(span_of(site->name, site->name_bytes), key->name);
}

void
sched_site_init(struct sched *sched)
{
	sched_pool_init(&sched->sites, sizeof(struct site));
	sched_index_init(&sched->site_index, sched, site_hash);
}

void
sched_site_fini(struct sched *sched)
{
	for (uint32_t at = 0; at < sched_pool_end(&sched->sites); at++)
		if (sched_pool_has_slot(&sched->sites, at))
			mem_free(site_at(sched, at)->name);
	sched_pool_fini(&sched->sites);
	sched_index_fini(&sched->site_index);
}

uint32_t
sched_site_find(const struct sched *sched, unsigned kind, struct span name)
{
	const struct site_key key = key_of(sched, kind, name);

	return sched_index_find(&sched->site_index, key.hash, is_site, &key);
}

size_t
sched_site_count(const struct sched *sched)
{
	return sched->sites.count;
}

static void
ask_limits(struct sched *sched, struct site *site)
{
	site->limits_age = sched->limits_age;
	sched->options.site_limits(sched->options.owner, site->turn.kind,
	    span_of(site->name, site->name_bytes), &site->limits);
	check(site->limits.concurrency_max > 0);
}

static uint32_t
new_site(struct sched *sched, unsigned kind, struct span name)
{
	uint32_t at = sched_pool_take(&sched->sites);
	struct site *site = site_at(sched, at);

	check(at < RING_SITE);
	*site = (struct site){
	    .name = mem_copy(name),
	    .name_bytes = (uint32_t)name.len,
	    .hash = key_of(sched, kind, name).hash,
	    .turn = {.kind = (uint8_t)kind, .began = RING_ALL},
	};
	for (unsigned which = 0; which < RING_COUNT; which++)
		sched_ring_init(&site->turns[which]);
	sched_index_add(&sched->site_index, at);
	ask_limits(sched, site);
	window_init(
	    &site->window, site->limits.concurrency_start, site->limits.concurrency_max);
	return at;
}

uint32_t
sched_site_join(struct sched *sched, unsigned kind, struct span name)
{
	uint32_t at = sched_site_find(sched, kind, name);

	if (at == SCHED_NONE)
		at = new_site(sched, kind, name);
	site_at(sched, at)->destination_count++;
	return at;
}

void
sched_site_leave(struct sched *sched, uint32_t at)
{
	struct site *site = site_at(sched, at);

	check(site->destination_count > 0);
	site->destination_count--;
	sched_site_look(sched, at);
}

bool
sched_site_may(const struct sched *sched, const struct site *site, enum sched_reason *reason,
    uint64_t *wake_ms)
{
	uint64_t token_ms = rate_next_ms(&site->rate, &site->limits.rate, sched->now_ms);

	if (site->limits.pause_until_ms > sched->now_ms) {
		*wake_ms = site->limits.pause_until_ms;
		*reason = SCHED_WHY_PAUSE;
		return false;
	}
	if (!window_has_room(&site->window, turn_places(&site->turn))) {
		*reason = SCHED_WHY_SITE;
		return false;
	}
	if (token_ms > sched->now_ms) {
		*wake_ms = token_ms;
		*reason = SCHED_WHY_SITE_RATE;
		return false;
	}
	return true;
}

static void
forget(struct sched *sched, uint32_t at)
{
	struct site *site = site_at(sched, at);

	check(site->turn.active == 0);
	sched_ring_set(sched, at | RING_SITE, false, false);
	sched_ring_wake(sched, at | RING_SITE, 0);
	sched_index_remove(&sched->site_index, at);
	mem_free(site->name);
	site->name = NULL;
	sched_pool_give(&sched->sites, at);
}

void
sched_site_look(struct sched *sched, uint32_t at)
{
	struct site *site = site_at(sched, at);
	enum sched_reason reason;
	uint64_t wake_ms = 0;
	bool may, any;

	if (site->limits_age != sched->limits_age) {
		ask_limits(sched, site);
		window_limit(&site->window, site->limits.concurrency_max);
	}
	if (site->destination_count == 0) {
		/* As with destinations: who has had its share for now is remembered until then. */
		if (site->limits.rate.count == 0 || rate_is_full(&site->rate, sched->now_ms)) {
			forget(sched, at);
			return;
		}
		/* A pause beyond that is no reason to remember it. */
		sched_ring_set(sched, at | RING_SITE, false, false);
		sched_ring_wake(sched, at | RING_SITE, rate_full_ms(&site->rate));
		return;
	}
	any = site->turns[RING_ALL].first != SCHED_NONE;
	may = sched_site_may(sched, site, &reason, &wake_ms);
	if (!may && reason == SCHED_WHY_SITE && any)
		SIM_MARK("sched.site_window_binds");
	sched_ring_set(sched, at | RING_SITE,
	    may && site->turns[RING_LIGHT].first != SCHED_NONE, may && any);
	sched_ring_wake(sched, at | RING_SITE, any ? wake_ms : 0);
}

void
sched_site_over(
    struct sched *sched, uint32_t at, enum sched_feedback feedback, bool was_up)
{
	struct site *site = site_at(sched, at);

	switch (feedback) {
	case SCHED_SERVED:
		site->served = true;
		window_succeed(&site->window, site->limits.concurrency_max);
		return;
	case SCHED_REFUSED:
		site->served = false;
		window_fail(&site->window, site->turn.active);
		return;
	case SCHED_NO_ANSWER:
		/*
		 * A destination that cannot be reached is its own affair; but while others of the
		 * site get through, it is rather that there are too many at a time.
		 */
		if (!was_up)
			return;
		if (site->served && site->turn.active > 0)
			window_fail(&site->window, site->turn.active);
		site->served = false;
		return;
	case SCHED_UNTRIED:
		return;
	}
	check(false);
}

void
sched_site_get(const struct sched *sched, uint32_t at, struct sched_site *into)
{
	const struct site *site = site_at(sched, at);

	*into = (struct sched_site){
	    .name = span_of(site->name, site->name_bytes),
	    .destination_count = site->destination_count,
	    .active = turn_places(&site->turn),
	    .window = site->window.size,
	    .token_ms = rate_next_ms(&site->rate, &site->limits.rate, sched->now_ms),
	    .limits = site->limits,
	};
}
