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
	struct conf_destination destinations[4];
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
	test->conf.limits.connections_start = 2;
	test->conf.limits.retry_ms[0] = 60000;
	test->conf.limits.retry_count = 1;
	test->conf.limits.expire_ms = 3600000;
	test->conf.routes = test->routes;
	test->conf.destinations = test->destinations;
	test->step = (struct io_timer){.fired = test_queue_stop, .owner = test};
	queue->env = &test->env;
	queue->conf = &test->conf;
	map_init(&queue->message_map, seed);
	map_init(&queue->attempt_map, seed);
	list_init(&queue->fresh);
	list_init(&queue->bounces);
	list_init(&queue->listings);
	list_init(&queue->summaries);
	list_init(&queue->reroutes);
	list_init(&queue->acts);
	poison_init(queue, seed);
	watch_init(queue, seed);
	backoffs_init(&queue->backoffs, seed);
	sites_init(&queue->sites, seed);
	suppressions_init(&queue->suppressions, seed);
	transcripts_init(&queue->transcripts);
	for (unsigned i = 0; i < QUEUE_PEERS_MAX; i++)
		dispatch_peer_init(queue, &queue->deliveries[i], PROC_DELIVERY);
	dispatch_peer_init(queue, &queue->mailbox, PROC_MAILBOX);
	pipes_init(queue);
	queue->routes = digest_routes(&test->conf);
	schedule_init(queue);
	queue->timer = (struct io_timer){.fired = test_queue_woken, .owner = test};
}

/* Forgets every message, and frees everything; nothing may be under way. */
static inline void
test_queue_fini(struct test_queue *test)
{
	struct queue *queue = &test->queue;

	while (sched_message_first(queue->sched) != SCHED_NONE)
		sched_message_remove(queue->sched, sched_message_first(queue->sched));
	check(sched_rcpt_count(queue->sched) == 0);
	check(sched_destination_count(queue->sched) == 0);
	check(sched_reply_bytes(queue->sched) == 0);
	check(queue->message_map.count == 0);
	sched_destroy(queue->sched);
	map_fini(&queue->message_map);
	map_fini(&queue->attempt_map);
	poison_fini(queue);
	watch_fini(queue);
	backoffs_fini(&queue->backoffs);
	sites_fini(&queue->sites);
	suppressions_fini(&queue->suppressions);
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

/* An envelope to these addresses; one without "@" is a mailbox here. */
static inline struct envelope *
test_queue_envelope(
    struct test_queue *test, const char *const *addresses, uint32_t count)
{
	struct envelope_head head = {
	    .arrival_wall_ms = io_wall_ms(test->env.io),
	    .reverse_path = SPAN("ann@example.org"),
	    .rcpt_count = count,
	};
	struct envelope *envelope;
	struct buf bytes;

	buf_init(&bytes, STORE_ENVELOPE_BYTES_MAX);
	envelope_write_head(&bytes, &head);
	for (uint32_t i = 0; i < count; i++) {
		struct envelope_rcpt rcpt = {.kind = IPC_TARGET_REMOTE,
		    .address = span_str(addresses[i]),
		    .original = span_str(addresses[i])};

		if (!strchr(addresses[i], '@')) {
			rcpt.kind = IPC_TARGET_MAILBOX;
			rcpt.mailbox = rcpt.address;
		}
		envelope_write_rcpt(&bytes, &rcpt);
	}
	check(buf_finish(&bytes) == OK);
	check(envelope_read(&bytes, &envelope) == OK);
	return envelope;
}

/* A message with such an envelope.  It is not scheduled. */
static inline uint32_t
test_queue_message(
    struct test_queue *test, uint64_t id, const char *const *addresses, uint32_t count)
{
	struct envelope *envelope = test_queue_envelope(test, addresses, count);
	uint32_t slot = message_add(&test->queue, id, envelope, 100);

	envelope_free(envelope);
	return slot;
}

static inline struct sched_rcpt
test_queue_rcpt(const struct test_queue *test, uint32_t slot, uint32_t index)
{
	struct sched_rcpt rcpt;

	sched_rcpt_get(test->queue.sched, sched_rcpt_find(test->queue.sched, slot, index),
	    &rcpt);
	return rcpt;
}
