/* Public keys, from PEM or from JSON. */
#include "sasl/token_keys.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"

enum { P256_COORDINATE_BYTES = 32, ED25519_BYTES = 32, NUMBER_BYTES_MAX = 1024 };

enum token_algorithm
token_algorithm_find(const char *name)
{
	static const char *const names[TOKEN_ALGORITHM_COUNT] = {
	    [TOKEN_RS256] = "RS256", [TOKEN_ES256] = "ES256", [TOKEN_EDDSA] = "EdDSA"};
	unsigned i = 0;

	while (i < TOKEN_ALGORITHM_COUNT && strcmp(name, names[i]) != 0)
		i++;
	return (enum token_algorithm)i;
}

/* The algorithm of a key's kind; TOKEN_ALGORITHM_COUNT where it is of no use. */
static enum token_algorithm
algorithm_of(const EVP_PKEY *key)
{
	char group[32];
	size_t len;

	if (EVP_PKEY_is_a(key, "RSA"))
		return EVP_PKEY_get_bits(key) >= TOKEN_RSA_BITS_MIN &&
			       EVP_PKEY_get_bits(key) <= TOKEN_RSA_BITS_MAX
			   ? TOKEN_RS256
			   : TOKEN_ALGORITHM_COUNT;
	if (EVP_PKEY_is_a(key, "ED25519"))
		return TOKEN_EDDSA;
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	    strcmp(group, "prime256v1") == 0)
		return TOKEN_ES256;
	return TOKEN_ALGORITHM_COUNT;
}

/* Takes the key, or frees it where it is of no use.  The id is copied. */
static void
add(struct token_keys *keys, EVP_PKEY *key, const char *id)
{
	enum token_algorithm algorithm = key ? algorithm_of(key) : TOKEN_ALGORITHM_COUNT;

	if (algorithm == TOKEN_ALGORITHM_COUNT || keys->count == TOKEN_KEYS_MAX) {
		EVP_PKEY_free(key);
		return;
	}
	keys->keys[keys->count++] = (struct token_key){
	    .key = key,
	    .algorithm = algorithm,
	    .id = id ? mem_copy(span_str(id)) : NULL,
	};
}

static const char *
read_pem(struct token_keys *keys, struct span text)
{
	BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
	EVP_PKEY *key;

	check(bio);
	while (keys->count < TOKEN_KEYS_MAX &&
	       (key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)) != NULL)
		add(keys, key, NULL);
	BIO_free(bio);
	return "no public key in it that can be used: RSA from 2048 bits, P-256, Ed25519";
}

/* The bytes of a member, in base64url. */
static bool
bytes_of(const json_t *object, const char *name, struct buf *out)
{
	const json_t *value = json_object_get(object, name);

	buf_init(out, NUMBER_BYTES_MAX);
	return json_is_string(value) && json_string_length(value) > 0 &&
	       base64url_decode(out,
		   span_of(json_string_value(value), json_string_length(value))) == OK;
}

static EVP_PKEY *
make(const char *kind, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
	EVP_PKEY *key = NULL;

	check(params && context);
	if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
read_rsa(const json_t *jwk)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = NULL, *e = NULL;
	struct buf modulus, exponent;
	EVP_PKEY *key = NULL;
	bool good = bytes_of(jwk, "n", &modulus);

	good = bytes_of(jwk, "e", &exponent) && good;
	if (good) {
		n = BN_bin2bn((const uint8_t *)modulus.ptr, (int)modulus.len, NULL);
		e = BN_bin2bn((const uint8_t *)exponent.ptr, (int)exponent.len, NULL);
		check(build && n && e);
		check(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1);
		check(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1);
		key = make("RSA", build);
	}
	BN_free(n);
	BN_free(e);
	OSSL_PARAM_BLD_free(build);
	buf_fini(&modulus);
	buf_fini(&exponent);
	return key;
}

