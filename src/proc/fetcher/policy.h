/*
 * An MTA-STS policy that was fetched, as it is kept: what it says, when it was fetched, and with
 * which id.  Its file is text: three lines of ours, and then the policy as RFC 8461 has it.
 */
#pragma once

#include "base/buf.h"
#include "mailauth/sts_policy.h"

enum {
	POLICY_FILE_BYTES_MAX = 64 << 10,
	POLICY_NAME_BYTES = 256, /* of a file, NUL included */
};

struct policy {
	char id[STS_ID_BYTES_MAX + 1];
	uint64_t fetched_wall_ms;
	enum sts_mode mode;
	uint32_t max_age_s;
	char *hosts; /* each by wire_bytes; NULL: there is no policy */
	size_t hosts_len;
};

/* Of what was fetched; policy is empty, or what was there is freed. */
void policy_take(struct policy *policy, const struct sts_policy *from, const char *id,
    uint64_t now_wall_ms);
void policy_fini(struct policy *policy);
/* There is one, and its time is not over. */
bool policy_is_valid(const struct policy *policy, uint64_t now_wall_ms);
/* It is time to fetch it anew, long before it expires. */
bool policy_is_old(const struct policy *policy, uint64_t now_wall_ms);
/* The lines of the policy itself, as RFC 8461 has them, each with '\n'. */
void policy_write_text(const struct policy *policy, struct buf *out);
void policy_write(const struct policy *policy, struct buf *out);
MUST_USE enum err policy_read(struct span file, struct policy *policy);
/* A domain in lower case; false where it is no name, or too long to be kept. */
bool policy_domain(struct span domain, char name[POLICY_NAME_BYTES]);
/* The name of a domain's file, and back: false where it is not such a name. */
void policy_file_name(const char *domain, char name[POLICY_NAME_BYTES]);
bool policy_file_domain(const char *name, char domain[POLICY_NAME_BYTES]);
