/*
 * The catalogue: what reply codes and enhanced status codes mean, who says
 * them and when, and what to do; and topics, which are no codes: keywords of
 * EHLO, results, reasons, findings.  Data compiled in; "postrider explain",
 * "postrider compare", bounces and queue views read it.
 */
#pragma once

#include "replies/language.h"

/* All text is UTF-8 without control characters; in it "\n\n" parts paragraphs. */
struct catalogue_entry {
	const char *code;      /* "252", or "X.7.1" for an enhanced status code */
	const char *name;      /* "Cannot VRFY user, but will accept and attempt delivery" */
	const char *category;  /* "2xx: positive completion" */
	const char *group;     /* the code of the group that names it: "2xx", "X.7.x" */
	const char *meaning;   /* what it says, a short paragraph */
	const char *when;      /* who says it, in answer to which command, in which state */
	const char *client;    /* what the client does next */
	/* What each can do, or that nothing is to be done. */
	const char *sender;    /* whose message it is */
	const char *admin;     /* of the server that says it, or of the other side */
	const char *developer; /* of a mail program or server */
	const char *mistakes;  /* what people get wrong about it */
	const char *with;      /* codes that go with it: "X.1.1 X.7.1", "450 550"; or "" */
	const char *transcript; /* a dialogue of lines "C: ..." and "S: ..."; or "" */
	const char *rfc;       /* "RFC 5321 section 3.5.3"; "none": in no standard */
	const char *see;       /* related codes, separated by blanks: "250 251 550" */
	bool retry;            /* of a basic code: trying again later, unchanged, may help */

	/* Phrases of a few words, from which comparisons are made. */
	const char *answers;   /* what it is the answer to: "VRFY and EXPN" */
	const char *says;      /* after "it says that": "the session is over" */
	const char *next;      /* after "it": "closes the connection"; "" in enhanced codes */
	const char *mail;      /* a sentence without its end; "" in enhanced codes */
};

/* What the digits alone say, for codes that nobody has listed. */
struct catalogue_group {
	const char *code;      /* "4xx", "x5x", "5.x.x", "X.7.x" */
	const char *name;      /* "transient negative completion" */
	const char *meaning;
	const char *says;      /* these five only of the classes ("4xx", "5.x.x"), else "" */
	const char *next;
	const char *mail;
	const char *client;
	const char *fix;
};

enum catalogue_aspect {
	CATALOGUE_DIFFERENCE, /* the difference that matters */
	CATALOGUE_WHEN,       /* who sends which, when */
	CATALOGUE_CLIENT,     /* what the client does after each */
	CATALOGUE_CHOOSE,     /* which to use when writing a server */
	CATALOGUE_ASPECT_COUNT
};

/* The entry of a code ("252", "5.7.1", "X.7.1"); NULL where the catalogue has none. */
const struct catalogue_entry *catalogue_find(struct span code);
/* Whether a standard or registry has it; else people met it in lists and logs only. */
bool catalogue_is_standard(const struct catalogue_entry *entry);
/*
 * Whether trying again unchanged may help after a code: of a basic code what its entry says,
 * of an enhanced one what its class says ("4.7.1").
 */
bool catalogue_retry(struct span code);
/* The entries in the order of their codes; NULL past the end. */
const struct catalogue_entry *catalogue_at(size_t index);
/* "4xx", "X.7.x"; NULL where there is none. */
const struct catalogue_group *catalogue_group(struct span code);
/*
 * How to tell two codes apart: the difference that matters, written by hand where the pair is
 * well known, else derived from their fields.  The order of a and b makes no difference.  The
 * text is one paragraph for each aspect that there is; paragraphs are parted by "\n\n".
 * ERR_NOT_FOUND where one is not in the catalogue.
 */
MUST_USE enum err catalogue_compare(
    struct buf *out, const struct language *language, struct span a, struct span b);
/* One paragraph of the same; nothing is added where there is nothing to say. */
MUST_USE enum err catalogue_compare_aspect(struct buf *out, const struct language *language,
    struct span a, struct span b, enum catalogue_aspect aspect);
/* What lists call an aspect: "The difference that matters". */
enum word catalogue_aspect_word(enum catalogue_aspect aspect);
/* Pairs compared by hand, and of classes, in the order of the file: their four texts. */
struct catalogue_pair_texts {
	const char *a, *b; /* the codes; or classes, "4xx" */
	const char *texts[CATALOGUE_ASPECT_COUNT]; /* "" where there is none */
};
bool catalogue_pair_at(size_t index, struct catalogue_pair_texts *texts);
/* The groups; NULL past the end. */
const struct catalogue_group *catalogue_group_at(size_t index);

enum catalogue_kind {
	CATALOGUE_KEYWORD,     /* of EHLO, and parameters of MAIL and RCPT: "STARTTLS" */
	CATALOGUE_ACTION,      /* of a delivery status notification: "failed" */
	CATALOGUE_AUTH_RESULT, /* in Authentication-Results: "dkim=fail" */
	CATALOGUE_TLS_RESULT,  /* in a report about TLS: "sts-policy-invalid" */
	CATALOGUE_REASON,      /* why mail was refused, as a rule tells it: "user-unknown" */
	CATALOGUE_FINDING,     /* of "postrider check": "port-refused" */
	CATALOGUE_KIND_COUNT
};

/* Text as in entries; each text may stand alone. */
struct catalogue_topic {
	enum catalogue_kind kind;
	const char *key;       /* unlike that of any other topic of the kind */
	const char *name;      /* a short title */
	const char *meaning;   /* what it is or what happened */
	const char *when;      /* who says it and when, or how it is found; or "" */
	const char *sender;    /* what each can do; "" where there is nothing for them, */
	const char *admin;     /* never in all three */
	const char *developer;
	const char *transcript; /* or "" */
	const char *rfc;       /* "none": in no standard */
	const char *see;       /* related keys and codes, separated by blanks; or "" */
	const char *severity;  /* of findings: "good", "info", "warning", "error"; else "" */
};

/* NULL where there is none; case does not matter. */
const struct catalogue_topic *catalogue_topic(enum catalogue_kind kind, struct span key);
/* Of any kind, the first one. */
const struct catalogue_topic *catalogue_topic_find(struct span key);
/* By kinds, and within one in the order of the files; NULL past the end. */
const struct catalogue_topic *catalogue_topic_at(size_t index);
/* "keyword", "auth-result": for programs. */
const char *catalogue_kind_key(enum catalogue_kind kind);
/* What people call the kind. */
enum word catalogue_kind_word(enum catalogue_kind kind);

/* Less than, equal to or greater than zero: the order in which two codes are shown. */
int catalogue_order(struct span a, struct span b);
