/*
 * What a domain publishes, as found, and what follows from it.  TXT records
 * come with their strings joined.
 */
#pragma once

#include "base/net.h"
#include "check/check.h"
#include "check/check_spf.h"
#include "mailauth/sts_policy.h"

enum { CHECK_MX_MAX = 16, CHECK_ADDRS_MAX = 8, CHECK_CHAIN_MAX = 10 };

struct check_mx {
	char name[256]; /* "" is the null MX */
	unsigned preference;
};

/* The MX records, in any order.  Of their hosts each is looked at by itself. */
void check_mx_judge(struct check_report *report, struct span domain,
    const struct check_mx *mx, size_t count);
/* True where the only record says that no mail is taken. */
bool check_mx_is_null(const struct check_mx *mx, size_t count);
/* An address that nobody elsewhere can reach. */
bool check_addr_is_private(const struct net_addr *addr);

void check_spf_judge(
    struct check_report *report, struct span domain, const struct check_spf *spf);
void check_dkim_judge(struct check_report *report, struct span name,
    const struct span *txts, size_t count);
/* The records of _dmarc.DOMAIN, or of the domain above it that has one. */
void check_dmarc_judge(struct check_report *report, struct span name,
    const struct span *txts, size_t count);
/* Whether one of them is a DMARC record at all. */
bool check_dmarc_is_there(const struct span *txts, size_t count);
void check_tlsrpt_judge(struct check_report *report, struct span name,
    const struct span *txts, size_t count);

/* The TXT records of _mta-sts.DOMAIN; true where the policy is to be fetched. */
bool check_sts_record_judge(struct check_report *report, struct span name,
    const struct span *txts, size_t count);
void check_sts_judge(struct check_report *report, struct span domain, struct span policy,
    const struct check_mx *mx, size_t mx_count);

/* The TLSA records of a server, and the certificates (DER) that it showed. */
struct check_dane {
	const struct span *records; /* RDATA */
	size_t record_count;
	bool secure; /* they, by DNSSEC */
	bool talked; /* there was a session, whether encrypted or not */
	struct span chain[CHECK_CHAIN_MAX];
	size_t chain_count; /* 0: no TLS */
};
void check_dane_judge(
    struct check_report *report, struct span subject, const struct check_dane *dane);
