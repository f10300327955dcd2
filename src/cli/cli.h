/*
 * What the sub-commands have in common: options that may stand anywhere, wrong
 * use that is told in one line, and standard output that must not be lost.
 */
#pragma once

#include "base/span.h"

struct cli_option {
	const char *name; /* "--json" */
	bool *set; /* of an option without a value, else NULL */
	const char **value; /* "--limit 5" or "--limit=5"; may be given once */
};

/*
 * Takes the options out of argv and leaves the other words from argv[1] on, in
 * their order; "--" ends the options, and "-" is a word.  Gives the number of
 * words; or -1 after it has told what is wrong.
 */
int cli_options(int argc, char **argv, const struct cli_option *options, size_t count,
    const char *usage);

/*
 * One line of what is wrong, then the usage up to its first empty line.  Gives
 * EX_USAGE.
 */
int cli_wrong_use(const char *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What a user wrote, for messages: shortened, no control characters. */
struct cli_quote {
	char text[96];
};
struct cli_quote cli_quote(const char *text);

/* The first of names that wrong may be a slip for, the nearest; NULL where none is. */
const char *cli_nearest(const char *wrong, const char *const *names, size_t count);

/* Flushes standard output: status, or EX_IOERR, told, where it could not be written. */
int cli_finish(int status);
