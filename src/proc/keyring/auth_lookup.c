/* Exchanges that lookup runs: passed on, step by step, and their verdicts taken. */
#include "base/check.h"
#include "proc/keyring/auth_internal.h"

static void
start_waiting(struct exchange *exchange)
{
	exchange->waits = true;
}

/* The attempt was counted. */
static void
ask(struct exchange *exchange, struct ipc_kl_auth *asked)
{
	struct auth *auth = exchange->peer->auth;

	exchange->id = asked->exchange = ++auth->last_id;
	asked->client = buf_span(&exchange->client);
	map_set_u64(&auth->asked, exchange->id, exchange);
	ipc_kl_auth_send(auth->lookup, asked);
	start_waiting(exchange);
}

static bool
lookup_is_there(struct exchange *exchange, struct span login)
{
	if (exchange->peer->auth->lookup)
		return true;
	auth_conclude(exchange, IPC_AUTH_TEMPORARY, login, SPAN("lookup is away"));
	return false;
}

void
auth_lookup_begin(struct exchange *exchange, bool has_response, struct span response)
{
	struct ipc_kl_auth asked = {
	    .mechanism = (uint8_t)exchange->mechanism,
	    .has_response = has_response,
	    .response = response,
	};

	if (lookup_is_there(exchange, SPAN("")) && auth_may_try(exchange, SPAN("")))
		ask(exchange, &asked);
}

void
auth_lookup_check(struct exchange *exchange, struct span login, struct span password)
{
	struct ipc_kl_auth asked = {.mechanism = SASL_PLAIN, .has_response = true};
	struct buf plain;

	if (!lookup_is_there(exchange, login) || !auth_may_try(exchange, login))
		return;
	buf_init_secret(&plain, login.len + password.len + 2);
	buf_add_char(&plain, '\0');
	buf_add(&plain, login);
	buf_add_char(&plain, '\0');
	buf_add(&plain, password);
	asked.response = buf_span(&plain);
	ask(exchange, &asked);
	buf_fini(&plain);
}

void
auth_lookup_go_on(struct exchange *exchange, struct span response)
{
	struct auth *auth = exchange->peer->auth;

	if (!auth->lookup || !map_get_u64(&auth->asked, exchange->id)) {
		auth_conclude(
		    exchange, IPC_AUTH_TEMPORARY, SPAN(""), SPAN("lookup was away"));
		return;
	}
	ipc_kl_response_send(auth->lookup,
	    &(struct ipc_kl_response){.exchange = exchange->id, .response = response});
	start_waiting(exchange);
}

void
auth_lookup_forget(struct exchange *exchange)
{
	struct auth *auth = exchange->peer->auth;

	if (exchange->id == 0 || !map_remove_u64(&auth->asked, exchange->id))
		return;
	if (auth->lookup)
		ipc_kl_forget_send(
		    auth->lookup, &(struct ipc_kl_forget){.exchange = exchange->id});
}

static enum err
take_verdict(struct auth *auth, const struct ipc_lk_authenticated *verdict)
{
	struct exchange *exchange = map_get_u64(&auth->asked, verdict->exchange);
	struct span login = verdict->login;

	if (verdict->result > IPC_AUTH_MALFORMED ||
	    (verdict->result == IPC_AUTH_OK && verdict->login.len == 0))
		return ERR_SYNTAX;
	/* It may have been given up meanwhile. */
	if (!exchange)
		return OK;
	map_remove_u64(&auth->asked, exchange->id);
	exchange->waits = false;
	if (!exchange->login_counted && !sasl_is_token(exchange->mechanism) &&
	    !auth_may_be_told(exchange, verdict->login))
		return OK;
	if (verdict->login.len == 0 && exchange->login_counted)
		login = sasl_login(exchange->sasl);
	auth_conclude(exchange, (enum ipc_auth)verdict->result, login, verdict->text);
	return OK;
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct auth *auth = owner;
	struct exchange *exchange;
	struct ipc_lk_offer offer;
	struct ipc_lk_challenge challenge;
	struct ipc_lk_authenticated verdict;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_lk_OFFER:
		if (ipc_lk_offer_decode(payload, &offer))
			return ERR_SYNTAX;
		auth->lookup_offer = offer.mechanisms & SASL_MECHANISMS_ALL;
		auth_offer(auth);
		return OK;
	case IPC_lk_CHALLENGE:
		if (ipc_lk_challenge_decode(payload, &challenge))
			return ERR_SYNTAX;
		exchange = map_get_u64(&auth->asked, challenge.exchange);
		if (exchange && exchange->waits) {
			exchange->waits = false;
			auth_challenge(exchange, challenge.challenge);
		}
		return OK;
	case IPC_lk_AUTHENTICATED:
		return ipc_lk_authenticated_decode(payload, &verdict)
			   ? ERR_SYNTAX
			   : take_verdict(auth, &verdict);
	default:
		return ERR_SYNTAX;
	}
}

/* All that wait for lookup are told to try again. */
static void
lose(struct auth *auth)
{
	struct exchange *exchange;
	size_t at = 0;

	while ((exchange = map_next(&auth->asked, &at)) != NULL) {
		map_remove_u64(&auth->asked, exchange->id);
		if (!exchange->waits)
			continue;
		exchange->waits = false;
		auth_conclude(
		    exchange, IPC_AUTH_TEMPORARY, SPAN(""), SPAN("lookup went away"));
	}
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct auth *auth = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(auth->env, PROC_LOOKUP, 0, err);
	ipc_channel_destroy(channel);
	auth->lookup = NULL;
	lose(auth);
}

void
auth_lookup_link(struct auth *auth, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {auth, receive, closed};

	ipc_channel_destroy(auth->lookup);
	auth->lookup = NULL;
	lose(auth);
	auth->lookup = ipc_channel_create(stream, &handlers);
	ipc_channel_secret(auth->lookup);
}
