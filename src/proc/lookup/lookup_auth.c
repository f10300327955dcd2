/*
 * An exchange is the keyring's and ends with its verdict, when it is given up, or with the link.
 * The keyring counts and delays; here it is only found out.
 */
#include "proc/lookup/lookup_auth.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "proc/lookup/dovecot_link.h"
#include "proc/lookup/tokens.h"
#include "sasl/oauth.h"
#include "sasl/sasl.h"

enum {
	EXCHANGES_MAX = 16384,
	ANSWER_MS = 60 * 1000, /* Dovecot has for each step */
};

struct lookup_auth {
	struct proc_env *env;
	struct ipc_channel *keyring;
	struct dovecot_link *dovecot; /* NULL: the configuration has none */
	unsigned dovecot_offer;
	struct tokens *tokens; /* NULL: the same */
	struct map exchanges; /* the keyring's number: exchange */
	size_t exchange_count;
};

struct exchange {
	struct lookup_auth *auth;
	uint64_t number;  /* the keyring's */
	uint64_t request; /* Dovecot's */
	bool challenged;  /* and no answer came so far */
	enum sasl_mechanism mechanism; /* of an exchange with a token, which is judged here: */
	bool is_token, refused; /* refused: and the client was told why */
	struct buf login, text; /* of a refusal */
	struct io_timer late;
};

static void
tell(struct lookup_auth *auth, uint64_t number, enum ipc_auth result, struct span login,
    struct span text)
{
	if (auth->keyring)
		ipc_lk_authenticated_send(auth->keyring,
		    &(struct ipc_lk_authenticated){.exchange = number,
			.result = (uint8_t)result,
			.login = login,
			.text = text});
}

/* What is under way at Dovecot was ended by whoever calls. */
static void
forget(struct exchange *exchange)
{
	struct lookup_auth *auth = exchange->auth;

	io_timer_stop(auth->env->io, &exchange->late);
	map_remove_u64(&auth->exchanges, exchange->number);
	auth->exchange_count--;
	buf_fini(&exchange->login);
	buf_fini(&exchange->text);
	mem_free(exchange);
}

static void
give_up(struct exchange *exchange)
{
	if (!exchange->is_token)
		dovecot_link_cancel(exchange->auth->dovecot, exchange->request);
	forget(exchange);
}

static void
late(struct io_timer *timer)
{
	struct exchange *exchange = timer->owner;

	tell(exchange->auth, exchange->number, IPC_AUTH_TEMPORARY, SPAN(""),
	    SPAN("Dovecot does not answer"));
	give_up(exchange);
}

static void
offer(struct lookup_auth *auth)
{
	if (auth->keyring)
		ipc_lk_offer_send(auth->keyring,
		    &(struct ipc_lk_offer){.mechanisms = auth->dovecot_offer});
}

static void
challenge(struct exchange *exchange, struct span text)
{
	struct lookup_auth *auth = exchange->auth;

	exchange->challenged = true;
	if (auth->keyring)
		ipc_lk_challenge_send(auth->keyring,
		    &(struct ipc_lk_challenge){
			.exchange = exchange->number, .challenge = text});
}

/* Those that need the client's TLS are nothing that Dovecot could judge from here. */
static void
dovecot_offers(void *owner, unsigned mechanisms)
{
	struct lookup_auth *auth = owner;

	auth->dovecot_offer =
	    mechanisms & ~(SASL_BIT(SASL_EXTERNAL) | SASL_BIT(SASL_SCRAM_SHA_256_PLUS));
	offer(auth);
}

static void
dovecot_challenged(void *owner, void *request, struct span text)
{
	struct lookup_auth *auth = owner;
	struct exchange *exchange = request;

	io_timer_stop(auth->env->io, &exchange->late);
	challenge(exchange, text);
}

static void
dovecot_judged(void *owner, void *request, enum ipc_auth result, struct span login,
    struct span text)
{
	struct exchange *exchange = request;

	tell(owner, exchange->number, result, login, text);
	forget(exchange);
}

