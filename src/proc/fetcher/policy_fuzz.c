/* Any bytes as a policy's file: what is taken is written again, and read as the same. */
#include "base/check.h"
#include "proc/fetcher/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy is = {0}, again = {0};
	struct buf out;

	if (policy_read(span_of((const char *)data, size), &is))
		return 0;
	buf_init(&out, POLICY_FILE_BYTES_MAX);
	policy_write(&is, &out);
	check(buf_finish(&out) == OK);
	check(policy_read(buf_span(&out), &again) == OK && again.mode == is.mode &&
	    again.hosts_len == is.hosts_len && again.fetched_wall_ms == is.fetched_wall_ms);
	policy_fini(&is);
	policy_fini(&again);
	buf_fini(&out);
	return 0;
}
