/* The ledger in a directory of the test's own: written, cut, damaged, opened again. */
#include "ledger/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "ledger/ledger_block.h"
#include "ledger/ledger_read.h"

struct world {
	struct io *io;
	struct io_dir *dir;
	struct ledger *ledger;
	struct ledger_options options;
	struct io_timer timer;
	char path[64];
	uint64_t durable;
	unsigned failures, stops, works, flushed;
	bool waiting;
	enum err flush_err;
};

static void
durable(void *owner, uint64_t position)
{
	struct world *world = owner;

	assert_true(position >= world->durable);
	world->durable = position;
}

static void
failed(void *owner, enum err err, bool stopped)
{
	struct world *world = owner;

	assert_int_not_equal(err, OK);
	world->failures++;
	world->stops += stopped;
}

static void
works(void *owner)
{
	((struct world *)owner)->works++;
}

static void
stop(struct io_timer *timer)
{
	io_stop(((struct world *)timer->owner)->io);
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	(void)snprintf(world->path, sizeof(world->path), "/tmp/ledger_test.XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	world->options = (struct ledger_options){.keep_ms = 1ull << 40,
	    .bytes_max = 1ull << 40,
	    .idle_ms = 20,
	    .retry_ms = 20,
	    .owner = world,
	    .durable = durable,
	    .failed = failed,
	    .works = works};
	world->timer = (struct io_timer){.fired = stop, .owner = world};
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;
	char command[128];

	ledger_close(world->ledger);
	io_destroy(world->io);
	(void)snprintf(command, sizeof(command), "rm -r %s", world->path);
	assert_int_equal(system(command), 0);
	mem_free(world);
	return 0;
}

static void
open_ledger(struct world *world)
{
	assert_int_equal(
	    ledger_open(world->io, world->dir, &world->options, &world->ledger), OK);
}

static void
run_for(struct world *world, uint64_t ms)
{
	io_timer_start(world->io, &world->timer, ms);
	io_run(world->io);
}

/* A disk that others use too may be slow. */
static void
run_until_durable(struct world *world, uint64_t position)
{
	for (int i = 0; i < 6000 && world->durable != position; i++)
		run_for(world, 10);
	assert_int_equal(world->durable, position);
}

static void
flush_done(struct ledger_op *op)
{
	struct world *world = op->owner;

	world->flush_err = op->err;
	world->flushed++;
	if (world->waiting)
		io_stop(world->io);
}

static enum err
flush(struct world *world)
{
	struct ledger_op op = {.done = flush_done, .owner = world};

	world->flushed = 0;
	ledger_flush(world->ledger, &op);
	world->waiting = world->flushed == 0;
	if (world->waiting)
		io_run(world->io);
	world->waiting = false;
	assert_int_equal(world->flushed, 1);
	return world->flush_err;
}

static void
close_ledger(struct world *world)
{
	ledger_close(world->ledger);
	world->ledger = NULL;
	world->durable = 0;
}

/* What the spool would feed: position n says that message n was accepted for domain n % 3. */
static void
feed(struct world *world, uint64_t first, uint64_t last)
{
	for (uint64_t n = first; n <= last; n++) {
		char address[64];
		struct ledger_rcpt rcpt = {.mailbox = SPAN("")};
		struct ledger_entry entry = {.kind = LEDGER_ACCEPTED,
		    .id = n,
		    .wall_ms = 1000 * n,
		    .reverse_path = SPAN("ann@example.org"),
		    .client = SPAN(""),
		    .login = SPAN(""),
		    .rcpts = &rcpt,
		    .rcpt_count = 1};

		if (n <= ledger_reached(world->ledger))
			continue;
		(void)snprintf(address, sizeof(address), "p%u@d%u.example", (unsigned)n,
		    (unsigned)n % 3);
		rcpt.address = rcpt.original = span_str(address);
		ledger_add(world->ledger, &entry);
		ledger_reach(world->ledger, n);
	}
}

static struct ledger_seen
read_through(struct world *world, const struct ledger_query *query, uint64_t *ids,
    size_t *count, size_t count_max)
{
	struct ledger_reader *reader;
	struct ledger_entry entry;
	struct ledger_seen seen;
	enum err err;

	*count = 0;
	assert_int_equal(ledger_reader_open(world->io, world->dir, query, &reader), OK);
	while ((err = ledger_reader_next(reader, &entry)) == OK) {
		assert_true(*count < count_max);
		ids[(*count)++] = entry.id;
	}
	assert_int_equal(err, ERR_END);
	seen = *ledger_reader_seen(reader);
	ledger_reader_close(reader);
	return seen;
}

