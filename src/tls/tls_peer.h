/*
 * A server's certificate, looked at instead of judged: for "postrider check",
 * which goes on where a session of ours would end.
 */
#pragma once

#include "tls/tls.h"

enum { TLS_PEER_NAMES_BYTES = 256, TLS_PEER_WHY_BYTES = 200, TLS_PEER_CHAIN_MAX = 10 };

struct tls_peer {
	size_t chain_count; /* certificates that it showed; 0: none */
	bool name_fits;
	bool self_signed; /* the first one, by itself */
	bool trusted;     /* a chain leads to the system's roots; dates do not matter */
	bool weak_key, weak_signature;
	int64_t from_s, until_s; /* since 1970 */
	char names[TLS_PEER_NAMES_BYTES]; /* that it is for, the first few; printable */
	char why[TLS_PEER_WHY_BYTES];     /* it is not trusted; "" where it is */
	unsigned version; /* of the session: 0x0303 is TLS 1.2 */
};

/*
 * A context of a client that takes any certificate, and any version of TLS up to newest (0x0302 is
 * TLS 1.1; 0: all), but knows the system's roots.
 */
MUST_USE enum err tls_look_context_create(unsigned newest, struct tls_context **context);
/* After the handshake.  name: the host's, or its address. */
void tls_peer_look(const struct tls *tls, struct span name, struct tls_peer *peer);
/* The same, trusting what a context that verifies trusts, whatever the session's own does. */
void tls_peer_judge(const struct tls *tls, const struct tls_context *roots, struct span name,
    struct tls_peer *peer);
/* The first certificate of a PEM text with the others as its chain, in the same way; ERR_SYNTAX. */
MUST_USE enum err tls_peer_look_pem(struct span pem, struct span name, struct tls_peer *peer);
/* The certificate at an index of what the server showed, in DER; false past the end. */
bool tls_peer_certificate(const struct tls *tls, size_t index, struct buf *der);
