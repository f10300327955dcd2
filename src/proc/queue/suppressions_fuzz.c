/* Any bytes as the file of suppressions: what is taken is written again, and read as the same. */
#include "base/check.h"
#include "proc/queue/suppressions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = {1, 2};
	struct suppressions is, again;
	struct buf out;

	suppressions_init(&is, seed);
	suppressions_init(&again, seed);
	if (suppressions_read(&is, span_of((const char *)data, size), 1000) == OK) {
		buf_init(&out, SUPPRESSIONS_BYTES_MAX);
		suppressions_write(&is, &out, true);
		check(buf_finish(&out) == OK);
		check(suppressions_read(&again, buf_span(&out), 1000) == OK &&
		    again.count == is.count);
		buf_fini(&out);
	}
	suppressions_fini(&is);
	suppressions_fini(&again);
	return 0;
}
