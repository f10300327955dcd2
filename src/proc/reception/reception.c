/*
 * Reception: takes connections from clients and speaks SMTP with them.  It can open
 * no file, connect nowhere, and sees no private key; it asks lookup who is whose, the keyring
 * whether a password is right and for signatures, and gives messages to the queue.
 */
#include "proc/reception/reception_internal.h"

#include "base/arena.h"
#include "base/check.h"

enum {
	TICK_MS = 1000,
	ACCEPT_PAUSE_MS = 200,
	LIMITS_SAID_MS = 60000,
	SESSIONS_ALONE = 1000, /* a table that no other process shares */
};

static void
accept_next(struct reception_listener *listener)
{
	if (!listener->reception->stopping)
		io_accept(listener->io, &listener->accept);
}

/* Frees what the sessions that are over left. */
static void
bury(struct reception *reception)
{
	struct list *node;

	while ((node = list_pop(&reception->closed)) != NULL)
		session_free(container_of(node, struct session, node));
}

/* Once, however many listeners find out, and however often. */
static void
say_cannot_accept(struct reception *reception, enum err err)
{
	struct event event;

	reception_met(reception, LIMIT_DESCRIPTORS);
	if (reception->no_descriptors)
		return;
	reception->no_descriptors = true;
	event_begin(&event, &reception->env->log, "out_of_descriptors");
	event_err(&event, err);
	event_u64(&event, "sessions", reception->session_count);
	event_str(&event, "text",
	    "no more connections for the moment; raise the limit of open files");
	event_end(&event);
}

static void
say_can_accept(struct reception *reception)
{
	if (!reception->no_descriptors)
		return;
	reception->no_descriptors = false;
	event_note(&reception->env->log, "descriptors_again", "connections are taken again");
}

void
reception_met(struct reception *reception, enum limit limit)
{
	check(limit < LIMIT_COUNT);
	reception->limit_counts[limit]++;
}

/* The limits that were met since this was said last, each with its count. */
static void
say_limits(struct reception *reception, uint64_t now_ms)
{
	struct event event;
	bool any = false;

	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		any |= reception->limit_counts[i] != reception->limit_said[i];
	if (!any || now_ms < reception->limits_said_ms)
		return;
	event_begin(&event, &reception->env->log, "limits_met");
	for (unsigned i = 0; i < LIMIT_COUNT; i++)
		if (reception->limit_counts[i] != reception->limit_said[i])
			event_u64(&event, limit_name((enum limit)i),
			    reception->limit_counts[i] - reception->limit_said[i]);
	event_end(&event);
	memcpy(reception->limit_said, reception->limit_counts,
	    sizeof(reception->limit_said));
	reception->limits_said_ms = now_ms + LIMITS_SAID_MS;
}

void
reception_look_at_stress(struct reception *reception)
{
	uint64_t sessions = limit_table_total(&reception->limits);
	uint64_t now_ms = io_now_ms(reception->env->io);
	uint64_t since_ms = reception->stress.since_ms;
	struct event event;

	if (!limit_stress_update(&reception->stress, reception->conf, sessions,
	        reception->memory, now_ms))
		return;
	event_begin(&event, &reception->env->log,
	    reception->stress.on ? "stress_begins" : "stress_ends");
	event_u64(&event, "sessions", sessions);
	event_u64(&event, "memory", reception->memory);
	if (!reception->stress.on)
		event_u64(&event, "lasted_ms", now_ms - since_ms);
	event_end(&event);
}

static void
accepted(struct io_op *op)
{
	struct reception_listener *listener = op->owner;
	struct reception *reception = listener->reception;

	bury(reception);
	if (op->err) {
		say_cannot_accept(reception, op->err);
		/* Whatever it is, to ask again at once would only burn time. */
		io_timer_start(reception->env->io, &listener->pause, ACCEPT_PAUSE_MS);
		return;
	}
	say_can_accept(reception);
	/* A Unix socket has clients of this host only. */
	if (op->peer.family == 0)
		op->peer = (struct net_addr){.family = 4, .bytes = {127, 0, 0, 1}};
	session_open(reception, listener, op);
	if (!reception->ticking)
		io_timer_start(reception->env->io, &reception->tick, TICK_MS);
	reception->ticking = true;
	accept_next(listener);
}

static void
accept_again(struct io_timer *timer)
{
	accept_next(timer->owner);
}

static void
ticked(struct io_timer *timer)
{
	struct reception *reception = timer->owner;
	uint64_t now_ms = io_now_ms(reception->env->io);

	bury(reception);
	list_for_each_safe(node, &reception->sessions)
		session_tick(container_of(node, struct session, node), now_ms);
	reception_look_at_stress(reception);
	say_limits(reception, now_ms);
	reception->ticking =
	    !list_empty(&reception->sessions) || !list_empty(&reception->closed);
	if (reception->ticking)
		io_timer_start(reception->env->io, &reception->tick, TICK_MS);
}

