/*
 * What an operator does is answered when it is durable: with a store whose records end when the
 * test says so, and the admin's end of the link.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "proc/queue/test_queue.h"

enum { OPS_MAX = 6000, TURNS = 10, TURN_MS = 2 };

static const char *const addresses[] = {"a@one.example", "bob"};

struct world {
	struct test_queue test;
	struct store store; /* the queue's */
	struct store_op *ops[OPS_MAX];
	size_t op_count, marks, removes, silent; /* silent: nobody waits for it */
	bool ended_by_mark;
	struct ipc_channel *admin;
	unsigned answers;
	struct ipc_qa_done done; /* the last */
};

/* Enough for what is on its way through the link and to come back, however busy the machine is. */
static void
turn(struct world *world)
{
	for (int i = 0; i < TURNS; i++)
		test_queue_run(&world->test, TURN_MS);
}

static struct world *
world_of(struct store *store)
{
	return container_of(store, struct world, store);
}

static void
take(struct world *world, struct store_op *op)
{
	if (!op) {
		world->silent++;
		return;
	}
	assert_true(world->op_count < OPS_MAX);
	world->ops[world->op_count++] = op;
}

static void
mark(struct store *store, struct store_op *op, uint64_t id, struct span bytes)
{
	struct reader reader = reader_init(bytes);
	struct mark read;

	(void)id;
	assert_true(mark_read(&reader, &read));
	world_of(store)->marks++;
	world_of(store)->ended_by_mark |= read.kind == MARK_ENDED;
	take(world_of(store), op);
}

static void
removed(struct store *store, struct store_op *op, uint64_t id, struct span why)
{
	(void)id;
	(void)why;
	world_of(store)->removes++;
	take(world_of(store), op);
}

static enum err
read_envelope(struct store *store, uint64_t id, struct buf *out)
{
	(void)store;
	(void)id;
	(void)out;
	return ERR_NOT_FOUND;
}

static const struct store_methods methods = {
    .mark = mark,
    .remove = removed,
    .read_envelope = read_envelope,
};

/* So many records are durable, or never will be; the last of them that are under way first. */
static void
end(struct world *world, size_t count, enum err err)
{
	assert_true(count <= world->op_count);
	while (count-- > 0) {
		struct store_op *op = world->ops[--world->op_count];

		op->err = err;
		op->done(op);
	}
	turn(world);
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct world *world = owner;

	(void)channel;
	(void)fd;
	assert_int_equal(type, IPC_qa_DONE);
	assert_int_equal(ipc_qa_done_decode(payload, &world->done), OK);
	world->answers++;
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct world *world = owner;

	(void)err;
	ipc_channel_destroy(channel);
	world->admin = NULL;
}

static struct world *
world_create(void)
{
	struct world *world = test_calloc(1, sizeof(*world));
	const struct ipc_handlers handlers = {world, receive, closed};
	int pair[2];

	test_queue_init(&world->test);
	world->store.methods = &methods;
	world->test.queue.store = &world->store;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	control_link(&world->test.queue, io_stream_open(world->test.env.io, pair[0]));
	world->admin =
	    ipc_channel_create(io_stream_open(world->test.env.io, pair[1]), &handlers);
	return world;
}

static void
world_free(struct world *world)
{
	assert_int_equal(world->op_count, 0);
	assert_true(list_empty(&world->test.queue.acts));
	ipc_channel_destroy(world->admin);
	ipc_channel_destroy(world->test.queue.admin);
	turn(world);
	test_queue_fini(&world->test);
	test_free(world);
}

static uint32_t
add(struct world *world, uint64_t id)
{
	uint32_t slot =
	    test_queue_message(&world->test, id, addresses, LEN(addresses));

	schedule_message(&world->test.queue, slot);
	return slot;
}

static unsigned
flags_of(const struct world *world, uint32_t slot)
{
	struct sched_message known;

	sched_message_get(world->test.queue.sched, slot, &known);
	return known.flags;
}

