/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side of one exchange.
 *
 *     client                                   server
 *     scram_take_first   gs2, n=login, r=nonce
 *                        r=nonce+ours, s=salt, i=iterations   scram_write_first
 *     scram_take_final   c=gs2+binding, r=nonce+ours, p=proof
 *                        v=signature                          scram_write_final
 *
 * The proof shows that the client knows the password, the signature that the server knows the
 * keys, and the binding that both speak over one TLS channel: somebody in the middle has two.
 */
#pragma once

#include "sasl/password.h"

enum { SCRAM_MESSAGE_BYTES_MAX = 1024 };

struct scram {
	bool plus; /* the mechanism is -PLUS: a binding must be used */
	bool plus_offered; /* the client could have chosen it */
	struct span exporter,
	    end_point; /* bindings; "" where there is none.  The caller's */
	struct buf first_bare, server_first, nonce, gs2, login, signature;
	struct span binding;
	bool known;
	struct scram_keys keys;
};

enum scram_step { SCRAM_GOOD, SCRAM_BAD, SCRAM_BROKEN };

void scram_init(struct scram *scram, bool plus, bool plus_offered);
/* Wipes. */
void scram_fini(struct scram *scram);
/* SCRAM_BAD: no such binding, or one that was talked away; SCRAM_BROKEN: malformed. */
enum scram_step scram_take_first(struct scram *scram, struct span message);
/* The keys of scram->login, and our part of the nonce: printable, no comma. */
void scram_write_first(struct scram *scram, const struct scram_keys *keys, bool known,
    struct span nonce, struct buf *out);
enum scram_step scram_take_final(struct scram *scram, struct span message);
void scram_write_final(const struct scram *scram, struct buf *out);
