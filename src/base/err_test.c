/* Errors have texts, and errno values find their nearest error. */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
each_error_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (int a = 0; a < ERR_COUNT; a++) {
		assert_true(strlen(err_text((enum err)a)) > 0);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(
			    err_text((enum err)a), err_text((enum err)b));
	}
	assert_string_equal(err_text((enum err)ERR_COUNT), "unknown error");
	assert_string_equal(err_text((enum err) - 1), "unknown error");
}

static void
errno_becomes_the_nearest_error(void **state)
{
	(void)state;
	assert_int_equal(err_from_errno(0), OK);
	assert_int_equal(err_from_errno(ENOSPC), ERR_NO_SPACE);
	assert_int_equal(err_from_errno(EPIPE), ERR_CLOSED);
	assert_int_equal(err_from_errno(EMFILE), ERR_DESCRIPTORS);
	/* What has no row is an error still, never OK. */
	for (int errnum = 1; errnum < 200; errnum++)
		assert_int_not_equal(err_from_errno(errnum), OK);
	assert_int_equal(err_from_errno(EIO), ERR_IO);
	assert_int_equal(err_from_errno(-1), ERR_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_error_has_a_text_of_its_own),
	    cmocka_unit_test(errno_becomes_the_nearest_error),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
