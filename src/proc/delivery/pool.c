/*
 * The newest of a key is taken first: the others grow old together and go, so that no more are
 * kept than are of use.
 */
#include "proc/delivery/pool.h"

#include "base/check.h"

void
pool_init(struct pool *pool, const uint64_t seed[2])
{
	map_init(&pool->ways, seed);
	list_init(&pool->entries);
	pool->count = 0;
}

void
pool_fini(struct pool *pool)
{
	check(pool->count == 0 && list_empty(&pool->entries));
	map_fini(&pool->ways);
}

void
pool_put(struct pool *pool, struct pool_entry *entry, uint64_t now_ms)
{
	check(!list_linked(&entry->node));
	entry->since_ms = now_ms;
	entry->newer = NULL;
	entry->older = map_get(&pool->ways, entry->key);
	if (entry->older)
		entry->older->newer = entry;
	map_set(&pool->ways, entry->key, entry);
	list_push(&pool->entries, &entry->node);
	pool->count++;
}

struct pool_entry *
pool_take(struct pool *pool, struct span key)
{
	struct pool_entry *entry = map_get(&pool->ways, key);

	if (entry)
		pool_remove(pool, entry);
	return entry;
}

void
pool_remove(struct pool *pool, struct pool_entry *entry)
{
	if (!list_linked(&entry->node))
		return;
	check(pool->count > 0);
	if (entry->newer)
		entry->newer->older = entry->older;
	else if (entry->older)
		map_set(&pool->ways, entry->older->key, entry->older);
	else
		map_remove(&pool->ways, entry->key);
	if (entry->older)
		entry->older->newer = entry->newer;
	entry->older = entry->newer = NULL;
	list_remove(&entry->node);
	pool->count--;
}

struct pool_entry *
pool_oldest(const struct pool *pool)
{
	if (list_empty(&pool->entries))
		return NULL;
	return container_of(pool->entries.next, struct pool_entry, node);
}
