/*
 * Delivery: takes attempts from the queue and speaks SMTP with other servers.  It opens no file;
 * the resolver answers where to go, the keyring gives the password for a smart host.
 */
#include "proc/delivery/delivery_internal.h"

#include "base/check.h"

enum {
	TICK_MS = 1000,
	/* How long an address is left alone that let time run out. */
	SILENT_MS_MIN = 30 * 1000,
	SILENT_MS_MAX = 5 * 60 * 1000,
	/* How long nothing goes behind the end of a message where that went wrong. */
	IN_TURN_MS_MIN = 60 * 60 * 1000,
	IN_TURN_MS_MAX = 24 * 60 * 60 * 1000,
};

uint64_t
delivery_ask(struct attempt *attempt)
{
	struct delivery *delivery = attempt->delivery;

	if (attempt->query)
		map_remove_u64(&delivery->query_map, attempt->query);
	attempt->query = ++delivery->next_query;
	map_set_u64(&delivery->query_map, attempt->query, attempt);
	return attempt->query;
}

/* The attempt that asked, which asks no more; or NULL. */
static struct attempt *
answered(struct delivery *delivery, uint64_t query)
{
	struct attempt *attempt = map_remove_u64(&delivery->query_map, query);

	if (attempt)
		attempt->query = 0;
	return attempt;
}

void
delivery_ask_more(struct attempt *attempt)
{
	const struct ipc_dq_more more = {
	    .attempt = attempt->number, .offset = attempt->body_got};

	if (attempt->more_asked || attempt->body_got == attempt->body_bytes ||
	    !attempt->delivery->queue)
		return;
	attempt->more_asked = true;
	ipc_dq_more_send(attempt->delivery->queue, &more);
}

/* Frees what is over; nothing of it is on the stack. */
static void
bury(struct delivery *delivery)
{
	list_for_each_safe(node, &delivery->over)
		attempt_free(container_of(node, struct attempt, node));
	list_for_each_safe(node, &delivery->closed)
		talk_free(container_of(node, struct talk, node));
	pool_sweep(&delivery->pool);
}

static enum err
take_attempt(struct delivery *delivery, const struct ipc_qd_attempt *order)
{
	struct ipc_extras extras;

	if (map_get_u64(&delivery->attempt_map, order->attempt) || order->rcpt_count == 0 ||
	    order->rcpt_count > SMTP_CLIENT_RCPT_MAX || ipc_extras_read(order->extras, &extras))
		return ERR_SYNTAX;
	bury(delivery);
	attempt_create(delivery, order);
	if (!delivery->ticking)
		io_timer_start(delivery->env->io, &delivery->tick, TICK_MS);
	delivery->ticking = true;
	return OK;
}

static enum err
take_rcpt(struct delivery *delivery, const struct ipc_qd_rcpt *rcpt)
{
	struct attempt *attempt = map_get_u64(&delivery->attempt_map, rcpt->attempt);
	struct attempt_rcpt *into;

	if (!attempt || attempt->state != ATTEMPT_GATHERING ||
	    attempt->rcpt_count == attempt->rcpt_room || rcpt->index != attempt->rcpt_count)
		return ERR_SYNTAX;
	into = &attempt->rcpts[attempt->rcpt_count];
	into->notify = rcpt->notify;
	if (!arena_copy(&attempt->arena, rcpt->address, &into->address) ||
	    !arena_copy(&attempt->arena, rcpt->orcpt, &into->orcpt))
		return ERR_TOO_LONG;
	attempt->rcpt_count++;
	return OK;
}

