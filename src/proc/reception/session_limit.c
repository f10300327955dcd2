/*
 * What limits do to a session: who is refused before it begins, who waits, what is counted.  The
 * decisions are limit.c's; here they meet the clock, the log and the connection.
 */
#include "proc/reception/reception_internal.h"

#include "base/check.h"

static uint64_t
now_of(const struct reception *reception)
{
	return io_now_ms(reception->env->io);
}

/* How reply texts name what is refused: the client's address or us. */
static void
write_refusal(struct buf *line, const struct conf *conf, enum reply_id id,
    const struct net_addr *peer)
{
	struct reply reply = {.id = id, .args = {conf->hostname}};
	struct buf address;

	buf_init(&address, NET_TEXT_MAX);
	net_addr_write(&address, peer);
	if (id == REPLY_TOO_MANY_FROM_HOST || id == REPLY_TOO_MANY_FROM_NETWORK ||
	    id == REPLY_CONNECTS_TOO_OFTEN || id == REPLY_TOO_MANY_FAILURES ||
	    id == REPLY_LMTP_REFUSED)
		reply.args[0] = buf_span(&address);
	reply_write(line, &reply, true, false);
	buf_fini(&address);
}

void
session_refuse_client(struct reception *reception, struct io_stream *stream,
    const struct net_addr *peer, enum conf_listener_kind kind, enum reply_id id)
{
	struct buf line;

	buf_init(&line, REPLY_LINE_BYTES_MAX);
	write_refusal(&line, reception->conf, id, peer);
	/* Before a handshake there is nobody who could read it. */
	if (kind != CONF_LISTENER_SUBMISSIONS)
		io_send(stream, buf_span(&line));
	buf_fini(&line);
}

/* Of a flood of refusals some are told; the totals of "limits_met" have all. */
static bool
may_tell(struct reception *reception)
{
	static const struct rate_limit lines = {.count = 600, .period_ms = 60000};
	uint64_t now_ms = now_of(reception);

	if (rate_next_ms(&reception->refusals_told, &lines, now_ms) > now_ms)
		return false;
	rate_take(&reception->refusals_told, &lines, now_ms);
	return true;
}

void
session_say_turned_away(
    struct reception *reception, const struct net_addr *peer, enum reply_id id, enum limit limit)
{
	struct event event;

	if (!may_tell(reception))
		return;
	event_begin(&event, &reception->env->log, "refused");
	event_addr(&event, "client", peer);
	event_u64(&event, "code", reply_code(id));
	event_str(&event, "status", reply_enhanced(id));
	if (limit != LIMIT_COUNT)
		event_str(&event, "limit", limit_name(limit));
	event_end(&event);
}

enum limit
session_judge_peer(struct reception *reception, struct limit_client *client,
    const struct net_addr *peer, bool exempt)
{
	const struct conf *conf = reception->conf;
	enum limit limit;

	if (limit_table_total(&reception->limits) >= conf->sessions_max)
		limit = LIMIT_SESSIONS;
	else
		limit = limit_enter(client, &reception->limits, conf, peer, exempt,
		    now_of(reception));
	if (limit != LIMIT_COUNT)
		reception_met(reception, limit);
	return limit;
}

bool
session_judge_again(struct session *session)
{
	struct reception *reception = session->reception;
	enum limit limit = limit_enter(&session->client, &reception->limits, reception->conf,
	    &session->peer, session->may_relay, now_of(reception));
	enum reply_id why;

	if (limit == LIMIT_COUNT)
		return true;
	reception_met(reception, limit);
	why = limit_reply(limit);
	/* Behind a handshake the connection just ends. */
	if (!session->tls)
		session_refuse_client(
		    reception, session->stream, &session->peer, session->kind, why);
	session_say_turned_away(reception, &session->peer, why, limit);
	return false;
}

enum reply_id
session_may(struct session *session, enum limit_rate rate)
{
	struct reception *reception = session->reception;
	enum limit limit = LIMIT_COUNT;

	if (rate == LIMIT_RATE_MESSAGES &&
	    reception->memory >= reception->conf->reception_bytes_max)
		return REPLY_MEMORY_FULL;
	/* Whoever has logged in is known by name: many users may share an address. */
	if (smtp_server_login(session->smtp).len == 0)
		limit = limit_take(&session->client, &reception->limits, reception->conf, rate,
		    now_of(reception));
	session->refused_by = limit;
	return limit == LIMIT_COUNT ? REPLY_COUNT : limit_reply(limit);
}

