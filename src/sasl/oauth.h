/*
 * What clients say with a token: OAUTHBEARER (RFC 7628) and XOAUTH2 (Google's, before that), and
 * what they are told where it is refused.  No I/O; the token itself is judged by token.h.
 *
 *     OAUTHBEARER   n,a=LOGIN, ^A host=HOST ^A port=PORT ^A auth=Bearer TOKEN ^A ^A
 *     XOAUTH2       user=LOGIN ^A auth=Bearer TOKEN ^A ^A
 *
 * After a refusal comes a challenge, JSON that says why; the client answers it with anything, and
 * only then the exchange has failed.
 */
#pragma once

#include "sasl/sasl_mechanism.h"

/* Spans into the message. */
struct oauth_message {
	struct span login; /* who the client says to be, as it wrote it; "": it does not say */
	struct span token; /* "": it asks what is wanted */
};

/* False where it is malformed. */
bool oauth_parse(
    enum sasl_mechanism mechanism, struct span message, struct oauth_message *parsed);
/* Whether the name in the message stands for this login; RFC 5801 writes "," and "=" otherwise. */
bool oauth_names(const struct oauth_message *message, struct span login);
/* The challenge that tells of a refusal; scope "" is none. */
void oauth_write_refusal(struct buf *out, enum sasl_mechanism mechanism, struct span scope);
