/* Files of keys: those of RFC 7517, 8037 and PEM; and what must not be one. */
#include "sasl/token_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "sasl/test_token.h"

/* RFC 7515 appendix A.2 and A.3, RFC 8037 appendix A.2. */
#define RSA_N                                                                              \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ" \
	"PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0" \
	"LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD" \
	"Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2" \
	"PAcDTW9gb54h4FRWyuXpoQ"
#define RSA(more) "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"" more "}"
#define EC(x)                                                                              \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" x "\","                               \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ED(more)                                                                           \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"                                      \
	"\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"" more "}"
#define SET(keys) "{\"keys\":[" keys "]}"

static const struct {
	const char *text;
	size_t count;
	const char *why; /* a part of it, where there are none */
} files[] = {
    {SET(RSA("") "," EC(EC_X) "," ED("")), 3, NULL},
    {" \n" SET(RSA(",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"1\"")) "\n", 1, NULL},
    {SET(RSA(",\"use\":\"enc\"") "," ED("")), 1, NULL},
    {SET(RSA(",\"alg\":\"RS512\"") "," ED(",\"key_ops\":[\"verify\"]")), 1, NULL},
    {SET(RSA(",\"key_ops\":[\"encrypt\"]") "," ED(",\"alg\":\"EdDSA\"")), 1, NULL},
    {SET("7,{},[],{\"kty\":\"oct\"},{\"kty\":\"XX\"}," ED("")), 1, NULL},
    {SET(ED(",\"alg\":7")), 0, "no key"},
    {SET(""), 0, "no key"},
    /* not on the curve */
    {SET(EC("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV")), 0, "no key"},
    {SET(EC("AA")), 0, "no key"},
    {SET("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"), 0, "no key"},
    {SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"), 0, "no key"},
    {SET("{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}"), 0, "no key"},
    /* secrets */
    {SET(ED("") "," ED(",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"")), 0,
	"private"},
    {SET(ED("") ",{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMko\"}"), 0,
	"private"},
    {"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", 0, "private"},
    {"-----BEGIN RSA PRIVATE KEY-----\n", 0, "private"},
    {"{\"keys\":{}}", 0, "\"keys\" is missing"},
    {"{\"keys\":[],\"keys\":[]}", 0, "neither"},
    {"{", 0, "neither"},
    {ED(""), 0, "\"keys\" is missing"},
    {"", 0, "no public key"},
    {"hello", 0, "no public key"},
    {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0, "no public key"},
};

static void
files_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(files); i++) {
		const char *why = NULL;
		struct token_keys *keys = token_keys_read(span_str(files[i].text), &why);

		print_message("  %.70s\n", files[i].text);
		assert_int_equal(keys ? token_keys_count(keys) : 0, files[i].count);
		if (files[i].why)
			assert_non_null(strstr(why, files[i].why));
		token_keys_destroy(keys);
	}
}

/* The tokens of the same appendices, whose payload is none: only their signatures are right. */
static void
a_name_chooses_the_key(void **state)
{
	const struct token_rules rules = {.issuer = SPAN("i"),
	    .audience = SPAN("a"),
	    .claim = SPAN("sub"),
	    .now_s = 1};
	static const struct {
		const char *header;
		enum token_verdict verdict;
	} rows[] = {
	    {"{\"alg\":\"EdDSA\",\"kid\":\"ours\"}", TOKEN_GOOD},
	    {"{\"alg\":\"EdDSA\"}", TOKEN_GOOD},
	    {"{\"alg\":\"EdDSA\",\"kid\":\"other\"}", TOKEN_SIGNATURE},
	    {"{\"alg\":\"EdDSA\",\"kid\":\"nobody\"}", TOKEN_KEY},
	};
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	uint8_t raw[32];
	size_t len = sizeof(raw);
	struct token_keys *keys;
	const char *why;
	struct buf text;
	char *x;

	(void)state;
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
	x = test_base64url(span_of((const char *)raw, len));
	buf_init(&text, 4096);
	buf_addf(&text,
	    "{\"keys\":[" ED(",\"kid\":\"other\"") ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
	    "\"kid\":\"ours\",\"x\":\"%s\"}]}",
	    x);
	keys = token_keys_read(buf_span(&text), &why);
	assert_non_null(keys);
	for (size_t i = 0; i < LEN(rows); i++) {
		char *token = test_sign(key, span_str(rows[i].header),
		    SPAN("{\"iss\":\"i\",\"aud\":\"a\",\"exp\":9,\"sub\":\"s\"}"));
		struct buf login;

		buf_init(&login, 100);
		assert_int_equal(token_check(keys, span_str(token), &rules, &login),
		    rows[i].verdict);
		buf_fini(&login);
		mem_free(token);
	}
	buf_fini(&text);
	mem_free(x);
	token_keys_destroy(keys);
	EVP_PKEY_free(key);
}

static void
algorithms_have_their_names(void **state)
{
	(void)state;
	assert_int_equal(token_algorithm_find("RS256"), TOKEN_RS256);
	assert_int_equal(token_algorithm_find("ES256"), TOKEN_ES256);
	assert_int_equal(token_algorithm_find("EdDSA"), TOKEN_EDDSA);
	assert_int_equal(token_algorithm_find("eddsa"), TOKEN_ALGORITHM_COUNT);
	assert_int_equal(token_algorithm_find("none"), TOKEN_ALGORITHM_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_read),
	    cmocka_unit_test(a_name_chooses_the_key),
	    cmocka_unit_test(algorithms_have_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
