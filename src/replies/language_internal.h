/*
 * What tools/po_gen.c makes of src/replies/po/.  Nobody but language.c includes this.
 *
 * Texts lie one behind the other, each with a NUL, and are named by where they begin: a table of
 * pointers would have to be filled in whenever a process starts, in each process.
 */
#pragma once

#include "replies/language.h"

/* All English texts of which there is a translation, in the order of strcmp. */
extern const char language_english[];
extern const uint32_t language_english_at[];
extern const size_t language_english_count;

struct language_texts {
	const char *tag; /* the name of the file, without ".po" */
	const char *texts;
	const uint32_t *text_at; /* of each English one; 0: there is none */
	size_t count;            /* how many there are */
};

extern const struct language_texts language_texts[];
extern const size_t language_texts_count;
