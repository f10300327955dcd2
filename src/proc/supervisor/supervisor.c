/*
 * The supervisor never reads a byte from the network.  It holds the listening
 * sockets and the configuration, so that a role which dies finds both again.
 *
 * Stopping goes by ranks: first nobody takes mail in, then nobody sends it out, then the
 * queue writes what it holds, then the rest.
 */
#include "proc/supervisor/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "proc/proc_sandbox.h"
#include "proc/supervisor/supervisor_internal.h"
#include "proc/supervisor/conf_load.h"
#include "tls/tls.h"

enum {
	RESPAWN_MS_MIN = 100,
	RESPAWN_MS_MAX = 5000,
	STEADY_MS = 10000, /* who lived that long starts again without a wait */
	RANKS = 3,
	RANK_MS = 300,
	RANK_QUEUE_MS = 5000,
};

static void child_exited(struct io_op *op);

/* In which order roles stop: 0 first. */
static int
rank_of(enum proc proc)
{
	if (proc == PROC_RECEPTION || proc == PROC_ADMIN)
		return 0;
	if (proc == PROC_DELIVERY || proc == PROC_MAILBOX || proc == PROC_PIPE)
		return 1;
	return 2;
}

/* Wires a child with all that its row allows, or only with one role. */
static void
wire_child(struct supervisor *supervisor, struct child *child, enum proc only)
{
	const struct proc_link_def *def;

	for (size_t i = 0; (def = proc_link_def(i)) != NULL; i++)
		for (size_t k = 0; k < supervisor->child_count; k++) {
			struct child *peer = &supervisor->children[k];

			if (!child_is_alive(peer) || peer->candidate || peer->spare ||
			    (only != PROC_SUPERVISOR && peer->proc != only))
				continue;
			if ((def->a == child->proc && def->b == peer->proc) ||
			    (def->b == child->proc && def->a == peer->proc))
				child_wire(child, peer, def->kind);
		}
}

static void
say_ready(struct supervisor *supervisor)
{
	const struct conf *conf = supervisor->conf;
	struct event event;

	if (supervisor->ready_said)
		return;
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (supervisor->children[i].state != CHILD_RUNNING &&
		    supervisor->children[i].state != CHILD_GONE &&
		    !supervisor->children[i].spare)
			return;
	supervisor->ready_said = true;
	for (size_t i = 0; i < conf->listener_count; i++) {
		static const char *const kinds[] = {
		    "smtp", "submission", "submissions", "lmtp"};

		event_begin(&event, &supervisor->log, "listening");
		event_str(&event, "service", kinds[conf->listeners[i].kind]);
		event_addr(&event, "address", &conf->listeners[i].addr);
		event_u64(&event, "port", conf->listeners[i].addr.port);
		event_end(&event);
	}
	if (conf->lmtp_path.len > 0) {
		event_begin(&event, &supervisor->log, "listening");
		event_str(&event, "service", "lmtp");
		event_span(&event, "path", conf->lmtp_path);
		event_end(&event);
	}
	for (size_t i = 0; i < conf->http_count; i++) {
		event_begin(&event, &supervisor->log, "listening");
		event_str(&event, "service", "http");
		event_addr(&event, "address", &conf->http[i]);
		event_u64(&event, "port", conf->http[i].port);
		event_end(&event);
	}
	event_begin(&event, &supervisor->log, "started");
	event_str(&event, "version", POSTRIDER_VERSION);
	event_span(&event, "host", conf->hostname);
	event_span(&event, "config", span_str(supervisor->conf_path));
	event_end(&event);
}

