/*
 * The tables that tools/rules_gen.c writes.  Each rule with text is found by four bytes of it that
 * few other rules have (its gram); buckets of a hash of those lead to the rules.
 */
#pragma once

#include "base/check.h"
#include "rules/rules.h"

enum { RULES_GRAM_BYTES = 4, RULES_BUCKETS = 4096, RULES_ANY = -1 };

struct rule_row {
	struct rule rule;
	short code_low, code_high; /* 0: any */
	short status[3];           /* RULES_ANY: any; the first of a rule without status too */
	short needle_at, needle_bytes; /* the longest fragment in rule.text */
	short gram_at;                 /* in that fragment */
};

extern const struct rule_row rules_rows[];
extern const size_t rules_row_count;
/* Rules of bucket i: rules_bucket_rows[rules_buckets[i]] up to that of i + 1, in their order. */
extern const unsigned short rules_buckets[RULES_BUCKETS + 1];
extern const unsigned short rules_bucket_rows[];
/* The rules without text, in their order. */
extern const unsigned short rules_bare[];
extern const size_t rules_bare_count;

/* Also for the program that writes the tables, which has no rules.c. */
static inline const char *
rules_action_name(enum rule_action action)
{
	static const char *const names[RULE_ACTION_COUNT] = {
	    [RULE_BOUNCE] = "bounce",
	    [RULE_RETRY] = "retry-later",
	    [RULE_SLOW] = "slow-down",
	    [RULE_PAUSE] = "pause-address",
	    [RULE_SUPPRESS] = "suppress-address",
	    [RULE_FIX] = "fix-sender",
	};

	check((unsigned)action < RULE_ACTION_COUNT);
	return names[action];
}

static inline const char *
rules_scope_name(enum rule_scope scope)
{
	static const char *const names[RULE_SCOPE_COUNT] = {
	    [RULE_RECIPIENT] = "recipient",
	    [RULE_DESTINATION] = "destination",
	    [RULE_PROVIDER] = "provider",
	};

	check((unsigned)scope < RULE_SCOPE_COUNT);
	return names[scope];
}

/* Of a rule that does not say it. */
static inline enum rule_scope
rules_scope_of(struct span reason, enum rule_action action)
{
	if (action != RULE_SLOW && action != RULE_PAUSE)
		return RULE_RECIPIENT;
	if (span_eq(reason, SPAN("rate-limited")) ||
	    span_eq(reason, SPAN("too-many-connections")) ||
	    span_eq(reason, SPAN("blocked-address")) || span_eq(reason, SPAN("blocked-by-list")))
		return RULE_PROVIDER;
	return span_eq(reason, SPAN("blocked-domain")) ? RULE_DESTINATION : RULE_RECIPIENT;
}

static inline unsigned
rules_hash(const char *gram)
{
	uint32_t value = 0;

	for (size_t i = 0; i < RULES_GRAM_BYTES; i++)
		value = value << 8 | (unsigned char)gram[i];
	return (unsigned)((value * 2654435761u) >> 20) & (RULES_BUCKETS - 1);
}
