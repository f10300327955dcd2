/* Keys are read once and never leave; what is asked for is not believed. */
#include "proc/keyring/signing.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/wire.h"
#include "ipc/sign_wire.h"
#include "proc/proc_tables.h"
#include "tls/tls.h"

enum { KEY_FILE_BYTES_MAX = 64 << 10 };

/* A reception that asks. */
struct asker {
	struct signing *signing;
	struct io_stream *stream;
	struct io_op read;
	struct buf request;
};

struct signing {
	struct proc_env *env;
	struct tls_key *keys[CONF_CERTIFICATES_MAX];
	size_t key_count;
	struct asker askers[PROC_INSTANCES_MAX];
};

static bool
load_key(struct signing *signing, const struct conf_certificate *certificate,
    struct tls_key **key)
{
	struct buf pem;
	struct event event;
	const char *why = "cannot be read";
	enum err err;

	buf_init(&pem, KEY_FILE_BYTES_MAX);
	err = proc_read_file(signing->env, certificate->key_path, &pem);
	if (!err)
		err = tls_key_load(buf_span(&pem), key, &why);
	if (!err && tls_key_fits(*key, certificate->pem)) {
		err = ERR_SYNTAX;
		why = "does not belong to the certificate";
	}
	mem_wipe(pem.ptr, pem.len);
	buf_fini(&pem);
	if (!err)
		return true;
	event_begin(&event, &signing->env->log, "key_refused");
	event_span(&event, "file", certificate->key_path);
	event_span(&event, "certificate", certificate->path);
	event_str(&event, "text", why);
	event_err(&event, err);
	event_end(&event);
	return false;
}

struct signing *
signing_create(struct proc_env *env)
{
	struct signing *signing = mem_alloc(sizeof(*signing));
	const struct conf *conf = env->conf;
	bool good = true;

	signing->env = env;
	signing->key_count = conf->certificate_count;
	/* All are looked at, so that all mistakes are told at once. */
	for (size_t i = 0; i < conf->certificate_count; i++)
		good = load_key(signing, &conf->certificates[i], &signing->keys[i]) && good;
	if (good)
		return signing;
	signing_destroy(signing);
	return NULL;
}

static void
end_asker(struct asker *asker)
{
	io_close(asker->stream);
	asker->stream = NULL;
	buf_reset(&asker->request);
}

void
signing_destroy(struct signing *signing)
{
	if (!signing)
		return;
	for (size_t i = 0; i < PROC_INSTANCES_MAX; i++)
		if (signing->askers[i].stream)
			end_asker(&signing->askers[i]);
	for (size_t i = 0; i < PROC_INSTANCES_MAX; i++)
		buf_fini(&signing->askers[i].request);
	for (size_t i = 0; i < signing->key_count; i++)
		tls_key_destroy(signing->keys[i]);
	mem_free(signing);
}

/* Answers one request; the answer has the same size whatever becomes of it. */
static void
sign(struct asker *asker, struct span request)
{
	char answer[SIGN_ANSWER_BYTES] = {0};
	struct span input = span_skip(request, SIGN_REQUEST_HEADER_BYTES);
	unsigned kind = (uint8_t)request.ptr[SIGN_KIND_AT];
	unsigned key = (uint8_t)request.ptr[SIGN_KEY_AT];
	size_t len = 0;

	if (key < asker->signing->key_count && kind <= TLS_SIGNATURE_RSA_RAW &&
	    tls_key_sign(asker->signing->keys[key], (enum tls_signature)kind, input,
	        answer + 2, &len) == OK) {
		answer[0] = (char)(len & 0xff);
		answer[1] = (char)(len >> 8);
	}
	io_send(asker->stream, span_of(answer, sizeof(answer)));
}

/* False where what came is not what the link allows. */
static bool
take_request(struct asker *asker)
{
	size_t len;

	if (asker->request.len < SIGN_REQUEST_HEADER_BYTES)
		return true;
	len = wire_get_u32(asker->request.ptr);
	if (len > SIGN_INPUT_BYTES_MAX)
		return false;
	/* The other side waits for the answer before it asks again. */
	if (asker->request.len > SIGN_REQUEST_HEADER_BYTES + len)
		return false;
	if (asker->request.len == SIGN_REQUEST_HEADER_BYTES + len) {
		sign(asker, buf_span(&asker->request));
		buf_reset(&asker->request);
	}
	return true;
}

static void
read_done(struct io_op *op)
{
	struct asker *asker = op->owner;

	if (op->err) {
		end_asker(asker);
		return;
	}
	if (op->fd >= 0)
		io_fd_close(op->fd);
	buf_add(&asker->request, op->bytes);
	if (buf_finish(&asker->request) || !take_request(asker)) {
		end_asker(asker);
		return;
	}
	io_read(asker->stream, &asker->read);
}

void
signing_link(struct signing *signing, unsigned instance, struct io_stream *stream)
{
	struct asker *asker;

	check(instance < PROC_INSTANCES_MAX);
	asker = &signing->askers[instance];
	end_asker(asker);
	buf_fini(&asker->request);
	buf_init(&asker->request, SIGN_REQUEST_BYTES_MAX);
	asker->signing = signing;
	asker->read = (struct io_op){.done = read_done, .owner = asker};
	asker->stream = stream;
	io_read(stream, &asker->read);
}