/* Roles that parse what comes from the Internet may be anybody's: they are not believed. */
static void
end_bad_peer(struct child *by, const struct ipc_xs_bad_peer *bad)
{
	struct supervisor *supervisor = by->supervisor;

	if (by->proc == PROC_RECEPTION || by->proc == PROC_DELIVERY ||
	    by->proc == PROC_FETCHER)
		return;
	for (size_t i = 0; i < supervisor->child_count; i++) {
		struct child *child = &supervisor->children[i];

		if (child->proc == (enum proc)bad->role && !child->candidate &&
		    child->instance == bad->instance)
			child_kill(child, supervisor->io);
	}
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct child *child = owner;
	struct ipc_xs_ready ready;
	struct ipc_xs_relink relink;
	struct ipc_xs_bad_peer bad;
	struct ipc_xs_dovecot dovecot;
	struct ipc_xs_lmtp lmtp;

	(void)channel;
	if (fd >= 0)
		close(fd);
	if (type == IPC_xs_RELINK) {
		if (ipc_xs_relink_decode(payload, &relink) || relink.role >= PROC_COUNT)
			return ERR_SYNTAX;
		wire_child(child->supervisor, child, (enum proc)relink.role);
		return OK;
	}
	if (type == IPC_xs_DOVECOT) {
		if (ipc_xs_dovecot_decode(payload, &dovecot) || child->proc != PROC_LOOKUP)
			return ERR_SYNTAX;
		dovecot_connect(child);
		return OK;
	}
	if (type == IPC_xs_LMTP) {
		if (ipc_xs_lmtp_decode(payload, &lmtp) || child->proc != PROC_DELIVERY)
			return ERR_SYNTAX;
		lmtp_connect(child, lmtp.socket);
		return OK;
	}
	if (type == IPC_xs_BAD_PEER) {
		if (ipc_xs_bad_peer_decode(payload, &bad))
			return ERR_SYNTAX;
		end_bad_peer(child, &bad);
		return OK;
	}
	if (type != IPC_xs_READY || ipc_xs_ready_decode(payload, &ready))
		return ERR_SYNTAX;
	if (child->state == CHILD_STARTING)
		child->state = CHILD_RUNNING;
	child->was_ready = true;
	if (child->candidate)
		reload_candidate_ready(child->supervisor);
	say_ready(child->supervisor);
	return OK;
}

static void
link_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct child *child = owner;

	(void)err;
	check(channel == child->link);
	ipc_channel_destroy(channel);
	child->link = NULL;
	/*
	 * A role without its link can't be told anything; its end brings a new one.  One that has
	 * not said ready is about to end by itself, with a status that says why.
	 */
	if (child->state == CHILD_RUNNING)
		child_kill(child, child->supervisor->io);
}

static void respawn(struct io_timer *timer);

void
supervisor_wire(struct supervisor *supervisor, struct child *child)
{
	wire_child(supervisor, child, PROC_SUPERVISOR);
}

enum err
supervisor_start(struct child *child, const struct child_world *world)
{
	const struct ipc_handlers handlers = {child, receive, link_closed};

	return child_start(child, world, &handlers, child_exited);
}

void
supervisor_start_child(struct child *child)
{
	struct supervisor *supervisor = child->supervisor;
	struct event event;
	enum err err;

	err = supervisor_start(child, &supervisor->world);
	if (!err) {
		wire_child(supervisor, child, PROC_SUPERVISOR);
		return;
	}
	event_begin(&event, &supervisor->log, "role_not_started");
	event_str(&event, "name", proc_def(child->proc)->name);
	event_err(&event, err);
	event_end(&event);
	io_timer_start(supervisor->io, &child->respawn, RESPAWN_MS_MAX);
}

static void
respawn(struct io_timer *timer)
{
	struct child *child = timer->owner;

	if (!child->supervisor->stopping && child->state == CHILD_DEAD)
		supervisor_start_child(child);
}

static void
kill_all(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++)
		child_kill(&supervisor->children[i], supervisor->io);
}

static bool
rank_is_over(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (child_is_alive(&supervisor->children[i]) &&
		    rank_of(supervisor->children[i].proc) <= supervisor->rank)
			return false;
	return true;
}

static void
stop_rank(struct supervisor *supervisor)
{
	while (supervisor->rank < RANKS && rank_is_over(supervisor))
		supervisor->rank++;
	if (supervisor->rank == RANKS) {
		io_stop(supervisor->io);
		return;
	}
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (rank_of(supervisor->children[i].proc) == supervisor->rank)
			child_stop(&supervisor->children[i]);
	io_timer_start(supervisor->io, &supervisor->rank_timer,
	    supervisor->rank == RANKS - 1 ? RANK_QUEUE_MS : RANK_MS);
}

