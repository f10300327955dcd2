/*
 * A write or a sync of the log that fails, at each place in turn, while several batches are under
 * way: acceptance stops for good, and nothing that was said to be durable is missing at the next
 * start-up; nor has a checkpoint run ahead of the marks that went with the failure.
 *
 * The C library's calls are replaced in this program.  A sync that fails takes with it all that was
 * written to the file and not synced, as a kernel may do it: the bytes before come back.
 */
#include "spool/spool_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
	MB = 1 << 20,
	WRITERS = 32,
	IDS_MAX = 4000,
	WRITES_MAX = 20000,
	PLACES = 16, /* of the failure: the first, the third, ... */
	PLACE_STEP = 2,
	AFTER = 1200, /* operations that end before a load is over, failure or not */
	SYNC_US = 10000,
	BEGIN_US = 50000, /* a thread that is free has begun what it was given */
};

/* What was written and is not known to be synced. */
struct unsynced {
	ino_t inode;
	uint64_t number, offset, bytes;
	char *before;
};

static struct {
	pthread_mutex_t lock;
	bool on, failed;
	bool fails_write; /* else a sync */
	unsigned fails_at, writes, syncs; /* of the log, since it was on */
	unsigned begun_after; /* writes and syncs of the log, after its owner was told */
	bool told;
	unsigned syncing, syncing_max;
	struct unsynced unsynced[WRITES_MAX];
	size_t unsynced_count;
	uint64_t number; /* of the last write */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool
is_log(int fd)
{
	char link[64], path[512] = {0};

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return false;
	return strstr(path, "/seg-") != NULL;
}

static ino_t
inode_of(int fd)
{
	struct stat about = {0};

	assert_int_equal(fstat(fd, &about), 0);
	return about.st_ino;
}

/* Notes what is about to be written over. */
static void
note_write(int fd, const struct iovec *iov, int count, off_t offset)
{
	struct unsynced *write = &disk.unsynced[disk.unsynced_count];

	assert_true(disk.unsynced_count < WRITES_MAX);
	*write = (struct unsynced){
	    .inode = inode_of(fd), .number = ++disk.number, .offset = (uint64_t)offset};
	for (int i = 0; i < count; i++)
		write->bytes += iov[i].iov_len;
	write->before = calloc(1, write->bytes ? write->bytes : 1);
	assert_true(pread(fd, write->before, write->bytes, offset) >= 0);
	disk.unsynced_count++;
}

/* Of a file's writes, those up to one are durable; or all are taken back, the last first. */
static void
settle_writes(int fd, uint64_t until, bool durable)
{
	ino_t inode = inode_of(fd);
	size_t kept = 0;

	for (size_t i = disk.unsynced_count; i-- > 0;) {
		struct unsynced *write = &disk.unsynced[i];

		if (write->inode != inode || (durable && write->number > until))
			continue;
		if (!durable)
			assert_int_equal(syscall(SYS_pwrite64, fd, write->before,
					     write->bytes, write->offset),
			    write->bytes);
		free(write->before);
		write->inode = 0;
	}
	for (size_t i = 0; i < disk.unsynced_count; i++)
		if (disk.unsynced[i].inode)
			disk.unsynced[kept++] = disk.unsynced[i];
	disk.unsynced_count = kept;
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	ssize_t result;
	bool fails = false;

	pthread_mutex_lock(&disk.lock);
	if (disk.on && is_log(fd)) {
		disk.begun_after += disk.told;
		fails = disk.fails_write && ++disk.writes == disk.fails_at;
		disk.failed |= fails;
		/* A part of it is on the disk all the same. */
		if (fails)
			count = count > 1 ? count / 2 : 1;
		note_write(fd, iov, count, offset);
	}
	result = syscall(SYS_pwritev, fd, iov, count, offset, 0);
	pthread_mutex_unlock(&disk.lock);
	if (!fails)
		return result;
	errno = EIO;
	return -1;
}

int
fdatasync(int fd)
{
	bool noted = false, fails = false;
	uint64_t until = 0;

	pthread_mutex_lock(&disk.lock);
	if (disk.on && is_log(fd)) {
		noted = true;
		until = disk.number;
		disk.begun_after += disk.told;
		fails = !disk.fails_write && ++disk.syncs == disk.fails_at;
		if (++disk.syncing > disk.syncing_max)
			disk.syncing_max = disk.syncing;
	}
	pthread_mutex_unlock(&disk.lock);
	if (!noted)
		return 0;
	usleep(SYNC_US);
	pthread_mutex_lock(&disk.lock);
	disk.syncing--;
	disk.failed |= fails;
	settle_writes(fd, until, !fails);
	pthread_mutex_unlock(&disk.lock);
	if (!fails)
		return 0;
	errno = EIO;
	return -1;
}

/* The power goes: all that was not synced is lost. */
static void
lose_unsynced(const struct world *world)
{
	DIR *listing = opendir(world->path);
	struct dirent *entry;

	while ((entry = readdir(listing))) {
		int fd;

		if (strncmp(entry->d_name, "seg-", 4) != 0)
			continue;
		fd = openat(dirfd(listing), entry->d_name, O_RDWR);
		assert_true(fd >= 0);
		settle_writes(fd, 0, false);
		close(fd);
	}
	closedir(listing);
}

/* The load: messages are put, marked, and most of them removed; each says what it was told. */

struct writer {
	struct spool_op op;
	struct load *load;
	uint64_t id;
	enum { PUTTING, MARKING, REMOVING } doing;
	struct bytes bytes;
};

struct told {
	unsigned asked, marks; /* marks asked for, and durable */
	bool put, removing, removed;
};

struct load {
	struct world world;
	struct writer writers[WRITERS];
	struct told told[IDS_MAX];
	uint64_t next;
	size_t under_way, ended, refused;
	bool over;
};

static size_t
load_body_bytes(uint64_t id)
{
	return (size_t)(id * 97 % 9000);
}

static void
writer_puts(struct writer *writer)
{
	struct load *load = writer->load;

	if (load->over || load->next == IDS_MAX) {
		if (--load->under_way == 0)
			io_stop(load->world.io);
		return;
	}
	writer->id = load->next++;
	writer->doing = PUTTING;
	bytes_init(&writer->bytes, writer->id, load_body_bytes(writer->id));
	spool_put(load->world.spool, &writer->op, writer->id,
	    bytes_envelope(&writer->bytes, writer->id), bytes_body(&writer->bytes));
}

static void
writer_goes_on(struct writer *writer)
{
	struct load *load = writer->load;
	struct told *told = &load->told[writer->id];
	char text[16];

	if (told->asked < writer->id % 3) {
		writer->doing = MARKING;
		(void)snprintf(text, sizeof(text), "%u", ++told->asked);
		spool_mark(load->world.spool, &writer->op, writer->id, span_str(text));
	} else if (writer->id % 4 != 0 && !told->removing) {
		writer->doing = REMOVING;
		told->removing = true;
		spool_remove(load->world.spool, &writer->op, writer->id, SPAN("gone"));
	} else {
		writer_puts(writer);
	}
}

static void
writer_done(struct spool_op *op)
{
	struct writer *writer = op->owner;
	struct load *load = writer->load;
	struct told *told = &load->told[writer->id];

	if (writer->doing == PUTTING)
		mem_free(writer->bytes.body);
	if (op->err) {
		/* What a thread was given before begins; from now on none may be given more. */
		if (load->refused == 0)
			usleep(BEGIN_US);
		pthread_mutex_lock(&disk.lock);
		assert_true(disk.failed);
		disk.told = true;
		pthread_mutex_unlock(&disk.lock);
		load->refused++;
		load->over = true;
	} else {
		/* Acceptance stops for good. */
		assert_int_equal(load->refused, 0);
		told->put |= writer->doing == PUTTING;
		told->marks += writer->doing == MARKING;
		told->removed |= writer->doing == REMOVING;
		load->over |= ++load->ended == AFTER;
	}
	if (load->over)
		writer_puts(writer);
	else
		writer_goes_on(writer);
}

static void
load_digest(void *owner, uint64_t id, struct buf *out)
{
	struct load *load = owner;

	buf_addf(out, "%u", load->told[id].asked);
}

static void
run_load(struct load *load, bool fails_write, unsigned fails_at)
{
	*load = (struct load){.next = 1};
	world_init(&load->world, MB);
	load->world.options.digest = load_digest;
	load->world.options.digest_owner = load;
	load->world.options.checkpoint_log_bytes = MB / 8;
	world_open(&load->world);
	disk.failed = disk.told = false;
	disk.writes = disk.syncs = disk.begun_after = 0;
	disk.fails_write = fails_write;
	disk.fails_at = fails_at;
	disk.on = true;
	load->under_way = WRITERS;
	for (size_t i = 0; i < WRITERS; i++) {
		struct writer *writer = &load->writers[i];

		writer->load = load;
		writer->op = (struct spool_op){.done = writer_done, .owner = writer};
		writer_puts(writer);
	}
	io_run(load->world.io);
}

/* What start-up finds. */

struct found {
	bool live[IDS_MAX], takes_digests;
	unsigned marks[IDS_MAX];
	size_t damaged, digests;
};

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct found *found = owner;

