/* Whatever a program says: what is made of it can be told, and shown. */
#include "base/check.h"
#include "base/utf8.h"
#include "proc/pipe/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict_end end = {.program = SPAN("/a"), .user = SPAN("v")};
	struct verdict verdict;
	struct span rest;
	struct buf text;

	if (size == 0)
		return 0;
	end.status = data[0];
	end.output = span_of((const char *)data + 1, size - 1);
	buf_init(&text, IPC_TEXT_MAX);
	verdict_find(&end, &verdict, &text);
	check(buf_finish(&text) == OK);
	check((verdict.outcome == IPC_DELIVERED) == (end.status == 0));
	check(verdict.status[0] ==
	    (verdict.outcome == IPC_DELIVERED      ? '2'
		    : verdict.outcome == IPC_FAILED ? '5'
						    : '4'));
	for (rest = buf_span(&text); rest.len > 0;) {
		uint32_t character;
		size_t len = utf8_take(rest, &character);

		check(len > 0 && character >= ' ');
		rest = span_skip(rest, len);
	}
	buf_fini(&text);
	return 0;
}
