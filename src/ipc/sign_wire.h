/*
 * The bytes of the link for signatures, the one link without frames: a request is a
 * 32-bit length of the input, a kind (8 bits), the index of the certificate whose key is to sign
 * (8 bits) and the input; the answer has always the same size: a 16-bit length (0: refused), the
 * signature, zeros.
 */
#pragma once

enum {
	SIGN_INPUT_BYTES_MAX = 1024,
	SIGN_SIGNATURE_BYTES_MAX = 1024,
	SIGN_KIND_AT = 4,
	SIGN_KEY_AT = 5,
	SIGN_REQUEST_HEADER_BYTES = 6,
	SIGN_REQUEST_BYTES_MAX = SIGN_REQUEST_HEADER_BYTES + SIGN_INPUT_BYTES_MAX,
	SIGN_ANSWER_BYTES = 2 + SIGN_SIGNATURE_BYTES_MAX,
};
