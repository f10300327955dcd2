/* Limits as decisions, in virtual time. */
#include "proc/reception/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/check.h"

enum { SECOND = 1000 };

struct world {
	void *memory;
	struct limit_table table;
	struct conf conf;
};

static void
make(struct world *world)
{
	const uint64_t seed[2] = {3, 4};
	size_t bytes = limit_table_bytes(100);

	*world = (struct world){.memory = mem_alloc(bytes),
	    .conf = {.sessions_max = 1000,
		.sessions_per_host_max = 2,
		.sessions_per_network_max = 5,
		.ipv4_network_bits = 24,
		.ipv6_network_bits = 64,
		.rate_period_ms = 10 * SECOND,
		.errors_before_delay = 2,
		.error_delay_ms = 100,
		.error_delay_max_ms = 1000,
		.reception_bytes_max = 1 << 20,
		.stress_percent = 80}};
	limit_table_format(world->memory, seed);
	limit_table_open(&world->table, world->memory, bytes, 0);
}

static enum limit
enter(struct world *world, struct limit_client *client, const char *text, uint64_t now_ms)
{
	struct net_addr addr;

	*client = (struct limit_client){0};
	assert_int_equal(net_addr_parse(span_str(text), &addr), OK);
	return limit_enter(client, &world->table, &world->conf, &addr, false, now_ms);
}

static void
sessions_of_hosts_and_networks(void **state)
{
	struct limit_client clients[10];
	struct world world;

	(void)state;
	make(&world);
	assert_int_equal(enter(&world, &clients[0], "192.0.2.1", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[1], "192.0.2.1", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[2], "192.0.2.1", 0), LIMIT_SESSIONS_HOST);
	assert_int_equal(enter(&world, &clients[3], "192.0.2.2", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[4], "192.0.2.2", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[5], "192.0.2.255", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[6], "192.0.2.4", 0), LIMIT_SESSIONS_NETWORK);
	assert_int_equal(enter(&world, &clients[7], "192.0.3.4", 0), LIMIT_COUNT);
	limit_leave(&clients[0], &world.table);
	/* Nobody leaves twice, nor without having been let in. */
	limit_leave(&clients[0], &world.table);
	limit_leave(&clients[2], &world.table);
	limit_leave(&clients[6], &world.table);
	assert_int_equal(enter(&world, &clients[0], "192.0.2.4", 0), LIMIT_COUNT);
	assert_int_equal(enter(&world, &clients[2], "192.0.2.9", 0), LIMIT_SESSIONS_NETWORK);
	/* 64 bits of IPv6 are one network. */
	for (unsigned i = 0; i < 5; i++) {
		char text[] = "2001:db8:0:1:0::1";

		text[strlen(text) - 1] = (char)('1' + i);
		assert_int_equal(enter(&world, &clients[0], text, 0), LIMIT_COUNT);
	}
	assert_int_equal(enter(&world, &clients[0], "2001:db8:0:1:ffff::9", 0),
	    LIMIT_SESSIONS_NETWORK);
	assert_int_equal(enter(&world, &clients[0], "2001:db8:0:2::1", 0), LIMIT_COUNT);
	mem_free(world.memory);
}

/* Behind a proxy the address comes late: it is judged anew, and the first one forgotten. */
static void
another_address(void **state)
{
	struct limit_client proxy, client;
	struct net_addr addr;
	struct world world;

	(void)state;
	make(&world);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(enter(&world, &proxy, "192.0.2.1", 0), LIMIT_COUNT);
		assert_int_equal(net_addr_parse(SPAN("198.51.100.7"), &addr), OK);
		assert_int_equal(limit_enter(&proxy, &world.table, &world.conf, &addr, false, 0),
		    i < 2 ? LIMIT_COUNT : LIMIT_SESSIONS_HOST);
	}
	assert_int_equal(enter(&world, &client, "192.0.2.1", 0), LIMIT_COUNT);
	assert_int_equal(limit_enter(&client, &world.table, &world.conf, &addr, true, 0),
	    LIMIT_COUNT);
	mem_free(world.memory);
}

static void
rates(void **state)
{
	struct limit_client client;
	struct world world;
	unsigned taken = 0, connected = 0;

	(void)state;
	make(&world);
	world.conf.messages_per_host_rate = 20;
	world.conf.messages_per_network_rate = 1000;
	world.conf.connections_per_network_rate = 10;
	assert_int_equal(enter(&world, &client, "192.0.2.1", 0), LIMIT_COUNT);
	for (uint64_t now_ms = 0; now_ms < 10 * SECOND; now_ms += 20)
		taken += limit_take(&client, &world.table, &world.conf, LIMIT_RATE_MESSAGES,
		             now_ms) == LIMIT_COUNT;
	assert_int_equal(taken, 20);
	assert_int_equal(limit_take(&client, &world.table, &world.conf, LIMIT_RATE_MESSAGES, 9999),
	    LIMIT_MESSAGES_HOST);
	/* Recipients have no limit here. */
	for (int i = 0; i < 1000; i++)
		assert_int_equal(limit_take(&client, &world.table, &world.conf,
		                     LIMIT_RATE_RECIPIENTS, 0), LIMIT_COUNT);
	limit_leave(&client, &world.table);
	for (uint64_t now_ms = 20 * SECOND; now_ms < 30 * SECOND; now_ms += 20) {
		enum limit limit = enter(&world, &client, "192.0.2.77", now_ms);

		assert_true(limit == LIMIT_COUNT || limit == LIMIT_CONNECTIONS_NETWORK);
		connected += limit == LIMIT_COUNT;
		limit_leave(&client, &world.table);
	}
	assert_int_equal(connected, 10);
	mem_free(world.memory);
}

