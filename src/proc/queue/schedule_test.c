/*
 * Who is next, and when, as the queue has it configured: in memory, over real time in steps of
 * milliseconds, without a process to deliver anything.  begin() and end() do what
 * dispatch_attempt.c does around an attempt.  src/sched has the tests of the scheduler itself.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

/* Starts an attempt for one recipient, the first of the destination whose turn it is. */
static uint32_t
begin(struct test_queue *test, enum ipc_target kind)
{
	return sched_take(test->queue.sched, kind, io_now_ms(test->env.io));
}

static uint64_t
idle_ms(const struct test_queue *test)
{
	return sched_idle_ms(test->queue.sched, io_now_ms(test->env.io),
	    io_wall_ms(test->env.io), 1000);
}

/* The id of the message whose recipient it is. */
static uint64_t
id_of(const struct test_queue *test, uint32_t at)
{
	struct sched_message message;
	struct sched_rcpt rcpt;

	assert_int_not_equal(at, SCHED_NONE);
	sched_rcpt_get(test->queue.sched, at, &rcpt);
	sched_message_get(test->queue.sched, rcpt.message, &message);
	return message.id;
}

static void
end(struct test_queue *test, uint32_t at, enum sched_state state,
    enum sched_feedback feedback)
{
	struct sched *sched = test->queue.sched;
	struct sched_rcpt rcpt;

	sched_rcpt_get(sched, at, &rcpt);
	if (state == SCHED_READY)
		sched_rcpt_ready(sched, at, false);
	else
		sched_rcpt_end(sched, at);
	sched_attempt_over(sched, rcpt.destination, feedback, 0, io_now_ms(test->env.io));
}

static uint32_t
add(struct test_queue *test, uint64_t id, const char *address)
{
	uint32_t slot = test_queue_message(test, id, &address, 1);

	schedule_message(&test->queue, slot);
	return slot;
}

static struct sched_destination
destination_of(const struct test_queue *test, uint32_t slot, uint32_t index)
{
	struct sched_destination destination;

	sched_destination_get(test->queue.sched,
	    test_queue_rcpt(test, slot, index).destination, &destination);
	return destination;
}

static uint64_t
ahead(const struct test_queue *test, uint32_t slot, uint32_t index)
{
	struct sched_why why;

	sched_why(test->queue.sched, sched_rcpt_find(test->queue.sched, slot, index), &why);
	return why.ahead;
}

static void
a_new_message_is_ready_at_once(void **state)
{
	static const char *const addresses[] = {"a@one.example", "bob", "b@ONE.example"};
	struct test_queue test;
	struct sched_message message;
	uint32_t slot, rcpt;

	(void)state;
	test_queue_init(&test);
	slot = test_queue_message(&test, 1, addresses, LEN(addresses));
	schedule_message(&test.queue, slot);
	assert_int_equal(idle_ms(&test), 1000);
	/* Domains are the same whatever their case. */
	assert_int_equal(sched_destination_count(test.queue.sched), 2);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).destination,
	    test_queue_rcpt(&test, slot, 2).destination);
	assert_int_equal(ahead(&test, slot, 0), 0);
	assert_int_equal(ahead(&test, slot, 2), 1);
	rcpt = begin(&test, IPC_TARGET_MAILBOX);
	assert_int_equal(rcpt, sched_rcpt_find(test.queue.sched, slot, 1));
	assert_int_equal(begin(&test, IPC_TARGET_MAILBOX), SCHED_NONE);
	end(&test, rcpt, SCHED_ENDED, SCHED_SERVED);
	/* A destination that nobody refers to any more is forgotten. */
	assert_int_equal(sched_destination_count(test.queue.sched), 1);
	sched_message_get(test.queue.sched, slot, &message);
	assert_int_equal(message.open_count, 2);
	test_queue_fini(&test);
}

