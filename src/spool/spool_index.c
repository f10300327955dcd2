/* The index: a hash table of slots over pools. */
#include "spool/spool_index.h"

#include "base/arena.h"
#include "base/check.h"

enum { BLOCK_ITEMS = 4096, TABLE_ROOM_MIN = 64 };

_Static_assert(sizeof(struct spool_message) <= 56, "a message is at most 56 bytes");
_Static_assert(sizeof(struct spool_mark_place) <= 16, "a mark is at most 16 bytes");

static void *
pool_at(const struct spool_pool *pool, uint32_t slot)
{
	check(slot != 0 && slot <= pool->used);
	slot--;
	return pool->blocks[slot / BLOCK_ITEMS] +
	       (size_t)(slot % BLOCK_ITEMS) * pool->item_bytes;
}

static uint32_t
pool_take(struct spool_pool *pool)
{
	uint32_t slot = pool->free;

	if (slot) {
		memcpy(&pool->free, pool_at(pool, slot), sizeof(pool->free));
		memset(pool_at(pool, slot), 0, pool->item_bytes);
		return slot;
	}
	check(pool->used < UINT32_MAX);
	if (pool->used == pool->block_count * BLOCK_ITEMS) {
		pool->blocks = mem_realloc(
		    pool->blocks, (pool->block_count + 1) * sizeof(*pool->blocks));
		pool->blocks[pool->block_count++] =
		    mem_alloc((size_t)BLOCK_ITEMS * pool->item_bytes);
	}
	return ++pool->used;
}

static void
pool_give(struct spool_pool *pool, uint32_t slot)
{
	void *item = pool_at(pool, slot);

	memset(item, 0, pool->item_bytes);
	memcpy(item, &pool->free, sizeof(pool->free));
	pool->free = slot;
}

static void
pool_fini(struct spool_pool *pool)
{
	for (uint32_t i = 0; i < pool->block_count; i++)
		mem_free(pool->blocks[i]);
	mem_free(pool->blocks);
	*pool = (struct spool_pool){.item_bytes = pool->item_bytes};
}

void
spool_index_init(struct spool_index *index)
{
	*index = (struct spool_index){
	    .messages.item_bytes = sizeof(struct spool_message),
	    .marks.item_bytes = sizeof(struct spool_mark_place),
	};
}

void
spool_index_fini(struct spool_index *index)
{
	for (uint32_t i = 0; i < index->room; i++) {
		struct spool_message *message;

		if (!index->table[i])
			continue;
		message = spool_index_at(index, index->table[i]);
		if (message->flags & SPOOL_IN_FILE)
			mem_free(message->body.file);
	}
	pool_fini(&index->messages);
	pool_fini(&index->marks);
	mem_free(index->table);
	spool_index_init(index);
}

struct spool_message *
spool_index_at(const struct spool_index *index, uint32_t slot)
{
	return pool_at(&index->messages, slot);
}

struct spool_mark_place *
spool_index_mark_at(const struct spool_index *index, uint32_t slot)
{
	return pool_at(&index->marks, slot);
}

/* Where in the table an id would best be.  Ids come from us: no key is needed. */
static uint32_t
home(const struct spool_index *index, uint64_t id)
{
	return (uint32_t)(id * 0x9e3779b97f4a7c15 >> 32) & (index->room - 1);
}

static uint32_t
place_of(const struct spool_index *index, uint64_t id)
{
	uint32_t at = home(index, id);

	while (index->table[at] && spool_index_at(index, index->table[at])->id != id)
		at = (at + 1) & (index->room - 1);
	return at;
}

uint32_t
spool_index_find(const struct spool_index *index, uint64_t id)
{
	return index->room ? index->table[place_of(index, id)] : 0;
}

static void
make_room(struct spool_index *index)
{
	uint32_t *old = index->table;
	uint32_t old_room = index->room;

	if (old_room && index->count + 1 <= old_room / 4 * 3)
		return;
	check(old_room <= UINT32_MAX / 2);
	index->room = old_room ? old_room * 2 : TABLE_ROOM_MIN;
	index->table = mem_alloc(index->room * sizeof(*index->table));
	for (uint32_t i = 0; i < old_room; i++)
		if (old[i])
			index->table[place_of(index, spool_index_at(index, old[i])->id)] =
			    old[i];
	mem_free(old);
}

void
spool_index_reserve(struct spool_index *index, uint32_t count)
{
	uint32_t room = TABLE_ROOM_MIN;

	check(index->count == 0);
	while (room / 4 * 3 <= count && room <= UINT32_MAX / 2)
		room *= 2;
	mem_free(index->table);
	index->room = room;
	index->table = mem_alloc(room * sizeof(*index->table));
}

bool
spool_index_is_slot(const struct spool_index *index, uint32_t slot)
{
	return slot != 0 && slot <= index->messages.used;
}

uint32_t
spool_index_add(struct spool_index *index, uint64_t id)
{
	uint32_t slot, at;

	make_room(index);
	at = place_of(index, id);
	check(!index->table[at]);
	slot = pool_take(&index->messages);
	spool_index_at(index, slot)->id = id;
	index->table[at] = slot;
	index->count++;
	return slot;
}

/* Closes the hole at a place, so that no search stops before what it looks for. */
static void
close_hole(struct spool_index *index, uint32_t hole)
{
	uint32_t mask = index->room - 1;

	for (uint32_t at = (hole + 1) & mask; index->table[at]; at = (at + 1) & mask) {
		uint32_t wanted =
		    home(index, spool_index_at(index, index->table[at])->id);

		if (((at - wanted) & mask) >= ((at - hole) & mask)) {
			index->table[hole] = index->table[at];
			hole = at;
		}
	}
	index->table[hole] = 0;
}

void
spool_index_remove(struct spool_index *index, uint32_t slot)
{
	struct spool_message *message = spool_index_at(index, slot);
	uint32_t at = place_of(index, message->id);

	check(index->table[at] == slot);
	if (message->last_mark)
		spool_index_unmark(index, message, message->last_mark);
	if (message->flags & SPOOL_IN_FILE)
		mem_free(message->body.file);
	close_hole(index, at);
	index->count--;
	pool_give(&index->messages, slot);
}

void
spool_index_mark(struct spool_index *index, struct spool_message *message,
    const struct spool_mark_place *place)
{
	uint32_t slot = pool_take(&index->marks);

	*spool_index_mark_at(index, slot) = *place;
	spool_index_mark_at(index, slot)->next = 0;
	if (message->last_mark)
		spool_index_mark_at(index, message->last_mark)->next = slot;
	else
		message->first_mark = slot;
	message->last_mark = slot;
}

void
spool_index_unmark(
    struct spool_index *index, struct spool_message *message, uint32_t last)
{
	uint32_t slot = 0;

	while (slot != last) {
		slot = message->first_mark;
		check(slot != 0);
		message->first_mark = spool_index_mark_at(index, slot)->next;
		pool_give(&index->marks, slot);
	}
	if (!message->first_mark)
		message->last_mark = 0;
}

uint64_t
spool_message_body_bytes(const struct spool_message *message)
{
	return message->flags & SPOOL_IN_FILE ? message->body.file->bytes
					      : message->body.bytes;
}
