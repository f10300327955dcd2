/*
 * Keys and certificates that are refused are refused with a reason, and a key
 * signs only what a handshake can ask of it.
 */
#include "tls/tls_test_world.h"

static void
test_contexts_that_cannot_be(void **state)
{
	static const struct {
		const char *key;
		enum err err;
		const char *why;
	} keys[] = {
	    {"ED25519", ERR_UNSUPPORTED, "Ed25519"},
	    {"P-521", ERR_UNSUPPORTED, "P-256 or P-384"},
	};
	const struct tls_signer signer = {.sign = sign};
	struct tls_context *context = NULL;
	const char *why = NULL;

	(void)state;
	assert_int_equal(
	    context_make(SPAN(""), &signer, &context, &why), ERR_SYNTAX);
	assert_int_equal(
	    context_make(SPAN("no"), &signer, &context, &why), ERR_SYNTAX);
	assert_non_null(strstr(why, "BEGIN CERTIFICATE"));
	for (size_t i = 0; i < LEN(keys); i++) {
		EVP_PKEY *key = keys[i].key[0] == 'E'
				    ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
				    : EVP_EC_gen(keys[i].key);
		EVP_PKEY *root_key = key_make(P256);
		X509 *cert = cert_make(&good_cert, key, NULL, root_key);
		char *pem = pem_of(cert, NULL, NULL);

		assert_int_equal(
		    context_make(span_str(pem), &signer, &context, &why),
		    keys[i].err);
		assert_non_null(strstr(why, keys[i].why));
		mem_free(pem);
		X509_free(cert);
		EVP_PKEY_free(key);
		EVP_PKEY_free(root_key);
	}
	assert_null(context);
}

static void
test_a_damaged_chain(void **state)
{
	struct world world;
	struct tls_context *context = NULL;
	const char *why = NULL;
	struct buf chain;

	(void)state;
	world_init(&world, P256, &good_cert, false);
	buf_init(&chain, 100000);
	buf_add_str(&chain, world.leaf_pem);
	buf_add_str(&chain, world.root_pem);
	assert_int_equal(
	    context_make(buf_span(&chain), &world.signer, &context, &why),
	    OK);
	tls_context_destroy(context);
	context = NULL;
	chain.ptr[chain.len - 60] = '!';
	assert_int_equal(
	    context_make(buf_span(&chain), &world.signer, &context, &why),
	    ERR_SYNTAX);
	assert_non_null(strstr(why, "damaged"));
	buf_fini(&chain);
	world_fini(&world);
}

static void
test_keys_that_cannot_be(void **state)
{
	EVP_PKEY *weak = EVP_RSA_gen(1024), *ec = key_make(P256);
	char *weak_pem = pem_of(NULL, weak, NULL);
	char *locked_pem = pem_of(NULL, ec, EVP_aes_128_cbc());
	const struct {
		struct span pem;
		enum err err;
		const char *why;
	} cases[] = {
	    {SPAN(""), ERR_SYNTAX, "empty"},
	    {SPAN("-----BEGIN PRIVATE KEY-----\nAAAA\n"), ERR_SYNTAX, "no private key"},
	    {span_str(weak_pem), ERR_UNSUPPORTED, "below 2048"},
	    {span_str(locked_pem), ERR_UNSUPPORTED, "is encrypted"},
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct tls_key *key = NULL;
		const char *why = "";

		assert_int_equal(tls_key_load(cases[i].pem, &key, &why), cases[i].err);
		assert_non_null(strstr(why, cases[i].why));
		assert_null(key);
	}
	mem_free(weak_pem);
	mem_free(locked_pem);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(ec);
}

static void
test_keys_sign_only_what_fits(void **state)
{
	static const struct {
		enum key_kind key;
		enum tls_signature kind;
		size_t bytes;
		enum err err;
	} cases[] = {
	    {P256, TLS_SIGNATURE_ECDSA, 32, OK},
	    {P256, TLS_SIGNATURE_ECDSA, 64, OK},
	    {P256, TLS_SIGNATURE_ECDSA, 0, ERR_UNSUPPORTED},
	    {P256, TLS_SIGNATURE_ECDSA, 65, ERR_UNSUPPORTED},
	    {P256, TLS_SIGNATURE_RSA_PKCS1, 32, ERR_UNSUPPORTED},
	    {P256, TLS_SIGNATURE_RSA_RAW, 256, ERR_UNSUPPORTED},
	    {RSA2048, TLS_SIGNATURE_ECDSA, 32, ERR_UNSUPPORTED},
	    {RSA2048, TLS_SIGNATURE_RSA_PKCS1, 51, OK},
	    {RSA2048, TLS_SIGNATURE_RSA_PKCS1, 245, OK},
	    {RSA2048, TLS_SIGNATURE_RSA_PKCS1, 246, ERR_UNSUPPORTED},
	    {RSA2048, TLS_SIGNATURE_RSA_PKCS1, 0, ERR_UNSUPPORTED},
	    {RSA2048, TLS_SIGNATURE_RSA_RAW, 256, OK},
	    {RSA2048, TLS_SIGNATURE_RSA_RAW, 255, ERR_UNSUPPORTED},
	};
	char input[TLS_DIGEST_BYTES_MAX] = {0}, signature[TLS_SIGNATURE_BYTES_MAX];
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		EVP_PKEY *pkey = key_make(cases[i].key);
		char *pem = pem_of(NULL, pkey, NULL);
		struct tls_key *key;
		const char *why;

		assert_int_equal(tls_key_load(span_str(pem), &key, &why), OK);
		assert_int_equal(tls_key_sign(key, cases[i].kind,
				     span_of(input, cases[i].bytes), signature, &bytes),
		    cases[i].err);
		tls_key_destroy(key);
		mem_free(pem);
		EVP_PKEY_free(pkey);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contexts_that_cannot_be),
	    cmocka_unit_test(test_a_damaged_chain),
	    cmocka_unit_test(test_keys_that_cannot_be),
	    cmocka_unit_test(test_keys_sign_only_what_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
