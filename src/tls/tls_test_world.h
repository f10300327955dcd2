/*
 * For the tests of this folder: certificates made on the spot, so that they are
 * as wrong as a case needs, and a client and a server joined in memory.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { ROUNDS_MAX = 200000, BIG_BYTES = 1 << 20, DAY_S = 86400 };

enum key_kind { P256, P384, RSA2048, KEY_KIND_COUNT };

static inline EVP_PKEY *
key_make(enum key_kind kind)
{
	EVP_PKEY *key = kind == P256   ? EVP_EC_gen("P-256")
			: kind == P384 ? EVP_EC_gen("P-384")
				       : EVP_RSA_gen(2048);

	assert_non_null(key);
	return key;
}

struct cert_options {
	const char *name, *alt;
	long from_s, until_s;
};

static inline X509 *
cert_make(
    const struct cert_options *options, EVP_PKEY *key, X509 *issuer, EVP_PKEY *signer)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *extension;
	X509V3_CTX v3;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
	X509_gmtime_adj(X509_getm_notBefore(cert), options->from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), options->until_s);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)options->name, -1, -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name);
	X509V3_set_ctx(&v3, issuer ? issuer : cert, cert, NULL, NULL, 0);
	extension = options->alt ? X509V3_EXT_conf_nid(
				       NULL, &v3, NID_subject_alt_name, options->alt)
				 : X509V3_EXT_conf_nid(NULL, &v3, NID_basic_constraints,
				       "critical,CA:TRUE");
	assert_non_null(extension);
	assert_true(X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(cert, signer, EVP_sha256()));
	return cert;
}

/* PEM, for mem_free. */
static inline char *
pem_of(X509 *cert, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *pem;
	long bytes;

	if (cert)
		assert_true(PEM_write_bio_X509(bio, cert));
	else
		assert_true(PEM_write_bio_PrivateKey(
		    bio, key, cipher, (const unsigned char *)"x", 1, NULL, NULL));
	bytes = BIO_get_mem_data(bio, &text);
	pem = mem_copy(span_of(text, (size_t)bytes));
	BIO_free(bio);
	return pem;
}

/* A root, a certificate that it signed, and both sides' contexts and sessions. */
struct world {
	EVP_PKEY *root_key, *leaf_key;
	X509 *root, *leaf;
	char *root_pem, *leaf_pem, *key_pem;
	struct tls_key *key;
	struct tls_signer signer;
	enum err signer_err;
	size_t signed_count;
	struct tls_context *server_context, *client_context;
	struct tls *server, *client;
	enum err server_err, client_err;
	struct buf to_server, to_client; /* plain text that arrived */
};

static inline enum err
sign(void *owner, unsigned key, enum tls_signature kind, struct span input,
    char *signature, size_t *signature_bytes)
{
	struct world *world = owner;

	assert_int_equal(key, 0);
	world->signed_count++;
	if (world->signer_err)
		return world->signer_err;
	return tls_key_sign(world->key, kind, input, signature, signature_bytes);
}

/* A server's context of one chain. */
static inline enum err
context_make(struct span chain, const struct tls_signer *signer,
    struct tls_context **context, const char **why)
{
	const struct tls_server_options options = {
	    .chains = &chain, .chain_count = 1, .signer = *signer};
	struct tls_problem problem;
	enum err err = tls_server_context_create(&options, context, &problem);

	if (err) {
		assert_int_equal(problem.part, TLS_PART_CHAIN);
		*why = problem.why;
	}
	return err;
}

static const struct cert_options good_cert = {
    "mx.example", "DNS:mx.example, DNS:*.mail.example, IP:192.0.2.1", -DAY_S, DAY_S};

static inline void
world_init(struct world *world, enum key_kind kind, const struct cert_options *options,
    bool verify)
{
	const struct cert_options root = {"Test Root", NULL, -DAY_S, 90 * DAY_S};
	const char *why = NULL;

	*world = (struct world){.root_key = key_make(P256), .leaf_key = key_make(kind)};
	world->root = cert_make(&root, world->root_key, NULL, world->root_key);
	world->leaf = cert_make(options, world->leaf_key, world->root, world->root_key);
	world->root_pem = pem_of(world->root, NULL, NULL);
	world->leaf_pem = pem_of(world->leaf, NULL, NULL);
	world->key_pem = pem_of(NULL, world->leaf_key, NULL);
	world->signer = (struct tls_signer){.owner = world, .sign = sign};
	assert_int_equal(tls_key_load(span_str(world->key_pem), &world->key, &why), OK);
	assert_int_equal(context_make(span_str(world->leaf_pem), &world->signer,
			     &world->server_context, &why),
	    OK);
	assert_int_equal(tls_client_context_create(verify, &world->client_context), OK);
	buf_init(&world->to_server, 4 * BIG_BYTES);
	buf_init(&world->to_client, 4 * BIG_BYTES);
}

static inline void
world_connect(struct world *world, const char *name)
{
	tls_destroy(world->server);
	tls_destroy(world->client);
	world->server = tls_accept(world->server_context);
	world->client = tls_connect(world->client_context, span_str(name));
	world->server_err = world->client_err = OK;
}

static inline void
world_fini(struct world *world)
{
	/* Contexts first: sessions keep what they need of them. */
	tls_context_destroy(world->server_context);
	tls_context_destroy(world->client_context);
	tls_destroy(world->server);
	tls_destroy(world->client);
	tls_key_destroy(world->key);
	X509_free(world->root);
	X509_free(world->leaf);
	EVP_PKEY_free(world->root_key);
	EVP_PKEY_free(world->leaf_key);
	mem_free(world->root_pem);
	mem_free(world->leaf_pem);
	mem_free(world->key_pem);
	buf_fini(&world->to_server);
	buf_fini(&world->to_client);
}

/* Calls tls_next until it has nothing more; what it gave last. */
static inline enum err
drain(struct tls *tls, struct buf *plain)
{
	struct span piece;
	enum err err;

	while ((err = tls_next(tls, &piece)) == OK) {
		assert_true(piece.len <= 16384);
		buf_add(plain, piece);
	}
	assert_int_equal(buf_finish(plain), OK);
	return err;
}

/* Carries at most step bytes; false when there were none. */
static inline bool
carry(struct tls *from, struct tls *to, size_t step)
{
	struct span piece = span_first(tls_output(from), step);

	if (piece.len == 0)
		return false;
	/* After its own failure a side takes nothing more; the rest is lost on purpose. */
	if (tls_input(to, piece) != OK)
		assert_true(tls_failure(to)[0] != '\0');
	tls_output_done(from, piece.len);
	return true;
}

static inline void
pump(struct world *world, size_t step)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		bool moved;

		world->client_err = drain(world->client, &world->to_client);
		moved = carry(world->client, world->server, step);
		world->server_err = drain(world->server, &world->to_server);
		moved |= carry(world->server, world->client, step);
		if (!moved)
			return;
	}
	fail_msg("no end to the handshake");
}

static inline void
expect_failure(const struct tls *tls, const char *part)
{
	if (!strstr(tls_failure(tls), part))
		fail_msg("got \"%s\", want \"%s\" in it", tls_failure(tls), part);
}
