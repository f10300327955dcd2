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
#include "base/wire.h"
#include "ipc/sign_wire.h"
#include "proc/keyring/auth.h"
#include "proc/proc_tables.h"
#include "tls/tls.h"

enum { KEY_FILE_BYTES_MAX = 64 << 10 };

/* A peer that asks: reception for signatures, delivery for credentials. */
struct asker {
	struct keyring *keyring;
	enum proc proc;
	unsigned instance;
	struct ipc_channel *channel;
	struct io_stream *signer;
	struct io_op sign_read;
	struct buf request;
};

struct keyring {
	struct proc_env *env;
	struct auth *auth;
	struct table *credentials;
	struct tls_key *key;
	struct asker receptions[PROC_INSTANCES_MAX];
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
		proc_bad_peer(asker->keyring->env, asker->proc, asker->instance, err);
	ipc_channel_destroy(channel);
	asker->channel = NULL;
}

static void
end_signer(struct asker *asker)
{
	io_close(asker->signer);
	asker->signer = NULL;
	buf_reset(&asker->request);
}

/* Answers one request; the answer has the same size whatever becomes of it. */
static void
sign(struct asker *asker, struct span request)
{
	char answer[SIGN_ANSWER_BYTES] = {0};
	struct span input = span_skip(request, SIGN_REQUEST_HEADER_BYTES);
	unsigned kind = (uint8_t)request.ptr[4];
	size_t len = 0;

	if (asker->keyring->key && kind <= TLS_SIGNATURE_RSA_RAW &&
	    tls_key_sign(asker->keyring->key, (enum tls_signature)kind, input, answer + 2,
	        &len) == OK) {
		answer[0] = (char)(len & 0xff);
		answer[1] = (char)(len >> 8);
	}
	io_send(asker->signer, span_of(answer, sizeof(answer)));
}

static void
sign_read(struct io_op *op)
{
	struct asker *asker = op->owner;
	size_t len;

	if (op->err) {
		end_signer(asker);
		return;
	}
	if (op->fd >= 0)
		io_fd_close(op->fd);
	buf_add(&asker->request, op->bytes);
	if (buf_finish(&asker->request)) {
		end_signer(asker);
		return;
	}
	if (asker->request.len >= SIGN_REQUEST_HEADER_BYTES) {
		len = wire_get_u32(asker->request.ptr);
		if (len > SIGN_INPUT_BYTES_MAX) {
			end_signer(asker);
			return;
		}
		/* The other side waits for the answer before it asks again. */
		if (asker->request.len == SIGN_REQUEST_HEADER_BYTES + len) {
			sign(asker, buf_span(&asker->request));
			buf_reset(&asker->request);
		}
	}
	io_read(asker->signer, &asker->sign_read);
}

static bool
load_key(struct keyring *keyring, struct span path)
{
	struct buf pem;
	struct event event;
	const char *why = "cannot be read";
	enum err err;

	buf_init(&pem, KEY_FILE_BYTES_MAX);
	err = proc_read_file(keyring->env, path, &pem);
	if (!err)
		err = tls_key_load(buf_span(&pem), &keyring->key, &why);
	if (!err && tls_key_fits(keyring->key, keyring->env->conf->certificate_pem)) {
		err = ERR_SYNTAX;
		why = "does not belong to the certificate";
	}
	mem_wipe(pem.ptr, pem.len);
	buf_fini(&pem);
	if (!err)
		return true;
	event_begin(&event, &keyring->env->log, "key_refused");
	event_span(&event, "file", path);
	event_str(&event, "text", why);
	event_err(&event, err);
	event_end(&event);
	return false;
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
	if (conf->key_path.len > 0 && !load_key(keyring, conf->key_path))
		return NULL;
	return keyring;
}

static void
link_signer(struct asker *asker, struct io_stream *stream)
{
	end_signer(asker);
	buf_fini(&asker->request);
	buf_init(&asker->request, SIGN_REQUEST_BYTES_MAX);
	asker->sign_read = (struct io_op){.done = sign_read, .owner = asker};
	asker->signer = stream;
	io_read(stream, &asker->sign_read);
}

static void
keyring_link(void *role, enum proc peer, unsigned instance, enum proc_link_kind kind,
    struct io_stream *stream)
{
	struct keyring *keyring = role;
	bool is_reception = peer == PROC_RECEPTION;
	struct asker *asker;
	struct ipc_handlers handlers;

	if (instance >= PROC_INSTANCES_MAX) {
		io_close(stream);
		return;
	}
	asker = is_reception ? &keyring->receptions[instance] : &keyring->deliveries[instance];
	asker->keyring = keyring;
	asker->proc = peer;
	asker->instance = instance;
	if (kind == PROC_LINK_SIGN) {
		link_signer(asker, stream);
		return;
	}
	if (is_reception || peer == PROC_LOOKUP) {
		auth_link(keyring->auth, peer, instance, stream);
		return;
	}
	handlers = (struct ipc_handlers){asker, receive_delivery, closed};
	ipc_channel_destroy(asker->channel);
	asker->channel = ipc_channel_create(stream, &handlers);
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
