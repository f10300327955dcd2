/* For tests: keys and tokens, signed as an issuer signs them. */
#pragma once

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/check.h"

static inline char *
test_base64url(struct span bytes)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *out = mem_alloc(bytes.len * 2 + 4), *at = out;
	unsigned bits = 0, held = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		bits = bits << 8 | (uint8_t)bytes.ptr[i];
		for (held += 8; held >= 6; held -= 6)
			*at++ = digits[bits >> (held - 6) & 63];
	}
	if (held > 0)
		*at++ = digits[bits << (6 - held) & 63];
	return out;
}

static inline char *
test_public_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *copy;
	long len;

	check(PEM_write_bio_PUBKEY(bio, key) == 1);
	len = BIO_get_mem_data(bio, &text);
	copy = mem_copy(span_of(text, (size_t)len));
	BIO_free(bio);
	return copy;
}

/* The two numbers of a signature by an EC key, 32 bytes each. */
static inline size_t
test_raw_ecdsa(uint8_t *signature, size_t len)
{
	const uint8_t *at = signature;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);

	check(pair);
	check(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32);
	check(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32);
	ECDSA_SIG_free(pair);
	return 64;
}

/* A signature over the text, in base64url. */
static inline char *
test_signature(EVP_PKEY *key, struct span text)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t len = sizeof(signature);
	bool is_ed = EVP_PKEY_is_a(key, "ED25519");

	check(EVP_DigestSignInit(context, NULL, is_ed ? NULL : EVP_sha256(), NULL, key) == 1);
	check(EVP_DigestSign(context, signature, &len, (const uint8_t *)text.ptr, text.len) == 1);
	EVP_MD_CTX_free(context);
	if (EVP_PKEY_is_a(key, "EC"))
		len = test_raw_ecdsa(signature, len);
	return test_base64url(span_of((const char *)signature, len));
}

/* A token, for mem_free. */
static inline char *
test_sign(EVP_PKEY *key, struct span header, struct span claims)
{
	char *parts[2] = {test_base64url(header), test_base64url(claims)};
	char *signature, *token;
	struct buf text;

	buf_init(&text, 1 << 20);
	buf_addf(&text, "%s.%s", parts[0], parts[1]);
	signature = test_signature(key, buf_span(&text));
	buf_addf(&text, ".%s", signature);
	token = mem_copy(buf_span(&text));
	buf_fini(&text);
	mem_free(parts[0]);
	mem_free(parts[1]);
	mem_free(signature);
	return token;
}
