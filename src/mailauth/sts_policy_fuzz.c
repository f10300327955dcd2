/* Any bytes as RDATA, as a TXT record and as a policy: what is taken is within its bounds. */
#include "base/check.h"
#include "mailauth/sts_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct sts_record record;
	struct sts_policy policy;
	enum sts_fault fault;
	struct span joined;
	char room[512];

	if (sts_record_parse(text, &record) == OK)
		check(record.id[0] && strlen(record.id) <= STS_ID_BYTES_MAX);
	if (sts_txt_join(text, room, sizeof(room), &joined) == OK)
		check(joined.len <= sizeof(room));
	if (sts_policy_parse(text, &policy, &fault) != OK) {
		check(fault != STS_FAULT_NONE && fault < STS_FAULT_COUNT);
		return 0;
	}
	check(policy.mode == STS_NONE || policy.mx_count > 0);
	check(policy.max_age_s <= STS_AGE_S_MAX);
	for (size_t i = 0; i < policy.mx_count; i++) {
		struct span mx = span_str(policy.mx[i]);

		/* A star stands for something; a name for itself. */
		check(mx.len > 0 && mx.len <= STS_MX_BYTES_MAX);
		check(mx.ptr[0] == '*' || sts_policy_has_mx(&policy, mx));
	}
	return 0;
}
