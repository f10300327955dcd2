/*
 * Who is next, and when: in memory, over real time in steps of milliseconds, without a process to
 * deliver anything.  begin() and end() do what dispatch.c does around an attempt.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "proc/queue/test_queue.h"

enum { HEAP_RCPTS = 300, HEAP_STEPS = 1000 };

/* Starts an attempt for one recipient, the first of the destination whose turn it is. */
static struct recipient *
begin(struct test_queue *test, enum ipc_target kind)
{
	struct destination *destination = schedule_next(&test->queue, kind);
	struct recipient *rcpt;

	if (!destination)
		return NULL;
	rcpt = container_of(destination->ready.next, struct recipient, node);
	destination->active++;
	recipient_move(&test->queue, rcpt, RECIPIENT_ACTIVE);
	return rcpt;
}

static void
end(struct test_queue *test, struct recipient *rcpt, enum recipient_state state)
{
	struct destination *destination = rcpt->destination;

	recipient_move(&test->queue, rcpt, state);
	schedule_attempt_over(&test->queue, destination);
}

static struct message *
add(struct test_queue *test, uint64_t id, const char *address)
{
	struct message *message = test_queue_message(test, id, &address, 1);

	schedule_message(&test->queue, message);
	return message;
}

static void
a_new_message_is_ready_at_once(void **state)
{
	static const char *const addresses[] = {"a@one.example", "bob", "b@ONE.example"};
	struct test_queue test;
	struct message *message;
	struct recipient *rcpt;

	(void)state;
	test_queue_init(&test);
	message = test_queue_message(&test, 1, addresses, LEN(addresses));
	schedule_message(&test.queue, message);
	assert_int_equal(test.queue.heap_count, 0);
	/* Domains are the same whatever their case. */
	assert_int_equal(test.queue.destination_map.count, 2);
	assert_ptr_equal(message->rcpts[0].destination, message->rcpts[2].destination);
	assert_int_equal(schedule_ahead(&message->rcpts[0]), 0);
	assert_int_equal(schedule_ahead(&message->rcpts[2]), 1);
	rcpt = begin(&test, IPC_TARGET_MAILBOX);
	assert_ptr_equal(rcpt, &message->rcpts[1]);
	assert_null(begin(&test, IPC_TARGET_MAILBOX));
	end(&test, rcpt, RECIPIENT_ENDED);
	/* A destination that nobody refers to any more is forgotten. */
	assert_int_equal(test.queue.destination_map.count, 1);
	assert_int_equal(message->open_count, 2);
	test_queue_fini(&test);
}

static void
those_who_wait_are_ready_in_the_order_of_time(void **state)
{
	static const unsigned wait_ms[] = {40, 10, 0, 30, 20, 1};
	static const unsigned order[] = {2, 5, 1, 4, 3, 0};
	struct message *messages[LEN(wait_ms)];
	struct test_queue test;
	uint64_t now_wall_ms;

	(void)state;
	test_queue_init(&test);
	test.conf.limits.connections_max = 100;
	now_wall_ms = io_wall_ms(test.env.io);
	for (size_t i = 0; i < LEN(wait_ms); i++) {
		const char *address = "a@one.example";

		messages[i] = test_queue_message(&test, i + 1, &address, 1);
		messages[i]->rcpts[0].next_wall_ms = now_wall_ms + wait_ms[i];
		schedule_message(&test.queue, messages[i]);
	}
	assert_int_equal(test.queue.heap_count, LEN(wait_ms));
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	schedule_arm(&test.queue);
	for (size_t i = 0; i < LEN(order); i++) {
		const struct recipient *rcpt;

		for (int k = 0;
		     k < 500 && list_empty(&test.queue.turns[IPC_TARGET_REMOTE]); k++)
			test_queue_run(&test, 1);
		rcpt = begin(&test, IPC_TARGET_REMOTE);
		assert_non_null(rcpt);
		assert_ptr_equal(rcpt, &messages[order[i]]->rcpts[0]);
		assert_true(io_wall_ms(test.env.io) >= rcpt->next_wall_ms);
	}
	/* It sleeps in between, rather than look again and again. */
	assert_in_range(test.wakes, 1, 50);
	for (size_t i = 0; i < LEN(order); i++)
		end(&test, &messages[i]->rcpts[0], RECIPIENT_ENDED);
	test_queue_fini(&test);
}

