/*
 * Connections: made, used by one attempt after another, kept in between, and closed.  Which one an
 * attempt gets is the business of talk_way.c, and what is said on them that of talk_mail.c.
 */
#include "proc/delivery/delivery_internal.h"

#include <stdio.h>

#include "base/check.h"
#include "base/sim_point.h"

enum { FALLBACK_MS = 5000, PROBE_MS_MORE = 1000, CONNECT_TEXT_BYTES = 160 };

static void connected(struct io_op *op);
static void opened(struct talk *talk, struct io_stream *stream, enum err err);
static void read_done(struct io_op *op);
static void drained(struct io_op *op);
static void timed_out(struct io_timer *timer);

static uint64_t
now_ms(const struct talk *talk)
{
	return io_now_ms(talk->delivery->env->io);
}

static void
attach(struct talk *talk, struct attempt *attempt)
{
	check(!talk->attempt && !attempt->talk);
	talk->attempt = attempt;
	talk->messages_max = attempt->messages_max;
	talk->connections_max = attempt->connections_max;
	pool_set_site(&talk->delivery->pool, &talk->entry, attempt->site);
	attempt->talk = talk;
}

void
talk_detach(struct talk *talk)
{
	if (!talk->attempt)
		return;
	talk->attempt->talk = NULL;
	if (talk->smtp && smtp_client_quickest_ms(talk->smtp) < talk->attempt->quickest_ms)
		talk->attempt->quickest_ms = smtp_client_quickest_ms(talk->smtp);
	talk->attempt->mail_sent = talk->attempt->body_wanted = false;
	talk->attempt->conversion.waits = false;
	talk->attempt = NULL;
}

static struct talk *
create(struct attempt *attempt, struct pool_way *way)
{
	struct delivery *delivery = attempt->delivery;
	struct talk *talk = mem_alloc(sizeof(*talk));

	talk->delivery = delivery;
	talk->tls_mode = attempt->addrs[attempt->addr_index].tls;
	talk->generation = delivery->generation;
	/* What fell back to clear text is for this attempt only. */
	talk->spent = attempt->without_tls;
	talk->timer = (struct io_timer){.fired = timed_out, .owner = talk};
	talk->connect = (struct io_op){.done = connected, .owner = talk};
	talk->read = (struct io_op){.done = read_done, .owner = talk};
	talk->drain = (struct io_op){.done = drained, .owner = talk};
	list_push(&delivery->talks, &talk->node);
	pool_opening(way, &talk->entry);
	attach(talk, attempt);
	return talk;
}

void
talk_close(struct talk *talk)
{
	struct delivery *delivery;
	struct pool_way *way, *again;
	struct attempt *behind;

	if (!talk || talk->is_closed)
		return;
	delivery = talk->delivery;
	way = talk->entry.way;
	talk->is_closed = true;
	talk_detach(talk);
	behind = talk_part(talk);
	pool_gone(&delivery->pool, &talk->entry);
	io_timer_stop(delivery->env->io, &talk->timer);
	/* A connection under way is given up, and never completes. */
	if (talk->ask)
		talk->ask->talk = NULL;
	else if (talk->connecting)
		io_abort(talk->connect.stream);
	talk->ask = NULL;
	io_close(talk->stream);
	list_remove(&talk->node);
	list_push(&delivery->closed, &talk->node);
	while ((again = pool_again(&delivery->pool)) != NULL)
		talk_serve(delivery, again);
	talk_serve(delivery, way);
	talk_go_elsewhere(behind, "the connection ended before its turn came");
}

void
talk_free(struct talk *talk)
{
	check(talk->is_closed);
	list_remove(&talk->node);
	smtp_client_destroy(talk->smtp);
	tls_destroy(talk->tls);
	mem_free(talk);
}

static void
quit(struct talk *talk)
{
	smtp_client_quit(talk->smtp, now_ms(talk));
	talk_flush(talk);
	talk_close(talk);
}

void
talk_expire(struct delivery *delivery, uint64_t until_ms)
{
	struct pool_entry *oldest;

	while ((oldest = pool_oldest(&delivery->pool)) != NULL &&
	    until_ms - oldest->since_ms >= delivery->conf->idle_timeout_ms)
		quit(container_of(oldest, struct talk, entry));
}

