/* No epoch, and so no id, comes twice, whatever the disk has lost of it. */
#include "spool/spool_fixture.h"

enum { SEGMENT_BYTES = 1 << 20, SLOT_SECOND = 4096, SLOT_BYTES = 32 };

static void
rot(struct world *world, size_t slot)
{
	char path[PATH_BYTES + 16];
	char bytes[SLOT_BYTES];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/epoch", world->path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, SLOT_BYTES, (off_t)slot), SLOT_BYTES);
	bytes[20]++;
	assert_int_equal(pwrite(fd, bytes, SLOT_BYTES, (off_t)slot), SLOT_BYTES);
	close(fd);
}

/* Opens it so often, and takes a message each time whose id has the epoch. */
static uint64_t
use(struct world *world, unsigned times)
{
	uint64_t epoch = 0;

	while (times-- > 0) {
		world_open(world);
		assert_true(spool_epoch(world->spool) > epoch);
		epoch = spool_epoch(world->spool);
		assert_int_equal(put(world, epoch << SPOOL_ID_EPOCH_SHIFT | 7, 50), OK);
		assert_int_equal(flush(world), OK);
		world_close(world);
	}
	return epoch;
}

static void
one_slot_lost(void **state)
{
	struct world world;

	(void)state;
	/* Whichever slot had the last one. */
	for (unsigned times = 4; times < 6; times++)
		for (size_t slot = 0; slot <= SLOT_SECOND; slot += SLOT_SECOND) {
			uint64_t last;

			world_init(&world, SEGMENT_BYTES);
			last = use(&world, times);
			rot(&world, slot);
			world_open(&world);
			assert_in_range(spool_epoch(world.spool), last + 1, last + 3);
			assert_int_equal(flush(&world), OK);
			world_fini(&world);
		}
}

/* All but the first segment and the epoch's file is gone: headers that have later epochs too. */
static void
lose_the_rest(const struct world *world)
{
	DIR *listing = opendir(world->path);
	struct dirent *entry;

	assert_non_null(listing);
	while ((entry = readdir(listing)) != NULL)
		if (strcmp(entry->d_name, "epoch") != 0 &&
		    strcmp(entry->d_name, "seg-00000000.log") != 0)
			(void)unlinkat(dirfd(listing), entry->d_name, 0);
	closedir(listing);
}

static void
both_slots_lost_again_and_again(void **state)
{
	struct world world;
	uint64_t last;

	(void)state;
	world_init(&world, SEGMENT_BYTES);
	/* All go on in the first segment, whose header has the first epoch. */
	last = use(&world, 5);
	for (unsigned round = 0; round < 4; round++) {
		uint64_t next;

		rot(&world, 0);
		rot(&world, SLOT_SECOND);
		lose_the_rest(&world);
		next = use(&world, 1);
		assert_true(next > last);
		assert_true(world.damage_count > 0);
		assert_string_equal(world.damages[0].segment, "epoch");
		last = next;
	}
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_slot_lost),
	    cmocka_unit_test(both_slots_lost_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
