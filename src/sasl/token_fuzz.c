/*
 * Any bytes as a file of keys, and as a token.  The first byte chooses: keys; a token as it is; or
 * header and claims (a line each) that are signed by a key of ours, so that claims are reached.
 * A token that we did not sign is never good, and what is good names a login.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/arena.h"
#include "base/check.h"
#include "sasl/sasl.h"
#include "sasl/test_token.h"
#include "sasl/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct token_rules rules = {
    .issuer = {"i", 1},
    .audience = {"a", 1},
    .claim = {"email", 5},
    .now_s = 1000000,
};

/* The same key for every input. */
static EVP_PKEY *
our_key(void)
{
	static const uint8_t seed[32] = "a key that everybody knows";

	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
}

static void
judge(struct span token, bool ours)
{
	EVP_PKEY *key = our_key();
	char *pem = test_public_pem(key);
	const char *why;
	struct token_keys *keys = token_keys_read(span_str(pem), &why);
	enum token_verdict verdict;
	struct buf login;

	check(keys);
	buf_init(&login, SASL_LOGIN_BYTES_MAX);
	verdict = token_check(keys, token, &rules, &login);
	check((unsigned)verdict < TOKEN_VERDICT_COUNT);
	check(verdict != TOKEN_GOOD || (ours && sasl_is_login(buf_span(&login))));
	check(verdict == TOKEN_GOOD || login.len == 0);
	buf_fini(&login);
	token_keys_destroy(keys);
	mem_free(pem);
	EVP_PKEY_free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data + 1, size > 0 ? size - 1 : 0), header;
	struct token_keys *keys;
	const char *why = NULL;
	EVP_PKEY *key;
	char *token;

	if (size == 0)
		return 0;
	if (data[0] == 'k') {
		keys = token_keys_read(rest, &why);
		check(keys ? token_keys_count(keys) > 0 : why != NULL);
		token_keys_destroy(keys);
	} else if (data[0] == 's' && span_cut(&rest, '\n', &header)) {
		key = our_key();
		token = test_sign(key, header, rest);
		judge(span_str(token), true);
		mem_free(token);
		EVP_PKEY_free(key);
	} else {
		judge(rest, false);
	}
	return 0;
}
