/*
 * A server: its machine, its disk, its configuration, and the supervisor's view of its roles as a
 * whole.  Stopping goes by ranks, as in src/proc/supervisor.
 */
#include "sim/sim_internal.h"

enum {
	RANKS = 3,
	RANK_US = 300000,
	RANK_QUEUE_US = 5000000,
	AGAIN_US = 30000000, /* whoever watches over the server starts it again */
	WIRE_BYTES_MAX = 4 << 20,
};

static const char conf_path[] = "/etc/postrider/postrider.conf";

static void
power_fire(struct sim_event *event)
{
	sim_server_power_on(container_of(event, struct sim_server, power));
}

static void
cut_fire(struct sim_event *event)
{
	sim_server_power_cut(container_of(event, struct sim_server, cut));
}

static void
again_fire(struct sim_event *event)
{
	sim_server_boot(container_of(event, struct sim_server, again));
}

static const struct sim_file *
find_file(const struct sim_server *server, struct span path)
{
	for (size_t i = 0; i < server->file_count; i++)
		if (span_eq(span_str(server->files[i].path), path))
			return &server->files[i];
	return NULL;
}

/* The configuration and what it names, as the supervisor reads it. */
static struct conf *
read_conf(struct sim_server *server, struct span text, struct conf_bundle **bundle)
{
	struct conf_error errors[CONF_ERRORS_MAX];
	struct conf *conf = NULL;
	struct span wanted;
	struct buf problem;
	size_t count;

	*bundle = conf_bundle_create();
	check(conf_bundle_add(*bundle, span_str(conf_path), text) == OK);
	while (conf_bundle_wants(*bundle, &wanted)) {
		const struct sim_file *file = find_file(server, wanted);

		if (file)
			check(conf_bundle_add(*bundle, wanted, file->text) == OK);
		else
			check(conf_bundle_add_unreadable(
				  *bundle, wanted, SPAN("no such file")) == OK);
	}
	if (conf_parse(*bundle, &conf, errors, &count) == OK)
		return conf;
	buf_init(&problem, 4096);
	conf_error_write(&problem, &errors[0]);
	sim_trace(server->sim, "configuration refused: %.*s", SPAN_ARGS(problem));
	buf_fini(&problem);
	conf_bundle_destroy(*bundle);
	*bundle = NULL;
	return NULL;
}

static void
write_wire(struct sim_server *server)
{
	buf_fini(&server->wire);
	buf_init(&server->wire, WIRE_BYTES_MAX);
	conf_bundle_encode(server->bundle, &server->wire);
	check(buf_finish(&server->wire) == OK);
}

static void
write_files(struct sim_server *server, struct span conf_text)
{
	size_t done;

	for (size_t i = 0; i <= server->file_count; i++) {
		bool last = i == server->file_count;
		struct sim_inode *inode = sim_disk_make(
		    server->disk, last ? conf_path : server->files[i].path, false);

		check(sim_inode_write(inode, last ? conf_text : server->files[i].text, 0,
			  &done) == OK);
		sim_inode_sync(inode, server->disk->number);
	}
}

struct sim_server *
sim_server_add(struct sim *sim, const char *name, const struct net_addr *addr,
    struct span conf_text, const struct sim_file *files, size_t file_count)
{
	struct sim_server *server = sim_alloc(sim, sizeof(*server));
	struct sim_current was = sim_step_out(sim);

	server->sim = sim;
	server->name = sim_copy(sim, name);
	server->host = sim_host_add(sim, addr);
	server->host->server = server;
	server->disk = sim_disk_create(sim, server);
	server->files = files;
	server->file_count = file_count;
	server->power = (struct sim_event){.fire = power_fire, .name = "power comes"};
	server->cut = (struct sim_event){.fire = cut_fire, .name = "power goes"};
	server->again = (struct sim_event){.fire = again_fire, .name = "server starts again"};
	list_push(&sim->servers, &server->link);
	server->conf = read_conf(server, conf_text, &server->bundle);
	if (!server->conf)
		sim_fail(sim, "the configuration of %s is refused; see the trace", name);
	write_wire(server);
	write_files(server, conf_text);
	/* They were only needed here, and are the caller's. */
	server->files = NULL;
	server->file_count = 0;
	server->host->boot_us = sim->now_us;
	sim_server_boot(server);
	*sim_current() = was;
	return server;
}

const char *
sim_server_name(const struct sim_server *server)
{
	return server->name;
}

struct sim_server *
sim_server_at(struct sim *sim, size_t index)
{
	list_for_each(link, &sim->servers) if (index-- == 0) return container_of(
	    link, struct sim_server, link);
	return NULL;
}

