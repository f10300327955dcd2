/*
 * A filter of keys (Bloom): it says "not here" or "perhaps here".  Its bits are built in the
 * largest size and folded as often as it stays thin, so that small blocks have small ones.
 */
#pragma once

#include "base/span.h"

enum { LEDGER_FILTER_HASHES = 3 };

uint64_t ledger_filter_id(uint64_t id);
/* Any case gives the same key. */
uint64_t ledger_filter_domain(struct span domain);

/* bytes is a power of two, 8 at least. */
void ledger_filter_set(uint8_t *bits, size_t bytes, uint64_t key);
bool ledger_filter_has(const uint8_t *bits, size_t bytes, uint64_t key);
/* Folds in place; gives the bytes that are left. */
size_t ledger_filter_fold(uint8_t *bits, size_t bytes, size_t bytes_min);
