/*
 * The contract of a store, as a test of any: what is put is there again with its marks, what is
 * removed is not, each change is fed once and in order, and nothing ends inside its call.
 */
#include "store/store_spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"

enum { TOLD_BYTES = 4096, LARGE = 3 << 20 };

struct world {
	char path[64];
	struct io *io;
	struct io_dir *dir;
	struct store *store;
	char found[TOLD_BYTES], fed[TOLD_BYTES]; /* what was told, in words */
	uint64_t position, since;
};

static void
tell(char *into, const char *format, unsigned long long id, struct span text)
{
	size_t used = strlen(into);

	assert_true(used + text.len + 64 < TOLD_BYTES);
	(void)snprintf(into + used, TOLD_BYTES - used, format, id, SPAN_ARGS(text));
}

static void
found_message(void *owner, uint64_t id, struct span envelope, uint64_t body_bytes)
{
	struct world *world = owner;

	(void)body_bytes;
	tell(world->found, "%llu(%.*s) ", id, envelope);
}

static void
found_mark(void *owner, uint64_t id, struct span mark)
{
	tell(((struct world *)owner)->found, "%llu+%.*s ", id, mark);
}

static void
found_damage(void *owner, const char *place, uint64_t offset, uint64_t id)
{
	(void)owner;
	(void)place;
	(void)offset;
	(void)id;
	fail();
}

static void
record(void *owner, uint64_t position, enum store_change change, uint64_t id,
    struct span payload, uint64_t body_bytes)
{
	struct world *world = owner;

	(void)body_bytes;
	assert_true(position > world->position);
	world->position = position;
	tell(world->fed,
	    change == STORE_PUT	   ? "put %llu %.*s, "
	    : change == STORE_MARK ? "mark %llu %.*s, "
				   : "remove %llu %.*s, ",
	    id, payload);
}

static void
world_open(struct world *world)
{
	const struct store_spool_options spool = {.segment_bytes = 1 << 20};
	const struct store_options options = {.record = record, .record_owner = world};
	const struct store_scan scan = {
	    .owner = world,
	    .message = found_message,
	    .mark = found_mark,
	    .damaged = found_damage,
	    .since = world->since,
	};

	world->found[0] = world->fed[0] = '\0';
	world->position = world->since;
	world->io = io_create();
	assert_int_equal(io_dir_open(world->io, world->path, &world->dir), OK);
	assert_int_equal(
	    store_spool_open(
		world->io, world->dir, &spool, &options, &scan, &world->store),
	    OK);
}

struct waited {
	struct store_op op;
	struct world *world;
	bool done;
};

static void
waited_done(struct store_op *op)
{
	struct waited *waited = op->owner;

	waited->done = true;
	io_stop(waited->world->io);
}

static void
waited_init(struct waited *waited, struct world *world)
{
	*waited = (struct waited){
	    .world = world, .op = {.done = waited_done, .owner = waited}};
}

static enum err
wait_for(struct waited *waited)
{
	assert_false(waited->done);
	while (!waited->done)
		io_run(waited->world->io);
	return waited->op.err;
}

static void
world_close(struct world *world)
{
	struct waited waited;

	waited_init(&waited, world);
	store_flush(world->store, &waited.op);
	assert_int_equal(wait_for(&waited), OK);
	store_close(world->store);
	io_dir_close(world->dir);
	io_destroy(world->io);
}

static enum err
put(struct world *world, uint64_t id, const char *envelope, const char *body)
{
	struct waited waited;

	waited_init(&waited, world);
	store_put(world->store, &waited.op, id, span_str(envelope), span_str(body));
	return wait_for(&waited);
}

static void
world_init(struct world *world)
{
	*world = (struct world){.path = "/tmp/store-test-XXXXXX"};
	assert_non_null(mkdtemp(world->path));
	world_open(world);
}

/* Removes the directory, with what is in it and in those right below it. */
static void
world_fini(struct world *world)
{
	char command[128];

	world_close(world);
	(void)snprintf(command, sizeof(command), "rm -r %s", world->path);
	assert_int_equal(system(command), 0);
}

