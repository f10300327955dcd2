/*
 * The life of a role in the simulated world: what src/proc/proc_main.c is for a real process,
 * together with what the supervisor does for it (start, links, start again).
 */
#include <sysexits.h>

#include "sim/sim_internal.h"

enum {
	RESPAWN_MS_MIN = 100,
	RESPAWN_MS_MAX = 5000,
	STEADY_US = 10000000,
	START_US = 20000,  /* a process takes that long to begin */
	NOTICE_US = 2000,  /* the supervisor, to see that it ended */
	KILLED = -9,
};

/* A message of the supervisor on its way to a role. */
struct message {
	struct sim_event event;
	struct sim_life *life;
	struct io_stream *stream; /* a link */
	enum proc peer;
	unsigned instance;
	enum proc_link_kind kind;
};

/* A message of a role on its way to the supervisor. */
struct wish {
	struct sim_event event;
	struct sim_life *life;
	enum proc peer;
	unsigned instance;
};

static void begin(struct sim_event *event);
static void noticed(struct sim_event *event);

static void
kill_fire(struct sim_event *event)
{
	struct sim_life *life = container_of(event, struct sim_life, killed);

	if (sim_life_is_alive(life)) {
		sim_happened(life->server->sim, SIM_ROLE_DIED, life->server, life->proc);
		sim_life_end(life, KILLED, false);
	}
}

void
sim_life_init(struct sim_server *server, enum proc proc, unsigned instance)
{
	struct sim_life *life = &server->lives[server->life_count];

	check(server->life_count < SIM_LIVES_MAX);
	server->life_count++;
	*life = (struct sim_life){
	    .server = server,
	    .proc = proc,
	    .instance = instance,
	    .wait_ms = RESPAWN_MS_MIN,
	    .start = {.fire = begin, .name = "process starts"},
	    .noticed = {.fire = noticed, .name = "end is noticed"},
	    .killed = {.fire = kill_fire, .name = "killed"},
	};
	sim_pool_init(&life->pool, server->sim->options.role_memory_max);
}

bool
sim_life_is_alive(const struct sim_life *life)
{
	return life->state != SIM_LIFE_DEAD;
}

void
sim_life_start(struct sim_life *life, uint64_t delay_us)
{
	struct sim *sim = life->server->sim;

	if (!sim_event_waits(&life->start))
		sim_event_start(sim, &life->start, delay_us + sim_delay_us(sim, START_US));
}

/* The bundle as the role reads it, parsed into its own memory. */
static struct conf *
read_conf(struct sim_server *server)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf_bundle *bundle = conf_bundle_create();
	struct conf *conf;
	size_t count;

	check(conf_bundle_decode(buf_span(&server->wire), bundle) == OK);
	check(conf_parse(bundle, &conf, errors, &count) == OK);
	return conf;
}

static void
give_listeners(struct sim_life *life)
{
	struct sim_server *server = life->server;
	struct sim_host *host = server->host;

	if (life->proc == PROC_RECEPTION) {
		life->env.listener_count = server->conf->listener_count;
		for (size_t i = 0; i < server->conf->listener_count; i++)
			sim_fd_set(life->io, PROC_FD_LISTENERS + (int)i, SIM_FD_SOCKET,
			    sim_socket_open(host, server->conf->listeners[i].addr.port));
	}
	if (life->proc == PROC_ADMIN) {
		life->env.listener_count = 1;
		sim_fd_set(life->io, PROC_FD_LISTENERS, SIM_FD_SOCKET,
		    sim_socket_open(host, SIM_CONTROL_PORT));
	}
}

/* With the role's own memory, as all that it does. */
static bool
create(struct sim_life *life)
{
	const struct proc_def *def = proc_def(life->proc);
	struct conf *conf = read_conf(life->server);

	life->env.conf = conf;
	life->env.log = (struct event_log){life->io, def->name, conf->log_format};
	life->role = def->role->create(&life->env);
	return life->role && (!def->role->start || def->role->start(life->role));
}

