/* A number that is even is twice the length of a word that follows; an odd one refers to a word. */
#include "ledger/ledger_words.h"

#include "base/check.h"
#include "base/map.h"

void
ledger_words_reset(struct ledger_words *words)
{
	memset(words->slots, 0, sizeof(words->slots));
	words->count = 0;
}

static bool
gets_number(struct span word, unsigned count)
{
	return word.len >= LEDGER_WORD_BYTES_MIN && word.len <= LEDGER_WORD_BYTES_MAX &&
	       count < LEDGER_WORDS_MAX;
}

/* The slot of the word, or the empty one where it would be. */
static uint16_t *
find(struct ledger_words *words, const struct buf *payload, struct span word)
{
	size_t at = map_hash(words->seed, word) % LEDGER_WORD_SLOTS;

	/* Half of the slots are always empty. */
	for (;; at = (at + 1) % LEDGER_WORD_SLOTS) {
		uint16_t number = words->slots[at];

		if (number == 0 ||
		    (words->lengths[number - 1] == word.len &&
			memcmp(payload->ptr + words->offsets[number - 1], word.ptr,
			    word.len) == 0))
			return &words->slots[at];
	}
}

void
ledger_words_write(struct ledger_words *words, struct buf *payload, struct span word)
{
	uint16_t *slot = NULL;

	if (word.len >= LEDGER_WORD_BYTES_MIN && word.len <= LEDGER_WORD_BYTES_MAX) {
		slot = find(words, payload, word);
		if (*slot) {
			wire_var(payload, (uint64_t)(*slot - 1) * 2 + 1);
			return;
		}
	}
	wire_var(payload, (uint64_t)word.len * 2);
	if (gets_number(word, words->count)) {
		words->offsets[words->count] = (uint32_t)payload->len;
		words->lengths[words->count] = (uint8_t)word.len;
		*slot = ++words->count;
	}
	buf_add(payload, word);
}

struct span
ledger_words_read(
    struct ledger_known_words *known, struct reader *reader, size_t bytes_max)
{
	uint64_t number = reader_var(reader, UINT32_MAX);
	struct span word = SPAN("");

	if (number % 2 == 0) {
		word = reader_raw(reader, (size_t)(number / 2));
		if (!reader->failed && gets_number(word, known->count))
			known->words[known->count++] = word;
	} else if (number / 2 < known->count) {
		word = known->words[number / 2];
	} else {
		reader->failed = true;
	}
	if (word.len > bytes_max)
		reader->failed = true;
	return reader->failed ? SPAN("") : word;
}
