/*
 * Dovecot's authentication protocol (version 1), the client's side, without I/O: lines in, events
 * out; lines for Dovecot are written into a buffer.
 *
 *     Dovecot   VERSION 1 2, MECH PLAIN plaintext, ..., SPID, CUID, COOKIE, DONE
 *     we        VERSION 1 2, CPID 123
 *     we        AUTH 1 PLAIN service=smtp secured ... rip=192.0.2.1 resp=BASE64
 *     Dovecot   CONT 1 BASE64, to which we answer CONT 1 BASE64
 *     Dovecot   OK 1 user=ann, or FAIL 1 user=ann temp
 *
 * Fields have tabs between them.
 */
#pragma once

#include "sasl/sasl_mechanism.h"

enum {
	DOVECOT_LINE_BYTES_MAX = 16 << 10,
	/*
	 * Of one answer to Dovecot, before base64: it takes lines of 8 KB, and ends the connection,
	 * with everybody's exchanges, where one is longer.
	 */
	DOVECOT_RESPONSE_BYTES_MAX = 5500,
};

enum dovecot_kind {
	DOVECOT_OTHER, /* nothing that concerns us */
	DOVECOT_VERSION, /* number is the major version */
	DOVECOT_MECH, /* mechanism; SASL_MECHANISM_COUNT where it is none of ours */
	DOVECOT_DONE, /* the greeting is over */
	DOVECOT_OK, /* number, user */
	DOVECOT_FAIL, /* number, user, temporary */
	DOVECOT_CONT, /* number, data in base64 */
};

struct dovecot_line {
	enum dovecot_kind kind;
	uint64_t number;
	enum sasl_mechanism mechanism;
	struct span user, data;
	bool temporary;
};

/* One line without its line end.  False where it breaks the protocol. */
bool dovecot_parse(struct span line, struct dovecot_line *parsed);
/* VERSION and CPID. */
void dovecot_write_hello(struct buf *out, uint64_t pid);
/*
 * client: its address.  All come through TLS, and are counted by us: Dovecot is told so ("secured",
 * "no-penalty").  The response has at most DOVECOT_RESPONSE_BYTES_MAX.
 */
void dovecot_write_auth(struct buf *out, uint64_t number, enum sasl_mechanism mechanism,
    struct span client, bool has_response, struct span response);
void dovecot_write_cont(struct buf *out, uint64_t number, struct span response);
void dovecot_write_cancel(struct buf *out, uint64_t number);
