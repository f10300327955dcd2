/*
 * Digests: a message that is written into a checkpoint and read from it is scheduled as it was;
 * whatever is not understood is refused whole.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proc/queue/test_queue.h"

enum { BYTES_MAX = 64 << 10, DIGEST_AIM = 100 };

static const char *const addresses[] = {
    "bob", "carol@example.net", "dan@example.com", "eve@example.com"};

/* One that ended, one that was tried, one that is in doubt, one that is new. */
static uint32_t
make(struct test_queue *test)
{
	const struct mark marks[] = {
	    {.kind = MARK_ENDED, .index = 1, .end = END_RELAYED},
	    {.kind = MARK_DEFERRED,
	        .index = 2,
	        .wall_ms = 1764000000000,
	        .tries = 3,
	        .next_wall_ms = UINT64_C(1) << 44,
	        .code = 451,
	        .status = SPAN("4.7.1"),
	        .remote = SPAN("mx.example.com[192.0.2.2]"),
	        .text = SPAN("come back later"),
	        .in_doubt = true},
	    {.kind = MARK_BEGUN, .index = 3},
	    {.kind = MARK_HELD},
	};
	uint32_t slot = test_queue_message(test, 7, addresses, LEN(addresses));
	struct buf bytes;

	buf_init(&bytes, BYTES_MAX);
	for (size_t i = 0; i < LEN(marks); i++)
		mark_write(&bytes, &marks[i]);
	assert_int_equal(message_apply(&test->queue, slot, buf_span(&bytes)), OK);
	buf_fini(&bytes);
	return slot;
}

static void
assert_same_rcpt(const struct test_queue *was, uint32_t slot, const struct test_queue *is,
    uint32_t again, uint32_t index)
{
	struct sched_rcpt a = test_queue_rcpt(was, slot, index);
	struct sched_rcpt b = test_queue_rcpt(is, again, index);
	struct sched_destination to_a, to_b;
	struct sched_reply said_a, said_b;

	sched_destination_get(was->queue.sched, a.destination, &to_a);
	sched_destination_get(is->queue.sched, b.destination, &to_b);
	said_a = sched_reply_get(was->queue.sched, a.reply);
	said_b = sched_reply_get(is->queue.sched, b.reply);
	assert_int_equal(to_a.kind, to_b.kind);
	assert_true(span_eq(to_a.key, to_b.key));
	assert_int_equal(b.index, index);
	assert_int_equal(b.state, SCHED_NEW);
	assert_int_equal(a.tries, b.tries);
	assert_int_equal(a.code, b.code);
	assert_int_equal(a.next_wall_ms, b.next_wall_ms);
	assert_int_equal(a.tried_wall_s, b.tried_wall_s);
	assert_int_equal(a.begun, b.begun);
	assert_int_equal(a.in_doubt, b.in_doubt);
	assert_int_equal(said_a.code, said_b.code);
	assert_true(span_eq(said_a.status, said_b.status));
	assert_true(span_eq(said_a.remote, said_b.remote));
	assert_true(span_eq(said_a.text, said_b.text));
}

static void
a_message_comes_back_from_its_digest(void **state)
{
	struct test_queue was, is;
	struct sched_message a, b;
	uint32_t slot, again;
	struct buf digest;

	(void)state;
	test_queue_init(&was);
	test_queue_init(&is);
	slot = make(&was);
	buf_init(&digest, BYTES_MAX);
	digest_write(&was.queue, slot, &digest);
	assert_int_equal(digest_read(&is.queue, 7, buf_span(&digest), 100), OK);
	again = sched_message_find(is.queue.sched, 7);
	assert_int_not_equal(again, SCHED_NONE);
	sched_message_get(was.queue.sched, slot, &a);
	sched_message_get(is.queue.sched, again, &b);
	assert_int_equal(a.arrival_wall_ms, b.arrival_wall_ms);
	assert_int_equal(a.body_bytes, b.body_bytes);
	assert_int_equal(a.sender, b.sender);
	assert_int_equal(a.rcpt_count, b.rcpt_count);
	assert_int_equal(a.open_count, b.open_count);
	assert_int_equal(b.flags, SCHED_HELD);
	assert_int_equal(sched_rcpt_find(is.queue.sched, again, 1), SCHED_NONE);
	for (uint32_t i = 0; i < LEN(addresses); i++)
		if (i != 1)
			assert_same_rcpt(&was, slot, &is, again, i);
	/* A second time it is there already. */
	assert_int_equal(digest_read(&is.queue, 7, buf_span(&digest), 100), ERR_SYNTAX);
	buf_fini(&digest);
	test_queue_fini(&was);
	test_queue_fini(&is);
}

