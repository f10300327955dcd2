/* Copies of spools, taken while they are written: opened, they are what the spool was. */
#include "spool/spool_copy.h"

#include "spool/spool_fixture.h"

enum { MB = 1 << 20, BIG = MB + 5000, LIVE_MAX = 64 };

/* A writer that goes on whenever the copying waits or a file is looked at. */
struct writer {
	struct world *world;
	uint64_t next, oldest;
	unsigned steps;
};

static void
write_on(struct writer *writer)
{
	uint64_t id = writer->next++;

	assert_int_equal(put(writer->world, id, id % 11 == 0 ? BIG : 60000), OK);
	if (id % 3 == 0)
		assert_int_equal(mark(writer->world, id, "m"), OK);
	while (writer->next - writer->oldest > 20)
		assert_int_equal(drop(writer->world, writer->oldest++), OK);
	writer->steps++;
}

static void
write_while_waiting(void *owner)
{
	write_on(owner);
}

static struct spool_copy_result
copy(const char *from, const char *to, const struct spool_copy_options *options)
{
	struct io *io = io_create();
	struct spool_copy_result result;
	struct io_dir *source, *target;

	assert_int_equal(io_dir_open(io, from, &source), OK);
	assert_int_equal(io_dir_open(io, to, &target), OK);
	assert_int_equal(spool_copy(io, source, target, options, &result), OK);
	io_dir_close(source);
	io_dir_close(target);
	io_destroy(io);
	return result;
}

static void
check_bodies(struct world *world)
{
	for (size_t i = 0; i < world->seen_count; i++) {
		const struct seen *one = &world->seen[i];

		assert_true(one->envelope_right);
		assert_int_equal(
		    read_body(world, one->id, one->body_bytes, 1 << 16), OK);
	}
}

static void
a_copy_of_a_stopped_spool_is_the_spool(void **state)
{
	const struct spool_copy_options options = {.epochs = 1000};
	struct world world, other;
	struct writer writer = {.world = &world, .next = 1, .oldest = 1};
	uint64_t epoch;

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	for (unsigned i = 0; i < 100; i++)
		write_on(&writer);
	world_reopen(&world);
	epoch = spool_epoch(world.spool);
	world_close(&world);
	world_init(&other, MB);
	assert_int_equal(copy(world.path, other.path, &options).numbers.damages, 0);
	world_open(&other);
	assert_int_equal(other.damage_count, 0);
	assert_int_equal(other.seen_count, world.seen_count);
	for (size_t i = 0; i < world.seen_count; i++) {
		assert_int_equal(other.seen[i].id, world.seen[i].id);
		assert_string_equal(other.seen[i].marks, world.seen[i].marks);
	}
	check_bodies(&other);
	assert_int_equal(spool_epoch(other.spool), epoch + 1001);
	/* It is a spool like any other. */
	assert_int_equal(put(&other, 5000, 1000), OK);
	world_reopen(&other);
	assert_non_null(seen(&other, 5000));
	world_fini(&other);
	world_fini(&world);
}

/*
 * Copies again and again while messages come and go and segments are used again.  Each copy holds
 * what lived from its begin to its end, and nothing that was over before it began.
 */
static void
a_copy_of_a_spool_in_use_is_what_it_was_at_some_moment(void **state)
{
	struct world world;
	struct writer writer = {.world = &world, .next = 1, .oldest = 1};
	const struct spool_copy_options options = {
	    .running = true, .owner = &writer, .wait = write_while_waiting};

	(void)state;
	world_init(&world, MB);
	world_open(&world);
	for (unsigned i = 0; i < 30; i++)
		write_on(&writer);
	for (unsigned round = 0; round < 12; round++) {
		struct world other;
		uint64_t oldest = writer.oldest, next = writer.next;

		world_init(&other, MB);
		(void)copy(world.path, other.path, &options);
		world_open(&other);
		assert_int_equal(other.damage_count, 0);
		for (uint64_t id = writer.oldest; id < next; id++)
			assert_non_null(seen(&other, id));
		for (size_t i = 0; i < other.seen_count; i++)
			assert_true(other.seen[i].id >= oldest);
		check_bodies(&other);
		world_fini(&other);
		for (unsigned i = 0; i < 17; i++)
			write_on(&writer);
	}
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_copy_of_a_stopped_spool_is_the_spool),
	    cmocka_unit_test(a_copy_of_a_spool_in_use_is_what_it_was_at_some_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
