/*
 * Questions to other roles.  An answer finds its session by number; a session that
 * is gone meanwhile is not found, and the answer is dropped.  When a role dies, all that wait
 * for it are told to try again later.
 */
#include "proc/reception/reception_internal.h"

#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"
#include "ipc/suppressed.h"

static void
start_waiting(struct session *session, enum session_wait wait, uint64_t query)
{
	check(session->wait == WAIT_NOTHING);
	session->wait = wait;
	session->query = query;
	map_set_u64(&session->reception->queries, query, session);
}

void
ask_forget(struct session *session)
{
	if (session->wait == WAIT_NOTHING)
		return;
	map_remove_u64(&session->reception->queries, session->query);
	session->wait = WAIT_NOTHING;
}

void
ask_lookup(struct session *session, struct span address)
{
	struct ipc_xl_resolve resolve = {
	    .address = address, .reverse_path = session->transaction.reverse_path};

	if (!session->reception->lookup) {
		session_reply_id(session, REPLY_LOOKUP_FAILED);
		return;
	}
	start_waiting(session, WAIT_LOOKUP, ++session->reception->next_number);
	resolve.query = session->query;
	ipc_xl_resolve_send(session->reception->lookup, &resolve);
}

bool
ask_may_be_suppressed(
    const struct reception *reception, struct span sender, struct span address)
{
	const struct map *known = &reception->suppressed;

	return known->count > 0 && reception->queue &&
	    (map_get_u64(known, ipc_suppressed_hash(sender, address)) ||
	        map_get_u64(known, ipc_suppressed_hash(SPAN("*"), address)));
}

void
ask_suppression(struct session *session, struct span sender, struct span address)
{
	struct ipc_rq_is_suppressed asked = {.sender = sender, .address = address};

	start_waiting(session, WAIT_SUPPRESSION, ++session->reception->next_number);
	asked.query = session->query;
	ipc_rq_is_suppressed_send(session->reception->queue, &asked);
}

void
ask_senders(struct session *session, struct span addresses)
{
	struct ipc_xl_may_send may_send = {
	    .login = smtp_server_login(session->smtp), .addresses = addresses};

	if (!session->reception->lookup) {
		submit_lost(session);
		return;
	}
	start_waiting(session, WAIT_SENDERS, ++session->reception->next_number);
	may_send.query = session->query;
	ipc_xl_may_send_send(session->reception->lookup, &may_send);
}

void
ask_null_mx(struct session *session, struct span domain)
{
	struct ipc_rn_null_mx asked = {.domain = domain};

	check(session->reception->resolver);
	start_waiting(session, WAIT_NULL_MX, ++session->reception->next_number);
	session->asked_ms = io_now_ms(session->reception->env->io);
	asked.query = session->query;
	ipc_rn_null_mx_send(session->reception->resolver, &asked);
}

void
ask_tick(struct session *session, uint64_t now_ms)
{
	if (session->wait != WAIT_NULL_MX || now_ms < session->asked_ms + RECEPTION_NULL_MX_MS)
		return;
	ask_forget(session);
	transaction_sender_known(session, false);
}

static void
begin_exchange(struct session *session, const struct smtp_server_step *step)
{
	struct ipc_rk_auth auth = {
	    .exchange = ++session->reception->next_number,
	    .mechanism = (uint8_t)step->mechanism,
	    .has_response = step->has_response,
	    .response = step->response,
	};
	struct buf client, exporter, end_point, certificate;

	buf_init(&exporter, IPC_BINDING_MAX);
	buf_init(&end_point, IPC_BINDING_MAX);
	buf_init(&certificate, IPC_DOMAIN_MAX);
	tls_binding_exporter(session->tls, &exporter);
	tls_binding_end_point(session->tls, &end_point);
	tls_peer_name(session->tls, &certificate);
	auth.exporter = buf_span(&exporter);
	auth.end_point = buf_span(&end_point);
	auth.certificate = buf_span(&certificate);
	session->exchange = auth.exchange;
	session->mechanism = step->mechanism;
	buf_init(&client, NET_TEXT_MAX);
	net_addr_write(&client, &session->peer);
	auth.client = buf_span(&client);
	ipc_rk_auth_send(session->reception->keyring, &auth);
	buf_fini(&client);
	buf_fini(&exporter);
	buf_fini(&end_point);
	buf_fini(&certificate);
}

