/* Keys are hashes of 64 bits; a filter of half the size has each bit at its place modulo that. */
#include "ledger/ledger_filter.h"

#include "base/map.h"
#include "base/wire.h"

enum { DOMAIN_BYTES_MAX = 255 };

/* Files hold what comes of it: these numbers stay. */
static const uint64_t seed_of_ids[2] = {0x6c65646765720001, 0};
static const uint64_t seed_of_domains[2] = {0x6c65646765720002, 0};

uint64_t
ledger_filter_id(uint64_t id)
{
	char bytes[8];

	wire_put_u64(bytes, id);
	return map_hash(seed_of_ids, span_of(bytes, sizeof(bytes)));
}

uint64_t
ledger_filter_domain(struct span domain)
{
	char lower[DOMAIN_BYTES_MAX];

	return map_hash(seed_of_domains, span_lower(lower, span_first(domain, sizeof(lower))));
}

static size_t
bit_of(uint64_t key, unsigned i, size_t bytes)
{
	uint32_t low = (uint32_t)key, high = (uint32_t)(key >> 32) | 1;

	return (size_t)(low + i * high) & (bytes * 8 - 1);
}

void
ledger_filter_set(uint8_t *bits, size_t bytes, uint64_t key)
{
	for (unsigned i = 0; i < LEDGER_FILTER_HASHES; i++) {
		size_t bit = bit_of(key, i, bytes);

		bits[bit / 8] = (uint8_t)(bits[bit / 8] | 1u << (bit % 8));
	}
}

bool
ledger_filter_has(const uint8_t *bits, size_t bytes, uint64_t key)
{
	for (unsigned i = 0; i < LEDGER_FILTER_HASHES; i++) {
		size_t bit = bit_of(key, i, bytes);

		if (!(bits[bit / 8] >> (bit % 8) & 1))
			return false;
	}
	return true;
}

size_t
ledger_filter_fold(uint8_t *bits, size_t bytes, size_t bytes_min)
{
	while (bytes > bytes_min) {
		size_t half = bytes / 2, set = 0;

		for (size_t i = 0; i < half; i++)
			set += (size_t)__builtin_popcount(bits[i] | bits[i + half]);
		/* A third of the bits set is one wrong "perhaps" in 27. */
		if (set * 3 > half * 8)
			break;
		for (size_t i = 0; i < half; i++)
			bits[i] = (uint8_t)(bits[i] | bits[i + half]);
		bytes = half;
	}
	return bytes;
}
