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
    {.addr = {.family = 4, .bytes = {192, 0, 2, 5}}, .weight = 1, .sender = {"", 0},
	.pool = {"bulk", 4}},
    {.addr = {.family = 4, .bytes = {192, 0, 2, 6}}, .weight = 2, .sender = {"a.example", 9},
	.pool = {"bulk", 4}},
    {.addr = {.family = 4, .bytes = {192, 0, 2, 6}}, .weight = 5, .sender = {"b.example", 9},
	.pool = {"bulk", 4}},
};

enum { SYSTEM = 99, NONE, MAY_NOT };

static unsigned
found(const struct conf *conf, const struct route_source_asked *asked)
{
	const struct conf_source *source;

	switch (route_source(conf, asked, &source)) {
	case ROUTE_SOURCE_THIS:
		return (unsigned)(source - sources);
	case ROUTE_SOURCE_SYSTEM:
		assert_null(source);
		return SYSTEM;
	case ROUTE_SOURCE_NONE:
		assert_null(source);
		return NONE;
	case ROUTE_SOURCE_MAY_NOT:
		assert_null(source);
		return MAY_NOT;
	}
	return 0;
}

static unsigned
of_pool(const char *pool, const char *domain, uint8_t family, uint64_t chance)
{
	const struct conf conf = {.sources = sources, .source_count = LEN(sources)};
	const struct route_source_asked asked = {.pool = span_str(pool),
	    .sender_domain = span_str(domain),
	    .family = family,
	    .chance = chance};

	return found(&conf, &asked);
}

static unsigned
chosen(const char *domain, uint8_t family, uint64_t chance)
{
	return of_pool("", domain, family, chance);
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
a_message_names_its_pool(void **state)
{
	const struct conf conf = {.sources = sources, .source_count = LEN(sources)};

	(void)state;
	assert_true(route_pool_is_known(&conf, SPAN("Bulk")));
	assert_false(route_pool_is_known(&conf, SPAN("bul")));
	assert_false(route_pool_is_known(&conf, SPAN("")));
	/* Whatever the sender; an address that is in it twice counts once. */
	assert_int_equal(of_pool("BULK", "news.example", 4, 0), 5);
	assert_int_equal(of_pool("bulk", "", 4, 1), 6);
	assert_int_equal(of_pool("bulk", "", 4, 2), 6);
	assert_int_equal(of_pool("bulk", "", 4, 3), 5);
	/* It has no address of the other kind, and nothing leaves from another pool's. */
	assert_int_equal(of_pool("bulk", "", 6, 0), NONE);
	/* One that is no more. */
	assert_int_equal(of_pool("gone", "news.example", 4, 0), 3);
	assert_int_equal(chosen("b.example", 4, 1), 7);
}

static bool
is_one_of(const void *owner, const struct conf_source *source)
{
	return (*(const unsigned *)owner >> (source - sources)) & 1;
}

static void
those_that_may_not_are_passed_over(void **state)
{
	const struct conf conf = {.sources = sources, .source_count = LEN(sources)};
	unsigned bits = 1 << 1 | 1 << 3;
	struct route_source_asked asked = {.pool = SPAN(""),
	    .sender_domain = SPAN("home.example"),
	    .family = 4,
	    .may = is_one_of,
	    .owner = &bits};

	(void)state;
	for (asked.chance = 0; asked.chance < 5; asked.chance++)
		assert_int_equal(found(&conf, &asked), 1);
	bits = 1 << 3;
	assert_int_equal(found(&conf, &asked), MAY_NOT);
	/* Who has a pool of its own does not take from that of all. */
	bits = 1;
	asked.sender_domain = SPAN("news.example");
	assert_int_equal(found(&conf, &asked), MAY_NOT);
	assert_true(route_source_fits(&conf, &asked, &sources[3]));
	assert_false(route_source_fits(&conf, &asked, &sources[0]));
}

static void
the_system_chooses_where_nothing_is_said(void **state)
{
	const struct conf empty = {.source_count = 0};
	const struct conf own = {.sources = &sources[3], .source_count = 1};
	struct route_source_asked asked = {
	    .pool = SPAN(""), .sender_domain = SPAN("home.example"), .family = 4, .chance = 1};

	(void)state;
	assert_int_equal(found(&empty, &asked), SYSTEM);
	assert_int_equal(found(&own, &asked), SYSTEM);
	asked.sender_domain = SPAN("news.example");
	assert_int_equal(found(&own, &asked), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_pool_is_used_by_weight),
	    cmocka_unit_test(senders_have_their_own),
	    cmocka_unit_test(a_message_names_its_pool),
	    cmocka_unit_test(those_that_may_not_are_passed_over),
	    cmocka_unit_test(the_system_chooses_where_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
