/* Base64 (RFC 4648 section 4), as SASL (RFC 4954) and MIME use it. */
#pragma once

#include "base/buf.h"

/* Adds the base64 form of bytes, padded, without line breaks. */
void base64_encode(struct buf *out, struct span bytes);
/* Adds the decoded bytes; ERR_SYNTAX for anything but padded, canonical base64. */
MUST_USE enum err base64_decode(struct buf *out, struct span text);
