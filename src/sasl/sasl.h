/*
 * The server's side of a SASL exchange (RFC 4422), without I/O: what the client answers goes in,
 * and out comes the next challenge, a question to whoever asks, or the end.
 *
 * The exchange keeps what it needs of the answers in memory of its own, bounded and wiped.  It
 * knows no passwords: SASL_CHECK_PASSWORD hands one over to be checked, SASL_WANT_KEYS asks for the
 * SCRAM keys of a login.  What is asked for an unknown login is the same as for a known one, so
 * that nobody outside can tell them apart.
 */
#pragma once

#include "sasl/password.h"
#include "sasl/sasl_mechanism.h"

struct sasl;

enum {
	SASL_RESPONSE_BYTES_MAX =
	    9216, /* what a line of 12 KB (RFC 4954) holds of base64 */
	SASL_LOGIN_BYTES_MAX = 512,
	SASL_PASSWORD_BYTES_MAX = 1024,
};

enum sasl_step {
	SASL_CHALLENGE, /* say out.challenge, and give the answer to sasl_take */
	SASL_CHECK_PASSWORD, /* out.login, out.password: the end, as the caller judges */
	SASL_WANT_KEYS, /* answer with sasl_give_keys for out.login */
	SASL_OK, /* out.login is who it is */
	SASL_FAILED, /* out.login, as far as it is known, is not who it is */
	SASL_MALFORMED, /* out.why says what was expected */
};

/* All spans are valid until the next call. */
struct sasl_out {
	struct span challenge, login, password;
	const char *why;
};

/* What the exchange may rest on beside the answers. */
struct sasl_context {
	struct span
	    certificate; /* EXTERNAL: the name in the client's certificate; "" none */
	struct span exporter, end_point; /* SCRAM: bindings to the TLS channel; "" none */
	bool plus_offered; /* SCRAM: the client could have chosen -PLUS */
};

/* What of the context is needed is copied.  NULL: a mechanism that others run. */
struct sasl *
sasl_create(enum sasl_mechanism mechanism, const struct sasl_context *context);
void sasl_destroy(struct sasl *sasl);
/*
 * The client's answer; at the start its initial response, where there is one.  After anything but
 * SASL_CHALLENGE the exchange is over.
 */
enum sasl_step sasl_take(
    struct sasl *sasl, bool has_response, struct span response, struct sasl_out *out);
/*
 * After SASL_WANT_KEYS: the keys of the login, or, where known is false, some that look like them;
 * nonce are random characters.  As sasl_take.
 */
enum sasl_step sasl_give_keys(struct sasl *sasl, const struct scram_keys *keys,
    bool known, struct span nonce, struct sasl_out *out);
/* Whether it can be a login: not empty, not too long, no NUL and no other control. */
bool sasl_is_login(struct span login);
/* Who the client says to be, as far as is known; for the log and for counting. */
struct span sasl_login(const struct sasl *sasl);
