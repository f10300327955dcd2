/* Any bytes as an envelope: what is read stays within them, and a fault stays a fault. */
#include "base/check.h"
#include "proc/queue/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_within(struct span part, struct span all)
{
	check(part.len == 0 ||
	    (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = {(const char *)data, size};
	struct reader reader = reader_init(all);
	struct envelope envelope;
	struct envelope_rcpt rcpt;

	if (!envelope_read(&reader, &envelope))
		return 0;
	check_within(envelope.reverse_path, all);
	check_within(envelope.client, all);
	check(envelope.rcpt_count > 0 && envelope.rcpt_count <= size);
	for (uint32_t i = 0; i < envelope.rcpt_count; i++) {
		if (!envelope_read_rcpt(&reader, &rcpt)) {
			check(reader_finish(&reader) != OK);
			return 0;
		}
		check_within(rcpt.address, all);
		check_within(rcpt.mailbox, all);
		check_within(rcpt.original, all);
	}
	return 0;
}
