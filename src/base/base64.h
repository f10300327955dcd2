/* Base64 (RFC 4648 sections 4 and 5), as SASL (RFC 4954), MIME and tokens use it. */
#pragma once

#include "base/buf.h"

/* Adds the base64 form of bytes, padded, without line breaks. */
void base64_encode(struct buf *out, struct span bytes);
/* Adds the decoded bytes; ERR_SYNTAX for anything but padded, canonical base64. */
MUST_USE enum err base64_decode(struct buf *out, struct span text);
/*
 * The same for the alphabet of section 5, with "-" and "_", and without padding (RFC 7515
 * section 2).
 */
MUST_USE enum err base64url_decode(struct buf *out, struct span text);
/* What one character stands for, 0 to 63; -1 for padding and all others. */
int base64_value(char c);
