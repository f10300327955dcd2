/*
 * Provider rules: which words of a server mean what.  The rules are text (src/rules/data/),
 * compiled in by tools/rules_gen.c; each leads to a reason of the catalogue
 * (topic-reason.txt) and says what a sending server should do.  The first rule that fits wins.
 */
#pragma once

#include "base/buf.h"

enum { RULES_TEXT_BYTES_MAX = 4096 }; /* of a reply; what is behind it is not looked at */

/* What a sending server should do. */
enum rule_action {
	RULE_BOUNCE,   /* give up, tell the sender */
	RULE_RETRY,    /* try again later */
	RULE_SLOW,     /* send more slowly to this provider */
	RULE_PAUSE,    /* stop sending from this IP address to it until the cause is mended */
	RULE_SUPPRESS, /* send nothing more to this recipient */
	RULE_FIX,      /* the sending side must be mended first */
	RULE_ACTION_COUNT
};

/* Whose mail should wait, where a rule says slow or pause. */
enum rule_scope {
	RULE_RECIPIENT,   /* the recipient's, or the message's; nobody else's */
	RULE_DESTINATION, /* all mail for the domain */
	RULE_PROVIDER,    /* all mail for the servers of whoever said it */
	RULE_SCOPE_COUNT
};

struct rule {
	const char *provider; /* "Gmail" */
	const char *reason;   /* a key of CATALOGUE_REASON: "user-unknown" */
	enum rule_action action;
	enum rule_scope scope;
	const char *code;    /* "550", "5xx"; "" any */
	const char *status;  /* "5.1.1", "x.1.1"; "" any */
	const char *text;    /* fragments in lower case, with "*" between them; "" any */
	const char *host;    /* the end of the name of who said it; "" anybody */
	const char *source;  /* an address, or the name of a document or program */
	const char *date;    /* "2026-11" when the source was looked at */
	const char *example; /* words that this rule is the first to fit */
};

/* What a server said; "" or 0 where it is not known.  The codes in the text go before these. */
struct rules_reply {
	struct span text; /* one line or many, with or without codes in front of each */
	unsigned code;
	struct span status; /* "5.1.1" */
	struct span host;   /* who said it: its name, without address */
};

/* The first rule that fits; NULL where none does. */
const struct rule *rules_match(const struct rules_reply *reply);
/* The rules in their order; NULL past the end. */
const struct rule *rules_at(size_t index);
/* "suppress-address" */
const char *rule_action_name(enum rule_action action);
/* "provider" */
const char *rule_scope_name(enum rule_scope scope);
/*
 * How long the server wants to be left alone, as its words say ("greylisted for 300 seconds", "in 5
 * minutes", "in 00:04:37"); 0: they do not.  At most a day.
 */
uint64_t rules_stated_ms(struct span text);
