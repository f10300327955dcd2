/* Which language, and what a text is in it. */
#include "replies/language_internal.h"

#include "base/check.h"

struct language {
	const char *tag; /* also the name of its file */
	const char *name;
	const char *own_name;
	bool right_to_left;
};

static const struct language languages[] = {
    {"de", "German", "Deutsch", false},
    {"es", "Spanish", "Español", false},
    {"fr", "French", "Français", false},
    {"pt", "Portuguese", "Português", false},
    {"ru", "Russian", "Русский", false},
    {"ar", "Arabic", "العربية", true},
    {"hi", "Hindi", "हिन्दी", false},
    {"zh", "Chinese (simplified)", "简体中文", false},
    {"ja", "Japanese", "日本語", false},
};
static const struct language english = {"en", "English", "English", false};

static const char *const words[WORD_COUNT] = {
#define WORD(name, text) [name] = text,
#include "replies/word_list.h"
#undef WORD
};

/* The file of a language; NULL where it has none yet. */
static const struct language_texts *
texts_of(const struct language *language)
{
	for (size_t i = 0; language && i < language_texts_count; i++)
		if (strcmp(language_texts[i].tag, language->tag) == 0)
			return &language_texts[i];
	return NULL;
}

const struct language *
language_at(size_t index)
{
	for (size_t i = 0; i < LEN(languages); i++)
		if (texts_of(&languages[i]) && index-- == 0)
			return &languages[i];
	return NULL;
}

bool
language_find(struct span tag, const struct language **language)
{
	const struct language *one;
	struct span primary = tag;

	for (size_t i = 0; i < tag.len; i++)
		if (strchr("-_.@", tag.ptr[i]) && tag.ptr[i]) {
			primary = span_first(tag, i);
			break;
		}
	*language = NULL;
	for (size_t i = 0; (one = language_at(i)) != NULL; i++)
		if (span_eq_nocase(primary, span_str(one->tag))) {
			*language = one;
			return true;
		}
	return span_eq_nocase(primary, span_str(english.tag));
}

/* "q=0.8" as 800; 1000 where there is none, 0 where it is no weight. */
static unsigned
weight_of(struct span parameters)
{
	struct span value = span_trim(parameters);
	unsigned weight = 0, unit = 1000;

	if (value.len == 0)
		return unit;
	if (!span_starts_nocase(value, SPAN("q=")))
		return 0;
	value = span_skip(value, 2);
	for (size_t i = 0; i < value.len && i < 5; i++) {
		if (value.ptr[i] == '.' && i == 1)
			continue;
		if (!ascii_is_digit(value.ptr[i]))
			return 0;
		weight += (unsigned)(value.ptr[i] - '0') * unit;
		unit /= 10;
	}
	return weight <= 1000 ? weight : 1000;
}

const struct language *
language_accept(struct span field)
{
	const struct language *best = NULL;
	unsigned most = 0;
	struct span item;

	while (field.len && span_cut(&field, ',', &item)) {
		size_t semicolon = span_find(item, ';');
		unsigned weight = weight_of(span_skip(item, semicolon + 1));
		const struct language *language;

		if (weight > most &&
		    language_find(span_trim(span_first(item, semicolon)), &language)) {
			best = language;
			most = weight;
		}
	}
	return best;
}

const char *
language_tag(const struct language *language)
{
	return (language ? language : &english)->tag;
}

const char *
language_name(const struct language *language)
{
	return (language ? language : &english)->name;
}

const char *
language_own_name(const struct language *language)
{
	return (language ? language : &english)->own_name;
}

bool
language_is_right_to_left(const struct language *language)
{
	return language && language->right_to_left;
}

static const char *
find(const struct language *language, const char *text)
{
	const struct language_texts *texts = texts_of(language);
	size_t low = 0, high = texts ? language_english_count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(text, language_english + language_english_at[middle]);

		if (order == 0) {
			uint32_t at = texts->text_at[middle];

			return at ? texts->texts + at : NULL;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const char *
language_text(const struct language *language, const char *text)
{
	const char *found = find(language, text);

	return found ? found : text;
}

bool
language_has(const struct language *language, const char *text)
{
	return find(language, text) != NULL;
}

size_t
language_text_count(const struct language *language)
{
	const struct language_texts *texts = texts_of(language);

	return texts ? texts->count : 0;
}

const char *
word_english(enum word word)
{
	check((unsigned)word < WORD_COUNT);
	return words[word];
}

const char *
word_text(const struct language *language, enum word word)
{
	return language_text(language, word_english(word));
}

void
word_fill(struct buf *out, const char *text, const struct word_fields *fields)
{
	const struct {
		struct span key;
		struct span value;
	} rows[] = {
	    {SPAN("{a}"), fields->a},
	    {SPAN("{b}"), fields->b},
	    {SPAN("{text}"), fields->text},
	    {SPAN("{other}"), fields->other},
	    {SPAN("{name}"), fields->name},
	    {SPAN("{host}"), fields->host},
	    {SPAN("{port}"), fields->port},
	    {SPAN("{address}"), fields->address},
	    {SPAN("{domain}"), fields->domain},
	    {SPAN("{number}"), fields->number},
	    {SPAN("{time}"), fields->time},
	};
	struct span rest = span_str(text);

	while (rest.len) {
		size_t brace = span_find(rest, '{');
		size_t row = 0;

		buf_add(out, span_first(rest, brace));
		rest = span_skip(rest, brace);
		if (rest.len == 0)
			break;
		while (row < LEN(rows) && !span_starts(rest, rows[row].key))
			row++;
		check(row < LEN(rows));
		buf_add(out, rows[row].value);
		rest = span_skip(rest, rows[row].key.len);
	}
}

void
word_add(struct buf *out, const struct language *language, enum word word,
    const struct word_fields *fields)
{
	word_fill(out, word_text(language, word), fields);
}
