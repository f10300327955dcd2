/*
 * The scheduler, as it is configured: which destination mail goes to, what it may have there,
 * and when the clock is looked at.
 */
#include "proc/queue/queue_internal.h"

#include "base/check.h"
#include "proc/queue/queue_limits.h"
#include "route/site.h"
#include "route/window.h"

enum {
	DOWN_MS_MIN = 30 * 1000,
	DOWN_MS_MAX = 600 * 1000,
	LOOK_MS_MAX = 1000, /* a wall clock may jump: look again at least so often */
	MOVES = 20000,      /* of recipients, before others have their turn */
	EXPIRE_MOVES = 1000,
	LIGHT_MAX = 50,     /* recipients of a sender that go before newsletters */
	SWEEP_SECONDS = 30, /* in so long all that waits is looked at, if it is much */
	SWEEP_MIN = 20000,
};

static const struct span pipe_key = {"pipe:", 5};

struct span
schedule_domain(struct span address)
{
	return span_skip(address, span_find_last(address, '@') + 1);
}

const struct conf_route *
schedule_rcpt_route(const struct conf *conf, struct span reverse_path,
    const struct envelope_rcpt *rcpt)
{
	if (rcpt->kind == IPC_TARGET_REMOTE)
		return route_find(conf, reverse_path, rcpt->address);
	return conf->lmtp.kind == CONF_ROUTE_LMTP ? &conf->lmtp : NULL;
}

/* The program that it is handed to; NULL: none. */
static const struct conf_pipe *
pipe_for(const struct conf *conf, enum ipc_target kind, const struct conf_route *route)
{
	if (kind == IPC_TARGET_MAILBOX)
		return conf->mailbox_pipe;
	return route && route->kind == CONF_ROUTE_PIPE ? route->pipe : NULL;
}

static bool
is_for_maildirs(const struct conf *conf, enum ipc_target kind)
{
	return kind == IPC_TARGET_MAILBOX && conf->lmtp.kind != CONF_ROUTE_LMTP;
}

/* Those of a user that there is no room for wait at delivery, until a restart makes it. */
unsigned
schedule_kind(const struct queue *queue, struct span key, enum ipc_target kind)
{
	const struct peer *peer;

	if (!span_starts(key, pipe_key))
		return is_for_maildirs(queue->conf, kind) ? IPC_TARGET_MAILBOX
							  : IPC_TARGET_REMOTE;
	key = span_skip(key, pipe_key.len);
	peer = pipes_find(queue, span_first(key, span_find(key, ':')));
	return peer ? QUEUE_KIND_PIPE + (unsigned)(peer - queue->pipes) : IPC_TARGET_REMOTE;
}

/* The program that a destination is, as it is configured now; NULL: no longer. */
static const struct conf_pipe *
key_pipe(const struct conf *conf, struct span key)
{
	const struct conf_pipe *pipe = conf->pipes;

	while (pipe && !span_eq(pipe->name, span_skip(key, pipe_key.len)))
		pipe = pipe->next;
	return pipe;
}

/* Rules for different domains may lead the same way. */
static bool
same_route(const struct conf_route *a, const struct conf_route *b)
{
	if (a == b || !a || !b)
		return a == b;
	/* Two rules may give different reasons. */
	if (a->kind != b->kind || a->kind >= CONF_ROUTE_PIPE)
		return false;
	return span_eq(a->host, b->host) && a->port == b->port && a->tls == b->tls &&
	    span_eq(a->credential, b->credential);
}

bool
schedule_same_way(const struct conf *conf, struct span reverse_path,
    const struct envelope_rcpt *a, const struct envelope_rcpt *b)
{
	const struct conf_route *route = schedule_rcpt_route(conf, reverse_path, a);

	if (!same_route(route, schedule_rcpt_route(conf, reverse_path, b)))
		return false;
	/* A destination may be older than the routes. */
	return (route && route->host.len > 0) ||
	    span_eq_nocase(schedule_domain(a->address), schedule_domain(b->address));
}

/*
 * The key of a destination: "mailbox", "mx:DOMAIN", "host:HOST:PORT", "lmtp:HOST:PORT",
 * "lmtp:SOCKET", "pipe:USER:PROGRAM", or "rule:DOMAIN", where a rule answers for it;
 * "via:HOST:PORT" where an operator sends mail another way (reroute.c).  Mail through one smart
 * host takes turns together; it shares an attempt only where its routes lead the same way.
 */
