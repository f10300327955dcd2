/*
 * The web reference: pages about everything in the catalogue, as HTML.  No I/O: a target in, bytes
 * out.  "postrider reference" writes them as files, admin serves them (web_answer.h).
 */
#pragma once

#include "replies/explain.h"

enum {
	WEB_PAGE_BYTES_MAX = 2 << 20,
	WEB_PATH_BYTES_MAX = 256,
	WEB_LANGUAGES_MAX = 32,
	WEB_QUESTION_BYTES_MAX = 200,  /* what is searched for */
	WEB_PASTE_BYTES_MAX = 256 << 10, /* what a form may send, as it is sent */
	WEB_RESULTS_MAX = 60,
};

/* A site: which languages there are, and what its addresses look like. */
struct web_site {
	/*
	 * Served by admin: addresses as in "/reference/de/252".  Else they are files, with relative
	 * addresses as in "../252/index.html", so that they can lie anywhere; what needs a server
	 * (any two codes compared, pasting) is left out.
	 */
	bool served;
	const struct language *languages[WEB_LANGUAGES_MAX]; /* NULL is English */
	size_t language_count;
};

enum web_kind {
	WEB_INDEX,
	WEB_CODE,
	WEB_GROUP,
	WEB_TOPIC,
	WEB_COMPARE,  /* two codes */
	WEB_PAIRS,    /* which comparisons there are */
	WEB_SEARCH,
	WEB_PASTE,    /* served only */
	WEB_WORDS,    /* what the script searches, a script itself */
	WEB_STYLE,    /* one for all languages, as the next */
	WEB_SCRIPT,
};

struct web_target {
	enum web_kind kind;
	struct explain_code a;                 /* of a code, and of a comparison the lower one */
	struct explain_code b;
	const struct catalogue_group *group;
	const struct catalogue_topic *topic;
};

/* All languages, served or as files. */
void web_site_init(struct web_site *site, bool served);

/*
 * What a path below the reference stands for: "252", "5.7.1", "starttls", "compare/220-252",
 * "4xx", "".  It may come from anybody.  False where it stands for nothing.
 */
bool web_target_find(struct span path, struct web_target *target);
/* Its one path, "compare/220-252"; in lower and upper case as it should be. */
void web_target_path(struct buf *out, const struct web_target *target);
/* Every page of one language that is written as a file; those of no language not. */
void web_each(void (*each)(void *owner, const struct web_target *target), void *owner);
/* Whether web_each() has it: else only a server makes it. */
bool web_is_written(const struct web_target *target);

/* A page that is being written. */
struct web_page {
	struct buf *out;
	const struct web_site *site;
	const struct language *language;
	/* Served: the address of the page names the language, and so do its links. */
	bool prefixed;
	struct web_target target;
	/* Of WEB_SEARCH and WEB_PASTE: what was asked; from anybody. */
	struct span question;
};

/* Writes the page, whole, or the style or the scripts. */
void web_page_write(struct web_page *page);
/* The type of what that wrote, for HTTP. */
const char *web_type(enum web_kind kind);
/*
 * Adds the path of a file relative to the directory of the site: "de/252/index.html", "style.css".
 */
void web_file_path(
    struct buf *out, const struct language *language, const struct web_target *target);

/* A page that says that something is wrong. */
void web_problem_write(
    struct web_page *page, struct span title, struct span text);
