/*
 * For tests of power cuts: the C library's calls that write, sync and name files are replaced in
 * the program that includes this by ones that take notes; a sync only takes its time.  From the
 * notes up to any moment a directory is made as a cut at that moment would leave it: what was
 * synced is there, of the rest any sectors, and of the names the first few.
 */
#pragma once

#include "spool/spool_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
	SECTOR = 512,
	EVENTS_MAX = 400000,
	NAMES_MAX = 512,
	FILES_MAX = 512,
	GROW_BYTES = 1 << 20,
};

enum event_kind {
	EVENT_CREATE, /* file, name */
	EVENT_RENAME, /* name to name */
	EVENT_UNLINK,
	EVENT_SIZE, /* file, offset: so long */
	EVENT_WRITE,
	EVENT_SYNC_BEGIN,
	EVENT_SYNC_END, /* file; offset: event of its begin */
	EVENT_NAMES_SYNC_BEGIN, /* below: directory */
	EVENT_NAMES_SYNC_END,
	EVENT_SAID, /* id: what; offset: position of the feed then */
	EVENT_RELEASED, /* offset: position */
};

struct event {
	enum event_kind kind;
	int file; /* number */
	uint64_t offset, bytes;
	char *memory;
	char name[48], to[48];
	uint64_t id;
	char what;
	uint64_t count;
	size_t durable_at;
};

static struct {
	pthread_mutex_t lock;
	bool on;
	unsigned delay_us;
	struct event *events;
	size_t count;
	ino_t inodes[FILES_MAX];
	int file_count;
} notes = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct event *
note(enum event_kind kind)
{
	struct event *event;

	if (notes.count == EVENTS_MAX)
		return NULL;
	event = &notes.events[notes.count++];
	*event = (struct event){.kind = kind};
	return event;
}

/* The number of a file, from its inode; numbers are never used twice as files are kept open. */
static int
file_of(int fd)
{
	struct stat about;

	if (fstat(fd, &about) || !S_ISREG(about.st_mode))
		return -1;
	for (int i = notes.file_count - 1; i >= 0; i--)
		if (notes.inodes[i] == about.st_ino)
			return i;
	return -1;
}

static int
new_file(int fd)
{
	struct stat about;

	if (fstat(fd, &about) || notes.file_count == FILES_MAX)
		return -1;
	notes.inodes[notes.file_count] = about.st_ino;
	/* Holds the inode. */
	assert_true(dup(fd) >= 0);
	return notes.file_count++;
}

int
openat(int at, const char *name, int flags, ...)
{
	int fd = (int)syscall(SYS_openat, at, name, flags, 0600);

	if (fd < 0 || !(flags & O_CREAT))
		return fd;
	pthread_mutex_lock(&notes.lock);
	if (notes.on && file_of(fd) < 0) {
		int file = new_file(fd);
		struct event *event = note(EVENT_CREATE);

		if (event) {
			event->file = file;
			(void)snprintf(event->name, sizeof(event->name), "%s", name);
		}
	}
	pthread_mutex_unlock(&notes.lock);
	return fd;
}

int
renameat(int from_at, const char *from, int to_at, const char *to)
{
	int result;

	pthread_mutex_lock(&notes.lock);
	result = (int)syscall(SYS_renameat, from_at, from, to_at, to);
	if (notes.on && result == 0) {
		struct event *event = note(EVENT_RENAME);

		if (event) {
			(void)snprintf(event->name, sizeof(event->name), "%s", from);
			(void)snprintf(event->to, sizeof(event->to), "%s", to);
		}
	}
	pthread_mutex_unlock(&notes.lock);
	return result;
}

int
unlinkat(int at, const char *name, int flags)
{
	int result;

	pthread_mutex_lock(&notes.lock);
	result = (int)syscall(SYS_unlinkat, at, name, flags);
	if (notes.on && result == 0) {
		struct event *event = note(EVENT_UNLINK);

		if (event)
			(void)snprintf(event->name, sizeof(event->name), "%s", name);
	}
	pthread_mutex_unlock(&notes.lock);
	return result;
}

