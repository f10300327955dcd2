/*
 * How a scenario goes.  A director, who is an actor too, looks in every half minute: operators act,
 * disks fill and are emptied, servers restart; then all is healed, and the queues must drain.
 */
#include "sim_scenario.h"

#include "base/id.h"
#include "sim_world.h"

enum {
	TICK_MS = 30000,
	STEPS_MAX = 60 * 1000 * 1000,
	DRAIN_SLACK_MS = 86400000,
	QUIET_MS = 120000,
	RESTLESS_PPM = 1000,
	FILLING_WAIT_S = 45,
	FILLING_TICKS = 4,
};

/* A message that the server promised; 0: none. */
static uint64_t
some_id(struct world *world, const struct town *town)
{
	unsigned count = oracle_letter_count(world->oracle);
	unsigned from = (unsigned)sim_chance(world->sim, count);

	for (unsigned i = 0; i < count; i++) {
		const struct oracle_letter *letter =
		    oracle_letter(world->oracle, 1 + (from + i) % count);

		if (letter->first != town->server || letter->try_count == 0)
			continue;
		if (letter->tries[letter->try_count - 1].state == TRY_PROMISED)
			return letter->tries[letter->try_count - 1].id;
	}
	return 0;
}

/* Whose servers are known only from mail, and whose domains are; one has a second host. */
static void
suspend(struct world *world, struct town *town)
{
	static const char *const destinations[] = {"provider mx1.one.example",
	    "provider mx2.one.example", "provider mx.three.example", "three.example", "mailboxes"};

	operator_suspend(town->operator,
	    destinations[sim_chance(world->sim, LEN(destinations))],
	    (unsigned)(30 + sim_chance(world->sim, 300)));
}

static void
act(struct world *world, struct town *town)
{
	static const char *const verbs[] = {"hold", "hold", "release", "retry", "retry", "delete",
	    "show"};
	uint64_t id = some_id(world, town);

	/* Beta may send mail through alpha. */
	if (town == &world->towns[1] && sim_chance(world->sim, 3) == 0)
		operator_reroute(town->operator,
		    sim_chance(world->sim, 2) ? "one.example" : "two.example",
		    sim_chance(world->sim, 3) ? "mx.alpha.example" : NULL);
	else if (sim_chance(world->sim, 5) == 0)
		suspend(world, town);
	else if (id)
		operator_do(town->operator, verbs[sim_chance(world->sim, LEN(verbs))], id);
}

/*
 * Deliveries to mailboxes are seldom under way when a disk gets full.  So they wait until it is,
 * and then there is room again.
 */
static void
fill(struct world *world, struct town *town)
{
	if (!world->filling) {
		world->filling = town;
		operator_suspend(town->operator, "mailboxes", FILLING_WAIT_S);
	} else if (++world->filling_ticks == 1) {
		sim_server_set_disk_bytes(world->filling->server, 1);
	} else if (world->filling_ticks == FILLING_TICKS) {
		sim_server_set_disk_bytes(world->filling->server, UINT64_C(1) << 30);
		world->filling = NULL;
		world->filling_ticks = 0;
	}
}

/* Something that no fault does, but that operators, and full disks, do. */
static void
disturb(struct world *world)
{
	struct town *town = &world->towns[sim_chance(world->sim, world->town_count)];
	uint64_t ticks = world->duration_ms / TICK_MS;

	if (world->filling || sim_chance(world->sim, 3 * ticks + 1) == 0)
		fill(world, town);
	else if (sim_chance(world->sim, ticks / 8 + 1) == 0)
		act(world, town);
	/* What was moved is found twice where the queue dies before the next checkpoint. */
	if (world->is_bulk && sim_chance(world->sim, ticks / 4 + 1) == 0)
		sim_server_kill_role(world->towns[0].server, PROC_QUEUE, 0);
	if (sim_chance(world->sim, 4 * ticks + 1) == 0)
		sim_server_restart(town->server);
	if (sim_chance(world->sim, ticks + 1) == 0)
		sim_server_set_disk_bytes(
		    town->server, (UINT64_C(3) << 20) + sim_chance(world->sim, 4 << 20));
	else if (sim_chance(world->sim, ticks / 2 + 1) == 0)
		sim_server_set_disk_bytes(town->server, UINT64_C(1) << 30);
}

static void
heal(struct world *world)
{
	world->mood.healed = true;
	world->healed_ms = world->quiet_ms = sim_now_ms(world->sim);
	sim_trace(world->sim, "healed");
	sim_heal(world->sim);
	if (world->late_ms)
		world_start_late(world);
	world->late_ms = 0;
	/* A spool that broke takes nothing until somebody looks after it. */
	for (size_t i = 0; i < world->town_count; i++) {
		if (witness_has_no_marks(
		        oracle_witness(world->oracle), world->towns[i].server))
			sim_server_restart(world->towns[i].server);
		operator_ask_total(world->towns[i].operator);
	}
}

static bool
clients_are_done(const struct world *world)
{
	for (size_t i = 0; i < world->town_count; i++) {
		const struct town *town = &world->towns[i];

		if (!hostile_is_done(town->hostile))
			return false;
		for (size_t j = 0; j < town->inside_count; j++)
			if (!sender_is_done(town->inside[j]))
				return false;
		for (size_t j = 0; j < town->outside_count; j++)
			if (!sender_is_done(town->outside[j]))
				return false;
	}
	return true;
}

