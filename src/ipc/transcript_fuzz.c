/* Any bytes as a transcript that was written: what is taken is shown within its bounds. */
#include "base/check.h"
#include "ipc/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same bytes as steps: whatever is added, what is written can be read. */
static void
add(struct span bytes)
{
	struct transcript transcript;
	struct transcript_step step;
	struct reader reader;
	struct buf out;
	uint64_t now_ms = 0;

	transcript_init(&transcript, 2048, 0);
	while (bytes.len > 0) {
		size_t len = (unsigned char)bytes.ptr[0] * (size_t)2;

		bytes = span_skip(bytes, 1);
		transcript_add(&transcript, TRANSCRIPT_GOT, span_first(bytes, len), now_ms++);
		bytes = span_skip(bytes, len);
	}
	buf_init(&out, 4096);
	transcript_write(&transcript, &out);
	reader = reader_init(buf_span(&out));
	while (transcript_next(&reader, &step))
		for (size_t i = 0; i < step.text.len; i++)
			check((unsigned char)step.text.ptr[i] >= 0x20);
	check(reader_finish(&reader) == OK);
	buf_fini(&out);
	transcript_fini(&transcript);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};
	struct reader reader = reader_init(wire);
	struct transcript_step step;

	while (transcript_next(&reader, &step))
		check(step.kind < TRANSCRIPT_KIND_COUNT && step.text.len <= TRANSCRIPT_TEXT_MAX);
	add(wire);
	return 0;
}
