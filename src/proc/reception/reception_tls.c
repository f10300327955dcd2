/*
 * TLS of reception: the certificates are here, their keys are the keyring's.  A keyring with
 * another configuration numbers its keys otherwise, so certificates and the link for signatures
 * change at the same moment; a handshake asks for its certificate and its signature in one go, and
 * none falls between.
 */
#include "base/check.h"
#include "base/wire.h"
#include "ipc/sign_wire.h"
#include "proc/proc_tls.h"
#include "proc/reception/reception_internal.h"

enum { SIGN_TIMEOUT_MS = 3000 };

/* The signer for TLS: asks the keyring, blocking. */
static enum err
sign(void *owner, unsigned key, enum tls_signature kind, struct span input, char *signature,
    size_t *signature_bytes)
{
	struct reception *reception = owner;
	char request[SIGN_REQUEST_BYTES_MAX];
	char answer[SIGN_ANSWER_BYTES];
	size_t len;
	enum err err;

	if (!reception->signer || input.len > SIGN_INPUT_BYTES_MAX)
		return ERR_CLOSED;
	wire_put_u32(request, (uint32_t)input.len);
	request[SIGN_KIND_AT] = (char)kind;
	request[SIGN_KEY_AT] = (char)key;
	memcpy(request + SIGN_REQUEST_HEADER_BYTES, input.ptr, input.len);
	err = io_call(reception->signer,
	    span_of(request, SIGN_REQUEST_HEADER_BYTES + input.len), answer, sizeof(answer),
	    SIGN_TIMEOUT_MS);
	if (err) {
		/* An answer that comes late would be taken for the next one. */
		io_close(reception->signer);
		reception->signer = NULL;
		proc_ask_link(reception->env, PROC_KEYRING);
		return err;
	}
	len = (uint8_t)answer[0] | (size_t)(uint8_t)answer[1] << 8;
	if (len == 0 || len > SIGN_SIGNATURE_BYTES_MAX)
		return ERR_CRYPTO;
	memcpy(signature, answer + 2, len);
	*signature_bytes = len;
	return OK;
}

/* Sessions of an earlier context hold references of their own. */
static void
use_loaded(struct reception *reception)
{
	if (!reception->tls_is_loaded)
		return;
	tls_context_destroy(reception->tls);
	reception->tls = reception->tls_loaded;
	reception->tls_loaded = NULL;
	reception->tls_is_loaded = false;
}

bool
reception_tls_load(struct reception *reception, const struct conf *conf)
{
	const struct tls_signer signer = {reception, sign};
	struct tls_context *context;

	if (proc_tls_context(
	        &reception->env->log, conf, &signer, reception->tickets, &context))
		return false;
	tls_context_destroy(reception->tls_loaded);
	reception->tls_loaded = context;
	reception->tls_is_loaded = true;
	return true;
}

void
reception_tls_link(struct reception *reception, struct io_stream *stream)
{
	io_close(reception->signer);
	reception->signer = stream;
	use_loaded(reception);
}

enum err
reception_tls_tickets(struct reception *reception, struct span payload)
{
	struct ipc_kr_ticket_keys keys;

	if (ipc_kr_ticket_keys_decode(payload, &keys))
		return ERR_SYNTAX;
	return tls_tickets_set(reception->tickets, keys.newest, keys.before);
}
