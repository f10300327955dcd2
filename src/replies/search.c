/*
 * A word counts by where it stands: in the code or key most, then in the name, then in what it
 * means, then anywhere else; and more at the beginning of a word than in the middle of one.
 *
 * There is no index: all texts of two languages are less than a megabyte.
 */
#include "replies/search.h"

#include "base/check.h"

enum { FOLDED_BYTES_MAX = 16384 };

struct words {
	size_t count;
	struct span words[SEARCH_WORDS_MAX]; /* folded */
};

struct field {
	const char *text;
	unsigned weight;
};

void
search_fold(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char lead = (unsigned char)text.ptr[i];
		unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
		unsigned c = (lead & 0x1fu) << 6 | (next & 0x3fu);

		if ((lead & 0xe0) != 0xc0 || (next & 0xc0) != 0x80) {
			buf_add_char(out, ascii_lower(text.ptr[i]));
			continue;
		}
		if ((c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x410 && c <= 0x42f))
			c += 0x20;
		else if (c >= 0x400 && c <= 0x40f)
			c += 0x50;
		buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
		i++;
	}
}

static bool
is_letter(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 0x80;
}

/* 0: not there; 1: in the middle of a word; 2: at its beginning; 3: the whole of it. */
static unsigned
fit(struct span text, struct span word)
{
	struct span rest = text;
	unsigned best = 0;

	while (best < 3) {
		const char *at = memmem(rest.ptr, rest.len, word.ptr, word.len);
		unsigned fit = 1;

		if (!at)
			break;
		if (at == text.ptr || !is_letter(at[-1]))
			fit = at + word.len == text.ptr + text.len || !is_letter(at[word.len])
			    ? 3
			    : 2;
		best = fit > best ? fit : best;
		rest = span_skip(rest, (size_t)(at - rest.ptr) + 1);
	}
	return best;
}

/* The best that each word is worth in a text goes into ranks. */
static void
rank_text(const struct words *words, const char *text, unsigned weight, struct buf *folded,
    unsigned ranks[SEARCH_WORDS_MAX])
{
	buf_reset(folded);
	search_fold(folded, span_str(text));
	for (size_t i = 0; i < words->count; i++) {
		unsigned rank = fit(buf_span(folded), words->words[i]) * weight;

		ranks[i] = rank > ranks[i] ? rank : ranks[i];
	}
}

/* What an entry with these texts is worth; *whole: it has each of the words. */
static unsigned
rank_fields(const struct words *words, const struct language *language,
    const struct field *fields, size_t count, struct buf *folded, bool *whole)
{
	unsigned ranks[SEARCH_WORDS_MAX] = {0}, sum = 0;

	for (size_t i = 0; i < count; i++) {
		rank_text(words, fields[i].text, fields[i].weight, folded, ranks);
		if (language)
			rank_text(words, language_text(language, fields[i].text),
			    fields[i].weight, folded, ranks);
	}
	*whole = true;
	for (size_t i = 0; i < words->count; i++) {
		sum += ranks[i];
		*whole &= ranks[i] > 0;
	}
	return sum;
}

static unsigned
rank_entry(const struct words *words, const struct language *language,
    const struct catalogue_entry *entry, struct buf *folded, bool *whole)
{
	const struct field fields[] = {{entry->code, 100}, {entry->name, 20}, {entry->says, 10},
	    {entry->meaning, 6}, {entry->when, 3}, {entry->sender, 3}, {entry->admin, 3},
	    {entry->client, 2}, {entry->developer, 2}, {entry->mistakes, 2}};

	return rank_fields(words, language, fields, LEN(fields), folded, whole);
}

static unsigned
rank_topic(const struct words *words, const struct language *language,
    const struct catalogue_topic *topic, struct buf *folded, bool *whole)
{
	const struct field fields[] = {{topic->key, 100}, {topic->name, 20}, {topic->meaning, 6},
	    {topic->when, 3}, {topic->sender, 3}, {topic->admin, 3}, {topic->developer, 2}};

	return rank_fields(words, language, fields, LEN(fields), folded, whole);
}

/* Keeps the best, in their order; of equals whoever came first. */
static size_t
keep(struct search_found found[SEARCH_FOUND_MAX], size_t count, struct search_found one)
{
	size_t at = count;

	while (at > 0 && found[at - 1].rank < one.rank)
		at--;
	if (at == SEARCH_FOUND_MAX)
		return count;
	if (count == SEARCH_FOUND_MAX)
		count--;
	memmove(&found[at + 1], &found[at], (count - at) * sizeof(*found));
	found[at] = one;
	return count + 1;
}

static size_t
search(const struct words *words, const struct language *language, bool all,
    struct search_found found[SEARCH_FOUND_MAX])
{
	const struct catalogue_entry *entry;
	const struct catalogue_topic *topic;
	struct buf folded;
	size_t count = 0;
	bool whole;

	buf_init(&folded, FOLDED_BYTES_MAX);
	for (size_t i = 0; (entry = catalogue_at(i)) != NULL; i++) {
		unsigned rank = rank_entry(words, language, entry, &folded, &whole);

		if (rank && (whole || !all))
			count = keep(found, count, (struct search_found){entry, NULL, rank});
	}
	for (size_t i = 0; (topic = catalogue_topic_at(i)) != NULL; i++) {
		unsigned rank = rank_topic(words, language, topic, &folded, &whole);

		if (rank && (whole || !all))
			count = keep(found, count, (struct search_found){NULL, topic, rank});
	}
	buf_fini(&folded);
	return count;
}

size_t
search_catalogue(struct span text, const struct language *language,
    struct search_found found[SEARCH_FOUND_MAX])
{
	struct words words = {0};
	struct buf folded;
	struct span rest, word;
	size_t count = 0;

	text = span_first(text, (size_t)SEARCH_WORDS_MAX * SEARCH_WORD_BYTES_MAX);
	buf_init(&folded, (size_t)SEARCH_WORDS_MAX * SEARCH_WORD_BYTES_MAX);
	search_fold(&folded, text);
	rest = buf_span(&folded);
	while (words.count < SEARCH_WORDS_MAX && rest.len && span_cut(&rest, ' ', &word))
		if (word.len && word.len <= SEARCH_WORD_BYTES_MAX) {
			/* Enhanced codes stand there without their class. */
			if (word.len > 2 && word.ptr[1] == '.' && catalogue_find(word))
				folded.ptr[word.ptr - folded.ptr] = 'x';
			words.words[words.count++] = word;
		}
	if (words.count) {
		count = search(&words, language, true, found);
		if (count == 0)
			count = search(&words, language, false, found);
	}
	buf_fini(&folded);
	return count;
}
