/* What the writer and the reader of entries must agree about. */
#pragma once

#include "base/arena.h"
#include "ledger/ledger_block.h"
#include "ledger/ledger_words.h"

enum {
	ACCEPTED_HAS_AT = 1, /* the flags of the entry follow, shifted by one */
	ACCEPTED_FLAGS_MAX = (LEDGER_IS_BOUNCE | LEDGER_ADOPTED) << 1 | ACCEPTED_HAS_AT,
	RCPT_HAS_AT = 1,
	RCPT_REWRITTEN = 2,
	RCPT_ORIGINAL_HAS_AT = 4,
	RCPT_HAS_MAILBOX = 8,
	RCPT_FLAGS_MAX = 15,
	RCPT_BYTES_MIN = 2, /* flags, and an empty word */
	CODE_MAX = 999,
};