void
ask_keyring(struct session *session, const struct smtp_server_step *step)
{
	struct ipc_channel *keyring = session->reception->keyring;

	if (!keyring) {
		session->exchange = 0;
		session_reply_id(session, REPLY_AUTH_TEMPORARY);
		return;
	}
	if (step->begins) {
		check(session->exchange == 0);
		begin_exchange(session, step);
	} else {
		const struct ipc_rk_response response = {
		    .exchange = session->exchange, .response = step->response};

		ipc_rk_response_send(keyring, &response);
	}
	start_waiting(session, WAIT_KEYRING, session->exchange);
}

void
ask_forget_exchange(struct session *session)
{
	struct ipc_channel *keyring = session->reception->keyring;

	if (session->exchange != 0 && keyring)
		ipc_rk_forget_send(
		    keyring, &(struct ipc_rk_forget){.exchange = session->exchange});
	session->exchange = 0;
}

void
ask_queue(struct session *session, uint64_t transaction)
{
	start_waiting(session, WAIT_QUEUE, transaction);
}

/* The session that waits for this answer, which it waits for no more; or NULL. */
static struct session *
answered(struct reception *reception, uint64_t query, enum session_wait wait)
{
	struct session *session = map_get_u64(&reception->queries, query);

	if (!session || session->wait != wait)
		return NULL;
	ask_forget(session);
	return session;
}

static void
say_auth(struct session *session, const struct ipc_kr_authenticated *answer)
{
	bool failed =
	    answer->result == IPC_AUTH_DENIED || answer->result == IPC_AUTH_MALFORMED;
	struct event event;

	session_event_begin(session, &event, answer->result == IPC_AUTH_OK
		? "authenticated"
		: failed ? "auth_failed"
			 : "auth_deferred");
	event_str(&event, "mechanism", sasl_mechanism_name(session->mechanism));
	if (answer->login.len > 0)
		event_span(&event, "login", answer->login);
	if (answer->text.len > 0)
		event_span(&event, "text", answer->text);
	event_end(&event);
}

/* The session's exchange is over. */
static void
take_authenticated(struct session *session, const struct ipc_kr_authenticated *answer)
{
	struct reply reply = {.id = REPLY_AUTH_TEMPORARY};
	char minutes[24];

	session->exchange = 0;
	say_auth(session, answer);
	switch ((enum ipc_auth)answer->result) {
	case IPC_AUTH_OK:
		smtp_server_auth_ok(session->smtp, answer->login);
		session_pump(session);
		return;
	case IPC_AUTH_DENIED:
		reply.id = REPLY_AUTH_INVALID;
		break;
	case IPC_AUTH_MALFORMED:
		reply.id = REPLY_SYNTAX;
		reply.args[0] = answer->text;
		break;
	case IPC_AUTH_TOO_MANY:
		reply.id = REPLY_AUTH_TOO_MANY;
		(void)snprintf(minutes, sizeof(minutes), "%u", (answer->wait_s + 59) / 60);
		reply.args[0] = span_str(minutes);
		break;
	case IPC_AUTH_TEMPORARY:
		break;
	}
	session_reply(session, &reply);
}

static void
take_offer(struct reception *reception, unsigned mechanisms)
{
	reception->mechanisms = mechanisms & SASL_MECHANISMS_ALL;
	reception->offered = true;
	reception_check_open(reception);
}

