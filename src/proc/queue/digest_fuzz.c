/*
 * Any bytes as a digest: refused, with nothing left of it, or a message whose own digest is read
 * back as the same.
 */
#include "proc/queue/test_queue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_queue fuzz;
	struct buf digest, again;
	uint32_t slot;

	fuzz_queue_init(&fuzz);
	buf_init(&digest, STORE_ENVELOPE_BYTES_MAX);
	buf_init(&again, STORE_ENVELOPE_BYTES_MAX);
	if (digest_read(&fuzz.queue, 1, span_of((const char *)data, size), 0) == OK) {
		slot = sched_message_find(fuzz.queue.sched, 1);
		digest_write(&fuzz.queue, slot, &digest);
		check(digest.len > 0);
		sched_message_remove(fuzz.queue.sched, slot);
		check(digest_read(&fuzz.queue, 1, buf_span(&digest), 0) == OK);
		slot = sched_message_find(fuzz.queue.sched, 1);
		digest_write(&fuzz.queue, slot, &again);
		check(span_eq(buf_span(&digest), buf_span(&again)));
		sched_message_start(fuzz.queue.sched, slot);
		sched_message_remove(fuzz.queue.sched, slot);
	}
	check(sched_message_count(fuzz.queue.sched) == 0);
	buf_fini(&digest);
	buf_fini(&again);
	fuzz_queue_fini(&fuzz);
	return 0;
}
