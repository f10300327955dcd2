/*
 * Private keys and what is done with them: load, sign, compare.  Only the
 * keyring calls this.  OpenSSL overwrites a key's numbers when it frees them.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/arena.h"
#include "base/check.h"
#include "tls/tls_internal.h"

enum {
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 4096, /* larger ones take a core's 10 ms and more a signature */
	PEM_BYTES_MAX = 1 << 20,
};

struct tls_key {
	EVP_PKEY *pkey;
};

const char *
tls_key_refusal(const EVP_PKEY *key)
{
	char group[32] = "";
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		if (bits < RSA_BITS_MIN)
			return "RSA keys below 2048 bits are too weak; make a new one";
		if (bits > RSA_BITS_MAX)
			return "RSA keys above 4096 bits are too slow; use 2048 to 4096";
		return NULL;
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) &&
		    (strcmp(group, SN_X9_62_prime256v1) == 0 ||
			strcmp(group, SN_secp384r1) == 0))
			return NULL;
		return "elliptic curve keys must be on P-256 or P-384";
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		return "Ed25519 and Ed448 keys cannot be used: they sign whole messages, "
		       "not digests, and few mail servers accept them; "
		       "use EC P-256 or RSA";
	default:
		return "keys must be EC (P-256, P-384) or RSA (2048 to 4096 bits)";
	}
}

/* Called only for encrypted keys; the answer is always no. */
static int
refuse_password(char *into, int room, int writing, void *asked)
{
	(void)into;
	(void)room;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

enum err
tls_key_load(struct span pem, struct tls_key **key, const char **why)
{
	bool encrypted = false;
	EVP_PKEY *pkey;
	BIO *bio;

	if (pem.len == 0 || pem.len > PEM_BYTES_MAX) {
		*why = pem.len ? "too large for a private key" : "the file is empty";
		return ERR_SYNTAX;
	}
	bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	check(bio != NULL);
	pkey = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &encrypted);
	BIO_free(bio);
	ERR_clear_error();
	if (!pkey) {
		*why =
		    encrypted
			? "the private key is encrypted; decrypt it with "
			  "\"openssl pkey -in KEY -out NEW\", and protect the file instead"
			: "no private key in PEM form (-----BEGIN PRIVATE KEY-----)";
		return encrypted ? ERR_UNSUPPORTED : ERR_SYNTAX;
	}
	*why = tls_key_refusal(pkey);
	if (*why) {
		EVP_PKEY_free(pkey);
		return ERR_UNSUPPORTED;
	}
	*key = mem_alloc(sizeof(**key));
	(*key)->pkey = pkey;
	return OK;
}

void
tls_key_destroy(struct tls_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	mem_free(key);
}

/* The padding of a kind, where the input has a length that such a signature can have. */
static bool
sign_is_possible(
    const EVP_PKEY *pkey, enum tls_signature kind, size_t input_bytes, int *padding)
{
	bool is_rsa = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA;
	size_t size = (size_t)EVP_PKEY_get_size(pkey);

	switch (kind) {
	case TLS_SIGNATURE_ECDSA:
		return !is_rsa && input_bytes >= 20 && input_bytes <= EVP_MAX_MD_SIZE;
	case TLS_SIGNATURE_RSA_PKCS1:
		*padding = RSA_PKCS1_PADDING;
		return is_rsa && input_bytes > 0 &&
		       input_bytes + RSA_PKCS1_PADDING_SIZE <= size;
	case TLS_SIGNATURE_RSA_RAW:
		*padding = RSA_NO_PADDING;
		return is_rsa && input_bytes == size;
	}
	return false;
}

enum err
tls_key_sign(struct tls_key *key, enum tls_signature kind, struct span input,
    char *signature, size_t *signature_bytes)
{
	EVP_PKEY_CTX *sign;
	size_t bytes = TLS_SIGNATURE_BYTES_MAX;
	int padding = 0;
	bool good;

	check(key != NULL);
	check(EVP_PKEY_get_size(key->pkey) <= TLS_SIGNATURE_BYTES_MAX);
	if (!sign_is_possible(key->pkey, kind, input.len, &padding))
		return ERR_UNSUPPORTED;
	sign = EVP_PKEY_CTX_new(key->pkey, NULL);
	check(sign != NULL);
	good = EVP_PKEY_sign_init(sign) > 0 &&
	       (kind == TLS_SIGNATURE_ECDSA ||
		   EVP_PKEY_CTX_set_rsa_padding(sign, padding) > 0) &&
	       EVP_PKEY_sign(sign, (unsigned char *)signature, &bytes,
		   (const unsigned char *)input.ptr, input.len) > 0;
	EVP_PKEY_CTX_free(sign);
	ERR_clear_error();
	if (!good)
		return ERR_CRYPTO;
	*signature_bytes = bytes;
	return OK;
}

enum err
tls_key_fits(const struct tls_key *key, struct span chain_pem)
{
	X509 *leaf = NULL;
	BIO *bio;
	bool same = false;

	if (chain_pem.len == 0 || chain_pem.len > PEM_BYTES_MAX)
		return ERR_SYNTAX;
	bio = BIO_new_mem_buf(chain_pem.ptr, (int)chain_pem.len);
	check(bio != NULL);
	leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (leaf)
		same = EVP_PKEY_eq(X509_get0_pubkey(leaf), key->pkey) == 1;
	ERR_clear_error();
	if (!leaf)
		return ERR_SYNTAX;
	X509_free(leaf);
	return same ? OK : ERR_NOT_FOUND;
}
