/* Files and directories in a directory of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io_job.h"

struct world {
	struct io *io;
	struct io_dir *dir;
	char path[64];
	bool at_once; /* operations without a done function */
	struct io_op op;
	unsigned done;
};

static void
on_done(struct io_op *op)
{
	struct world *world = op->owner;

	world->done++;
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	snprintf(world->path, sizeof(world->path), "/tmp/io_file_test.XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;
	char command[128];

	io_destroy(world->io);
	snprintf(command, sizeof(command), "rm -r %s", world->path);
	assert_int_equal(system(command), 0);
	mem_free(world);
	return 0;
}

/* The op for the next operation. */
static struct io_op *
next(struct world *world)
{
	world->op =
	    (struct io_op){.owner = world, .done = world->at_once ? NULL : on_done};
	world->done = 0;
	return &world->op;
}

/* The error that the operation ended with. */
static enum err
ended(struct world *world)
{
	if (!world->at_once) {
		/* Never inside the call that starts it. */
		assert_int_equal(world->done, 0);
		io_run(world->io);
		assert_int_equal(world->done, 1);
	}
	return world->op.err;
}

static struct io_file *
opened(struct world *world, const char *name, unsigned flags)
{
	io_open(world->dir, next(world), name, flags);
	assert_int_equal(ended(world), OK);
	assert_non_null(world->op.file);
	return world->op.file;
}

/* Runs a test body both ways. */
static void
both_ways(void **state, void (*body)(struct world *world))
{
	struct world *world = *state;

	body(world);
	world->at_once = true;
	body(world);
}

static void
write_and_read_body(struct world *world)
{
	const char *name = world->at_once ? "a" : "b";
	struct io_file *file =
	    opened(world, name, IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	struct span spans[] = {
	    SPAN("one "), SPAN(""), SPAN("two "), SPAN("three"), SPAN("")};
	char into[32] = {0};

	assert_int_equal(io_file_bytes(file), 0);
	io_pwrite(file, next(world), spans, LEN(spans), 2);
	assert_int_equal(ended(world), OK);
	assert_int_equal(world->op.count, 13);
	assert_int_equal(io_file_bytes(file), 15);
	io_pwrite(file, next(world), spans, 1, 0);
	assert_int_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 15);
	io_pwrite(file, next(world), spans, 0, 100);
	assert_int_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 15);
	io_sync(file, next(world));
	assert_int_equal(ended(world), OK);

	io_pread(file, next(world), into, sizeof(into), 4);
	assert_int_equal(ended(world), OK);
	assert_int_equal(world->op.count, 11);
	assert_string_equal(into, "e two three");
	io_pread(file, next(world), into, 3, 6);
	assert_int_equal(ended(world), OK);
	assert_int_equal(world->op.count, 3);
	io_pread(file, next(world), into, 3, 15);
	assert_int_equal(ended(world), OK);
	assert_int_equal(world->op.count, 0);
	io_file_close(file);

	file = opened(world, name, IO_OPEN_READ);
	assert_int_equal(io_file_bytes(file), 15);
	io_pwrite(file, next(world), spans, 1, 0);
	assert_int_not_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 15);
	io_file_close(file);
}

static void
write_and_read(void **state)
{
	both_ways(state, write_and_read_body);
}

static void
many_spans(void **state)
{
	struct world *world = *state;
	struct io_file *file = opened(world, "m", IO_OPEN_WRITE | IO_OPEN_CREATE);
	struct span spans[IO_WRITE_SPANS_MAX];
	char *bytes = mem_alloc(IO_WRITE_SPANS_MAX * 1000), *back;
	const size_t count = IO_WRITE_SPANS_MAX * 1000;

	for (size_t i = 0; i < count; i++)
		bytes[i] = (char)(i * 31 + i / 777);
	for (size_t i = 0; i < LEN(spans); i++)
		spans[i] = span_of(bytes + i * 1000, 1000);
	io_pwrite(file, next(world), spans, LEN(spans), 0);
	/* The array is copied. */
	memset(spans, 0, sizeof(spans));
	assert_int_equal(ended(world), OK);
	assert_int_equal(world->op.count, count);
	back = mem_alloc(count);
	io_pread(file, next(world), back, count, 0);
	assert_int_equal(ended(world), OK);
	assert_memory_equal(back, bytes, count);
	mem_free(back);
	mem_free(bytes);
	io_file_close(file);
}

