/*
 * "postrider explain" and "postrider compare": the catalogue of replies at the
 * command line.  argv[0] is the name of the sub-command; the result is an exit
 * status of sysexits.h.
 */
#pragma once

#include <jansson.h>

#include "replies/explain.h"
#include "replies/search.h"

int cli_explain(int argc, char **argv);
int cli_compare(int argc, char **argv);

/* What both have in common. */
struct cli_explain_options {
	bool json;
	bool list;
	bool search;
	bool help;
	enum page_format format;
	const struct language *language; /* of --lang, or of the environment */
	int words; /* that are no options, from argv[1] on */
};

/* False, and says why on standard error, where an option or a language is unknown. */
bool cli_explain_options(
    int argc, char **argv, const char *usage, struct cli_explain_options *options);
/* A page for standard output: as wide as the terminal, bold only there. */
struct page cli_explain_page_of(struct buf *out, const struct cli_explain_options *options);
/* The language of LC_ALL, LC_MESSAGES or LANG, if that is one in UTF-8 and here; else English. */
const struct language *cli_explain_language(void);
/* The same, or that of --lang where it is given; false, told, where there is none of that name. */
bool cli_explain_language_of(const char *tag, const struct language **language);
/* Writes all of it to standard output; EX_OK, or EX_IOERR. */
int cli_explain_print(const struct buf *out);
/* The answer as JSON; the caller owns it. */
json_t *cli_explain_json(const struct explain *explain, const struct language *language);
json_t *cli_explain_json_list(const struct language *language);
json_t *cli_explain_json_found(
    const struct search_found *found, size_t count, const struct language *language);
/* NULL where one of them is not in the catalogue. */
json_t *cli_compare_json(const struct language *language, struct span a, struct span b);
/* The text of json, with a line end; json is released. */
void cli_explain_json_write(struct buf *out, json_t *json);
