/* Any bytes as a file of results: what is taken is written again, and read as the same. */
#include "base/check.h"
#include "proc/fetcher/results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint64_t seed[2] = {1, 2};
	struct results is, again;
	struct buf out, more;

	results_init(&is, seed);
	results_init(&again, seed);
	buf_init(&out, RESULTS_BYTES_MAX);
	buf_init(&more, RESULTS_BYTES_MAX);
	if (results_read(&is, span_of((const char *)data, size)) == OK) {
		results_write(&is, &out);
		check(buf_finish(&out) == OK);
		check(results_read(&again, buf_span(&out)) == OK);
		results_write(&again, &more);
		check(span_eq(buf_span(&out), buf_span(&more)));
	}
	results_fini(&is);
	results_fini(&again);
	buf_fini(&out);
	buf_fini(&more);
	return 0;
}
