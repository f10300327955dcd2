/*
 * Who asked to be spared, by words that a provider rule knows: destinations, and sites (all
 * that the same servers take mail for, see sites.h).  Pure.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "route/ease.h"
#include "rules/rules.h"

enum {
	BACKOFFS_MAX = 1000, /* the one whose end is next makes room */
	BACKOFF_NAME_MAX = 255,
	BACKOFF_TEXT_MAX = 200,
};

struct backoff {
	struct list node;
	uint64_t id;
	bool is_site;
	char name[BACKOFF_NAME_MAX + 1]; /* of the site, or the key of the destination */
	struct ease ease;
	uint64_t since_wall_ms;
	/* What was said last. */
	const struct rule *rule;
	unsigned code;
	char status[16], host[BACKOFF_NAME_MAX + 1], text[BACKOFF_TEXT_MAX + 1];
};

struct backoffs {
	uint64_t seed[2];
	struct list rows; /* in no order */
	struct map map;   /* by id */
	size_t count;
};

void backoffs_init(struct backoffs *backoffs, const uint64_t seed[2]);
void backoffs_fini(struct backoffs *backoffs);

/* What destinations and sites are known by; never 0. */
uint64_t backoffs_destination_id(const struct backoffs *backoffs, struct span key);
uint64_t backoffs_site_id(const struct backoffs *backoffs, struct span site);

/* NULL: nothing holds. */
struct backoff *backoffs_find(const struct backoffs *backoffs, uint64_t id);
/* Finds or makes it; the name is cut where it is too long. */
struct backoff *backoffs_take(struct backoffs *backoffs, uint64_t id, struct span name);
/* What was said, cut where it is too long. */
void backoffs_said(struct backoff *backoff, unsigned code, struct span status, struct span host,
    struct span text);
void backoffs_remove(struct backoffs *backoffs, struct backoff *backoff);

/* How a rule is heeded; false: nothing waits but the recipient. */
bool backoffs_kind(const struct rule *rule, enum ease_kind *kind);
/* The name of who answered, out of "mx.example.net[192.0.2.1]". */
struct span backoffs_host(struct span remote);
/* Adds "Gmail: rate-limited, slow-down", which is how operators are told of a rule. */
void backoffs_write_rule(struct buf *out, const struct rule *rule);
