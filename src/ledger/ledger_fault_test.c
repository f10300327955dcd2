/*
 * A sync of the ledger that fails, at each place in turn, the start among them; then the process
 * dies, and another one goes on.  Whatever was said to be durable is there when the kernel
 * has dropped what it held in memory.
 *
 * The C library's calls are replaced in this program.  A sync that fails leaves what was written in
 * the file as it is read, but not on the disk, and no later sync writes it: as a kernel does it.
 */
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "ledger/ledger_read.h"

enum {
	FILES_MAX = 16,
	FILE_BYTES_MAX = 1 << 16,
	WRITES_MAX = 64,
	PLACES = 24, /* of the sync that fails */
	TURNS = 6,   /* processes, one after the other */
};

/* A file of the ledger on the disk, and what is written to it and not yet there. */
struct disk_file {
	ino_t inode;
	size_t bytes;
	char image[FILE_BYTES_MAX];
	struct {
		size_t offset, bytes;
	} writes[WRITES_MAX];
	size_t write_count;
};

static struct {
	pthread_mutex_t lock;
	struct disk_file files[FILES_MAX];
	size_t file_count;
	unsigned syncs, fails_at, failed;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct disk_file *
file_of(int fd)
{
	struct stat about = {0};

	assert_int_equal(fstat(fd, &about), 0);
	for (size_t i = 0; i < disk.file_count; i++)
		if (disk.files[i].inode == about.st_ino)
			return &disk.files[i];
	assert_true(disk.file_count < FILES_MAX);
	disk.files[disk.file_count].inode = about.st_ino;
	return &disk.files[disk.file_count++];
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	ssize_t result;

	pthread_mutex_lock(&disk.lock);
	result = syscall(SYS_pwritev, fd, iov, count, offset, 0);
	if (result > 0) {
		struct disk_file *file = file_of(fd);

		assert_true(file->write_count < WRITES_MAX);
		file->writes[file->write_count].offset = (size_t)offset;
		file->writes[file->write_count++].bytes = (size_t)result;
	}
	pthread_mutex_unlock(&disk.lock);
	return result;
}

int
fdatasync(int fd)
{
	struct disk_file *file;
	bool fails;

	pthread_mutex_lock(&disk.lock);
	file = file_of(fd);
	fails = ++disk.syncs == disk.fails_at;
	disk.failed += fails;
	for (size_t i = 0; i < file->write_count && !fails; i++) {
		size_t offset = file->writes[i].offset, bytes = file->writes[i].bytes;

		assert_true(offset + bytes <= FILE_BYTES_MAX);
		assert_int_equal(pread(fd, file->image + offset, bytes, (off_t)offset), bytes);
		if (offset + bytes > file->bytes)
			file->bytes = offset + bytes;
	}
	file->write_count = 0;
	pthread_mutex_unlock(&disk.lock);
	if (!fails)
		return 0;
	errno = EIO;
	return -1;
}

struct world {
	struct io *io;
	struct io_dir *dir;
	struct ledger *ledger;
	char path[64];
	uint64_t durable; /* the highest position that any process was told of */
	bool flushed;
};

static void
durable(void *owner, uint64_t position)
{
	struct world *world = owner;

	if (position > world->durable)
		world->durable = position;
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	(void)snprintf(world->path, sizeof(world->path), "/tmp/ledger_fault_test.XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	memset(disk.files, 0, sizeof(disk.files));
	disk.file_count = 0;
	disk.syncs = disk.failed = 0;
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;
	char command[128];

	io_destroy(world->io);
	(void)snprintf(command, sizeof(command), "rm -r %s", world->path);
	assert_int_equal(system(command), 0);
	mem_free(world);
	return 0;
}

static void
feed(struct ledger *ledger, uint64_t last)
{
	for (uint64_t n = ledger_reached(ledger) + 1; n <= last; n++) {
		struct ledger_rcpt rcpt = {.address = SPAN("joe@example.org"),
		    .original = SPAN("joe@example.org"),
		    .mailbox = SPAN("")};
		struct ledger_entry entry = {.kind = LEDGER_ACCEPTED,
		    .id = n,
		    .wall_ms = 1000 * n,
		    .reverse_path = SPAN("ann@example.org"),
		    .client = SPAN(""),
		    .login = SPAN(""),
		    .rcpts = &rcpt,
		    .rcpt_count = 1};

		ledger_add(ledger, &entry);
		ledger_reach(ledger, n);
	}
}

static void
flush_done(struct ledger_op *op)
{
	struct world *world = op->owner;

	world->flushed = true;
	io_stop(world->io);
}

static void
flush(struct world *world)
{
	struct ledger_op op = {.done = flush_done, .owner = world};

	world->flushed = false;
	ledger_flush(world->ledger, &op);
	if (!world->flushed)
		io_run(world->io);
	assert_true(world->flushed);
}

/* The kernel needs its memory: what is read now is what is on the disk. */
static void
drop_what_is_clean(const struct world *world)
{
	char path[128];
	DIR *listing;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/ledger", world->path);
	listing = opendir(path);
	assert_non_null(listing);
	while ((entry = readdir(listing))) {
		struct disk_file *file;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(listing), entry->d_name, O_RDWR);
		assert_true(fd >= 0);
		file = file_of(fd);
		if (file->write_count == 0) {
			assert_int_equal(ftruncate(fd, (off_t)file->bytes), 0);
			assert_int_equal(
			    pwrite(fd, file->image, file->bytes, 0), file->bytes);
		}
		close(fd);
	}
	closedir(listing);
}

/* The ledger says of the messages in their order, without a gap, and up to a position at least. */
static void
assert_has(struct world *world, uint64_t position)
{
	const struct ledger_query all = {0};
	struct ledger_reader *reader;
	struct ledger_entry entry;
	uint64_t last = 0;
	enum err err;

	assert_int_equal(ledger_reader_open(world->io, world->dir, &all, &reader), OK);
	while ((err = ledger_reader_next(reader, &entry)) == OK)
		assert_int_equal(entry.id, ++last);
	assert_int_equal(err, ERR_END);
	assert_int_equal(ledger_reader_seen(reader)->gaps, 0);
	assert_true(last >= position);
	ledger_reader_close(reader);
}

/* A process: it starts, is given what was not durable and something new, and is killed. */
static void
live_once(struct world *world, uint64_t last)
{
	const struct ledger_options options = {
	    .idle_ms = 100000, .retry_ms = 100000, .owner = world, .durable = durable};

	if (ledger_open(world->io, world->dir, &options, &world->ledger) != OK)
		return;
	/* What was released is not fed again. */
	assert_true(ledger_reached(world->ledger) >= world->durable);
	ledger_run(world->ledger);
	for (uint64_t n = last - 4; n <= last; n += 2) {
		feed(world->ledger, n);
		flush(world);
	}
	ledger_close(world->ledger);
}

static void
what_a_failed_sync_left_in_memory_is_not_believed(void **state)
{
	struct world *world = *state;
	unsigned failed = 0;

	(void)state;
	for (disk.fails_at = 1; disk.fails_at <= PLACES; disk.fails_at++) {
		for (uint64_t turn = 1; turn <= TURNS; turn++) {
			live_once(world, 5 * turn);
			if (turn % 2 == 0)
				drop_what_is_clean(world);
			assert_has(world, world->durable);
		}
		drop_what_is_clean(world);
		assert_true(world->durable >= 5 * (TURNS - 1));
		assert_has(world, world->durable);
		failed += disk.failed;
		teardown(state);
		setup(state);
		world = *state;
	}
	/* Most places were reached. */
	assert_true(failed > PLACES / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		what_a_failed_sync_left_in_memory_is_not_believed, setup, teardown),
	};

	return cmocka_run_group_tests_name("ledger faults", tests, NULL, NULL);
}
