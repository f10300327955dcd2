/* Any bytes as the file of shares: what is taken is written again, and read as the same. */
#include "base/check.h"
#include "proc/queue/shares.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The day of the corpus: 2026-11-27. */
	const uint64_t day = 20784;
	struct shares shares = {0}, again = {0};
	struct buf out;

	err_ignore(shares_read(&shares, span_of((const char *)data, size), day),
	    "what stands before a mistake counts");
	buf_init(&out, SHARES_BYTES_MAX);
	shares_write(&shares, &out);
	check(buf_finish(&out) == OK);
	check(shares_read(&again, buf_span(&out), day) == OK);
	for (size_t i = 0; i < shares.count; i++) {
		const struct share *share = shares_find(
		    &again, &shares.rows[i].addr, span_str(shares.rows[i].provider));

		check(shares.rows[i].used == (share ? share->used : 0));
	}
	shares_fini(&shares);
	shares_fini(&again);
	buf_fini(&out);
	return 0;
}
