/*
 * Records of the spool as entries of the ledger: for the queue, which writes them, and for audits
 * of a spool that nobody has open.
 */
#pragma once

#include "ledger/ledger_entry.h"
#include "store/store.h"

struct ledger_recorder {
	struct io *io; /* for the time where a record has none */
	void *owner;
	void (*add)(void *owner, const struct ledger_entry *entry);
	struct ledger_rcpt *rcpts; /* room for those of one message; mem_free it at the end */
	uint32_t rcpt_room;
};

enum {
	LEDGER_BEFORE = 1, /* it was written before there was a ledger */
	LEDGER_FOUND = 2,  /* the message was found alive, its record is not in the log */
	LEDGER_READ_BACK = 4, /* at a start: marks before it may have been lost with a batch */
};

/* Calls add for each entry that the record makes. */
void ledger_record(struct ledger_recorder *recorder, enum store_change type, uint64_t id,
    struct span payload, uint64_t body_bytes, unsigned flags);
