/*
 * The languages of the catalogue.  English is what it is written in, and NULL as a language; the
 * others are gettext catalogues (po/LANG.po), compiled in.
 */
#pragma once

#include "base/buf.h"

struct language;

/* NULL past the last; English is not among them. */
const struct language *language_at(size_t index);
/*
 * Finds a language by its tag ("de", "pt-BR", "zh_CN.UTF-8"), the nearest that there is.  False
 * where there is none; *language is NULL, that is English, then, and for English.
 */
bool language_find(struct span tag, const struct language **language);
/*
 * The first known one of an Accept-Language field ("fr-CH, fr;q=0.9, en;q=0.8"), by weight;
 * English where none is.
 */
const struct language *language_accept(struct span field);

/* Of English too: "en", "English", "English". */
const char *language_tag(const struct language *language);
const char *language_name(const struct language *language); /* in English */
const char *language_own_name(const struct language *language);
bool language_is_right_to_left(const struct language *language);

/* A text of the catalogue or of word_list.h; in English where there is no translation. */
const char *language_text(const struct language *language, const char *english);
/* True where there is one. */
bool language_has(const struct language *language, const char *english);
/* How many texts are translated. */
size_t language_text_count(const struct language *language);

/* What pages say: word_list.h. */
enum word {
#define WORD(name, text) name,
#include "replies/word_list.h"
#undef WORD
	WORD_COUNT
};

/* What goes into the braces of a word: {a} and {b} are codes; numbers and times are ready text. */
struct word_fields {
	struct span a, b, text, other, name;
	struct span host, port, address, domain, number, time;
};

const char *word_english(enum word word);
const char *word_text(const struct language *language, enum word word);
/* Adds it, filled in. */
void word_add(struct buf *out, const struct language *language, enum word word,
    const struct word_fields *fields);
/* The same for any text with {a} and the like in it. */
void word_fill(struct buf *out, const char *text, const struct word_fields *fields);
