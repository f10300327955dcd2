/*
 * The keyring: the one role that holds private keys and password hashes.  It reads them once, at
 * the start, while there are rights to, and gives out signatures and verdicts, never keys.  Only
 * the passwords for smart hosts leave it, to delivery, which must say them to the smart host.
 *
 * A wrong password and an unknown login take the same time: an unknown login is checked against
 * a hash that no password fits.
 */
#include "proc/keyring/keyring.h"

#include <crypt.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "proc/keyring/signing.h"
#include "proc/keyring/tickets.h"
#include "proc/proc_tables.h"

enum { PASSWORD_JOBS_MAX = 256 };

/* A peer that asks: reception for logins, delivery for credentials. */
struct asker {
	struct keyring *keyring;
	enum proc proc;
	unsigned instance;
	struct ipc_channel *channel;
};

struct keyring {
	struct proc_env *env;
	struct table *passwords, *credentials;
	struct signing *signing;
	struct tickets tickets;
	struct asker receptions[PROC_INSTANCES_MAX];
	struct asker deliveries[PROC_INSTANCES_MAX];
	unsigned job_count;
};

/* A password being checked, on another thread: it takes long on purpose. */
struct job {
	struct asker *asker;
	struct ipc_channel *channel; /* that asked; it may be gone when the job is done */
	uint64_t query;
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
password_checked(struct io_op *op)
{
	struct job *job = op->owner;
	const struct ipc_kr_authenticated answer = {
	    .query = job->query,
	    .result = job->known && job->right ? IPC_AUTH_OK : IPC_AUTH_DENIED,
	};

	job->asker->keyring->job_count--;
	if (job->asker->channel && job->asker->channel == job->channel)
		ipc_kr_authenticated_send(job->asker->channel, &answer);
	mem_wipe(job->password, job->password_bytes);
	mem_free(job->password);
	mem_free(job->hash);
	mem_free(job);
}

static void
start_job(struct asker *asker, const struct ipc_rk_auth *auth)
{
	struct keyring *keyring = asker->keyring;
	struct span hash = span_str(no_hash);
	struct job *job = mem_alloc(sizeof(*job));

	job->known = table_find(keyring->passwords, auth->login, &hash);
	job->asker = asker;
	job->channel = asker->channel;
	job->query = auth->query;
	job->password = mem_copy(auth->password);
	job->password_bytes = auth->password.len;
	job->hash = mem_copy(hash);
	/* A NUL in it would end the password early, and let a shorter one pass. */
	if (span_find(auth->password, '\0') < auth->password.len)
		job->known = false;
	job->op = (struct io_op){.done = password_checked, .owner = job};
	keyring->job_count++;
	io_work(keyring->env->io, &job->op, check_password, job);
}

static enum err
receive_reception(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct asker *asker = owner;
	struct ipc_rk_auth auth;

	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_rk_AUTH || ipc_rk_auth_decode(payload, &auth))
		return ERR_SYNTAX;
	if (asker->keyring->job_count >= PASSWORD_JOBS_MAX) {
		const struct ipc_kr_authenticated busy = {
		    .query = auth.query, .result = IPC_AUTH_TEMPORARY};

		ipc_kr_authenticated_send(channel, &busy);
		return OK;
	}
	start_job(asker, &auth);
	return OK;
}

static enum err
receive_delivery(void *owner, struct ipc_channel *channel, unsigned type,
    struct span payload, int fd)
{
	struct asker *asker = owner;
	struct ipc_dk_credential asked;
	struct ipc_kd_credential answer = {0};
	struct span value;

	if (fd >= 0)
		io_fd_close(fd);
	if (type != IPC_dk_CREDENTIAL || ipc_dk_credential_decode(payload, &asked))
		return ERR_SYNTAX;
	answer.query = asked.query;
	if (table_find(asker->keyring->credentials, asked.name, &value)) {
		answer.found = 1;
		table_login(value, &answer.login, &answer.password);
	}
	ipc_kd_credential_send(channel, &answer);
	return OK;
}

static void
closed(void *owner, struct ipc_channel *channel, enum err err)
{
	struct asker *asker = owner;

	if (err != ERR_CLOSED)
		proc_bad_peer(asker->keyring->env, asker->proc, asker->instance, err);
	ipc_channel_destroy(channel);
	asker->channel = NULL;
}

static void
tickets_changed(void *owner)
{
	struct keyring *keyring = owner;

	for (size_t i = 0; i < LEN(keyring->receptions); i++)
		if (keyring->receptions[i].channel)
			tickets_send(&keyring->tickets, keyring->receptions[i].channel);
}

static void *
keyring_create(struct proc_env *env)
{
	struct keyring *keyring = mem_alloc(sizeof(*keyring));
	const struct conf *conf = env->conf;

	keyring->env = env;
	if (!proc_load_table(
	        env, conf->passwords_path, &table_passwords, &keyring->passwords) ||
	    !proc_load_table(
	        env, conf->credentials_path, &table_credentials, &keyring->credentials))
		return NULL;
	keyring->signing = signing_create(env);
	if (!keyring->signing)
		return NULL;
	tickets_start(&keyring->tickets, env, tickets_changed, keyring);
	return keyring;
}

static void
keyring_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct keyring *keyring = role;
	bool is_reception = peer == PROC_RECEPTION;
	struct asker *asker;
	struct ipc_handlers handlers = {.closed = closed};

	if (instance >= PROC_INSTANCES_MAX) {
		io_close(stream);
		return;
	}
	asker = is_reception ? &keyring->receptions[instance] : &keyring->deliveries[instance];
	asker->keyring = keyring;
	asker->proc = peer;
	asker->instance = instance;
	if (kind == PROC_LINK_SIGN) {
		signing_link(keyring->signing, instance, stream);
		return;
	}
	ipc_channel_destroy(asker->channel);
	handlers.owner = asker;
	handlers.receive = is_reception ? receive_reception : receive_delivery;
	asker->channel = ipc_channel_create(stream, &handlers);
	if (is_reception)
		tickets_send(&keyring->tickets, asker->channel);
}

static void
keyring_stop(void *role)
{
	struct keyring *keyring = role;

	proc_stopped(keyring->env);
}

const struct proc_role keyring_role = {
    .create = keyring_create,
    .link = keyring_link,
    .stop = keyring_stop,
};
