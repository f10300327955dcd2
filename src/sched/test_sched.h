/* A scheduler for tests: limits that the test may change, and messages in one line each. */
#pragma once

#include "base/check.h"
#include "sched/sched_reply.h"
#include "sched/sched_turn.h"

#define TEST_WALL_MS UINT64_C(1764000000000)

struct test_sched {
	struct sched *sched;
	struct sched_limits limits;
	struct sched_site_limits site_limits;
	bool sites_unknown; /* else "a@p" is a destination of the site "p" */
	uint64_t now_ms, now_wall_ms, next_id;
};

static inline void
test_sched_limits(
    void *owner, unsigned kind, struct span key, struct sched_limits *limits)
{
	const struct test_sched *test = owner;

	(void)kind;
	(void)key;
	*limits = test->limits;
}

static inline struct span
test_sched_site(void *owner, unsigned kind, struct span key)
{
	const struct test_sched *test = owner;
	size_t at = span_find(key, '@');

	(void)kind;
	return test->sites_unknown ? SPAN("") : span_skip(key, at < key.len ? at + 1 : at);
}

static inline void
test_sched_site_limits(
    void *owner, unsigned kind, struct span name, struct sched_site_limits *limits)
{
	const struct test_sched *test = owner;

	(void)kind;
	(void)name;
	*limits = test->site_limits;
}

/* light_max as the queue has it, or 0: no mail is light. */
static inline void
test_sched_init_light(struct test_sched *test, uint32_t light_max)
{
	const struct sched_options options = {.seed = {1, 2},
	    .reply_bytes_max = 100000,
	    .light_max = light_max,
	    .owner = test,
	    .limits = test_sched_limits,
	    .site = test_sched_site,
	    .site_limits = test_sched_site_limits};

	*test = (struct test_sched){
	    .limits = {.concurrency_start = 2,
	        .concurrency_max = 20,
	        .down_ms_min = 30000,
	        .down_ms_max = 600000,
	        .expire_ms = 3600000},
	    .site_limits = {.concurrency_start = 2, .concurrency_max = 20},
	    .now_ms = 5000,
	    .now_wall_ms = TEST_WALL_MS,
	};
	test->sched = sched_create(&options, test->now_ms, test->now_wall_ms);
}

static inline void
test_sched_init(struct test_sched *test)
{
	test_sched_init_light(test, 0);
}

/* Forgets every message; nothing may be under way. */
static inline void
test_sched_fini(struct test_sched *test)
{
	while (sched_message_first(test->sched) != SCHED_NONE)
		sched_message_remove(test->sched, sched_message_first(test->sched));
	check(sched_rcpt_count(test->sched) == 0 && sched_reply_bytes(test->sched) == 0);
	sched_destroy(test->sched);
}

/* A message of one recipient, ready; gives the recipient. */
static inline uint32_t
test_sched_add(struct test_sched *test, const char *key, uint32_t sender)
{
	const struct sched_message message = {.id = ++test->next_id,
	    .arrival_wall_ms = test->now_wall_ms,
	    .sender = sender,
	    .rcpt_count = 1};
	uint32_t slot = sched_message_add(test->sched, &message);
	uint32_t rcpt = sched_rcpt_add(test->sched, slot, 0, 0, span_str(key));

	sched_message_start(test->sched, slot);
	return rcpt;
}

static inline uint32_t
test_sched_take(struct test_sched *test)
{
	return sched_take(test->sched, 0, test->now_ms);
}

static inline struct sched_rcpt
test_sched_rcpt(const struct test_sched *test, uint32_t at)
{
	struct sched_rcpt rcpt;

	sched_rcpt_get(test->sched, at, &rcpt);
	return rcpt;
}

/* Where the recipient goes. */
static inline struct sched_destination
test_sched_destination(const struct test_sched *test, uint32_t rcpt)
{
	struct sched_destination destination;

	sched_destination_get(
	    test->sched, test_sched_rcpt(test, rcpt).destination, &destination);
	return destination;
}

static inline struct sched_why
test_sched_why(const struct test_sched *test, uint32_t at)
{
	struct sched_why why;

	sched_why(test->sched, at, &why);
	return why;
}

/* The attempt for it is over: delivered, and its message is gone; or (not ended) as it is. */
static inline void
test_sched_over(struct test_sched *test, uint32_t at, enum sched_feedback feedback, bool ended)
{
	struct sched_rcpt rcpt = test_sched_rcpt(test, at);

	if (ended)
		sched_rcpt_end(test->sched, at);
	sched_attempt_over(test->sched, rcpt.destination, feedback, 0, test->now_ms);
	if (ended)
		sched_message_remove(test->sched, rcpt.message);
}

/* Deferred: it waits so long. */
static inline void
test_sched_defer(struct test_sched *test, uint32_t at, uint64_t wait_ms)
{
	struct sched_rcpt rcpt = test_sched_rcpt(test, at);

	rcpt.tries++;
	sched_rcpt_note(test->sched, at, &rcpt);
	sched_rcpt_wait(test->sched, at, test->now_wall_ms + wait_ms);
}

static inline void
test_sched_pass(struct test_sched *test, uint64_t ms)
{
	test->now_ms += ms;
	test->now_wall_ms += ms;
	while (sched_advance(test->sched, test->now_ms, test->now_wall_ms, 1000))
		;
}

static inline uint64_t
test_sched_idle(const struct test_sched *test, uint64_t max_ms)
{
	return sched_idle_ms(test->sched, test->now_ms, test->now_wall_ms, max_ms);
}

/* Takes one, which must be this one, and ends it. */
static inline void
serve(struct test_sched *test, uint32_t expected)
{
	assert_int_equal(test_sched_take(test), expected);
	test_sched_over(test, expected, SCHED_SERVED, true);
}

/* The attempt found nobody; the recipient is ready again. */
static inline void
fail_to_reach(struct test_sched *test, uint32_t rcpt)
{
	uint32_t reply = sched_reply_keep(
	    test->sched, &(struct sched_reply){.text = SPAN("connection refused"),
	                     .status = SPAN("4.4.1"),
	                     .remote = SPAN("mx")});

	sched_rcpt_ready(test->sched, rcpt, false);
	sched_attempt_over(test->sched, test_sched_rcpt(test, rcpt).destination,
	    SCHED_NO_ANSWER, reply, test->now_ms);
	sched_reply_drop(test->sched, reply);
}
