/* The keys of token.h, for its own files. */
#pragma once

#include <openssl/evp.h>

#include "sasl/token.h"

enum token_algorithm { TOKEN_RS256, TOKEN_ES256, TOKEN_EDDSA, TOKEN_ALGORITHM_COUNT };

struct token_key {
	EVP_PKEY *key;
	enum token_algorithm algorithm;
	char *id; /* "kid"; NULL: none */
};

struct token_keys {
	struct token_key keys[TOKEN_KEYS_MAX];
	size_t count;
};

/* "RS256"; TOKEN_ALGORITHM_COUNT for any other. */
enum token_algorithm token_algorithm_find(const char *name);