	assert_true(id < IDS_MAX && !found->live[id]);
	assert_int_equal(envelope.len, envelope_bytes(id));
	assert_int_equal(body_bytes, load_body_bytes(id));
	found->live[id] = true;
}

static enum err
found_digest(void *owner, uint64_t id, struct span digest, uint64_t body_bytes)
{
	struct found *found = owner;
	uint64_t marks;

	(void)body_bytes;
	assert_true(id < IDS_MAX && !found->live[id]);
	if (!found->takes_digests)
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
found_damage(void *owner, const char *segment, uint64_t offset, uint64_t id)
{
	struct found *found = owner;

	print_message("damage: %s %llu %llu\n", segment, (unsigned long long)offset,
	    (unsigned long long)id);
	found->damaged++;
}

static void
open_again(struct load *load, struct found *found, bool takes_digests)
{
	struct world *world = &load->world;
	const struct spool_options options = {.segment_bytes = MB};
	const struct spool_scan scan = {
	    .owner = found,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .digest = found_digest,
	};

	*found = (struct found){.takes_digests = takes_digests};
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	assert_int_equal(
	    spool_open(world->io, world->dir, &options, &scan, &world->spool), OK);
	assert_int_equal(found->damaged, 0);
}

/* All that was told is so; and what a checkpoint says of marks is what the log says. */
static size_t
check_found(struct load *load)
{
	struct found *by_digests = mem_alloc(sizeof(*by_digests));
	struct found *by_log = mem_alloc(sizeof(*by_log));
	size_t digests;

	open_again(load, by_digests, true);
	world_close(&load->world);
	open_again(load, by_log, false);
	for (uint64_t id = 1; id < load->next; id++) {
		const struct told *told = &load->told[id];

		assert_int_equal(by_digests->live[id], by_log->live[id]);
		assert_int_equal(by_digests->marks[id], by_log->marks[id]);
		if (told->put && !told->removing)
			assert_true(by_log->live[id]);
		if (told->removed)
			assert_false(by_log->live[id]);
		if (by_log->live[id]) {
			assert_in_range(by_log->marks[id], told->marks, told->asked);
			assert_int_equal(
			    read_body(&load->world, id, load_body_bytes(id), 65536), OK);
		}
	}
	world_close(&load->world);
	digests = by_digests->digests;
	mem_free(by_digests);
	mem_free(by_log);
	return digests;
}

/* After the failure the spool takes nothing, but gives what it has. */
static void
check_stopped(struct load *load)
{
	struct world *world = &load->world;

	assert_true(load->refused > 0);
	assert_true(spool_is_broken(world->spool));
	assert_int_equal(put(world, IDS_MAX - 1, 100), ERR_BROKEN);
	assert_int_equal(flush(world), ERR_BROKEN);
	assert_int_equal(disk.begun_after, 0);
	for (uint64_t id = 1; id < load->next; id++)
		if (load->told[id].put && !load->told[id].removing)
			assert_int_equal(
			    read_body(world, id, load_body_bytes(id), 65536), OK);
}

static void
fail_everywhere(bool fails_write)
{
	struct load *load = mem_alloc(sizeof(*load));
	unsigned failed = 0;
	size_t digests = 0;

	disk.syncing_max = 0;
	for (unsigned place = 0; place < PLACES; place++) {
		run_load(load, fails_write, 1 + place * PLACE_STEP);
		failed += disk.failed;
		if (disk.failed)
			check_stopped(load);
		else
			(void)flush(&load->world);
		world_close(&load->world);
		disk.on = false;
		/* With the power, or only the process gone. */
		if (place % 2)
			lose_unsynced(&load->world);
		for (size_t i = 0; i < disk.unsynced_count; i++)
			free(disk.unsynced[i].before);
		disk.unsynced_count = 0;
		digests += check_found(load);
		world_fini(&load->world);
	}
	print_message("%u failures, up to %u syncs at a time, %zu digests\n", failed,
	    disk.syncing_max, digests);
	assert_true(failed > PLACES / 2);
	assert_true(disk.syncing_max > 1);
	assert_true(digests > 0);
	mem_free(load);
}

static void
a_write_that_fails_stops_acceptance_and_loses_nothing(void **state)
{
	(void)state;
	fail_everywhere(true);
}

static void
a_sync_that_fails_stops_acceptance_and_loses_nothing(void **state)
{
	(void)state;
	fail_everywhere(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_write_that_fails_stops_acceptance_and_loses_nothing),
	    cmocka_unit_test(a_sync_that_fails_stops_acceptance_and_loses_nothing),
	};

	/* More than are ever under way. */
	setenv("UV_THREADPOOL_SIZE", "16", 1);
	/* Syncs are played here, so memory will do. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
