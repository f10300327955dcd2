/*
 * The envelope as bytes of the spool, and as it is in memory while something is done about
 * its message.  envelope.c draws the bytes.  Commands that read a spool's files include this
 * too.
 */
#pragma once

#include "ipc/extras.h"
#include "ipc/targets.h"

struct envelope_rcpt {
	enum ipc_target kind;
	struct span address, mailbox, original;
	unsigned notify;   /* IPC_NOTIFY_...; 0: nothing was said */
	struct span orcpt; /* "rfc822;xtext" as it came, or "" */
};

/* An envelope that was read; everything points into its bytes. */
struct envelope {
	struct buf bytes;
	uint64_t arrival_wall_ms;
	uint8_t flags;
	struct span reverse_path, login, helo, client;
	struct ipc_extras extras;
	uint32_t rcpt_count;
	struct envelope_rcpt rcpts[];
};

struct envelope_head {
	uint64_t arrival_wall_ms;
	uint8_t flags;
	struct span reverse_path, login, helo, client;
	struct span extras; /* as ipc_extras_write makes it; "": none */
	bool rcpts_ask;     /* some recipient has a notify or an orcpt */
	uint32_t rcpt_count;
};
/* Recipients follow, each written with envelope_write_rcpt. */
void envelope_write_head(struct buf *out, const struct envelope_head *head);
void envelope_write_rcpt(struct buf *out, const struct envelope_rcpt *rcpt);
/* From when on it may be sent, and its time counts: when it came, or what its sender said. */
uint64_t envelope_due_wall_ms(const struct envelope *envelope);
/* Whether a notification is asked for, or one is not wanted, for the recipient. */
bool envelope_rcpt_asks(const struct envelope_rcpt *rcpt);
/* Takes the bytes over, also where they are no envelope (ERR_SYNTAX). */
MUST_USE enum err envelope_read(struct buf *bytes, struct envelope **envelope);
void envelope_free(struct envelope *envelope);
/* The sender in whose turn recipients are tried: the login, else the reverse-path. */
uint32_t envelope_sender(const struct envelope *envelope);