void
session_note_limit(struct session *session, struct event *event, enum reply_id id)
{
	enum limit limit = limit_of_reply(id);

	/* One reply, for the host and for the network. */
	if (id == REPLY_MESSAGES_TOO_OFTEN || id == REPLY_RECIPIENTS_TOO_OFTEN)
		limit = session->refused_by;
	if (limit == LIMIT_COUNT)
		return;
	event_str(event, "limit", limit_name(limit));
	reception_met(session->reception, limit);
}

/* The delays. */

void
session_end_delay(struct session *session)
{
	session->delay = DELAY_NONE;
	io_timer_stop(session->reception->env->io, &session->wait_timer);
}

void
session_delay_over(struct io_timer *timer)
{
	struct session *session = timer->owner;
	bool late = session->delay == DELAY_HEADER;

	session->delay = DELAY_NONE;
	if (late) {
		session_header_is_late(session);
		return;
	}
	smtp_server_touch(session->smtp, now_of(session->reception));
	session_pump(session);
}

void
session_start_delay(struct session *session, enum session_delay delay, uint64_t wait_ms)
{
	/* One that runs already begins anew. */
	session->delay = delay;
	io_timer_start(session->reception->env->io, &session->wait_timer, wait_ms);
}

void
session_delay_greeting(struct session *session)
{
	const struct conf *conf = session->reception->conf;

	if (conf->greeting_delay_ms == 0 || session->kind != CONF_LISTENER_SMTP ||
	    session->may_relay || session->reception->stress.on)
		return;
	session_start_delay(session, DELAY_GREETING, conf->greeting_delay_ms);
}

void
session_talked_early(struct session *session, struct span said)
{
	struct event event;

	session_end_delay(session);
	session_refuse_client(session->reception, session->stream, &session->peer, session->kind,
	    REPLY_TALKED_EARLY);
	session_event_begin(session, &event, "refused");
	event_u64(&event, "code", reply_code(REPLY_TALKED_EARLY));
	event_str(&event, "status", reply_enhanced(REPLY_TALKED_EARLY));
	session_note_limit(session, &event, REPLY_TALKED_EARLY);
	event_span(&event, "command", span_first(said, 200));
	event_end(&event);
	limit_failed(&session->client, &session->reception->limits, session->reception->conf,
	    now_of(session->reception));
	session_close(session);
}

void
session_pace(struct session *session)
{
	struct reception *reception = session->reception;
	uint64_t errors = smtp_server_errors(session->smtp), wait_ms;

	if (errors == session->errors)
		return;
	for (uint64_t i = session->errors; i < errors; i++)
		limit_failed(&session->client, &reception->limits, reception->conf,
		    now_of(reception));
	wait_ms = limit_error_delay_ms(reception->conf, session->errors, errors);
	session->errors = errors;
	if (wait_ms == 0 || reception->stress.on || reception->stopping)
		return;
	reception_met(reception, LIMIT_ERROR_DELAY);
	session_start_delay(session, DELAY_ERROR, wait_ms);
}

/* Memory, and stress. */

void
session_charge(struct session *session)
{
	struct reception *reception = session->reception;
	size_t bytes = 0;

	if (!session->closed)
		bytes = session->transaction.body.room + session->transaction.arena.used +
		    session->held.room + smtp_server_bytes(session->smtp) +
		    io_pending(session->stream);
	check(reception->memory >= session->memory);
	reception->memory += bytes - session->memory;
	session->memory = bytes;
}

void
session_apply_stress(struct session *session)
{
	struct reception *reception = session->reception;
	const struct conf *conf = reception->conf;
	const struct limit_stress *stress = &reception->stress;
	const struct smtp_server_limits limits = {
	    .command_timeout_ms = limit_stress_time(stress, conf->command_timeout_ms),
	    .data_timeout_ms = limit_stress_time(stress, conf->data_timeout_ms),
	    .errors_max = limit_stress_count(stress, conf->errors_max),
	    .idle_commands_max = limit_stress_count(stress, conf->idle_commands_max),
	};

	if (session->stressed == stress->on)
		return;
	session->stressed = stress->on;
	smtp_server_limit(session->smtp, &limits);
}

bool
session_handshake_is_late(const struct session *session, uint64_t now_ms)
{
	return session->handshaking &&
	    now_ms >= session->handshake_ms +
		    limit_stress_time(&session->reception->stress,
			session->reception->conf->handshake_timeout_ms);
}