static void
those_who_wait_are_ready_in_the_order_of_time(void **state)
{
	static const unsigned wait_ms[] = {40, 10, 2, 30, 20, 3};
	static const unsigned order[] = {2, 5, 1, 4, 3, 0};
	struct test_queue test;
	uint64_t now_wall_ms;

	(void)state;
	test_queue_init(&test);
	now_wall_ms = io_wall_ms(test.env.io);
	for (size_t i = 0; i < LEN(wait_ms); i++) {
		const char *address = "a@one.example";
		uint32_t slot = test_queue_message(&test, i + 1, &address, 1);
		uint32_t at = sched_rcpt_find(test.queue.sched, slot, 0);

		sched_rcpt_due(test.queue.sched, at, now_wall_ms + wait_ms[i]);
		schedule_message(&test.queue, slot);
		assert_int_equal(sched_rcpt_state(test.queue.sched, at), SCHED_WAITING);
	}
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	schedule_arm(&test.queue);
	for (size_t i = 0; i < LEN(order); i++) {
		uint32_t rcpt;

		for (int k = 0; k < 500 &&
		     !sched_has_turn(test.queue.sched, IPC_TARGET_REMOTE); k++)
			test_queue_run(&test, 1);
		rcpt = begin(&test, IPC_TARGET_REMOTE);
		assert_int_equal(id_of(&test, rcpt), order[i] + 1);
		assert_true(io_wall_ms(test.env.io) >= now_wall_ms + wait_ms[order[i]]);
		end(&test, rcpt, SCHED_ENDED, SCHED_SERVED);
	}
	/* It sleeps in between, rather than look again and again. */
	assert_in_range(test.wakes, 1, 50);
	test_queue_fini(&test);
}

/* A newsletter to one domain does not make a letter to another wait for its end. */
static void
destinations_take_turns(void **state)
{
	static const uint64_t expected[] = {1, 11, 13, 2, 12, 3, 4, 5, 6};
	uint32_t rcpts[LEN(expected)];
	struct test_queue test;

	(void)state;
	test_queue_init(&test);
	test.conf.limits.connections_max = test.conf.limits.connections_start = 100;
	for (uint64_t i = 0; i < 6; i++)
		add(&test, 1 + i, "a@one.example");
	add(&test, 11, "b@two.example");
	add(&test, 12, "b@two.example");
	add(&test, 13, "c@three.example");
	for (size_t i = 0; i < LEN(expected); i++) {
		rcpts[i] = begin(&test, IPC_TARGET_REMOTE);
		assert_int_equal(id_of(&test, rcpts[i]), expected[i]);
	}
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	for (size_t i = 0; i < LEN(expected); i++)
		end(&test, rcpts[i], SCHED_ENDED, SCHED_SERVED);
	test_queue_fini(&test);
}

static void
a_destination_has_so_many_attempts(void **state)
{
	struct test_queue test;
	uint32_t first, second, third;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= 4; id++)
		add(&test, id, "a@one.example");
	first = begin(&test, IPC_TARGET_REMOTE);
	second = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(id_of(&test, first), 1);
	assert_int_equal(id_of(&test, second), 2);
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	end(&test, second, SCHED_ENDED, SCHED_SERVED);
	third = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(id_of(&test, third), 3);
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	/* One that was lost goes to the end of the line. */
	end(&test, first, SCHED_READY, SCHED_UNTRIED);
	first = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(id_of(&test, first), 4);
	end(&test, first, SCHED_ENDED, SCHED_SERVED);
	first = begin(&test, IPC_TARGET_REMOTE);
	assert_int_equal(id_of(&test, first), 1);
	end(&test, third, SCHED_ENDED, SCHED_SERVED);
	end(&test, first, SCHED_ENDED, SCHED_SERVED);
	test_queue_fini(&test);
}

static void
mailboxes_have_a_limit_of_their_own(void **state)
{
	uint32_t rcpts[QUEUE_MAILBOX_ATTEMPTS_MAX + 1];
	struct test_queue test;
	unsigned count = 0;

	(void)state;
	test_queue_init(&test);
	for (uint64_t id = 1; id <= QUEUE_MAILBOX_ATTEMPTS_MAX + 10; id++)
		add(&test, id, "bob");
	while ((rcpts[count] = begin(&test, IPC_TARGET_MAILBOX)) != SCHED_NONE) {
		count++;
		assert_true(count < LEN(rcpts));
	}
	assert_int_equal(count, QUEUE_MAILBOX_ATTEMPTS_MAX);
	while (count > 0)
		end(&test, rcpts[--count], SCHED_ENDED, SCHED_SERVED);
	test_queue_fini(&test);
}

