/* Tokens as issuers sign them, and every way in which one can be wrong. */
#include "sasl/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include <openssl/hmac.h>

#include "sasl/test_token.h"

enum { OF_RSA, OF_P256, OF_ED, KINDS };

static const char *const names[KINDS] = {"RS256", "ES256", "EdDSA"};

#define NOW 1000000
#define CLAIMS \
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"ann@a.example\"}"

static struct token_rules
rules_of(const char *claim, const char *scope)
{
	return (struct token_rules){
	    .issuer = SPAN("https://id"),
	    .audience = SPAN("smtp"),
	    .claim = span_str(claim),
	    .scope = span_str(scope),
	    .now_s = NOW,
	};
}

static EVP_PKEY *
make_key(int kind)
{
	if (kind == OF_RSA)
		return EVP_RSA_gen(2048);
	return kind == OF_P256 ? EVP_EC_gen("P-256")
			    : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static struct token_keys *
keys_of(EVP_PKEY *const *keys, size_t count)
{
	struct token_keys *read;
	const char *why;
	struct buf text;

	buf_init(&text, 1 << 16);
	for (size_t i = 0; i < count; i++) {
		char *pem = test_public_pem(keys[i]);

		buf_add_str(&text, pem);
		mem_free(pem);
	}
	read = token_keys_read(buf_span(&text), &why);
	assert_non_null(read);
	assert_int_equal(token_keys_count(read), count);
	buf_fini(&text);
	return read;
}

static enum token_verdict
judge(const struct token_keys *keys, struct span token, const struct token_rules *rules,
    const char *wanted_login)
{
	enum token_verdict verdict;
	struct buf login;

	buf_init(&login, 512);
	verdict = token_check(keys, token, rules, &login);
	assert_true(span_eq(buf_span(&login), span_str(wanted_login)));
	buf_fini(&login);
	return verdict;
}

static void
good_tokens_of_each_kind(void **state)
{
	const struct token_rules rules = rules_of("email", "");
	EVP_PKEY *keys[KINDS];
	struct token_keys *read;

	(void)state;
	for (int i = 0; i < KINDS; i++)
		keys[i] = make_key(i);
	read = keys_of(keys, KINDS);
	for (int i = 0; i < KINDS; i++)
		for (int claimed = 0; claimed < KINDS; claimed++) {
			char header[100];
			char *token;

			snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+JWT\"}",
			    names[claimed]);
			token = test_sign(keys[i], span_str(header), SPAN(CLAIMS));
			/* A key signs with its own algorithm, whatever the header says. */
			assert_int_equal(judge(read, span_str(token), &rules,
					     i == claimed ? "ann@a.example" : ""),
			    i == claimed ? TOKEN_GOOD : TOKEN_SIGNATURE);
			mem_free(token);
		}
	for (int i = 0; i < KINDS; i++)
		EVP_PKEY_free(keys[i]);
	token_keys_destroy(read);
}

