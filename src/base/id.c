/* Leading zeros are left out; upper case is read too. */
#include "base/id.h"

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct span
id_text(char text[ID_TEXT_MAX], uint64_t id)
{
	size_t at = ID_TEXT_MAX;

	do {
		text[--at] = digits[id & 31];
		id >>= 5;
	} while (id);
	memmove(text, text + at, ID_TEXT_MAX - at);
	return span_of(text, ID_TEXT_MAX - at);
}

void
id_write(struct buf *out, uint64_t id)
{
	char text[ID_TEXT_MAX];

	buf_add(out, id_text(text, id));
}

enum err
id_parse(struct span text, uint64_t *id)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > ID_TEXT_MAX)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		char c = ascii_lower(text.ptr[i]);
		const char *at = c ? strchr(digits, c) : NULL;

		if (!at || value >> 59)
			return ERR_SYNTAX;
		value = value << 5 | (uint64_t)(at - digits);
	}
	if (value == 0)
		return ERR_SYNTAX;
	*id = value;
	return OK;
}
