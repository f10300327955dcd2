/*
 * Names: each directory's entries as they are and as they are durable.  A change of names (make,
 * rename, link, remove) becomes durable with a sync of a directory that it touches; until then a
 * power cut keeps or loses it, each on its own.
 */
#include "sim/sim_internal.h"

#include "spool/spool_record.h"

enum { ROT_TRIES = 1000 };

struct sim_disk *
sim_disk_create(struct sim *sim, struct sim_server *server)
{
	struct sim_disk *disk = sim_alloc(sim, sizeof(*disk));

	disk->sim = sim;
	disk->server = server;
	disk->bytes_max = sim->options.disk_bytes;
	list_init(&disk->inodes);
	list_init(&disk->renames);
	disk->root = sim_inode_create(disk, true);
	return disk;
}

struct sim_entry *
sim_entry_find(struct sim_inode *dir, struct span name)
{
	list_for_each(link, &dir->entries)
	{
		struct sim_entry *entry = container_of(link, struct sim_entry, link);

		if (span_eq(span_str(entry->name), name))
			return entry;
	}
	return NULL;
}

struct sim_entry *
sim_entry_next(struct sim_inode *dir, const struct sim_entry *after)
{
	struct sim_entry *next = NULL;

	list_for_each(link, &dir->entries)
	{
		struct sim_entry *entry = container_of(link, struct sim_entry, link);

		if ((!after || strcmp(entry->name, after->name) > 0) &&
		    (!next || strcmp(entry->name, next->name) < 0))
			next = entry;
	}
	return next;
}

static struct sim_entry *
get_entry(struct sim_inode *dir, struct span name)
{
	struct sim_entry *entry = sim_entry_find(dir, name);

	if (entry)
		return entry;
	entry = sim_alloc(dir->disk->sim, sizeof(*entry) + name.len + 1);
	memcpy(entry->name, name.ptr, name.len);
	list_push(&dir->entries, &entry->link);
	return entry;
}

static void
drop_if_empty(struct sim_entry *entry)
{
	if (entry->now || entry->durable)
		return;
	list_remove(&entry->link);
	sim_free(entry);
}

static void
set_now(struct sim_inode *dir, struct span name, struct sim_inode *to)
{
	struct sim_entry *entry = get_entry(dir, name);
	struct sim_inode *old = entry->now;

	entry->now = to;
	if (to) {
		to->names++;
		sim_inode_use(to, 1);
	}
	if (old) {
		old->names--;
		sim_inode_use(old, -1);
	}
	drop_if_empty(entry);
}

static void
set_durable(struct sim_inode *dir, struct span name, struct sim_inode *to)
{
	struct sim_entry *entry = get_entry(dir, name);
	struct sim_inode *old = entry->durable;

	entry->durable = to;
	if (to)
		sim_inode_use(to, 1);
	if (old)
		sim_inode_use(old, -1);
	drop_if_empty(entry);
}

void
sim_disk_change(struct sim_disk *disk, size_t count, struct sim_inode *const *dirs,
    const struct span *names, struct sim_inode *const *to)
{
	struct sim_rename *rename = sim_alloc(disk->sim, sizeof(*rename));

	check(count <= LEN(rename->changes));
	rename->count = count;
	rename->number = ++disk->number;
	for (size_t i = 0; i < count; i++) {
		struct sim_change *change = &rename->changes[i];

		change->dir = dirs[i];
		change->to = to[i];
		change->name = sim_alloc(disk->sim, names[i].len + 1);
		memcpy(change->name, names[i].ptr, names[i].len);
		sim_inode_use(dirs[i], 1);
		if (to[i])
			sim_inode_use(to[i], 1);
	}
	list_push(&disk->renames, &rename->link);
	for (size_t i = 0; i < count; i++)
		set_now(dirs[i], names[i], to[i]);
}

static void
end_rename(struct sim_rename *rename, bool keep)
{
	list_remove(&rename->link);
	for (size_t i = 0; i < rename->count; i++) {
		struct sim_change *change = &rename->changes[i];

		if (keep)
			set_durable(change->dir, span_str(change->name), change->to);
		if (change->to)
			sim_inode_use(change->to, -1);
		sim_inode_use(change->dir, -1);
		sim_free(change->name);
	}
	sim_free(rename);
}

void
sim_disk_sync_dir(struct sim_disk *disk, struct sim_inode *dir, uint64_t number)
{
	list_for_each_safe(link, &disk->renames)
	{
		struct sim_rename *rename = container_of(link, struct sim_rename, link);

		if (rename->number > number)
			break;
		for (size_t i = 0; i < rename->count; i++)
			if (rename->changes[i].dir == dir) {
				end_rename(rename, true);
				break;
			}
	}
}

/* All names of a directory are what is durable, and so below. */
static void
names_become_durable(struct sim_inode *dir)
{
	list_for_each_safe(link, &dir->entries)
	{
		struct sim_entry *entry = container_of(link, struct sim_entry, link);

		if (entry->now != entry->durable)
			set_now(dir, span_str(entry->name), entry->durable);
	}
}

