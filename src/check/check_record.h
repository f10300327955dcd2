/*
 * What a domain publishes about its mail, besides SPF and MTA-STS: DKIM keys
 * (RFC 6376), DMARC (RFC 7489), reports about TLS (RFC 8460), TLSA (RFC 6698).
 * Each text is anybody's.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum { CHECK_RECORD_WORD_BYTES = 120, CHECK_TLSA_DATA_MAX = 4096 };

enum check_dkim_kind { CHECK_DKIM_RSA, CHECK_DKIM_ED25519, CHECK_DKIM_OTHER };

struct check_dkim {
	enum check_dkim_kind kind;
	unsigned bits;
	bool revoked, testing;
};
/* ERR_SYNTAX: wrong says which part (CHECK_RECORD_WORD_BYTES). */
MUST_USE enum err check_dkim_parse(struct span txt, struct check_dkim *dkim, char *wrong);

enum check_dmarc_policy { CHECK_DMARC_NONE, CHECK_DMARC_QUARANTINE, CHECK_DMARC_REJECT };

struct check_dmarc {
	enum check_dmarc_policy policy, subdomains;
	bool reports; /* it has a rua */
};
/* ERR_NOT_FOUND: a record of something else. */
MUST_USE enum err check_dmarc_parse(struct span txt, struct check_dmarc *dmarc, char *wrong);

/* ERR_NOT_FOUND: a record of something else. */
MUST_USE enum err check_tlsrpt_parse(struct span txt, char *wrong);

struct check_tlsa {
	unsigned usage, selector, matching;
	struct span data; /* in the RDATA */
};
MUST_USE enum err check_tlsa_parse(struct span rdata, struct check_tlsa *tlsa);
/* Whether mail can use it: DANE-TA(2) or DANE-EE(3), and values that are known. */
bool check_tlsa_is_usable(const struct check_tlsa *tlsa);
/* Whether it fits a certificate, in DER. */
bool check_tlsa_fits(const struct check_tlsa *tlsa, struct span certificate);
