/* The order of the checks is the order of RFC 7515 section 5.2, and RFC 8725 tells what else. */
#include "sasl/token.h"

#include <jansson.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/check.h"
#include "sasl/sasl.h"
#include "sasl/token_keys.h"

enum { ES256_HALF_BYTES = 32, SIGNATURE_BYTES_MAX = TOKEN_RSA_BITS_MAX / 8 };

/* The three parts, and the bytes that were signed. */
struct parts {
	struct span header, claims, signature, signed_text;
};

static bool
cut_parts(struct span token, struct parts *parts)
{
	size_t first = span_find(token, '.'), second;
	struct span rest = span_skip(token, first + 1);

	second = span_find(rest, '.');
	if (first == token.len || second == rest.len)
		return false;
	parts->header = span_first(token, first);
	parts->claims = span_first(rest, second);
	parts->signature = span_skip(rest, second + 1);
	parts->signed_text = span_first(token, first + 1 + second);
	return parts->header.len > 0 && parts->claims.len > 0;
}

/* An object in JSON in base64url; NULL where it is none, or says a thing twice. */
static json_t *
load(struct span part)
{
	struct buf text;
	json_t *root = NULL;

	buf_init(&text, TOKEN_BYTES_MAX);
	if (base64url_decode(&text, part) == OK)
		root = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, NULL);
	mem_wipe(text.ptr, text.len);
	buf_fini(&text);
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* A string's bytes; "" where there is none of that name. */
static struct span
text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_string(value)
		   ? span_of(json_string_value(value), json_string_length(value))
		   : SPAN("");
}

/* "typ": absent, or a token of this kind; RFC 9068 has a name for those that give access. */
static bool
type_is_right(const json_t *header)
{
	static const char *const types[] = {
	    "JWT", "at+jwt", "application/jwt", "application/at+jwt"};
	struct span type = text_of(header, "typ");

	if (!json_object_get(header, "typ"))
		return true;
	for (size_t i = 0; i < LEN(types); i++)
		if (span_eq_nocase(type, span_str(types[i])))
			return true;
	return false;
}

/* The two numbers of ES256, in the form that OpenSSL checks. */
static int
write_ecdsa(struct span signature, uint8_t **der)
{
	const uint8_t *bytes = (const uint8_t *)signature.ptr;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, ES256_HALF_BYTES, NULL);
	BIGNUM *s = BN_bin2bn(bytes + ES256_HALF_BYTES, ES256_HALF_BYTES, NULL);
	int len;

	check(pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1);
	*der = NULL;
	len = i2d_ECDSA_SIG(pair, der);
	ECDSA_SIG_free(pair);
	return len;
}

static bool
verify(const struct token_key *key, struct span signature, struct span text)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *digest = key->algorithm == TOKEN_EDDSA ? NULL : EVP_sha256();
	uint8_t *der = NULL;
	bool right = false;

	check(context);
	if (key->algorithm == TOKEN_ES256) {
		int len = 0;

		if (signature.len == (size_t)2 * ES256_HALF_BYTES)
			len = write_ecdsa(signature, &der);
		signature = span_of((const char *)der, len > 0 ? (size_t)len : 0);
	}
	if (signature.len > 0 &&
	    EVP_DigestVerifyInit(context, NULL, digest, NULL, key->key) == 1)
		right = EVP_DigestVerify(context, (const uint8_t *)signature.ptr,
			    signature.len, (const uint8_t *)text.ptr, text.len) == 1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	/* What was wrong with it is nobody's business afterwards. */
	ERR_clear_error();
	return right;
}

/* A key without a name may be anybody's; one with a name is for those that name it. */
static bool
key_fits(const struct token_key *key, enum token_algorithm algorithm, const json_t *header)
{
	struct span id = text_of(header, "kid");

	if (key->algorithm != algorithm)
		return false;
	return !key->id || id.len == 0 || span_eq(id, span_str(key->id));
}

static enum token_verdict
check_signature(
    const struct token_keys *keys, const json_t *header, const struct parts *parts)
{
	const json_t *name = json_object_get(header, "alg");
	enum token_algorithm algorithm = TOKEN_ALGORITHM_COUNT;
	enum token_verdict verdict = TOKEN_KEY;
	struct buf signature;

	if (json_is_string(name))
		algorithm = token_algorithm_find(json_string_value(name));
	if (algorithm == TOKEN_ALGORITHM_COUNT)
		return TOKEN_ALGORITHM;
	buf_init(&signature, SIGNATURE_BYTES_MAX);
	if (base64url_decode(&signature, parts->signature))
		verdict = TOKEN_MALFORMED;
	for (size_t i = 0; i < keys->count && verdict != TOKEN_MALFORMED; i++) {
		if (!key_fits(&keys->keys[i], algorithm, header))
			continue;
		verdict = TOKEN_SIGNATURE;
		if (verify(&keys->keys[i], buf_span(&signature), parts->signed_text)) {
			verdict = TOKEN_GOOD;
			break;
		}
	}
	buf_fini(&signature);
	return verdict;
}

