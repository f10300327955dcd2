/* What a client asked for comes back as it was; each has one form; what is wrong is refused. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "ipc/extras.h"

static const struct ipc_extras cases[] = {
    {.ret = IPC_RET_HDRS},
    {.ret = IPC_RET_FULL, .envid = SPAN("QQ314159+2B")},
    {.hold_until_wall_ms = UINT64_C(1764000000000)},
    {.by = IPC_BY_RETURN, .by_wall_ms = 1},
    {.by = IPC_BY_NOTIFY, .by_trace = true, .by_wall_ms = UINT64_MAX},
    {.has_priority = true, .priority = -9},
    {.has_priority = true, .priority = 0},
    {.has_priority = true, .priority = 9},
    {IPC_RET_FULL, SPAN("0123456789012345678901234567890123456789012345678901234567890123456789"
	                "012345678901234567890123456789"),
	UINT64_MAX, IPC_BY_NOTIFY, true, UINT64_MAX, true, 9, SPAN("")},
    {.pool = SPAN("n")},
    {.has_priority = true,
	.pool = SPAN("abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz_123456789")},
};

/* It may end before the pool, which envelopes had not before there were any. */
static bool
may_end_at(const struct ipc_extras *extras, size_t len, size_t whole)
{
	return extras->has_priority && extras->pool.len > 0 && len + extras->pool.len + 1 == whole;
}

static void
what_was_asked_for_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct ipc_extras is;
		struct buf out;

		buf_init(&out, IPC_EXTRAS_MAX);
		ipc_extras_write(&out, &cases[i]);
		assert_int_equal(buf_finish(&out), OK);
		assert_int_equal(ipc_extras_read(buf_span(&out), &is), OK);
		assert_int_equal(is.ret, cases[i].ret);
		assert_true(span_eq(is.envid, cases[i].envid));
		assert_int_equal(is.hold_until_wall_ms, cases[i].hold_until_wall_ms);
		assert_int_equal(is.by, cases[i].by);
		assert_int_equal(is.by_trace, cases[i].by_trace);
		assert_int_equal(is.by_wall_ms, cases[i].by_wall_ms);
		assert_int_equal(is.has_priority, cases[i].has_priority);
		assert_int_equal(is.priority, cases[i].priority);
		assert_true(span_eq(is.pool, cases[i].pool));
		for (size_t len = 1; len < out.len; len++)
			assert_int_equal(ipc_extras_read(span_first(buf_span(&out), len), &is),
			    may_end_at(&cases[i], len, out.len) ? OK : ERR_SYNTAX);
		buf_fini(&out);
	}
}

static void
nothing_asked_for_is_no_bytes(void **state)
{
	const struct ipc_extras none = {0};
	struct ipc_extras is = cases[1];
	struct buf out;

	(void)state;
	buf_init(&out, IPC_EXTRAS_MAX);
	ipc_extras_write(&out, &none);
	assert_int_equal(out.len, 0);
	assert_int_equal(ipc_extras_read(buf_span(&out), &is), OK);
	assert_false(ipc_extras_any(&is));
	buf_fini(&out);
}

static void
what_is_wrong_is_refused(void **state)
{
	static const struct span wrong[] = {
	    SPAN("\0\0\0\0\0"),        /* nothing, at length */
	    SPAN("\3\0\0\0\0"),        /* no such ret */
	    SPAN("\1\0\0\3\0\1\0"),    /* no such by */
	    SPAN("\1\0\0\1\2\1\0"),    /* half a trace */
	    SPAN("\1\0\0\0\24"),       /* a priority of 10 */
	    SPAN("\1\0\0\0\0\0"),      /* more than that */
	};
	struct ipc_extras is;

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(ipc_extras_read(wrong[i], &is), ERR_SYNTAX);
}

static void
never_is_said_alone(void **state)
{
	(void)state;
	assert_true(ipc_notify_is_right(0));
	assert_true(ipc_notify_is_right(IPC_NOTIFY_NEVER));
	assert_true(ipc_notify_is_right(
	    IPC_NOTIFY_SUCCESS | IPC_NOTIFY_FAILURE | IPC_NOTIFY_DELAY));
	assert_false(ipc_notify_is_right(IPC_NOTIFY_NEVER | IPC_NOTIFY_SUCCESS));
	assert_false(ipc_notify_is_right(16));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_asked_for_comes_back),
	    cmocka_unit_test(nothing_asked_for_is_no_bytes),
	    cmocka_unit_test(what_is_wrong_is_refused),
	    cmocka_unit_test(never_is_said_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
