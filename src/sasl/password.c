/* The words of the table of passwords, and the keys of SCRAM (RFC 5802 section 3). */
#include "sasl/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/base64.h"
#include "base/check.h"

#define SCRAM_PREFIX "SCRAM-SHA-256$"

void
scram_hmac(uint8_t out[static SCRAM_KEY_BYTES], struct span key, struct span text)
{
	unsigned len = 0;

	check(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr,
		  text.len, out, &len) != NULL);
	check(len == SCRAM_KEY_BYTES);
}

static struct span
key_span(const uint8_t key[static SCRAM_KEY_BYTES])
{
	return span_of((const char *)key, SCRAM_KEY_BYTES);
}

enum err
scram_derive(struct scram_keys *keys, struct span password)
{
	uint8_t salted[SCRAM_KEY_BYTES], client[SCRAM_KEY_BYTES];

	if (PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, keys->salt,
		(int)keys->salt_bytes, (int)keys->iterations, EVP_sha256(),
		sizeof(salted), salted) != 1)
		return ERR_CRYPTO;
	scram_hmac(client, key_span(salted), SPAN("Client Key"));
	check(SHA256(client, sizeof(client), keys->stored) != NULL);
	scram_hmac(keys->server, key_span(salted), SPAN("Server Key"));
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client, sizeof(client));
	return OK;
}

void
scram_invent(struct scram_keys *keys, struct span secret, struct span login)
{
	uint8_t salt[SCRAM_KEY_BYTES];

	scram_hmac(salt, secret, login);
	memcpy(keys->salt, salt, SCRAM_SALT_BYTES);
	keys->salt_bytes = SCRAM_SALT_BYTES;
	/* Keys that nobody has the password of: they are only compared with. */
	scram_hmac(keys->stored, secret, key_span(salt));
	scram_hmac(keys->server, secret, key_span(keys->stored));
}

static bool
decode(struct span text, uint8_t *into, size_t bytes_min, size_t bytes_max, size_t *bytes)
{
	struct buf buf;
	bool good;

	buf_init(&buf, bytes_max);
	good = base64_decode(&buf, text) == OK && buf.len >= bytes_min;
	if (good)
		memcpy(into, buf.ptr, buf.len);
	*bytes = buf.len;
	buf_fini(&buf);
	return good;
}

/* "4096:SALT$STORED:SERVER" */
static bool
parse_scram(struct span text, struct scram_keys *keys)
{
	struct span rest = text, iterations, salt, stored;
	uint64_t number;
	size_t bytes;

	if (!span_cut(&rest, ':', &iterations) || !span_cut(&rest, '$', &salt) ||
	    !span_cut(&rest, ':', &stored) ||
	    !span_u64(iterations, SCRAM_ITERATIONS_MAX, &number) ||
	    number < SCRAM_ITERATIONS_MIN)
		return false;
	keys->iterations = (uint32_t)number;
	return decode(salt, keys->salt, 8, SCRAM_SALT_BYTES_MAX, &keys->salt_bytes) &&
	       decode(stored, keys->stored, SCRAM_KEY_BYTES, SCRAM_KEY_BYTES, &bytes) &&
	       decode(rest, keys->server, SCRAM_KEY_BYTES, SCRAM_KEY_BYTES, &bytes);
}

bool
password_parse(struct span value, struct password *password)
{
	size_t at = span_find(value, ';');
	struct span rest = span_skip(value, at + 1);

	*password = (struct password){.hash = span_first(value, at)};
	if (at == value.len)
		return value.len > 0;
	if (!span_starts(rest, SPAN(SCRAM_PREFIX)))
		return false;
	password->has_scram =
	    parse_scram(span_skip(rest, sizeof(SCRAM_PREFIX) - 1), &password->scram);
	return password->has_scram && password->hash.len > 0;
}

void
password_write(struct buf *out, const struct password *password)
{
	const struct scram_keys *keys = &password->scram;

	buf_add(out, password->hash);
	if (!password->has_scram)
		return;
	buf_addf(out, ";" SCRAM_PREFIX "%u:", keys->iterations);
	base64_encode(out, span_of((const char *)keys->salt, keys->salt_bytes));
	buf_add_char(out, '$');
	base64_encode(out, key_span(keys->stored));
	buf_add_char(out, ':');
	base64_encode(out, key_span(keys->server));
}