static void
a_destination_that_is_down_waits_no_longer_than_the_first_retry(void **state)
{
	static const uint64_t waits_ms[] = {30000, 60000, 60000};
	struct test_queue test;
	uint64_t now_ms;
	uint32_t slot, rcpt;

	(void)state;
	test_queue_init(&test);
	slot = add(&test, 1, "a@one.example");
	now_ms = io_now_ms(test.env.io);
	for (size_t i = 0; i < LEN(waits_ms); i++) {
		rcpt = begin(&test, IPC_TARGET_REMOTE);
		sched_rcpt_ready(test.queue.sched, rcpt, false);
		sched_attempt_over(test.queue.sched,
		    test_queue_rcpt(&test, slot, 0).destination, SCHED_NO_ANSWER, 0, now_ms);
		assert_int_equal(destination_of(&test, slot, 0).down_count, i + 1);
		assert_int_equal(
		    destination_of(&test, slot, 0).down_until_ms, now_ms + waits_ms[i]);
		assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
		now_ms += waits_ms[i];
		sched_advance(test.queue.sched, now_ms, io_wall_ms(test.env.io), 1000);
	}
	test_queue_fini(&test);
}

static void
held_mail_stays_until_it_is_released(void **state)
{
	static const char *const addresses[] = {"a@one.example", "b@one.example"};
	struct test_queue test;
	struct sched *sched;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	sched = test.queue.sched;
	slot = test_queue_message(&test, 1, addresses, LEN(addresses));
	sched_message_flags(sched, slot, SCHED_HELD, 0);
	sched_rcpt_due(sched, sched_rcpt_find(sched, slot, 1), 1);
	schedule_message(&test.queue, slot);
	schedule_arm(&test.queue);
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	assert_int_equal(idle_ms(&test), 1000);
	sched_message_flags(sched, slot, SCHED_RELEASED, SCHED_HELD);
	for (uint32_t i = 0; i < LEN(addresses); i++)
		assert_int_equal(test_queue_rcpt(&test, slot, i).state, SCHED_READY);
	/* Held again before anybody took it, and while it waits for a time. */
	sched_message_flags(sched, slot, SCHED_HELD, 0);
	assert_int_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	sched_message_flags(sched, slot, 0, SCHED_HELD);
	sched_rcpt_wait(sched, sched_rcpt_find(sched, slot, 0), UINT64_MAX);
	assert_int_not_equal(begin(&test, IPC_TARGET_REMOTE), SCHED_NONE);
	sched_message_flags(sched, slot, SCHED_HELD, 0);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).state, SCHED_WAITING);
	end(&test, sched_rcpt_find(sched, slot, 1), SCHED_ENDED, SCHED_SERVED);
	test_queue_fini(&test);
}

static void
hold_all_holds_what_was_not_released(void **state)
{
	static const char *const address[] = {"a@one.example"};
	struct test_queue test;
	struct sched_message message;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.conf.hold_all = true;
	slot = add(&test, 1, address[0]);
	sched_message_get(test.queue.sched, slot, &message);
	assert_true(message.flags & SCHED_PARKED);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).state, SCHED_WAITING);
	slot = test_queue_message(&test, 2, address, 1);
	sched_message_flags(test.queue.sched, slot, SCHED_RELEASED, 0);
	schedule_message(&test.queue, slot);
	sched_message_get(test.queue.sched, slot, &message);
	assert_false(message.flags & SCHED_PARKED);
	assert_int_equal(test_queue_rcpt(&test, slot, 0).state, SCHED_READY);
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
	uint32_t slot;

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
	slot = test_queue_message(&test, 1, addresses, LEN(addresses));
	schedule_message(&test.queue, slot);
	for (uint32_t i = 0; i < LEN(keys); i++)
		assert_true(
		    span_eq(destination_of(&test, slot, i).key, span_str(keys[i])));
	/* One destination, two routes: an attempt looks whether they lead the same way. */
	assert_ptr_equal(
	    route_find(&test.conf, SPAN(""), SPAN("x@ONE.example")), &test.routes[0]);
	assert_ptr_equal(
	    route_find(&test.conf, SPAN(""), SPAN("x@two.example")), &test.routes[1]);
	assert_null(route_find(&test.conf, SPAN(""), SPAN("x@four.example")));
	test_queue_fini(&test);
}

static bool
same_way(const struct conf *conf, struct span a, struct span b)
{
	const struct envelope_rcpt one = {.kind = IPC_TARGET_REMOTE, .address = a};
	const struct envelope_rcpt two = {.kind = IPC_TARGET_REMOTE, .address = b};

	return schedule_same_way(conf, SPAN("me@home.example"), &one, &two);
}

