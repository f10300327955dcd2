/*
 * Power cuts: what a spool writes, syncs and names is recorded while writers put, mark
 * and remove with overlapping batches, large bodies, compaction and checkpoints.  Then, for
 * moments all over that record, a directory is made as a cut would leave it: what was
 * synced is there, of the rest any sectors, and of the names the first few.  A
 * start-up on it must find all that was said to be durable, each mark once, and report
 * no damage; the feed must be whole.
 *
 * The C library's calls are replaced in this program by ones that also take notes.
 */
#include "spool/spool_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
	MB = 1 << 20,
	SECTOR = 512,
	EVENTS_MAX = 400000,
	NAMES_MAX = 512,
	FILES_MAX = 512,
	IDS_MAX = 20000,
	WRITERS = 24,
	LOOK_MS = 50,
};

/* Each cut takes long there. */
#ifdef __SANITIZE_ADDRESS__
enum { CUTS = 4 };
#else
enum { CUTS = 40 };
#endif

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

/* The load. */

struct writer {
	struct spool_op op;
	struct load *load;
	uint64_t id;
	unsigned marks, marks_wanted;
	enum { PUTTING, MARKING, REMOVING } doing;
	bool stays;
	struct bytes bytes;
};

struct load {
	struct world world;
	struct writer writers[WRITERS];
	uint64_t next, chance, fed, released;
	struct io_timer stop, release;
	bool stopped, releasing;
	size_t under_way;
	unsigned asked[IDS_MAX]; /* marks asked for, by message */
};

static uint64_t
chance(struct load *load, uint64_t below)
{
	load->chance = load->chance * 6364136223846793005u + 1442695040888963407u;
	return (load->chance >> 33) % below;
}

static void
say(struct writer *writer, char what)
{
	struct event *event;

	pthread_mutex_lock(&notes.lock);
	event = note(EVENT_SAID);
	if (event) {
		event->id = writer->id;
		event->what = what;
		event->count = writer->marks;
		event->offset = writer->load->fed;
	}
	pthread_mutex_unlock(&notes.lock);
}

static size_t
cut_body_bytes(uint64_t id)
{
	return id % 131 == 0 ? MB + 3000 : (size_t)(id * 97 % 12000);
}

static void
next_put(struct writer *writer)
{
	struct load *load = writer->load;

	if (load->stopped || load->next == IDS_MAX) {
		if (--load->under_way == 0)
			io_stop(load->world.io);
		return;
	}
	writer->id = load->next++;
	writer->marks = 0;
	writer->marks_wanted = (unsigned)chance(load, 3);
	writer->stays = chance(load, 8) == 0;
	writer->doing = PUTTING;
	bytes_init(&writer->bytes, writer->id, cut_body_bytes(writer->id));
	spool_put(load->world.spool, &writer->op, writer->id,
	    bytes_envelope(&writer->bytes, writer->id), bytes_body(&writer->bytes));
}

static void
next_change(struct writer *writer)
{
	struct load *load = writer->load;
	char text[16];

	if (writer->marks < writer->marks_wanted) {
		writer->doing = MARKING;
		load->asked[writer->id] = ++writer->marks;
		(void)snprintf(text, sizeof(text), "%u", writer->marks);
		spool_mark(load->world.spool, &writer->op, writer->id, span_str(text));
	} else if (!writer->stays) {
		writer->doing = REMOVING;
		say(writer, 'r');
		spool_remove(load->world.spool, &writer->op, writer->id, SPAN("gone"));
	} else {
		next_put(writer);
	}
}

static void
writer_done(struct spool_op *op)
{
	struct writer *writer = op->owner;

	assert_int_equal(op->err, OK);
	switch (writer->doing) {
	case PUTTING:
		mem_free(writer->bytes.body);
		say(writer, 'P');
		next_change(writer);
		break;
	case MARKING:
		say(writer, 'M');
		next_change(writer);
		break;
	case REMOVING:
		say(writer, 'R');
		next_put(writer);
		break;
	}
}

static void
load_fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct load *load = owner;

	(void)type;
	(void)id;
	(void)payload;
	(void)body_bytes;
	assert_true(position > load->fed);
	load->fed = position;
}

static void
load_digest(void *owner, uint64_t id, struct buf *out)
{
	struct load *load = owner;

	if (id % 5)
		buf_addf(out, "%u", load->asked[id]);
}

static void
release_later(struct io_timer *timer)
{
	struct load *load = timer->owner;
	struct event *event;

	load->releasing = false;
	pthread_mutex_lock(&notes.lock);
	event = note(EVENT_RELEASED);
	if (event)
		event->offset = load->released;
	pthread_mutex_unlock(&notes.lock);
	spool_release(load->world.spool, load->released);
}