static void
what_is_put_is_there_again(void **state)
{
	struct world world;
	struct waited waited;
	uint64_t epoch;

	(void)state;
	world_init(&world);
	epoch = store_epoch(world.store);
	assert_int_equal(put(&world, 1, "one", "body"), OK);
	assert_int_equal(put(&world, 2, "two", "body"), OK);
	assert_int_equal(put(&world, 2, "again", ""), ERR_EXISTS);
	store_mark(world.store, NULL, 1, SPAN("m"));
	waited_init(&waited, &world);
	store_mark(world.store, &waited.op, 1, SPAN("n"));
	assert_int_equal(wait_for(&waited), OK);
	waited_init(&waited, &world);
	store_remove(world.store, &waited.op, 2, SPAN("why"));
	assert_int_equal(wait_for(&waited), OK);
	assert_string_equal(
	    world.fed, "put 1 one, put 2 two, mark 1 m, mark 1 n, remove 2 why, ");
	world_close(&world);
	world.since = world.position;
	world_open(&world);
	assert_string_equal(world.found, "1(one) 1+m 1+n ");
	assert_string_equal(world.fed, "");
	assert_true(store_epoch(world.store) > epoch);
	world_close(&world);
	world.since = 0;
	world_open(&world);
	assert_string_equal(
	    world.fed, "put 1 one, put 2 two, mark 1 m, mark 1 n, remove 2 why, ");
	world_fini(&world);
}

static void
bodies_are_read_in_pieces_and_whole(void **state)
{
	struct world world;
	struct store_body *body;
	struct waited waited;
	struct buf envelope;
	char into[16] = {0};
	char piece[1024];
	struct io_op op = {0};

	(void)state;
	world_init(&world);
	memset(piece, 'x', sizeof(piece));
	body = store_body_begin(world.store);
	for (size_t i = 0; i < LARGE / sizeof(piece); i++)
		store_body_add(world.store, body, span_of(piece, sizeof(piece)));
	assert_true(store_body_pending(world.store, body) <= LARGE);
	store_body_add(world.store, body, SPAN("the end"));
	waited_init(&waited, &world);
	store_put_body(world.store, &waited.op, 7, SPAN("large"), body);
	assert_int_equal(wait_for(&waited), OK);
	store_body_drop(world.store, store_body_begin(world.store));
	store_read_body(world.store, &op, 7, into, sizeof(into), LARGE);
	assert_int_equal(op.err, OK);
	assert_int_equal(op.count, 7);
	assert_memory_equal(into, "the end", 7);
	buf_init(&envelope, 100);
	op = (struct io_op){0};
	store_read_message(world.store, &op, 7, &envelope, into, 4);
	assert_int_equal(op.err, OK);
	assert_true(span_eq(buf_span(&envelope), SPAN("large")));
	assert_memory_equal(into, "xxxx", 4);
	op = (struct io_op){0};
	store_read_body(world.store, &op, 8, into, 4, 0);
	assert_int_equal(op.err, ERR_NOT_FOUND);
	buf_reset(&envelope);
	assert_int_equal(store_read_envelope(world.store, 7, &envelope), OK);
	assert_true(span_eq(buf_span(&envelope), SPAN("large")));
	buf_fini(&envelope);
	world_fini(&world);
}

static void
numbers_are_told(void **state)
{
	struct store_numbers numbers;
	struct world world;

	(void)state;
	world_init(&world);
	assert_int_equal(put(&world, 1, "one", "body"), OK);
	assert_int_equal(put(&world, 2, "two", "body"), OK);
	store_remove(world.store, NULL, 1, SPAN(""));
	store_numbers(world.store, &numbers);
	assert_int_equal(numbers.messages, 1);
	assert_int_equal(numbers.puts, 2);
	assert_true(numbers.live_bytes > 0 && numbers.disk_bytes > numbers.live_bytes);
	assert_false(store_is_broken(world.store));
	store_release(world.store, world.position);
	world_fini(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_put_is_there_again),
	    cmocka_unit_test(bodies_are_read_in_pieces_and_whole),
	    cmocka_unit_test(numbers_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