void
schedule_key(const struct queue *queue, struct buf *key, struct span reverse_path,
    enum ipc_target kind, struct span address)
{
	struct span domain = schedule_domain(address);
	const struct conf_route *route = kind == IPC_TARGET_MAILBOX
	    ? &queue->conf->lmtp
	    : route_find(queue->conf, reverse_path, address);
	const struct conf_pipe *pipe = pipe_for(queue->conf, kind, route);

	if (pipe) {
		buf_add(key, pipe_key);
		buf_add(key, pipe->name);
		return;
	}
	if (is_for_maildirs(queue->conf, kind)) {
		buf_add_str(key, "mailbox");
		return;
	}
	if (route && conf_route_is_socket(route)) {
		buf_add_str(key, "lmtp:");
		buf_add(key, route->host);
		return;
	}
	if (route && route->host.len > 0) {
		buf_add_str(key, route->kind == CONF_ROUTE_LMTP ? "lmtp:" : "host:");
		buf_add(key, route->host);
		buf_addf(key, ":%u", route->port);
		return;
	}
	buf_add_str(key, route && route->kind >= CONF_ROUTE_DISCARD ? "rule:" : "mx:");
	buf_add_lower(key, domain);
}

bool
schedule_is_final(const struct sched_destination *destination)
{
	return destination->kind == IPC_TARGET_MAILBOX ||
	    span_starts(destination->key, pipe_key) || span_starts(destination->key, SPAN("lmtp:"));
}

bool
schedule_is_rerouted(struct span key)
{
	return span_starts(key, SPAN("via:"));
}

void
schedule_way(const struct conf *conf, struct span key, struct span reverse_path,
    const struct envelope_rcpt *rcpt, struct conf_route *way)
{
	const struct conf_route *route = schedule_rcpt_route(conf, reverse_path, rcpt);
	struct conf_ways ways = {0};
	struct span host = queue_limits_name(key);
	uint64_t port = 0;

	*way = route ? *route : (struct conf_route){0};
	if (!schedule_is_rerouted(key))
		return;
	err_ignore(span_u64(span_skip(key, span_find_last(key, ':') + 1), UINT16_MAX, &port)
	        ? OK
	        : ERR_SYNTAX,
	    "0 is the usual port");
	*way = (struct conf_route){.host = host, .port = (uint16_t)port};
	/* What the configuration says of that server holds on this way too. */
	while ((route = conf_ways_next(conf, &ways)) != NULL)
		if (route->kind == CONF_ROUTE_SMTP && route->port == port &&
		    span_eq_nocase(route->host, host)) {
			way->tls = route->tls;
			way->credential = route->credential;
			return;
		}
}

const struct conf_limits *
schedule_limits(const struct queue *queue, struct span key)
{
	return queue_limits_of(queue->conf, key);
}

const struct conf_limits *
schedule_destination_limits(const struct queue *queue, uint32_t destination)
{
	struct sched_destination known;

	sched_destination_get(queue->sched, destination, &known);
	return schedule_limits(queue, known.key);
}

static uint64_t
at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

void
schedule_sched_limits(
    const struct queue *queue, unsigned kind, struct span key, struct sched_limits *into)
{
	const struct conf_limits *conf = schedule_limits(queue, key);
	const struct conf_pipe *pipe;

	*into = (struct sched_limits){
	    .concurrency_start = (uint32_t)at_most(conf->connections_start, WINDOW_MAX),
	    .concurrency_max = (uint32_t)at_most(conf->connections_max, WINDOW_MAX),
	    .concurrency_far_max = (uint32_t)at_most(route_far_connections(conf), WINDOW_MAX),
	    .rate = route_rate(conf),
	    /* Never longer than the shortest wait for a retry that is configured. */
	    .down_ms_min = at_most(DOWN_MS_MIN, conf->retry_ms[0]),
	    .down_ms_max = at_most(DOWN_MS_MAX, conf->retry_ms[0]),
	    .expire_ms = conf->expire_ms,
	};
	suspend_limits(queue, key, into);
	polite_limits(queue, key, into);
	if (kind == IPC_TARGET_REMOTE)
		return;
	into->rate = (struct rate_limit){0};
	into->concurrency_far_max = 0;
	into->concurrency_max = QUEUE_MAILBOX_ATTEMPTS_MAX;
	if (kind >= QUEUE_KIND_PIPE) {
		pipe = key_pipe(queue->conf, key);
		into->concurrency_max = pipe ? (uint32_t)pipe->processes_max : 1;
	}
	into->concurrency_start = into->concurrency_max;
}

