/* Any bytes as the file of suspensions: what is taken is written again, and read as the same. */
#include "base/check.h"
#include "proc/queue/suspensions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct suspensions is = {0}, again = {0};
	struct buf out;

	if (suspensions_read(&is, span_of((const char *)data, size)))
		return 0;
	buf_init(&out, SUSPENSIONS_BYTES_MAX);
	suspensions_write(&is, &out);
	check(buf_finish(&out) == OK);
	check(suspensions_read(&again, buf_span(&out)) == OK && again.count == is.count);
	suspensions_fini(&is);
	suspensions_fini(&again);
	buf_fini(&out);
	return 0;
}