/* A newsletter to one domain does not make a letter to another wait for its end. */
static void
destinations_take_turns(void **state)
{
	struct test_queue test;
	char got[64] = "";

	(void)state;
	test_queue_init(&test);
	test.conf.limits.connections_max = 100;
	for (uint64_t i = 0; i < 6; i++)
		add(&test, 1 + i, "a@one.example");
	add(&test, 11, "b@two.example");
	add(&test, 12, "b@two.example");
	add(&test, 13, "c@three.example");
	for (size_t i = 0; i < 9; i++) {
		const struct recipient *rcpt = begin(&test, IPC_TARGET_REMOTE);

		assert_non_null(rcpt);
		got[i] = rcpt->address.ptr[0];
	}
	assert_string_equal(got, "abcabaaaa");
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	list_for_each (node, &test.queue.messages) {
		struct message *message = container_of(node, struct message, node);

		end(&test, &message->rcpts[0], RECIPIENT_ENDED);
	}
	test_queue_fini(&test);
}

static void
a_destination_has_so_many_attempts(void **state)
{
	struct test_queue test;
	struct recipient *first, *second, *third;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= 4; id++)
		add(&test, id, "a@one.example");
	first = begin(&test, IPC_TARGET_REMOTE);
	second = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(first->message->id, 1);
	assert_int_equal(second->message->id, 2);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	end(&test, second, RECIPIENT_ENDED);
	third = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(third->message->id, 3);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	/* One that was lost goes to the end of the line. */
	end(&test, first, RECIPIENT_READY);
	first = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(first->message->id, 4);
	end(&test, first, RECIPIENT_ENDED);
	first = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(first->message->id, 1);
	end(&test, third, RECIPIENT_ENDED);
	end(&test, first, RECIPIENT_ENDED);
	test_queue_fini(&test);
}

static void
mailboxes_have_a_limit_of_their_own(void **state)
{
	struct test_queue test;
	unsigned count = 0;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= QUEUE_MAILBOX_ATTEMPTS_MAX + 10; id++)
		add(&test, id, "bob");
	while (begin(&test, IPC_TARGET_MAILBOX))
		count++;
	assert_int_equal(count, QUEUE_MAILBOX_ATTEMPTS_MAX);
	list_for_each (node, &test.queue.messages) {
		struct recipient *rcpt =
		    &container_of(node, struct message, node)->rcpts[0];

		if (rcpt->state == RECIPIENT_ACTIVE)
			end(&test, rcpt, RECIPIENT_ENDED);
	}
	test_queue_fini(&test);
}

/* Makes the wait of a destination that is down pass. */
static void
pass_back_off(struct test_queue *test, struct destination *destination)
{
	destination->down_until_ms = io_now_ms(test->env.io);
	schedule_arm(&test->queue);
}

static void
a_destination_that_is_down_is_probed_by_one(void **state)
{
	struct test_queue test;
	struct destination *destination;
	struct recipient *one, *two, *other;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= 5; id++)
		add(&test, id, "a@one.example");
	add(&test, 6, "b@two.example");
	one = begin(&test, IPC_TARGET_REMOTE);
	other = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(other->message->id, 6);
	two = begin(&test, IPC_TARGET_REMOTE);
	destination = one->destination;
	schedule_down(&test.queue, destination);
	end(&test, one, RECIPIENT_READY);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	/* What was under way with it tells the same once more, which is no news. */
	schedule_down(&test.queue, destination);
	end(&test, two, RECIPIENT_READY);
	assert_int_equal(destination->down_count, 1);
	assert_in_range(destination->down_until_ms, io_now_ms(test.env.io) + 29000,
	    io_now_ms(test.env.io) + 30000);
	assert_null(begin(&test, IPC_TARGET_REMOTE));

	pass_back_off(&test, destination);
	one = begin(&test, IPC_TARGET_REMOTE);
	assert_non_null(one);
	assert_ptr_equal(one->destination, destination);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	/* Mail that is new does not get round it either. */
	add(&test, 7, "a@one.example");
	assert_null(begin(&test, IPC_TARGET_REMOTE));

	/* It is still down: the wait grows, to no more than the first retry's. */
	schedule_down(&test.queue, destination);
	end(&test, one, RECIPIENT_READY);
	assert_int_equal(destination->down_count, 2);
	assert_in_range(destination->down_until_ms, io_now_ms(test.env.io) + 59000,
	    io_now_ms(test.env.io) + 60000);
	pass_back_off(&test, destination);
	one = begin(&test, IPC_TARGET_REMOTE);
	schedule_down(&test.queue, destination);
	end(&test, one, RECIPIENT_READY);
	assert_in_range(destination->down_until_ms, io_now_ms(test.env.io) + 59000,
	    io_now_ms(test.env.io) + 60000);

	/* The probe gets through: as many as may go at once. */
	pass_back_off(&test, destination);
	one = begin(&test, IPC_TARGET_REMOTE);
	schedule_up(&test.queue, destination);
	end(&test, one, RECIPIENT_ENDED);
	one = begin(&test, IPC_TARGET_REMOTE);
	two = begin(&test, IPC_TARGET_REMOTE);
	assert_true(one && two);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	end(&test, one, RECIPIENT_ENDED);
	end(&test, two, RECIPIENT_ENDED);
	end(&test, other, RECIPIENT_ENDED);
	test_queue_fini(&test);
}