bool
sim_server_is_on(const struct sim_server *server)
{
	return server->host->on;
}

bool
sim_server_is_whole(const struct sim_server *server)
{
	for (size_t i = 0; i < server->life_count; i++)
		if (server->lives[i].state != SIM_LIFE_RUNNING)
			return false;
	return server->life_count > 0;
}

/* Roles that others depend on come first. */
void
sim_server_boot(struct sim_server *server)
{
	static const enum proc order[] = {PROC_KEYRING, PROC_LOOKUP, PROC_RESOLVER, PROC_QUEUE,
	    PROC_FETCHER, PROC_MAILBOX, PROC_PIPE, PROC_DELIVERY, PROC_RECEPTION, PROC_ADMIN};

	sim_event_stop(server->sim, &server->again);
	server->life_count = 0;
	server->stopping = false;
	for (size_t i = 0; i < server->conf->listener_count; i++)
		sim_socket_open(server->host, server->conf->listeners[i].addr.port);
	for (size_t i = 0; i < LEN(order); i++)
		for (unsigned k = 0; k < proc_instances(order[i], server->conf); k++)
			sim_life_init(server, order[i], k);
	for (size_t i = 0; i < server->life_count; i++)
		sim_life_start(&server->lives[i], 0);
}

void
sim_server_down(struct sim_server *server, bool power_cut)
{
	for (size_t i = 0; i < server->life_count; i++)
		sim_life_end(&server->lives[i], -1, power_cut);
	for (size_t i = 0; i < server->life_count; i++)
		sim_event_stop(server->sim, &server->lives[i].noticed);
	sim_event_stop(server->sim, &server->rank_late);
	sim_event_stop(server->sim, &server->again);
	sim_sockets_close(server->host);
	server->life_count = 0;
	server->stopping = false;
}

void
sim_server_give_up(struct sim_server *server)
{
	sim_happened(server->sim, SIM_SERVER_GAVE_UP, server, PROC_COUNT);
	sim_server_down(server, false);
	sim_event_start(server->sim, &server->again, AGAIN_US);
}

void
sim_server_power_cut(struct sim_server *server)
{
	struct sim *sim = server->sim;

	if (!server->host->on)
		return;
	if (sim_current()->pool) {
		if (!sim_event_waits(&server->cut))
			sim_event_start(sim, &server->cut, 0);
		return;
	}
	sim_event_stop(sim, &server->cut);
	sim_happened(sim, SIM_POWER_CUT, server, PROC_COUNT);
	sim_server_down(server, true);
	server->host->on = false;
	sim_disk_power_cut(server->disk);
}

void
sim_server_power_on(struct sim_server *server)
{
	sim_event_stop(server->sim, &server->power);
	if (server->host->on)
		return;
	SIM_MARK("sim.power_on");
	server->host->on = true;
	server->host->boot_us = server->sim->now_us;
	sim_happened(server->sim, SIM_POWER_ON, server, PROC_COUNT);
	sim_server_boot(server);
}

void
sim_server_kill_role(struct sim_server *server, enum proc proc, unsigned instance)
{
	for (size_t i = 0; i < server->life_count; i++)
		if (server->lives[i].proc == proc && server->lives[i].instance == instance)
			sim_life_kill(&server->lives[i]);
}

/* In which order roles stop: 0 first. */
static int
rank_of(enum proc proc)
{
	if (proc == PROC_RECEPTION || proc == PROC_ADMIN)
		return 0;
	return proc == PROC_DELIVERY || proc == PROC_MAILBOX || proc == PROC_PIPE ? 1 : 2;
}

static bool
rank_is_over(const struct sim_server *server)
{
	for (size_t i = 0; i < server->life_count; i++)
		if (sim_life_is_alive(&server->lives[i]) &&
		    rank_of(server->lives[i].proc) <= server->rank)
			return false;
	return true;
}

/* Who has not finished in time is killed. */
static void
late(struct sim_event *event)
{
	struct sim_server *server = container_of(event, struct sim_server, rank_late);

	for (size_t i = 0; i < server->life_count; i++)
		if (rank_of(server->lives[i].proc) <= server->rank)
			sim_life_kill(&server->lives[i]);
}

