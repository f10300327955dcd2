/*
 * Programs that mail is handed to.  In a good mood they take it and end with 0; in a bad one they
 * take it and die, do not take it and say so, are not there, or never end.
 */
#include <stdio.h>
#include <sysexits.h>

#include "base/arena.h"
#include "sim_actors.h"

enum { RUN_US_MAX = 3000000, SLOW_US_MAX = 400000000, SIGSEGV_STATUS = 139 };

struct robots {
	struct oracle *oracle;
	const struct mood *mood;
	struct sim_programs programs;
	uint64_t faults;
};

/* The value of a variable. */
static struct span
variable(const char *const *envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return span_str(*envp + len + 1);
	return SPAN("");
}

static void
misbehave(struct robots *robots, struct sim_plan *plan)
{
	struct sim *sim = oracle_sim(robots->oracle);

	robots->faults++;
	plan->deaf = sim_chance(sim, 2);
	switch (sim_chance(sim, 8)) {
	case 0:
		plan->err = ERR_NOT_FOUND;
		break;
	case 1: /* whether it has the message by then or not */
		plan->takes = sim_chance(sim, 2);
		plan->ends_us = 0;
		break;
	case 2:
		plan->takes = sim_chance(sim, 2);
		plan->status = SIGSEGV_STATUS;
		break;
	case 3:
		plan->takes = false;
		plan->status = EX_NOUSER;
		plan->says = SPAN("nobody here\n\377\001");
		break;
	case 4:
		plan->takes = false;
		plan->status = EX_CONFIG;
		plan->says = SPAN("4.3.2 not yet");
		break;
	case 5: /* its time may be over before */
		plan->ends_us = sim_chance(sim, SLOW_US_MAX);
		plan->takes_us = sim_chance(sim, plan->ends_us + 1);
		break;
	default:
		plan->takes = false;
		plan->status = EX_TEMPFAIL;
		break;
	}
}

static struct sim_plan
make_plan(void *owner, struct sim_server *server, const char *const *envp)
{
	struct robots *robots = owner;
	struct sim *sim = oracle_sim(robots->oracle);
	struct sim_plan plan = {.takes = true, .says = SPAN("")};

	(void)server;
	(void)envp;
	plan.ends_us = 1 + sim_chance(sim, RUN_US_MAX);
	plan.takes_us = sim_chance(sim, plan.ends_us);
	if (!robots->mood->healed && sim_happens(sim, robots->mood->program_ppm))
		misbehave(robots, &plan);
	sim_trace(sim, "program for %.*s: %s, status %d", SPAN_ARGS(variable(envp, "RECIPIENT")),
	    plan.takes ? "takes it" : "does not take it", plan.status);
	return plan;
}

static void
took(void *owner, struct sim_server *server, const char *const *envp, struct span input)
{
	struct robots *robots = owner;
	struct span to = variable(envp, "RECIPIENT");
	const struct oracle_mail mail = {
	    .from = variable(envp, "SENDER"),
	    .bytes = input,
	    .rcpts = &to,
	    .rcpt_count = 1,
	    .where = sim_server_name(server),
	    .replied = true,
	};

	oracle_program_took(robots->oracle, &mail);
}

struct robots *
robots_create(struct oracle *oracle, const struct mood *mood)
{
	struct robots *robots = mem_alloc(sizeof(*robots));

	robots->oracle = oracle;
	robots->mood = mood;
	robots->programs = (struct sim_programs){robots, make_plan, took};
	sim_on_program(oracle_sim(oracle), &robots->programs);
	return robots;
}

void
robots_destroy(struct robots *robots)
{
	mem_free(robots);
}

uint64_t
robots_faults(const struct robots *robots)
{
	return robots->faults;
}