static void
limits(void *owner, unsigned kind, struct span key, struct sched_limits *into)
{
	schedule_sched_limits(owner, kind, key, into);
}

static struct span
site(void *owner, unsigned kind, struct span key)
{
	const struct queue *queue = owner;

	return kind == IPC_TARGET_REMOTE ? sites_of(&queue->sites, key) : SPAN("");
}

const struct sched_site *
schedule_site(const struct queue *queue, const struct sched_destination *known,
    struct sched_site *into)
{
	if (known->site == SCHED_NONE)
		return NULL;
	sched_site_get(queue->sched, known->site, into);
	return into;
}

void
schedule_site_limits(
    const struct queue *queue, struct span name, struct sched_site_limits *into)
{
	struct route_site conf;

	route_site(queue->conf, name, &conf);
	*into = (struct sched_site_limits){
	    .concurrency_start = (uint32_t)conf.connections_start,
	    .concurrency_max = (uint32_t)conf.connections_max,
	    .rate = conf.rate,
	};
	polite_site_limits(queue, name, into);
}

static void
site_limits(void *owner, unsigned kind, struct span name, struct sched_site_limits *into)
{
	(void)kind;
	schedule_site_limits(owner, name, into);
}

void
schedule_init(struct queue *queue)
{
	struct sched_options options = {
	    .reply_bytes_max = QUEUE_REPLY_BYTES,
	    .light_max = LIGHT_MAX,
	    .owner = queue,
	    .limits = limits,
	    .site = site,
	    .site_limits = site_limits,
	};

	io_random(queue->env->io, options.seed, sizeof(options.seed));
	queue->sched = sched_create(
	    &options, io_now_ms(queue->env->io), io_wall_ms(queue->env->io));
}

void
schedule_message(struct queue *queue, uint32_t slot)
{
	struct sched_message message;
	struct message *opened;

	sched_message_get(queue->sched, slot, &message);
	if (queue->conf->hold_all && !(message.flags & SCHED_RELEASED))
		sched_message_flags(queue->sched, slot, SCHED_HELD_ALL, 0);
	if (!sched_message_start(queue->sched, slot) || message.flags & SCHED_ASIDE)
		return;
	/* Some had it before the queue ended, and their sender is yet to be told. */
	opened = message_open(queue, slot);
	outcome_settle(opened);
	message_close(opened);
}

/* Its recipients go with what the destination, or they themselves, were told last. */
static void
expire(struct queue *queue, uint32_t at)
{
	struct sched_destination destination;
	struct sched_rcpt rcpt;
	struct message *message;

	sched_rcpt_get(queue->sched, at, &rcpt);
	rcpt.expired = rcpt.unsaid = true;
	sched_rcpt_note(queue->sched, at, &rcpt);
	if (!rcpt.reply) {
		sched_destination_get(queue->sched, rcpt.destination, &destination);
		sched_reply_hold(queue->sched, destination.reply);
		sched_rcpt_reply(queue->sched, at, destination.reply);
	}
	message = message_open(queue, rcpt.message);
	sched_rcpt_bounce(queue->sched, at);
	outcome_settle(message);
	message_close(message);
}

void
schedule_expire(struct queue *queue)
{
	size_t count = sched_rcpt_count(queue->sched) / SWEEP_SECONDS;
	unsigned budget = (unsigned)(count > SWEEP_MIN ? count : SWEEP_MIN);
	uint32_t at;

	for (unsigned moves = 0; moves < EXPIRE_MOVES; moves++) {
		at = sched_expired(queue->sched, &budget);
		if (at == SCHED_NONE)
			return;
		expire(queue, at);
	}
}

static void
start_timer(struct queue *queue, uint64_t wait_ms)
{
	queue->look_ms = io_now_ms(queue->env->io) + wait_ms;
	io_timer_start(queue->env->io, &queue->timer, wait_ms);
}

static uint64_t
idle_ms(const struct queue *queue)
{
	struct io *io = queue->env->io;

	return sched_idle_ms(queue->sched, io_now_ms(io), io_wall_ms(io), LOOK_MS_MAX);
}

void
schedule_arm(struct queue *queue)
{
	struct io *io = queue->env->io;
	bool more = sched_advance(queue->sched, io_now_ms(io), io_wall_ms(io), MOVES);

	start_timer(queue, more ? 0 : idle_ms(queue));
}

void
schedule_arm_sooner(struct queue *queue)
{
	uint64_t wait_ms = idle_ms(queue);

	if (io_now_ms(queue->env->io) + wait_ms < queue->look_ms)
		start_timer(queue, wait_ms);
}
