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
	list_init(&pool->again);
	pool->kept_count = pool->room_count = 0;
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
pool_find(const struct pool *pool, struct span key)
{
	return map_get(&pool->ways, key);
}

struct pool_way *
pool_way(struct pool *pool, struct span key)
{
	struct pool_way *way = pool_find(pool, key);
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
	list_init(&way->rooms);
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
		list_remove(&way->blocked);
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
	if (!list_linked(&entry->age)) {
		pool_no_room(pool, entry);
		return;
	}
	list_remove(&entry->node);
	check(pool->kept_count > 0);
	list_remove(&entry->age);
	list_remove(&entry->in_site);
	pool->kept_count--;
}

/* The site has one fewer: those who waited for that may go on. */
static void
leave_site(struct pool *pool, struct pool_site *site)
{
	struct list *node;

	site->count--;
	while ((node = list_pop(&site->blocked)) != NULL)
		list_push(&pool->again, node);
	if (site->count > 0)
		return;
	map_remove_u64(&pool->sites, site->id);
	mem_free(site);
}

struct pool_way *
pool_again(struct pool *pool)
{
	struct list *node = list_pop(&pool->again);

	return node ? container_of(node, struct pool_way, blocked) : NULL;
}

bool
pool_site_is_wanted(const struct pool_entry *entry)
{
	return entry->site && !list_empty(&entry->site->blocked);
}

void
pool_set_site(struct pool *pool, struct pool_entry *entry, uint64_t id)
{
	struct pool_site *site = entry->site;

	check(!list_linked(&entry->in_site));
	if (site && site->id == id)
		return;
	if (site)
		leave_site(pool, site);
	entry->site = NULL;
	if (id == 0)
		return;
	site = map_get_u64(&pool->sites, id);
	if (!site) {
		site = mem_alloc(sizeof(*site));
		site->id = id;
		list_init(&site->kept);
		list_init(&site->blocked);
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

/* The site, where it has all that it may, and none of these can make room. */
static struct pool_site *
full_site(const struct pool *pool, const struct pool_want *want)
{
	struct pool_site *site = want->site != 0 ? map_get_u64(&pool->sites, want->site) : NULL;

	return site && site->count >= want->site_max && list_empty(&site->kept) ? site : NULL;
}

static bool
may_open(struct pool *pool, struct pool_way *way, const struct pool_want *want)
{
	size_t opening_max = way->open > 0 ? way->open : 1;
	struct pool_site *full;

	if (way->opening >= opening_max)
		return false;
	full = full_site(pool, want);
	if (full && !list_linked(&way->blocked))
		list_push(&full->blocked, &way->blocked);
	return !full;
}

struct pool_want *
pool_next(struct pool *pool, struct pool_way *way, enum pool_by *by, struct pool_entry **entry)
{
	struct pool_want *want;

	*entry = NULL;
	if (list_empty(&way->queued))
		return NULL;
	want = container_of(way->queued.next, struct pool_want, node);
	*by = !list_empty(&way->kept)                     ? POOL_KEPT
	    : !list_empty(&way->rooms) && !want->alone ? POOL_ROOM
	                                               : POOL_NEW;
	if (*by == POOL_NEW)
		return may_open(pool, way, want) ? pool_first(way) : NULL;
	*entry = container_of(
	    (*by == POOL_KEPT ? &way->kept : &way->rooms)->next, struct pool_entry, node);
	take(pool, *entry);
	return pool_first(way);
}

void
pool_unsend(struct pool_way *way, struct pool_want *want)
{
	want->alone = true;
	list_push_front(&way->queued, &want->node);
}

void
pool_room(struct pool *pool, struct pool_entry *entry)
{
	check(entry->is_open && !list_linked(&entry->node));
	list_push(&entry->way->rooms, &entry->node);
	pool->room_count++;
}

void
pool_no_room(struct pool *pool, struct pool_entry *entry)
{
	check(!list_linked(&entry->age));
	if (!list_linked(&entry->node))
		return;
	list_remove(&entry->node);
	check(pool->room_count > 0);
	pool->room_count--;
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
