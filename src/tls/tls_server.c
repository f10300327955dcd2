/*
 * A server's context: its certificates, whose keys are elsewhere, and what it
 * demands of clients.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { CHAIN_BYTES_MAX = 1 << 20, CLIENT_ISSUERS_MAX = 100, LIST_BYTES_MAX = 1000 };

/* Forward secrecy only; the client chooses among them, it knows its hardware. */
static const char default_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL";
static const char post_quantum[] = "X25519MLKEM768";
static const char default_groups[] = "X25519:P-256:P-384";

/* What is being made, for the callback that makes an SSL_CTX. */
struct making {
	const struct tls_server_options *options;
	struct tls_context *context;
	X509_STORE *issuers;         /* of clients' certificates; NULL: none */
	STACK_OF(X509_NAME) *names;  /* of those issuers */
	unsigned char id[SHA256_DIGEST_LENGTH]; /* who may resume what */
	char ciphers[LIST_BYTES_MAX + 1];
	char groups[LIST_BYTES_MAX + 1];
};

bool
tls_has_post_quantum(void)
{
	SSL_CTX *ctx = tls_context_ssl_ctx(true);
	bool has = SSL_CTX_set1_groups_list(ctx, post_quantum) == 1;

	SSL_CTX_free(ctx);
	ERR_clear_error();
	return has;
}