/* The ledger says of exactly the messages up to last that they were accepted, once each. */
static void
assert_has_all(struct world *world, uint64_t last)
{
	const struct ledger_query all = {0};
	uint64_t *ids = mem_alloc((last + 1) * sizeof(*ids));
	size_t count;
	struct ledger_seen seen = read_through(world, &all, ids, &count, last + 1);

	assert_int_equal(count, last);
	for (uint64_t n = 1; n <= last; n++)
		assert_int_equal(ids[n - 1], n);
	assert_int_equal(seen.gaps, 0);
	mem_free(ids);
}

static void
path_of(const struct world *world, unsigned number, char path[128])
{
	(void)snprintf(path, 128, "%s/ledger/%08x.led", world->path, number);
}

static void
what_is_flushed_can_be_read(void **state)
{
	struct world *world = *state;

	open_ledger(world);
	assert_int_equal(ledger_reached(world->ledger), 0);
	ledger_run(world->ledger);
	feed(world, 1, 10);
	assert_int_equal(flush(world), OK);
	assert_int_equal(world->durable, 10);
	assert_has_all(world, 10);
	feed(world, 11, 5000);
	assert_int_equal(flush(world), OK);
	assert_has_all(world, 5000);
	close_ledger(world);
	open_ledger(world);
	assert_int_equal(ledger_reached(world->ledger), 5000);
	ledger_run(world->ledger);
	feed(world, 1, 5010);
	assert_int_equal(flush(world), OK);
	assert_has_all(world, 5010);
	/* It went on in the same file. */
	assert_int_equal(access(world->path, F_OK), 0);
}

static void
what_waits_becomes_durable_by_itself(void **state)
{
	struct world *world = *state;

	open_ledger(world);
	ledger_run(world->ledger);
	feed(world, 1, 3);
	assert_int_equal(world->durable, 0);
	run_until_durable(world, 3);
	feed(world, 4, 4);
	run_until_durable(world, 4);
	assert_has_all(world, 4);
	/* A position without an entry needs nothing written. */
	ledger_reach(world->ledger, 9);
	ledger_sync(world->ledger);
	assert_int_equal(world->durable, 9);
}

/* What was given and not flushed is lost by a crash, and fed again. */
static void
what_is_lost_is_fed_again_and_never_twice(void **state)
{
	struct world *world = *state;
	uint64_t last = 0;

	for (unsigned turn = 0; turn < 20; turn++) {
		open_ledger(world);
		assert_true(ledger_reached(world->ledger) <= last);
		feed(world, 1, last); /* at recovery */
		ledger_run(world->ledger);
		feed(world, last + 1, last + 150);
		last += 150;
		if (turn % 2) {
			assert_int_equal(flush(world), OK);
			assert_has_all(world, last);
		} else {
			run_for(world, 1);
			while (flush(world))
				continue;
		}
		feed(world, last + 1, last + 7);
		last += 7;
		close_ledger(world);
	}
}

/* Cuts the file off after each of its bytes; whatever was cut is fed again. */
static void
a_torn_end_is_fed_again_wherever_it_is(void **state)
{
	struct world *world = *state;
	char path[128], *bytes;
	struct stat stat_of;
	int fd;

	for (unsigned i = 1; i <= 5; i++) {
		open_ledger(world);
		ledger_run(world->ledger);
		feed(world, 1, 4 * i);
		assert_int_equal(flush(world), OK);
		close_ledger(world);
	}
	path_of(world, 1, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && fstat(fd, &stat_of) == 0);
	bytes = mem_alloc((size_t)stat_of.st_size);
	assert_int_equal(read(fd, bytes, (size_t)stat_of.st_size), stat_of.st_size);
	close(fd);
	for (off_t len = 0; len < stat_of.st_size; len++) {
		char other[128];

		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, bytes, (size_t)len), len);
		/* Half of the time something else stands where the rest was. */
		if (len % 2)
			assert_int_equal(write(fd, "PRlbxxxxxxxxxxxxxxxx", 20), 20);
		close(fd);
		open_ledger(world);
		assert_true(ledger_reached(world->ledger) <= 20);
		assert_int_equal(ledger_reached(world->ledger) % 4, 0);
		feed(world, 1, 20);
		ledger_run(world->ledger);
		assert_int_equal(flush(world), OK);
		close_ledger(world);
		assert_has_all(world, 20);
		for (unsigned number = 2; number < 4; number++) {
			path_of(world, number, other);
			(void)unlink(other);
		}
	}
	mem_free(bytes);
}