/* The last recipient may go while its destination is down, or has an attempt. */
static void
a_destination_is_forgotten_whatever_its_state(void **state)
{
	struct test_queue test;
	struct destination *destination;
	struct recipient *one, *two;

	(void)state;
	test_queue_init(&test);
	add(&test, 1, "a@one.example");
	add(&test, 2, "a@one.example");
	one = begin(&test, IPC_TARGET_REMOTE);
	two = begin(&test, IPC_TARGET_REMOTE);
	destination = one->destination;
	recipient_move(&test.queue, one, RECIPIENT_ENDED);
	recipient_move(&test.queue, two, RECIPIENT_ENDED);
	schedule_down(&test.queue, destination);
	schedule_attempt_over(&test.queue, destination);
	assert_int_equal(test.queue.destination_map.count, 1);
	schedule_attempt_over(&test.queue, destination);
	assert_int_equal(test.queue.destination_map.count, 0);
	assert_true(list_empty(&test.queue.downs));
	test_queue_fini(&test);
}

static void
held_mail_stays_until_it_is_released(void **state)
{
	static const char *const addresses[] = {"a@one.example", "b@one.example"};
	struct test_queue test;
	struct message *message;

	(void)state;
	test_queue_init(&test);
	message = test_queue_message(&test, 1, addresses, LEN(addresses));
	message->held = true;
	message->rcpts[1].next_wall_ms = 1;
	schedule_message(&test.queue, message);
	schedule_arm(&test.queue);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	assert_int_equal(test.queue.heap_count, 0);
	message->held = false;
	for (uint32_t i = 0; i < LEN(addresses); i++)
		recipient_move(&test.queue, &message->rcpts[i], RECIPIENT_READY);
	/* Held again before anybody took it, and while it waits for a time. */
	message->held = true;
	for (uint32_t i = 0; i < LEN(addresses); i++)
		recipient_move(&test.queue, &message->rcpts[i], RECIPIENT_WAITING);
	assert_null(begin(&test, IPC_TARGET_REMOTE));
	message->held = false;
	message->rcpts[0].next_wall_ms = UINT64_MAX;
	recipient_move(&test.queue, &message->rcpts[0], RECIPIENT_WAITING);
	assert_int_equal(test.queue.heap_count, 1);
	message->held = true;
	recipient_move(&test.queue, &message->rcpts[0], RECIPIENT_WAITING);
	assert_int_equal(test.queue.heap_count, 0);
	test_queue_fini(&test);
}

static void
hold_all_holds_what_was_not_released(void **state)
{
	static const char *const address[] = {"a@one.example"};
	struct test_queue test;
	struct message *message;

	(void)state;
	test_queue_init(&test);
	test.conf.hold_all = true;
	assert_true(add(&test, 1, address[0])->held);
	message = test_queue_message(&test, 2, address, 1);
	message->released = true;
	schedule_message(&test.queue, message);
	assert_false(message->held);
	assert_int_equal(message->rcpts[0].state, RECIPIENT_READY);
	test_queue_fini(&test);
}