int
posix_fallocate(int fd, off_t offset, off_t bytes)
{
	int result = ftruncate(fd, offset + bytes);

	pthread_mutex_lock(&notes.lock);
	if (notes.on) {
		struct event *event = note(EVENT_SIZE);

		if (event) {
			event->file = file_of(fd);
			event->offset = (uint64_t)(offset + bytes);
		}
	}
	pthread_mutex_unlock(&notes.lock);
	return result ? errno : 0;
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	ssize_t result = syscall(SYS_pwritev, fd, iov, count, offset, 0);

	pthread_mutex_lock(&notes.lock);
	if (notes.on && result > 0) {
		struct event *event = note(EVENT_WRITE);
		size_t at = 0;

		if (event) {
			event->file = file_of(fd);
			event->offset = (uint64_t)offset;
			event->bytes = (uint64_t)result;
			event->memory = malloc((size_t)result);
			for (int i = 0; i < count && at < (size_t)result; i++) {
				size_t part = iov[i].iov_len < (size_t)result - at
						  ? iov[i].iov_len
						  : (size_t)result - at;

				memcpy(event->memory + at, iov[i].iov_base, part);
				at += part;
			}
		}
	}
	pthread_mutex_unlock(&notes.lock);
	return result;
}

/* A sync: all that was written before its begin is durable at its end. */
static int
sync_noted(int fd, enum event_kind begin, enum event_kind end, const char *below)
{
	size_t began = 0;
	int file = -1;

	pthread_mutex_lock(&notes.lock);
	if (notes.on) {
		struct event *event = note(begin);

		file = below ? -1 : file_of(fd);
		if (event)
			event->file = file;
		began = notes.count;
	}
	pthread_mutex_unlock(&notes.lock);
	if (!began)
		return 0;
	usleep(notes.delay_us + (unsigned)began * 7919 % 2000);
	pthread_mutex_lock(&notes.lock);
	if (notes.on) {
		struct event *event = note(end);

		if (event) {
			event->file = file;
			event->offset = began - 1;
			if (below)
				(void)snprintf(
				    event->name, sizeof(event->name), "%s", below);
		}
	}
	pthread_mutex_unlock(&notes.lock);
	return 0;
}

int
fdatasync(int fd)
{
	return sync_noted(fd, EVENT_SYNC_BEGIN, EVENT_SYNC_END, NULL);
}

/* Of directories; which of the two is told by its name. */
int
fsync(int fd)
{
	char link[64], path[512] = {0};
	const char *last;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return 0;
	last = strrchr(path, '/');
	return sync_noted(fd, EVENT_NAMES_SYNC_BEGIN, EVENT_NAMES_SYNC_END,
	    last && strcmp(last, "/body") == 0 ? "body" : "top");
}

static uint64_t
played_chance(uint64_t *dice, uint64_t below)
{
	*dice = *dice * 6364136223846793005u + 1442695040888963407u;
	return (*dice >> 33) % below;
}

/* The disk after a cut. */

struct image {
	char *bytes;
	uint64_t size, room;
};

struct disk {
	struct image files[FILES_MAX];
	struct {
		char name[48];
		int file;
	} names[NAMES_MAX];
	size_t name_count;
};

static bool
is_below(const char *name, const char *directory)
{
	bool body = strncmp(name, "body/", 5) == 0;

	return body == (strcmp(directory, "body") == 0);
}

/* When an event on a file, or on names, was made durable by the end of a sync. */
static size_t
find_durable(size_t at)
{
	const struct event *event = &notes.events[at];
	bool on_names = event->kind <= EVENT_UNLINK;

	for (size_t i = at + 1; i < notes.count; i++) {
		const struct event *sync = &notes.events[i];

		if (sync->kind == EVENT_SYNC_END && !on_names &&
		    sync->file == event->file && sync->offset > at)
			return i;
		if (sync->kind == EVENT_NAMES_SYNC_END && on_names &&
		    is_below(event->name, sync->name) && sync->offset > at)
			return i;
	}
	return SIZE_MAX;
}