static void
recipients_share_an_attempt_where_their_ways_are_the_same(void **state)
{
	struct test_queue test;

	(void)state;
	test_queue_init(&test);
	for (size_t i = 0; i < 4; i++)
		test.routes[i] = (struct conf_route){
		    .host = SPAN("smart.example"), .port = 587, .credential = SPAN("ours")};
	test.routes[0].domain = SPAN("one.example");
	test.routes[1].domain = SPAN("two.example");
	test.routes[2].domain = SPAN("three.example");
	test.routes[2].tls = CONF_TLS_NEVER;
	test.routes[3].domain = SPAN("four.example");
	test.routes[3].credential = SPAN("another");
	test.conf.route_count = 4;
	assert_true(same_way(&test.conf, SPAN("a@one.example"), SPAN("b@two.example")));
	assert_false(
	    same_way(&test.conf, SPAN("a@one.example"), SPAN("b@three.example")));
	assert_false(
	    same_way(&test.conf, SPAN("a@one.example"), SPAN("b@four.example")));
	assert_false(
	    same_way(&test.conf, SPAN("a@one.example"), SPAN("b@five.example")));
	assert_true(
	    same_way(&test.conf, SPAN("a@five.example"), SPAN("b@FIVE.example")));
	/* By MX, each domain has its own way, even where a route of old gathered them. */
	assert_false(
	    same_way(&test.conf, SPAN("a@five.example"), SPAN("b@six.example")));
	test_queue_fini(&test);
}

/* A sender's route makes a destination of its own; a bounce has none. */
static void
senders_may_have_ways_of_their_own(void **state)
{
	static const struct {
		const char *from, *key;
	} cases[] = {
	    {"me@one.example", "host:smart.example:587"},
	    {"me@two.example", "mx:far.example"},
	    {"", "host:bounces.example:0"},
	};
	struct test_queue test;
	struct buf key;

	(void)state;
	test_queue_init(&test);
	buf_init(&key, 1000);
	test.routes[0] = (struct conf_route){
	    .sender = SPAN("one.example"), .host = SPAN("smart.example"), .port = 587};
	test.routes[1] =
	    (struct conf_route){.sender = SPAN("<>"), .host = SPAN("bounces.example")};
	test.conf.route_count = 2;
	for (size_t i = 0; i < LEN(cases); i++) {
		buf_reset(&key);
		schedule_key(&test.queue, &key, span_str(cases[i].from), IPC_TARGET_REMOTE,
		    SPAN("x@Far.example"));
		assert_true(span_eq(buf_span(&key), span_str(cases[i].key)));
	}
	buf_fini(&key);
	test_queue_fini(&test);
}

/* Mailboxes that another program keeps are a server's like others, and are delivered there. */
static void
mailboxes_may_be_behind_lmtp(void **state)
{
	static const struct {
		struct conf_route lmtp;
		const char *key;
		enum ipc_target process;
	} cases[] = {
	    {{.kind = CONF_ROUTE_SMTP, .host = SPAN("")}, "mailbox", IPC_TARGET_MAILBOX},
	    {{.kind = CONF_ROUTE_LMTP, .host = SPAN("/run/lmtp")}, "lmtp:/run/lmtp",
	        IPC_TARGET_REMOTE},
	    {{.kind = CONF_ROUTE_LMTP, .host = SPAN("::1"), .port = 24}, "lmtp:::1:24",
	        IPC_TARGET_REMOTE},
	};
	struct test_queue test;
	struct buf key;

	(void)state;
	test_queue_init(&test);
	buf_init(&key, 1000);
	test.routes[0] = (struct conf_route){
	    .kind = CONF_ROUTE_DISCARD, .domain = SPAN("joe@one.example"), .host = SPAN("")};
	test.conf.route_count = 1;
	for (size_t i = 0; i < LEN(cases); i++) {
		const struct envelope_rcpt mailbox = {
		    .kind = IPC_TARGET_MAILBOX, .address = SPAN("joe@one.example")};
		struct sched_destination destination = {.kind = cases[i].process};

		test.conf.lmtp = cases[i].lmtp;
		buf_reset(&key);
		schedule_key(&test.queue, &key, SPAN(""), IPC_TARGET_MAILBOX, mailbox.address);
		assert_true(span_eq(buf_span(&key), span_str(cases[i].key)));
		assert_int_equal(
		    schedule_kind(&test.queue, buf_span(&key), IPC_TARGET_MAILBOX),
		    cases[i].process);
		assert_int_equal(
		    schedule_kind(&test.queue, SPAN("mx:b.example"), IPC_TARGET_REMOTE),
		    IPC_TARGET_REMOTE);
		assert_ptr_equal(schedule_rcpt_route(&test.conf, SPAN(""), &mailbox),
		    i > 0 ? &test.conf.lmtp : NULL);
		destination.key = buf_span(&key);
		assert_true(schedule_is_final(&destination));
	}
	buf_reset(&key);
	schedule_key(&test.queue, &key, SPAN(""), IPC_TARGET_REMOTE, SPAN("Joe@One.example"));
	assert_true(span_eq(buf_span(&key), SPAN("rule:one.example")));
	assert_false(schedule_is_final(&(struct sched_destination){
	    .kind = IPC_TARGET_REMOTE, .key = buf_span(&key)}));
	buf_fini(&key);
	test_queue_fini(&test);
}

