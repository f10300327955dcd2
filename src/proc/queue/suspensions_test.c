/* Destinations that are suspended: which, until when, and as bytes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "proc/queue/suspensions.h"

static void
patterns_are_found_and_removed(void **state)
{
	struct suspensions is = {0};

	(void)state;
	assert_int_equal(suspensions_add(&is, SPAN("far.example"), SPAN("ann"), 0, 7), OK);
	assert_int_equal(suspensions_add(&is, SPAN(".test"), SPAN("no name"), 0, 7), OK);
	assert_string_equal(suspensions_find(&is, SPAN("mx:FAR.example"), SPAN(""))->who, "ann");
	assert_string_equal(suspensions_find(&is, SPAN("mx:a.b.test"), SPAN(""))->who, "unknown");
	assert_null(suspensions_find(&is, SPAN("mx:sub.far.example"), SPAN("")));
	/* Mailboxes have no name, and are never meant. */
	assert_null(suspensions_find(&is, SPAN("mailbox"), SPAN("")));
	assert_int_equal(suspensions_add(&is, SPAN("Far.Example"), SPAN("bob"), 0, 8), OK);
	assert_int_equal(is.count, 2);
	assert_string_equal(suspensions_find(&is, SPAN("mx:far.example"), SPAN(""))->who, "bob");
	assert_true(suspensions_remove(&is, SPAN("far.EXAMPLE")));
	assert_false(suspensions_remove(&is, SPAN("far.example")));
	assert_null(suspensions_find(&is, SPAN("mx:far.example"), SPAN("")));
	suspensions_fini(&is);
}

static void
what_is_no_pattern_is_refused(void **state)
{
	char longest[SUSPENSION_PATTERN_MAX + 1];
	struct suspensions is = {0};

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(suspensions_add(&is, SPAN(""), SPAN("a"), 0, 0), ERR_SYNTAX);
	assert_int_equal(suspensions_add(&is, SPAN(" a"), SPAN("a"), 0, 0), ERR_SYNTAX);
	assert_int_equal(suspensions_add(&is, SPAN("a "), SPAN("a"), 0, 0), ERR_SYNTAX);
	assert_int_equal(suspensions_add(&is, SPAN("a\nb"), SPAN("a"), 0, 0), ERR_SYNTAX);
	assert_int_equal(
	    suspensions_add(&is, span_of(longest, sizeof(longest)), SPAN("a"), 0, 0), ERR_SYNTAX);
	assert_int_equal(is.count, 0);
	for (size_t i = 0; i < SUSPENSIONS_MAX; i++)
		assert_int_equal(suspensions_add(&is, span_of(longest, 1 + i % 255),
		                     SPAN("a"), 0, 0), OK);
	suspensions_fini(&is);
}

static void
a_time_that_has_come_ends_one(void **state)
{
	struct suspensions is = {0};

	(void)state;
	assert_int_equal(suspensions_add(&is, SPAN("a"), SPAN("x"), 100, 0), OK);
	assert_int_equal(suspensions_add(&is, SPAN("b"), SPAN("x"), 0, 0), OK);
	assert_int_equal(suspensions_add(&is, SPAN("c"), SPAN("x"), 300, 0), OK);
	assert_int_equal(suspensions_expire(&is, 99), 0);
	assert_int_equal(suspensions_expire(&is, 100), 1);
	assert_null(suspensions_find(&is, SPAN("mx:a"), SPAN("")));
	assert_int_equal(suspensions_find(&is, SPAN("mx:c"), SPAN(""))->until_wall_ms, 300);
	suspensions_fini(&is);
}

static void
bytes_come_back_as_they_were(void **state)
{
	struct suspensions is = {0}, again = {0};
	struct buf out;

	(void)state;
	buf_init(&out, SUSPENSIONS_BYTES_MAX);
	assert_int_equal(suspensions_add(&is, SPAN("far.example"), SPAN("ann"), 100, 7), OK);
	assert_int_equal(suspensions_add(&is, SPAN(".test"), SPAN("bob"), 0, 8), OK);
	assert_int_equal(
	    suspensions_add(&is, SPAN("provider:GMX and WEB.DE"), SPAN("bob"), 0, 9), OK);
	suspensions_write(&is, &out);
	assert_int_equal(suspensions_read(&again, buf_span(&out)), OK);
	assert_int_equal(again.count, 3);
	assert_memory_equal(again.rows, is.rows, 3 * sizeof(*is.rows));
	assert_non_null(suspensions_find(&again, SPAN("mx:a.example"), SPAN("GMX and WEB.DE")));
	assert_null(suspensions_find(&again, SPAN("mx:a.example"), SPAN("")));
	suspensions_fini(&is);
	suspensions_fini(&again);
	buf_fini(&out);
}

static void
other_bytes_change_nothing(void **state)
{
	static const struct span wrong[] = {SPAN(""), SPAN("postrider suspensions 2\n"),
	    SPAN("postrider suspensions 1\n0 0 a b\n0 0 c d"),
	    SPAN("postrider suspensions 1\n0 0 a b\nx 0 c d\n"),
	    SPAN("postrider suspensions 1\n0 0 a\n"),
	    SPAN("postrider suspensions 1\n0 0 a b\tc\n")};
	struct suspensions is = {0};

	(void)state;
	assert_int_equal(suspensions_add(&is, SPAN("keep"), SPAN("x"), 0, 0), OK);
	for (size_t i = 0; i < LEN(wrong); i++)
		assert_int_equal(suspensions_read(&is, wrong[i]), ERR_SYNTAX);
	assert_non_null(suspensions_find(&is, SPAN("mx:keep"), SPAN("")));
	assert_int_equal(is.count, 1);
	suspensions_fini(&is);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_are_found_and_removed),
	    cmocka_unit_test(what_is_no_pattern_is_refused),
	    cmocka_unit_test(a_time_that_has_come_ends_one),
	    cmocka_unit_test(bytes_come_back_as_they_were),
	    cmocka_unit_test(other_bytes_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
