/* Any bytes as ages: what is read whole is written again as the same bytes. */
#include "ipc/ages.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};
	struct ipc_ages ages;
	struct buf again;

	buf_init(&again, size + 1);
	if (ipc_ages_read(wire, &ages) == OK) {
		ipc_ages_write(&again, &ages);
		check(span_eq(buf_span(&again), wire));
	}
	buf_fini(&again);
	return 0;
}
