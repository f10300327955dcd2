/* Any bytes as the file of back-offs: what is taken is bounded, and written again is the same. */
#include "base/check.h"
#include "proc/queue/backoffs_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_rows(const struct backoffs *backoffs, struct backoffs_clock clock)
{
	list_for_each (node, &backoffs->rows) {
		const struct backoff *row = container_of(node, struct backoff, node);

		check(row->rule && row->name[0] && row->ease.strikes > 0);
		check(row->ease.connections > 0 && row->ease.kind < EASE_KIND_COUNT);
		check(row->ease.pause_until_ms <= clock.now_ms + EASE_PAUSE_MS_MAX);
		check(row->ease.until_ms <= clock.now_ms + 2 * EASE_PAUSE_MS_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = {1, 2};
	const struct backoffs_clock clock = {50000, UINT64_C(1764000000000)};
	struct backoffs is, again;
	struct sites sites;
	struct buf out;

	if (size > BACKOFFS_BYTES_MAX)
		return 0;
	backoffs_init(&is, seed);
	backoffs_init(&again, seed);
	sites_init(&sites, seed);
	buf_init(&out, BACKOFFS_BYTES_MAX);
	if (!backoffs_read(&is, &sites, clock, span_of((const char *)data, size))) {
		check_rows(&is, clock);
		backoffs_write(&is, clock, &out);
		check(buf_finish(&out) == OK);
		check(backoffs_read(&again, &sites, clock, buf_span(&out)) == OK);
		check(again.count == is.count);
	} else {
		check(is.count == 0);
	}
	buf_fini(&out);
	sites_fini(&sites);
	backoffs_fini(&again);
	backoffs_fini(&is);
	return 0;
}