void
sim_server_settle(struct sim_server *server)
{
	struct sim *sim = server->sim;

	while (server->rank < RANKS && rank_is_over(server))
		server->rank++;
	sim_event_stop(sim, &server->rank_late);
	if (server->rank == RANKS) {
		sim_server_down(server, false);
		sim_event_start(sim, &server->again, sim_delay_us(sim, RANK_QUEUE_US));
		return;
	}
	for (size_t i = 0; i < server->life_count; i++)
		if (rank_of(server->lives[i].proc) == server->rank)
			sim_life_stop(&server->lives[i]);
	server->rank_late = (struct sim_event){.fire = late, .name = "stops too late"};
	sim_event_start(
	    sim, &server->rank_late, server->rank == RANKS - 1 ? RANK_QUEUE_US : RANK_US);
}

void
sim_server_restart(struct sim_server *server)
{
	if (!server->host->on || server->stopping || server->life_count == 0)
		return;
	server->stopping = true;
	server->rank = 0;
	for (size_t i = 0; i < server->life_count; i++)
		sim_event_stop(server->sim, &server->lives[i].start);
	sim_server_settle(server);
}

bool
sim_server_reload(struct sim_server *server, struct span conf_text)
{
	struct sim_current was = sim_step_out(server->sim);
	struct conf_bundle *bundle;
	struct conf *conf = read_conf(server, conf_text, &bundle);

	if (conf) {
		conf_destroy(server->conf);
		conf_bundle_destroy(server->bundle);
		server->conf = conf;
		server->bundle = bundle;
		write_wire(server);
		for (size_t i = 0; i < server->life_count; i++)
			sim_life_reload(&server->lives[i]);
	}
	*sim_current() = was;
	return conf != NULL;
}

struct net_addr
sim_server_control(const struct sim_server *server)
{
	struct net_addr addr = server->host->addr;

	addr.port = SIM_CONTROL_PORT;
	return addr;
}

void
sim_server_set_disk_bytes(struct sim_server *server, uint64_t bytes)
{
	server->disk->bytes_max = bytes;
}

struct queue *
sim_server_queue(struct sim_server *server)
{
	for (size_t i = 0; i < server->life_count; i++)
		if (server->lives[i].proc == PROC_QUEUE &&
		    server->lives[i].state == SIM_LIFE_RUNNING)
			return server->lives[i].role;
	return NULL;
}

uint64_t
sim_server_memory(
    const struct sim_server *server, enum proc proc, unsigned instance, uint64_t *peak)
{
	*peak = 0;
	for (size_t i = 0; i < server->life_count; i++)
		if (server->lives[i].proc == proc && server->lives[i].instance == instance) {
			*peak = server->lives[i].pool.peak;
			return server->lives[i].pool.bytes;
		}
	return 0;
}

struct io *
sim_server_io(struct sim_server *server)
{
	return sim_io_create(server->sim, server->host);
}

void
sim_server_io_end(struct io *io)
{
	sim_io_kill(io, false);
}

struct walk {
	bool durable_only;
	void (*each)(void *owner, const char *name, struct span bytes);
	void *owner;
	struct buf path;
};

/* Folders are few and flat; how deep is bounded by the length of a path. */
static void
walk_folder(struct walk *walk, struct sim_inode *dir)
{
	struct sim_entry *entry = NULL;

	while ((entry = sim_entry_next(dir, entry))) {
		struct sim_inode *inode = walk->durable_only ? entry->durable : entry->now;
		size_t len = walk->path.len;

		if (!inode)
			continue;
		if (len > 0)
			buf_add_char(&walk->path, '/');
		buf_add_str(&walk->path, entry->name);
		if (inode->is_dir) {
			walk_folder(walk, inode);
		} else {
			buf_add_char(&walk->path, '\0');
			check(buf_finish(&walk->path) == OK);
			walk->each(walk->owner, walk->path.ptr,
			    walk->durable_only ? span_of(inode->durable, inode->durable_len)
					       : span_of(inode->now, inode->now_len));
		}
		walk->path.len = len;
	}
}

void
sim_server_each_file(struct sim_server *server, const char *folder, bool durable_only,
    void (*each)(void *owner, const char *name, struct span bytes), void *owner)
{
	struct walk walk = {.durable_only = durable_only, .each = each, .owner = owner};
	struct sim_inode *dir = server->disk->root;
	struct span rest = span_str(folder), part;

	while (dir && span_cut(&rest, '/', &part)) {
		struct sim_entry *entry = part.len ? sim_entry_find(dir, part) : NULL;

		if (part.len > 0)
			dir = !entry ? NULL : durable_only ? entry->durable : entry->now;
	}
	if (!dir || !dir->is_dir)
		return;
	buf_init(&walk.path, 4096);
	walk_folder(&walk, dir);
	buf_fini(&walk.path);
}
