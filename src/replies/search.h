/*
 * Searching the catalogue for words, in the reader's language and in English.
 */
#pragma once

#include "replies/catalogue.h"

enum { SEARCH_FOUND_MAX = 20, SEARCH_WORDS_MAX = 8, SEARCH_WORD_BYTES_MAX = 60 };

/* One of the two is not NULL. */
struct search_found {
	const struct catalogue_entry *entry;
	const struct catalogue_topic *topic;
	unsigned rank;
};

/* Adds text with small letters for large ones: ASCII, Latin, Cyrillic; as many bytes as it has. */
void search_fold(struct buf *out, struct span text);
/*
 * The best entries, best first, each with all of the words, or, where none has all, with some.
 * Case does not matter; what is too long or too much is left out.  Gives how many there are.
 */
size_t search_catalogue(struct span words, const struct language *language,
    struct search_found found[SEARCH_FOUND_MAX]);
