/*
 * Words that any server may say, read for the time that they give: a day at most, the same in
 * capitals, and the same whatever follows beyond what is looked at.
 */
#include "base/arena.h"
#include "base/check.h"
#include "rules/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DAY_MS = 24 * 60 * 60 * 1000 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	uint64_t stated_ms = rules_stated_ms(text);
	char *capitals = mem_alloc(size + 1);

	check(stated_ms <= DAY_MS);
	for (size_t i = 0; i < size; i++)
		capitals[i] = (char)(data[i] >= 'a' && data[i] <= 'z' ? data[i] - 32 : data[i]);
	check(rules_stated_ms(span_of(capitals, size)) == stated_ms);
	check(rules_stated_ms(span_first(text, RULES_TEXT_BYTES_MAX)) == stated_ms);
	mem_free(capitals);
	return 0;
}
