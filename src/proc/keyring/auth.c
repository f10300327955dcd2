/*
 * AUTH: exchanges with clients of all receptions, and the passwords that they are held against.
 *
 * An exchange belongs to the reception that began it and ends with the first verdict, when it is
 * given up, or with the link; there are EXCHANGES_MAX of a reception at most.  Passwords are
 * checked on other threads, since a good hash is slow on purpose.
 *
 * A wrong password and an unknown login take the same work: an unknown login is checked against
 * a hash of the table that no answer of ours depends on.
 */
#include "proc/keyring/auth.h"

#include <crypt.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "proc/proc_tables.h"
#include "sasl/sasl.h"

enum { EXCHANGES_MAX = 4096, PASSWORD_JOBS_MAX = 256 };

/* A reception. */
struct peer {
	struct auth *auth;
	unsigned instance;
	struct ipc_channel *channel;
	struct list exchanges;
	struct map by_number;
	size_t count;
};

struct auth {
	struct proc_env *env;
	struct table *passwords;
	uint64_t seed[2];
	unsigned job_count;
	struct peer peers[PROC_INSTANCES_MAX];
};

struct exchange {
	struct list node; /* in peer->exchanges */
	struct peer *peer;
	uint64_t number;
	struct sasl *sasl;
	struct job *job; /* its password is being checked */
};

/* A password being checked, on another thread. */
struct job {
	struct auth *auth;
	struct exchange *exchange; /* NULL: nobody waits for it any more */
	char *password;
	size_t password_bytes;
	char *hash;
	bool known, right;
	struct io_op op;
};

static const char no_hash[] =
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$oVBhTERooSeDwS5UArf51X8xu7gAADzMM8t3hbAEZo8";

static bool
equal_in_constant_time(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char difference = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

static void
check_password(void *argument)
{
	struct job *job = argument;
	struct crypt_data *data = mem_alloc(sizeof(*data));
	const char *hash = crypt_r(job->password, job->hash, data);

	job->right = hash && hash[0] != '*' && equal_in_constant_time(hash, job->hash);
	mem_wipe(data, sizeof(*data));
	mem_free(data);
}

static void
end(struct exchange *exchange)
{
	struct peer *peer = exchange->peer;

	if (exchange->job)
		exchange->job->exchange = NULL;
	map_remove_u64(&peer->by_number, exchange->number);
	list_remove(&exchange->node);
	peer->count--;
	sasl_destroy(exchange->sasl);
	mem_free(exchange);
}

static void
answer(struct peer *peer, const struct ipc_kr_authenticated *verdict)
{
	if (peer->channel)
		ipc_kr_authenticated_send(peer->channel, verdict);
}

static void
conclude(struct exchange *exchange, enum ipc_auth result, const char *text)
{
	const struct ipc_kr_authenticated verdict = {
	    .exchange = exchange->number,
	    .result = (uint8_t)result,
	    .login = sasl_login(exchange->sasl),
	    .text = span_str(text),
	};

	answer(exchange->peer, &verdict);
	end(exchange);
}

static void
password_checked(struct io_op *op)
{
	struct job *job = op->owner;
	struct exchange *exchange = job->exchange;

	job->auth->job_count--;
	if (exchange) {
		exchange->job = NULL;
		conclude(exchange, job->known && job->right ? IPC_AUTH_OK : IPC_AUTH_DENIED,
		    NULL);
	}
	mem_wipe(job->password, job->password_bytes);
	mem_free(job->password);
	mem_free(job->hash);
	mem_free(job);
}

/* Which hash stands in for that of an unknown login: always the same for the same one. */
static struct span
stand_in(const struct auth *auth, struct span login)
{
	size_t count = table_count(auth->passwords);

	if (count == 0)
		return span_str(no_hash);
	return table_at(auth->passwords, map_hash(auth->seed, login) % count)->value;
}

static void
start_job(struct exchange *exchange, const struct sasl_out *out)
{
	struct auth *auth = exchange->peer->auth;
	struct span hash = stand_in(auth, out->login);
	struct job *job;

	if (auth->job_count >= PASSWORD_JOBS_MAX) {
		conclude(exchange, IPC_AUTH_TEMPORARY, "too many passwords to check");
		return;
	}
	job = mem_alloc(sizeof(*job));
	job->known = table_find(auth->passwords, out->login, &hash);
	job->auth = auth;
	job->exchange = exchange;
	job->password = mem_copy(out->password);
	job->password_bytes = out->password.len;
	job->hash = mem_copy(hash);
	/* A NUL in it would end the password early, and let a shorter one pass. */
	if (span_find(out->password, '\0') < out->password.len)
		job->known = false;
	job->op = (struct io_op){.done = password_checked, .owner = job};
	exchange->job = job;
	auth->job_count++;
	io_work(auth->env->io, &job->op, check_password, job);
}

static void
go_on(struct exchange *exchange, bool has_response, struct span response)
{
	struct sasl_out out;

	switch (sasl_take(exchange->sasl, has_response, response, &out)) {
	case SASL_CHALLENGE:
		ipc_kr_challenge_send(exchange->peer->channel,
		    &(struct ipc_kr_challenge){
		        .exchange = exchange->number, .challenge = out.challenge});
		return;
	case SASL_CHECK_PASSWORD:
		start_job(exchange, &out);
		return;
	case SASL_OK:
		conclude(exchange, IPC_AUTH_OK, NULL);
		return;
	case SASL_FAILED:
		conclude(exchange, IPC_AUTH_DENIED, NULL);
		return;
	case SASL_MALFORMED:
		conclude(exchange, IPC_AUTH_MALFORMED, out.why);
		return;
	}
}

static unsigned
mechanisms(const struct auth *auth)
{
	unsigned set = 0;

	if (auth->env->conf->passwords_path.len > 0)
		set |= SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN);
	return set;
}

