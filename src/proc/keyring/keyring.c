/*
 * The keyring: the one role that holds private keys and password hashes.  It reads them once, at
 * the start, while there are rights to, and gives out signatures and verdicts, never keys.  Only
 * the passwords for smart hosts leave it, to delivery, which must say them to the smart host.
 * What it does for AUTH is in auth.c.
 */
#include "proc/keyring/keyring.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/list.h"
#include "proc/keyring/auth.h"
#include "proc/keyring/signing.h"
#include "proc/keyring/tickets.h"
#include "proc/proc_tables.h"

/* A delivery, which asks for credentials. */
struct asker {
	struct keyring *keyring;
	unsigned instance;
	struct ipc_channel *channel;
};

struct keyring {
	struct proc_env *env;
	struct auth *auth;
	struct table *credentials;
	struct signing *signing;
	struct tickets tickets;
	struct asker deliveries[PROC_INSTANCES_MAX];
};

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
		proc_bad_peer(asker->keyring->env, PROC_DELIVERY, asker->instance, err);
	ipc_channel_destroy(channel);
	asker->channel = NULL;
}

static void
tickets_changed(void *owner)
{
	struct keyring *keyring = owner;

	for (unsigned i = 0; i < PROC_INSTANCES_MAX; i++)
		if (auth_channel(keyring->auth, i))
			tickets_send(&keyring->tickets, auth_channel(keyring->auth, i));
}

static void *
keyring_create(struct proc_env *env)
{
	struct keyring *keyring = mem_alloc(sizeof(*keyring));
	const struct conf *conf = env->conf;

	keyring->env = env;
	keyring->auth = auth_create(env);
	if (!keyring->auth ||
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
	struct asker *asker;
	struct ipc_handlers handlers;

	if (instance >= PROC_INSTANCES_MAX) {
		io_close(stream);
		return;
	}
	if (kind == PROC_LINK_SIGN) {
		signing_link(keyring->signing, instance, stream);
		return;
	}
	if (peer == PROC_RECEPTION || peer == PROC_LOOKUP) {
		auth_link(keyring->auth, peer, instance, stream);
		if (peer == PROC_RECEPTION)
			tickets_send(
			    &keyring->tickets, auth_channel(keyring->auth, instance));
		return;
	}
	asker = &keyring->deliveries[instance];
	asker->keyring = keyring;
	asker->instance = instance;
	handlers = (struct ipc_handlers){asker, receive_delivery, closed};
	ipc_channel_destroy(asker->channel);
	asker->channel = ipc_channel_create(stream, &handlers);
	ipc_channel_secret(asker->channel);
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