static void
routes_gather_destinations(void **state)
{
	static const char *const addresses[] = {"a@one.example", "b@two.example",
	    "c@x.three.example", "d@four.example", "bob"};
	static const char *const keys[] = {"host:smart.example:587",
	    "host:smart.example:587", "host:smart.example:25", "mx:four.example",
	    "mailbox"};
	struct test_queue test;
	struct message *message;

	(void)state;
	test_queue_init(&test);
	test.routes[0] = (struct conf_route){
	    .domain = SPAN("one.example"), .host = SPAN("smart.example"), .port = 587};
	test.routes[1] = (struct conf_route){.domain = SPAN("two.example"),
	    .host = SPAN("smart.example"),
	    .port = 587,
	    .tls = CONF_TLS_NEVER};
	test.routes[2] = (struct conf_route){
	    .domain = SPAN(".three.example"), .host = SPAN("smart.example"), .port = 25};
	test.conf.route_count = 3;
	message = test_queue_message(&test, 1, addresses, LEN(addresses));
	schedule_message(&test.queue, message);
	for (size_t i = 0; i < LEN(keys); i++)
		assert_true(
		    span_eq(message->rcpts[i].destination->key, span_str(keys[i])));
	/* One destination, two routes: dispatch.c looks whether they lead the same way. */
	assert_ptr_equal(
	    schedule_route(&test.conf, SPAN("x@ONE.example")), &test.routes[0]);
	assert_ptr_equal(
	    schedule_route(&test.conf, SPAN("x@two.example")), &test.routes[1]);
	assert_null(schedule_route(&test.conf, SPAN("x@four.example")));
	test_queue_fini(&test);
}

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void
assert_heap(const struct queue *queue, const struct message *message)
{
	size_t waiting = 0;

	for (size_t i = 1; i <= queue->heap_count; i++) {
		assert_int_equal(queue->heap[i]->timer, i);
		assert_int_equal(queue->heap[i]->state, RECIPIENT_WAITING);
		if (i > 1)
			assert_true(queue->heap[i / 2]->next_wall_ms <=
				    queue->heap[i]->next_wall_ms);
	}
	for (uint32_t i = 0; i < message->rcpt_count; i++) {
		const struct recipient *rcpt = &message->rcpts[i];

		waiting += rcpt->state == RECIPIENT_WAITING;
		assert_true((rcpt->timer > 0) == (rcpt->state == RECIPIENT_WAITING));
	}
	assert_int_equal(queue->heap_count, waiting);
}

/* Recipients come, wait anew and go in any order; the heap is one after each step. */
static void
the_heap_is_in_order_after_anything(void **state)
{
	char names[HEAP_RCPTS][24];
	const char *addresses[HEAP_RCPTS];
	struct test_queue test;
	struct message *message;
	uint64_t seed = 88172645463325252, before = 0;

	(void)state;
	test_queue_init(&test);
	for (size_t i = 0; i < HEAP_RCPTS; i++) {
		snprintf(names[i], sizeof(names[i]), "r%zu@d%zu.example", i, i % 7);
		addresses[i] = names[i];
	}
	message = test_queue_message(&test, 1, addresses, HEAP_RCPTS);
	schedule_message(&test.queue, message);
	for (int step = 0; step < HEAP_STEPS; step++) {
		struct recipient *rcpt = &message->rcpts[chance(&seed) % HEAP_RCPTS];

		if (rcpt->state == RECIPIENT_ENDED)
			continue;
		/* Few different times, so that many are equal. */
		rcpt->next_wall_ms += 1 + chance(&seed) % 50;
		if (chance(&seed) % 4 > 0 || rcpt->state == RECIPIENT_READY)
			recipient_move(&test.queue, rcpt, RECIPIENT_WAITING);
		else if (chance(&seed) % 4 > 0)
			recipient_move(&test.queue, rcpt, RECIPIENT_READY);
		else
			recipient_move(&test.queue, rcpt, RECIPIENT_ENDED);
		assert_heap(&test.queue, message);
	}
	assert_true(test.queue.heap_count > 50);
	while (test.queue.heap_count > 0) {
		assert_true(test.queue.heap[1]->next_wall_ms >= before);
		before = test.queue.heap[1]->next_wall_ms;
		recipient_move(&test.queue, test.queue.heap[1], RECIPIENT_READY);
	}
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_message_is_ready_at_once),
	    cmocka_unit_test(those_who_wait_are_ready_in_the_order_of_time),
	    cmocka_unit_test(destinations_take_turns),
	    cmocka_unit_test(a_destination_has_so_many_attempts),
	    cmocka_unit_test(mailboxes_have_a_limit_of_their_own),
	    cmocka_unit_test(a_destination_that_is_down_is_probed_by_one),
	    cmocka_unit_test(a_destination_is_forgotten_whatever_its_state),
	    cmocka_unit_test(held_mail_stays_until_it_is_released),
	    cmocka_unit_test(hold_all_holds_what_was_not_released),
	    cmocka_unit_test(routes_gather_destinations),
	    cmocka_unit_test(the_heap_is_in_order_after_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
