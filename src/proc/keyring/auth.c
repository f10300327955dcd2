/*
 * AUTH: exchanges with clients of all receptions.  The mechanisms are in sasl/; here they meet what
 * they are held against, and the counts of failures, which hold across receptions.
 *
 * An exchange belongs to the reception that began it and ends with its verdict, when it is given
 * up, or with the link.  A failure is told a while after the step that made it, whatever it took to
 * find it; it is counted before it is told, so who goes away meanwhile has gained nothing.
 */
#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "proc/keyring/auth_internal.h"

static void
wipe(struct buf *buf)
{
	mem_wipe(buf->ptr, buf->len);
	buf_fini(buf);
}

void
auth_end(struct exchange *exchange)
{
	struct auth_peer *peer = exchange->peer;

	auth_lookup_forget(exchange);
	password_job_leave(exchange->job);
	io_timer_stop(peer->auth->env->io, &exchange->delay);
	map_remove_u64(&peer->by_number, exchange->number);
	list_remove(&exchange->node);
	peer->count--;
	sasl_destroy(exchange->sasl);
	wipe(&exchange->login);
	wipe(&exchange->text);
	wipe(&exchange->client);
	wipe(&exchange->host);
	mem_free(exchange);
}

static void
tell(struct auth_peer *peer, const struct ipc_kr_authenticated *verdict)
{
	if (peer->channel)
		ipc_kr_authenticated_send(peer->channel, verdict);
}

static void
delay_over(struct io_timer *timer)
{
	struct exchange *exchange = timer->owner;
	const struct ipc_kr_authenticated verdict = {
	    .exchange = exchange->number,
	    .result = (uint8_t)exchange->result,
	    .login = buf_span(&exchange->login),
	    .text = buf_span(&exchange->text),
	};

	tell(exchange->peer, &verdict);
	auth_end(exchange);
}

void
auth_conclude(
    struct exchange *exchange, enum ipc_auth result, struct span login, struct span text)
{
	uint64_t delay_ms = auth_judge(exchange, result, login), wait_s = 0;
	struct ipc_kr_authenticated verdict = {.exchange = exchange->number,
	    .result = (uint8_t)result,
	    .login = login,
	    .text = text};

	if (result == IPC_AUTH_TOO_MANY && span_u64(text, UINT32_MAX, &wait_s)) {
		verdict.wait_s = (uint32_t)wait_s;
		verdict.text = SPAN("");
	}
	if (delay_ms == 0) {
		tell(exchange->peer, &verdict);
		auth_end(exchange);
		return;
	}
	exchange->waits = true;
	exchange->result = result;
	buf_add(&exchange->login, login);
	buf_add(&exchange->text, text);
	io_timer_start(exchange->peer->auth->env->io, &exchange->delay, delay_ms);
}

void
auth_challenge(struct exchange *exchange, struct span challenge)
{
	ipc_kr_challenge_send(exchange->peer->channel,
	    &(struct ipc_kr_challenge){
		.exchange = exchange->number, .challenge = challenge});
}

/* The login as the table writes it: in lower case. */
static void
conclude_ok(struct exchange *exchange)
{
	struct span login = sasl_login(exchange->sasl);
	char folded[SASL_LOGIN_BYTES_MAX];

	auth_conclude(exchange, IPC_AUTH_OK, span_lower(folded, login), SPAN(""));
}

static void
password_checked(void *owner, bool right)
{
	struct exchange *exchange = owner;

	exchange->job = NULL;
	if (right)
		conclude_ok(exchange);
	else
		auth_conclude(
		    exchange, IPC_AUTH_DENIED, sasl_login(exchange->sasl), SPAN(""));
}

static void
check_password(struct exchange *exchange, const struct sasl_out *out)
{
	if (exchange->peer->auth->env->conf->dovecot_path.len > 0) {
		auth_lookup_check(exchange, out->login, out->password);
		return;
	}
	if (!auth_may_try(exchange, out->login))
		return;
	exchange->job = passwords_check(exchange->peer->auth->passwords, out->login,
	    out->password, password_checked, exchange);
	if (!exchange->job)
		auth_conclude(exchange, IPC_AUTH_TEMPORARY, out->login,
		    SPAN("too many passwords to check"));
}

static void
go_on(struct exchange *exchange, enum sasl_step step, const struct sasl_out *out);

static void
give_keys(struct exchange *exchange, struct span login)
{
	struct auth *auth = exchange->peer->auth;
	struct scram_keys keys;
	struct sasl_out out;
	char random[SCRAM_NONCE_BYTES * 3 / 4];
	struct buf nonce;
	bool known;

	if (!auth_may_try(exchange, login))
		return;
	passwords_keys(auth->passwords, login, &keys, &known);
	io_random(auth->env->io, random, sizeof(random));
	buf_init(&nonce, SCRAM_NONCE_BYTES);
	base64_encode(&nonce, span_of(random, sizeof(random)));
	go_on(exchange,
	    sasl_give_keys(exchange->sasl, &keys, known, buf_span(&nonce), &out), &out);
	buf_fini(&nonce);
	mem_wipe(&keys, sizeof(keys));
}