static bool
queues_are_empty(const struct world *world)
{
	for (size_t i = 0; i < world->town_count; i++)
		if (operator_total(world->towns[i].operator) != 0)
			return false;
	return true;
}

/* The first message of the queue, where it is set aside and its damage is in the log; or 0. */
static uint64_t
damaged_aside(struct world *world, const struct town *town)
{
	const char *said = operator_said(town->operator);
	const char *aside = strstr(said, "\"aside\":");
	uint64_t id = 0;
	size_t end;

	/* One that a failing disk only did not give is released, and delivered. */
	if (!aside || strncmp(aside, "\"aside\":true", 12) != 0 ||
	    !strstr(said, "from the spool: damaged") ||
	    !span_starts(span_str(said), SPAN("{\"message\":{\"id\":\"")))
		return 0;
	said += sizeof("{\"message\":{\"id\":\"") - 1;
	end = span_find(span_str(said), '"');
	if (id_parse(span_of(said, end), &id) != OK ||
	    !witness_was_damaged(oracle_witness(world->oracle), town->server, id))
		return 0;
	return id;
}

/* Drained means: nobody has anything to send, and for a while every queue says that it is empty. */
static void
look_whether_drained(struct world *world, uint64_t now_ms)
{
	bool clients = clients_are_done(world);
	/* A clock that was put right may have been days ahead, and mail waits by it. */
	uint64_t slack_ms = sim_event_count(world->sim, SIM_CLOCK_JUMP) ? 7 * DRAIN_SLACK_MS
	                                                               : DRAIN_SLACK_MS;

	if (!clients || !queues_are_empty(world))
		world->quiet_ms = now_ms;
	else if (now_ms - world->quiet_ms > QUIET_MS)
		world->done = true;
	if (now_ms > world->healed_ms + 2 * world->expire_ms + slack_ms) {
		for (size_t i = 0; i < world->town_count; i++)
			sim_trace(world->sim, "%s has: %s", world->towns[i].host,
			    operator_said(world->towns[i].operator));
		sim_fail(world->sim, "property 11: %s",
		    clients ? "a queue does not drain"
			    : "a client does not get rid of its letters");
	}
	for (size_t i = 0; i < world->town_count && !world->done; i++) {
		uint64_t aside = damaged_aside(world, &world->towns[i]);

		if (aside)
			operator_do(world->towns[i].operator, "delete", aside);
		else if (now_ms / TICK_MS % 10 == i)
			operator_do(world->towns[i].operator, "release", 0);
		else
			operator_ask_total(world->towns[i].operator);
	}
}

static void
tick(struct io_timer *timer)
{
	struct world *world = timer->owner;
	uint64_t now_ms = sim_now_ms(world->sim);

	if (world->late_ms && now_ms > world->start_ms + world->late_ms) {
		world_start_late(world);
		world->late_ms = 0;
	}
	if (world->mood.healed)
		look_whether_drained(world, now_ms);
	else if (now_ms > world->start_ms + world->duration_ms)
		heal(world);
	else
		disturb(world);
	io_timer_start(world->director, &world->tick, TICK_MS);
}

static struct scenario_numbers
count_up(struct world *world)
{
	const struct oracle_numbers numbers = oracle_numbers(world->oracle);
	struct scenario_numbers sum = {
	    .hash = sim_trace_hash(world->sim),
	    .steps = sim_steps(world->sim),
	    .simulated_ms = sim_now_ms(world->sim) - world->start_ms,
	    .letters = oracle_letter_count(world->oracle),
	    .promised = numbers.promised,
	    .copies = numbers.copies,
	    .bounces = numbers.bounces,
	    .notices = numbers.notices,
	    .doubts = numbers.doubts,
	    .deleted = numbers.deleted,
	    .dropped = numbers.dropped,
	    .damaged = numbers.damaged,
	    .duplicates = numbers.duplicates,
	    .actor_faults = zone_faults(world->zone) + robots_faults(world->robots),
	};

	for (size_t i = 0; i < world->remote_count; i++)
		sum.actor_faults += remote_faults(world->remotes[i]);
	for (int i = 0; i < SIM_EVENT_COUNT; i++)
		sum.events[i] = sim_event_count(world->sim, (enum sim_event_kind)i);
	return sum;
}

struct scenario_numbers
scenario_run(const struct sim_options *options)
{
	struct world *world = mem_alloc(sizeof(*world));
	struct net_addr addr = world_addr(9, 0, 1);
	struct scenario_numbers numbers;

	world->sim = sim_create(options);
	world->oracle = oracle_create(world->sim);
	world->dice.state = options->seed;
	world->start_ms = sim_now_ms(world->sim);
	world->is_restless = options->faults.role_death >= RESTLESS_PPM;
	world_build(world);
	world->director = sim_actor_io(world->sim, &addr);
	world->tick = (struct io_timer){.fired = tick, .owner = world};
	io_timer_start(world->director, &world->tick, TICK_MS);
	while (!world->done && sim_step(world->sim))
		if (sim_steps(world->sim) > STEPS_MAX)
			sim_fail(world->sim, "property 11: no end after so many steps");
	check(world->done);
	oracle_check_end(world->oracle);
	numbers = count_up(world);
	world_destroy(world);
	sim_destroy(world->sim);
	mem_free(world);
	return numbers;
}
