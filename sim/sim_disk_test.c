/* What survives a power cut, and what a disk that fails does. */
#include "sim/test_sim.h"

#include "spool/spool_record.h"

enum { TRIES = 200, SECTORS = 8 };

static void
what_is_synced_survives(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		struct test_world world;
		struct io_file *file;
		char text[64];

		test_world_init(&world, seed);
		file = test_create(&world, "kept");
		test_write(file, "durable", 0);
		test_sync(&world, file);
		test_world_power_cut(&world);
		assert_string_equal(test_read(&world, "kept", text, sizeof(text)), "durable");
		test_world_fini(&world);
	}
}

static void
a_name_without_a_directory_sync_may_go(void **state)
{
	unsigned there = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		struct test_world world;
		struct io_op op = {0};
		struct io_file *file;
		char text[64];

		test_world_init(&world, seed);
		file = test_create(&world, "new");
		test_write(file, "bytes", 0);
		io_sync(file, &op);
		test_world_power_cut(&world);
		if (test_read(&world, "new", text, sizeof(text))) {
			assert_string_equal(text, "bytes");
			there++;
		}
		test_world_fini(&world);
	}
	assert_in_range(there, TRIES / 4, TRIES * 9 / 10);
}

static void
a_rename_is_one_change(void **state)
{
	unsigned before = 0, after = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		struct test_world world;
		struct io_op op = {0};
		char text[64];
		bool old, new;

		test_world_init(&world, seed);
		io_mkdir(world.dir, &op, "to");
		test_sync(&world, test_create(&world, "from"));
		io_rename(world.dir, &op, "from", "to/here");
		assert_int_equal(op.err, OK);
		assert_null(test_read(&world, "from", text, sizeof(text)));
		test_world_power_cut(&world);
		old = test_read(&world, "from", text, sizeof(text)) != NULL;
		new = test_read(&world, "to/here", text, sizeof(text)) != NULL;
		assert_true(old != new);
		before += old;
		after += new;
		test_world_fini(&world);
	}
	assert_true(before > 0 && after > 0);
}

/* Each sector of an unsynced write is as it was or as it became, and all mixtures are seen. */
static void
unsynced_sectors_are_kept_lost_or_torn(void **state)
{
	unsigned whole = 0, none = 0, torn = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		char old[SECTORS * SIM_SECTOR + 1], new[SECTORS * SIM_SECTOR + 1];
		char text[SECTORS * SIM_SECTOR + 1];
		struct test_world world;
		struct io_file *file;
		unsigned changed = 0;

		memset(old, 'o', sizeof(old) - 1);
		memset(new, 'n', sizeof(new) - 1);
		old[sizeof(old) - 1] = new[sizeof(new) - 1] = '\0';
		test_world_init(&world, seed);
		file = test_create(&world, "torn");
		test_write(file, old, 0);
		test_sync(&world, file);
		test_write(file, new, 0);
		test_world_power_cut(&world);
		assert_non_null(test_read(&world, "torn", text, sizeof(text)));
		for (size_t i = 0; i < SECTORS; i++) {
			const char *at = text + i * SIM_SECTOR;

			assert_true(memcmp(at, old, SIM_SECTOR) == 0 ||
			    memcmp(at, new, SIM_SECTOR) == 0);
			changed += *at == 'n';
		}
		whole += changed == SECTORS;
		none += changed == 0;
		torn += changed > 0 && changed < SECTORS;
		test_world_fini(&world);
	}
	assert_true(whole > TRIES / 10 && none > TRIES / 10 && torn > TRIES / 50);
}

static void
a_failed_sync_makes_pages_clean(void **state)
{
	unsigned lost = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		struct test_world world;
		struct io_op op = {0};
		struct io_file *file;
		char text[64];

		test_world_init(&world, seed);
		file = test_create(&world, "file");
		test_write(file, "old", 0);
		test_sync(&world, file);
		test_write(file, "new", 0);
		sim_faults(world.sim)->sync_error = 1000000;
		io_sync(file, &op);
		assert_int_equal(op.err, ERR_IO);
		sim_faults(world.sim)->sync_error = 0;
		/* The next sync succeeds, and means nothing. */
		test_sync(&world, file);
		test_world_power_cut(&world);
		assert_non_null(test_read(&world, "file", text, sizeof(text)));
		lost += strcmp(text, "old") == 0;
		test_world_fini(&world);
	}
	assert_in_range(lost, TRIES / 4, TRIES * 3 / 4);
}