/* Fails what was not counted yet: it must not be told at once either. */
static void
fail(struct exchange *exchange, struct span login)
{
	if (exchange->judged || auth_may_try(exchange, login))
		auth_conclude(exchange, IPC_AUTH_DENIED, login, SPAN(""));
}

static void
succeed(struct exchange *exchange)
{
	struct auth *auth = exchange->peer->auth;
	struct span login = sasl_login(exchange->sasl);

	/* A certificate names somebody; who may log in stands in the table. */
	if (exchange->mechanism == SASL_EXTERNAL &&
	    !passwords_know(auth->passwords, login))
		fail(exchange, login);
	else
		conclude_ok(exchange);
}

static void
go_on(struct exchange *exchange, enum sasl_step step, const struct sasl_out *out)
{
	switch (step) {
	case SASL_CHALLENGE:
		auth_challenge(exchange, out->challenge);
		return;
	case SASL_CHECK_PASSWORD:
		check_password(exchange, out);
		return;
	case SASL_WANT_KEYS:
		give_keys(exchange, out->login);
		return;
	case SASL_OK:
		succeed(exchange);
		return;
	case SASL_FAILED:
		fail(exchange, out->login);
		return;
	case SASL_MALFORMED:
		auth_conclude(
		    exchange, IPC_AUTH_MALFORMED, out->login, span_str(out->why));
		return;
	}
}

/* Those that run here. */
static unsigned
own_mechanisms(const struct auth *auth)
{
	const struct conf *conf = auth->env->conf;
	unsigned set;

	/* A password is known here before Dovecot judges it, so that its login can be counted. */
	if (conf->dovecot_path.len > 0)
		return SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN);
	if (conf->passwords_path.len == 0)
		return 0;
	set = SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN) | SASL_BIT(SASL_EXTERNAL);
	if (passwords_have_scram(auth->passwords))
		set |= SASL_BIT(SASL_SCRAM_SHA_256) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS);
	return set;
}

/* What lookup runs without Dovecot is known before there is a link to it. */
static unsigned
all_mechanisms(const struct auth *auth)
{
	unsigned set = own_mechanisms(auth) | auth->lookup_offer;

	if (auth->env->conf->token_keys_path.len > 0)
		set |= SASL_BIT(SASL_OAUTHBEARER) | SASL_BIT(SASL_XOAUTH2);
	return set;
}

static void
offer_to(struct auth_peer *peer)
{
	unsigned set = all_mechanisms(peer->auth);

	ipc_kr_offer_send(peer->channel, &(struct ipc_kr_offer){.mechanisms = set});
}

void
auth_offer(struct auth *auth)
{
	for (size_t i = 0; i < PROC_INSTANCES_MAX; i++)
		if (auth->peers[i].channel)
			offer_to(&auth->peers[i]);
}

static struct exchange *
create(struct auth_peer *peer, const struct ipc_rk_auth *asked)
{
	const struct sasl_context context = {
	    .certificate = asked->certificate,
	    .exporter = asked->exporter,
	    .end_point = asked->end_point,
	    .plus_offered = asked->exporter.len > 0 || asked->end_point.len > 0,
	};
	struct exchange *exchange = mem_alloc(sizeof(*exchange));

	exchange->peer = peer;
	exchange->number = asked->exchange;
	exchange->mechanism = (enum sasl_mechanism)asked->mechanism;
	exchange->since_ms = io_now_ms(peer->auth->env->io);
	exchange->delay = (struct io_timer){.fired = delay_over, .owner = exchange};
	buf_init(&exchange->client, 64);
	buf_add(&exchange->client, asked->client);
	buf_init(&exchange->login, IPC_CREDENTIAL_MAX);
	buf_init(&exchange->text, IPC_REPLY_MAX);
	buf_init(&exchange->host, 32);
	exchange->sasl = sasl_create(exchange->mechanism, &context);
	list_push(&peer->exchanges, &exchange->node);
	map_set_u64(&peer->by_number, exchange->number, exchange);
	peer->count++;
	return exchange;
}

