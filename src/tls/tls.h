/*
 * TLS over memory: bytes in, bytes out.  OpenSSL is used with memory BIOs only
 * and never sees a socket.  A server's private key is not here: signatures are
 * asked of a tls_signer (the keyring).
 */
#pragma once

#include "base/buf.h"

struct tls_context; /* certificates and settings, shared by sessions */
struct tls;         /* one session */

struct tls_tickets; /* the keys of session tickets, shared by contexts */

enum {
	TLS_SIGNATURE_BYTES_MAX = 1024,
	TLS_DIGEST_BYTES_MAX = 1024,
	TLS_CERTIFICATES_MAX = 50,
	TLS_TICKET_KEY_BYTES = 80,
};

/* What is to be signed, and how. */
enum tls_signature {
	TLS_SIGNATURE_ECDSA,       /* input is a digest; the answer a DER ECDSA-Sig-Value */
	TLS_SIGNATURE_RSA_PKCS1,   /* input is a DigestInfo; the signer pads it (type 1) */
	TLS_SIGNATURE_RSA_RAW,     /* input is padded already (PSS), as long as the modulus */
};

struct tls_signer {
	void *owner;
	/*
	 * Signs with the key of the chain of that index.  Fills signature
	 * (TLS_SIGNATURE_BYTES_MAX) and its length; an error ends the handshake.
	 */
	enum err (*sign)(void *owner, unsigned key, enum tls_signature kind,
	    struct span input, char *signature, size_t *signature_bytes);
};

/*
 * What a server's context is made of.  A client gets the first certificate that is for the name
 * that it asks for (exactly before by wildcard), one with an EC key and one with an RSA key side
 * by side; one that asks for no name, or another, gets what the first chain's name gets.
 */
struct tls_server_options {
	const struct span *chains; /* in PEM, each with its leaf first */
	size_t chain_count;        /* 1 to TLS_CERTIFICATES_MAX */
	struct tls_signer signer;
	struct span clients_pem;   /* issuers of clients' certificates; "": none is asked for */
	bool only_tls13;           /* else TLS 1.2 too */
	struct span ciphers;       /* of TLS 1.2, as OpenSSL names them; "": our choice */
	struct span groups;        /* "": our choice */
	struct tls_tickets *tickets; /* outlives the sessions; NULL: none */
	uint64_t ticket_ms;
};

enum tls_part { TLS_PART_CHAIN, TLS_PART_CLIENTS, TLS_PART_CIPHERS, TLS_PART_GROUPS };

/* What of the options is wrong; why is for people (static). */
struct tls_problem {
	enum tls_part part;
	size_t chain; /* the index of the chain, where that is the part */
	const char *why;
};

/*
 * A server's context; forward secrecy only.  ERR_SYNTAX: not a certificate, not a list;
 * ERR_UNSUPPORTED: something that cannot be used; *problem says what.
 */
MUST_USE enum err tls_server_context_create(const struct tls_server_options *options,
    struct tls_context **context, struct tls_problem *problem);
/* Whether the library has a group that a quantum computer does not break (X25519MLKEM768). */
bool tls_has_post_quantum(void);
/* The library's name and version. */
const char *tls_library(void);

/*
 * Tickets, by which sessions are resumed, are sealed with the newest key and opened with that and
 * the one before; without a key there are none.  A key is TLS_TICKET_KEY_BYTES random bytes.
 */
struct tls_tickets *tls_tickets_create(void);
void tls_tickets_destroy(struct tls_tickets *tickets);
/* The newest key and the one before ("": none). */
MUST_USE enum err tls_tickets_set(
    struct tls_tickets *tickets, struct span newest, struct span before);

/* A client's context.  verify: check the chain (the system's roots) and the name. */
MUST_USE enum err tls_client_context_create(bool verify, struct tls_context **context);
/* The file with the roots that such a context trusts; NULL: none was found. */
const char *tls_roots_file(void);
/* A client's context for tls_connect_dane. */
MUST_USE enum err tls_dane_context_create(struct tls_context **context);
/* Sessions keep what they need of it; the signer's owner must outlive them. */
void tls_context_destroy(struct tls_context *context);