static enum err
receive_keyring(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct reception *reception = owner;
	struct ipc_kr_authenticated answer;
	struct ipc_kr_challenge challenge;
	struct ipc_kr_offer offer;
	struct session *session;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_kr_TICKET_KEYS:
		return reception_tls_tickets(reception, payload);
	case IPC_kr_OFFER:
		if (ipc_kr_offer_decode(payload, &offer))
			return ERR_SYNTAX;
		take_offer(reception, offer.mechanisms);
		return OK;
	case IPC_kr_CHALLENGE:
		if (ipc_kr_challenge_decode(payload, &challenge))
			return ERR_SYNTAX;
		session = answered(reception, challenge.exchange, WAIT_KEYRING);
		if (session) {
			smtp_server_auth_challenge(session->smtp, challenge.challenge);
			session_pump(session);
		}
		return OK;
	case IPC_kr_AUTHENTICATED:
		if (ipc_kr_authenticated_decode(payload, &answer) ||
		    answer.result > IPC_AUTH_TOO_MANY)
			return ERR_SYNTAX;
		if (answer.result == IPC_AUTH_OK && answer.login.len == 0)
			return ERR_SYNTAX;
		session = answered(reception, answer.exchange, WAIT_KEYRING);
		if (session)
			take_authenticated(session, &answer);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static enum err
receive_lookup(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct reception *reception = owner;
	struct ipc_lx_resolved answer;
	struct ipc_lx_senders senders;
	struct session *session;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type == IPC_lx_SENDERS) {
		if (ipc_lx_senders_decode(payload, &senders) ||
		    senders.verdict >= IPC_MAY_SEND_COUNT)
			return ERR_SYNTAX;
		session = answered(reception, senders.query, WAIT_SENDERS);
		if (session)
			submit_answered(session, &senders);
		return OK;
	}
	if (type != IPC_lx_RESOLVED || ipc_lx_resolved_decode(payload, &answer))
		return ERR_SYNTAX;
	session = answered(reception, answer.query, WAIT_LOOKUP);
	if (session && session->transaction.active)
		transaction_rcpt_resolved(session, &answer);
	else if (session)
		query_resolved(session, &answer);
	return OK;
}

static enum err
receive_resolver(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct reception *reception = owner;
	struct ipc_nr_null_mx answer;
	struct session *session;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_nr_NULL_MX || ipc_nr_null_mx_decode(payload, &answer))
		return ERR_SYNTAX;
	session = answered(reception, answer.query, WAIT_NULL_MX);
	if (session)
		transaction_sender_known(session, answer.null_mx);
	return OK;
}

static enum err
take_suppressed(struct reception *reception, const struct ipc_qr_suppressed *told)
{
	struct reader reader = reader_init(told->hashes);

	while (!reader.failed && reader.rest.len > 0) {
		uint64_t hash = reader_u64(&reader);

		if (reader.failed)
			break;
		if (told->gone)
			map_remove_u64(&reception->suppressed, hash);
		else
			map_set_u64(&reception->suppressed, hash, reception);
	}
	return reader_finish(&reader);
}

static void
forget_suppressed(struct reception *reception)
{
	uint64_t seed[2];

	map_fini(&reception->suppressed);
	io_random(reception->env->io, seed, sizeof(seed));
	map_init(&reception->suppressed, seed);
}

