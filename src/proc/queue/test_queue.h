/*
 * A queue without processes and without a spool, for tests of what it decides in memory: real
 * time and timers, messages made from real envelopes.
 */
#pragma once

#include "base/check.h"
#include "proc/queue/queue_internal.h"

struct test_queue {
	struct queue queue;
	struct proc_env env;
	struct conf conf;
	struct conf_route routes[4];
	struct io_timer step;
	unsigned wakes; /* how often schedule_arm's timer fired */
};

static inline void
test_queue_stop(struct io_timer *timer)
{
	struct test_queue *test = timer->owner;

	io_stop(test->env.io);
}

static inline void
test_queue_woken(struct io_timer *timer)
{
	struct test_queue *test = timer->owner;

	test->wakes++;
	schedule_arm(&test->queue);
}

static inline void
test_queue_init(struct test_queue *test)
{
	static const uint64_t seed[2] = {1, 2};
	struct queue *queue = &test->queue;

	*test = (struct test_queue){0};
	test->env.io = io_create();
	test->env.conf = &test->conf;
	test->env.log = (struct event_log){test->env.io, "queue", CONF_LOG_LOGFMT};
	test->conf.limits.connections_max = 2;
	test->conf.limits.retry_ms[0] = 60000;
	test->conf.limits.retry_count = 1;
	test->conf.limits.expire_ms = 3600000;
	test->conf.routes = test->routes;
	test->step = (struct io_timer){.fired = test_queue_stop, .owner = test};
	queue->env = &test->env;
	queue->conf = &test->conf;
	map_init(&queue->message_map, seed);
	map_init(&queue->destination_map, seed);
	map_init(&queue->attempt_map, seed);
	list_init(&queue->messages);
	for (unsigned i = 0; i < IPC_TARGET_COUNT; i++)
		list_init(&queue->turns[i]);
	list_init(&queue->downs);
	list_init(&queue->bounces);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		dispatch_peer_init(queue, &queue->deliveries[i], PROC_DELIVERY);
	dispatch_peer_init(queue, &queue->mailbox, PROC_MAILBOX);
	queue->timer = (struct io_timer){.fired = test_queue_woken, .owner = test};
}

/* Ends every recipient that has not ended, and frees everything. */
static inline void
test_queue_fini(struct test_queue *test)
{
	struct queue *queue = &test->queue;

	while (!list_empty(&queue->messages)) {
		struct message *message =
		    container_of(queue->messages.next, struct message, node);

		for (uint32_t i = 0; i < message->rcpt_count; i++)
			if (message->rcpts[i].destination)
				recipient_move(
				    queue, &message->rcpts[i], RECIPIENT_ENDED);
		message_destroy(queue, message);
	}
	check(queue->heap_count == 0 && queue->destination_map.count == 0);
	check(list_empty(&queue->downs));
	for (unsigned i = 0; i < IPC_TARGET_COUNT; i++)
		check(list_empty(&queue->turns[i]));
	map_fini(&queue->message_map);
	map_fini(&queue->destination_map);
	map_fini(&queue->attempt_map);
	mem_free(queue->heap);
	io_timer_stop(test->env.io, &queue->timer);
	io_destroy(test->env.io);
}

/* Lets time pass. */
static inline void
test_queue_run(struct test_queue *test, uint64_t ms)
{
	io_timer_start(test->env.io, &test->step, ms);
	io_run(test->env.io);
}

/* A message to these addresses; one without "@" is a mailbox here.  It is not scheduled. */
static inline struct message *
test_queue_message(
    struct test_queue *test, uint64_t id, const char *const *addresses, uint32_t count)
{
	struct message_envelope envelope = {
	    .arrival_wall_ms = io_wall_ms(test->env.io),
	    .reverse_path = SPAN("ann@example.org"),
	    .rcpt_count = count,
	};
	struct message *message;
	struct buf bytes;

	buf_init(&bytes, SPOOL_ENVELOPE_BYTES_MAX);
	message_envelope_begin(&bytes, &envelope);
	for (uint32_t i = 0; i < count; i++) {
		struct ipc_target_entry target = {
		    .kind = IPC_TARGET_REMOTE, .address = span_str(addresses[i])};

		if (!strchr(addresses[i], '@')) {
			target.kind = IPC_TARGET_MAILBOX;
			target.mailbox = target.address;
		}
		message_envelope_rcpt(&bytes, &target, target.address);
	}
	check(buf_finish(&bytes) == OK);
	check(message_create(&test->queue, id, buf_span(&bytes), 100, &message) == OK);
	buf_fini(&bytes);
	return message;
}