static enum err
take_body(struct delivery *delivery, const struct ipc_qd_body *body)
{
	struct attempt *attempt = map_get_u64(&delivery->attempt_map, body->attempt);

	if (!attempt)
		return OK;
	if (body->error) {
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0",
		    "the message cannot be read from the spool");
		attempt_finish(attempt);
		return OK;
	}
	if (attempt->conversion.is_stale) {
		attempt->conversion.is_stale = attempt->more_asked = false;
		if (attempt->conversion.is_reading)
			delivery_ask_more(attempt);
		else
			talk_body(attempt);
		return OK;
	}
	if (body->offset != attempt->body_got ||
	    body->bytes.len > attempt->body_bytes - attempt->body_got)
		return ERR_SYNTAX;
	if (attempt->conversion.is_reading) {
		attempt->more_asked = false;
		attempt_convert_read(attempt, body->bytes);
		return OK;
	}
	buf_add(&attempt->body, body->bytes);
	if (buf_finish(&attempt->body))
		return ERR_TOO_LONG;
	attempt->body_got += body->bytes.len;
	attempt->more_asked = false;
	if (attempt->state == ATTEMPT_GATHERING && attempt->rcpt_count == attempt->rcpt_room)
		attempt_start(attempt);
	else
		talk_body(attempt);
	return OK;
}

static enum err
receive_queue(void *owner, struct ipc_channel *channel, unsigned type, struct span payload,
    int fd)
{
	struct delivery *delivery = owner;
	struct ipc_qd_attempt order;
	struct ipc_qd_rcpt rcpt;
	struct ipc_qd_body body;
	struct ipc_qd_suspended suspended;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_qd_ATTEMPT:
		return ipc_qd_attempt_decode(payload, &order) ? ERR_SYNTAX
		                                              : take_attempt(delivery, &order);
	case IPC_qd_RCPT:
		return ipc_qd_rcpt_decode(payload, &rcpt) ? ERR_SYNTAX
		                                          : take_rcpt(delivery, &rcpt);
	case IPC_qd_BODY:
		return ipc_qd_body_decode(payload, &body) ? ERR_SYNTAX
		                                          : take_body(delivery, &body);
	case IPC_qd_SUSPENDED:
		return ipc_qd_suspended_decode(payload, &suspended)
		    ? ERR_SYNTAX
		    : suspended_take(delivery, &suspended);
	default:
		return ERR_SYNTAX;
	}
}

static enum err
receive_resolver(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct ipc_nd_found found;
	struct attempt *attempt;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_nd_FOUND || ipc_nd_found_decode(payload, &found))
		return ERR_SYNTAX;
	attempt = answered(owner, found.query);
	if (attempt)
		attempt_hosts(attempt, &found);
	return OK;
}

static enum err
receive_fetcher(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct ipc_fd_policy policy;
	struct attempt *attempt;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_fd_POLICY || ipc_fd_policy_decode(payload, &policy) ||
	    policy.mode >= IPC_POLICY_COUNT)
		return ERR_SYNTAX;
	attempt = answered(owner, policy.query);
	if (attempt)
		attempt_policy(attempt, &policy);
	return OK;
}

static enum err
receive_keyring(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct ipc_kd_credential credential;
	struct attempt *attempt;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_kd_CREDENTIAL || ipc_kd_credential_decode(payload, &credential))
		return ERR_SYNTAX;
	attempt = answered(owner, credential.query);
	if (attempt)
		attempt_credential(attempt, &credential);
	return OK;
}

/* Those who wait for a role that is gone try again later. */
static void
defer_waiting(struct delivery *delivery, enum attempt_state state, const char *text)
{
	list_for_each_safe(node, &delivery->attempts)
	{
		struct attempt *attempt = container_of(node, struct attempt, node);

		if (attempt->state != state)
			continue;
		attempt_fail(attempt, IPC_DEFERRED, 0, "4.3.0", text);
		attempt_finish(attempt);
	}
}

static void
link_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct delivery *delivery = owner;

	(void)err;
	ipc_channel_destroy(channel);
	if (channel == delivery->resolver) {
		delivery->resolver = NULL;
		defer_waiting(delivery, ATTEMPT_LOOKING_UP,
		    "the resolver ended, and is started again");
	} else if (channel == delivery->fetcher) {
		delivery->fetcher = NULL;
		defer_waiting(delivery, ATTEMPT_POLICY,
		    "the fetcher of TLS policies ended, and is started again");
	} else if (channel == delivery->keyring) {
		delivery->keyring = NULL;
		defer_waiting(delivery, ATTEMPT_ASKING,
		    "the keyring ended, and is started again");
	} else {
		/* The queue that gave these attempts is gone, and counts them as lost. */
		delivery->queue = NULL;
		list_for_each_safe(node, &delivery->attempts)
			attempt_drop(container_of(node, struct attempt, node));
		talk_quit_all(delivery);
	}
}

