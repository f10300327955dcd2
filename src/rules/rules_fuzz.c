/* Words that any server may say: a rule or none, the same each time, whatever the bytes. */
#include "rules/rules.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct rules_reply reply = {.text = text};
	const struct rule *rule;

	if (size > 0 && data[0] % 2) {
		reply.host = span_first(text, data[0] % 32u);
		reply.status = span_first(span_skip(text, 1), 5);
		reply.code = data[0] * 3u;
	}
	rule = rules_match(&reply);
	check(rule == rules_match(&reply));
	return 0;
}
