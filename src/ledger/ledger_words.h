/*
 * The words of a block: text that is written once and referred to by its number afterwards.
 * Writer and reader follow the same rule for which words get a number, so that none is written.
 */
#pragma once

#include "base/wire.h"

enum {
	LEDGER_WORDS_MAX = 4096,
	LEDGER_WORD_BYTES_MIN = 3, /* a shorter one is as short as its number */
	LEDGER_WORD_BYTES_MAX = 255,
	LEDGER_WORD_SLOTS = 2 * LEDGER_WORDS_MAX,
};

/* While writing: where each word stands in the payload. */
struct ledger_words {
	uint64_t seed[2];
	uint32_t offsets[LEDGER_WORDS_MAX];
	uint8_t lengths[LEDGER_WORDS_MAX];
	uint16_t slots[LEDGER_WORD_SLOTS]; /* a word's number + 1, by its hash; 0: none */
	uint16_t count;
};

void ledger_words_reset(struct ledger_words *words);
/* Adds the word to the payload, or a reference to one that is there. */
void ledger_words_write(struct ledger_words *words, struct buf *payload, struct span word);

/* While reading. */
struct ledger_known_words {
	struct span words[LEDGER_WORDS_MAX];
	uint16_t count;
};

/* The next word; one that is longer than bytes_max, or has no such number, is a fault. */
struct span ledger_words_read(
    struct ledger_known_words *known, struct reader *reader, size_t bytes_max);
