/* A character is taken apart and then judged by its number, not by a table of first bytes. */
#include "base/utf8.h"

#include "base/check.h"

enum { REPLACEMENT = 0xfffd, CHARACTER_MAX = 0x10ffff, BYTES_MAX = 4 };

static bool
is_surrogate(uint32_t character)
{
	return character >= 0xd800 && character <= 0xdfff;
}

size_t
utf8_take(struct span text, uint32_t *character)
{
	static const uint32_t least[BYTES_MAX + 1] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)text.ptr[0];
	size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	uint32_t value = bytes == 1 ? lead : lead & (0x7fu >> bytes);

	*character = REPLACEMENT;
	if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || text.len < bytes)
		return 0;
	for (size_t i = 1; i < bytes; i++) {
		if (((unsigned char)text.ptr[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | ((unsigned char)text.ptr[i] & 0x3f);
	}
	if (value < least[bytes] || value > CHARACTER_MAX || is_surrogate(value))
		return 0;
	*character = value;
	return bytes;
}

void
utf8_add(struct buf *out, uint32_t character)
{
	char bytes[BYTES_MAX];
	size_t count = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;

	check(character <= CHARACTER_MAX && !is_surrogate(character));
	for (size_t i = count; i-- > 1; character >>= 6)
		bytes[i] = (char)(0x80 | (character & 0x3f));
	bytes[0] = (char)(count == 1 ? character : (0xf00u >> count & 0xf0) | character);
	buf_add(out, span_of(bytes, count));
}
