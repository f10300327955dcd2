/*
 * The envelope of a message as bytes of the spool, read for people and reports.  Pure.
 *
 * u8 version, u64 arrival, u8 flags, reverse-path, login, helo, client, u32 count; then for each
 * recipient: u8 kind, address, mailbox, original.  message.c writes it.
 */
#pragma once

#include "base/wire.h"

struct envelope {
	uint64_t arrival_wall_ms;
	uint8_t flags; /* IPC_MESSAGE_* */
	struct span reverse_path, login, helo, client;
	uint32_t rcpt_count;
};

struct envelope_rcpt {
	bool local; /* to a mailbox here, which is named */
	struct span address, mailbox;
	struct span original; /* as it was given at RCPT; may be empty */
};

/* False: malformed.  Spans point into what the reader reads. */
bool envelope_read(struct reader *reader, struct envelope *envelope);
/* The next of rcpt_count recipients. */
bool envelope_read_rcpt(struct reader *reader, struct envelope_rcpt *rcpt);
