/*
 * What the table of passwords has for a login, in one word:
 *
 *     HASH                                          crypt(3), as ever
 *     HASH;SCRAM-SHA-256$4096:SALT$STORED:SERVER    and the keys of RFC 5803, in base64
 *
 * No HASH holds a semicolon (crypt(5)).  Neither gives the password away, but whoever has the
 * server key can pretend to be this server, so the file is a secret.
 */
#pragma once

#include "base/buf.h"

enum {
	SCRAM_KEY_BYTES = 32,
	SCRAM_SALT_BYTES = 16, /* of those that we make */
	SCRAM_SALT_BYTES_MAX = 64,
	SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 */
	SCRAM_ITERATIONS = 100000, /* of those that we make: the client does the work */
	SCRAM_ITERATIONS_MAX = 10000000,
	SCRAM_NONCE_BYTES = 24, /* of our part */
	PASSWORD_VALUE_BYTES_MAX = 1024,
};

struct scram_keys {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT_BYTES_MAX];
	size_t salt_bytes;
	uint8_t stored[SCRAM_KEY_BYTES], server[SCRAM_KEY_BYTES];
};

struct password {
	struct span hash;
	bool has_scram;
	struct scram_keys scram;
};

/* False where it is written as none of the above. */
bool password_parse(struct span value, struct password *password);
/* Adds the word; password->hash is as crypt(3) gave it. */
void password_write(struct buf *out, const struct password *password);
/* Fills in the keys of a password, for the salt and the iterations that are there.  Slow. */
MUST_USE enum err scram_derive(struct scram_keys *keys, struct span password);
/* HMAC-SHA-256. */
void scram_hmac(uint8_t out[static SCRAM_KEY_BYTES], struct span key, struct span text);
/* Makes up the salt and keys of a login that has none: always the same for a secret. */
void scram_invent(struct scram_keys *keys, struct span secret, struct span login);
