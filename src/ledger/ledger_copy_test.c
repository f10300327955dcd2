/* Copies end where the log that they go with ends. */
#include "ledger/ledger_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"
#include "ledger/ledger_files.h"

enum { SALT = 7, FILES = 3, BLOCKS = 4, STEP = 10 };

struct place {
	char path[64];
	struct io *io;
	struct io_dir *dir;
};

static void
place_init(struct place *place, struct io *io)
{
	place->io = io;
	(void)snprintf(place->path, sizeof(place->path), "/tmp/ledger-copy-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	assert_int_equal(io_dir_open(io, place->path, &place->dir), OK);
}

static void
place_fini(struct place *place)
{
	char name[LEDGER_NAME_BYTES], path[256];

	for (uint32_t i = 0; i <= FILES; i++) {
		ledger_file_name(name, i);
		(void)snprintf(path, sizeof(path), "%s/%s", place->path, name);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/%s", place->path, LEDGER_DIR);
	(void)rmdir(path);
	assert_int_equal(rmdir(place->path), 0);
	io_dir_close(place->dir);
}

/* A file of blocks, each of STEP positions from `from` on. */
static void
write_file(const struct place *place, uint32_t number, uint64_t from)
{
	static const uint64_t seed[2] = {1, 2};
	const struct ledger_file_head head = {.version = LEDGER_VERSION,
	    .number = number,
	    .salt = SALT,
	    .created_ms = 1,
	    .from = from};
	const struct ledger_entry entry = {
	    .kind = LEDGER_HELD, .id = 3, .wall_ms = 1, .text = SPAN("root")};
	struct ledger_builder *builder = ledger_builder_create(seed);
	char name[LEDGER_NAME_BYTES], path[256], bytes[LEDGER_FILE_BYTES];
	uint64_t offset = LEDGER_FILE_BYTES;
	FILE *file;

	ledger_file_name(name, number);
	(void)snprintf(path, sizeof(path), "%s/%s", place->path, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	ledger_file_write(bytes, &head);
	assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
	for (unsigned i = 0; i < BLOCKS; i++) {
		struct buf block;

		buf_init(&block, 1 << 20);
		ledger_builder_reset(builder);
		ledger_builder_add(builder, &entry);
		ledger_builder_seal(builder, from + i * STEP, from + (i + 1) * STEP, &block);
		ledger_block_place(&block, SALT, offset, from + i * STEP);
		assert_int_equal(fwrite(block.ptr, 1, block.len, file), block.len);
		offset += block.len;
		buf_fini(&block);
	}
	assert_int_equal(fclose(file), 0);
	ledger_builder_destroy(builder);
}

/* How far a ledger reaches, all its blocks one after the other. */
static uint64_t
reach(const struct place *place)
{
	struct ledger_numbers list;
	uint64_t reached = 0;

	assert_int_equal(ledger_list(place->dir, &list), OK);
	for (size_t i = 0; i < list.count; i++) {
		struct ledger_block_head head;
		struct ledger_walk walk;
		struct span filter;

		assert_int_equal(
		    ledger_walk_open(&walk, place->dir, list.numbers[i]), OK);
		while (ledger_walk_next(&walk, &head, &filter) == OK) {
			assert_int_equal(head.from, reached);
			reached = head.reached;
		}
		assert_int_equal(io_file_bytes(walk.file), walk.offset);
		ledger_walk_close(&walk);
	}
	mem_free(list.numbers);
	return reached;
}

static void
a_copy_ends_with_the_log_that_it_goes_with(void **state)
{
	struct io *io = io_create();
	struct place from;
	char path[256];

	(void)state;
	place_init(&from, io);
	(void)snprintf(path, sizeof(path), "%s/%s", from.path, LEDGER_DIR);
	assert_int_equal(mkdir(path, 0700), 0);
	for (uint32_t i = 0; i < FILES; i++)
		write_file(&from, i, (uint64_t)i * BLOCKS * STEP);
	assert_int_equal(reach(&from), FILES * BLOCKS * STEP);
	for (uint64_t until = 0; until <= FILES * BLOCKS * STEP + 5; until += 5) {
		uint64_t wanted = until / STEP * STEP, bytes;
		struct place to;

		if (wanted > FILES * BLOCKS * STEP)
			wanted = FILES * BLOCKS * STEP;
		place_init(&to, io);
		assert_int_equal(ledger_copy(from.dir, to.dir, until, &bytes), OK);
		assert_int_equal(reach(&to), wanted);
		place_fini(&to);
	}
	place_fini(&from);
	io_destroy(io);
}

static void
a_spool_without_a_ledger_has_a_copy_without_one(void **state)
{
	struct io *io = io_create();
	struct place from, to;
	uint64_t bytes;

	(void)state;
	place_init(&from, io);
	place_init(&to, io);
	assert_int_equal(ledger_copy(from.dir, to.dir, UINT64_MAX, &bytes), OK);
	assert_int_equal(bytes, 0);
	place_fini(&to);
	place_fini(&from);
	io_destroy(io);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_copy_ends_with_the_log_that_it_goes_with),
	    cmocka_unit_test(a_spool_without_a_ledger_has_a_copy_without_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
