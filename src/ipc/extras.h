/*
 * What a client may ask for with MAIL beyond the sender: notifications (RFC 3461), a time before
 * which nothing is sent (RFC 4865), a time until which it must be there (RFC 2852), a priority
 * (RFC 6710); and with a field of the header: the pool of addresses that it leaves from.  Few
 * messages have any of it, so it travels as one string, which is empty then: from reception to
 * queue, in the spool's envelopes, from queue to delivery.
 */
#pragma once

#include "base/wire.h"
#include "ipc/ipc_list.h"

enum {
	IPC_ENVID_MAX = 100,
	IPC_PRIORITY_MAX = 9, /* and the least is -9 */
};

/* What of a failed message its notification has. */
enum ipc_ret { IPC_RET_UNSAID, IPC_RET_FULL, IPC_RET_HDRS, IPC_RET_COUNT };
/* When its time is over it is returned, or its sender is told that it takes longer. */
enum ipc_by { IPC_BY_NONE, IPC_BY_RETURN, IPC_BY_NOTIFY, IPC_BY_COUNT };

/* Bits of what a recipient's sender wants to be told of; 0: nothing was said. */
enum {
	IPC_NOTIFY_NEVER = 1,
	IPC_NOTIFY_SUCCESS = 2,
	IPC_NOTIFY_FAILURE = 4,
	IPC_NOTIFY_DELAY = 8,
};

struct ipc_extras {
	enum ipc_ret ret;
	struct span envid; /* xtext; "": none */
	uint64_t hold_until_wall_ms; /* 0: none */
	enum ipc_by by;
	bool by_trace;
	uint64_t by_wall_ms; /* where by says so: when its time is over */
	bool has_priority;
	int priority;
	struct span pool; /* of addresses to leave from, that the message names; "": none */
};

/* Whether anything is asked for. */
bool ipc_extras_any(const struct ipc_extras *extras);
/* Nothing is written where nothing is asked for. */
void ipc_extras_write(struct buf *out, const struct ipc_extras *extras);
/* ERR_SYNTAX: there is one form of each, and this is none. */
MUST_USE enum err ipc_extras_read(struct span wire, struct ipc_extras *extras);
/* Whether these bits may be said together. */
bool ipc_notify_is_right(unsigned notify);