/* Who has not finished in time is ended: what it held is in the spool, or was never accepted. */
static void
rank_late(struct io_timer *timer)
{
	struct supervisor *supervisor = timer->owner;

	for (size_t i = 0; i < supervisor->child_count; i++)
		if (rank_of(supervisor->children[i].proc) <= supervisor->rank)
			child_kill(&supervisor->children[i], supervisor->io);
	io_timer_start(supervisor->io, &supervisor->rank_timer, RANK_MS);
}

static void
stop_all(struct supervisor *supervisor, int status)
{
	if (supervisor->stopping) {
		kill_all(supervisor);
		return;
	}
	supervisor->stopping = true;
	supervisor->status = status;
	event_note(&supervisor->log, "stopping", "no more mail is taken in");
	stop_rank(supervisor);
}

static void
say_died(struct child *child, int status)
{
	struct event event;

	event_begin(&event, &child->supervisor->log, "role_died");
	event_str(&event, "name", proc_def(child->proc)->name);
	event_u64(&event, "instance", child->instance);
	event_u64(&event, "pid", (uint64_t)child->pid);
	if (status > 128)
		event_u64(&event, "signal", (uint64_t)status - 128);
	else
		event_u64(&event, "status", (uint64_t)status);
	event_u64(&event, "restart_ms", child->wait_ms);
	event_end(&event);
}

/* Ended by its sandbox: a call that its role may not make, or an attacker. */
static void
say_forbidden(struct child *child)
{
	const int call = proc_words_call(child->words_fd);
	char *name = call >= 0 ? proc_call_name(call) : NULL;
	struct event event;

	event_begin(&event, &child->supervisor->log, "sandbox_ended_role");
	event_str(&event, "name", proc_def(child->proc)->name);
	event_u64(&event, "instance", child->instance);
	event_u64(&event, "pid", (uint64_t)child->pid);
	event_str(&event, "call", name ? name : "unknown");
	if (call >= 0)
		event_u64(&event, "number", (uint64_t)call);
	event_str(&event, "text",
	    "it asked the kernel for what this role may not do: it was taken over, or its list "
	    "of calls lacks one");
	event_end(&event);
	mem_free(name);
}

static void
child_exited(struct io_op *op)
{
	struct child *child = op->owner;
	struct supervisor *supervisor = child->supervisor;
	bool over = child->state == CHILD_STOPPING || child->candidate || child->spare;

	ipc_channel_destroy(child->link);
	child->link = NULL;
	child->state = over ? CHILD_GONE : CHILD_DEAD;
	child->spare = over && child->proc != PROC_PIPE;
	if (supervisor->stopping) {
		stop_rank(supervisor);
		return;
	}
	child->candidate = false;
	if (over && child->proc == PROC_PIPE) {
		programs_ended(child);
		return;
	}
	if (over) {
		reload_spare_ended(supervisor);
		return;
	}
	child->died = true;
	if (io_now_ms(supervisor->io) - child->started_ms > STEADY_MS)
		child->wait_ms = RESPAWN_MS_MIN;
	if (op->status == 128 + SIGSYS)
		say_forbidden(child);
	say_died(child, op->status);
	if (!child->was_ready && op->status != 0 && op->status < 128) {
		/* It has said why; it would say the same the next time. */
		stop_all(supervisor, op->status);
		return;
	}
	io_timer_start(supervisor->io, &child->respawn, child->wait_ms);
	child->wait_ms =
	    child->wait_ms * 2 < RESPAWN_MS_MAX ? child->wait_ms * 2 : RESPAWN_MS_MAX;
}

static void
told_to_stop(void *owner)
{
	stop_all(owner, EX_OK);
}

struct child *
supervisor_list(struct supervisor *supervisor, enum proc proc, unsigned instance, bool spare)
{
	struct child *child;

	check(supervisor->child_count < CHILDREN_MAX);
	child = &supervisor->children[supervisor->child_count++];
	*child = (struct child){
	    .supervisor = supervisor,
	    .proc = proc,
	    .instance = instance,
	    .state = spare ? CHILD_GONE : CHILD_DEAD,
	    .spare = spare,
	    .wait_ms = RESPAWN_MS_MIN,
	    .respawn = {.fired = respawn, .owner = child},
	};
	if (proc == PROC_PIPE)
		snprintf(child->user, sizeof(child->user), "%s",
		    proc_user(proc, instance, supervisor->conf));
	return child;
}