void
talk_quit_all(struct delivery *delivery)
{
	struct pool_entry *oldest;

	while ((oldest = pool_oldest(&delivery->pool)) != NULL)
		quit(container_of(oldest, struct talk, entry));
}

bool
talk_may_go_on(const struct talk *talk)
{
	const struct delivery *delivery = talk->delivery;
	const struct conf *conf = delivery->conf;

	return !talk->spent && !delivery->stopping && delivery->queue &&
	    talk->generation == delivery->generation && conf->idle_connections_max > 0 &&
	    (talk->messages_max == 0 || talk->mails < talk->messages_max) &&
	    !pool_site_is_over(&talk->entry, talk->connections_max) &&
	    !pool_site_is_wanted(&talk->entry);
}

void
talk_rest(struct talk *talk)
{
	struct delivery *delivery = talk->delivery;

	check(!talk->attempt);
	if (!talk_may_go_on(talk)) {
		quit(talk);
		return;
	}
	pool_keep(&delivery->pool, &talk->entry, now_ms(talk));
	talk_serve(delivery, talk->entry.way);
	if (delivery->pool.kept_count > delivery->conf->idle_connections_max)
		quit(container_of(pool_oldest(&delivery->pool), struct talk, entry));
}

void
talk_opened(struct talk *talk)
{
	if (talk->entry.is_open)
		return;
	pool_opened(&talk->entry);
	talk_serve(talk->delivery, talk->entry.way);
}

/* The timer runs on to an earlier time rather than being set anew for each reply. */
static void
arm_timer(struct talk *talk, uint64_t deadline_ms)
{
	uint64_t now = now_ms(talk);

	if (deadline_ms == UINT64_MAX || (talk->timer_ms > 0 && talk->timer_ms <= deadline_ms))
		return;
	talk->timer_ms = deadline_ms > now ? deadline_ms : now + 1;
	io_timer_start(talk->delivery->env->io, &talk->timer, talk->timer_ms - now);
}

/*
 * How long to wait for a connection: not as long where the same host has an address of the other
 * family behind this one, for often one of the two leads nowhere.
 */
static uint64_t
connect_ms(const struct attempt *attempt)
{
	const struct attempt_addr *to = &attempt->addrs[attempt->addr_index];
	uint64_t ms = attempt->delivery->conf->connect_timeout_ms;

	for (size_t i = attempt->addr_index + 1; i < attempt->addr_count; i++)
		if (attempt->addrs[i].addr.family != to->addr.family &&
		    span_eq(attempt->addrs[i].host, to->host))
			return ms < FALLBACK_MS ? ms : FALLBACK_MS;
	return ms;
}

/* This role may not connect to Unix sockets, and sees none: the supervisor does it. */
static void
ask_for_socket(struct talk *talk)
{
	struct delivery *delivery = talk->delivery;
	const struct ipc_xs_lmtp lmtp = {.socket = talk->attempt->host};

	/* Without a supervisor this role is about to end. */
	if (!delivery->env->supervisor)
		return;
	talk->ask = mem_alloc(sizeof(*talk->ask));
	talk->ask->talk = talk;
	list_push(&delivery->asks, &talk->ask->node);
	ipc_xs_lmtp_send(delivery->env->supervisor, &lmtp);
}

void
talk_socket(struct delivery *delivery, struct io_stream *stream, enum err err)
{
	struct talk_ask *ask;
	struct talk *talk;

	if (list_empty(&delivery->asks)) {
		io_close(stream);
		return;
	}
	ask = container_of(list_pop(&delivery->asks), struct talk_ask, node);
	talk = ask->talk;
	mem_free(ask);
	if (!talk) {
		io_close(stream);
		return;
	}
	talk->ask = NULL;
	opened(talk, stream, err);
}

/*
 * A new connection, where all that the attempt's site may have are there, takes the place of kept
 * ones, which lead to other hosts of it.
 */
