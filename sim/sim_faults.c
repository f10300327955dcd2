/* Which faults there are with a seed, and what may befall whoever just ran. */
#include "sim/sim_internal.h"

enum { OFF_US_MAX = 60000000, JUMP_MS_MAX = 30000000, LATER_US = 60000000, CRITICAL = 8 };

static void
jump(struct sim *sim, struct sim_server *server)
{
	uint64_t by = sim_delay_us(sim, JUMP_MS_MAX);

	if (sim_chance(sim, 2) == 0)
		server->host->wall_offset_ms += (int64_t)by;
	else
		server->host->wall_offset_ms -= (int64_t)by;
	sim_happened(sim, SIM_CLOCK_JUMP, server, PROC_COUNT);
}

static void
lose_power(struct sim *sim, struct sim_server *server)
{
	sim_server_power_cut(server);
	sim_event_start(sim, &server->power, sim_delay_us(sim, OFF_US_MAX));
}

void
sim_faults_after(struct sim *sim, struct io *io, bool critical)
{
	const struct sim_faults *faults = &sim->options.faults;
	struct sim_life *life = io->life;
	struct sim_server *server = life->server;
	uint32_t weight = critical ? CRITICAL : 1;

	if (io->stopped) {
		sim_life_end(life, 0, false);
		return;
	}
	if (sim_happens(sim, faults->power_cut * weight)) {
		lose_power(sim, server);
		return;
	}
	if (critical && sim_happens(sim, faults->head_loss) &&
	    sim_disk_rot_heads(server->disk, server->conf->spool_path.ptr)) {
		sim_happened(sim, SIM_BIT_ROT, server, PROC_COUNT);
		lose_power(sim, server);
		return;
	}
	if (sim_happens(sim, faults->clock_jump))
		jump(sim, server);
	if (sim_happens(sim, faults->bit_rot)) {
		sim_happened(sim, SIM_BIT_ROT, server, PROC_COUNT);
		sim_disk_rot(server->disk, server->conf->spool_path.ptr);
	}
	if (sim_happens(sim, faults->role_death * weight))
		sim_life_kill(life);
}

void
sim_faults_at_answer(struct sim_server *server)
{
	if (server->sim->options.faults.power_cut > 0 && sim_chance(server->sim, 2) == 0)
		lose_power(server->sim, server);
}

/* What may go wrong with bytes between two hosts; true where they do not leave now. */
bool
sim_faults_of_bytes(struct io_stream *stream)
{
	struct sim *sim = stream->sim;
	const struct sim_faults *faults = &sim->options.faults;
	struct io_stream *peer = stream->peer;

	if (!stream->host || !peer || stream->host == peer->host)
		return false;
	if (sim_happens(sim, faults->net_reset)) {
		sim_happened(sim, SIM_NET_RESET, stream->host->server, PROC_COUNT);
		sim_stream_reset(stream);
		return true;
	}
	if (sim_happens(sim, faults->net_silence)) {
		sim_happened(sim, SIM_NET_SILENCE, stream->host->server, PROC_COUNT);
		stream->silent = true;
		/* One way only, or both. */
		peer->silent = sim_chance(sim, 2) == 0;
	}
	if (sim_happens(sim, faults->net_partition))
		sim_partition(sim, stream->host, peer->host);
	if (sim_happens(sim, faults->net_stall))
		peer->arrives_us = sim->now_us + sim_delay_us(sim, LATER_US);
	return false;
}

void
sim_heal(struct sim *sim)
{
	sim->options.faults = (struct sim_faults){0};
	sim->options.descriptors_max = 1000;
	for (size_t i = 0; i < SIM_PARTITIONS_MAX; i++)
		sim->partitions[i].until_us = 0;
	list_for_each(link, &sim->servers)
	{
		struct sim_server *server = container_of(link, struct sim_server, link);

		server->disk->bytes_max = 0;
		server->host->wall_offset_ms = 0;
		sim_server_power_on(server);
	}
	sim_trace(sim, "healed");
}