/* Through the link, as admin asks.  id 0: all. */
static void
ask(struct world *world, uint64_t query, enum ipc_act kind, uint64_t id)
{
	const struct ipc_aq_act asked = {
	    .query = query, .act = (uint8_t)kind, .id = id, .who = SPAN("root")};

	ipc_aq_act_send(world->admin, &asked);
	turn(world);
}

static void
a_hold_is_answered_when_it_is_durable(void **state)
{
	struct world *world = world_create();
	uint32_t slot = add(world, 7);

	(void)state;
	ask(world, 1, IPC_ACT_HOLD, 7);
	assert_true(flags_of(world, slot) & SCHED_HELD);
	assert_int_equal(world->op_count, 1);
	assert_int_equal(world->answers, 0);
	/* Another who is told that it is on hold can rely on it too. */
	ask(world, 2, IPC_ACT_HOLD, 7);
	assert_int_equal(world->op_count, 2);
	end(world, 1, OK);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->done.query, 2);
	end(world, 1, OK);
	assert_int_equal(world->answers, 2);
	assert_int_equal(world->done.query, 1);
	assert_int_equal(world->done.count, 1);
	assert_false(world->done.lost);
	ask(world, 3, IPC_ACT_RELEASE, 7);
	assert_int_equal(world->answers, 2);
	assert_int_equal(world->op_count, 1);
	end(world, 1, OK);
	assert_int_equal(world->answers, 3);
	assert_false(flags_of(world, slot) & SCHED_PARKED);
	world_free(world);
}

static void
what_changes_nothing_is_answered_at_once(void **state)
{
	struct world *world = world_create();

	(void)state;
	add(world, 7);
	ask(world, 1, IPC_ACT_RELEASE, 7);
	ask(world, 2, IPC_ACT_RETRY, 7);
	ask(world, 3, IPC_ACT_DELETE, 8);
	assert_int_equal(world->answers, 3);
	assert_int_equal(world->done.count, 0);
	assert_int_equal(world->marks + world->removes, 0);
	world_free(world);
}

static void
a_deletion_is_answered_when_the_removal_is_durable(void **state)
{
	struct world *world = world_create();

	(void)state;
	add(world, 7);
	ask(world, 1, IPC_ACT_DELETE, 7);
	assert_int_equal(world->removes, 1);
	assert_int_equal(world->op_count, 1);
	assert_int_equal(world->answers, 0);
	assert_int_equal(sched_message_count(world->test.queue.sched), 0);
	end(world, 1, OK);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->done.count, 1);
	assert_int_equal(world->done.rcpts, 0);
	world_free(world);
}

/* Its removal comes when the attempt is over: until then the ends must not be in memory alone. */
static void
the_ends_of_a_message_under_way_are_recorded_by_themselves(void **state)
{
	struct world *world = world_create();
	uint32_t slot = add(world, 7);
	struct message *message = message_open(&world->test.queue, slot);

	(void)state;
	message->active_count = 1;
	ask(world, 1, IPC_ACT_DELETE, 7);
	assert_int_equal(world->removes, 0);
	assert_int_equal(world->marks, LEN(addresses));
	assert_int_equal(world->op_count, LEN(addresses));
	assert_true(world->ended_by_mark);
	end(world, 1, OK);
	assert_int_equal(world->answers, 0);
	end(world, 1, OK);
	assert_int_equal(world->answers, 1);
	message->active_count = 0;
	outcome_settle(message);
	message_close(message);
	assert_int_equal(world->removes, 1);
	world_free(world);
}

static void
a_record_that_failed_is_told(void **state)
{
	struct world *world = world_create();

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		add(world, id);
	ask(world, 1, IPC_ACT_HOLD, 0);
	assert_int_equal(world->op_count, 3);
	end(world, 1, OK);
	end(world, 1, ERR_NO_SPACE);
	assert_int_equal(world->answers, 0);
	end(world, 1, OK);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->done.count, 3);
	assert_true(world->done.lost);
	world_free(world);
}

