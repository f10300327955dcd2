/*
 * A file as programs see it (now), as it is on the disk (durable), and what lies between: the
 * changes that no sync has covered, in order.
 *
 * A power cut may keep each of these, lose it, or keep some of its sectors.  A sector that is
 * written carries all that the page cache held of it then, so a change keeps whole sectors.
 * Where a longer file was lost but not its length, it reads as zeros.
 */
#include "sim/sim_internal.h"

static uint64_t
blocks(uint64_t bytes)
{
	return (bytes + SIM_BLOCK - 1) / SIM_BLOCK * SIM_BLOCK;
}

struct sim_inode *
sim_inode_create(struct sim_disk *disk, bool is_dir)
{
	struct sim_inode *inode = sim_alloc(disk->sim, sizeof(*inode));

	inode->disk = disk;
	inode->number = ++disk->number;
	inode->is_dir = is_dir;
	list_init(&inode->dirty);
	list_init(&inode->entries);
	list_push(&disk->inodes, &inode->link);
	return inode;
}

static void
forget(struct sim_dirty *dirty)
{
	list_remove(&dirty->link);
	sim_free(dirty);
}

static void
forget_all(struct sim_inode *inode)
{
	while (!list_empty(&inode->dirty))
		forget(container_of(inode->dirty.next, struct sim_dirty, link));
}

void
sim_inode_use(struct sim_inode *inode, int by)
{
	check(by > 0 || inode->uses > 0);
	inode->uses = (unsigned)((int)inode->uses + by);
	if (inode->uses > 0 || inode == inode->disk->root)
		return;
	if (inode->is_dir) {
		/* Its names were removed first, or they were never durable. */
		while (!list_empty(&inode->entries)) {
			struct sim_entry *entry =
			    container_of(inode->entries.next, struct sim_entry, link);

			list_remove(&entry->link);
			if (entry->now) {
				entry->now->names--;
				sim_inode_use(entry->now, -1);
			}
			if (entry->durable)
				sim_inode_use(entry->durable, -1);
			sim_free(entry);
		}
	}
	inode->disk->bytes_used -= blocks(inode->now_len);
	forget_all(inode);
	list_remove(&inode->link);
	sim_free(inode->now);
	sim_free(inode->durable);
	sim_free(inode);
}

/* What lies past the length is zero, so that a longer file costs only what is written to it. */
static void
set_len(struct sim *sim, char **ptr, uint64_t *len, uint64_t *room, uint64_t bytes)
{
	if (bytes > *room) {
		char *larger;

		*room = bytes + bytes / 4;
		larger = sim_alloc(sim, *room);
		if (*len > 0)
			memcpy(larger, *ptr, *len);
		sim_free(*ptr);
		*ptr = larger;
	}
	if (bytes < *len)
		memset(*ptr + bytes, 0, *len - bytes);
	*len = bytes;
}

static void
now_len(struct sim_inode *inode, uint64_t bytes)
{
	struct sim_disk *disk = inode->disk;

	disk->bytes_used += blocks(bytes);
	disk->bytes_used -= blocks(inode->now_len);
	set_len(disk->sim, &inode->now, &inode->now_len, &inode->now_room, bytes);
}

static void
durable_len(struct sim_inode *inode, uint64_t bytes)
{
	set_len(inode->disk->sim, &inode->durable, &inode->durable_len, &inode->durable_room,
	    bytes);
}

static bool
has_room(const struct sim_inode *inode, uint64_t bytes)
{
	const struct sim_disk *disk = inode->disk;
	uint64_t used = disk->bytes_used - blocks(inode->now_len) + blocks(bytes);

	return disk->bytes_max == 0 || used <= disk->bytes_max || bytes <= inode->now_len;
}

/* Remembers the sectors that a change touched. */
static void
remember(struct sim_inode *inode, uint64_t offset, uint64_t count)
{
	uint64_t from = offset / SIM_SECTOR * SIM_SECTOR;
	uint64_t to = (offset + count + SIM_SECTOR - 1) / SIM_SECTOR * SIM_SECTOR;
	struct sim_dirty *dirty;

	if (to > inode->now_len)
		to = inode->now_len;
	dirty = sim_alloc(inode->disk->sim, sizeof(*dirty) + (to - from));
	dirty->number = ++inode->disk->number;
	dirty->offset = from;
	dirty->size = inode->now_len;
	dirty->size_only = count == 0;
	if (to > from)
		memcpy(dirty + 1, inode->now + from, to - from);
	dirty->bytes = span_of((char *)(dirty + 1), to - from);
	list_push(&inode->dirty, &dirty->link);
}

