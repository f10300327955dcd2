/*
 * What somebody may ask about: a code, an enhanced code, a whole reply as it
 * stands in a log or bounce, or a class of codes.  Parsing the question and
 * writing the answer for people; "postrider explain" is a thin cover of it.
 */
#pragma once

#include "replies/catalogue.h"
#include "replies/page.h"

enum { EXPLAIN_CODE_BYTES = 12 };

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
	struct span reply; /* the question, where it was more than a code */
	bool clash; /* the enhanced code is of another class than the basic one */
};

/* Points into question.  ERR_SYNTAX where there is no code at its start. */
MUST_USE enum err explain_parse(struct span question, struct explain *explain);
void explain_page(struct page *page, const struct explain *explain);
/* One line for each entry of the catalogue. */
void explain_list(struct page *page);

/* "5.1.10" of "X.1.10": a related code in the class of the code that was asked about. */
void
explain_related(struct buf *out, struct span related, const struct explain_code *code);

/* How two codes differ, for people.  ERR_NOT_FOUND as catalogue_compare(). */
MUST_USE enum err explain_compare(struct page *page, struct span a, struct span b);
