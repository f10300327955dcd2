/*
 * What the files of this folder share.  Nobody else includes this, but for
 * tests that need an old protocol version or a root of their own.
 */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls.h"

enum {
	TLS_INPUT_BYTES_MAX = 256 << 10, /* what a peer may send ahead of our reading */
	TLS_OUTPUT_BYTES_MAX = 8 << 20,  /* what may wait for a slow peer */
	TLS_PLAIN_BYTES = 16384,         /* one record, decrypted */
	TLS_CHAIN_COUNT_MAX = 10,
	TLS_FIRST_BYTES = 48, /* of the peer, kept for an explanation */
	TLS_FAILURE_BYTES_MAX = 512,
};

struct tls_context {
	SSL_CTX *ssl_ctx;
	BIO_METHOD *bio_method;
	struct tls_signer signer;
	EC_KEY_METHOD *ec_method; /* NULL but for an EC certificate */
	RSA_METHOD *rsa_method;   /* NULL but for an RSA certificate */
	size_t refs;              /* the creator, and each session */
	bool server;
	bool verify;
};

/*
 *   HANDSHAKE ──► OPEN ──► ENDED        tls_next moves on, nothing else does;
 *       │          │                    a name that cannot be checked fails
 *       └──────────┴─────► FAILED       at birth.
 */
enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_ENDED, TLS_FAILED, TLS_STATE_COUNT };

struct tls {
	struct tls_context *context;
	SSL *ssl;
	enum tls_state state;
	struct buf in;  /* from the peer; in_used bytes are OpenSSL's already */
	size_t in_used;
	struct buf out; /* for the peer */
	char *plain;    /* TLS_PLAIN_BYTES, while there is something to read */
	size_t plain_bytes; /* the most that plain held: what is to be wiped */
	char *failure;
	bool peer_refused; /* the client's certificate has a fault, and no name is taken from it */
	char *name; /* of the server; NULL for a server's session */
	char first[TLS_FIRST_BYTES];
	size_t first_bytes;
};

/* The private key that asks context->signer; *why as in tls_server_context_create. */
MUST_USE enum err tls_signer_key(struct tls_context *context, EVP_PKEY *public_key,
    EVP_PKEY **key, const char **why);
void tls_signer_fini(struct tls_context *context);

/* NULL where we can use keys of that kind and size; else why not. */
const char *tls_key_refusal(const EVP_PKEY *key);

/* The hash of tls-server-end-point (EVP_MAX_MD_SIZE); its length, 0 where it can't be made. */
size_t tls_binding_hash(const X509 *cert, unsigned char *hash);

/* SSL_VERIFY callback: keeps the first fault of a chain as tls->failure. */
int tls_failure_verify(int good, X509_STORE_CTX *chain);
/* The same for clients, who are asked and not told to: keeps only that there is a fault. */
int tls_failure_verify_client(int good, X509_STORE_CTX *chain);
/* Sets tls->failure from OpenSSL's error queue, where it is not set. */
void tls_failure_explain(struct tls *tls);

/* For tests: TLS1_2_VERSION or TLS1_3_VERSION at most; one more root to trust. */
void tls_context_version_max(struct tls_context *context, int version);
MUST_USE enum err tls_context_trust(struct tls_context *context, struct span pem);