static void
begin(struct sim_event *event)
{
	struct sim_life *life = container_of(event, struct sim_life, start);
	struct sim *sim = life->server->sim;
	struct sim_current *current = sim_current();
	bool good;

	check(life->state == SIM_LIFE_DEAD);
	sim_pool_init(&life->pool, sim->options.role_memory_max);
	life->state = SIM_LIFE_STARTING;
	life->started_us = life->told_us = sim->now_us;
	life->restart = false;
	life->io = sim_io_create(sim, life->server->host);
	life->io->life = life;
	life->io->pool = &life->pool;
	life->env = (struct proc_env){
	    .io = life->io, .instance = life->instance, .died = life->died};
	give_listeners(life);
	*current = (struct sim_current){sim, life->io, &life->pool};
	good = create(life);
	*current = (struct sim_current){.sim = sim};
	if (!good) {
		sim_life_end(life, EX_CONFIG, false);
		return;
	}
	life->state = SIM_LIFE_RUNNING;
	life->was_ready = true;
	sim_happened(sim, SIM_ROLE_STARTED, life->server, life->proc);
	sim_life_wire(life, PROC_SUPERVISOR);
}

void
sim_life_end(struct sim_life *life, int status, bool power_cut)
{
	struct sim *sim = life->server->sim;

	sim_event_stop(sim, &life->start);
	sim_event_stop(sim, &life->noticed);
	sim_event_stop(sim, &life->killed);
	if (life->state == SIM_LIFE_DEAD)
		return;
	check(!sim_current()->pool);
	life->died = !power_cut && life->state != SIM_LIFE_STOPPING;
	sim_io_kill(life->io, power_cut);
	sim_pool_free(&life->pool);
	life->state = SIM_LIFE_DEAD;
	life->status = status;
	life->role = NULL;
	life->io = NULL;
	if (power_cut)
		return;
	if (status >= 0)
		sim_happened(sim, SIM_ROLE_ENDED, life->server, life->proc);
	sim_event_start(sim, &life->noticed, sim_delay_us(sim, NOTICE_US));
}

static void
noticed(struct sim_event *event)
{
	struct sim_life *life = container_of(event, struct sim_life, noticed);
	struct sim_server *server = life->server;
	struct sim *sim = server->sim;

	if (server->stopping) {
		sim_server_settle(server);
		return;
	}
	if (life->restart) {
		sim_life_start(life, 0);
		return;
	}
	if (!life->was_ready && life->status > 0) {
		sim_server_give_up(server);
		return;
	}
	if (sim->now_us - life->started_us > STEADY_US)
		life->wait_ms = RESPAWN_MS_MIN;
	sim_life_start(life, life->wait_ms * 1000);
	life->wait_ms = life->wait_ms * 2 < RESPAWN_MS_MAX ? life->wait_ms * 2 : RESPAWN_MS_MAX;
}

void
sim_life_kill(struct sim_life *life)
{
	struct sim *sim = life->server->sim;

	if (!sim_life_is_alive(life))
		return;
	if (sim_current()->pool) {
		/* Some role runs, perhaps this one. */
		if (!sim_event_waits(&life->killed))
			sim_event_start(sim, &life->killed, 0);
		return;
	}
	kill_fire(&life->killed);
}

static void
message_drop(struct sim_event *event)
{
	struct message *message = container_of(event, struct message, event);

	if (message->stream)
		sim_stream_drop(message->stream);
	sim_free(message);
}

/* Messages to one role keep their order. */
static struct message *
send(struct sim_life *life, void (*fire)(struct sim_event *event), const char *name)
{
	struct sim *sim = life->server->sim;
	struct message *message = sim_alloc(sim, sizeof(*message));
	uint64_t at_us = sim->now_us + sim_delay_us(sim, sim->options.ipc_us_max);

	message->life = life;
	message->event = (struct sim_event){
	    .fire = fire, .drop = message_drop, .io = life->io, .name = name};
	if (at_us < life->told_us)
		at_us = life->told_us;
	life->told_us = at_us;
	sim_event_start_at(sim, &message->event, at_us);
	return message;
}

static void
linked(struct sim_event *event)
{
	struct message *message = container_of(event, struct message, event);
	struct sim_life *life = message->life;
	const struct message copy = *message;

	sim_free(message);
	sim_stream_own(copy.stream, life->io);
	proc_def(life->proc)->role->link(
	    life->role, copy.peer, copy.instance, copy.kind, copy.stream);
}

static void
send_link(struct sim_life *to, const struct sim_life *peer, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct message *message = send(to, linked, "link");

	message->stream = stream;
	message->peer = peer->proc;
	message->instance = peer->instance;
	message->kind = kind;
}