static void
damage_in_the_middle_is_a_gap_and_hides_nothing_else(void **state)
{
	struct world *world = *state;
	const struct ledger_query all = {0};
	struct ledger_seen seen;
	uint64_t ids[64];
	size_t count;
	char path[128];
	int fd;

	open_ledger(world);
	ledger_run(world->ledger);
	for (unsigned i = 1; i <= 3; i++) {
		feed(world, 1, 4 * i);
		assert_int_equal(flush(world), OK);
	}
	close_ledger(world);
	path_of(world, 1, path);
	/* In the first block: in its payload, then in its header. */
	for (int i = 0; i < 2; i++) {
		off_t at = LEDGER_FILE_BYTES + (i ? 6 : LEDGER_HEADER_BYTES + 30);

		fd = open(path, O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, "\xff\xff", 2, at), 2);
		close(fd);
		seen = read_through(world, &all, ids, &count, 64);
		assert_int_equal(count, 8);
		assert_int_equal(ids[0], 5);
		assert_int_equal(seen.gaps, 1);
		assert_int_equal(seen.gap_file, 1);
		open_ledger(world);
		assert_int_equal(ledger_reached(world->ledger), 12);
		close_ledger(world);
	}
}

static void
a_head_that_is_damaged_costs_nothing(void **state)
{
	struct world *world = *state;
	char path[128];
	int fd;

	open_ledger(world);
	ledger_run(world->ledger);
	feed(world, 1, 9);
	assert_int_equal(flush(world), OK);
	close_ledger(world);
	path_of(world, 1, path);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "xx", 2, 30), 2);
	close(fd);
	assert_has_all(world, 9);
	open_ledger(world);
	assert_int_equal(ledger_reached(world->ledger), 9);
}

static void
queries_pass_over_blocks(void **state)
{
	struct world *world = *state;
	const struct ledger_query by_id = {.id = 77777}, by_time = {.since_ms = 50000000,
						  .until_ms = 50010000},
				  by_domain = {.domain = SPAN("d9.example")};
	struct ledger_seen seen;
	uint64_t *ids = mem_alloc(100000 * sizeof(*ids));
	size_t count;

	open_ledger(world);
	ledger_run(world->ledger);
	feed(world, 1, 100000);
	assert_int_equal(flush(world), OK);
	seen = read_through(world, &by_id, ids, &count, 100000);
	assert_int_equal(count, 1);
	assert_int_equal(ids[0], 77777);
	assert_true(seen.blocks <= 4 && seen.blocks_skipped > 20);
	seen = read_through(world, &by_time, ids, &count, 100000);
	assert_true(count >= 11 && seen.blocks <= 2);
	seen = read_through(world, &by_domain, ids, &count, 100000);
	assert_true(seen.blocks <= 6 && seen.blocks_skipped > 20);
	mem_free(ids);
}

static void
old_files_go_whole(void **state)
{
	struct world *world = *state;
	const struct ledger_query all = {0};
	struct ledger_seen seen;
	uint64_t *ids = mem_alloc(3000000 * sizeof(*ids));
	size_t count;

	world->options.bytes_max = 2 * LEDGER_FILE_BYTES_MAX;
	open_ledger(world);
	ledger_run(world->ledger);
	for (uint64_t n = 1; n <= 40; n++) {
		feed(world, (n - 1) * 50000 + 1, n * 50000);
		assert_int_equal(flush(world), OK);
	}
	for (int i = 0; i < 600; i++) {
		run_for(world, 100);
		seen = read_through(world, &all, ids, &count, 3000000);
		if (seen.files <= 2)
			break;
	}
	assert_int_equal(seen.gaps, 0);
	assert_false(seen.from_the_start);
	assert_true(seen.files > 0 && seen.files <= 2);
	assert_int_equal(ids[count - 1], 40 * 50000);
	/* All but the newest are too old. */
	ledger_limits(world->ledger, 1, 0);
	for (int i = 0; i < 600; i++) {
		run_for(world, 100);
		seen = read_through(world, &all, ids, &count, 3000000);
		if (seen.files == 1)
			break;
	}
	assert_int_equal(seen.files, 1);
	mem_free(ids);
}

