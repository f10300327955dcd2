/*
 * The words of a program's command line, and its environment, for one message.  No shell reads
 * them; what an address holds stays within its word, and never makes it an option.  Pure.
 */
#pragma once

#include "base/buf.h"
#include "conf/conf.h"

enum { WORDS_VARIABLES_MAX = 16 };

/* What placeholders and variables stand for. */
struct words_of {
	struct span sender, recipient, original, id;
	struct span mailbox; /* ""; then it is what stands before the detail */
	char separator;      /* of the detail; 0: none */
	/* The user that it runs as; NULL: not told. */
	const char *name, *home, *shell, *timezone;
};

/* All end with NULL; they point into bytes. */
struct words {
	struct buf bytes;
	const char *argv[CONF_PIPE_WORDS_MAX + 1];
	const char *envp[WORDS_VARIABLES_MAX + 1];
};

enum words_problem {
	WORDS_GOOD,
	WORDS_BAD_SENDER,    /* it would be taken for an option, or cannot be told */
	WORDS_BAD_RECIPIENT, /* the same */
};

/* Whatever it finds, words_fini frees it. */
enum words_problem words_make(
    struct words *words, const struct conf_pipe *pipe, const struct words_of *of);
void words_fini(struct words *words);
