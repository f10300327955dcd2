/* The window of a destination: how it opens and closes, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "route/window.h"

/* '+' a success, '-' a failure with no other attempt under way, a digit: one with so many. */
static const struct {
	const char *name;
	unsigned start, max;
	const char *outcomes;
	unsigned size;
} cases[] = {
    {"it starts where it is told", 5, 20, "", 5},
    {"a start of nothing is one", 0, 20, "", 1},
    {"a maximum of nothing is one", 5, 0, "", 1},
    {"a start above the maximum is the maximum", 30, 20, "", 20},
    {"each success opens it by one at first", 1, 20, "++++", 5},
    {"it opens to its maximum", 1, 4, "++++++++", 4},
    {"a failure halves it", 10, 20, "-", 5},
    {"and again", 10, 20, "--", 2},
    {"never below one", 3, 20, "-----", 1},
    {"after a failure a whole window of successes opens it by one", 8, 20, "-+++", 4},
    {"which is the fourth here", 8, 20, "-++++", 5},
    {"and then five for the next", 8, 20, "-+++++++++", 6},
    {"failures of those under way together count once", 8, 20, "3---", 4},
    {"the next one counts", 8, 20, "3----", 2},
    {"successes from before it closed do not open it", 8, 20, "3++++++", 4},
    {"a window of one opens with its next success", 1, 20, "-+", 2},
    {"a failure forgets what was gained towards opening", 8, 20, "-+++-++", 3},
};

static void
test_outcomes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct window window;

		window_init(&window, cases[i].start, cases[i].max);
		for (const char *at = cases[i].outcomes; *at; at++) {
			if (*at == '+')
				window_succeed(&window, cases[i].max);
			else
				window_fail(
				    &window, *at == '-' ? 0 : (unsigned)(*at - '0'));
			assert_true(window.size >= 1);
			assert_true(window.size <= cases[i].max || cases[i].max == 0);
		}
		if (window.size != cases[i].size)
			fail_msg("%s: %u", cases[i].name, (unsigned)window.size);
	}
}

static void
test_room(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 2, 2);
	assert_true(window_has_room(&window, 0));
	assert_true(window_has_room(&window, 1));
	assert_false(window_has_room(&window, 2));
	assert_false(window_has_room(&window, 3));
}

/* A new configuration may lower the maximum, and raise it again. */
static void
test_another_maximum(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, 20, 20);
	window_limit(&window, 5);
	assert_int_equal(window.size, 5);
	window_succeed(&window, 3);
	assert_int_equal(window.size, 3);
	window_succeed(&window, 100);
	assert_int_equal(window.size, 4);
}

static void
test_extremes(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, UINT32_MAX, UINT32_MAX);
	assert_int_equal(window.size, WINDOW_MAX);
	window_succeed(&window, UINT32_MAX);
	assert_int_equal(window.size, WINDOW_MAX);
	window_fail(&window, UINT32_MAX);
	assert_int_equal(window.size, WINDOW_MAX / 2);
	assert_int_equal(window.before, WINDOW_MAX);
	assert_true(sizeof(window) <= 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_outcomes),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_another_maximum),
	    cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
