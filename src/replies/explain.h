/*
 * What somebody may ask about: a code, an enhanced code, a whole reply as it
 * stands in a log or bounce, a class of codes, a topic of the catalogue, a line of a log.
 * Parsing the question and writing the answer for people; "postrider explain" is a thin cover
 * of it.
 */
#pragma once

#include "replies/catalogue.h"
#include "replies/page.h"

enum {
	EXPLAIN_CODE_BYTES = 12,
	EXPLAIN_TOPICS_MAX = 24,
	EXPLAIN_QUESTION_BYTES_MAX = 64 << 10,
};

/* A code of the question; an empty name where the question has none. */
struct explain_code {
	char name[EXPLAIN_CODE_BYTES]; /* "471", "5.7.999" */
	const struct catalogue_entry *entry; /* NULL where nobody has standardised it */
	const struct catalogue_group
	    *class; /* NULL for "X.7.1", and where digits say nothing */
	const struct catalogue_group
	    *subject; /* of the second digit or number; may be NULL */
	bool retry; /* trying again later, unchanged, may help */
};

struct explain {
	struct explain_code basic;
	struct explain_code status;
	const struct catalogue_group *group; /* the question was "5xx" or "X.7.x" */
	const struct catalogue_topic *topics[EXPLAIN_TOPICS_MAX];
	size_t topic_count;
	struct span reply; /* the question, where it was more than a code; or what was found */
	struct span found; /* the reply, where it stood in the middle of a line; else "" */
	bool clash; /* the enhanced code is of another class than the basic one */
};

/*
 * Points into question.  ERR_SYNTAX where there is nothing in it that the catalogue knows;
 * ERR_TOO_LONG.
 */
MUST_USE enum err explain_parse(struct span question, struct explain *explain);
void explain_page(struct page *page, const struct explain *explain);
void explain_topic_page(struct page *page, const struct catalogue_topic *topic);
/* One line for each entry of the catalogue, by kinds. */
void explain_list(struct page *page);

/* "5.1.10" of "X.1.10": a related code in the class of the code that was asked about. */
void
explain_related(struct buf *out, struct span related, const struct explain_code *code);

/* How two codes differ, for people.  ERR_NOT_FOUND as catalogue_compare(). */
MUST_USE enum err explain_compare(struct page *page, struct span a, struct span b);