/* Limits are those of the domain, of the smart host, or of the queue. */
static void
a_destination_has_the_limits_that_are_configured_for_it(void **state)
{
	static const char *const addresses[] = {
	    "a@one.example", "b@two.example", "c@three.example", "bob"};
	static const unsigned windows[] = {7, 5, 2, QUEUE_MAILBOX_ATTEMPTS_MAX};
	struct test_queue test;
	uint32_t slot;

	(void)state;
	test_queue_init(&test);
	test.routes[0] = (struct conf_route){
	    .domain = SPAN("two.example"), .host = SPAN("smart.example"), .port = 25};
	test.conf.route_count = 1;
	for (size_t i = 0; i < 2; i++)
		test.destinations[i].limits = test.conf.limits;
	test.destinations[0].pattern = SPAN("one.example");
	test.destinations[0].limits.connections_start = 7;
	test.destinations[0].limits.connections_max = 10;
	test.destinations[0].limits.rate_count = 3;
	test.destinations[0].limits.rate_period_ms = 1000;
	test.destinations[1].pattern = SPAN("smart.example");
	test.destinations[1].limits.connections_start = 5;
	test.destinations[1].limits.connections_max = 10;
	test.conf.destination_count = 2;
	slot = test_queue_message(&test, 1, addresses, LEN(addresses));
	for (uint32_t i = 0; i < LEN(windows); i++) {
		struct sched_destination destination = destination_of(&test, slot, i);

		assert_int_equal(destination.window, windows[i]);
		assert_int_equal(destination.limits.rate.count, i == 0 ? 3 : 0);
	}
	test_queue_fini(&test);
}

/* What has become due sooner than the timer would tell is looked at in time. */
static void
the_timer_is_brought_forward(void **state)
{
	struct test_queue test;
	uint32_t rcpt;

	(void)state;
	test_queue_init(&test);
	test.conf.limits.rate_count = 100;
	test.conf.limits.rate_period_ms = 4000;
	for (uint64_t id = 1; id <= 12; id++)
		add(&test, id, "a@one.example");
	schedule_arm(&test.queue);
	while ((rcpt = begin(&test, IPC_TARGET_REMOTE)) != SCHED_NONE)
		end(&test, rcpt, SCHED_ENDED, SCHED_SERVED);
	/* The tenth of the rate is used up; the next one comes after 44 ms. */
	assert_int_equal(sched_rcpt_count(test.queue.sched), 2);
	schedule_arm_sooner(&test.queue);
	test_queue_run(&test, 150);
	assert_in_range(test.wakes, 1, 20);
	assert_true(sched_has_turn(test.queue.sched, IPC_TARGET_REMOTE));
	/* Without a rate nothing of it is remembered. */
	test.conf.limits.rate_count = 0;
	sched_reload(test.queue.sched);
	test_queue_fini(&test);
}

