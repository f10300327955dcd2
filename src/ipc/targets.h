/*
 * Lists inside messages: the targets of an address, the hosts of a domain.
 * Written piece by piece, read piece by piece, each piece bounded.
 */
#pragma once

#include "base/net.h"
#include "base/wire.h"
#include "ipc/ipc_list.h"

enum { IPC_TARGETS_COUNT_MAX = 100, IPC_HOST_ADDRS_MAX = 16, IPC_HOSTS_COUNT_MAX = 64 };

struct ipc_target_entry {
	enum ipc_target kind;
	struct span address; /* forward-path of this target */
	struct span mailbox; /* MAILBOX: its name */
};

void ipc_target_write(struct buf *out, const struct ipc_target_entry *target);
/* The next target; false at the end or at a fault, which reader_finish() tells apart. */
bool ipc_target_next(struct reader *reader, struct ipc_target_entry *target);

struct ipc_host_entry {
	struct span name;
	uint16_t preference;
	size_t addr_count; /* at most IPC_HOST_ADDRS_MAX */
	struct net_addr addrs[IPC_HOST_ADDRS_MAX];
	enum ipc_dane dane;
	struct span base; /* RECORDS: the name at which they are, which certificates may have */
	struct span tlsa; /* RECORDS: their RDATA, each by wire_bytes */
};

void ipc_host_write(struct buf *out, const struct ipc_host_entry *host);
bool ipc_host_next(struct reader *reader, struct ipc_host_entry *host);
