/*
 * What "postrider check" finds out, kept: steps, with how long each took, and
 * findings, each an entry of the catalogue with the facts of this case.  Pure:
 * who looks at the world hands in what was seen.
 *
 * All texts may come from a peer.  They are cleaned and cut when they are put in.
 */
#pragma once

#include "replies/catalogue.h"

enum {
	CHECK_FINDINGS_MAX = 500,
	CHECK_STEPS_MAX = 1000,
	CHECK_TEXT_BYTES_MAX = 400, /* of one fact */
	CHECK_SUBJECT_BYTES_MAX = 300,
};

enum finding {
#define FINDING(name, key) name,
#include "check/finding_list.h"
#undef FINDING
	FINDING_COUNT
};

enum check_severity { CHECK_GOOD, CHECK_INFO, CHECK_WARNING, CHECK_ERROR, CHECK_SEVERITY_COUNT };

/* A word of replies/word_list.h and what goes into its places; WORD_COUNT is nothing. */
struct check_words {
	enum word word;
	char *a, *b, *text, *other, *name; /* NULL: empty */
};

struct check_finding {
	enum finding id;
	char *subject; /* "mx.example.org [192.0.2.1]:25" */
	struct check_words fact;
};

struct check_step {
	char *subject;
	struct check_words what, result;
	uint64_t ms;
};

struct check_report {
	struct check_finding findings[CHECK_FINDINGS_MAX];
	size_t finding_count;
	struct check_step steps[CHECK_STEPS_MAX];
	size_t step_count;
};

struct check_report *check_report_create(void);
void check_report_destroy(struct check_report *report);

/*
 * Adds a finding; one that is there with the same subject and fact is not added again.  fields may
 * be NULL.
 */
void check_add(struct check_report *report, enum finding id, struct span subject,
    enum word fact, const struct word_fields *fields);
/* Adds a step and its outcome.  The last of CHECK_STEPS_MAX stands for all that follow. */
void check_step(struct check_report *report, struct span subject, const struct check_step *step);
/* Words with cleaned copies of the fields. */
struct check_words check_words_of(enum word word, const struct word_fields *fields);
void check_words_fini(struct check_words *words);
/* Adds the sentence in a language; nothing where there is none. */
void check_words_write(
    struct buf *out, const struct language *language, const struct check_words *words);

const char *check_key(enum finding id);
const struct catalogue_topic *check_topic(enum finding id);
enum check_severity check_severity_of(enum finding id);
/* "error": for programs. */
const char *check_severity_key(enum check_severity severity);
/* The worst of all findings; CHECK_GOOD where there are none. */
enum check_severity check_verdict(const struct check_report *report);
size_t check_count(const struct check_report *report, enum check_severity severity);
bool check_has(const struct check_report *report, enum finding id);
