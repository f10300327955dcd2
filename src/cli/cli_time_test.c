/* What people write as a time, and what of it is none. */
#include "cli/cli_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

/* 2026-11-26 12:30:00 UTC */
static const uint64_t now = UINT64_C(1795696200000);

static void
times_are_understood(void **state)
{
	static const struct {
		const char *text, *from;
		uint64_t length_ms;
	} cases[] = {
	    {"09:07", "2026-11-26T09:07:00.000Z", 60000},
	    {"9:07", "2026-11-26T09:07:00.000Z", 60000},
	    {"13:00", "2026-11-25T13:00:00.000Z", 60000},
	    {"09:07:30", "2026-11-26T09:07:30.000Z", 1000},
	    {"2026-11-25 09:07", "2026-11-25T09:07:00.000Z", 60000},
	    {"2026-11-25T09:07:08Z", "2026-11-25T09:07:08.000Z", 1000},
	    {"2024-02-29", "2024-02-29T00:00:00.000Z", 86400000},
	    {"today", "2026-11-26T00:00:00.000Z", 86400000},
	    {"yesterday", "2026-11-25T00:00:00.000Z", 86400000},
	    {"yesterday 23:59", "2026-11-25T23:59:00.000Z", 60000},
	    {"2h", "2026-11-26T10:30:00.000Z", 7200001},
	    {"90 min ago", "2026-11-26T11:00:00.000Z", 5400001},
	    {"3d", "2026-11-23T12:30:00.000Z", 259200001},
	    {"5m", "2026-11-26T12:25:00.000Z", 300001},
	    {"45s", "2026-11-26T12:29:15.000Z", 45001},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct cli_moment moment;
		struct buf out;

		if (!cli_time_parse(cases[i].text, now, &moment))
			fail_msg("%s is not understood", cases[i].text);
		buf_init(&out, 64);
		cli_time_write_json(&out, moment.from_ms);
		assert_true(span_eq(buf_span(&out), span_str(cases[i].from)));
		assert_int_equal(
		    moment.until_ms - moment.from_ms + 1, cases[i].length_ms);
		buf_fini(&out);
	}
}

static void
what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {"", "9", "24:00", "09:60", "09:07:61", "noon",
	    "2026-13-01", "2026-02-30", "26-11-26", "2026-11-26 9", "2h30", "h", "-2h",
	    "100000000d", "yesterday evening", "09:07 2026-11-26"};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct cli_moment moment;

		if (cli_time_parse(cases[i], now, &moment))
			fail_msg("\"%s\" is taken as a time", cases[i]);
	}
}

static void
times_are_written(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	cli_time_write(&out, now, now);
	assert_true(span_eq(buf_span(&out), SPAN("26 Nov 12:30:00 UTC")));
	buf_reset(&out);
	cli_time_write(&out, UINT64_C(1000) * 86400, now);
	assert_true(span_eq(buf_span(&out), SPAN("2 Jan 1970 00:00:00 UTC")));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(times_are_understood),
	    cmocka_unit_test(what_is_no_time_is_refused),
	    cmocka_unit_test(times_are_written),
	};

	return cmocka_run_group_tests_name("cli_time", tests, NULL, NULL);
}