static void
what_cannot_be_written_is_written_later_and_once(void **state)
{
	struct world *world = *state;
	char name[128];
	int fd;

	/* The directory's name is taken. */
	(void)snprintf(name, sizeof(name), "%s/ledger", world->path);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	/* Looking for files finds no directory. */
	if (ledger_open(world->io, world->dir, &world->options, &world->ledger) != OK) {
		assert_int_equal(unlink(name), 0);
		open_ledger(world);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		close(fd);
	}
	ledger_run(world->ledger);
	feed(world, 1, 5000);
	assert_int_not_equal(flush(world), OK);
	assert_int_equal(world->failures, 1);
	feed(world, 5001, 6000);
	assert_int_not_equal(flush(world), OK);
	assert_int_equal(world->durable, 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(mkdir(name, 0700), 0);
	run_until_durable(world, 6000);
	assert_int_equal(world->failures, 1);
	assert_int_equal(world->works, 1);
	assert_has_all(world, 6000);
}

static void
too_much_that_cannot_be_written_stops_it(void **state)
{
	struct world *world = *state;
	char name[128];
	int fd;

	open_ledger(world);
	(void)snprintf(name, sizeof(name), "%s/ledger", world->path);
	fd = open(name, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
	ledger_run(world->ledger);
	for (uint64_t n = 1; n < 100 && world->stops == 0; n++) {
		feed(world, (n - 1) * 50000 + 1, n * 50000);
		run_for(world, 30);
	}
	assert_int_equal(world->stops, 1);
	assert_int_equal(world->durable, 0);
	assert_int_not_equal(flush(world), OK);
	close_ledger(world);
	assert_int_equal(unlink(name), 0);
	open_ledger(world);
	assert_int_equal(ledger_reached(world->ledger), 0);
}

static void
a_log_that_began_anew_is_taken(void **state)
{
	struct world *world = *state;
	const struct ledger_query all = {0};
	struct ledger_seen seen;
	uint64_t ids[64];
	size_t count;

	open_ledger(world);
	ledger_run(world->ledger);
	feed(world, 1, 20);
	assert_int_equal(flush(world), OK);
	world->durable = 0;
	ledger_begin_anew(world->ledger);
	feed(world, 1, 5);
	assert_int_equal(flush(world), OK);
	seen = read_through(world, &all, ids, &count, 64);
	assert_int_equal(count, 25);
	assert_int_equal(seen.gaps, 0);
	assert_int_equal(seen.files, 2);
	close_ledger(world);
	open_ledger(world);
	assert_int_equal(ledger_reached(world->ledger), 5);
}

static void
a_reader_goes_on_where_it_ended(void **state)
{
	struct world *world = *state;
	const struct ledger_query all = {0};
	struct ledger_reader *reader;
	struct ledger_entry entry;
	uint64_t last = 0;

	open_ledger(world);
	ledger_run(world->ledger);
	assert_int_equal(ledger_reader_open(world->io, world->dir, &all, &reader), OK);
	assert_int_equal(ledger_reader_next(reader, &entry), ERR_END);
	for (uint64_t n = 1; n <= 3; n++) {
		feed(world, 1, n * 10);
		assert_int_equal(flush(world), OK);
		while (ledger_reader_next(reader, &entry) == OK)
			assert_int_equal(entry.id, ++last);
		assert_int_equal(last, n * 10);
	}
	ledger_reader_close(reader);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_flushed_can_be_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_waits_becomes_durable_by_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_is_lost_is_fed_again_and_never_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_torn_end_is_fed_again_wherever_it_is, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		damage_in_the_middle_is_a_gap_and_hides_nothing_else, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_head_that_is_damaged_costs_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(queries_pass_over_blocks, setup, teardown),
	    cmocka_unit_test_setup_teardown(old_files_go_whole, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		what_cannot_be_written_is_written_later_and_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		too_much_that_cannot_be_written_stops_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_log_that_began_anew_is_taken, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		a_reader_goes_on_where_it_ended, setup, teardown),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
