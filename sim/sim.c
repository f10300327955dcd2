/*
 * The world's heart: chance, the order of events, the trace.
 *
 * Nothing here depends on addresses in memory, on the order of a hash, or on the machine that it
 * runs on; so the seed decides everything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "sim/sim_internal.h"

/* 2026-03-01 00:00 UTC: a day like any other. */
static const uint64_t wall_base_ms = UINT64_C(1772323200000);

static uint64_t
turn(uint64_t value, unsigned by)
{
	return value << by | value >> (64 - by);
}

static uint64_t
mix(uint64_t value)
{
	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

static uint64_t
next_chance(struct sim *sim)
{
	uint64_t *s = sim->chance;
	uint64_t result = turn(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = turn(s[3], 45);
	return result;
}

uint64_t
sim_chance(struct sim *sim, uint64_t below)
{
	check(below > 0);
	return next_chance(sim) % below;
}

bool
sim_happens(struct sim *sim, uint32_t ppm)
{
	/* A fault that is off takes nothing from the chances of the others. */
	return ppm > 0 && sim_chance(sim, 1000000) < ppm;
}

uint64_t
sim_delay_us(struct sim *sim, uint64_t max)
{
	uint64_t a, b;

	if (max < 2)
		return 1;
	a = sim_chance(sim, max);
	b = sim_chance(sim, max);
	return 1 + (a < b ? a : b);
}

void
sim_hash(struct sim *sim, uint64_t value)
{
	sim->hash = mix(sim->hash ^ (value + UINT64_C(0x9e3779b97f4a7c15)));
}

void
sim_hash_bytes(struct sim *sim, struct span bytes)
{
	uint64_t word, hash = bytes.len;

	for (; bytes.len >= sizeof(word); bytes = span_skip(bytes, sizeof(word))) {
		memcpy(&word, bytes.ptr, sizeof(word));
		hash = (turn(hash, 5) ^ word) * UINT64_C(0x9fb21c651e98df25);
	}
	for (; bytes.len > 0; bytes = span_skip(bytes, 1))
		hash = (turn(hash, 5) ^ (uint8_t)bytes.ptr[0]) * UINT64_C(0x9fb21c651e98df25);
	sim_hash(sim, hash);
}

struct sim *
sim_create(const struct sim_options *options)
{
	struct sim *sim = mem_alloc(sizeof(*sim));
	uint64_t seed = options->seed;

	sim->options = *options;
	sim_pool_init(&sim->pool, 0);
	for (size_t i = 0; i < LEN(sim->chance); i++)
		sim->chance[i] = mix(seed += UINT64_C(0x9e3779b97f4a7c15));
	sim->wall_base_ms = wall_base_ms;
	sim->now_us = 1;
	list_init(&sim->ios);
	list_init(&sim->servers);
	*sim_current() = (struct sim_current){.sim = sim};
	return sim;
}

void
sim_destroy(struct sim *sim)
{
	if (!sim)
		return;
	list_for_each(link, &sim->servers)
	{
		struct sim_server *server = container_of(link, struct sim_server, link);

		sim_server_down(server, true);
		conf_destroy(server->conf);
		conf_bundle_destroy(server->bundle);
		buf_fini(&server->wire);
	}
	*sim_current() = (struct sim_current){0};
	sim_pool_free(&sim->pool);
	mem_free(sim);
}

static const char *
who(const struct io *io, char *text, size_t bytes)
{
	if (!io)
		return "world";
	if (io->life)
		snprintf(text, bytes, "%s %s%u", io->life->server->name,
		    proc_def(io->life->proc)->name, io->life->instance);
	else
		snprintf(text, bytes, "actor%u", io->number);
	return text;
}

static void
print_step(struct sim *sim, const struct sim_event *event)
{
	char text[128];

	printf("%10" PRIu64 " %14.6f %-22s %s\n", sim->steps, (double)sim->now_us / 1e6,
	    who(event->io, text, sizeof(text)), event->name ? event->name : "?");
}

bool
sim_step(struct sim *sim)
{
	struct sim_current *current = sim_current();
	struct sim_event *event = sim_event_next(sim);
	struct io *io;
	bool critical;

	if (!event)
		return false;
	critical = event->critical;
	sim->now_us = event->at_us;
	sim->steps++;
	io = event->io;
	sim_hash(sim, event->at_us);
	sim_hash(sim, event->number ^ (io ? (uint64_t)io->number << 48 : 0));
	if (sim_is_verbose(sim))
		print_step(sim, event);
	check(!io || !io->gone);
	*current = (struct sim_current){sim, io, io ? io->pool : NULL};
	event->fire(event);
	*current = (struct sim_current){.sim = sim};
	if (io && io->life && !io->gone)
		sim_faults_after(sim, io, critical);
	return true;
}

uint64_t
sim_now_us(const struct sim *sim)
{
	return sim->now_us;
}

uint64_t
sim_now_ms(const struct sim *sim)
{
	return sim->now_us / 1000;
}

uint64_t
sim_steps(const struct sim *sim)
{
	return sim->steps;
}

uint64_t
sim_trace_hash(const struct sim *sim)
{
	return sim->hash;
}

struct sim_faults *
sim_faults(struct sim *sim)
{
	return &sim->options.faults;
}

void
sim_trace(struct sim *sim, const char *format, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(text))
		len = (int)sizeof(text) - 1;
	sim_hash_bytes(sim, span_of(text, (size_t)len));
	if (sim_is_verbose(sim))
		printf("%10" PRIu64 " %14.6f   %s\n", sim->steps, (double)sim->now_us / 1e6, text);
}

void
sim_happened(struct sim *sim, enum sim_event_kind kind, struct sim_server *server,
    enum proc proc)
{
	sim->event_counts[kind]++;
	sim_hash(sim, (uint64_t)kind << 8 | (uint64_t)proc);
	if (sim_is_verbose(sim))
		printf("%10" PRIu64 " %14.6f ! %s %s %s\n", sim->steps, (double)sim->now_us / 1e6,
		    sim_event_name(kind), server ? server->name : "",
		    proc < PROC_COUNT ? proc_def(proc)->name : "");
	if (sim->on_event) {
		struct sim_current was = sim_step_out(sim);

		sim->on_event(sim->on_event_owner, kind, server, proc);
		*sim_current() = was;
	}
}

const char *
sim_event_name(enum sim_event_kind kind)
{
	static const char *const names[] = {
	    [SIM_POWER_CUT] = "power cut",
	    [SIM_POWER_ON] = "power on",
	    [SIM_ROLE_STARTED] = "role started",
	    [SIM_ROLE_DIED] = "role died",
	    [SIM_ROLE_ENDED] = "role ended",
	    [SIM_SERVER_GAVE_UP] = "server gave up",
	    [SIM_CLOCK_JUMP] = "clock jump",
	    [SIM_BIT_ROT] = "bit rot",
	    [SIM_READ_ERROR] = "read error",
	    [SIM_WRITE_ERROR] = "write error",
	    [SIM_NO_SPACE] = "no space",
	    [SIM_SYNC_ERROR] = "sync error",
	    [SIM_NET_RESET] = "connection reset",
	    [SIM_NET_SILENCE] = "connection silent",
	    [SIM_NET_PARTITION] = "partition",
	};

	return (size_t)kind < LEN(names) ? names[kind] : "?";
}

void
sim_on_event(struct sim *sim,
    void (*happened)(void *, enum sim_event_kind, struct sim_server *, enum proc), void *owner)
{
	sim->on_event = happened;
	sim->on_event_owner = owner;
}

uint64_t
sim_event_count(const struct sim *sim, enum sim_event_kind kind)
{
	return sim->event_counts[kind];
}

void
sim_on_log(struct sim *sim, void (*line)(void *, struct sim_server *, struct span), void *owner)
{
	sim->on_log = line;
	sim->on_log_owner = owner;
}

void
sim_on_dns(struct sim *sim,
    void (*answer)(void *, struct span, enum io_dns_type, struct sim_dns_answer *), void *owner)
{
	sim->on_dns = answer;
	sim->on_dns_owner = owner;
}

void
sim_on_fetch(
    struct sim *sim, enum err (*answer)(void *, struct span, struct buf *), void *owner)
{
	sim->on_fetch = answer;
	sim->on_fetch_owner = owner;
}

void
sim_on_program(struct sim *sim, const struct sim_programs *programs)
{
	sim->programs = programs;
}

_Noreturn void
sim_fail(struct sim *sim, const char *format, ...)
{
	char text[128];
	va_list args;

	fflush(stdout);
	if (sim)
		fprintf(stderr, "FAILED seed=%" PRIu64 " step=%" PRIu64 " time=%.6f s in %s: ",
		    sim->options.seed, sim->steps, (double)sim->now_us / 1e6,
		    who(sim_current()->io, text, sizeof(text)));
	else
		fprintf(stderr, "FAILED: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	fflush(stderr);
	_exit(SIM_EXIT_FAILED);
}