static void
load_want(void *owner, uint64_t position)
{
	struct load *load = owner;

	assert_true(position <= load->fed);
	if (load->releasing)
		return;
	load->releasing = true;
	load->released = load->fed;
	io_timer_start(load->world.io, &load->release, 3);
}

static void
load_stop(struct io_timer *timer)
{
	struct load *load = timer->owner;
	struct spool_numbers numbers;

	spool_numbers(load->world.spool, &numbers);
	load->stopped = numbers.checkpoints >= 4 && numbers.puts >= 1000;
	io_timer_start(load->world.io, timer, LOOK_MS);
}

static void
run_load(struct load *load, struct spool_numbers *numbers)
{
	*load = (struct load){.next = 1, .chance = 7};
	world_init(&load->world, MB);
	notes.events = mem_alloc(EVENTS_MAX * sizeof(*notes.events));
	notes.delay_us = 2500;
	notes.on = true;
	load->world.options.feed = (struct spool_feed){.owner = load, .record = load_fed};
	load->world.options.digest = load_digest;
	load->world.options.digest_owner = load;
	load->world.options.want_release = load_want;
	load->world.options.release_owner = load;
	load->world.options.checkpoint_log_bytes = 2 * MB;
	load->release = (struct io_timer){.fired = release_later, .owner = load};
	load->stop = (struct io_timer){.fired = load_stop, .owner = load};
	world_open(&load->world);
	io_timer_start(load->world.io, &load->stop, LOOK_MS);
	load->under_way = WRITERS;
	for (size_t i = 0; i < WRITERS; i++) {
		struct writer *writer = &load->writers[i];

		writer->load = load;
		writer->op = (struct spool_op){.done = writer_done, .owner = writer};
		next_put(writer);
	}
	io_run(load->world.io);
	io_timer_stop(load->world.io, &load->stop);
	notes.on = false;
	spool_numbers(load->world.spool, numbers);
	(void)flush(&load->world);
	world_close(&load->world);
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
		image->room = size * 2 + MB;
		image->bytes = mem_realloc(image->bytes, image->room);
	}
	memset(image->bytes + image->size, 0, size - image->size);
	image->size = size;
}

/* Writes all of it, or those sectors that chance picks. */
static void
apply_write(struct image *image, const struct event *event, bool all, struct load *load)
{
	uint64_t at = 0;

	while (at < event->bytes) {
		uint64_t to_sector = SECTOR - (event->offset + at) % SECTOR;
		uint64_t part =
		    event->bytes - at < to_sector ? event->bytes - at : to_sector;

		if (all || chance(load, 2)) {
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
make_disk(struct disk *disk, struct load *load, size_t cut, int how)
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
				    durable || how == 1, load);
		} else if (event->kind == EVENT_SIZE && event->file >= 0) {
			if (durable || how > 0)
				grow(&disk->files[event->file], event->offset);
		} else if (event->kind <= EVENT_UNLINK) {
			/* Names come in their order, so the durable ones are the first. */
			if (!durable && (how == 0 || (how == 2 && chance(load, 4) == 0)))
				names_end[body] = true;
			if (!names_end[body] || durable)
				apply_name(disk, event);
		}
	}
}

static void
write_disk(const struct disk *disk, const struct world *world)
{
	char path[PATH_BYTES * 2];

	empty_dir(world->path);
	assert_int_equal(mkdir(world->path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/body", world->path);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < disk->name_count; i++) {
		const struct image *image = &disk->files[disk->names[i].file];
		FILE *file;

		(void)snprintf(
		    path, sizeof(path), "%s/%s", world->path, disk->names[i].name);
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

/* What start-up finds. */

struct found {
	uint64_t last_fed, since;
	bool live[IDS_MAX], from_digest[IDS_MAX], fed_put[IDS_MAX], fed_end[IDS_MAX];
	unsigned marks[IDS_MAX], fed_marks[IDS_MAX];
	size_t damaged, digests;
};

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct found *found = owner;

	assert_true(id < IDS_MAX && !found->live[id]);
	assert_int_equal(envelope.len, envelope_bytes(id));
	assert_int_equal(body_bytes, cut_body_bytes(id));
	found->live[id] = true;
}

static enum err
found_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct found *found = owner;
	uint64_t marks;

	assert_true(id < IDS_MAX && !found->live[id]);
	assert_int_equal(body_bytes, cut_body_bytes(id));
	if (id % 7 == 0)
		return ERR_VERSION;
	assert_true(span_u64(digest, 100, &marks));
	found->live[id] = true;
	found->marks[id] = (unsigned)marks;
	found->digests++;
	return OK;
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	struct found *found = owner;
	uint64_t number;

	assert_true(found->live[id]);
	assert_true(span_u64(mark, 100, &number));
	assert_int_equal(number, ++found->marks[id]);
}

static void
found_fed(void *owner, uint64_t position, enum spool_record_type type, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct found *found = owner;

	(void)payload;
	(void)body_bytes;
	assert_true(position > found->since && position > found->last_fed);
	found->last_fed = position;
	found->fed_put[id] |= type == SPOOL_PUT;
	found->fed_end[id] |= type == SPOOL_REMOVE;
	found->fed_marks[id] += type == SPOOL_MARK;
}

static void
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct found *found = owner;

	print_message("damage: %s %llu %llu\n", segment, (unsigned long long)offset,
	    (unsigned long long)id);
	found->damaged++;
}