static void
short_writes_are_continued(void **state)
{
	struct world *world = *state;
	struct io_file *file = opened(world, "s", IO_OPEN_WRITE | IO_OPEN_CREATE);
	struct rlimit limit, small;
	struct span spans[] = {SPAN("0123456789"), SPAN("abcdefghij")};

	/* Up to the limit a write is short; past it, it fails. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 15;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	io_pwrite(file, next(world), spans, 2, 0);
	assert_int_not_equal(ended(world), OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(world->op.count, 15);
	assert_int_equal(io_file_bytes(file), 15);
	io_file_close(file);
}

static void
sizes_body(struct world *world)
{
	const char *name = world->at_once ? "a" : "b";
	struct io_file *file = opened(world, name, IO_OPEN_WRITE | IO_OPEN_CREATE);
	struct stat stat;
	char path[128];

	io_allocate(file, next(world), 100000);
	assert_int_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 100000);
	io_allocate(file, next(world), 50000);
	assert_int_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 100000);
	io_truncate(file, next(world), 70000);
	assert_int_equal(ended(world), OK);
	assert_int_equal(io_file_bytes(file), 70000);
	io_file_close(file);
	snprintf(path, sizeof(path), "%s/%s", world->path, name);
	assert_int_equal(lstat(path, &stat), 0);
	assert_int_equal(stat.st_size, 70000);
	assert_true(stat.st_blocks * 512 >= 65536);
	assert_int_equal(stat.st_mode & 07777, 0600);
}

static void
sizes(void **state)
{
	both_ways(state, sizes_body);
}

static void
names_body(struct world *world)
{
	struct io_file *file;

	io_open(world->dir, next(world), "none", IO_OPEN_READ);
	assert_int_equal(ended(world), ERR_NOT_FOUND);
	assert_null(world->op.file);
	io_mkdir(world->dir, next(world), "d");
	assert_int_equal(ended(world), OK);
	io_mkdir(world->dir, next(world), "d");
	assert_int_equal(ended(world), ERR_EXISTS);
	file = opened(world, "d/one", IO_OPEN_WRITE | IO_OPEN_CREATE);
	io_file_close(file);
	io_open(world->dir, next(world), "d/one", IO_OPEN_WRITE | IO_OPEN_CREATE);
	assert_int_equal(ended(world), ERR_EXISTS);
	io_link(world->dir, next(world), "d/one", "two");
	assert_int_equal(ended(world), OK);
	io_link(world->dir, next(world), "d/one", "two");
	assert_int_equal(ended(world), ERR_EXISTS);
	io_rename(world->dir, next(world), "two", "d/three");
	assert_int_equal(ended(world), OK);
	io_rename(world->dir, next(world), "two", "d/three");
	assert_int_equal(ended(world), ERR_NOT_FOUND);
	io_dir_sync(world->dir, next(world), NULL);
	assert_int_equal(ended(world), OK);
	io_dir_sync(world->dir, next(world), "d");
	assert_int_equal(ended(world), OK);
	io_dir_sync(world->dir, next(world), "none");
	assert_int_equal(ended(world), ERR_NOT_FOUND);
	io_open(world->dir, next(world), "d", IO_OPEN_READ);
	assert_int_equal(ended(world), ERR_UNSUPPORTED);
	for (int i = 0; i < 2; i++) {
		io_unlink(world->dir, next(world), "d/one");
		assert_int_equal(ended(world), i == 0 ? OK : ERR_NOT_FOUND);
	}
	io_unlink(world->dir, next(world), "d/three");
	assert_int_equal(ended(world), OK);
	assert_int_equal(unlinkat(world->dir->opened.fd, "d", AT_REMOVEDIR), 0);
}

static void
names(void **state)
{
	both_ways(state, names_body);
}

static void
bad_names_body(struct world *world)
{
	static const char *const bad[] = {
	    "", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./.."};

	for (size_t i = 0; i < LEN(bad); i++) {
		io_open(world->dir, next(world), bad[i], IO_OPEN_READ);
		assert_int_equal(ended(world), ERR_DENIED);
		assert_null(world->op.file);
		io_unlink(world->dir, next(world), bad[i]);
		assert_int_equal(ended(world), ERR_DENIED);
		io_rename(world->dir, next(world), "x", bad[i]);
		assert_int_equal(ended(world), ERR_DENIED);
		io_link(world->dir, next(world), bad[i], "x");
		assert_int_equal(ended(world), ERR_DENIED);
		assert_int_equal(io_dir_lock(world->dir, bad[i]), ERR_DENIED);
	}
	io_dir_sync(world->dir, next(world), "..");
	assert_int_equal(ended(world), ERR_DENIED);
	assert_true(io_name_ok("..a/b../..."));
}

static void
bad_names(void **state)
{
	both_ways(state, bad_names_body);
}

static void
note_name(void *owner, const char *name)
{
	unsigned *seen = owner;

	*seen = *seen * 2 + (strcmp(name, "x") == 0 || strcmp(name, "y") == 0);
}

static void
lists_names(void **state)
{
	struct world *world = *state;
	unsigned seen = 0;

	world->at_once = true;
	io_file_close(opened(world, "x", IO_OPEN_WRITE | IO_OPEN_CREATE));
	io_file_close(opened(world, "y", IO_OPEN_WRITE | IO_OPEN_CREATE));
	assert_int_equal(io_dir_list(world->dir, NULL, note_name, &seen), OK);
	assert_int_equal(seen, 3);
	assert_int_equal(io_dir_list(world->dir, "", note_name, &seen), OK);
	assert_int_equal(seen, 15);
	assert_int_equal(io_dir_list(world->dir, "z", note_name, &seen), ERR_NOT_FOUND);
	assert_int_equal(io_dir_list(world->dir, "..", note_name, &seen), ERR_DENIED);
	assert_int_equal(seen, 15);
}

static void
directories(void **state)
{
	struct world *world = *state;
	struct io_dir *dir = NULL;
	uint64_t bytes = 0;

	assert_int_equal(io_dir_open(world->io, "/nonexistent", &dir), ERR_NOT_FOUND);
	assert_null(dir);
	assert_int_equal(io_dir_open(world->io, "/etc/passwd", &dir), ERR_NOT_FOUND);
	assert_int_equal(io_dir_space(world->dir, &bytes), OK);
	assert_true(bytes > 0);
	io_dir_close(world->dir);
	io_dir_close(NULL);
}

/* What a second process gets for the lock. */
static enum err
lock_in_child(const struct world *world)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct io *io = io_create();
		struct io_dir *dir;
		enum err err = io_dir_open(io, world->path, &dir);

		_exit(err ? 100 : (int)io_dir_lock(dir, "lock"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (enum err)WEXITSTATUS(status);
}

static void
locks(void **state)
{
	struct world *world = *state;
	struct io *other = io_create();
	struct io_dir *dir;

	assert_int_equal(lock_in_child(world), OK);
	assert_int_equal(io_dir_lock(world->dir, "lock"), OK);
	assert_int_equal(lock_in_child(world), ERR_BUSY);
	/* Two of a simulator's hosts in one process are strangers as well. */
	assert_int_equal(io_dir_open(other, world->path, &dir), OK);
	assert_int_equal(io_dir_lock(dir, "lock"), ERR_BUSY);
	io_destroy(other);
	io_dir_close(world->dir);
	assert_int_equal(lock_in_child(world), ERR_BUSY);
}

static void
closed_under_way(void **state)
{
	struct world *world = *state;
	struct io_file *file =
	    opened(world, "f", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	struct span bytes = SPAN("kept");
	char into[8] = {0};

	io_pwrite(file, next(world), &bytes, 1, 0);
	io_file_close(file);
	io_dir_close(world->dir);
	assert_int_equal(ended(world), OK);
	assert_true(list_empty(&world->io->files));
	assert_true(list_empty(&world->io->dirs));

	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	file = opened(world, "f", IO_OPEN_READ);
	io_pread(file, next(world), into, sizeof(into), 0);
	assert_int_equal(ended(world), OK);
	assert_string_equal(into, "kept");
}

static int
fds_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void
destroyed_under_way(void **state)
{
	struct world *world = *state;
	struct io_dir *dir;
	struct io *io;
	int before = fds_open();

	/* A file that nobody will hear of is closed; so is one that nobody closed. */
	io = io_create();
	assert_int_equal(io_dir_open(io, world->path, &dir), OK);
	io_open(dir, next(world), "a", IO_OPEN_WRITE | IO_OPEN_CREATE);
	io_run(io);
	assert_int_equal(world->done, 1);
	io_open(dir, next(world), "b", IO_OPEN_WRITE | IO_OPEN_CREATE);
	io_destroy(io);
	assert_int_equal(world->done, 0);
	assert_int_equal(fds_open(), before);
}

static void
pipes_are_not_files(void **state)
{
	struct world *world = *state;

	/* Must neither wait for a writer nor give it out. */
	assert_int_equal(mkfifoat(world->dir->opened.fd, "pipe", 0600), 0);
	io_open(world->dir, next(world), "pipe", IO_OPEN_READ);
	assert_int_equal(ended(world), ERR_UNSUPPORTED);
	assert_null(world->op.file);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(write_and_read),
	    TEST(many_spans),
	    TEST(short_writes_are_continued),
	    TEST(sizes),
	    TEST(names),
	    TEST(bad_names),
	    TEST(lists_names),
	    TEST(directories),
	    TEST(locks),
	    TEST(closed_under_way),
	    TEST(destroyed_under_way),
	    TEST(pipes_are_not_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
