/*
 * A private key that is not here: its public half comes from the certificate,
 * its signatures from the signer of the context.
 *
 * OpenSSL 3 has two ways to do that: a provider of our own (key management,
 * two signature algorithms, and the glue that lets the certificate's key be
 * compared with ours, about 600 lines), or the older method tables, which are
 * deprecated but do exactly this with two functions.  The older way is taken:
 * it is small enough to be read, and this file is the only one that knows.
 *
 * The methods hang off the certificate.  RSA methods carry a pointer of ours; EC
 * keys carry it as extra data number 0, which OpenSSL keeps free for that.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum { EX_DATA_OURS = 0 };

/* Asks; the length of the signature, or 0 with an entry in the error queue. */
static size_t
ask(const struct tls_certificate *certificate, enum tls_signature kind, struct span input,
    unsigned char *signature, size_t bytes_max)
{
	const struct tls_signer *signer = &certificate->context->signer;
	char answer[TLS_SIGNATURE_BYTES_MAX];
	size_t bytes = 0;
	enum err err;

	err = signer->sign(
	    signer->owner, certificate->index, kind, input, answer, &bytes);
	if (!err && (bytes == 0 || bytes > bytes_max || bytes > sizeof(answer)))
		err = ERR_CRYPTO;
	if (err) {
		/* tls_failure.c finds the reason by this library number. */
		ERR_raise(ERR_LIB_USER, (int)err);
		return 0;
	}
	memcpy(signature, answer, bytes);
	return bytes;
}

static int
sign_ecdsa(int type, const unsigned char *digest, int digest_bytes,
    unsigned char *signature, unsigned int *signature_bytes, const BIGNUM *kinv,
    const BIGNUM *r, EC_KEY *key)
{
	const struct tls_certificate *certificate = EC_KEY_get_ex_data(key, EX_DATA_OURS);
	struct span input = span_of((const char *)digest, (size_t)digest_bytes);
	size_t bytes;

	(void)type;
	(void)kinv;
	(void)r;
	check(certificate != NULL && digest_bytes >= 0);
	bytes = ask(certificate, TLS_SIGNATURE_ECDSA, input, signature,
	    (size_t)ECDSA_size(key));
	*signature_bytes = (unsigned int)bytes;
	return bytes > 0;
}

/* Every RSA signature ends here: TLS 1.2 with type 1 padding, PSS padded already. */
static int
sign_rsa(
    int from_bytes, const unsigned char *from, unsigned char *to, RSA *key, int padding)
{
	const struct tls_certificate *certificate =
	    RSA_meth_get0_app_data(RSA_get_method(key));
	struct span input = span_of((const char *)from, (size_t)from_bytes);
	enum tls_signature kind;
	size_t modulus_bytes = (size_t)RSA_size(key);

	check(certificate != NULL && from_bytes >= 0);
	if (padding == RSA_PKCS1_PADDING) {
		kind = TLS_SIGNATURE_RSA_PKCS1;
	} else if (padding == RSA_NO_PADDING) {
		kind = TLS_SIGNATURE_RSA_RAW;
	} else {
		ERR_raise(ERR_LIB_USER, ERR_UNSUPPORTED);
		return -1;
	}
	if (ask(certificate, kind, input, to, modulus_bytes) != modulus_bytes)
		return -1;
	return (int)modulus_bytes;
}

/* Key exchange by RSA encryption has no forward secrecy and is never offered. */
static int
refuse_to_decrypt(
    int from_bytes, const unsigned char *from, unsigned char *to, RSA *key, int padding)
{
	(void)from_bytes;
	(void)from;
	(void)to;
	(void)key;
	(void)padding;
	ERR_raise(ERR_LIB_USER, ERR_UNSUPPORTED);
	return -1;
}

static EVP_PKEY *
ec_key(struct tls_certificate *certificate, EVP_PKEY *public_key)
{
	const EC_KEY *from = EVP_PKEY_get0_EC_KEY(public_key);
	EC_KEY *ec = from ? EC_KEY_dup(from) : NULL;
	EVP_PKEY *key = EVP_PKEY_new();

	certificate->ec_method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	check(key != NULL && certificate->ec_method != NULL);
	EC_KEY_METHOD_set_sign(certificate->ec_method, sign_ecdsa, NULL, NULL);
	/* The method must be set before the key is wrapped: that is when OpenSSL looks. */
	if (ec && EC_KEY_set_method(ec, certificate->ec_method) &&
	    EC_KEY_set_ex_data(ec, EX_DATA_OURS, certificate) &&
	    EVP_PKEY_assign_EC_KEY(key, ec))
		return key;
	EC_KEY_free(ec);
	EVP_PKEY_free(key);
	return NULL;
}

static EVP_PKEY *
rsa_key(struct tls_certificate *certificate, EVP_PKEY *public_key)
{
	const RSA *from = EVP_PKEY_get0_RSA(public_key);
	RSA *rsa = from ? RSAPublicKey_dup(from) : NULL;
	EVP_PKEY *key = EVP_PKEY_new();

	certificate->rsa_method = RSA_meth_dup(RSA_PKCS1_OpenSSL());
	check(key != NULL && certificate->rsa_method != NULL);
	check(RSA_meth_set_priv_enc(certificate->rsa_method, sign_rsa));
	check(RSA_meth_set_priv_dec(certificate->rsa_method, refuse_to_decrypt));
	check(RSA_meth_set0_app_data(certificate->rsa_method, certificate));
	if (rsa && RSA_set_method(rsa, certificate->rsa_method) &&
	    EVP_PKEY_assign_RSA(key, rsa))
		return key;
	RSA_free(rsa);
	EVP_PKEY_free(key);
	return NULL;
}

enum err
tls_signer_key(struct tls_certificate *certificate, const char **why)
{
	EVP_PKEY *public_key = X509_get0_pubkey(certificate->leaf);
	const char *refusal = tls_key_refusal(public_key);

	check(!certificate->ec_method && !certificate->rsa_method);
	if (refusal) {
		*why = refusal;
		return ERR_UNSUPPORTED;
	}
	certificate->key = EVP_PKEY_get_base_id(public_key) == EVP_PKEY_EC
			       ? ec_key(certificate, public_key)
			       : rsa_key(certificate, public_key);
	if (!certificate->key) {
		*why = "the certificate's public key cannot be used";
		return ERR_CRYPTO;
	}
	return OK;
}

void
tls_signer_fini(struct tls_certificate *certificate)
{
	if (certificate->ec_method)
		EC_KEY_METHOD_free(certificate->ec_method);
	RSA_meth_free(certificate->rsa_method);
	certificate->ec_method = NULL;
	certificate->rsa_method = NULL;
}