static void
a_full_disk_takes_what_fits(void **state)
{
	char bytes[3 * SIM_BLOCK] = {0};
	const struct span span = span_of(bytes, sizeof(bytes));
	struct test_world world;
	struct io_op op = {0};
	struct io_file *file;
	uint64_t space;

	(void)state;
	test_world_init(&world, 1);
	sim_server_set_disk_bytes(world.server, 2 * SIM_BLOCK);
	file = test_create(&world, "file");
	io_pwrite(file, &op, &span, 1, 0);
	assert_int_equal(op.err, ERR_NO_SPACE);
	assert_int_equal(op.count, 2 * SIM_BLOCK);
	assert_int_equal(io_dir_space(world.dir, &space), OK);
	assert_int_equal(space, 0);
	io_allocate(file, &op, 3 * SIM_BLOCK);
	assert_int_equal(op.err, ERR_NO_SPACE);
	io_file_close(file);
	io_unlink(world.dir, &op, "file");
	test_sync(&world, test_create(&world, "other"));
	assert_int_equal(io_dir_space(world.dir, &space), OK);
	assert_int_equal(space, 2 * SIM_BLOCK);
	test_world_fini(&world);
}

static void
names_are_refused_as_on_a_real_disk(void **state)
{
	struct test_world world;
	struct io_op op = {0};

	(void)state;
	test_world_init(&world, 1);
	io_file_close(test_create(&world, "a"));
	io_open(world.dir, &op, "a", IO_OPEN_READ | IO_OPEN_WRITE | IO_OPEN_CREATE);
	assert_int_equal(op.err, ERR_EXISTS);
	io_open(world.dir, &op, "b", IO_OPEN_READ);
	assert_int_equal(op.err, ERR_NOT_FOUND);
	io_open(world.dir, &op, "../a", IO_OPEN_READ);
	assert_int_equal(op.err, ERR_DENIED);
	io_mkdir(world.dir, &op, "a");
	assert_int_equal(op.err, ERR_EXISTS);
	io_link(world.dir, &op, "a", "c");
	assert_int_equal(op.err, OK);
	io_link(world.dir, &op, "a", "c");
	assert_int_equal(op.err, ERR_EXISTS);
	io_unlink(world.dir, &op, "d");
	assert_int_equal(op.err, ERR_NOT_FOUND);
	test_world_fini(&world);
}

static void
a_lock_ends_with_its_owner(void **state)
{
	struct test_world world;
	struct io *other;
	struct io_dir *dir;

	(void)state;
	test_world_init(&world, 1);
	other = sim_io_create(world.sim, world.host);
	assert_int_equal(io_dir_open(other, "/", &dir), OK);
	assert_int_equal(io_dir_lock(world.dir, "lock"), OK);
	assert_int_equal(io_dir_lock(dir, "lock"), ERR_BUSY);
	sim_io_kill(world.io, false);
	assert_int_equal(io_dir_lock(dir, "lock"), OK);
	sim_io_kill(other, false);
	world.io = sim_io_create(world.sim, world.host);
	test_world_fini(&world);
}

static void
done(struct io_op *op)
{
	*(bool *)op->owner = true;
}

static void
a_write_under_way_may_outlive_its_role(void **state)
{
	unsigned written = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= TRIES; seed++) {
		const struct span span = SPAN("late");
		struct test_world world;
		bool told = false;
		struct io_op op = {.done = done, .owner = &told};
		struct io_file *file;
		char text[64];

		test_world_init(&world, seed);
		file = test_create(&world, "file");
		io_pwrite(file, &op, &span, 1, 0);
		sim_io_kill(world.io, false);
		while (sim_step(world.sim))
			;
		assert_false(told);
		world.io = sim_io_create(world.sim, world.host);
		assert_int_equal(io_dir_open(world.io, "/", &world.dir), OK);
		assert_non_null(test_read(&world, "file", text, sizeof(text)));
		assert_true(span_starts(SPAN("late"), span_str(text)));
		written += strcmp(text, "late") == 0;
		test_world_fini(&world);
	}
	assert_in_range(written, TRIES / 8, TRIES * 3 / 4);
}