/* So many are on their way to the disk, and no more; what comes meanwhile is not meant. */
static void
all_are_done_a_part_at_a_time(void **state)
{
	enum { MANY = 5000, AT_ONCE = 4000 };
	struct world *world = world_create();

	(void)state;
	for (uint64_t id = 1; id <= MANY; id++)
		add(world, id);
	ask(world, 1, IPC_ACT_DELETE, 0);
	while (world->op_count < AT_ONCE)
		turn(world);
	turn(world);
	assert_int_equal(world->op_count, AT_ONCE);
	assert_int_equal(sched_message_count(world->test.queue.sched), MANY - AT_ONCE);
	add(world, MANY + 1);
	end(world, AT_ONCE, OK);
	while (world->op_count < MANY - AT_ONCE)
		turn(world);
	assert_int_equal(world->answers, 0);
	end(world, MANY - AT_ONCE, OK);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->done.count, MANY);
	assert_int_equal(sched_message_count(world->test.queue.sched), 1);
	world_free(world);
}

/* The message at which it would go on is delivered meanwhile, or deleted by another. */
static void
a_message_that_goes_meanwhile_is_passed_over(void **state)
{
	struct world *world = world_create();
	const struct ipc_aq_act all = {.query = 1, .act = IPC_ACT_HOLD, .who = SPAN("root")};
	struct message *message;
	uint32_t slot;

	(void)state;
	slot = add(world, 1);
	add(world, 2);
	act_start(&world->test.queue, &all);
	message = message_open(&world->test.queue, slot);
	for (uint32_t i = 0; i < LEN(addresses); i++)
		sched_rcpt_end(world->test.queue.sched,
		    sched_rcpt_find(world->test.queue.sched, slot, i));
	outcome_settle(message);
	message_close(message);
	turn(world);
	assert_int_equal(world->op_count, 1);
	end(world, 1, OK);
	assert_int_equal(world->done.count, 1);
	world_free(world);
}

static void
nobody_is_answered_when_the_link_is_gone(void **state)
{
	struct world *world = world_create();
	const struct ipc_aq_act all = {.query = 2, .act = IPC_ACT_HOLD, .who = SPAN("root")};
	uint32_t slot = add(world, 7);

	(void)state;
	ask(world, 1, IPC_ACT_RELEASE, 7);
	ask(world, 1, IPC_ACT_DELETE, 7);
	assert_int_equal(world->op_count, 1);
	slot = add(world, 8);
	act_start(&world->test.queue, &all);
	ipc_channel_destroy(world->admin);
	world->admin = NULL;
	act_stop(&world->test.queue);
	turn(world);
	assert_null(world->test.queue.admin);
	assert_int_equal(flags_of(world, slot), 0);
	end(world, 1, ERR_IO);
	world_free(world);
}

static void
at_the_queues_end_only_what_is_whole_is_answered(void **state)
{
	struct world *world = world_create();
	const struct ipc_aq_act all = {.query = 2, .act = IPC_ACT_DELETE, .who = SPAN("root")};
	uint32_t slot = add(world, 7);

	(void)state;
	ask(world, 1, IPC_ACT_HOLD, 7);
	act_start(&world->test.queue, &all);
	act_leave_off(&world->test.queue);
	turn(world);
	assert_true(flags_of(world, slot) & SCHED_HELD);
	assert_int_equal(world->answers, 0);
	end(world, 1, OK);
	assert_int_equal(world->answers, 1);
	assert_int_equal(world->done.query, 1);
	world_free(world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hold_is_answered_when_it_is_durable),
	    cmocka_unit_test(what_changes_nothing_is_answered_at_once),
	    cmocka_unit_test(a_deletion_is_answered_when_the_removal_is_durable),
	    cmocka_unit_test(the_ends_of_a_message_under_way_are_recorded_by_themselves),
	    cmocka_unit_test(a_record_that_failed_is_told),
	    cmocka_unit_test(all_are_done_a_part_at_a_time),
	    cmocka_unit_test(a_message_that_goes_meanwhile_is_passed_over),
	    cmocka_unit_test(nobody_is_answered_when_the_link_is_gone),
	    cmocka_unit_test(at_the_queues_end_only_what_is_whole_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
