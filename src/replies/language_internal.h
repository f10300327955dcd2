/* What tools/po_gen.c makes of src/replies/po/.  Nobody but language.c includes this. */
#pragma once

#include "replies/language.h"

struct language_pair {
	const char *english;
	const char *text;
};

/* Pairs are sorted by their English, as strcmp has it. */
struct language_texts {
	const char *tag; /* the name of the file, without ".po" */
	const struct language_pair *pairs;
	size_t count;
};

extern const struct language_texts language_texts[];
extern const size_t language_texts_count;
