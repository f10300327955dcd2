/* The index: a hash table of slots over pools. */
#include "spool/spool_index.h"

#include "base/arena.h"
#include "base/check.h"

enum {
	BLOCK_ITEMS = 4096,
	TABLE_ROOM_MIN = 64,
	MOVE_AT_A_TIME = 8,
	NEIGHBOUR_BITS = 2, /* ids that differ in no other have one home */
};

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
	/* In the order of memory; slots that came back have no flags. */
	for (uint32_t slot = 1; slot <= index->messages.used; slot++) {
		const struct spool_message *message = spool_index_at(index, slot);

		if (message->flags & SPOOL_IN_FILE)
			mem_free(message->body.file);
	}
	mem_free(index->table.slots);
	mem_free(index->old.slots);
	pool_fini(&index->messages);
	pool_fini(&index->marks);
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

/*
 * Where in a table an id would best be.  Ids come from us: no key is needed.  They come in rows,
 * so neighbours share a home and stand side by side: whoever goes through millions of them
 * waits for memory once for several.
 */
static uint32_t
home(const struct spool_table *table, uint64_t id)
{
	return (uint32_t)((id >> NEIGHBOUR_BITS) * 0x9e3779b97f4a7c15 >> 32) &
	       (table->room - 1);
}

/* Where an id is in a table, or where it would be put. */
static uint32_t
place_of(const struct spool_index *index, const struct spool_table *table, uint64_t id)
{
	uint32_t at = home(table, id);

	while (table->slots[at] && spool_index_at(index, table->slots[at])->id != id)
		at = (at + 1) & (table->room - 1);
	return at;
}

static uint32_t
find_in(const struct spool_index *index, const struct spool_table *table, uint64_t id)
{
	return table->count ? table->slots[place_of(index, table, id)] : 0;
}

uint32_t
spool_index_find(const struct spool_index *index, uint64_t id)
{
	uint32_t slot = find_in(index, &index->table, id);

	return slot ? slot : find_in(index, &index->old, id);
}

/* Empties a place, and closes the hole, so that no search stops before what it looks for. */
static void
take_out(const struct spool_index *index, struct spool_table *table, uint32_t hole)
{
	uint32_t mask = table->room - 1;

	for (uint32_t at = (hole + 1) & mask; table->slots[at]; at = (at + 1) & mask) {
		uint32_t wanted =
		    home(table, spool_index_at(index, table->slots[at])->id);

		if (((at - wanted) & mask) >= ((at - hole) & mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole] = 0;
	table->count--;
}

static void
put_in(const struct spool_index *index, struct spool_table *table, uint32_t slot)
{
	uint32_t at = place_of(index, table, spool_index_at(index, slot)->id);

	check(!table->slots[at]);
	table->slots[at] = slot;
	table->count++;
}

/* Moves a little of the old table over; a place that something came to is looked at again. */
static void
move_some(struct spool_index *index)
{
	struct spool_table *old = &index->old;

	for (int i = 0; i < MOVE_AT_A_TIME && old->count; i++) {
		uint32_t at = index->moved & (old->room - 1);
		uint32_t slot = old->slots[at];

		if (!slot) {
			index->moved++;
			continue;
		}
		take_out(index, old, at);
		put_in(index, &index->table, slot);
	}
	if (old->count == 0) {
		mem_free(old->slots);
		*old = (struct spool_table){0};
		index->moved = 0;
	}
}

static struct spool_table
new_table(uint32_t room)
{
	return (struct spool_table){
	    .slots = mem_alloc(room * sizeof(uint32_t)), .room = room};
}

static void
make_room(struct spool_index *index)
{
	if (index->old.room)
		move_some(index);
	if (index->table.room && index->count + 1 <= index->table.room / 4 * 3)
		return;
	/* It was moved long before, as each addition moves several. */
	check(index->old.count == 0 && index->table.room <= UINT32_MAX / 2);
	index->old = index->table;
	index->table =
	    new_table(index->old.room ? index->old.room * 2 : TABLE_ROOM_MIN);
	move_some(index);
}

void
spool_index_reserve(struct spool_index *index, uint32_t count)
{
	uint32_t room = TABLE_ROOM_MIN;

	check(index->count == 0);
	while (room / 4 * 3 <= count && room <= UINT32_MAX / 2)
		room *= 2;
	mem_free(index->table.slots);
	mem_free(index->old.slots);
	index->old = (struct spool_table){0};
	index->table = new_table(room);
}

bool
spool_index_is_slot(const struct spool_index *index, uint32_t slot)
{
	return slot != 0 && slot <= index->messages.used;
}

uint32_t
spool_index_next(const struct spool_index *index, uint32_t slot)
{
	/* What was given back is not found by what its bytes say now. */
	while (spool_index_is_slot(index, ++slot))
		if (spool_index_find(index, spool_index_at(index, slot)->id) == slot)
			return slot;
	return 0;
}

uint32_t
spool_index_add(struct spool_index *index, uint64_t id)
{
	uint32_t slot;

	make_room(index);
	check(!spool_index_find(index, id));
	slot = pool_take(&index->messages);
	spool_index_at(index, slot)->id = id;
	put_in(index, &index->table, slot);
	index->count++;
	return slot;
}

void
spool_index_remove(struct spool_index *index, uint32_t slot)
{
	struct spool_message *message = spool_index_at(index, slot);
	struct spool_table *table =
	    find_in(index, &index->table, message->id) ? &index->table : &index->old;
	uint32_t at = place_of(index, table, message->id);

	check(table->slots[at] == slot);
	if (message->last_mark)
		spool_index_unmark(index, message, message->last_mark);
	if (message->flags & SPOOL_IN_FILE)
		mem_free(message->body.file);
	take_out(index, table, at);
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
