/* Any bytes as marks: each that is taken keeps its bounds, and is written as the same bytes. */
#include "base/check.h"
#include "proc/queue/mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span wire = {(const char *)data, size};
	struct reader reader = reader_init(wire);
	struct mark mark;
	struct buf out;

	buf_init(&out, MARK_BYTES_MAX);
	while (reader.rest.len > 0 && mark_read(&reader, &mark)) {
		struct span taken = span_first(wire, wire.len - reader.rest.len);

		check(mark.status.len <= MARK_STATUS_MAX);
		check(mark.remote.len <= MARK_REMOTE_MAX);
		check(mark.text.len <= MARK_TEXT_MAX);
		check(mark.code <= MARK_CODE_MAX);
		if (mark.kind == MARK_ENDED)
			check(end_name(mark.end) != NULL);
		buf_reset(&out);
		mark_write(&out, &mark);
		check(span_eq(buf_span(&out), taken));
		wire = reader.rest;
	}
	buf_fini(&out);
	return 0;
}