/* All that was said before the cut holds. */
static void
check_said(const struct found *found, size_t cut)
{
	static bool removing[IDS_MAX];

	memset(removing, 0, sizeof(removing));
	for (size_t i = 0; i < cut; i++)
		if (notes.events[i].kind == EVENT_SAID && notes.events[i].what == 'r')
			removing[notes.events[i].id] = true;
	for (size_t i = 0; i < cut; i++) {
		const struct event *event = &notes.events[i];

		if (event->kind != EVENT_SAID)
			continue;
		if ((event->what == 'P' || event->what == 'M') && !removing[event->id])
			assert_true(found->live[event->id]);
		if (event->what == 'M' && found->live[event->id])
			assert_true(found->marks[event->id] >= event->count);
		if (event->what == 'R')
			assert_false(found->live[event->id]);
		/* Whatever was fed and not released is fed again. */
		if (event->what == 'P' && event->offset > found->since)
			assert_true(found->fed_put[event->id]);
		if (event->what == 'R' && event->offset > found->since)
			assert_true(found->fed_end[event->id]);
		if (event->what == 'M' && event->offset > found->since)
			assert_true(found->fed_marks[event->id] > 0);
	}
}

/* Nothing is released here, so that the second start-up is fed the same. */
static void
never_release(void *owner, uint64_t position)
{
	(void)owner;
	(void)position;
}

static size_t
open_after_cut(const struct load *load, const char *path, size_t cut)
{
	struct found *found = mem_alloc(sizeof(*found));
	struct spool_options options = {
	    .segment_bytes = MB,
	    .feed = {.owner = found, .record = found_fed},
	    .want_release = never_release,
	};
	struct spool_scan scan = {
	    .owner = found,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .digest = found_digest,
	};
	struct world world = {0};
	size_t digests;

	(void)load;
	for (size_t i = 0; i < cut; i++)
		if (notes.events[i].kind == EVENT_RELEASED)
			found->since = notes.events[i].offset;
	scan.since = found->since;
	world.io = io_create();
	assert_int_equal(io_dir_open(world.io, path, &world.dir), OK);
	assert_int_equal(
	    spool_open(world.io, world.dir, &options, &scan, &world.spool), OK);
	assert_int_equal(found->damaged, 0);
	check_said(found, cut);
	for (uint64_t id = 1; id < IDS_MAX; id++)
		if (found->live[id])
			assert_int_equal(
			    read_body(&world, id, cut_body_bytes(id), 65536), OK);
	world_close(&world);
	digests = found->digests;
	mem_free(found);
	return digests;
}

static void
a_power_cut_anywhere_loses_nothing_that_was_said(void **state)
{
	static struct load load;
	struct spool_numbers numbers;
	struct disk *disk = mem_alloc(sizeof(*disk));
	size_t digests = 0;

	(void)state;
	run_load(&load, &numbers);
	assert_true(numbers.checkpoints > 2);
	assert_true(numbers.puts > 200);
	assert_true(notes.count < EVENTS_MAX);
	print_message("%zu events, %llu puts, %llu checkpoints\n", notes.count,
	    (unsigned long long)numbers.puts, (unsigned long long)numbers.checkpoints);
	for (size_t i = 0; i < notes.count; i++)
		notes.events[i].durable_at = find_durable(i);
	for (size_t i = 1; i <= CUTS; i++) {
		size_t cut = i == CUTS ? notes.count : chance(&load, notes.count);

		for (int how = 0; how < 3; how++) {
			make_disk(disk, &load, cut, how);
			write_disk(disk, &load.world);
			free_disk(disk);
			/* Twice: what the first start-up left is a spool too. */
			digests += open_after_cut(&load, load.world.path, cut);
			(void)open_after_cut(&load, load.world.path, cut);
		}
	}
	assert_true(digests > 0);
	mem_free(disk);
	for (size_t i = 0; i < notes.count; i++)
		free(notes.events[i].memory);
	mem_free(notes.events);
	world_fini(&load.world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_power_cut_anywhere_loses_nothing_that_was_said),
	};

	/* Syncs are played here, so memory will do. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