static void
rot_changes_one_bit_for_good(void **state)
{
	struct test_world world;
	struct io_op op = {0};
	struct io_file *file;
	unsigned bits = 0;
	char text[64];

	(void)state;
	test_world_init(&world, 1);
	io_mkdir(world.dir, &op, "spool");
	file = test_create(&world, "spool/segment");
	test_write(file, "healthy", 0);
	test_sync(&world, file);
	io_dir_sync(world.dir, &op, "spool");
	sim_disk_rot(world.server->disk, "/spool");
	test_world_power_cut(&world);
	assert_non_null(test_read(&world, "spool/segment", text, sizeof(text)));
	for (size_t i = 0; i < 7; i++)
		for (unsigned changed = (uint8_t)text[i] ^ (uint8_t) "healthy"[i]; changed;
		     changed &= changed - 1)
			bits++;
	assert_int_equal(bits, 1);
	test_world_fini(&world);
}

/* A segment of the spool that names the one before it. */
static void
write_segment(struct test_world *world, const char *name, uint64_t sequence, uint64_t before)
{
	const struct spool_head head = {.sequence = sequence, .oldest = 1, .epoch = 1};
	const struct spool_record record = {
	    .type = SPOOL_SEAL,
	    .envelope_bytes = SPOOL_SEAL_BYTES,
	    .durable = SPOOL_SEGMENT_DATA,
	};
	const struct spool_seal seal = {.sequence = before};
	char bytes[SPOOL_SEGMENT_DATA + SPOOL_RECORD_HEAD + SPOOL_SEAL_BYTES] = {0};
	struct span span = span_of(bytes, sizeof(bytes));
	struct io_file *file = test_create(world, name);
	struct io_op op = {0};

	spool_head_write(bytes, &head);
	spool_head_write(bytes + SPOOL_HEAD_SECOND, &head);
	spool_record_write(bytes + SPOOL_SEGMENT_DATA, spool_key_of(&head),
	    SPOOL_SEGMENT_DATA, &record);
	spool_seal_write(bytes + SPOOL_SEGMENT_DATA + SPOOL_RECORD_HEAD, &seal);
	io_pwrite(file, &op, &span, 1, 0);
	test_sync(world, file);
}

static unsigned
changes(const char *before, const char *after, size_t from, size_t to)
{
	unsigned count = 0;

	for (size_t i = from; i < to; i++)
		count += before[i] != after[i];
	return count;
}

static void
both_headers_of_the_last_segment_but_one_rot(void **state)
{
	static char before[3][SPOOL_SEGMENT_DATA], after[3][SPOOL_SEGMENT_DATA];
	static const char *const names[] = {"spool/seg-1", "spool/seg-2", "spool/seg-3"};
	struct test_world world;
	struct io_op op = {0};

	(void)state;
	test_world_init(&world, 1);
	io_mkdir(world.dir, &op, "spool");
	assert_false(sim_disk_rot_heads(world.server->disk, "/spool"));
	write_segment(&world, names[0], 9, 8);
	write_segment(&world, names[1], 7, 6);
	write_segment(&world, names[2], 8, 7);
	io_dir_sync(world.dir, &op, "spool");
	for (size_t i = 0; i < 3; i++)
		assert_non_null(test_read(&world, names[i], before[i], sizeof(before[i])));
	assert_true(sim_disk_rot_heads(world.server->disk, "/spool"));
	test_world_power_cut(&world);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(test_read(&world, names[i], after[i], sizeof(after[i])));
		assert_int_equal(
		    changes(before[i], after[i], 0, SPOOL_HEAD_BYTES), i == 2 ? 1 : 0);
		assert_int_equal(changes(before[i], after[i], SPOOL_HEAD_SECOND,
		                     SPOOL_HEAD_SECOND + SPOOL_HEAD_BYTES),
		    i == 2 ? 1 : 0);
	}
	test_world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_synced_survives),
	    cmocka_unit_test(a_name_without_a_directory_sync_may_go),
	    cmocka_unit_test(a_rename_is_one_change),
	    cmocka_unit_test(unsynced_sectors_are_kept_lost_or_torn),
	    cmocka_unit_test(a_failed_sync_makes_pages_clean),
	    cmocka_unit_test(a_full_disk_takes_what_fits),
	    cmocka_unit_test(names_are_refused_as_on_a_real_disk),
	    cmocka_unit_test(a_lock_ends_with_its_owner),
	    cmocka_unit_test(a_write_under_way_may_outlive_its_role),
	    cmocka_unit_test(rot_changes_one_bit_for_good),
	    cmocka_unit_test(both_headers_of_the_last_segment_but_one_rot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
