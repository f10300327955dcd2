/*
 * The one kept last is taken first: the others grow old together and go, so that no more are kept
 * than are of use.
 */
#include "proc/delivery/pool.h"

#include "base/arena.h"
#include "base/check.h"

void
pool_init(struct pool *pool, const uint64_t seed[2])
{
	map_init(&pool->ways, seed);
	map_init(&pool->sites, seed);
	list_init(&pool->kept);
	list_init(&pool->empty);
	pool->kept_count = 0;
}

void
pool_fini(struct pool *pool)
{
	pool_sweep(pool);
	check(pool->kept_count == 0 && pool->ways.count == 0 && pool->sites.count == 0);
	map_fini(&pool->ways);
	map_fini(&pool->sites);
}

struct pool_way *
pool_way(struct pool *pool, struct span key)
{
	struct pool_way *way = map_get(&pool->ways, key);
	char *bytes;

	if (way)
		return way;
	way = mem_alloc(sizeof(*way) + key.len);
	bytes = (char *)(way + 1);
	if (key.len > 0)
		memcpy(bytes, key.ptr, key.len);
	way->key = span_of(bytes, key.len);
	list_init(&way->queued);
	list_init(&way->kept);
	map_set(&pool->ways, way->key, way);
	list_push(&pool->empty, &way->empty);
	return way;
}

static bool
is_used(const struct pool_way *way)
{
	return way->opening > 0 || way->open > 0 || !list_empty(&way->queued);
}

void
pool_sweep(struct pool *pool)
{
	struct list *node;

	while ((node = list_pop(&pool->empty)) != NULL) {
		struct pool_way *way = container_of(node, struct pool_way, empty);

		if (is_used(way))
			continue;
		map_remove(&pool->ways, way->key);
		mem_free(way);
	}
}

void
pool_queue(struct pool_way *way, struct pool_want *want)
{
	list_push(&way->queued, &want->node);
}

void
pool_leave(struct pool_want *want)
{
	list_remove(&want->node);
}

struct pool_want *
pool_first(struct pool_way *way)
{
	struct list *node = list_pop(&way->queued);

	return node ? container_of(node, struct pool_want, node) : NULL;
}

static void
take(struct pool *pool, struct pool_entry *entry)
{
	if (!list_linked(&entry->node))
		return;
	check(pool->kept_count > 0);
	list_remove(&entry->node);
	list_remove(&entry->age);
	list_remove(&entry->in_site);
	pool->kept_count--;
}

void
pool_set_site(struct pool *pool, struct pool_entry *entry, uint64_t id)
{
	struct pool_site *site = entry->site;

	check(!list_linked(&entry->in_site));
	if (site && site->id == id)
		return;
	if (site && --site->count == 0) {
		map_remove_u64(&pool->sites, site->id);
		mem_free(site);
	}
	entry->site = NULL;
	if (id == 0)
		return;
	site = map_get_u64(&pool->sites, id);
	if (!site) {
		site = mem_alloc(sizeof(*site));
		site->id = id;
		list_init(&site->kept);
		map_set_u64(&pool->sites, id, site);
	}
	site->count++;
	entry->site = site;
}

bool
pool_site_is_over(const struct pool_entry *entry, size_t max)
{
	return entry->site && entry->site->count > max;
}

struct pool_entry *
pool_site_spare(const struct pool *pool, uint64_t id, size_t max)
{
	struct pool_site *site = id != 0 ? map_get_u64(&pool->sites, id) : NULL;

	if (!site || site->count < max || list_empty(&site->kept))
		return NULL;
	return container_of(site->kept.next, struct pool_entry, in_site);
}

struct pool_want *
pool_next(struct pool *pool, struct pool_way *way, struct pool_entry **kept)
{
	size_t opening_max = way->open > 0 ? way->open : 1;

	*kept = NULL;
	if (list_empty(&way->queued))
		return NULL;
	if (!list_empty(&way->kept)) {
		*kept = container_of(way->kept.next, struct pool_entry, node);
		take(pool, *kept);
		return pool_first(way);
	}
	return way->opening < opening_max ? pool_first(way) : NULL;
}

void
pool_opening(struct pool_way *way, struct pool_entry *entry)
{
	check(!entry->way);
	entry->way = way;
	entry->is_open = false;
	way->opening++;
}

void
pool_opened(struct pool_entry *entry)
{
	check(entry->way && !entry->is_open && entry->way->opening > 0);
	entry->is_open = true;
	entry->way->opening--;
	entry->way->open++;
}

void
pool_keep(struct pool *pool, struct pool_entry *entry, uint64_t now_ms)
{
	check(entry->is_open && !list_linked(&entry->node));
	entry->since_ms = now_ms;
	list_push_front(&entry->way->kept, &entry->node);
	list_push(&pool->kept, &entry->age);
	if (entry->site)
		list_push(&entry->site->kept, &entry->in_site);
	pool->kept_count++;
}

void
pool_gone(struct pool *pool, struct pool_entry *entry)
{
	struct pool_way *way = entry->way;
	size_t *count;

	if (!way)
		return;
	take(pool, entry);
	pool_set_site(pool, entry, 0);
	count = entry->is_open ? &way->open : &way->opening;
	check(*count > 0);
	--*count;
	entry->way = NULL;
	if (!is_used(way) && !list_linked(&way->empty))
		list_push(&pool->empty, &way->empty);
}

struct pool_entry *
pool_oldest(const struct pool *pool)
{
	if (list_empty(&pool->kept))
		return NULL;
	return container_of(pool->kept.next, struct pool_entry, age);
}
