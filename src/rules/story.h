/*
 * Why a message did not arrive (or did), told from what somebody has of it: a bounce of any
 * server, a reply, a line of a log.  Bytes in, a story out: for each recipient who decided, what
 * the reason is, what happens next; and a page of it for people in their language.
 *
 * A story owns a copy of all that it points to, but for the catalogue and the rules.
 */
#pragma once

#include "base/arena.h"
#include "replies/catalogue.h"
#include "replies/explain.h"
#include "replies/page.h"
#include "rules/rules.h"

enum {
	STORY_INPUT_BYTES_MAX = 4 << 20, /* of a bounce; more is cut off */
	STORY_RCPTS_MAX = 100,
	STORY_CODE_BYTES = 12,
};

enum story_kind {
	STORY_NOTHING, /* there is nothing in it that can be told */
	STORY_BOUNCE,  /* a notification, or text of one */
	STORY_REPLY,   /* a reply of a server */
	STORY_LOG,     /* a line of a log */
	STORY_OWN,     /* of the queue or ledger of this server, by story_add */
};

enum story_outcome {
	STORY_FAILED,
	STORY_DELAYED,
	STORY_DELIVERED,
	STORY_RELAYED,
	STORY_EXPANDED,
	STORY_OUTCOME_COUNT
};

enum story_decider {
	STORY_BY_UNKNOWN,
	STORY_BY_US,      /* this server: only in STORY_OWN */
	STORY_BY_WRITER,  /* the server that wrote the notice or the log */
	STORY_BY_NETWORK, /* nobody: no connection, no DNS */
	STORY_BY_THEM,    /* the server it was for */
	STORY_DECIDER_COUNT
};

struct story_rcpt {
	struct span address; /* "" where it is not said */
	enum story_outcome outcome;
	enum story_decider decider;
	struct span host; /* who decided, where that has a name; else "" */
	struct span said; /* the words, raw, "\n" between lines: escape before showing */
	bool said_by_them; /* else they are the notice's own */
	unsigned code;     /* 0: there is none */
	char status[STORY_CODE_BYTES]; /* "5.1.1"; "" none */
	struct span retry_until;       /* a date as it was written; "" unknown */

	/* What is made of it. */
	const struct rule *rule;              /* NULL: none fits */
	const struct catalogue_topic *reason; /* of the rule, else of the codes; may be NULL */
	struct explain_code codes[2]; /* what the codes say: basic, enhanced; name "" none */

	/* Of STORY_OWN only; a time of 0 is not known. */
	uint64_t next_wall_ms;
	unsigned tries;
	enum word next_word; /* a WORD_WHY_NEXT_... that is told instead; 0: none */
	struct span next_name, next_host; /* for its braces */
	struct span told_by;   /* id of the notification; "" none */
};

struct story {
	enum story_kind kind;
	const char *writer; /* of a notice: "Postfix", "Exim"; NULL where that is not clear */
	struct span reporter; /* the server that wrote it; "" */
	struct story_rcpt *rcpts;
	size_t rcpt_count;
	size_t more; /* recipients that were left out */
	struct arena arena; /* of what the spans are in */
};

/* Tells what input is, and all of it.  Never fails: STORY_NOTHING is an answer too. */
void story_read(struct story *story, struct span input);
/* An empty story of our own, and one more recipient of it: reason and rule are found here. */
void story_init(struct story *story, enum story_kind kind);
void story_add(struct story *story, const struct story_rcpt *rcpt);
void story_fini(struct story *story);

/* All of it for a terminal, in the page's language. */
void story_page(struct page *page, const struct story *story);
/* The reason's key ("user-unknown"), or "unknown". */
const char *story_reason_key(const struct story_rcpt *rcpt);
/*
 * The reason's name in a language; where there is none, what became of a recipient that is neither
 * failed nor waiting ("The message is in the mailbox"), else that of its most exact code; or "".
 */
const char *story_reason_name(const struct story_rcpt *rcpt, const struct language *language);
/* Of the same, in English; "" where there is nothing to say. */
const char *story_meaning(const struct story_rcpt *rcpt);
const char *story_sender(const struct story_rcpt *rcpt);
const char *story_admin(const struct story_rcpt *rcpt);
/* "failed", "delayed", ...; "server", "network", ... as JSON has them. */
const char *story_outcome_name(enum story_outcome outcome);
const char *story_decider_name(enum story_decider decider);
/* What happened, who decided, what happens next: sentences, for pages of another kind (HTML). */
void story_add_what(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language);
void story_add_next(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language);
void story_add_how(struct buf *out, const struct story *story, const struct story_rcpt *rcpt,
    const struct language *language);
/* A server's words, safe to show: control characters as "\x1b", bytes that are no UTF-8 too. */
void story_add_said(struct buf *out, struct span said);
