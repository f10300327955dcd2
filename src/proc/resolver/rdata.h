/* DNS record data (RFC 1035 section 3.3) taken apart; every length is checked. */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum { RDATA_NAME_BYTES = 256 };

/*
 * An MX record: preference and exchange ("" is the root: a null MX).  ERR_SYNTAX where it is
 * malformed or the name holds bytes that no host name has.
 */
MUST_USE enum err rdata_mx(
    struct span rdata, uint16_t *preference, char exchange[RDATA_NAME_BYTES]);