static enum err
receive_queue(void *owner, struct ipc_channel *channel, unsigned type, struct span payload,
    int fd)
{
	struct reception *reception = owner;
	struct ipc_qr_ids ids;
	struct ipc_qr_committed committed;
	struct ipc_qr_pressure pressure;
	struct ipc_qr_suppressed suppressed;
	struct ipc_qr_suppression suppression;
	struct session *session;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_qr_IDS:
		if (ipc_qr_ids_decode(payload, &ids))
			return ERR_SYNTAX;
		reception->id_next = ids.first;
		reception->id_end = ids.first + ids.count;
		reception->ids_asked = false;
		reception_check_open(reception);
		return OK;
	case IPC_qr_COMMITTED:
		if (ipc_qr_committed_decode(payload, &committed) ||
		    committed.outcome >= IPC_COMMIT_COUNT)
			return ERR_SYNTAX;
		session = answered(reception, committed.transaction, WAIT_QUEUE);
		if (session)
			transaction_committed(session, (enum ipc_commit)committed.outcome);
		return OK;
	case IPC_qr_PRESSURE:
		if (ipc_qr_pressure_decode(payload, &pressure) ||
		    pressure.outcome >= IPC_COMMIT_COUNT)
			return ERR_SYNTAX;
		reception->pressure = (enum ipc_commit)pressure.outcome;
		return OK;
	case IPC_qr_SUPPRESSED:
		return ipc_qr_suppressed_decode(payload, &suppressed)
		    ? ERR_SYNTAX
		    : take_suppressed(reception, &suppressed);
	case IPC_qr_SUPPRESSION:
		if (ipc_qr_suppression_decode(payload, &suppression))
			return ERR_SYNTAX;
		session = answered(reception, suppression.query, WAIT_SUPPRESSION);
		if (session)
			transaction_rcpt_suppressed(session, suppression.text);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

/* All that wait for a role that is gone are answered; a body on its way is lost with it. */
static void
answer_all(struct reception *reception, enum session_wait wait)
{
	list_for_each_safe(node, &reception->sessions) {
		struct session *session = container_of(node, struct session, node);

		/* The queue that comes next has given neither of them. */
		if (wait == WAIT_QUEUE) {
			session->transaction.begun = false;
			session->transaction.id = 0;
		}
		if (session->wait != wait)
			continue;
		ask_forget(session);
		if (wait == WAIT_KEYRING)
			session->exchange = 0;
		if (wait == WAIT_LOOKUP)
			SIM_MARK("reception.lost_lookup_in_question");
		if (wait == WAIT_LOOKUP)
			session_reply_id(session, REPLY_LOOKUP_FAILED);
		else if (wait == WAIT_SENDERS)
			submit_lost(session);
		else if (wait == WAIT_NULL_MX)
			transaction_sender_known(session, false);
		else if (wait == WAIT_SUPPRESSION)
			session_reply_id(session, REPLY_LOOKUP_FAILED);
		else if (wait == WAIT_KEYRING)
			session_reply_id(session, REPLY_AUTH_TEMPORARY);
		else
			transaction_lost(session);
	}
}

static void
link_closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct reception *reception = owner;

	/* Why is said by the supervisor, and what it costs by each session. */
	(void)err;
	ipc_channel_destroy(channel);
	if (channel == reception->queue) {
		reception->queue = NULL;
		reception->draining = false;
		reception->id_next = reception->id_end = 0;
		forget_suppressed(reception);
		answer_all(reception, WAIT_QUEUE);
		answer_all(reception, WAIT_SUPPRESSION);
		list_for_each_safe(node, &reception->paused) {
			struct session *session = container_of(node, struct session, paused);

			list_remove(node);
			session_resume(session);
		}
	} else if (channel == reception->lookup) {
		reception->lookup = NULL;
		answer_all(reception, WAIT_LOOKUP);
		answer_all(reception, WAIT_SENDERS);
	} else if (channel == reception->resolver) {
		reception->resolver = NULL;
		answer_all(reception, WAIT_NULL_MX);
	} else if (channel == reception->keyring) {
		reception->keyring = NULL;
		answer_all(reception, WAIT_KEYRING);
	}
}

void
ask_link(struct reception *reception, enum proc peer, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct ipc_handlers handlers = {.owner = reception, .closed = link_closed};
	struct ipc_channel **channel;

	if (kind == PROC_LINK_SIGN) {
		reception_tls_link(reception, stream);
		reception_check_open(reception);
		return;
	}
	channel = peer == PROC_QUEUE ? &reception->queue
	    : peer == PROC_LOOKUP    ? &reception->lookup
	    : peer == PROC_RESOLVER  ? &reception->resolver
	                             : &reception->keyring;
	handlers.receive = peer == PROC_QUEUE ? receive_queue
	    : peer == PROC_LOOKUP             ? receive_lookup
	    : peer == PROC_RESOLVER           ? receive_resolver
	                                      : receive_keyring;
	if (*channel)
		link_closed(reception, *channel, ERR_CLOSED);
	*channel = ipc_channel_create(stream, &handlers);
	if (channel == &reception->keyring)
		ipc_channel_secret(*channel);
	reception_check_open(reception);
}