static const struct {
	const char *header, *claims;
	const char *claim, *scope;
	enum token_verdict verdict;
	const char *login;
} tokens[] = {
    {"{\"alg\":\"EdDSA\"}", CLAIMS, "email", "", TOKEN_GOOD, "ann@a.example"},
    /* headers */
    {"{\"alg\":\"none\"}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":\"None\"}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":\"HS256\"}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":\"RS512\"}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":[\"EdDSA\"]}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":\"\"}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{}", CLAIMS, "email", "", TOKEN_ALGORITHM, ""},
    {"{\"alg\":\"RS256\"}", CLAIMS, "email", "", TOKEN_KEY, ""},
    {"{\"alg\":\"ES256\"}", CLAIMS, "email", "", TOKEN_KEY, ""},
    {"{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\"}", CLAIMS, "email", "", TOKEN_MALFORMED, ""},
    {"{\"alg\":\"EdDSA\",\"crit\":[\"exp\"]}", CLAIMS, "email", "", TOKEN_CRITICAL, ""},
    {"{\"alg\":\"EdDSA\",\"crit\":[]}", CLAIMS, "email", "", TOKEN_CRITICAL, ""},
    {"{\"alg\":\"EdDSA\",\"typ\":\"logout+jwt\"}", CLAIMS, "email", "", TOKEN_TYPE, ""},
    {"{\"alg\":\"EdDSA\",\"typ\":7}", CLAIMS, "email", "", TOKEN_TYPE, ""},
    {"{\"alg\":\"EdDSA\",\"typ\":\"jwt\",\"kid\":\"x\"}", CLAIMS, "email", "", TOKEN_GOOD,
	"ann@a.example"},
    {"{\"alg\":\"EdDSA\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"jku\":\"https://x\"}",
	CLAIMS, "email", "", TOKEN_GOOD, "ann@a.example"},
    {"[\"EdDSA\"]", CLAIMS, "email", "", TOKEN_MALFORMED, ""},
    {"x", CLAIMS, "email", "", TOKEN_MALFORMED, ""},
    {"{\"alg\":\"EdDSA\"}{}", CLAIMS, "email", "", TOKEN_MALFORMED, ""},
    {"{\"alg\":\"EdDSA\\u0000\"}", CLAIMS, "email", "", TOKEN_MALFORMED, ""},
    /* issuer */
    {"{\"alg\":\"EdDSA\"}", "{\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\"}", "email",
	"", TOKEN_ISSUER, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id/\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\"}",
	"email", "", TOKEN_ISSUER, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":[\"https://id\"],\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\"}",
	"email", "", TOKEN_ISSUER, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"x\",\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_MALFORMED, ""},
    /* audience */
    {"{\"alg\":\"EdDSA\"}", "{\"iss\":\"https://id\",\"exp\":1000600,\"email\":\"a\"}",
	"email", "", TOKEN_AUDIENCE, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp2\",\"exp\":1000600,\"email\":\"a\"}",
	"email", "", TOKEN_AUDIENCE, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":[\"imap\",7,[\"smtp\"]],\"exp\":1000600,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_AUDIENCE, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":[\"imap\",\"smtp\"],\"exp\":1000600,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_GOOD, "a"},
    /* times: clocks may differ by a minute */
    {"{\"alg\":\"EdDSA\"}", "{\"iss\":\"https://id\",\"aud\":\"smtp\",\"email\":\"a\"}",
	"email", "", TOKEN_EXPIRED, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":999940,\"email\":\"a\"}", "email",
	"", TOKEN_EXPIRED, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":999941,\"email\":\"a\"}", "email",
	"", TOKEN_GOOD, "a"},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1e30,\"email\":\"a\"}", "email",
	"", TOKEN_GOOD, "a"},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":-1,\"email\":\"a\"}", "email", "",
	TOKEN_EXPIRED, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":\"1000600\",\"email\":\"a\"}",
	"email", "", TOKEN_EXPIRED, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":99999999999999999999,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_MALFORMED, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"nbf\":1000061,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_EARLY, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"nbf\":1000060,"
	"\"email\":\"a\"}",
	"email", "", TOKEN_GOOD, "a"},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"nbf\":\"0\","
	"\"email\":\"a\"}",
	"email", "", TOKEN_EARLY, ""},
    /* scope */
    {"{\"alg\":\"EdDSA\"}", CLAIMS, "email", "mail", TOKEN_SCOPE, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\","
	"\"scope\":\"email mail.send\"}",
	"email", "mail", TOKEN_SCOPE, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\","
	"\"scope\":\"email mail\"}",
	"email", "mail", TOKEN_GOOD, "a"},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\","
	"\"scp\":[\"x\",\"mail\"]}",
	"email", "mail", TOKEN_GOOD, "a"},
    /* login */
    {"{\"alg\":\"EdDSA\"}", CLAIMS, "sub", "", TOKEN_LOGIN, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"\"}", "email",
	"", TOKEN_LOGIN, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\\nb\"}",
	"email", "", TOKEN_LOGIN, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":7}", "email",
	"", TOKEN_LOGIN, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\","
	"\"email_verified\":false}",
	"email", "", TOKEN_LOGIN, ""},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"email\":\"a\","
	"\"email_verified\":true}",
	"email", "", TOKEN_GOOD, "a"},
    {"{\"alg\":\"EdDSA\"}",
	"{\"iss\":\"https://id\",\"aud\":\"smtp\",\"exp\":1000600,\"sub\":\"s\","
	"\"email_verified\":false}",
	"sub", "", TOKEN_GOOD, "s"},
    {"{\"alg\":\"EdDSA\"}", "[]", "email", "", TOKEN_MALFORMED, ""},
    {"{\"alg\":\"EdDSA\"}", "", "email", "", TOKEN_MALFORMED, ""},
};

static void
tokens_are_judged_by_what_they_say(void **state)
{
	EVP_PKEY *key = make_key(OF_ED);
	struct token_keys *keys = keys_of(&key, 1);

	(void)state;
	for (size_t i = 0; i < LEN(tokens); i++) {
		const struct token_rules rules =
		    rules_of(tokens[i].claim, tokens[i].scope);
		char *token = test_sign(
		    key, span_str(tokens[i].header), span_str(tokens[i].claims));
		enum token_verdict verdict;

		print_message("  %s %s\n", tokens[i].header, tokens[i].claims);
		verdict = judge(keys, span_str(token), &rules, tokens[i].login);
		assert_string_equal(token_verdict_text(verdict),
		    token_verdict_text(tokens[i].verdict));
		mem_free(token);
	}
	token_keys_destroy(keys);
	EVP_PKEY_free(key);
}