/* A chance between one in most and one in least, even in its logarithm. */
static uint32_t
between(struct sim *chance, uint32_t least, uint32_t most)
{
	uint32_t value = least;

	while (value < most && sim_chance(chance, 3) > 0)
		value *= 2;
	return value < most ? value : most;
}

/* Or never. */
static uint32_t
sometimes(struct sim *chance, uint32_t least, uint32_t most)
{
	return sim_chance(chance, 2) == 0 ? between(chance, least, most) : 0;
}

enum kind { CRASHES, POWER, DISK, NET, DNS, CLOCK, FULL, LIMITS, FRAGMENTS, ROT, KIND_COUNT };

static void
add_kind(struct sim *chance, struct sim_options *options, enum kind kind)
{
	struct sim_faults *faults = &options->faults;

	switch (kind) {
	case CRASHES:
		faults->role_death = between(chance, 100, 5000);
		break;
	case POWER:
		faults->power_cut = between(chance, 50, 2000);
		break;
	case DISK:
		faults->read_error = sometimes(chance, 500, 30000);
		faults->write_error = sometimes(chance, 500, 30000);
		faults->sync_error = sometimes(chance, 1000, 50000);
		faults->disk_stall = between(chance, 100, 10000);
		break;
	case NET:
		faults->net_reset = sometimes(chance, 1000, 30000);
		faults->net_silence = sometimes(chance, 500, 10000);
		faults->net_partition = sometimes(chance, 200, 5000);
		faults->net_stall = sometimes(chance, 1000, 20000);
		faults->connect_refused = sometimes(chance, 5000, 300000);
		faults->connect_silence = sometimes(chance, 5000, 100000);
		break;
	case DNS:
		faults->dns_silence = between(chance, 1000, 300000);
		faults->dns_error = between(chance, 1000, 300000);
		break;
	case CLOCK:
		faults->clock_jump = between(chance, 50, 3000);
		break;
	case FULL:
		options->disk_bytes = (1 << 20) + sim_chance(chance, 4 << 20);
		break;
	case LIMITS:
		options->descriptors_max = 16 + (unsigned)sim_chance(chance, 40);
		break;
	case FRAGMENTS:
		faults->fragment = between(chance, 10000, 1000000);
		break;
	case ROT:
		faults->bit_rot = between(chance, 20, 2000);
		faults->head_loss = sim_chance(chance, 2) == 0 ? 5000 : 0;
		break;
	case KIND_COUNT:
		break;
	}
}

struct sim_options
sim_options_from_seed(uint64_t seed)
{
	struct sim_options options = {
	    .seed = seed,
	    .descriptors_max = 1000,
	    .role_memory_max = UINT64_C(64) << 20,
	    .sync_us_max = 5000,
	    .net_us_max = 50000,
	    .ipc_us_max = 100,
	};
	/* Its own chances, so that the run's do not depend on how the mix was made. */
	struct sim_options own = {.seed = seed ^ UINT64_C(0x5eed5eed5eed5eed)};
	struct sim_current was = *sim_current();
	struct sim *chance = sim_create(&own);
	uint64_t mood = sim_chance(chance, 8);

	if (mood == 1 || mood == 2)
		add_kind(chance, &options, (enum kind)sim_chance(chance, KIND_COUNT));
	for (unsigned kind = 0; mood > 2 && kind < KIND_COUNT; kind++)
		if (mood == 7 || sim_chance(chance, 3) == 0)
			add_kind(chance, &options, (enum kind)kind);
	if (sim_chance(chance, 4) == 0)
		options.sync_us_max = 1000 << sim_chance(chance, 9);
	if (sim_chance(chance, 4) == 0)
		options.ipc_us_max = 10 << sim_chance(chance, 12);
	if (sim_chance(chance, 4) == 0)
		options.net_us_max = 1000 << sim_chance(chance, 10);
	sim_destroy(chance);
	*sim_current() = was;
	return options;
}