const char *
tls_library(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

/* True where reading PEM ended because there is no more of it. */
static bool
ended_well(void)
{
	unsigned long last = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(last) == ERR_LIB_PEM &&
	       ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

static enum err
load_chain(struct tls_certificate *certificate, struct span pem, const char **why)
{
	BIO *bio;
	X509 *next;
	int count = 0;

	*why = "no certificate in PEM form (-----BEGIN CERTIFICATE-----)";
	if (pem.len == 0 || pem.len > CHAIN_BYTES_MAX)
		return ERR_SYNTAX;
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	certificate->chain = sk_X509_new_null();
	check(bio != NULL && certificate->chain != NULL);
	certificate->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	while (certificate->leaf && count < TLS_CHAIN_COUNT_MAX &&
	       (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		check(sk_X509_push(certificate->chain, next) > 0);
		count++;
	}
	BIO_free(bio);
	if (!certificate->leaf) {
		ERR_clear_error();
		return ERR_SYNTAX;
	}
	*why = count == TLS_CHAIN_COUNT_MAX ? "more than 10 certificates in one chain"
					    : "a certificate after the first is damaged";
	return ended_well() ? OK : ERR_SYNTAX;
}

static enum err
load_certificates(struct making *making, struct tls_problem *problem)
{
	struct tls_context *context = making->context;
	enum err err;

	check(making->options->chain_count > 0 &&
	      making->options->chain_count <= TLS_CERTIFICATES_MAX);
	for (size_t i = 0; i < making->options->chain_count; i++) {
		struct tls_certificate *certificate = &context->certificates[i];

		problem->chain = i;
		context->certificate_count = i + 1;
		certificate->context = context;
		certificate->index = (unsigned)i;
		err = load_chain(certificate, making->options->chains[i], &problem->why);
		if (err)
			return err;
		if (!X509_get0_pubkey(certificate->leaf)) {
			problem->why =
			    "the certificate's key is of a kind that is not known here";
			return ERR_UNSUPPORTED;
		}
		err = tls_signer_key(certificate, &problem->why);
		if (err)
			return err;
	}
	return OK;
}

static enum err
load_issuers(struct making *making, struct tls_problem *problem)
{
	struct span pem = making->options->clients_pem;
	BIO *bio;
	X509 *issuer;
	int count = 0;

	if (pem.len == 0)
		return OK;
	problem->part = TLS_PART_CLIENTS;
	problem->why = "no certificates in PEM form (-----BEGIN CERTIFICATE-----)";
	if (pem.len > CHAIN_BYTES_MAX)
		return ERR_SYNTAX;
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	making->issuers = X509_STORE_new();
	making->names = sk_X509_NAME_new_null();
	check(bio && making->issuers && making->names);
	while (count < CLIENT_ISSUERS_MAX &&
	       (issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		check(X509_STORE_add_cert(making->issuers, issuer));
		check(sk_X509_NAME_push(making->names,
			  X509_NAME_dup(X509_get_subject_name(issuer))) > 0);
		X509_free(issuer);
		count++;
	}
	BIO_free(bio);
	if (count == CLIENT_ISSUERS_MAX)
		problem->why = "100 issuers or more";
	else if (count > 0)
		problem->why = "a certificate after the first is damaged";
	return ended_well() && count > 0 ? OK : ERR_SYNTAX;
}

/* Our choice where nothing is said; ERR_SYNTAX where OpenSSL does not know what is. */
static enum err
take_lists(struct making *making, struct tls_problem *problem)
{
	const struct tls_server_options *options = making->options;
	SSL_CTX *ctx = tls_context_ssl_ctx(true);
	enum err err = ERR_SYNTAX;

	check(options->ciphers.len <= LIST_BYTES_MAX &&
	      options->groups.len <= LIST_BYTES_MAX);
	if (options->ciphers.len > 0)
		snprintf(making->ciphers, sizeof(making->ciphers), "%.*s",
		    SPAN_ARGS(options->ciphers));
	else
		snprintf(
		    making->ciphers, sizeof(making->ciphers), "%s", default_ciphers);
	if (options->groups.len > 0)
		snprintf(making->groups, sizeof(making->groups), "%.*s",
		    SPAN_ARGS(options->groups));
	else
		snprintf(making->groups, sizeof(making->groups), "%s%s%s",
		    tls_has_post_quantum() ? post_quantum : "",
		    tls_has_post_quantum() ? ":" : "", default_groups);
	if (!SSL_CTX_set_cipher_list(ctx, making->ciphers)) {
		problem->part = TLS_PART_CIPHERS;
		problem->why = "none of these is a cipher of TLS 1.2 that OpenSSL has";
	} else if (!SSL_CTX_set1_groups_list(ctx, making->groups)) {
		problem->part = TLS_PART_GROUPS;
		problem->why = "one of these is not a group that this OpenSSL has";
	} else {
		err = OK;
	}
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return err;
}

/* A session is resumed only where the same clients are believed. */
static void
make_id(struct making *making)
{
	struct span pem = making->options->clients_pem;

	check(EVP_Digest(pem.len ? pem.ptr : "", pem.len, making->id, NULL, EVP_sha256(),
		  NULL) == 1);
}

/* The context that is the newest when the client has said whom it wants. */
static int
choose_site(SSL *ssl, int *alert, void *owner)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_context *context = owner;

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	check(SSL_set_SSL_CTX(ssl, tls_sites_find(context->sites, span_str(name))));
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *
make_ssl_ctx(void *owner)
{
	const struct making *making = owner;
	SSL_CTX *ctx = tls_context_ssl_ctx(true);

	if (making->options->only_tls13)
		check(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION));
	check(SSL_CTX_set_cipher_list(ctx, making->ciphers));
	check(SSL_CTX_set1_groups_list(ctx, making->groups));
	check(SSL_CTX_set_session_id_context(ctx, making->id, sizeof(making->id)));
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_site);
	SSL_CTX_set_tlsext_servername_arg(ctx, making->context);
	tls_ticket_configure(ctx, making->options->ticket_ms);
	if (making->issuers) {
		SSL_CTX_set1_cert_store(ctx, making->issuers);
		SSL_CTX_set_client_CA_list(ctx, SSL_dup_CA_list(making->names));
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_failure_verify_client);
	}
	return ctx;
}

static enum err
make(struct making *making, struct tls_problem *problem)
{
	struct tls_context *context = making->context;
	enum err err = load_certificates(making, problem);

	if (!err)
		err = load_issuers(making, problem);
	if (!err)
		err = take_lists(making, problem);
	if (err)
		return err;
	make_id(making);
	context->sites = tls_sites_create(context->certificates,
	    context->certificate_count, make_ssl_ctx, making, &problem->chain);
	if (!context->sites) {
		problem->part = TLS_PART_CHAIN;
		problem->why =
		    "the certificate is refused: its key or signature is too weak";
		return ERR_CRYPTO;
	}
	context->ssl_ctx = tls_sites_find(context->sites, SPAN(""));
	check(SSL_CTX_up_ref(context->ssl_ctx));
	return OK;
}

enum err
tls_server_context_create(const struct tls_server_options *options,
    struct tls_context **context, struct tls_problem *problem)
{
	struct making making = {
	    .options = options, .context = tls_context_create(true)};
	enum err err;

	*problem = (struct tls_problem){.part = TLS_PART_CHAIN};
	making.context->signer = options->signer;
	if (options->ticket_ms > 0)
		making.context->tickets = options->tickets;
	err = make(&making, problem);
	ERR_clear_error();
	X509_STORE_free(making.issuers);
	sk_X509_NAME_pop_free(making.names, X509_NAME_free);
	if (err) {
		tls_context_destroy(making.context);
		return err;
	}
	*context = making.context;
	return OK;
}