static void
grow(struct image *image, uint64_t size)
{
	if (size <= image->size)
		return;
	if (size > image->room) {
		image->room = size * 2 + GROW_BYTES;
		image->bytes = mem_realloc(image->bytes, image->room);
	}
	memset(image->bytes + image->size, 0, size - image->size);
	image->size = size;
}

/* Writes all of it, or those sectors that chance picks. */
static void
apply_write(struct image *image, const struct event *event, bool all, uint64_t *dice)
{
	uint64_t at = 0;

	while (at < event->bytes) {
		uint64_t to_sector = SECTOR - (event->offset + at) % SECTOR;
		uint64_t part =
		    event->bytes - at < to_sector ? event->bytes - at : to_sector;

		if (all || played_chance(dice, 2)) {
			grow(image, event->offset + at + part);
			memcpy(image->bytes + event->offset + at, event->memory + at,
			    part);
		}
		at += part;
	}
}

static void
apply_name(struct disk *disk, const struct event *event)
{
	const char *gone =
	    event->kind == EVENT_RENAME ? event->to : event->name;
	int file = event->file;

	if (event->kind == EVENT_RENAME)
		for (size_t i = 0; i < disk->name_count; i++)
			if (strcmp(disk->names[i].name, event->name) == 0) {
				file = disk->names[i].file;
				disk->names[i] = disk->names[--disk->name_count];
			}
	for (size_t i = 0; i < disk->name_count; i++)
		if (strcmp(disk->names[i].name, gone) == 0)
			disk->names[i] = disk->names[--disk->name_count];
	if (event->kind == EVENT_UNLINK)
		return;
	assert_true(disk->name_count < NAMES_MAX);
	(void)snprintf(disk->names[disk->name_count].name,
	    sizeof(disk->names[0].name), "%s", gone);
	disk->names[disk->name_count++].file = file;
}

/* how: 0 nothing that wasn't synced, 1 all of it, 2 any sectors. */
static void
make_disk(struct disk *disk, uint64_t *dice, size_t cut, int how)
{
	bool names_end[2] = {false, false};

	memset(disk, 0, sizeof(*disk));
	for (size_t i = 0; i < cut; i++) {
		const struct event *event = &notes.events[i];
		bool body = strncmp(event->name, "body/", 5) == 0;
		bool durable;

		if (event->kind > EVENT_WRITE)
			continue;
		durable = event->durable_at < cut;
		if (event->kind == EVENT_WRITE && event->file >= 0) {
			if (durable || how > 0)
				apply_write(&disk->files[event->file], event,
				    durable || how == 1, dice);
		} else if (event->kind == EVENT_SIZE && event->file >= 0) {
			if (durable || how > 0)
				grow(&disk->files[event->file], event->offset);
		} else if (event->kind <= EVENT_UNLINK) {
			/* Names come in their order, so the durable ones are the first. */
			if (!durable && (how == 0 || (how == 2 && played_chance(dice, 4) == 0)))
				names_end[body] = true;
			if (!names_end[body] || durable)
				apply_name(disk, event);
		}
	}
}

static void
write_disk(const struct disk *disk, const char *folder)
{
	char path[PATH_BYTES * 2];

	empty_dir(folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/body", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < disk->name_count; i++) {
		const struct image *image = &disk->files[disk->names[i].file];
		FILE *file;

		(void)snprintf(
		    path, sizeof(path), "%s/%s", folder, disk->names[i].name);
		file = fopen(path, "wb");
		assert_non_null(file);
		if (image->size)
			assert_int_equal(
			    fwrite(image->bytes, 1, image->size, file), image->size);
		assert_int_equal(fclose(file), 0);
	}
}

static void
free_disk(struct disk *disk)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		mem_free(disk->files[i].bytes);
}