static void
make_room(const struct attempt *attempt)
{
	struct pool *pool = &attempt->delivery->pool;
	struct pool_entry *spare;

	while ((spare = pool_site_spare(
	            pool, attempt->site, attempt->connections_max)) != NULL) {
		SIM_MARK("delivery.site_full");
		quit(container_of(spare, struct talk, entry));
	}
}

void
talk_connect(struct attempt *attempt, struct pool_way *way)
{
	struct delivery *delivery = attempt->delivery;
	const struct net_addr to = attempt_to(attempt, attempt->addr_index);
	uint64_t ms = connect_ms(attempt);
	struct talk *talk;

	make_room(attempt);
	talk = create(attempt, way);
	health_probing(&delivery->health, &to, now_ms(talk), ms + PROBE_MS_MORE);
	arm_timer(talk, now_ms(talk) + ms);
	recorder_address(attempt, "connecting to ", to.port);
	recorder_source(attempt);
	talk->connecting = true;
	if (!to.family)
		ask_for_socket(talk);
	else
		io_connect_from(delivery->env->io, &talk->connect, &to,
		    attempt->source.addr.family ? &attempt->source.addr : NULL);
}

void
talk_have(struct talk *talk, struct attempt *attempt)
{
	attach(talk, attempt);
	attempt->state = ATTEMPT_TALKING;
	attempt->failure.down = false;
	buf_reset(&attempt->tls_text);
	if (talk->tls)
		attempt_note_tls(attempt, talk->tls);
}

static enum smtp_client_tls
client_tls(const struct talk *talk)
{
	switch (talk->tls_mode) {
	case CONF_TLS_REQUIRED:
	case CONF_TLS_VERIFIED:
	case CONF_TLS_DANE:
		return SMTP_CLIENT_TLS_REQUIRED;
	case CONF_TLS_IMPLICIT:
		return SMTP_CLIENT_TLS_IMPLICIT;
	case CONF_TLS_NEVER:
		return SMTP_CLIENT_TLS_NEVER;
	case CONF_TLS_MAY:
	case CONF_TLS_COUNT:
		break;
	}
	return talk->attempt->without_tls ? SMTP_CLIENT_TLS_NEVER : SMTP_CLIENT_TLS_MAY;
}

void
talk_start_tls(struct talk *talk)
{
	struct attempt *attempt = talk->attempt;
	struct span plain;

	talk->tls = attempt_tls(attempt, &attempt->addrs[attempt->addr_index]);
	talk->handshaking = true;
	/* Makes the first flight; nothing can have come yet. */
	err_ignore(tls_next(talk->tls, &plain), "a failure is met when the peer is read");
}

static void
read_more(struct talk *talk)
{
	if (talk->reading)
		return;
	talk->reading = true;
	io_read(talk->stream, &talk->read);
}

void
talk_settle(struct talk *talk)
{
	arm_timer(talk, smtp_client_deadline_ms(talk->smtp));
	arm_timer(talk, talk_behind_deadline_ms(talk));
	read_more(talk);
	if (io_pending(talk->stream) > DELIVERY_OUTPUT_MAX && !talk->draining) {
		talk->draining = true;
		io_drain(talk->stream, &talk->drain, DELIVERY_OUTPUT_MAX / 2);
	}
}

static void
drained(struct io_op *op)
{
	struct talk *talk = op->owner;

	talk->draining = false;
	if (!op->err)
		talk_pump(talk);
}

static bool
is_this_host(const struct net_addr *addr)
{
	return !addr->family || net_addr_is_loopback(addr);
}

static void
write_cannot_connect(const struct attempt *attempt, enum err err, char text[CONNECT_TEXT_BYTES])
{
	struct buf from;

	buf_init(&from, NET_TEXT_MAX);
	if (attempt->source.addr.family)
		net_addr_write(&from, &attempt->source.addr);
	snprintf(text, CONNECT_TEXT_BYTES, "cannot connect%s%.*s: %s", from.len ? " from " : "",
	    SPAN_ARGS(buf_span(&from)), err_text(err));
	buf_fini(&from);
}

static void
connected(struct io_op *op)
{
	opened(op->owner, op->stream, op->err);
}

