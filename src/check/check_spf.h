/*
 * SPF records (RFC 7208) looked at as their owner would: syntax, and how many
 * questions a receiver must ask.  Which records are needed is said one by one;
 * whoever can ask the DNS hands them in.
 *
 *   check_spf_init ──► check_spf_next ──► check_spf_answer ──► check_spf_next ... NULL
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum {
	CHECK_SPF_LOOKUPS_MAX = 10,
	CHECK_SPF_DOMAINS_MAX = 24, /* asked for at most; more than the standard allows */
	CHECK_SPF_NAME_BYTES = 256,
	CHECK_SPF_WORD_BYTES = 120,
};

enum check_spf_all { CHECK_SPF_ALL_NONE, CHECK_SPF_ALL_PASS, CHECK_SPF_ALL_NEUTRAL,
	CHECK_SPF_ALL_SOFT, CHECK_SPF_ALL_FAIL };

struct check_spf {
	char domains[CHECK_SPF_DOMAINS_MAX][CHECK_SPF_NAME_BYTES];
	size_t domain_count, asked;
	unsigned lookups;
	bool none, several; /* of the domain itself */
	bool redirects;     /* it has a redirect that counts */
	bool uses_ptr;
	enum check_spf_all all; /* of the domain itself, or of what it redirects to */
	size_t redirect_index;  /* in domains, while redirects */
	char malformed[CHECK_SPF_WORD_BYTES]; /* the first wrong word; "" where there is none */
	char missing[CHECK_SPF_NAME_BYTES];   /* included, without a record of its own; or "" */
};

void check_spf_init(struct check_spf *spf, struct span domain);
/* The next domain whose TXT records are wanted; NULL where it is done. */
const char *check_spf_next(const struct check_spf *spf);
/* Its TXT records (none where the name is not there). */
void check_spf_answer(struct check_spf *spf, const struct span *txts, size_t count);
