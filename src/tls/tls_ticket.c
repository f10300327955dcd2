/*
 * Session tickets (RFC 8446, 4.6.1; RFC 5077): the state of a session, sealed
 * with keys that all processes of a server share and nobody keeps on disk.  So
 * a client resumes wherever it ends up, and the server remembers nothing.
 *
 * A ticket holds the hash of the certificate too, as a resumed session has
 * none: the channel binding tls-server-end-point is that of its first session.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { TICKET_NAME_BYTES = 16, CIPHER_KEY_BYTES = 32, MAC_KEY_BYTES = 32, NEWEST = 0 };

struct ticket_key {
	bool there;
	unsigned char name[TICKET_NAME_BYTES];
	unsigned char cipher[CIPHER_KEY_BYTES];
	unsigned char mac[MAC_KEY_BYTES];
};

struct tls_tickets {
	struct ticket_key keys[2]; /* NEWEST, and the one before */
};

struct tls_tickets *
tls_tickets_create(void)
{
	return mem_alloc(sizeof(struct tls_tickets));
}

void
tls_tickets_destroy(struct tls_tickets *tickets)
{
	if (!tickets)
		return;
	mem_wipe(tickets, sizeof(*tickets));
	mem_free(tickets);
}

static void
set_key(struct ticket_key *key, struct span bytes)
{
	key->there = bytes.len > 0;
	if (!key->there)
		return;
	memcpy(key->name, bytes.ptr, sizeof(key->name));
	memcpy(key->cipher, bytes.ptr + TICKET_NAME_BYTES, sizeof(key->cipher));
	memcpy(key->mac, bytes.ptr + TICKET_NAME_BYTES + CIPHER_KEY_BYTES,
	    sizeof(key->mac));
}

enum err
tls_tickets_set(struct tls_tickets *tickets, struct span newest, struct span before)
{
	if (newest.len != TLS_TICKET_KEY_BYTES ||
	    (before.len != 0 && before.len != TLS_TICKET_KEY_BYTES))
		return ERR_SYNTAX;
	mem_wipe(tickets, sizeof(*tickets));
	set_key(&tickets->keys[NEWEST], newest);
	set_key(&tickets->keys[1], before);
	return OK;
}

static bool
use_mac(EVP_MAC_CTX *mac, const struct ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(
		OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int
seal(const struct ticket_key *key, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	memcpy(name, key->name, sizeof(key->name));
	if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
	    !EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) ||
	    !use_mac(mac, key))
		return -1;
	return 1;
}

/* OpenSSL's question: 1 use the key, 2 use it and give a new ticket, 0 no such key. */
static int
find_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int sealing)
{
	const struct tls *tls = SSL_get_app_data(ssl);
	const struct tls_tickets *tickets = tls->context->tickets;

	if (!tickets || !tickets->keys[NEWEST].there)
		return 0;
	if (sealing)
		return seal(&tickets->keys[NEWEST], name, iv, cipher, mac);
	for (size_t i = 0; i < LEN(tickets->keys); i++) {
		const struct ticket_key *key = &tickets->keys[i];

		if (!key->there || memcmp(key->name, name, sizeof(key->name)) != 0)
			continue;
		if (!EVP_DecryptInit_ex(
			cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv) ||
		    !use_mac(mac, key))
			return -1;
		return i == NEWEST ? 1 : 2;
	}
	return 0;
}

/* A ticket is about to be made: what a resumed session could not know goes in. */
static int
fill_ticket(SSL *ssl, void *owner)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	const X509 *cert = SSL_get_certificate(ssl);
	void *old;
	size_t bytes;

	(void)owner;
	/* A resumed session's first certificate stays what it was. */
	if (SSL_session_reused(ssl) &&
	    SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &old, &bytes) &&
	    bytes > 0)
		return 1;
	bytes = cert ? tls_binding_hash(cert, hash) : 0;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), hash, bytes);
}

static SSL_TICKET_RETURN
judge_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_bytes,
    SSL_TICKET_STATUS status, void *owner)
{
	(void)ssl;
	(void)session;
	(void)name;
	(void)name_bytes;
	(void)owner;
	switch (status) {
	case SSL_TICKET_SUCCESS:
		return SSL_TICKET_RETURN_USE;
	case SSL_TICKET_SUCCESS_RENEW:
		return SSL_TICKET_RETURN_USE_RENEW;
	default:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	}
}

void
tls_ticket_configure(SSL_CTX *ctx, uint64_t lifetime_ms)
{
	SSL_CTX_set_timeout(ctx, (long)(lifetime_ms / 1000));
	/* Clients of SMTP open few connections at a time: one ticket is enough. */
	check(SSL_CTX_set_num_tickets(ctx, 1));
	check(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, find_key));
	check(SSL_CTX_set_session_ticket_cb(ctx, fill_ticket, judge_ticket, NULL));
}

void
tls_ticket_prepare(const struct tls_context *context, SSL *ssl)
{
	if (context->tickets && context->tickets->keys[NEWEST].there)
		return;
	SSL_set_options(ssl, SSL_OP_NO_TICKET);
	check(SSL_set_num_tickets(ssl, 0));
}
