/* Readers check counts and kinds before they use them. */
#include "ipc/targets.h"

void
ipc_target_write(struct buf *out, const struct ipc_target_entry *target)
{
	wire_u8(out, (uint8_t)target->kind);
	wire_bytes(out, target->address);
	wire_bytes(out, target->mailbox);
}

bool
ipc_target_next(struct reader *reader, struct ipc_target_entry *target)
{
	uint8_t kind;

	if (reader->failed || reader->rest.len == 0)
		return false;
	kind = reader_u8(reader);
	target->address = reader_bytes(reader, IPC_PATH_MAX);
	target->mailbox = reader_bytes(reader, IPC_MAILBOX_MAX);
	if (kind >= IPC_TARGET_COUNT)
		reader->failed = true;
	target->kind = kind == IPC_TARGET_MAILBOX ? IPC_TARGET_MAILBOX : IPC_TARGET_REMOTE;
	return !reader->failed;
}

void
ipc_host_write(struct buf *out, const struct ipc_host_entry *host)
{
	wire_bytes(out, host->name);
	wire_u16(out, host->preference);
	wire_u8(out, (uint8_t)host->addr_count);
	for (size_t i = 0; i < host->addr_count; i++) {
		wire_u8(out, host->addrs[i].family);
		buf_add(out, span_of((const char *)host->addrs[i].bytes, 16));
	}
	wire_u8(out, (uint8_t)host->dane);
	if (host->dane == IPC_DANE_RECORDS) {
		wire_bytes(out, host->base);
		wire_bytes(out, host->tlsa);
	}
}

/* What is behind the addresses. */
static void
read_dane(struct reader *reader, struct ipc_host_entry *host)
{
	uint8_t dane = reader_u8(reader);

	if (dane >= IPC_DANE_COUNT) {
		reader->failed = true;
		return;
	}
	host->dane = (enum ipc_dane)dane;
	if (dane != IPC_DANE_RECORDS)
		return;
	host->base = reader_bytes(reader, IPC_DOMAIN_MAX);
	host->tlsa = reader_bytes(reader, IPC_TLSA_MAX);
}

bool
ipc_host_next(struct reader *reader, struct ipc_host_entry *host)
{
	if (reader->failed || reader->rest.len == 0)
		return false;
	*host = (struct ipc_host_entry){0};
	host->name = reader_bytes(reader, IPC_DOMAIN_MAX);
	host->preference = reader_u16(reader);
	host->addr_count = reader_u8(reader);
	if (host->addr_count > IPC_HOST_ADDRS_MAX) {
		reader->failed = true;
		return false;
	}
	for (size_t i = 0; i < host->addr_count; i++) {
		struct net_addr *addr = &host->addrs[i];
		struct span bytes;

		addr->family = reader_u8(reader);
		bytes = reader_raw(reader, 16);
		if (bytes.len != 16 || (addr->family != 4 && addr->family != 6)) {
			reader->failed = true;
			return false;
		}
		memcpy(addr->bytes, bytes.ptr, 16);
	}
	read_dane(reader, host);
	return !reader->failed;
}