static enum err
begin(struct auth_peer *peer, const struct ipc_rk_auth *asked)
{
	unsigned bit = SASL_BIT(asked->mechanism), own = own_mechanisms(peer->auth);
	struct exchange *exchange;
	struct sasl_out out;
	enum sasl_step step;

	if (asked->mechanism >= SASL_MECHANISM_COUNT || asked->exchange == 0 ||
	    map_get_u64(&peer->by_number, asked->exchange))
		return ERR_SYNTAX;
	if (peer->count >= AUTH_EXCHANGES_MAX || !(all_mechanisms(peer->auth) & bit)) {
		tell(peer,
		    &(struct ipc_kr_authenticated){.exchange = asked->exchange,
			.result = IPC_AUTH_TEMPORARY,
			.text = SPAN("too many exchanges, or not offered any more")});
		return OK;
	}
	exchange = create(peer, asked);
	if (!(own & bit)) {
		auth_lookup_begin(exchange, asked->has_response != 0, asked->response);
		return OK;
	}
	check(exchange->sasl != NULL);
	step = sasl_take(exchange->sasl, asked->has_response != 0, asked->response, &out);
	go_on(exchange, step, &out);
	return OK;
}

static enum err
take_response(struct auth_peer *peer, const struct ipc_rk_response *response)
{
	struct exchange *exchange = map_get_u64(&peer->by_number, response->exchange);
	struct sasl_out out;
	enum sasl_step step;

	/* The keyring may have been started anew in the middle of it. */
	if (!exchange) {
		tell(peer, &(struct ipc_kr_authenticated){.exchange = response->exchange,
			       .result = IPC_AUTH_TEMPORARY,
			       .text = SPAN("the exchange was lost")});
		return OK;
	}
	if (exchange->job || exchange->waits)
		return ERR_SYNTAX;
	exchange->since_ms = io_now_ms(peer->auth->env->io);
	if (exchange->id != 0) {
		auth_lookup_go_on(exchange, response->response);
		return OK;
	}
	step = sasl_take(exchange->sasl, true, response->response, &out);
	go_on(exchange, step, &out);
	return OK;
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct auth_peer *peer = owner;
	struct exchange *exchange;
	struct ipc_rk_auth auth;
	struct ipc_rk_response response;
	struct ipc_rk_forget forget;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_rk_AUTH:
		return ipc_rk_auth_decode(payload, &auth) ? ERR_SYNTAX
							  : begin(peer, &auth);
	case IPC_rk_RESPONSE:
		return ipc_rk_response_decode(payload, &response)
			   ? ERR_SYNTAX
			   : take_response(peer, &response);
	case IPC_rk_FORGET:
		if (ipc_rk_forget_decode(payload, &forget))
			return ERR_SYNTAX;
		exchange = map_get_u64(&peer->by_number, forget.exchange);
		if (exchange)
			auth_end(exchange);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static void
lose_exchanges(struct auth_peer *peer)
{
	list_for_each_safe (node, &peer->exchanges)
		auth_end(container_of(node, struct exchange, node));
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct auth_peer *peer = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(peer->auth->env, PROC_RECEPTION, peer->instance, err);
	ipc_channel_destroy(channel);
	peer->channel = NULL;
	lose_exchanges(peer);
}

void
auth_link(struct auth *auth, enum proc proc, unsigned instance, struct io_stream *stream)
{
	struct auth_peer *peer = &auth->peers[instance];
	const struct ipc_handlers handlers = {peer, receive, closed};

	check(instance < PROC_INSTANCES_MAX);
	if (proc == PROC_LOOKUP) {
		auth_lookup_link(auth, stream);
		return;
	}
	ipc_channel_destroy(peer->channel);
	lose_exchanges(peer);
	peer->channel = ipc_channel_create(stream, &handlers);
	ipc_channel_secret(peer->channel);
	offer_to(peer);
}

struct ipc_channel *
auth_channel(const struct auth *auth, unsigned instance)
{
	check(instance < PROC_INSTANCES_MAX);
	return auth->peers[instance].channel;
}

/* The counts outlive this process, where the supervisor gave memory for them. */
static void
open_guards(struct auth *auth, const uint64_t seed[2])
{
	struct guard **guards[GUARD_COUNT] = {&auth->hosts, &auth->logins, &auth->friends};
	char *memory = auth->env->limits;

	check(!memory || auth->env->limits_bytes == GUARD_COUNT * guard_bytes());
	for (size_t i = 0; i < GUARD_COUNT; i++)
		*guards[i] = memory ? guard_open(memory + i * guard_bytes())
				    : guard_create(seed);
}

struct auth *
auth_create(struct proc_env *env)
{
	struct auth *auth = mem_alloc(sizeof(*auth));
	uint64_t seed[2];

	auth->env = env;
	io_random(env->io, seed, sizeof(seed));
	map_init(&auth->asked, seed);
	for (unsigned i = 0; i < PROC_INSTANCES_MAX; i++) {
		struct auth_peer *peer = &auth->peers[i];

		peer->auth = auth;
		peer->instance = i;
		list_init(&peer->exchanges);
		map_init(&peer->by_number, seed);
	}
	open_guards(auth, seed);
	auth->passwords = passwords_create(env);
	return auth->passwords ? auth : NULL;
}
