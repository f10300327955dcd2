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

/* A server's certificate, and the key that is elsewhere. */
struct tls_certificate {
	struct tls_context *context;
	unsigned index; /* in the context, and the key's for the signer */
	X509 *leaf;
	STACK_OF(X509) *chain; /* without the leaf */
	EVP_PKEY *key;
	EC_KEY_METHOD *ec_method; /* NULL but for an EC certificate */
	RSA_METHOD *rsa_method;   /* NULL but for an RSA certificate */
};

struct tls_sites; /* which certificates are for which name */

struct tls_context {
	SSL_CTX *ssl_ctx; /* of a server: that for clients that ask for no name of ours */
	BIO_METHOD *bio_method;
	struct tls_signer signer;
	struct tls_certificate certificates[TLS_CERTIFICATES_MAX];
	size_t certificate_count;
	struct tls_sites *sites; /* NULL: a client's */
	struct tls_tickets *tickets; /* may be NULL */
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
	enum tls_fault fault;
	bool peer_refused; /* the client's certificate has a fault, and no name is taken from it */
	char *name; /* of the server; NULL for a server's session */
	char first[TLS_FIRST_BYTES];
	size_t first_bytes;
};

/* Makes certificate->key, which asks the context's signer; *why (static) where it can't. */
MUST_USE enum err tls_signer_key(struct tls_certificate *certificate, const char **why);
void tls_signer_fini(struct tls_certificate *certificate);

/*
 * For every name in the certificates an SSL_CTX with those that are for it.  set is called for each
 * SSL_CTX that is made; the first one is the default.  NULL: a certificate is too weak for OpenSSL,
 * *index says which.
 */
struct tls_sites *tls_sites_create(const struct tls_certificate *certificates, size_t count,
    SSL_CTX *(*make)(void *owner), void *owner, size_t *index);
void tls_sites_destroy(struct tls_sites *sites);
/* The SSL_CTX for a name, in any case; the default for one that is nobody's. */
SSL_CTX *tls_sites_find(const struct tls_sites *sites, struct span name);

/* An SSL_CTX with what all sessions of ours have in common. */
SSL_CTX *tls_context_ssl_ctx(bool server);
struct tls_context *tls_context_create(bool server);

/* Has the sessions of an SSL_CTX give and take tickets; those of a session without keys do not. */
void tls_ticket_configure(SSL_CTX *ctx, uint64_t lifetime_ms);
void tls_ticket_prepare(const struct tls_context *context, SSL *ssl);

/* NULL where we can use keys of that kind and size; else why not. */
const char *tls_key_refusal(const EVP_PKEY *key);

/* The hash of tls-server-end-point (EVP_MAX_MD_SIZE); its length, 0 where it can't be made. */
size_t tls_binding_hash(const X509 *cert, unsigned char *hash);

/* SSL_VERIFY callback: keeps the first fault of a chain as tls->failure. */
int tls_failure_verify(int good, X509_STORE_CTX *chain);
/* The same for clients, who are asked and not told to: keeps only that there is a fault. */
int tls_failure_verify_client(int good, X509_STORE_CTX *chain);
/* A client's session that expects nobody yet; the name is kept without a dot at its end. */
struct tls *tls_client_create(struct tls_context *context, struct span name);
/* Before the handshake. */
void tls_fail_early(struct tls *tls, struct span why);
/* Sets tls->failure from OpenSSL's error queue, where it is not set. */
void tls_failure_explain(struct tls *tls);

/* For tests: TLS1_2_VERSION or TLS1_3_VERSION at most; one more root to trust. */
void tls_context_version_max(struct tls_context *context, int version);
MUST_USE enum err tls_context_trust(struct tls_context *context, struct span pem);
