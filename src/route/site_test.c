#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/check.h"
#include "route/site.h"
#include "route/window.h"

static struct conf_limits
unsaid(void)
{
	return (struct conf_limits){.connections_max = CONF_UNSAID,
	    .connections_start = CONF_UNSAID,
	    .rate_count = CONF_UNSAID,
	    .messages_max = CONF_UNSAID,
	    .rcpts_max = CONF_UNSAID};
}

/* As with the defaults. */
static struct conf
plain(void)
{
	return (struct conf){.host_connections_max = 50,
	    .provider_limits = true,
	    .limits = {.connections_max = 20,
	        .connections_start = 5,
	        .messages_max = CONF_UNSAID,
	        .rcpts_max = CONF_UNSAID},
	    .rcpt_per_transaction_max = 200,
	    .connection_messages_max = 100};
}

static void
assert_name(const struct conf *conf, const char *host, const char *expected)
{
	char bytes[ROUTE_SITE_NAME_MAX];

	assert_true(span_eq(
	    route_site_name(conf, span_str(host), bytes), span_str(expected)));
}

static void
a_host_is_of_a_site(void **state)
{
	struct conf_provider blocks[] = {{SPAN(".hoster.example"), true, unsaid()},
	    {SPAN("Gmail"), false, unsaid()}, {SPAN("mx1.google.com"), true, unsaid()}};
	struct conf conf = plain();

	(void)state;
	assert_name(&conf, "MX.Far.Example", "mx.far.example");
	assert_name(&conf, "a-example.mail.protection.outlook.com", "Microsoft 365");
	assert_name(&conf, "mx7.hoster.example", "mx7.hoster.example");
	conf.providers = blocks;
	conf.provider_count = LEN(blocks);
	assert_name(&conf, "mx7.hoster.example", ".hoster.example");
	assert_name(&conf, "mx2.google.com", "Gmail");
	/* What the configuration names counts more. */
	assert_name(&conf, "mx1.google.com", "mx1.google.com");
	/* No host is called so. */
	assert_name(&conf, "gmail", "gmail");
}

static void
a_site_has_what_the_first_says_who_says_anything(void **state)
{
	struct conf_provider block = {SPAN("Gmail"), false, unsaid()};
	struct conf conf = plain();
	struct route_site site;

	(void)state;
	route_site(&conf, SPAN("mx.far.example"), &site);
	assert_int_equal(site.connections_max, 50);
	assert_int_equal(site.connections_start, 5);
	assert_int_equal(site.connections_source, ROUTE_SITE_QUEUE);
	assert_int_equal(site.rate.count, 0);
	conf.host_connections_max = 0;
	route_site(&conf, SPAN("mx.far.example"), &site);
	assert_int_equal(site.connections_max, WINDOW_MAX);
	conf.host_connections_max = 3;
	route_site(&conf, SPAN("T-Online"), &site);
	assert_int_equal(site.connections_max, 3);
	assert_int_equal(site.connections_start, 3);
	route_site(&conf, SPAN("Yahoo Japan"), &site);
	assert_int_equal(site.connections_max, 2);
	assert_int_equal(site.connections_source, ROUTE_SITE_SHIPPED);
	assert_int_equal(site.rate.count, 10);
	assert_int_equal(site.rate_source, ROUTE_SITE_SHIPPED);
	conf.provider_limits = false;
	route_site(&conf, SPAN("Yahoo Japan"), &site);
	assert_int_equal(site.connections_max, 3);
	assert_int_equal(site.rate.count, 0);
	conf.provider_limits = true;
	conf.providers = &block;
	conf.provider_count = 1;
	block.limits.connections_max = 70;
	block.limits.connections_start = 60;
	route_site(&conf, SPAN("Gmail"), &site);
	assert_int_equal(site.connections_max, 70);
	assert_int_equal(site.connections_start, 60);
	assert_int_equal(site.connections_source, ROUTE_SITE_PROVIDER);
	assert_ptr_equal(site.block, &block);
	assert_int_equal(site.rate_source, ROUTE_SITE_QUEUE);
	block.limits.rate_count = 600;
	block.limits.rate_period_ms = 60000;
	block.limits.connections_start = CONF_UNSAID;
	block.limits.connections_max = 4;
	route_site(&conf, SPAN("Gmail"), &site);
	assert_int_equal(site.connections_start, 4);
	assert_int_equal(site.rate.count, 600);
	assert_int_equal(site.rate_source, ROUTE_SITE_PROVIDER);
}

static void
connections_and_transactions_are_as_long_as_is_wanted(void **state)
{
	struct conf_provider block = {SPAN("Comcast"), false, unsaid()};
	struct conf_destination own = {SPAN("far.example"), unsaid()};
	struct conf conf = plain();

	(void)state;
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("")), 100);
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("Yahoo")), 20);
	assert_int_equal(route_rcpts_max(&conf, SPAN("a.example"), SPAN("Yahoo")), 200);
	assert_int_equal(route_rcpts_max(&conf, SPAN("a.example"), SPAN("Comcast")), 100);
	/* Less, where all have less. */
	conf.connection_messages_max = 10;
	conf.rcpt_per_transaction_max = 50;
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("Yahoo")), 10);
	assert_int_equal(route_rcpts_max(&conf, SPAN("a.example"), SPAN("Comcast")), 50);
	conf.connection_messages_max = 0;
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("Yahoo")), 20);
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("x.example")), 0);
	conf.providers = &block;
	conf.provider_count = 1;
	block.limits.messages_max = 7;
	block.limits.rcpts_max = 300;
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("Comcast")), 7);
	assert_int_equal(route_rcpts_max(&conf, SPAN("a.example"), SPAN("Comcast")), 300);
	conf.destinations = &own;
	conf.destination_count = 1;
	assert_int_equal(route_messages_max(&conf, SPAN("far.example"), SPAN("Comcast")), 7);
	own.limits.messages_max = 0;
	own.limits.rcpts_max = 1;
	assert_int_equal(route_messages_max(&conf, SPAN("far.example"), SPAN("Comcast")), 0);
	assert_int_equal(route_rcpts_max(&conf, SPAN("far.example"), SPAN("Comcast")), 1);
	assert_int_equal(route_messages_max(&conf, SPAN("a.example"), SPAN("Comcast")), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_host_is_of_a_site),
	    cmocka_unit_test(a_site_has_what_the_first_says_who_says_anything),
	    cmocka_unit_test(connections_and_transactions_are_as_long_as_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
