/* See suppressed.h. */
#include "ipc/suppressed.h"

#include "base/map.h"

enum { PIECE_BYTES_MAX = 512 };

static uint64_t
hash(const uint64_t seed[2], struct span text)
{
	char small[PIECE_BYTES_MAX];

	text = span_first(text, sizeof(small));
	for (size_t i = 0; i < text.len; i++)
		small[i] = ascii_lower(text.ptr[i]);
	return map_hash(seed, span_of(small, text.len));
}

uint64_t
ipc_suppressed_hash(struct span sender, struct span address)
{
	static const uint64_t seed[2] = {0x73757070726573, 1};
	const uint64_t seeded[2] = {hash(seed, sender), 2};

	return hash(seeded, address);
}