void
sim_disk_power_cut(struct sim_disk *disk)
{
	static const unsigned keeps[] = {0, 50, 90, 100};
	unsigned keep = keeps[sim_chance(disk->sim, LEN(keeps))];

	while (!list_empty(&disk->renames)) {
		struct list *first = disk->renames.next;

		end_rename(container_of(first, struct sim_rename, link),
		    sim_chance(disk->sim, 100) < keep);
	}
	/* A directory may go with its last name; so none is held across a change. */
	for (bool changed = true; changed;) {
		changed = false;
		list_for_each(link, &disk->inodes)
		{
			struct sim_inode *inode = container_of(link, struct sim_inode, link);

			list_for_each(at, &inode->entries)
			{
				struct sim_entry *entry = container_of(at, struct sim_entry, link);

				changed = changed || entry->now != entry->durable;
			}
			if (changed) {
				names_become_durable(inode);
				break;
			}
		}
	}
	list_for_each(link, &disk->inodes)
	{
		struct sim_inode *inode = container_of(link, struct sim_inode, link);

		if (!inode->is_dir)
			sim_inode_power_cut(inode, keep);
	}
}

struct sim_inode *
sim_disk_walk(struct sim_inode *from, const char *path)
{
	struct span rest = span_str(path), part;

	while (from && span_cut(&rest, '/', &part)) {
		struct sim_entry *entry;

		if (part.len == 0 || span_eq(part, SPAN(".")))
			continue;
		if (!from->is_dir)
			return NULL;
		entry = sim_entry_find(from, part);
		from = entry ? entry->now : NULL;
	}
	return from;
}

struct sim_inode *
sim_disk_parent(struct sim_inode *from, const char *path, struct span *last)
{
	struct span whole = span_str(path);
	size_t slash = span_find_last(whole, '/');
	struct sim_inode *dir = from;
	char *above;

	*last = slash == whole.len ? whole : span_skip(whole, slash + 1);
	if (slash == whole.len || slash == 0)
		return dir;
	above = sim_alloc(from->disk->sim, slash + 1);
	memcpy(above, path, slash);
	dir = sim_disk_walk(from, above);
	sim_free(above);
	return dir && dir->is_dir ? dir : NULL;
}

struct sim_inode *
sim_disk_make(struct sim_disk *disk, const char *path, bool is_dir)
{
	struct sim_inode *at = disk->root;
	struct span rest = span_str(path), part;

	while (span_cut(&rest, '/', &part)) {
		struct sim_entry *entry;

		if (part.len == 0)
			continue;
		entry = sim_entry_find(at, part);
		if (!entry || !entry->now) {
			struct sim_inode *made = sim_inode_create(disk, rest.len > 0 || is_dir);

			sim_disk_change(disk, 1, &at, &part, &made);
			sim_disk_sync_dir(disk, at, disk->number);
			at = made;
		} else {
			at = entry->now;
		}
	}
	return at;
}

/* The sequence of a segment of the spool, and of the one before it that its first record names. */
static bool
read_segment(const struct sim_entry *entry, uint64_t *sequence, uint64_t *before)
{
	const struct sim_inode *file = entry->durable;
	const uint64_t bytes = SPOOL_RECORD_HEAD + SPOOL_SEAL_BYTES;
	struct spool_record record;
	struct spool_head head;
	struct spool_seal seal;
	struct span first;

	if (!span_starts(span_str(entry->name), SPAN("seg-")) || !file ||
	    file->durable_len < SPOOL_SEGMENT_DATA + bytes ||
	    spool_head_read(span_of(file->durable, SPOOL_HEAD_BYTES), &head))
		return false;
	first = span_of(file->durable + SPOOL_SEGMENT_DATA, bytes);
	*sequence = head.sequence;
	*before = 0;
	if (!spool_record_read(first, spool_key_of(&head), SPOOL_SEGMENT_DATA, &record) &&
	    record.type == SPOOL_SEAL &&
	    !spool_seal_read(span_skip(first, SPOOL_RECORD_HEAD), &seal))
		*before = seal.sequence;
	return true;
}

bool
sim_disk_rot_heads(struct sim_disk *disk, const char *folder)
{
	struct sim_inode *dir = sim_disk_walk(disk->root, folder), *chosen = NULL;
	struct sim_entry *entry = NULL;
	uint64_t sequence, before, wanted = 0;

	while (dir && (entry = sim_entry_next(dir, entry)))
		if (read_segment(entry, &sequence, &before) && before > wanted)
			wanted = before;
	while (dir && wanted && (entry = sim_entry_next(dir, entry)))
		if (read_segment(entry, &sequence, &before) && sequence == wanted)
			chosen = entry->durable;
	if (!chosen)
		return false;
	for (uint64_t copy = 0; copy <= SPOOL_HEAD_SECOND; copy += SPOOL_HEAD_SECOND)
		sim_inode_rot(chosen, copy + sim_chance(disk->sim, SPOOL_HEAD_BYTES),
		    (unsigned)sim_chance(disk->sim, 8));
	return true;
}

void
sim_disk_rot(struct sim_disk *disk, const char *folder)
{
	struct sim_inode *dir = sim_disk_walk(disk->root, folder), *chosen = NULL;
	struct sim_entry *entry = NULL;
	uint64_t count = 0;

	while (dir && (entry = sim_entry_next(dir, entry)))
		if (entry->durable && !entry->durable->is_dir &&
		    entry->durable->durable_len > 0 && sim_chance(disk->sim, ++count) == 0)
			chosen = entry->durable;
	/* What never was written is of no interest. */
	for (int tries = 0; chosen && tries < ROT_TRIES; tries++) {
		uint64_t at = sim_chance(disk->sim, chosen->durable_len);

		if (chosen->durable[at] == 0)
			continue;
		sim_inode_rot(chosen, at, (unsigned)sim_chance(disk->sim, 8));
		break;
	}
}