enum err
sim_inode_write(struct sim_inode *inode, struct span bytes, uint64_t offset, size_t *done)
{
	uint64_t end = offset + bytes.len;
	enum err err = OK;

	while (bytes.len > 0 && !has_room(inode, end)) {
		size_t less = bytes.len % SIM_BLOCK ? bytes.len % SIM_BLOCK : SIM_BLOCK;

		err = ERR_NO_SPACE;
		bytes.len -= less < bytes.len ? less : bytes.len;
		end = offset + bytes.len;
	}
	*done = bytes.len;
	if (bytes.len == 0)
		return err;
	if (end > inode->now_len)
		now_len(inode, end);
	memcpy(inode->now + offset, bytes.ptr, bytes.len);
	remember(inode, offset, bytes.len);
	return err;
}

enum err
sim_inode_resize(struct sim_inode *inode, uint64_t bytes)
{
	if (!has_room(inode, bytes))
		return ERR_NO_SPACE;
	now_len(inode, bytes);
	remember(inode, bytes, 0);
	return OK;
}

/* Puts sectors [from, to) of a change on the disk. */
static void
settle_sectors(struct sim_inode *inode, const struct sim_dirty *dirty, uint64_t from, uint64_t to)
{
	uint64_t first = from * SIM_SECTOR, end = to * SIM_SECTOR;

	if (end > dirty->bytes.len)
		end = dirty->bytes.len;
	if (first >= end)
		return;
	if (dirty->offset + end > inode->durable_len)
		durable_len(inode, dirty->offset + end);
	memcpy(inode->durable + dirty->offset + first, dirty->bytes.ptr + first, end - first);
}

static uint64_t
sectors_of(const struct sim_dirty *dirty)
{
	return (dirty->bytes.len + SIM_SECTOR - 1) / SIM_SECTOR;
}

static void
settle(struct sim_inode *inode, struct sim_dirty *dirty)
{
	settle_sectors(inode, dirty, 0, sectors_of(dirty));
	if (dirty->size_only || dirty->size > inode->durable_len)
		durable_len(inode, dirty->size);
}

void
sim_inode_sync(struct sim_inode *inode, uint64_t number)
{
	list_for_each_safe(link, &inode->dirty)
	{
		struct sim_dirty *dirty = container_of(link, struct sim_dirty, link);

		if (dirty->number > number)
			break;
		settle(inode, dirty);
		forget(dirty);
	}
}

/* By the seed's will: all of it, none, or some sectors. */
static void
settle_some(struct sim_inode *inode, struct sim_dirty *dirty, unsigned keep_percent)
{
	struct sim *sim = inode->disk->sim;

	if (sim_chance(sim, 4) == 0) {
		for (uint64_t i = 0; i < sectors_of(dirty); i++)
			if (sim_chance(sim, 100) < keep_percent)
				settle_sectors(inode, dirty, i, i + 1);
	} else if (sim_chance(sim, 100) < keep_percent) {
		settle(inode, dirty);
		return;
	}
	/* The length may be there without the bytes. */
	if (dirty->size > inode->durable_len && sim_chance(sim, 3) == 0)
		durable_len(inode, dirty->size);
}

static void
become_durable(struct sim_inode *inode)
{
	inode->apart = false;
	now_len(inode, inode->durable_len);
	if (inode->now_len > 0)
		memcpy(inode->now, inode->durable, inode->now_len);
}

void
sim_inode_sync_failed(struct sim_inode *inode)
{
	struct sim *sim = inode->disk->sim;

	list_for_each(link, &inode->dirty)
	    settle_some(inode, container_of(link, struct sim_dirty, link), 50);
	forget_all(inode);
	inode->apart = true;
	/* The pages are clean now, so the kernel may drop them: then the disk's bytes are read. */
	if (sim_chance(sim, 2) == 0)
		become_durable(inode);
}

void
sim_inode_power_cut(struct sim_inode *inode, unsigned keep_percent)
{
	if (list_empty(&inode->dirty) && !inode->apart)
		return;
	list_for_each(link, &inode->dirty)
	    settle_some(inode, container_of(link, struct sim_dirty, link), keep_percent);
	forget_all(inode);
	become_durable(inode);
}

void
sim_inode_rot(struct sim_inode *inode, uint64_t at, unsigned bit)
{
	if (at >= inode->durable_len)
		return;
	inode->durable[at] = (char)(inode->durable[at] ^ 1 << bit);
	if (at < inode->now_len)
		inode->now[at] = (char)(inode->now[at] ^ 1 << bit);
}
