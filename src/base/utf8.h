/* UTF-8 (RFC 3629), one character at a time.  What of it may stand where is up to the caller. */
#pragma once

#include "base/buf.h"

/*
 * The bytes of the character at the front of text, which is not empty; 0 where there is none:
 * overlong forms, surrogates, what is past U+10FFFF or cut off.  Then *character is U+FFFD.
 */
size_t utf8_take(struct span text, uint32_t *character);
/* Adds a character, which is no surrogate and not past U+10FFFF. */
void utf8_add(struct buf *out, uint32_t character);
