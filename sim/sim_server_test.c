/* A whole server in the world: it starts, dies, loses power, and the same each time. */
#include "sim/test_sim.h"

enum {
	STEPS = 20000,
	ROLES = 10, /* each once, and a second reception */
	TWICE = 2 * ROLES
};

static const char conf[] = "hostname mx.example.org\n"
			   "accept mail for example.org\n"
			   "mailboxes from mailboxes\n"
			   "deliver to maildir /mail as vmail\n"
			   "spool /spool\n"
			   "listen smtp on *:25\n"
			   "reception processes 2\n"
			   "delivery processes 1\n"
			   "queue { segment size 1 MB }\n";

static struct sim_server *
start(struct sim **sim, const struct sim_options *options)
{
	const struct net_addr addr = {.family = 4, .bytes = {192, 0, 2, 1}};
	const struct sim_file file = {
	    "/etc/postrider/mailboxes", SPAN("bob@example.org: bob\n")};

	*sim = sim_create(options);
	return sim_server_add(*sim, "mx", &addr, span_str(conf), &file, 1);
}

static bool
becomes_whole(struct sim *sim, const struct sim_server *server)
{
	for (int i = 0; i < STEPS; i++) {
		if (sim_server_is_whole(server))
			return true;
		if (!sim_step(sim))
			return false;
	}
	return false;
}

static struct sim_options
calm(uint64_t seed)
{
	return (struct sim_options){.seed = seed,
	    .role_memory_max = UINT64_C(64) << 20,
	    .sync_us_max = 5000,
	    .net_us_max = 20000,
	    .ipc_us_max = 100};
}

static void
every_role_starts(void **state)
{
	const struct sim_options options = calm(1);
	struct sim_server *server;
	struct sim *sim;
	uint64_t peak;

	(void)state;
	server = start(&sim, &options);
	assert_null(sim_server_queue(server));
	assert_true(becomes_whole(sim, server));
	assert_non_null(sim_server_queue(server));
	assert_true(sim_server_memory(server, PROC_QUEUE, 0, &peak) > 1000);
	assert_true(peak > 1000);
	assert_int_equal(sim_event_count(sim, SIM_ROLE_STARTED), ROLES);
	sim_destroy(sim);
}

static void
a_role_that_dies_starts_again(void **state)
{
	const struct sim_options options = calm(2);
	struct sim_server *server;
	struct sim *sim;
	uint64_t before_ms;

	(void)state;
	server = start(&sim, &options);
	assert_true(becomes_whole(sim, server));
	before_ms = sim_now_ms(sim);
	sim_server_kill_role(server, PROC_QUEUE, 0);
	assert_false(sim_server_is_whole(server));
	assert_null(sim_server_queue(server));
	assert_true(becomes_whole(sim, server));
	assert_in_range(sim_now_ms(sim) - before_ms, 100, 200);
	assert_int_equal(sim_event_count(sim, SIM_ROLE_DIED), 1);
	sim_destroy(sim);
}

static void
nothing_runs_without_power(void **state)
{
	const struct sim_options options = calm(3);
	struct sim_server *server;
	struct sim *sim;

	(void)state;
	server = start(&sim, &options);
	assert_true(becomes_whole(sim, server));
	sim_server_power_cut(server);
	assert_false(sim_server_is_on(server));
	while (sim_step(sim))
		assert_null(sim_server_queue(server));
	sim_server_power_on(server);
	assert_true(becomes_whole(sim, server));
	sim_destroy(sim);
}

static void
it_stops_in_order_and_starts_again(void **state)
{
	const struct sim_options options = calm(4);
	struct sim_server *server;
	struct sim *sim;

	(void)state;
	server = start(&sim, &options);
	assert_true(becomes_whole(sim, server));
	sim_server_restart(server);
	assert_true(sim_step(sim));
	for (int i = 0; i < STEPS && sim_event_count(sim, SIM_ROLE_STARTED) < TWICE; i++)
		assert_true(sim_step(sim));
	assert_true(sim_server_is_whole(server));
	assert_int_equal(sim_event_count(sim, SIM_ROLE_ENDED), ROLES);
	assert_int_equal(sim_event_count(sim, SIM_ROLE_DIED), 0);
	sim_destroy(sim);
}

static void
a_bad_configuration_is_refused_at_a_reload(void **state)
{
	const struct sim_options options = calm(5);
	struct sim_server *server;
	struct sim *sim;

	(void)state;
	server = start(&sim, &options);
	assert_true(becomes_whole(sim, server));
	assert_false(sim_server_reload(server, SPAN("hostnme x\n")));
	assert_true(sim_server_reload(server, span_str(conf)));
	assert_true(becomes_whole(sim, server));
	sim_destroy(sim);
}

static uint64_t
hash_of(uint64_t seed)
{
	struct sim_options options = calm(seed);
	struct sim *sim;
	uint64_t hash;

	options.faults = (struct sim_faults){
	    .role_death = 3000, .power_cut = 1000, .clock_jump = 1000, .sync_error = 10000};
	(void)start(&sim, &options);
	for (int i = 0; i < STEPS && sim_step(sim); i++)
		;
	assert_true(sim_event_count(sim, SIM_ROLE_DIED) > 0);
	assert_true(sim_event_count(sim, SIM_POWER_CUT) > 0);
	hash = sim_trace_hash(sim);
	sim_destroy(sim);
	return hash;
}

static void
a_seed_gives_the_same_run_twice(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		assert_true(hash_of(seed) == hash_of(seed));
		assert_true(hash_of(seed) != hash_of(seed + 1));
	}
}

static void
a_seed_gives_the_same_mix_twice(void **state)
{
	unsigned faulty = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		const struct sim_options a = sim_options_from_seed(seed);
		const struct sim_options b = sim_options_from_seed(seed);

		assert_memory_equal(&a.faults, &b.faults, sizeof(a.faults));
		faulty += a.faults.power_cut > 0;
	}
	assert_in_range(faulty, 10, 90);
}

static void
chance_is_even(void **state)
{
	const struct sim_options options = calm(9);
	struct sim *sim = sim_create(&options);
	unsigned counts[10] = {0}, happened = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		counts[sim_chance(sim, 10)]++;
		happened += sim_happens(sim, 100000);
		assert_false(sim_happens(sim, 0));
		assert_in_range(sim_delay_us(sim, 50), 1, 50);
	}
	for (size_t i = 0; i < 10; i++)
		assert_in_range(counts[i], 850, 1150);
	assert_in_range(happened, 850, 1150);
	sim_destroy(sim);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_role_starts),
	    cmocka_unit_test(a_role_that_dies_starts_again),
	    cmocka_unit_test(nothing_runs_without_power),
	    cmocka_unit_test(it_stops_in_order_and_starts_again),
	    cmocka_unit_test(a_bad_configuration_is_refused_at_a_reload),
	    cmocka_unit_test(a_seed_gives_the_same_run_twice),
	    cmocka_unit_test(a_seed_gives_the_same_mix_twice),
	    cmocka_unit_test(chance_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