static enum err
begin(struct peer *peer, const struct ipc_rk_auth *asked)
{
	struct exchange *exchange;

	if (asked->mechanism >= SASL_MECHANISM_COUNT || asked->exchange == 0 ||
	    map_get_u64(&peer->by_number, asked->exchange))
		return ERR_SYNTAX;
	if (peer->count >= EXCHANGES_MAX ||
	    !(mechanisms(peer->auth) & SASL_BIT(asked->mechanism))) {
		answer(peer,
		    &(struct ipc_kr_authenticated){.exchange = asked->exchange,
		        .result = IPC_AUTH_TEMPORARY,
		        .text = SPAN("too many exchanges, or not offered any more")});
		return OK;
	}
	exchange = mem_alloc(sizeof(*exchange));
	exchange->peer = peer;
	exchange->number = asked->exchange;
	exchange->sasl = sasl_create((enum sasl_mechanism)asked->mechanism,
	    &(struct sasl_context){.certificate = SPAN("")});
	check(exchange->sasl != NULL);
	list_push(&peer->exchanges, &exchange->node);
	map_set_u64(&peer->by_number, exchange->number, exchange);
	peer->count++;
	go_on(exchange, asked->has_response != 0, asked->response);
	return OK;
}

static enum err
take_response(struct peer *peer, const struct ipc_rk_response *response)
{
	struct exchange *exchange = map_get_u64(&peer->by_number, response->exchange);

	/* The keyring may have been started anew in the middle of it. */
	if (!exchange) {
		answer(peer,
		    &(struct ipc_kr_authenticated){.exchange = response->exchange,
		        .result = IPC_AUTH_TEMPORARY,
		        .text = SPAN("the exchange was lost")});
		return OK;
	}
	if (exchange->job)
		return ERR_SYNTAX;
	go_on(exchange, true, response->response);
	return OK;
}

static enum err
receive(void *owner, struct ipc_channel *channel, unsigned type, struct span payload, int fd)
{
	struct peer *peer = owner;
	struct exchange *exchange;
	struct ipc_rk_auth auth;
	struct ipc_rk_response response;
	struct ipc_rk_forget forget;

	(void)channel;
	if (fd >= 0)
		io_fd_close(fd);
	switch (type) {
	case IPC_rk_AUTH:
		return ipc_rk_auth_decode(payload, &auth) ? ERR_SYNTAX : begin(peer, &auth);
	case IPC_rk_RESPONSE:
		return ipc_rk_response_decode(payload, &response)
		    ? ERR_SYNTAX
		    : take_response(peer, &response);
	case IPC_rk_FORGET:
		if (ipc_rk_forget_decode(payload, &forget))
			return ERR_SYNTAX;
		exchange = map_get_u64(&peer->by_number, forget.exchange);
		if (exchange)
			end(exchange);
		return OK;
	default:
		return ERR_SYNTAX;
	}
}

static void
lose_exchanges(struct peer *peer)
{
	list_for_each_safe(node, &peer->exchanges)
		end(container_of(node, struct exchange, node));
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct peer *peer = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(peer->auth->env, PROC_RECEPTION, peer->instance, err);
	ipc_channel_destroy(channel);
	peer->channel = NULL;
	lose_exchanges(peer);
}

void
auth_link(struct auth *auth, unsigned instance, struct io_stream *stream)
{
	struct peer *peer = &auth->peers[instance];
	const struct ipc_handlers handlers = {peer, receive, closed};

	check(instance < PROC_INSTANCES_MAX);
	ipc_channel_destroy(peer->channel);
	lose_exchanges(peer);
	peer->channel = ipc_channel_create(stream, &handlers);
	ipc_kr_offer_send(
	    peer->channel, &(struct ipc_kr_offer){.mechanisms = mechanisms(auth)});
}

struct ipc_channel *
auth_channel(const struct auth *auth, unsigned instance)
{
	check(instance < PROC_INSTANCES_MAX);
	return auth->peers[instance].channel;
}

struct auth *
auth_create(struct proc_env *env)
{
	struct auth *auth = mem_alloc(sizeof(*auth));

	auth->env = env;
	io_random(env->io, auth->seed, sizeof(auth->seed));
	for (unsigned i = 0; i < PROC_INSTANCES_MAX; i++) {
		struct peer *peer = &auth->peers[i];

		peer->auth = auth;
		peer->instance = i;
		list_init(&peer->exchanges);
		map_init(&peer->by_number, auth->seed);
	}
	if (!proc_load_table(
	        env, env->conf->passwords_path, &table_passwords, &auth->passwords))
		return NULL;
	return auth;
}