static enum token_verdict
check_header(const struct token_keys *keys, const struct parts *parts)
{
	json_t *header = load(parts->header);
	enum token_verdict verdict;

	if (!header)
		return TOKEN_MALFORMED;
	if (json_object_get(header, "crit"))
		verdict = TOKEN_CRITICAL;
	else if (!type_is_right(header))
		verdict = TOKEN_TYPE;
	else
		verdict = check_signature(keys, header, parts);
	json_decref(header);
	return verdict;
}

/* A string, or a list in which it is. */
static bool
is_among(const json_t *value, struct span wanted)
{
	if (json_is_string(value))
		return span_eq(
		    span_of(json_string_value(value), json_string_length(value)), wanted);
	for (size_t i = 0; i < json_array_size(value); i++) {
		const json_t *item = json_array_get(value, i);

		if (json_is_string(item) && is_among(item, wanted))
			return true;
	}
	return false;
}

/* Words with blanks between them (RFC 8693 section 4.2), or a list. */
static bool
has_scope(const json_t *value, struct span wanted)
{
	struct span rest, word;

	if (!json_is_string(value))
		return is_among(value, wanted);
	rest = span_of(json_string_value(value), json_string_length(value));
	while (span_cut(&rest, ' ', &word))
		if (span_eq(word, wanted))
			return true;
	return false;
}

static enum token_verdict
check_times(const json_t *claims, uint64_t now_s)
{
	const json_t *end = json_object_get(claims, "exp");
	const json_t *start = json_object_get(claims, "nbf");
	const double now = (double)now_s;

	if (!json_is_number(end) || json_number_value(end) + TOKEN_SKEW_S <= now)
		return TOKEN_EXPIRED;
	if (start && (!json_is_number(start) || json_number_value(start) - TOKEN_SKEW_S > now))
		return TOKEN_EARLY;
	return TOKEN_GOOD;
}

static enum token_verdict
take_login(const json_t *claims, const struct token_rules *rules, struct buf *login)
{
	char *name = mem_copy(rules->claim);
	struct span value = text_of(claims, name);
	const json_t *verified = json_object_get(claims, "email_verified");
	bool is_email = span_eq(rules->claim, SPAN("email"));

	mem_free(name);
	if (!sasl_is_login(value))
		return TOKEN_LOGIN;
	/* Whoever could choose it may have chosen somebody else's. */
	if (is_email && verified && !json_is_true(verified))
		return TOKEN_LOGIN;
	buf_add(login, value);
	return buf_finish(login) ? TOKEN_LOGIN : TOKEN_GOOD;
}

static enum token_verdict
check_claims(const json_t *claims, const struct token_rules *rules, struct buf *login)
{
	enum token_verdict verdict;

	if (!span_eq(text_of(claims, "iss"), rules->issuer))
		return TOKEN_ISSUER;
	if (!is_among(json_object_get(claims, "aud"), rules->audience))
		return TOKEN_AUDIENCE;
	verdict = check_times(claims, rules->now_s);
	if (verdict != TOKEN_GOOD)
		return verdict;
	if (rules->scope.len > 0 &&
	    !has_scope(json_object_get(claims, "scope"), rules->scope) &&
	    !has_scope(json_object_get(claims, "scp"), rules->scope))
		return TOKEN_SCOPE;
	return take_login(claims, rules, login);
}

enum token_verdict
token_check(const struct token_keys *keys, struct span token,
    const struct token_rules *rules, struct buf *login)
{
	enum token_verdict verdict;
	struct parts parts;
	json_t *claims;

	check(rules->issuer.len > 0 && rules->audience.len > 0 && rules->claim.len > 0);
	if (token.len > TOKEN_BYTES_MAX || !cut_parts(token, &parts))
		return TOKEN_MALFORMED;
	verdict = check_header(keys, &parts);
	if (verdict != TOKEN_GOOD)
		return verdict;
	claims = load(parts.claims);
	if (!claims)
		return TOKEN_MALFORMED;
	verdict = check_claims(claims, rules, login);
	json_decref(claims);
	return verdict;
}

const char *
token_verdict_text(enum token_verdict verdict)
{
	static const char *const texts[TOKEN_VERDICT_COUNT] = {
	    [TOKEN_GOOD] = "the token is good",
	    [TOKEN_MALFORMED] = "it is no signed token",
	    [TOKEN_ALGORITHM] = "its algorithm is not RS256, ES256 or EdDSA",
	    [TOKEN_CRITICAL] = "it wants something to be understood that is not",
	    [TOKEN_TYPE] = "it is another type of token",
	    [TOKEN_KEY] = "none of our keys is for it",
	    [TOKEN_SIGNATURE] = "its signature is wrong",
	    [TOKEN_ISSUER] = "its issuer is another",
	    [TOKEN_AUDIENCE] = "it is for another audience",
	    [TOKEN_EXPIRED] = "it has expired, or never would",
	    [TOKEN_EARLY] = "it is not valid yet",
	    [TOKEN_SCOPE] = "its scope is another",
	    [TOKEN_LOGIN] = "it names no login, or one that is not verified",
	};

	check((unsigned)verdict < TOKEN_VERDICT_COUNT);
	return texts[verdict];
}