static EVP_PKEY *
read_ec(const json_t *jwk)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	struct buf x, y, point;
	EVP_PKEY *key = NULL;
	bool good = bytes_of(jwk, "x", &x);

	good = bytes_of(jwk, "y", &y) && good && x.len == P256_COORDINATE_BYTES &&
	       y.len == P256_COORDINATE_BYTES;
	buf_init(&point, 1 + 2 * P256_COORDINATE_BYTES);
	if (good) {
		buf_add_char(&point, 4); /* not compressed */
		buf_add(&point, buf_span(&x));
		buf_add(&point, buf_span(&y));
		check(build &&
		      OSSL_PARAM_BLD_push_utf8_string(
			  build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
		check(OSSL_PARAM_BLD_push_octet_string(
			  build, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len) == 1);
		/* A point that is not on the curve makes no key. */
		key = make("EC", build);
	}
	OSSL_PARAM_BLD_free(build);
	buf_fini(&x);
	buf_fini(&y);
	buf_fini(&point);
	return key;
}

static EVP_PKEY *
read_ed25519(const json_t *jwk)
{
	struct buf x;
	EVP_PKEY *key = NULL;

	if (bytes_of(jwk, "x", &x) && x.len == ED25519_BYTES)
		key = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, (const uint8_t *)x.ptr, x.len);
	buf_fini(&x);
	return key;
}

static bool
member_is(const json_t *object, const char *name, const char *wanted)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

/* "use", "key_ops" and "alg" say what else a key is for. */
static bool
is_for_us(const json_t *jwk, enum token_algorithm algorithm)
{
	const json_t *use = json_object_get(jwk, "use");
	const json_t *operations = json_object_get(jwk, "key_ops");
	const json_t *alg = json_object_get(jwk, "alg");
	bool verifies = !operations;

	for (size_t i = 0; i < json_array_size(operations); i++) {
		const char *name = json_string_value(json_array_get(operations, i));

		verifies = verifies || (name && strcmp(name, "verify") == 0);
	}
	if (alg && (!json_is_string(alg) ||
		       token_algorithm_find(json_string_value(alg)) != algorithm))
		return false;
	return verifies && (!use || member_is(jwk, "use", "sig"));
}

static void
read_jwk(struct token_keys *keys, const json_t *jwk)
{
	const json_t *id = json_object_get(jwk, "kid");
	EVP_PKEY *key = NULL;

	if (member_is(jwk, "kty", "RSA") && is_for_us(jwk, TOKEN_RS256))
		key = read_rsa(jwk);
	else if (member_is(jwk, "kty", "EC") && member_is(jwk, "crv", "P-256") &&
		 is_for_us(jwk, TOKEN_ES256))
		key = read_ec(jwk);
	else if (member_is(jwk, "kty", "OKP") && member_is(jwk, "crv", "Ed25519") &&
		 is_for_us(jwk, TOKEN_EDDSA))
		key = read_ed25519(jwk);
	add(keys, key, json_is_string(id) ? json_string_value(id) : NULL);
}

/* "d" is the private part of any kind of key, "k" a symmetric one. */
static bool
has_secret(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_object_get(json_array_get(list, i), "d") ||
		    json_object_get(json_array_get(list, i), "k"))
			return true;
	return false;
}

static const char *
read_jwks(struct token_keys *keys, struct span text)
{
	json_t *root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list = json_object_get(root, "keys");
	const char *why = "no key in it that can be used: RSA from 2048 bits, P-256, Ed25519";

	if (!root)
		why = "it is neither PEM nor JSON";
	else if (!json_is_array(list))
		why = "it is no JSON Web Key Set (RFC 7517): \"keys\" is missing";
	else if (has_secret(list))
		why = "it holds a private or symmetric key; only public ones may be here";
	else
		for (size_t i = 0; i < json_array_size(list); i++)
			read_jwk(keys, json_array_get(list, i));
	json_decref(root);
	return why;
}

struct token_keys *
token_keys_read(struct span text, const char **why)
{
	struct token_keys *keys;

	*why = "it is too large";
	if (text.len > TOKEN_KEYS_BYTES_MAX)
		return NULL;
	*why = "it holds a private key; only public ones may be here";
	if (memmem(text.ptr, text.len, "PRIVATE KEY-----", 16))
		return NULL;
	keys = mem_alloc(sizeof(*keys));
	if (span_starts(span_trim(text), SPAN("{")))
		*why = read_jwks(keys, text);
	else
		*why = read_pem(keys, text);
	ERR_clear_error();
	if (keys->count > 0)
		return keys;
	token_keys_destroy(keys);
	return NULL;
}

void
token_keys_destroy(struct token_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < keys->count; i++) {
		EVP_PKEY_free(keys->keys[i].key);
		mem_free(keys->keys[i].id);
	}
	mem_free(keys);
}

size_t
token_keys_count(const struct token_keys *keys)
{
	return keys->count;
}