/* Its kind is not written: who runs programs has its place by the configuration. */
static void
one_for_a_program_goes_to_its_user(void **state)
{
	static struct conf_pipe pipe = {.user = {"v", 1}, .name = {"v:/x", 4}, .processes_max = 3};
	static const char *const to[] = {"joe@one.example"};
	struct sched_destination destination;
	struct test_queue tests[2];
	struct buf digest;

	(void)state;
	buf_init(&digest, BYTES_MAX);
	for (size_t i = 0; i < LEN(tests); i++) {
		struct test_queue *test = &tests[i];

		test_queue_init(test);
		test->conf.pipes = &pipe;
		test->conf.pipe_users[i] = pipe.user;
		test->conf.pipe_users[1 - i] = SPAN("w");
		test->conf.pipe_user_count = 2;
		test->routes[0] = (struct conf_route){.kind = CONF_ROUTE_PIPE,
		    .domain = SPAN("one.example"), .host = SPAN(""), .pipe = &pipe};
		test->conf.route_count = 1;
		test->queue.routes = digest_routes(&test->conf);
		pipes_reload(&test->queue);
	}
	digest_write(&tests[0].queue, test_queue_message(&tests[0], 7, to, 1), &digest);
	assert_int_equal(digest_read(&tests[1].queue, 7, buf_span(&digest), 100), OK);
	sched_destination_get(tests[1].queue.sched,
	    test_queue_rcpt(&tests[1], sched_message_find(tests[1].queue.sched, 7), 0)
		.destination,
	    &destination);
	assert_int_equal(destination.kind, QUEUE_KIND_PIPE + 1);
	assert_true(span_eq(destination.key, SPAN("pipe:v:/x")));
	/* With another program of the same user it is not the same way any more. */
	pipe.name = SPAN("v:/y");
	assert_int_not_equal(digest_routes(&tests[1].conf), tests[1].queue.routes);
	/* A table names it by its title, whoever it runs as. */
	tests[1].conf.route_count = 0;
	pipe.title = SPAN("robot");
	pipe.name = SPAN("v:robot");
	tests[1].queue.routes = digest_routes(&tests[1].conf);
	pipe.name = SPAN("w:robot");
	assert_int_not_equal(digest_routes(&tests[1].conf), tests[1].queue.routes);
	buf_fini(&digest);
	for (size_t i = 0; i < LEN(tests); i++)
		test_queue_fini(&tests[i]);
}

static void
a_digest_is_small(void **state)
{
	struct test_queue test;
	struct buf digest;

	(void)state;
	test_queue_init(&test);
	buf_init(&digest, BYTES_MAX);
	digest_write(&test.queue, test_queue_message(&test, 1, addresses + 1, 1), &digest);
	assert_in_range(digest.len, 20, DIGEST_AIM / 2);
	buf_fini(&digest);
	test_queue_fini(&test);
}

static void
a_digest_that_is_cut_or_too_long_leaves_nothing(void **state)
{
	struct test_queue test;
	uint32_t slot;
	struct buf digest;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	buf_init(&digest, BYTES_MAX);
	digest_write(&test.queue, slot, &digest);
	sched_message_remove(test.queue.sched, slot);
	for (size_t len = 0; len < digest.len; len++)
		assert_int_equal(
		    digest_read(&test.queue, 7, span_first(buf_span(&digest), len), 100),
		    ERR_SYNTAX);
	buf_add_char(&digest, '\0');
	assert_int_equal(digest_read(&test.queue, 7, buf_span(&digest), 100), ERR_SYNTAX);
	assert_int_equal(sched_message_count(test.queue.sched), 0);
	assert_int_equal(sched_rcpt_count(test.queue.sched), 0);
	assert_int_equal(sched_destination_count(test.queue.sched), 0);
	assert_int_equal(sched_reply_bytes(test.queue.sched), 0);
	buf_fini(&digest);
	test_queue_fini(&test);
}

/* Destinations come from the routes: with others the envelope must be read. */
static void
other_routes_make_it_useless(void **state)
{
	struct test_queue test;
	uint32_t slot;
	struct buf digest;

	(void)state;
	test_queue_init(&test);
	slot = make(&test);
	buf_init(&digest, BYTES_MAX);
	digest_write(&test.queue, slot, &digest);
	test.routes[0] =
	    (struct conf_route){.domain = SPAN("example.com"), .host = SPAN("smart.example")};
	test.conf.route_count = 1;
	assert_int_not_equal(digest_routes(&test.conf), test.queue.routes);
	test.queue.routes = digest_routes(&test.conf);
	sched_message_remove(test.queue.sched, slot);
	assert_int_equal(digest_read(&test.queue, 7, buf_span(&digest), 100), ERR_SYNTAX);
	/* And one that was queued before they changed has none. */
	slot = make(&test);
	sched_message_flags(test.queue.sched, slot, SCHED_OLD_ROUTES, 0);
	buf_reset(&digest);
	digest_write(&test.queue, slot, &digest);
	assert_int_equal(digest.len, 0);
	buf_fini(&digest);
	test_queue_fini(&test);
}

/* "Hold all mail" is what the configuration says at a start, not what it once said. */
static void
mail_held_because_all_is_comes_back_without(void **state)
{
	struct test_queue was, is;
	struct sched_message message;
	uint32_t slot;
	struct buf digest;

	(void)state;
	test_queue_init(&was);
	test_queue_init(&is);
	was.conf.hold_all = true;
	slot = test_queue_message(&was, 7, addresses, LEN(addresses));
	schedule_message(&was.queue, slot);
	buf_init(&digest, BYTES_MAX);
	digest_write(&was.queue, slot, &digest);
	assert_int_equal(digest_read(&is.queue, 7, buf_span(&digest), 100), OK);
	sched_message_get(is.queue.sched, sched_message_find(is.queue.sched, 7), &message);
	assert_int_equal(message.flags, 0);
	buf_fini(&digest);
	test_queue_fini(&was);
	test_queue_fini(&is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_comes_back_from_its_digest),
	    cmocka_unit_test(one_for_a_program_goes_to_its_user),
	    cmocka_unit_test(a_digest_is_small),
	    cmocka_unit_test(a_digest_that_is_cut_or_too_long_leaves_nothing),
	    cmocka_unit_test(other_routes_make_it_useless),
	    cmocka_unit_test(mail_held_because_all_is_comes_back_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
