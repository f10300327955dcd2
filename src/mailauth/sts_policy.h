/*
 * MTA-STS (RFC 8461): the TXT record by which a domain says that it has a
 * policy, and the policy, which is fetched over HTTPS.  Parsers only: who asks,
 * fetches and keeps is elsewhere.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum {
	STS_ID_BYTES_MAX = 32,
	STS_POLICY_BYTES_MAX = 65536, /* more is not fetched */
	STS_MX_MAX = 100,
	STS_MX_BYTES_MAX = 255,
	STS_AGE_S_MAX = 31557600, /* a year; a larger max_age counts as this */
};

/* "_mta-sts." before the domain is asked for TXT. */
struct sts_record {
	char id[STS_ID_BYTES_MAX + 1]; /* changes whenever the policy does */
};

/*
 * One TXT record, its strings joined.  ERR_NOT_FOUND: of something else, to be passed over;
 * ERR_SYNTAX: it says STSv1 and is malformed.
 */
MUST_USE enum err sts_record_parse(struct span txt, struct sts_record *record);
/*
 * All TXT records of the name: OK where just one is of STS and right; ERR_NOT_FOUND where none is
 * of STS; ERR_SYNTAX where it is malformed or there are several: as good as no policy.
 */
MUST_USE enum err sts_record_find(
    const struct span *txts, size_t count, struct sts_record *record);
/*
 * Joins the character strings of a TXT record's RDATA into text, which may be where the RDATA is;
 * ERR_SYNTAX, ERR_TOO_LONG.
 */
MUST_USE enum err sts_txt_join(
    struct span rdata, char *text, size_t room, struct span *joined);

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age_s;
	char mx[STS_MX_MAX][STS_MX_BYTES_MAX + 1]; /* in lower case; "*.example.org" */
	size_t mx_count; /* 0 only with STS_NONE */
};

enum sts_fault {
	STS_FAULT_NONE,
	STS_FAULT_TOO_LONG,
	STS_FAULT_LINE,    /* a line that is no "key: value" */
	STS_FAULT_VERSION, /* missing, or not STSv1 */
	STS_FAULT_MODE,
	STS_FAULT_AGE,
	STS_FAULT_MX,      /* malformed, missing, or too many */
	STS_FAULT_COUNT
};

/* The policy's text.  ERR_SYNTAX, and *fault says what is wrong with it. */
MUST_USE enum err sts_policy_parse(
    struct span text, struct sts_policy *policy, enum sts_fault *fault);
/* Whether a server of that name is one of the policy's; a dot at its end does not matter. */
bool sts_policy_has_mx(const struct sts_policy *policy, struct span host);
/* Whether a name of a policy, perhaps with "*." before it, is or stands for the host's. */
bool sts_name_fits(struct span name, struct span host);
/* "none", "testing", "enforce" */
const char *sts_mode_name(enum sts_mode mode);