struct tls *tls_accept(struct tls_context *context);
/* name: the server's name, for SNI (not for address literals) and verification. */
struct tls *tls_connect(struct tls_context *context, struct span name);
/*
 * DANE for SMTP (RFC 7672): the server shows a certificate that one of the TLSA records fits, or
 * the session fails.  base: the name at which the records are, for SNI; with an issuer's record
 * the certificate must be for it, or for domain, whose mail it is ("": none).
 */
struct tls *tls_connect_dane(struct tls_context *context, struct span base,
    struct span domain, const struct span *records, size_t count);
/* Whether a TLSA record's RDATA is of use there: usage 2 or 3, known kinds, a right length. */
bool tls_dane_is_usable(struct span record);
/* Whether it names an issuer (usage 2), so that names in certificates matter. */
bool tls_dane_is_issuer(struct span record);
void tls_destroy(struct tls *tls);

/* Bytes from the peer; takes all.  ERR_TOO_LONG where the peer sends without being read. */
MUST_USE enum err tls_input(struct tls *tls, struct span bytes);
/*
 * Goes on.  OK: the handshake is over (tls_is_ready) or *plain holds decrypted bytes (valid until
 * the next call; call again until ERR_AGAIN).  ERR_AGAIN: needs input.  ERR_END: the peer said
 * close_notify.  ERR_CRYPTO: failed, see tls_failure.
 */
MUST_USE enum err tls_next(struct tls *tls, struct span *plain);
bool tls_is_ready(const struct tls *tls);
/*
 * Encrypts all of plain into the output.  ERR_TOO_LONG: the output has no room, nothing was done;
 * ERR_AGAIN: before the handshake's end; ERR_CLOSED: after tls_shut_down.
 */
MUST_USE enum err tls_write(struct tls *tls, struct span plain);
/* Says close_notify. */
void tls_shut_down(struct tls *tls);
/* Bytes for the peer; output_done drops those that were sent. */
struct span tls_output(const struct tls *tls);
void tls_output_done(struct tls *tls, size_t sent);

/* Whether the session goes on from an earlier one, by a ticket. */
bool tls_is_resumed(const struct tls *tls);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", for logs and Received; adds nothing before the handshake. */
void tls_describe(const struct tls *tls, struct buf *out);
/*
 * Channel bindings: bytes that only the two ends of this session have, tls-exporter (RFC 9266: TLS
 * 1.3, and TLS 1.2 with its extended master secret), and the hash of the server's certificate,
 * tls-server-end-point (RFC 5929).  Each adds nothing where there is none.
 */
void tls_binding_exporter(const struct tls *tls, struct buf *out);
void tls_binding_end_point(const struct tls *tls, struct buf *out);
/*
 * A server's session: the name in the client's certificate, where that was asked for and its chain
 * is right: its first e-mail address, else its common name, else its first DNS name.  UTF-8
 * without control characters, 256 bytes at most; adds nothing where there is none.
 */
void tls_peer_name(const struct tls *tls, struct buf *out);
/* The kind of fault in the server's certificate that ended the session. */
enum tls_fault {
	TLS_FAULT_NONE, /* none, or none of the certificate's */
	TLS_FAULT_NAME,
	TLS_FAULT_EXPIRED,
	TLS_FAULT_UNTRUSTED,
	TLS_FAULT_DANE, /* no TLSA record fits */
	TLS_FAULT_OTHER,
};
enum tls_fault tls_failure_kind(const struct tls *tls);
/* Why it failed, for people: "certificate is for other.example, not for mx.example". */
const char *tls_failure(const struct tls *tls);

/*
 * The keyring's side: a private key in PEM, and its signatures.  tls_key_sign is the function that
 * a tls_signer ends at.
 */
struct tls_key;
MUST_USE enum err tls_key_load(struct span pem, struct tls_key **key, const char **why);
void tls_key_destroy(struct tls_key *key);
MUST_USE enum err tls_key_sign(struct tls_key *key, enum tls_signature kind,
    struct span input, char *signature, size_t *signature_bytes);
/* OK where the key belongs to the first certificate of the chain; else ERR_NOT_FOUND. */
MUST_USE enum err tls_key_fits(const struct tls_key *key, struct span chain_pem);