/* Roles others depend on come first. */
static void
list_children(struct supervisor *supervisor)
{
	static const enum proc order[] = {PROC_KEYRING, PROC_LOOKUP, PROC_RESOLVER,
	    PROC_QUEUE, PROC_FETCHER, PROC_MAILBOX, PROC_PIPE, PROC_DELIVERY, PROC_RECEPTION,
	    PROC_ADMIN};

	for (size_t i = 0; i < LEN(order); i++) {
		unsigned count = proc_instances(order[i], supervisor->conf);

		for (unsigned k = 0; k < count; k++)
			(void)supervisor_list(supervisor, order[i], k, false);
	}
	(void)supervisor_list(supervisor, PROC_KEYRING, 0, true);
	(void)supervisor_list(supervisor, PROC_LOOKUP, 0, true);
}

static int
serve(struct supervisor *supervisor)
{
	struct buf problems;
	enum err err;
	int status;

	buf_init(&problems, 64 << 10);
	err = conf_load(
	    supervisor->conf_path, &supervisor->bundle, &supervisor->conf, &problems);
	if (err)
		fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&problems)));
	buf_fini(&problems);
	if (err)
		return err == ERR_NOT_FOUND || err == ERR_DENIED ? EX_NOINPUT : EX_CONFIG;
	supervisor->log.format = supervisor->conf->log_format;
	status = opening_users(supervisor);
	if (!status)
		status = opening_sockets(supervisor);
	if (status)
		return status;
	supervisor->world.conf_fd = reload_memory_file(supervisor->bundle);
	supervisor->world.limits_fd = reload_limits_memory(supervisor->io, supervisor->conf);
	supervisor->world.guards_fd = reload_guards_memory(supervisor->io);
	if (supervisor->world.conf_fd < 0 || supervisor->world.limits_fd < 0 ||
	    supervisor->world.guards_fd < 0)
		return EX_OSERR;
	opening_descriptors();
	status = opening_sandbox(supervisor);
	if (status)
		return status;
	if (geteuid() != 0)
		event_note(&supervisor->log, "unprivileged",
		    "not started as root: all roles run as this user, in this file system");
	if (supervisor->conf->certificate_count > 0 &&
	    supervisor->conf->tls_groups.len == 0 && !tls_has_post_quantum())
		event_note(&supervisor->log, "tls_without_post_quantum", tls_library());
	list_children(supervisor);
	reload_init(supervisor);
	for (size_t i = 0; i < supervisor->child_count; i++)
		if (!supervisor->children[i].spare)
			supervisor_start_child(&supervisor->children[i]);
	io_signal(supervisor->io, SIGINT, told_to_stop, supervisor);
	io_signal(supervisor->io, SIGTERM, told_to_stop, supervisor);
	io_signal(supervisor->io, SIGHUP, reload_told, supervisor);
	io_run(supervisor->io);
	event_note(&supervisor->log, "stopped", "every role has ended");
	unlink(supervisor->conf->control_path.ptr);
	if (supervisor->conf->lmtp_path.len > 0)
		unlink(supervisor->conf->lmtp_path.ptr);
	return supervisor->status;
}

int
supervisor_serve(const char *program, const char *conf_path)
{
	struct supervisor *supervisor = mem_alloc(sizeof(*supervisor));
	int status;

	signal(SIGPIPE, SIG_IGN);
	/* What whoever started us left open is no business of the roles. */
	err_ignore(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) ? ERR_DENIED : OK,
	    "an old kernel does not know it");
	supervisor->io = io_create();
	supervisor->conf_path = conf_path;
	supervisor->log =
	    (struct event_log){supervisor->io, "supervisor", CONF_LOG_LOGFMT};
	supervisor->rank_timer =
	    (struct io_timer){.fired = rank_late, .owner = supervisor};
	supervisor->world = (struct child_world){
	    .io = supervisor->io,
	    .log = &supervisor->log,
	    .program = program,
	};
	status = serve(supervisor);
	conf_destroy(supervisor->conf);
	conf_bundle_destroy(supervisor->bundle);
	io_destroy(supervisor->io);
	mem_free(supervisor);
	return status;
}