static struct exchange *
create(struct lookup_auth *auth, const struct ipc_kl_auth *asked)
{
	struct exchange *exchange = mem_alloc(sizeof(*exchange));

	exchange->auth = auth;
	exchange->number = asked->exchange;
	exchange->mechanism = (enum sasl_mechanism)asked->mechanism;
	exchange->late = (struct io_timer){.fired = late, .owner = exchange};
	buf_init(&exchange->login, SASL_LOGIN_BYTES_MAX);
	buf_init(&exchange->text, IPC_REPLY_MAX);
	map_set_u64(&auth->exchanges, exchange->number, exchange);
	auth->exchange_count++;
	return exchange;
}

/* The client is told first, and has failed with whatever it answers (RFC 7628 section 3.2.3). */
static void
refuse(struct exchange *exchange, const struct oauth_message *message, const char *why)
{
	struct buf text;

	exchange->refused = true;
	if (sasl_is_login(message->login))
		buf_add(&exchange->login, message->login);
	buf_add_str(&exchange->text, why);
	buf_init(&text, SASL_RESPONSE_BYTES_MAX);
	oauth_write_refusal(
	    &text, exchange->mechanism, exchange->auth->env->conf->token_scope);
	challenge(exchange, buf_span(&text));
	buf_fini(&text);
}

static void
judge_token(struct exchange *exchange, struct span response)
{
	struct lookup_auth *auth = exchange->auth;
	struct oauth_message message;
	enum token_verdict verdict;
	struct buf login;

	if (!oauth_parse(exchange->mechanism, response, &message)) {
		tell(auth, exchange->number, IPC_AUTH_MALFORMED, SPAN(""),
		    SPAN("a bearer token as the mechanism has it"));
		forget(exchange);
		return;
	}
	buf_init(&login, SASL_LOGIN_BYTES_MAX);
	verdict = tokens_check(auth->tokens, message.token, &login);
	if (verdict != TOKEN_GOOD) {
		refuse(exchange, &message, token_verdict_text(verdict));
	} else if (!oauth_names(&message, buf_span(&login))) {
		refuse(exchange, &message, "it is somebody else's than the client says");
	} else {
		tell(auth, exchange->number, IPC_AUTH_OK, buf_span(&login), SPAN(""));
		forget(exchange);
	}
	buf_fini(&login);
}

static void
go_on_with_token(struct exchange *exchange, struct span response)
{
	if (!exchange->refused) {
		judge_token(exchange, response);
		return;
	}
	tell(exchange->auth, exchange->number, IPC_AUTH_DENIED, buf_span(&exchange->login),
	    buf_span(&exchange->text));
	forget(exchange);
}

static void
begin_with_token(struct lookup_auth *auth, const struct ipc_kl_auth *asked)
{
	struct exchange *exchange = create(auth, asked);

	exchange->is_token = true;
	if (asked->has_response)
		judge_token(exchange, asked->response);
	else
		challenge(exchange, SPAN(""));
}

static void
begin_at_dovecot(struct lookup_auth *auth, const struct ipc_kl_auth *asked)
{
	struct exchange *exchange;

	/* The same as what is no token and no password. */
	if (asked->response.len > DOVECOT_RESPONSE_BYTES_MAX) {
		tell(auth, asked->exchange, IPC_AUTH_DENIED, SPAN(""), SPAN(""));
		return;
	}
	exchange = create(auth, asked);
	exchange->request = dovecot_link_begin(auth->dovecot, exchange,
	    (enum sasl_mechanism)asked->mechanism, asked->client,
	    asked->has_response != 0, asked->response);
	if (exchange->request == 0) {
		forget(exchange);
		tell(auth, asked->exchange, IPC_AUTH_TEMPORARY, SPAN(""),
		    SPAN("Dovecot cannot be asked now"));
		return;
	}
	io_timer_start(auth->env->io, &exchange->late, ANSWER_MS);
}

