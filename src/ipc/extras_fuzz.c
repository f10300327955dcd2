/* Any bytes as what a client asked for: what is taken is written again as the same bytes. */
#include "base/check.h"
#include "ipc/extras.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};
	struct ipc_extras extras;
	struct buf again;

	if (ipc_extras_read(wire, &extras))
		return 0;
	check(extras.envid.len <= IPC_ENVID_MAX && extras.pool.len <= IPC_POOL_MAX &&
	    wire.len <= IPC_EXTRAS_MAX);
	buf_init(&again, IPC_EXTRAS_MAX);
	ipc_extras_write(&again, &extras);
	check(span_eq(buf_span(&again), wire));
	buf_fini(&again);
	return 0;
}