static void
wire_two(struct sim_life *a, struct sim_life *b, enum proc_link_kind kind)
{
	struct sim *sim = a->server->sim;
	struct io_stream *ends[2] = {sim_stream_create(sim, NULL), sim_stream_create(sim, NULL)};

	sim_stream_join(ends[0], ends[1]);
	send_link(a, b, kind, ends[0]);
	send_link(b, a, kind, ends[1]);
}

void
sim_life_wire(struct sim_life *life, enum proc only)
{
	struct sim_server *server = life->server;
	const struct proc_link_def *def;

	for (size_t i = 0; (def = proc_link_def(i)) != NULL; i++)
		for (size_t k = 0; k < server->life_count; k++) {
			struct sim_life *peer = &server->lives[k];

			if (peer->state != SIM_LIFE_RUNNING ||
			    (only != PROC_SUPERVISOR && peer->proc != only))
				continue;
			if ((def->a == life->proc && def->b == peer->proc) ||
			    (def->b == life->proc && def->a == peer->proc))
				wire_two(life, peer, def->kind);
		}
}

static void
told_to_stop(struct sim_event *event)
{
	struct message *message = container_of(event, struct message, event);
	struct sim_life *life = message->life;

	sim_free(message);
	proc_def(life->proc)->role->stop(life->role);
}

void
sim_life_stop(struct sim_life *life)
{
	if (life->state != SIM_LIFE_RUNNING)
		return;
	life->state = SIM_LIFE_STOPPING;
	send(life, told_to_stop, "stop");
}

static void
told_to_reload(struct sim_event *event)
{
	struct message *message = container_of(event, struct message, event);
	struct sim_life *life = message->life;
	const struct proc_role *role = proc_def(life->proc)->role;
	struct conf *conf = read_conf(life->server);

	sim_free(message);
	life->env.conf = conf;
	life->env.log.format = conf->log_format;
	if (role->reload)
		role->reload(life->role, conf);
}

void
sim_life_reload(struct sim_life *life)
{
	if (life->state != SIM_LIFE_RUNNING)
		return;
	if (life->proc == PROC_KEYRING || life->proc == PROC_LOOKUP) {
		/* They read their files at their start only. */
		life->restart = true;
		sim_life_stop(life);
		return;
	}
	send(life, told_to_reload, "reload");
}

static struct wish *
wish(struct proc_env *env, enum proc peer, void (*fire)(struct sim_event *event), const char *name)
{
	struct sim_life *life = container_of(env, struct sim_life, env);
	struct sim *sim = life->server->sim;
	struct wish *made = sim_alloc(sim, sizeof(*made));

	made->event = (struct sim_event){.fire = fire, .name = name};
	made->life = life;
	made->peer = peer;
	sim_event_start(sim, &made->event, sim_delay_us(sim, sim->options.ipc_us_max));
	return made;
}

static void
relink(struct sim_event *event)
{
	struct wish *made = container_of(event, struct wish, event);

	if (made->life->state == SIM_LIFE_RUNNING)
		sim_life_wire(made->life, made->peer);
	sim_free(made);
}

void
proc_ask_link(struct proc_env *env, enum proc peer)
{
	(void)wish(env, peer, relink, "relink");
}

static void
end_bad_peer(struct sim_event *event)
{
	struct wish *made = container_of(event, struct wish, event);
	struct sim_server *server = made->life->server;
	enum proc by = made->life->proc;

	for (size_t i = 0; i < server->life_count; i++) {
		struct sim_life *life = &server->lives[i];

		/* Roles that parse what comes from the Internet are not believed. */
		if (by != PROC_RECEPTION && by != PROC_DELIVERY && life->proc == made->peer &&
		    life->instance == made->instance)
			sim_life_kill(life);
	}
	sim_free(made);
}

void
proc_bad_peer(struct proc_env *env, enum proc peer, unsigned instance, enum err err)
{
	struct event event;

	event_begin(&event, &env->log, "bad_peer");
	event_str(&event, "peer", proc_def(peer)->name);
	event_err(&event, err);
	event_end(&event);
	wish(env, peer, end_bad_peer, "bad peer")->instance = instance;
}

void
proc_stopped(struct proc_env *env)
{
	io_stop(env->io);
}

unsigned
proc_cores(void)
{
	return 1;
}

enum err
proc_make_dir(const char *path, const char *user)
{
	struct sim_server *server = sim_current()->io->host->server;

	(void)user;
	(void)sim_disk_make(server->disk, path, true);
	return OK;
}