static void
ticked(struct io_timer *timer)
{
	struct delivery *delivery = timer->owner;

	bury(delivery);
	talk_expire(delivery, io_now_ms(delivery->env->io));
	/* Whatever is to be ended or freed later began with an attempt. */
	delivery->ticking = !list_empty(&delivery->attempts) || !list_empty(&delivery->talks) ||
	    !list_empty(&delivery->over) || !list_empty(&delivery->closed);
	if (delivery->ticking)
		io_timer_start(delivery->env->io, &delivery->tick, TICK_MS);
}

static void *
delivery_create(struct proc_env *env)
{
	struct delivery *delivery = mem_alloc(sizeof(*delivery));
	uint64_t seed[2];

	delivery->env = env;
	delivery->conf = env->conf;
	io_random(env->io, seed, sizeof(seed));
	map_init(&delivery->attempt_map, seed);
	map_init(&delivery->query_map, seed);
	list_init(&delivery->attempts);
	list_init(&delivery->over);
	list_init(&delivery->talks);
	list_init(&delivery->closed);
	list_init(&delivery->asks);
	pool_init(&delivery->pool, seed);
	health_init(&delivery->health, seed, SILENT_MS_MIN, SILENT_MS_MAX);
	health_init(&delivery->in_turn, seed, IN_TURN_MS_MIN, IN_TURN_MS_MAX);
	delivery->tick = (struct io_timer){.fired = ticked, .owner = delivery};
	if (tls_client_context_create(false, &delivery->tls_any) ||
	    tls_client_context_create(true, &delivery->tls_verified) ||
	    tls_dane_context_create(&delivery->tls_dane)) {
		event_note(&env->log, "tls_not_usable", "cannot make TLS contexts for delivery");
		return NULL;
	}
	return delivery;
}

static void
delivery_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct delivery *delivery = role;
	struct ipc_handlers handlers = {.owner = delivery, .closed = link_closed};
	struct ipc_channel **channel = peer == PROC_QUEUE ? &delivery->queue
	    : peer == PROC_RESOLVER                       ? &delivery->resolver
	    : peer == PROC_FETCHER                        ? &delivery->fetcher
	                                                  : &delivery->keyring;

	(void)instance;
	if (kind == PROC_LINK_LMTP) {
		talk_socket(delivery, stream, OK);
		return;
	}
	handlers.receive = peer == PROC_QUEUE ? receive_queue
	    : peer == PROC_RESOLVER           ? receive_resolver
	    : peer == PROC_FETCHER            ? receive_fetcher
	                                      : receive_keyring;
	if (*channel)
		link_closed(delivery, *channel, ERR_CLOSED);
	*channel = ipc_channel_create(stream, &handlers);
}

static void
delivery_no_link(void *role, enum proc_link_kind kind, enum err err)
{
	if (kind == PROC_LINK_LMTP)
		talk_socket(role, NULL, err);
}

static void
delivery_stop(void *role)
{
	struct delivery *delivery = role;

	delivery->stopping = true;
	talk_quit_all(delivery);
	/* What is under way stays in the queue, and is tried again at the next start. */
	proc_stopped(delivery->env);
}

static void
delivery_reload(void *role, const struct conf *conf)
{
	struct delivery *delivery = role;

	delivery->conf = conf;
	/* What was agreed on under the old one (our name, a password) holds no longer. */
	delivery->generation++;
	talk_quit_all(delivery);
}

const struct proc_role delivery_role = {
    .create = delivery_create,
    .link = delivery_link,
    .no_link = delivery_no_link,
    .stop = delivery_stop,
    .reload = delivery_reload,
};