static void
drained(struct io_op *op)
{
	struct reception *reception = op->owner;
	struct list *node;

	reception->draining = false;
	while (!op->err && reception->queue && !list_empty(&reception->paused)) {
		if (io_pending(ipc_channel_stream(reception->queue)) >
		    RECEPTION_QUEUE_PENDING_MAX) {
			reception_wait_for_queue(reception);
			return;
		}
		node = list_pop(&reception->paused);
		session_resume(container_of(node, struct session, paused));
	}
}

void
reception_wait_for_queue(struct reception *reception)
{
	if (reception->draining)
		return;
	reception->draining = true;
	reception->drain.err = OK;
	io_drain(ipc_channel_stream(reception->queue), &reception->drain,
	    RECEPTION_QUEUE_PENDING_MAX / 2);
}

uint64_t
reception_next_id(struct reception *reception)
{
	if (reception->id_end - reception->id_next < RECEPTION_IDS_LOW && !reception->ids_asked) {
		reception->ids_asked = true;
		ipc_rq_want_ids_send(reception->queue, &(struct ipc_rq_want_ids){0});
	}
	return reception->id_next < reception->id_end ? reception->id_next++ : 0;
}

void
reception_check_stopped(struct reception *reception)
{
	if (reception->stopping && reception->session_count == 0)
		proc_stopped(reception->env);
}

/* Shared with the other receptions; alone where there is no such memory. */
static void
open_limits(struct reception *reception, const uint64_t seed[2])
{
	const struct proc_env *env = reception->env;
	void *memory = env->limits;
	size_t bytes = env->limits_bytes;

	if (!memory) {
		bytes = limit_table_bytes(SESSIONS_ALONE);
		memory = mem_alloc(bytes);
		limit_table_format(memory, seed);
	}
	limit_table_open(&reception->limits, memory, bytes, env->instance);
}

static void *
reception_create(struct proc_env *env)
{
	struct reception *reception = mem_alloc(sizeof(*reception));
	uint64_t seed[2];

	reception->env = env;
	reception->conf = env->conf;
	io_random(env->io, seed, sizeof(seed));
	open_limits(reception, seed);
	map_init(&reception->queries, seed);
	map_init(&reception->suppressed, seed);
	list_init(&reception->sessions);
	list_init(&reception->closed);
	list_init(&reception->paused);
	reception->drain = (struct io_op){.done = drained, .owner = reception};
	reception->tick = (struct io_timer){.fired = ticked, .owner = reception};
	/* The instances take turns with the numbers of sessions. */
	reception->session_step = proc_instances(PROC_RECEPTION, env->conf);
	reception->next_session = env->instance + 1;
	reception->tickets = tls_tickets_create();
	if (!reception_tls_load(reception, env->conf))
		return NULL;
	return reception;
}

static void
open_listener(struct reception *reception, size_t index)
{
	struct reception_listener *listener = &reception->listeners[index];

	listener->reception = reception;
	/* The last may be the Unix socket. */
	listener->kind = index < reception->conf->listener_count
	    ? reception->conf->listeners[index].kind
	    : CONF_LISTENER_LMTP;
	listener->accept = (struct io_op){.done = accepted, .owner = listener};
	listener->pause = (struct io_timer){.fired = accept_again, .owner = listener};
	check(io_listener_open(reception->env->io, PROC_FD_LISTENERS + (int)index,
	          &listener->io) == OK);
	accept_next(listener);
}

void
reception_check_open(struct reception *reception)
{
	bool ready = reception->id_end > 0 && reception->lookup && reception->keyring &&
	    reception->offered && reception->signer;
	size_t sockets;

	if (!ready || reception->listener_count > 0 || reception->stopping)
		return;
	reception->listener_count = reception->env->listener_count;
	sockets = reception->conf->listener_count + (reception->conf->lmtp_path.len > 0);
	if (reception->listener_count > sockets)
		reception->listener_count = sockets;
	for (size_t i = 0; i < reception->listener_count; i++)
		open_listener(reception, i);
}

static void
reception_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	(void)instance;
	ask_link(role, peer, kind, stream);
}

static void
reception_stop(void *role)
{
	struct reception *reception = role;

	if (reception->stopping)
		return;
	reception->stopping = true;
	reception->limits_said_ms = 0;
	say_limits(reception, io_now_ms(reception->env->io));
	for (size_t i = 0; i < reception->listener_count; i++)
		io_listener_close(reception->listeners[i].io);
	list_for_each_safe(node, &reception->sessions) {
		struct session *session = container_of(node, struct session, node);

		smtp_server_shut_down(session->smtp);
		session_pump(session);
	}
	reception_check_stopped(reception);
}

static void
reception_reload(void *role, const struct conf *conf)
{
	struct reception *reception = role;

	/* A certificate that does not load was told of; the old one stays in use. */
	if (reception_tls_load(reception, conf))
		reception->conf = conf;
}

const struct proc_role reception_role = {
    .create = reception_create,
    .link = reception_link,
    .stop = reception_stop,
    .reload = reception_reload,
};