/* HS256 with the public key as the secret: what lets anybody in where the header chooses. */
static void
a_public_key_is_no_secret(void **state)
{
	const struct token_rules rules = rules_of("email", "");
	EVP_PKEY *key = make_key(OF_RSA);
	struct token_keys *keys = keys_of(&key, 1);
	static const char *const headers[] = {"{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}"};

	(void)state;
	for (size_t i = 0; i < LEN(headers); i++) {
		char *pem = test_public_pem(key);
		char *header = test_base64url(span_str(headers[i]));
		char *claims = test_base64url(SPAN(CLAIMS)), *signature;
		uint8_t mac[32];
		struct buf token;

		buf_init(&token, 4096);
		buf_addf(&token, "%s.%s", header, claims);
		HMAC(EVP_sha256(), pem, (int)strlen(pem), (const uint8_t *)token.ptr,
		    token.len, mac, NULL);
		signature = test_base64url(span_of((const char *)mac, sizeof(mac)));
		buf_addf(&token, ".%s", signature);
		assert_int_equal(judge(keys, buf_span(&token), &rules, ""),
		    i == 0 ? TOKEN_ALGORITHM : TOKEN_SIGNATURE);
		buf_fini(&token);
		mem_free(pem);
		mem_free(header);
		mem_free(claims);
		mem_free(signature);
	}
	token_keys_destroy(keys);
	EVP_PKEY_free(key);
}

/* Each character of a good token changed: no change goes unnoticed. */
static void
nothing_can_be_changed(void **state)
{
	const struct token_rules rules = rules_of("email", "");

	(void)state;
	for (int kind = OF_P256; kind < KINDS; kind++) {
		EVP_PKEY *key = make_key(kind), *other = make_key(kind);
		struct token_keys *keys = keys_of(&key, 1);
		struct token_keys *others = keys_of(&other, 1);
		char header[64];
		char *token;
		size_t len;

		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[kind]);
		token = test_sign(key, span_str(header), SPAN(CLAIMS));
		len = strlen(token);
		assert_int_equal(
		    judge(keys, span_of(token, len), &rules, "ann@a.example"), TOKEN_GOOD);
		assert_int_equal(
		    judge(others, span_of(token, len), &rules, ""), TOKEN_SIGNATURE);
		for (size_t i = 0; i < len; i++) {
			const char was = token[i];

			token[i] = was == 'A' ? 'B' : 'A';
			assert_int_not_equal(
			    judge(keys, span_of(token, len), &rules, ""), TOKEN_GOOD);
			assert_int_not_equal(
			    judge(keys, span_of(token, i), &rules, ""), TOKEN_GOOD);
			token[i] = was;
		}
		mem_free(token);
		token_keys_destroy(keys);
		token_keys_destroy(others);
		EVP_PKEY_free(key);
		EVP_PKEY_free(other);
	}
}

static void
what_is_no_token_is_refused(void **state)
{
	static const char *const texts[] = {"", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d",
	    "e30.e30.", "e30..e30", ".e30.e30", "e30=.e30.e30", "e3+.e30.e30", "e 0.e30.e30",
	    /* not the one way to write it: the last bits are not zero */
	    "e31.e30.e30", "e30\n.e30.e30",
	    /* {"alg":"none"}, with nothing as the signature */
	    "eyJhbGciOiJub25lIn0.e30."};
	const struct token_rules rules = rules_of("email", "");
	EVP_PKEY *key = make_key(OF_ED);
	struct token_keys *keys = keys_of(&key, 1);
	char *large = mem_alloc(TOKEN_BYTES_MAX + 2);

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		enum token_verdict verdict = judge(keys, span_str(texts[i]), &rules, "");

		print_message("  %s\n", texts[i]);
		assert_true(verdict == TOKEN_MALFORMED || verdict == TOKEN_ALGORITHM);
	}
	memset(large, 'A', TOKEN_BYTES_MAX + 1);
	large[10] = large[20] = '.';
	assert_int_equal(
	    judge(keys, span_of(large, TOKEN_BYTES_MAX + 1), &rules, ""), TOKEN_MALFORMED);
	memset(large, '[', TOKEN_BYTES_MAX);
	assert_int_equal(
	    judge(keys, span_of(large, TOKEN_BYTES_MAX), &rules, ""), TOKEN_MALFORMED);
	mem_free(large);
	token_keys_destroy(keys);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_tokens_of_each_kind),
	    cmocka_unit_test(tokens_are_judged_by_what_they_say),
	    cmocka_unit_test(a_public_key_is_no_secret),
	    cmocka_unit_test(nothing_can_be_changed),
	    cmocka_unit_test(what_is_no_token_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
