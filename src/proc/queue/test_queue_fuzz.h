/* A queue for fuzzers: it has a scheduler and no world at all. */
#pragma once

#include "base/check.h"
#include "proc/queue/queue_internal.h"

struct fuzz_queue {
	struct queue queue;
	struct conf conf;
};

static inline void
fuzz_queue_limits(
    void *owner, unsigned kind, struct span key, struct sched_limits *limits)
{
	(void)owner;
	(void)kind;
	(void)key;
	*limits = (struct sched_limits){.concurrency_start = 1, .concurrency_max = 1};
}

static inline void
fuzz_queue_init(struct fuzz_queue *fuzz)
{
	const struct sched_options options = {
	    .seed = {1, 2}, .reply_bytes_max = 1 << 20, .limits = fuzz_queue_limits};

	*fuzz = (struct fuzz_queue){0};
	fuzz->queue.conf = &fuzz->conf;
	list_init(&fuzz->queue.summaries);
	poison_init(&fuzz->queue, options.seed);
	fuzz->queue.sched = sched_create(&options, 1, 1);
}

static inline void
fuzz_queue_fini(struct fuzz_queue *fuzz)
{
	watch_fini(&fuzz->queue);
	poison_fini(&fuzz->queue);
	check(sched_rcpt_count(fuzz->queue.sched) == 0);
	check(sched_destination_count(fuzz->queue.sched) == 0);
	check(sched_reply_bytes(fuzz->queue.sched) == 0);
	sched_destroy(fuzz->queue.sched);
}
