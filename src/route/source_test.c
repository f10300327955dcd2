/* Which address mail leaves from. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "route/source.h"

#include "base/check.h"

static struct conf_source sources[] = {
    {.addr = {.family = 4, .bytes = {192, 0, 2, 1}}, .weight = 3, .sender = {"", 0}},
    {.addr = {.family = 4, .bytes = {192, 0, 2, 2}}, .weight = 1, .sender = {"", 0}},
    {.addr = {.family = 6, .bytes = {0x20}}, .weight = 1, .sender = {"", 0}},
    {.addr = {.family = 4, .bytes = {192, 0, 2, 3}}, .weight = 1, .sender = {"news.example", 12}},
    {.addr = {.family = 4, .bytes = {192, 0, 2, 4}}, .weight = 1, .sender = {".news.example", 13}},
};

static unsigned
chosen(const char *domain, uint8_t family, uint64_t chance)
{
	const struct conf conf = {.sources = sources, .source_count = LEN(sources)};
	const struct conf_source *source = route_source(&conf, span_str(domain), family, chance);

	return source ? (unsigned)(source - sources) : 99;
}

static void
a_pool_is_used_by_weight(void **state)
{
	(void)state;
	assert_int_equal(chosen("home.example", 4, 0), 0);
	assert_int_equal(chosen("home.example", 4, 2), 0);
	assert_int_equal(chosen("home.example", 4, 3), 1);
	assert_int_equal(chosen("home.example", 4, 4), 0);
	assert_int_equal(chosen("home.example", 4, UINT64_MAX), 1);
	assert_int_equal(chosen("", 6, 7), 2);
}

static void
senders_have_their_own(void **state)
{
	(void)state;
	assert_int_equal(chosen("News.example", 4, 5), 3);
	assert_int_equal(chosen("a.news.example", 4, 5), 4);
	/* Of the other kind they have none: that of all. */
	assert_int_equal(chosen("news.example", 6, 5), 2);
}

static void
the_system_chooses_where_nothing_is_said(void **state)
{
	const struct conf empty = {.source_count = 0};
	const struct conf own = {.sources = &sources[3], .source_count = 1};

	(void)state;
	assert_null(route_source(&empty, SPAN("home.example"), 4, 1));
	assert_null(route_source(&own, SPAN("home.example"), 4, 1));
	assert_non_null(route_source(&own, SPAN("news.example"), 4, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pool_is_used_by_weight),
	    cmocka_unit_test(senders_have_their_own),
	    cmocka_unit_test(the_system_chooses_where_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
