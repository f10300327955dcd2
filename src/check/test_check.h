/* For the tests of this folder: what a report says, as one line of keys. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/check.h"
#include "check/check.h"

static inline void
assert_findings(const struct check_report *report, const char *keys)
{
	char text[2000] = "";
	size_t used = 0;

	for (size_t i = 0; i < report->finding_count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
		    check_key(report->findings[i].id));
	assert_string_equal(text, keys);
}