/* All that waits for a connection on that way was to leave from there. */
static void
lacks_source(struct talk *talk, enum err err)
{
	struct attempt *attempt = talk->attempt;
	struct pool_way *way = talk->entry.way;
	struct pool_want *want;

	while ((want = pool_first(way)) != NULL) {
		attempt_lacks_source(container_of(want, struct attempt, want), err);
	}
	talk_close(talk);
	attempt_lacks_source(attempt, err);
}

static void
opened(struct talk *talk, struct io_stream *stream, enum err err)
{
	struct attempt *attempt = talk->attempt;
	struct smtp_client_options options = {
	    .helo = attempt->source.helo,
	    .tls = client_tls(talk),
	    .login = attempt->login,
	    .password = attempt->password,
	    .auth_without_tls = is_this_host(&attempt->addrs[attempt->addr_index].addr),
	    .lmtp = attempt->lmtp,
	    .no_chunks = !talk->delivery->conf->send_chunks,
	    .reply_timeout_ms = talk->delivery->conf->reply_timeout_ms,
	    .said = recorder_said,
	    .said_owner = talk,
	};
	struct net_addr to;
	char text[CONNECT_TEXT_BYTES];

	talk->connecting = false;
	to = attempt_to(attempt, attempt->addr_index);
	health_answers(&talk->delivery->health, &to);
	if (err == ERR_NO_ADDRESS) {
		lacks_source(talk, err);
		return;
	}
	if (err) {
		write_cannot_connect(attempt, err, text);
		talk_unreachable(talk, text);
		return;
	}
	attempt->state = ATTEMPT_TALKING;
	attempt->failure.down = false;
	buf_reset(&attempt->tls_text);
	recorder_fact(attempt, "connected", SPAN(""));
	talk->stream = stream;
	talk->smtp = smtp_client_create(&options, now_ms(talk));
	/* The deadline is later than that of connecting; the timer finds out. */
	if (talk->tls_mode == CONF_TLS_IMPLICIT)
		talk_start_tls(talk);
	talk_pump(talk);
}

static void
timed_out(struct io_timer *timer)
{
	struct talk *talk = timer->owner;

	talk->timer_ms = 0;
	if (talk->connecting) {
		const struct net_addr to =
		    attempt_to(talk->attempt, talk->attempt->addr_index);

		if (to.family)
			health_silent(&talk->delivery->health, &to, now_ms(talk),
			    talk->delivery->conf->limits.retry_ms[0]);
		talk_unreachable(talk,
		    "cannot connect: no answer in time (is port 25 blocked by a firewall?)");
		return;
	}
	talk_check_behind(talk);
	smtp_client_tick(talk->smtp, now_ms(talk));
	talk_pump(talk);
}

/* False where the session is over. */
static bool
take_tls(struct talk *talk, struct span bytes)
{
	struct span plain = {0};
	enum err err = tls_input(talk->tls, bytes);

	while (!err) {
		plain.len = 0;
		err = tls_next(talk->tls, &plain);
		if (talk->handshaking && tls_is_ready(talk->tls)) {
			talk->handshaking = false;
			attempt_note_tls(talk->attempt, talk->tls);
			recorder_fact(
			    talk->attempt, "TLS: ", buf_span(&talk->attempt->tls_text));
			smtp_client_tls_started(talk->smtp, now_ms(talk));
		}
		if (!err && plain.len > 0 &&
		    smtp_client_input(talk->smtp, plain, now_ms(talk)) < plain.len)
			err = ERR_TOO_LONG;
	}
	return err == ERR_AGAIN;
}

static void
read_done(struct io_op *op)
{
	struct talk *talk = op->owner;
	bool goes_on = !op->err;

	talk->reading = false;
	if (goes_on && talk->tls) {
		goes_on = take_tls(talk, op->bytes);
		if (!goes_on)
			talk_flush(talk);
	} else if (goes_on) {
		/* Who says more than was asked for ends it: machine and patience have bounds. */
		goes_on = smtp_client_input(talk->smtp, op->bytes, now_ms(talk)) == op->bytes.len;
	}
	if (!goes_on && talk->handshaking)
		smtp_client_tls_failed(talk->smtp);
	else if (!goes_on)
		smtp_client_eof(talk->smtp);
	talk_pump(talk);
}
