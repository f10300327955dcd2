/*
 * Signed tokens: JSON Web Tokens (RFC 7519) in JWS compact form (RFC 7515), checked against public
 * keys that the configuration names.  No I/O and no clock.
 *
 *     BASE64URL(header) . BASE64URL(claims) . BASE64URL(signature)
 *
 * The algorithm is the key's, never the token's: RS256 of an RSA key, ES256 of a P-256 key, EdDSA
 * of an Ed25519 key (RFC 8725).  A token that names another, or none, or that wants something to be
 * understood ("crit"), is refused before anything is computed; its claims are looked at only once
 * its signature is right.  Keys that come with a token ("jwk", "x5c", "jku") are never used.
 */
#pragma once

#include "base/buf.h"

enum {
	TOKEN_BYTES_MAX = 8192,
	TOKEN_KEYS_MAX = 64,
	TOKEN_KEYS_BYTES_MAX = 1 << 20, /* of a file of keys */
	TOKEN_SKEW_S = 60, /* that clocks may differ */
	TOKEN_RSA_BITS_MIN = 2048,
	TOKEN_RSA_BITS_MAX = 8192,
};

struct token_keys;

/*
 * The keys of a file: public keys in PEM, or a JSON Web Key Set (RFC 7517).  NULL: none of it can
 * be used, and *why says why not.  Keys of other kinds, or for another use, are passed over; a
 * private or symmetric one is refused, since whoever may read this file would be who issues tokens.
 */
struct token_keys *token_keys_read(struct span text, const char **why);
void token_keys_destroy(struct token_keys *keys);
size_t token_keys_count(const struct token_keys *keys);

/* What tokens must say.  All but scope are there always. */
struct token_rules {
	struct span issuer, audience;
	struct span claim; /* that names the login */
	struct span scope; /* "": any */
	uint64_t now_s;    /* since 1970 */
};

enum token_verdict {
	TOKEN_GOOD,
	TOKEN_MALFORMED,
	TOKEN_ALGORITHM, /* none of those above */
	TOKEN_CRITICAL,  /* something that must be understood, and is not */
	TOKEN_TYPE,      /* another kind of token */
	TOKEN_KEY,       /* no key fits */
	TOKEN_SIGNATURE,
	TOKEN_ISSUER,
	TOKEN_AUDIENCE,
	TOKEN_EXPIRED, /* or without an end */
	TOKEN_EARLY,
	TOKEN_SCOPE,
	TOKEN_LOGIN, /* none, or none that can be one */
	TOKEN_VERDICT_COUNT,
};

/* login gets who it is, where the token is good. */
enum token_verdict token_check(const struct token_keys *keys, struct span token,
    const struct token_rules *rules, struct buf *login);
/* For the log: what is wrong. */
const char *token_verdict_text(enum token_verdict verdict);