static void
failures_keep_a_host_out_for_a_while(void **state)
{
	struct limit_client client;
	struct world world;

	(void)state;
	make(&world);
	world.conf.failures_per_host_rate = 10;
	assert_int_equal(enter(&world, &client, "192.0.2.1", 0), LIMIT_COUNT);
	for (int i = 0; i < 100; i++)
		limit_failed(&client, &world.table, &world.conf, 0);
	limit_leave(&client, &world.table);
	assert_int_equal(enter(&world, &client, "192.0.2.1", 5 * SECOND), LIMIT_FAILURES_HOST);
	assert_int_equal(enter(&world, &client, "192.0.2.2", 5 * SECOND), LIMIT_COUNT);
	limit_leave(&client, &world.table);
	assert_int_equal(enter(&world, &client, "192.0.2.1", 10 * SECOND), LIMIT_COUNT);
	mem_free(world.memory);
}

static void
errors_are_answered_later_and_later(void **state)
{
	struct world world;

	(void)state;
	make(&world);
	assert_int_equal(limit_error_delay_ms(&world.conf, 0, 2), 0);
	assert_int_equal(limit_error_delay_ms(&world.conf, 2, 3), 100);
	assert_int_equal(limit_error_delay_ms(&world.conf, 3, 4), 200);
	assert_int_equal(limit_error_delay_ms(&world.conf, 0, 4), 300);
	assert_int_equal(limit_error_delay_ms(&world.conf, 8, 9), 700);
	assert_int_equal(limit_error_delay_ms(&world.conf, 50, 51), 1000);
	assert_int_equal(limit_error_delay_ms(&world.conf, 0, UINT64_MAX), 1000);
	world.conf.error_delay_ms = 0;
	assert_int_equal(limit_error_delay_ms(&world.conf, 0, 1000), 0);
	mem_free(world.memory);
}

static void
stress_begins_and_ends(void **state)
{
	struct limit_stress stress = {0};
	struct world world;

	(void)state;
	make(&world);
	assert_false(limit_stress_update(&stress, &world.conf, 799, 0, 5));
	assert_int_equal(limit_stress_time(&stress, 300000), 300000);
	assert_true(limit_stress_update(&stress, &world.conf, 800, 0, 5));
	assert_true(stress.on);
	assert_int_equal(limit_stress_time(&stress, 300000), 30000);
	assert_int_equal(limit_stress_time(&stress, 20000), 10000);
	assert_int_equal(limit_stress_time(&stress, 5000), 5000);
	assert_int_equal(limit_stress_count(&stress, 20), 5);
	assert_int_equal(limit_stress_count(&stress, 2), 2);
	assert_int_equal(limit_stress_count(&stress, 0), 0);
	/* It doesn't flap: it ends a quarter lower. */
	assert_false(limit_stress_update(&stress, &world.conf, 700, 0, 6));
	assert_false(limit_stress_update(&stress, &world.conf, 600, 0, 6));
	assert_true(limit_stress_update(&stress, &world.conf, 599, 0, 6));
	assert_false(stress.on);
	assert_true(limit_stress_update(&stress, &world.conf, 0, 900 << 10, 7));
	world.conf.stress_percent = 0;
	assert_true(limit_stress_update(&stress, &world.conf, 1000, 1 << 20, 8));
	assert_false(stress.on);
	mem_free(world.memory);
}

/* The limits that the SMTP machine holds are counted by their replies. */
static void
replies_name_their_limits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		assert_non_null(limit_name((enum limit)i));
	assert_int_equal(limit_of_reply(REPLY_NO_PROGRESS), LIMIT_IDLE_COMMANDS);
	assert_int_equal(limit_of_reply(REPLY_DATA_TOO_SLOW), LIMIT_TRANSFER);
	assert_int_equal(limit_of_reply(REPLY_BARE_LINE_END), LIMIT_LINE_ENDS);
	assert_int_equal(limit_of_reply(REPLY_BARE_LINE_END_IN_DATA), LIMIT_LINE_ENDS);
	assert_int_equal(limit_of_reply(REPLY_USER_UNKNOWN), LIMIT_COUNT);
	assert_int_equal(limit_of_reply(REPLY_COUNT), LIMIT_COUNT);
	assert_int_equal(limit_reply(LIMIT_SESSIONS_NETWORK), REPLY_TOO_MANY_FROM_NETWORK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sessions_of_hosts_and_networks),
	    cmocka_unit_test(another_address),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(failures_keep_a_host_out_for_a_while),
	    cmocka_unit_test(errors_are_answered_later_and_later),
	    cmocka_unit_test(stress_begins_and_ends),
	    cmocka_unit_test(replies_name_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
