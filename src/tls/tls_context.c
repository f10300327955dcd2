/*
 * Contexts: what all sessions of a server (see tls_server.c), or of one kind of client,
 * share.  Everything is read and made here, at creation, because the roles
 * that use contexts lose the right to open files before their first session.
 */
#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { RECORD_BIO_TYPE = BIO_TYPE_SOURCE_SINK | 0x7f };

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

SSL_CTX *
tls_context_ssl_ctx(bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	check(ctx != NULL);
	check(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION));
	/* The server's order of ciphers counts, but for who has ChaCha20 first: no AES there. */
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CLEANSE_PLAINTEXT |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	/* Tickets need no memory of ours; a cache of sessions would. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

struct tls_context *
tls_context_create(bool server)
{
	struct tls_context *context = mem_alloc(sizeof(*context));

	context->bio_method = BIO_meth_new(RECORD_BIO_TYPE, "postrider");
	check(context->bio_method != NULL);
	check(BIO_meth_set_read(context->bio_method, bio_read));
	check(BIO_meth_set_write(context->bio_method, bio_write));
	check(BIO_meth_set_ctrl(context->bio_method, bio_ctrl));
	context->server = server;
	context->refs = 1;
	return context;
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

const char *
tls_roots_file(void)
{
	const char *chosen = getenv("SSL_CERT_FILE");

	if (chosen && *chosen)
		return chosen;
	for (size_t i = 0; i < LEN(root_files); i++)
		if (access(root_files[i], R_OK) == 0)
			return root_files[i];
	return NULL;
}

enum err
tls_client_context_create(bool verify, struct tls_context **context)
{
	struct tls_context *made = tls_context_create(false);

	made->ssl_ctx = tls_context_ssl_ctx(false);
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

static void
certificate_fini(struct tls_certificate *certificate)
{
	EVP_PKEY_free(certificate->key);
	tls_signer_fini(certificate);
	sk_X509_pop_free(certificate->chain, X509_free);
	X509_free(certificate->leaf);
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
	tls_sites_destroy(context->sites);
	for (size_t i = 0; i < context->certificate_count; i++)
		certificate_fini(&context->certificates[i]);
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
