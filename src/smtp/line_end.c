/* Blocks of a constant length, so that compilers use vectors: this looks at all mail. */
#include "smtp/line_end.h"

enum { BLOCK_BYTES = 64 };

/* Zero where the block has no flaw; at[-1] is read. */
static unsigned char
block_flaws(const char *at)
{
	unsigned char bad = 0;

	for (size_t i = 0; i < BLOCK_BYTES; i++)
		bad |=
		    (unsigned char)((at[i] == '\n') ^ (at[(ptrdiff_t)i - 1] == '\r'));
	return bad;
}

size_t
line_end_flaw(struct span text, bool after_cr)
{
	size_t i = 1;

	if (text.len == 0 || (text.ptr[0] == '\n') != after_cr)
		return 0;
	while (i + BLOCK_BYTES <= text.len && !block_flaws(text.ptr + i))
		i += BLOCK_BYTES;
	while (i < text.len && (text.ptr[i] == '\n') == (text.ptr[i - 1] == '\r'))
		i++;
	return i;
}