static enum err
begin(struct lookup_auth *auth, const struct ipc_kl_auth *asked)
{
	if (asked->mechanism >= SASL_MECHANISM_COUNT || asked->exchange == 0 ||
	    map_get_u64(&auth->exchanges, asked->exchange))
		return ERR_SYNTAX;
	if (auth->exchange_count >= EXCHANGES_MAX)
		tell(auth, asked->exchange, IPC_AUTH_TEMPORARY, SPAN(""),
		    SPAN("too many exchanges"));
	else if (auth->tokens && sasl_is_token(asked->mechanism))
		begin_with_token(auth, asked);
	else if (auth->dovecot)
		begin_at_dovecot(auth, asked);
	else
		tell(auth, asked->exchange, IPC_AUTH_TEMPORARY, SPAN(""),
		    SPAN("not offered any more"));
	return OK;
}

static enum err
take_response(struct lookup_auth *auth, const struct ipc_kl_response *response)
{
	struct exchange *exchange = map_get_u64(&auth->exchanges, response->exchange);

	/* Its verdict may be under way. */
	if (!exchange)
		return OK;
	if (!exchange->challenged)
		return ERR_SYNTAX;
	exchange->challenged = false;
	if (exchange->is_token) {
		go_on_with_token(exchange, response->response);
		return OK;
	}
	if (!dovecot_link_go_on(auth->dovecot, exchange->request, response->response)) {
		tell(auth, exchange->number, IPC_AUTH_DENIED, SPAN(""), SPAN(""));
		give_up(exchange);
		return OK;
	}
	io_timer_start(auth->env->io, &exchange->late, ANSWER_MS);
	return OK;
}

static enum err
receive(
    void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct lookup_auth *auth = owner;
	struct exchange *exchange;
	struct ipc_kl_auth asked;
	struct ipc_kl_response response;
	struct ipc_kl_forget unwanted;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_kl_AUTH:
		return ipc_kl_auth_decode(payload, &asked) ? ERR_SYNTAX
							   : begin(auth, &asked);
	case IPC_kl_RESPONSE:
		return ipc_kl_response_decode(payload, &response)
			   ? ERR_SYNTAX
			   : take_response(auth, &response);
	case IPC_kl_FORGET:
		if (ipc_kl_forget_decode(payload, &unwanted))
			return ERR_SYNTAX;
		exchange = map_get_u64(&auth->exchanges, unwanted.exchange);
		if (exchange)
			give_up(exchange);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static void
lose_keyring(struct lookup_auth *auth)
{
	struct exchange *exchange;
	size_t at = 0;

	ipc_channel_destroy(auth->keyring);
	auth->keyring = NULL;
	while ((exchange = map_next(&auth->exchanges, &at)) != NULL)
		give_up(exchange);
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct lookup_auth *auth = owner;

	check(channel == auth->keyring);
	if (err != ERR_CLOSED)
		proc_bad_peer(auth->env, PROC_KEYRING, 0, err);
	lose_keyring(auth);
}

void
lookup_auth_keyring(struct lookup_auth *auth, struct io_stream *stream)
{
	const struct ipc_handlers handlers = {auth, receive, closed};

	lose_keyring(auth);
	auth->keyring = ipc_channel_create(stream, &handlers);
	ipc_channel_secret(auth->keyring);
	if (auth->dovecot_offer != 0)
		offer(auth);
}

void
lookup_auth_dovecot(struct lookup_auth *auth, struct io_stream *stream)
{
	if (auth->dovecot)
		dovecot_link_open(auth->dovecot, stream);
	else
		io_close(stream);
}

struct lookup_auth *
lookup_auth_create(struct proc_env *env)
{
	struct lookup_auth *auth = mem_alloc(sizeof(*auth));
	const struct dovecot_handlers handlers = {
	    auth, dovecot_offers, dovecot_challenged, dovecot_judged};
	uint64_t seed[2];
	bool good;

	auth->env = env;
	io_random(env->io, seed, sizeof(seed));
	map_init(&auth->exchanges, seed);
	if (env->conf->dovecot_path.len > 0)
		auth->dovecot = dovecot_link_create(env, &handlers);
	auth->tokens = tokens_create(env, &good);
	return good ? auth : NULL;
}

void
lookup_auth_start(struct lookup_auth *auth)
{
	if (auth->dovecot)
		dovecot_link_start(auth->dovecot);
}
