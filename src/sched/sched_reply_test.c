/* The last replies of servers: each kept once, as long as somebody holds it, in bounded memory. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "sched/test_sched.h"

static const struct sched_reply busy = {
    .code = 450,
    .status = SPAN("4.2.1"),
    .remote = SPAN("mx.example.net[192.0.2.1]"),
    .text = SPAN("too busy"),
};

static void
assert_reply(const struct test_sched *test, uint32_t at, const struct sched_reply *reply)
{
	struct sched_reply is = sched_reply_get(test->sched, at);

	assert_int_equal(is.code, reply->code);
	assert_true(span_eq(is.status, reply->status));
	assert_true(span_eq(is.remote, reply->remote));
	assert_true(span_eq(is.text, reply->text));
}

static void
the_same_reply_is_kept_once(void **state)
{
	struct sched_reply other = busy;
	struct test_sched test;
	uint32_t a, b, c;
	size_t bytes;

	(void)state;
	test_sched_init(&test);
	a = sched_reply_keep(test.sched, &busy);
	bytes = sched_reply_bytes(test.sched);
	b = sched_reply_keep(test.sched, &busy);
	assert_int_equal(a, b);
	assert_int_equal(sched_reply_bytes(test.sched), bytes);
	other.text = SPAN("too bus");
	other.remote = SPAN("mx.example.net[192.0.2.1]y");
	c = sched_reply_keep(test.sched, &other);
	assert_int_not_equal(a, c);
	assert_reply(&test, a, &busy);
	assert_reply(&test, c, &other);
	sched_reply_drop(test.sched, a);
	assert_reply(&test, b, &busy);
	sched_reply_hold(test.sched, b);
	sched_reply_drop(test.sched, b);
	sched_reply_drop(test.sched, b);
	assert_int_equal(sched_reply_bytes(test.sched), bytes);
	sched_reply_drop(test.sched, c);
	assert_int_equal(sched_reply_bytes(test.sched), 0);
	test_sched_fini(&test);
}

static void
no_reply_is_none(void **state)
{
	const struct sched_reply none = {.code = 0};
	struct test_sched test;

	(void)state;
	test_sched_init(&test);
	assert_int_equal(sched_reply_keep(test.sched, &none), 0);
	assert_reply(&test, 0, &none);
	sched_reply_hold(test.sched, 0);
	sched_reply_drop(test.sched, 0);
	test_sched_fini(&test);
}

static void
each_part_has_bounds(void **state)
{
	static const char bytes[2000];
	const struct sched_reply long_one = {
	    .code = 1 << 20,
	    .status = span_of(bytes, sizeof(bytes)),
	    .remote = span_of(bytes, sizeof(bytes)),
	    .text = span_of(bytes, sizeof(bytes)),
	};
	struct sched_reply is;
	struct test_sched test;
	uint32_t at;

	(void)state;
	test_sched_init(&test);
	at = sched_reply_keep(test.sched, &long_one);
	is = sched_reply_get(test.sched, at);
	assert_int_equal(is.code, 0);
	assert_int_equal(is.status.len, SCHED_REPLY_STATUS_MAX);
	assert_int_equal(is.remote.len, SCHED_REPLY_REMOTE_MAX);
	assert_int_equal(is.text.len, SCHED_REPLY_TEXT_MAX);
	sched_reply_drop(test.sched, at);
	test_sched_fini(&test);
}

/* Beyond the bound only code and status are kept, which many have in common. */
static void
memory_is_bounded_whatever_servers_say(void **state)
{
	enum { COUNT = 20000, BYTES_MAX = 100000 };
	static uint32_t kept[COUNT];
	struct test_sched test;
	unsigned whole = 0;

	(void)state;
	test_sched_init(&test);
	for (int i = 0; i < COUNT; i++) {
		char text[40];
		struct sched_reply reply = busy;

		snprintf(text, sizeof(text), "come back later, %d", i);
		reply.text = span_str(text);
		kept[i] = sched_reply_keep(test.sched, &reply);
		assert_int_not_equal(kept[i], 0);
		whole += sched_reply_get(test.sched, kept[i]).text.len > 0;
		assert_int_equal(sched_reply_get(test.sched, kept[i]).code, 450);
	}
	assert_in_range(whole, BYTES_MAX / 200, BYTES_MAX / 50);
	assert_true(sched_reply_bytes(test.sched) < BYTES_MAX + 1000);
	for (int i = 0; i < COUNT; i++)
		sched_reply_drop(test.sched, kept[i]);
	assert_int_equal(sched_reply_bytes(test.sched), 0);
	/* There is room again. */
	kept[0] = sched_reply_keep(test.sched, &busy);
	assert_reply(&test, kept[0], &busy);
	sched_reply_drop(test.sched, kept[0]);
	test_sched_fini(&test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_reply_is_kept_once),
	    cmocka_unit_test(no_reply_is_none),
	    cmocka_unit_test(each_part_has_bounds),
	    cmocka_unit_test(memory_is_bounded_whatever_servers_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
