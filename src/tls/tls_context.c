/*
 * Contexts: what all sessions of one certificate, or of one kind of client,
 * share.  Everything is read and made here, at creation, because the roles
 * that use contexts lose the right to open files before their first session.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { CHAIN_BYTES_MAX = 1 << 20, RECORD_BIO_TYPE = BIO_TYPE_SOURCE_SINK | 0x7f };

/*
 * OpenSSL's own default is a directory of hashed names that is searched during
 * a handshake: too late for a role in an empty root.  So the first of these
 * that exists is read whole.
 */
static const char *const root_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static int
bio_read(BIO *bio, char *into, int room)
{
	struct tls *tls = BIO_get_data(bio);
	struct span rest = span_skip(buf_span(&tls->in), tls->in_used);

	BIO_clear_retry_flags(bio);
	if (room <= 0)
		return 0;
	if (rest.len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	rest = span_first(rest, (size_t)room);
	memcpy(into, rest.ptr, rest.len);
	tls->in_used += rest.len;
	return (int)rest.len;
}

static int
bio_write(BIO *bio, const char *from, int bytes)
{
	struct tls *tls = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (bytes <= 0)
		return 0;
	buf_add(&tls->out, span_of(from, (size_t)bytes));
	return buf_finish(&tls->out) ? -1 : bytes;
}

static long
bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static struct tls_context *
context_create(bool server)
{
	struct tls_context *context = mem_alloc(sizeof(*context));
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	context->bio_method = BIO_meth_new(RECORD_BIO_TYPE, "postrider");
	check(ctx != NULL && context->bio_method != NULL);
	check(BIO_meth_set_read(context->bio_method, bio_read));
	check(BIO_meth_set_write(context->bio_method, bio_write));
	check(BIO_meth_set_ctrl(context->bio_method, bio_ctrl));
	check(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION));
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* Tickets need no memory of ours; a cache of sessions would. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	context->ssl_ctx = ctx;
	context->server = server;
	context->refs = 1;
	return context;
}

/* Reads the chain into the context; the leaf stays the caller's. */
static enum err
load_chain(SSL_CTX *ctx, struct span pem, X509 **leaf, const char **why)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *next;
	size_t count = 0;
	unsigned long last;

	check(bio != NULL);
	*leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	while (*leaf && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (++count >= TLS_CHAIN_COUNT_MAX ||
		    !SSL_CTX_add0_chain_cert(ctx, next)) {
			X509_free(next);
			break;
		}
	}
	last = ERR_peek_last_error();
	ERR_clear_error();
	BIO_free(bio);
	if (!*leaf)
		*why = "no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
	else if (count >= TLS_CHAIN_COUNT_MAX)
		*why = "more than 10 certificates in one chain";
	else if (ERR_GET_LIB(last) != ERR_LIB_PEM ||
		 ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
		*why = "a certificate after the first is damaged";
	else
		return OK;
	return ERR_SYNTAX;
}

enum err
tls_server_context_create(struct span chain_pem, const struct tls_signer *signer,
    struct tls_context **context, const char **why)
{
	struct tls_context *made;
	X509 *leaf = NULL;
	EVP_PKEY *key = NULL;
	enum err err = ERR_SYNTAX;

	*why = "no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
	if (chain_pem.len == 0 || chain_pem.len > CHAIN_BYTES_MAX)
		return ERR_SYNTAX;
	made = context_create(true);
	made->signer = *signer;
	/* Forward secrecy only; the client chooses among them, it knows its hardware. */
	check(SSL_CTX_set_cipher_list(
	    made->ssl_ctx, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL"));
	err = load_chain(made->ssl_ctx, chain_pem, &leaf, why);
	if (err)
		goto out;
	if (!X509_get0_pubkey(leaf)) {
		*why = "the certificate's key is of a kind that is not known here";
		err = ERR_UNSUPPORTED;
		goto out;
	}
	err = tls_signer_key(made, X509_get0_pubkey(leaf), &key, why);
	if (err)
		goto out;
	if (!SSL_CTX_use_certificate(made->ssl_ctx, leaf) ||
	    !SSL_CTX_use_PrivateKey(made->ssl_ctx, key)) {
		*why = "the certificate is refused: its key or signature is too weak";
		err = ERR_CRYPTO;
		goto out;
	}
	*context = made;
	*why = NULL;
	made = NULL;
out:
	ERR_clear_error();
	EVP_PKEY_free(key);
	X509_free(leaf);
	tls_context_destroy(made);
	return err;
}

/* Trusts what the system trusts.  Finding no roots is not an error: nothing will verify. */
static void
load_roots(SSL_CTX *ctx)
{
	bool chosen = getenv("SSL_CERT_FILE") || getenv("SSL_CERT_DIR");

	SSL_CTX_set_default_verify_paths(ctx);
	for (size_t i = 0; !chosen && i < LEN(root_files); i++) {
		if (access(root_files[i], R_OK) == 0)
			chosen = SSL_CTX_load_verify_file(ctx, root_files[i]) == 1;
	}
	ERR_clear_error();
}

enum err
tls_client_context_create(bool verify, struct tls_context **context)
{
	struct tls_context *made = context_create(false);

	made->verify = verify;
	if (verify) {
		load_roots(made->ssl_ctx);
		SSL_CTX_set_verify(made->ssl_ctx, SSL_VERIFY_PEER, tls_failure_verify);
	} else {
		/* Weak encryption beats none, where nobody checks who is there. */
		SSL_CTX_set_verify(made->ssl_ctx, SSL_VERIFY_NONE, NULL);
		check(SSL_CTX_set_cipher_list(made->ssl_ctx, "DEFAULT@SECLEVEL=1"));
	}
	*context = made;
	return OK;
}

void
tls_context_destroy(struct tls_context *context)
{
	if (!context)
		return;
	check(context->refs > 0);
	if (--context->refs > 0)
		return;
	SSL_CTX_free(context->ssl_ctx);
	tls_signer_fini(context);
	BIO_meth_free(context->bio_method);
	mem_free(context);
}

void
tls_context_version_max(struct tls_context *context, int version)
{
	check(SSL_CTX_set_max_proto_version(context->ssl_ctx, version));
}

enum err
tls_context_trust(struct tls_context *context, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	int added = 0;

	if (root)
		added =
		    X509_STORE_add_cert(SSL_CTX_get_cert_store(context->ssl_ctx), root);
	X509_free(root);
	BIO_free(bio);
	ERR_clear_error();
	return added ? OK : ERR_SYNTAX;
}
