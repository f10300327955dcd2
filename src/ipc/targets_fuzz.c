/*
 * Any bytes, as a list of targets and as a list of hosts.  Reading ends, stays within bounds,
 * and what is read whole is written again as the same bytes.
 */
#include "base/check.h"
#include "ipc/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_targets(struct span wire)
{
	struct reader reader = reader_init(wire);
	struct ipc_target_entry target;
	struct buf again;

	buf_init(&again, wire.len + 1);
	while (ipc_target_next(&reader, &target)) {
		check(target.kind < IPC_TARGET_COUNT);
		check(target.address.len <= IPC_PATH_MAX);
		check(target.mailbox.len <= IPC_MAILBOX_MAX);
		ipc_target_write(&again, &target);
	}
	if (reader_finish(&reader) == OK)
		check(span_eq(buf_span(&again), wire));
	buf_fini(&again);
}

static void
try_hosts(struct span wire)
{
	struct reader reader = reader_init(wire);
	struct ipc_host_entry host;
	struct buf again;

	buf_init(&again, wire.len + 1);
	while (ipc_host_next(&reader, &host)) {
		check(host.name.len <= IPC_DOMAIN_MAX);
		check(host.addr_count <= IPC_HOST_ADDRS_MAX);
		for (size_t i = 0; i < host.addr_count; i++)
			check(host.addrs[i].family == 4 || host.addrs[i].family == 6);
		check(host.dane < IPC_DANE_COUNT && host.base.len <= IPC_DOMAIN_MAX);
		check(host.tlsa.len <= IPC_TLSA_MAX);
		ipc_host_write(&again, &host);
	}
	if (reader_finish(&reader) == OK)
		check(span_eq(buf_span(&again), wire));
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};

	try_targets(wire);
	try_hosts(wire);
	return 0;
}
