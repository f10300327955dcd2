#include "base/date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/check.h"

static const struct {
	const char *text;
	uint64_t wall_ms;
	const char *written;
} dates[] = {
    {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
    {"1970-01-01T00:00:01.5Z", 1500, "1970-01-01T00:00:01Z"},
    {"1999-12-31T23:59:59Z", 946684799000, "1999-12-31T23:59:59Z"},
    {"2000-02-29T12:00:00Z", 951825600000, "2000-02-29T12:00:00Z"},
    {"2026-11-27T03:48:26Z", 1795751306000, "2026-11-27T03:48:26Z"},
    {"2026-11-27t04:48:26.0000009+01:00", 1795751306000, "2026-11-27T03:48:26Z"},
    {"2026-11-26T22:48:26-05:00", 1795751306000, "2026-11-27T03:48:26Z"},
    {"2100-03-01T00:00:00z", 4107542400000, "2100-03-01T00:00:00Z"},
    {"2016-12-31T23:59:60Z", 1483228800000, "2017-01-01T00:00:00Z"},
    {"9999-12-31T23:59:59Z", 253402300799000, "9999-12-31T23:59:59Z"},
    {"1970-01-01T00:30:00+01:00", 0, "1970-01-01T00:00:00Z"},
};

static void
dates_are_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(dates); i++) {
		uint64_t wall_ms = 1;
		struct buf out;

		assert_true(date_read(span_str(dates[i].text), &wall_ms));
		assert_int_equal(wall_ms, dates[i].wall_ms);
		buf_init(&out, 32);
		date_write(&out, wall_ms);
		buf_add_char(&out, '\0');
		assert_int_equal(buf_finish(&out), OK);
		assert_string_equal(out.ptr, dates[i].written);
		buf_reset(&out);
		date_write_day(&out, dates[i].wall_ms);
		assert_true(span_eq(buf_span(&out), span_first(span_str(dates[i].written), 10)));
		buf_reset(&out);
		date_write_ms(&out, dates[i].wall_ms + 7);
		assert_true(span_eq(
		    span_first(buf_span(&out), 19), span_first(span_str(dates[i].written), 19)));
		assert_true(span_eq(
		    span_skip(buf_span(&out), 19),
		    wall_ms == 1500 ? SPAN(".507Z") : SPAN(".007Z")));
		buf_fini(&out);
	}
}

/* "Friday" of the day, and that nothing is later than the last year of four digits. */
static void
weekdays_and_the_end(void **state)
{
	(void)state;
	assert_int_equal(date_of(0).weekday, 4);
	assert_int_equal(date_of(1795751306000).weekday, 5);
	assert_int_equal(date_of(UINT64_MAX).year, 9999);
	assert_int_equal(date_of(UINT64_MAX).ms, 999);
}

static void
what_is_none_is_refused(void **state)
{
	static const char *const texts[] = {"", "2026-11-27", "2026-11-27T03:48:26",
	    "2026-11-27T03:48Z", "1969-12-31T23:59:59Z", "2026-02-29T00:00:00Z",
	    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
	    "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
	    "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+24:00",
	    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00ZZ", "+026-01-01T00:00:00Z",
	    "2100-02-29T00:00:00Z"};
	uint64_t wall_ms;

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++)
		assert_false(date_read(span_str(texts[i]), &wall_ms));
}

static void
a_day_alone_is_read(void **state)
{
	static const char *const none[] = {"", "2026-11-2", "2026-11-27T", "2026-02-29",
	    "2026-11-271", "26-11-27", "2026-11-27 "};
	uint64_t wall_ms;

	(void)state;
	assert_true(date_read_day(SPAN("2026-11-27"), &wall_ms));
	assert_int_equal(wall_ms, UINT64_C(1795737600000));
	assert_true(date_read_day(SPAN("1970-01-02"), &wall_ms));
	assert_int_equal(wall_ms, 86400000);
	for (size_t i = 0; i < LEN(none); i++)
		assert_false(date_read_day(span_str(none[i]), &wall_ms));
}

/* Each day of 400 years and more, there and back. */
static void
every_day_comes_back(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 150000; day++) {
		uint64_t wall_ms = day * 86400000 + 1000, again;
		struct buf out;

		buf_init(&out, DATE_TEXT_BYTES);
		date_write(&out, wall_ms);
		assert_int_equal(buf_finish(&out), OK);
		assert_true(date_read(buf_span(&out), &again));
		assert_int_equal(again, wall_ms);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(dates_are_read_and_written),
	    cmocka_unit_test(weekdays_and_the_end),
	    cmocka_unit_test(what_is_none_is_refused),
	    cmocka_unit_test(a_day_alone_is_read),
	    cmocka_unit_test(every_day_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