/* Who runs as whom, and how many at a time, whatever else the configuration has. */
static void
programs_have_destinations_of_their_own(void **state)
{
	static struct conf_pipe second = {
	    .user = {"w", 1}, .name = {"w:/y", 4}, .processes_max = 7};
	static struct conf_pipe first = {
	    .next = &second, .user = {"v", 1}, .name = {"v:/x", 4}, .processes_max = 3};
	struct test_queue test;
	struct sched_limits limits;
	struct buf key;

	(void)state;
	test_queue_init(&test);
	buf_init(&key, 1000);
	test.conf.pipes = &first;
	test.conf.mailbox_pipe = &second;
	test.conf.pipe_users[0] = second.user;
	test.conf.pipe_users[1] = first.user;
	test.conf.pipe_user_count = 2;
	test.routes[0] = (struct conf_route){.kind = CONF_ROUTE_PIPE,
	    .domain = SPAN("one.example"),
	    .host = SPAN(""),
	    .pipe = &first};
	test.conf.route_count = 1;
	pipes_reload(&test.queue);
	schedule_key(&test.queue, &key, SPAN(""), IPC_TARGET_MAILBOX, SPAN("joe@two.example"));
	assert_true(span_eq(buf_span(&key), SPAN("pipe:w:/y")));
	assert_int_equal(
	    schedule_kind(&test.queue, buf_span(&key), IPC_TARGET_MAILBOX), QUEUE_KIND_PIPE);
	buf_reset(&key);
	schedule_key(&test.queue, &key, SPAN(""), IPC_TARGET_REMOTE, SPAN("joe@one.example"));
	assert_true(span_eq(buf_span(&key), SPAN("pipe:v:/x")));
	assert_int_equal(schedule_kind(&test.queue, buf_span(&key), IPC_TARGET_REMOTE),
	    QUEUE_KIND_PIPE + 1);
	assert_true(schedule_is_final(&(struct sched_destination){
	    .kind = QUEUE_KIND_PIPE + 1, .key = buf_span(&key)}));
	schedule_sched_limits(&test.queue, QUEUE_KIND_PIPE + 1, buf_span(&key), &limits);
	assert_int_equal(limits.concurrency_start, 3);
	assert_int_equal(limits.concurrency_max, 3);
	assert_int_equal(limits.rate.count, 0);
	assert_ptr_equal(dispatch_only_peer(&test.queue, QUEUE_KIND_PIPE), &test.queue.pipes[0]);
	assert_string_equal(test.queue.pipes[0].user, "w");

	/* After a reload users keep their places, and what is gone has the least. */
	test.conf.pipes = NULL;
	test.conf.mailbox_pipe = NULL;
	test.conf.pipe_users[0] = SPAN("z");
	test.conf.pipe_user_count = 1;
	pipes_reload(&test.queue);
	assert_string_equal(test.queue.pipes[2].user, "z");
	assert_string_equal(test.queue.pipes[1].user, "v");
	schedule_sched_limits(&test.queue, QUEUE_KIND_PIPE + 1, buf_span(&key), &limits);
	assert_int_equal(limits.concurrency_max, 1);
	assert_int_equal(
	    schedule_kind(&test.queue, SPAN("pipe:q:/x"), IPC_TARGET_REMOTE),
	    IPC_TARGET_REMOTE);
	assert_int_equal(schedule_kind(&test.queue, SPAN("mailbox"), IPC_TARGET_MAILBOX),
	    IPC_TARGET_MAILBOX);
	test.conf.route_count = 0;
	buf_fini(&key);
	test_queue_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(programs_have_destinations_of_their_own),
	    cmocka_unit_test(a_new_message_is_ready_at_once),
	    cmocka_unit_test(those_who_wait_are_ready_in_the_order_of_time),
	    cmocka_unit_test(destinations_take_turns),
	    cmocka_unit_test(a_destination_has_so_many_attempts),
	    cmocka_unit_test(mailboxes_have_a_limit_of_their_own),
	    cmocka_unit_test(
	        a_destination_that_is_down_waits_no_longer_than_the_first_retry),
	    cmocka_unit_test(held_mail_stays_until_it_is_released),
	    cmocka_unit_test(hold_all_holds_what_was_not_released),
	    cmocka_unit_test(routes_gather_destinations),
	    cmocka_unit_test(recipients_share_an_attempt_where_their_ways_are_the_same),
	    cmocka_unit_test(senders_may_have_ways_of_their_own),
	    cmocka_unit_test(mailboxes_may_be_behind_lmtp),
	    cmocka_unit_test(a_destination_has_the_limits_that_are_configured_for_it),
	    cmocka_unit_test(the_timer_is_brought_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
